//! What other systems write, in English and in Chinese.

use super::*;

#[test]
fn reads_what_blackboard_exports() {
    let course = "\"Last Name\"\t\"First Name\"\t\"Username\"\t\"Student ID\"\t\"Email\"\t\
                  \"Availability\"\t\"Quiz, 1 [Total Pts: 10] |664617\"\n\
                  \"Wong\"\t\"Siu Ming\"\t\"wong1\"\t\"1155000001\"\t\"wong@example.edu\"\t\"Yes\"\t\
                  \"\"\n";
    let feed = "EXTERNAL_PERSON_KEY|USER_ID|FIRSTNAME|LASTNAME|EMAIL|STUDENT_ID|ROW_STATUS\n\
                k1|wong1|Siu Ming|Wong|wong@example.edu|1155000001|enabled\n\
                ***FileFooter|1|2026-11-22***\n";
    assert_eq!(told(course), wong());
    let rows = rows(feed);
    assert_eq!(listed(&rows[0]).name, "Siu Ming Wong");
    assert!(matches!(rows[1].entry, Entry::Nobody(_)));
    // As it is downloaded: tabs and UTF-16, though the name ends in .xls.
    for bytes in [
        utf16(&format!("\u{feff}{course}"), u16::to_le_bytes),
        utf16(&format!("\u{feff}{course}"), u16::to_be_bytes),
    ] {
        let rows = read(bytes, None).unwrap();
        assert_eq!(listed(&rows[0]).name, "Siu Ming Wong");
        assert_eq!(rows[0].line, 2);
    }
}

#[test]
fn who_has_left_according_to_the_export_is_no_student() {
    for (text, says) in [
        (
            "user_id,login_id,full_name,status\n1155000001,a,A,Deleted\n",
            "status: Deleted",
        ),
        (
            "user_id,login_id,full_name,status\n1155000001,a,A,suspended\n",
            "status: suspended",
        ),
        (
            "username,firstname,lastname,deleted\n1155000001,A,B,1\n",
            "deleted: 1",
        ),
        (
            "username,firstname,lastname,suspended\n1155000001,A,B,1\n",
            "suspended: 1",
        ),
        (
            "username\tfirst name\tlast name\tavailability\n1155000001\tA\tB\tNo\n",
            "availability: No",
        ),
        (
            "external_person_key|firstname|lastname|row_status\n1155000001|A|B|disabled\n***FileFooter|1|x***\n",
            "row_status: disabled",
        ),
    ] {
        let row = rows(text).swap_remove(0);
        let gone = Entry::Gone("1155000001".parse().unwrap(), says.to_owned());
        assert_eq!(row.entry, gone);
    }
    let unknown = rows("user_id,login_id,full_name,status\n1155000001,a,A,\n");
    assert!(
        refusal(&unknown[0]).contains("none of active, suspended, deleted"),
        "{unknown:?}"
    );
}

#[test]
fn reads_chinese_headers_and_puts_the_name_together() {
    let lee = |name: &str| [["1155000001", name, "lee@example.edu"].map(str::to_owned)];
    for text in [
        "學號,姓名,電郵\n1155000001,李大文,lee@example.edu\n",
        "学号,姓名,邮箱\n1155000001,李大文,lee@example.edu\n",
        "學號,姓,名,電郵\n1155000001,李,大文,lee@example.edu\n",
        // Moodle's course export in a Chinese locale.
        "名,姓氏,電郵地址,ID number\n大文,李,lee@example.edu,1155000001\n",
        "名字,姓氏,學號,電子郵件地址\n大文,李,1155000001,lee@example.edu\n",
        "名,姓氏,学号,电子邮件地址\n大文,李,1155000001,lee@example.edu\n",
        // Blackboard's.
        "姓氏,名字,用户名,学生 ID,邮箱,可用性\n李,大文,lee1,1155000001,lee@example.edu,是\n",
        "sid,family name,first name,email\n1155000001,李,大文,lee@example.edu\n",
    ] {
        assert_eq!(told(text), lee("李大文"), "{text}");
    }
    let two = "學號,姓,名,電郵\n1155000001,Lee,Tai Man,lee@example.edu\n";
    assert_eq!(told(two), lee("Tai Man Lee"));
    let gone = "姓氏,名字,用户名,可用性\n李,大文,1155000001,否\n";
    assert!(matches!(rows(gone)[0].entry, Entry::Gone(..)));
    // The English name counts where both are there.
    let both = "sid,name,姓名,email\n1155000001,Lee,李大文,lee@example.edu\n";
    assert_eq!(told(both), lee("Lee"));
    let fault = reader("學號,学号,姓名\n1,2,A\n").unwrap_err();
    assert!(fault.to_string().contains("two columns"), "{fault}");
}

#[test]
fn two_columns_can_be_named_for_the_name() {
    let text = "Matrikel,Vorname,Zuname,姓\n1155000001,Siu Ming,Lee,李\n";
    let name = |columns: &[&str]| {
        let named = NamedColumns {
            sid: Some("Matrikel"),
            name: columns,
        };
        let mut reader = RosterReader::new(Cursor::new(text.as_bytes().to_vec()), named)?;
        let row = reader.next_row()?.unwrap();
        Ok::<_, RosterFault>(listed(&row).name.clone())
    };
    assert_eq!(name(&["Vorname", "Zuname"]).unwrap(), "Siu Ming Lee");
    assert_eq!(name(&["Zuname"]).unwrap(), "Lee");
    // A family name is known as one in whichever place.
    for columns in [["姓", "Vorname"], ["Vorname", "姓"]] {
        assert_eq!(name(&columns).unwrap(), "Siu Ming 李");
    }
    assert!(name(&["Vorname", "Nachname"]).is_err());
}

#[test]
fn lines_that_end_with_cr_alone_are_counted() {
    for end in ["\r", "\n", "\r\n"] {
        let text = ["sid,name", "1,A", "2,\"B", "C\"", "", "3,", "4,D"].join(end);
        let lines: Vec<_> = rows(&text).iter().map(|row| row.line).collect();
        assert_eq!(lines, [2, 3, 6, 7], "{end:?}");
    }
    let open = read("sid,name\r1,A\r2,\"B\r3,C\r", None).unwrap_err();
    assert!(open.to_string().starts_with("line 3: "), "{open}");
}

#[test]
fn a_feed_that_is_not_whole_is_refused_unless_somebody_says_that_it_is() {
    let head = "external_person_key|firstname|lastname\n1155000001|A|B\n1155000002|C|D\n";
    let all = |text: String, any: bool| {
        let mut reader = reader(text)?.with_any_footer(any);
        std::iter::from_fn(|| reader.next_row().transpose()).collect::<Result<Vec<_>, _>>()
    };
    for (footer, told) in [
        ("", "no last line ***FileFooter"),
        (
            "***FileFooter|3|2026-11-22***\n",
            "says 3 rows, and it has 2",
        ),
        (
            "***FileFooter|1|2026-11-22***\n",
            "says 1 rows, and it has 2",
        ),
        ("***FileFooter|x|2026-11-22***\n", "says no number"),
        (
            "***FileFooter|2|2026-11-22***\n1155000003|E|F\n",
            "no last line",
        ),
    ] {
        let text = format!("{head}{footer}");
        let fault = all(text.clone(), false).unwrap_err();
        assert!(fault.to_string().contains(told), "{fault}");
        assert!(fault.remedy().contains("--any-footer"));
        assert!(all(text, true).unwrap().len() >= 2);
    }
    let whole = format!("{head}***FileFooter|2|2026-11-22***\n");
    assert_eq!(all(whole, false).unwrap().len(), 3);
}
