//! Gradebooks as platforms export them, with what teachers have in them.

use serde_json::json;

use super::{CANVAS, Teacher};

const MOODLE: &str = "First name,Surname,ID number,Email address,Assignment: Lab 1 (Real),\
    Quiz: Week 1 (Real),Last downloaded from this course\n\
    Tai Man,Chan,1155000001,1155000001@link.example,8.50,-,1700000000\n\
    \"Siu Ming\",Lee,1155000002,1155000002@link.example,-,3.00,1700000000\n";

#[test]
fn a_gradebook_of_moodle_is_read_and_written() {
    let teacher = Teacher::new();
    let maximum = ["--maximum", "10"];
    let told = teacher.import(MOODLE, &maximum).succeeded().json();
    assert_eq!(told["changed"].as_array().unwrap().len(), 1);
    assert_eq!(told["changed"][0]["points"], "8.5");
    teacher
        .import("sid,grade\n1155000002,7\n", &maximum)
        .succeeded();
    let template = teacher.file("moodle.csv", MOODLE);
    let arguments = ["--for", "moodle", "--template", template.to_str().unwrap()];
    let back = teacher.grades("export", &arguments).succeeded().stdout;
    assert_eq!(back, MOODLE.replace("link.example,-", "link.example,7"));

    // What Moodle's grade import takes, and what is read here as well.
    let anew = teacher.grades("export", &["--for", "moodle"]);
    let anew = anew.succeeded().stdout;
    let expected = "ID number,Assignment: Lab 1 (Real),Assignment: Lab 1 (Feedback)\r\n\
        1155000001,8.5,\r\n1155000002,7,\r\n";
    assert_eq!(anew, expected);
    let commented = anew.replace("2,7,", "2,7.5,better");
    let told = teacher.import(&commented, &maximum).succeeded().json();
    assert_eq!(told["changed"].as_array().unwrap().len(), 1);
    let listed = teacher.grades("list", &["--json"]).succeeded().json();
    assert_eq!(listed[1]["comment"], "better");
}

#[test]
fn without_id_numbers_it_is_said_what_to_switch_on_and_addresses_can_be_named() {
    let teacher = Teacher::new();
    let book = MOODLE.replace("ID number", "Institution");
    let worksheet = "Identifier,Full name,Email address,Grade,Maximum grade\n\
        Participant 1,Chan,1155000001@link.example,6,10\n";
    for (text, found, setting) in [
        (
            book.as_str(),
            "`Institution`",
            "Grade export user profile fields",
        ),
        (worksheet, "`Full name`", "Show user identity"),
    ] {
        let error = teacher.import(text, &["--maximum", "10"]);
        let error = error.refused(2, "gradebook");
        let [message, remedy] = ["message", "remedy"].map(|name| error[name].as_str().unwrap());
        assert!(message.contains("no column `id number`"), "{message}");
        assert!(message.contains(found), "{message}");
        assert!(remedy.contains(setting), "{remedy}");
        assert!(remedy.contains("--sid-column"), "{remedy}");
    }
    let by_address = ["--maximum", "10", "--sid-column", "Email address"];
    for (text, points) in [(book.as_str(), "8.5"), (worksheet, "6")] {
        let told = teacher.import(text, &by_address).succeeded().json();
        assert_eq!(told["changed"][0]["sid"], "1155000001");
        assert_eq!(told["changed"][0]["points"], points);
    }
    let stranger = worksheet.replace("1155000001@", "chan@");
    let error = teacher
        .import(&stranger, &by_address)
        .refused(2, "gradebook");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("line 2: chan is not in the course"),
        "{message}"
    );
}

#[test]
fn columns_of_any_name_can_be_named() {
    let teacher = Teacher::new();
    let book = "Matrikel;Punkte\n1155000001;8,5\n";
    let named = ["--sid-column", "matrikel", "--column", "Punkte"];
    let told = teacher.import(book, &[&named[..], &["--maximum", "10"]].concat());
    assert_eq!(told.succeeded().json()["changed"][0]["points"], "8.5");
    let template = teacher.file("own.csv", &book.replace("8,5", ""));
    let template = ["--for", "canvas", "--template", template.to_str().unwrap()];
    let back = teacher
        .grades("export", &[&named[..], &template].concat())
        .succeeded()
        .stdout;
    assert_eq!(back, book);
    let refused = teacher.grades("export", &template);
    assert_eq!(refused.exit, Some(2), "{refused:#?}");
}

#[test]
fn who_is_excused_in_canvas_stays_so_unless_the_teacher_says_otherwise() {
    let teacher = Teacher::new();
    let book = CANVAS.replace("CSCI3150-B,9,", "\"CSCI3150-B\",EX,");
    let told = teacher.import(&book, &[]).succeeded().json();
    assert_eq!(told["excused"], json!(["1155000003"]));
    assert_eq!(teacher.listed().len(), 1);
    let own = "sid,grade\n1155000003,4\n";
    teacher.import(own, &["--maximum", "10"]).succeeded();
    let again = teacher.import(&book, &[]).succeeded().json();
    assert_eq!(again["changed"], json!([]), "what he has stays");

    let template = teacher.file("template.csv", &book);
    let export = ["--for", "canvas", "--template", template.to_str().unwrap()];
    let told = teacher.grades("export", &export).succeeded();
    assert_eq!(told.stdout, book);
    assert!(
        told.stderr
            .contains("left so though graded here: 1155000003"),
        "{}",
        told.stderr
    );
    let anyway = [&export[..], &["--overwrite-excused"]].concat();
    let told = teacher.grades("export", &anyway).succeeded();
    assert_eq!(
        told.stdout,
        book.replace("\"CSCI3150-B\",EX,", "\"CSCI3150-B\",4,")
    );
}

#[test]
fn who_is_excused_gets_nothing_of_what_his_group_gets() {
    let teacher = Teacher::new();
    let book = CANVAS.replace("CSCI3150-B,9,", "\"CSCI3150-B\",EX,");
    let groups = teacher.import(&book, &["--groups"]).succeeded().json();
    let changed = groups["changed"].as_array().unwrap().iter();
    let changed: Vec<_> = changed.map(|one| one["sid"].as_str().unwrap()).collect();
    assert!(changed.contains(&"1155000002"), "{groups:#}");
    assert!(!changed.contains(&"1155000003"), "{groups:#}");
    assert_eq!(groups["excused"], json!(["1155000003"]));
    assert_eq!(teacher.listed().len(), 2);
    let twice = book.clone() + "\"Wong, 小明\",3,1155000003,wsm,CSCI3150-B,9,\r\n";
    let refused = teacher.import(&twice, &["--groups"]);
    assert_eq!(refused.exit, Some(2), "{refused:#?}");
    assert!(
        refused.stderr.contains("is excused (`EX`) in another line"),
        "{refused:#?}"
    );
}
