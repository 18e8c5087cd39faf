//! What importing a roster does to the records.

use std::fs;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, Serial, Validity};
use scb_cuhk::{
    Counts, Difference, Error, Import, ImportOptions, Intent, Missing, Profile, Records, Student,
    import_roster, rehearse_import, restore, suspend,
};
use scb_protocol::EnrolmentCode;

use crate::administration::{Office, ROSTER};

const FOUR: &str = "sid,name,email,programme\n\
                    1155000001,A,a@b.example,BSc\n\
                    1155000002,B,b@b.example,BSc\n\
                    1155000003,C,c@b.example,BSc\n\
                    1155000004,D,d@b.example,BSc\n";
/// Without 1155000004.
const THREE: &str = "sid,name\n1155000001,A\n1155000002,B\n1155000003,C\n";

impl Office {
    fn suspending(&self, expected: Option<usize>) -> ImportOptions {
        ImportOptions {
            missing: Missing::Suspend { expected },
            ..self.options(None)
        }
    }

    /// Imports, and suspends who is missing.
    fn import_all(&self, text: &str, expected: Option<usize>) -> Result<Import, Error> {
        let (path, reader) = self.roster(text)?;
        import_roster(&self.store, path, reader, self.suspending(expected))
    }

    fn rehearse(&self, text: &str, options: ImportOptions) -> Import {
        let (path, reader) = self.roster(text).unwrap();
        rehearse_import(&self.store, path, reader, options).unwrap()
    }

    fn students(&self) -> Vec<Student> {
        let all = self.store.read_blocking(|records| records.roster().all());
        all.unwrap()
    }

    /// Those who are active, without what they all begin with.
    fn active(&self) -> String {
        let mut active = self.students();
        active.retain(|student| student.active);
        let last = active.iter().map(|student| &student.sid.as_str()[9..]);
        last.collect()
    }

    fn epoch(&self) -> u64 {
        let epoch = self.store.read_blocking(|records| records.status().epoch());
        epoch.unwrap()
    }

    /// What somebody does by hand.
    fn by_hand<T: Send + 'static>(
        &self,
        sid: &str,
        deed: fn(&Records<'_>, &scb_certs::StudentId, UnixTime) -> Result<T, Error>,
    ) {
        let (sid, now) = (sid.parse().unwrap(), self.now);
        self.store
            .write_blocking(move |records| deed(records, &sid, now))
            .unwrap();
    }

    /// Records a certificate for a student.
    fn certify(&self, sid: &str) -> Serial {
        let serial = Serial::random().unwrap();
        let end = std::time::Duration::from_secs(self.now.as_secs() + 1000);
        let intent = Intent {
            serial,
            subject: sid.parse().unwrap(),
            profile: Profile::Student,
            public_key: Fingerprint::of(serial.as_bytes()),
            validity: Validity {
                not_before: self.now,
                not_after: UnixTime::since_unix_epoch(end),
            },
        };
        let now = self.now;
        self.store
            .write_blocking(move |records| records.certificates().intend(&intent, now))
            .unwrap();
        serial
    }

    fn is_on_hold(&self, serial: Serial) -> bool {
        let found = self
            .store
            .read_blocking(move |records| records.certificates().find(&serial));
        found.unwrap().unwrap().is_on_hold()
    }
}

/// What was found about one student.
fn found<'a>(import: &'a Import, sid: &str) -> Vec<&'a Difference> {
    let findings = import.findings.iter().filter(|finding| finding.sid == sid);
    findings.map(|finding| &finding.difference).collect()
}

#[test]
fn good_rows_are_imported_and_bad_ones_named() {
    let office = Office::open();
    let import = office.import(ROSTER, None).unwrap();
    let refused = &import.findings[1];
    assert_eq!(refused.line, Some(3));
    assert!(matches!(refused.difference, Difference::Refused(_)));
    let counts = Counts {
        rows: 3,
        added: 2,
        refused: 1,
        ..Counts::default()
    };
    assert_eq!(import.counts, counts);
    let again = office.import(ROSTER, None).unwrap();
    assert_eq!((again.counts.unchanged, again.counts.added), (2, 0));
}

#[test]
fn codes_go_to_those_who_need_one_and_only_once() {
    let office = Office::open();
    office.import(ROSTER, None).unwrap();
    office.code("1155000001").unwrap();
    assert_eq!(office.import(ROSTER, Some("codes.csv")).unwrap().codes, 1);
    let sheet = fs::read_to_string(office.path("codes.csv")).unwrap();
    let lines: Vec<_> = sheet.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], "sid,name,email,code,ca_sha256,expires");
    assert!(
        lines[1].starts_with("1155000002,'=HYPERLINK(1),,"),
        "{}",
        lines[1]
    );

    assert_eq!(office.import(ROSTER, Some("more.csv")).unwrap().codes, 0);
    assert!(!office.path("more.csv").exists());
}

#[test]
fn the_codes_on_a_sheet_are_the_codes_in_the_records() {
    let office = Office::open();
    office.import(ROSTER, Some("codes.csv")).unwrap();
    let sheet = fs::read_to_string(office.path("codes.csv")).unwrap();
    let row = sheet.lines().nth(1).unwrap();
    let code: EnrolmentCode = row.split(',').nth(3).unwrap().parse().unwrap();
    let found = office.store.read_blocking(move |records| {
        let digest = code.digest("1155000001");
        records
            .codes()
            .find(&digest, &"1155000001".parse().unwrap())
    });
    assert!(found.unwrap().is_some());
    let database = fs::read(office.path("cuhk.db-wal")).unwrap();
    let clear = row.split(',').nth(3).unwrap().replace('-', "");
    for text in [clear.as_bytes(), row.split(',').nth(3).unwrap().as_bytes()] {
        assert!(!database.windows(text.len()).any(|window| window == text));
    }
}

#[test]
fn nothing_is_imported_if_the_sheet_cannot_be_written() {
    let office = Office::open();
    fs::write(office.path("codes.csv"), "precious").unwrap();
    let refused = office.import(ROSTER, Some("codes.csv")).unwrap_err();
    assert!(matches!(refused, Error::SheetExists { .. }));
    let missing = office
        .import(ROSTER, Some("no/such/directory/codes.csv"))
        .unwrap_err();
    assert!(matches!(missing, Error::Local(_)));
    assert!(
        office
            .store
            .read_blocking(|records| records.roster().all())
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        fs::read_to_string(office.path("codes.csv")).unwrap(),
        "precious"
    );
}

#[test]
fn a_rehearsal_finds_what_the_import_does_and_changes_nothing() {
    let office = Office::open();
    office.import(FOUR, None).unwrap();
    office.certify("1155000001");
    let next = "sid,name,email\n\
                1155000001,A,new@b.example\n\
                1155000002,B,b@b.example\n\
                1155000003,C,c@b.example\n\
                1155000005,E,\n";
    let before = (office.students(), office.epoch());
    let options = |codes| ImportOptions {
        missing: Missing::Suspend { expected: None },
        ..office.options(codes)
    };
    let rehearsed = office.rehearse(next, options(Some("codes.csv")));
    assert_eq!((office.students(), office.epoch()), before);
    assert!(!office.path("codes.csv").exists());

    let (path, reader) = office.roster(next).unwrap();
    let done = import_roster(&office.store, path, reader, options(Some("codes.csv"))).unwrap();
    assert_eq!(done, rehearsed);
    let counts = Counts {
        rows: 4,
        added: 1,
        changed: 1,
        unchanged: 2,
        missing: 1,
        suspended: 1,
        ..Counts::default()
    };
    assert_eq!(done.counts, counts);
    assert_eq!(done.codes, 3, "all but the one with a certificate");
    let [Difference::Changed { before, after }] = found(&done, "1155000001")[..] else {
        panic!("{done:?}");
    };
    assert_eq!(
        (&*before.email, &*after.email),
        ("a@b.example", "new@b.example")
    );
    assert_eq!(after.programme, "BSc", "the file has no such column");
    assert_eq!(office.active(), "1235");
}

#[test]
fn who_is_missing_stays_unless_it_is_asked_for() {
    let office = Office::open();
    office.import(FOUR, None).unwrap();
    let kept = office.import(THREE, None).unwrap();
    assert_eq!((kept.counts.missing, kept.counts.suspended), (1, 0));
    assert_eq!(office.active(), "1234");
    let suspended = office.import_all(THREE, None).unwrap();
    assert_eq!(suspended.counts.suspended, 1);
    assert_eq!(office.active(), "123");
}

#[test]
fn a_suspension_takes_effect_at_once_and_ends_when_the_student_is_back() {
    let office = Office::open();
    office.import(FOUR, None).unwrap();
    let serial = office.certify("1155000004");
    let before = office.epoch();
    office.import_all(THREE, None).unwrap();
    assert!(office.is_on_hold(serial));
    let suspended = office.epoch();
    assert!(suspended > before);

    let back = office.import(FOUR, None).unwrap();
    assert_eq!(found(&back, "1155000004"), [&Difference::Restored]);
    assert!(!office.is_on_hold(serial));
    assert!(office.epoch() > suspended);
    assert_eq!(office.active(), "1234");
}

#[test]
fn who_was_suspended_by_hand_stays_suspended() {
    let office = Office::open();
    office.import(FOUR, None).unwrap();
    office.by_hand("1155000001", suspend);
    office.import_all(THREE, None).unwrap();
    // Missing before, and then suspended by hand as well.
    office.by_hand("1155000004", suspend);
    let import = office.import(FOUR, None).unwrap();
    for sid in ["1155000001", "1155000004"] {
        assert_eq!(found(&import, sid), [&Difference::StaysSuspended]);
    }
    assert_eq!(office.active(), "23");
    office.by_hand("1155000004", restore);
    assert_eq!(office.active(), "234");
}

#[test]
fn many_are_suspended_only_if_somebody_said_how_many() {
    let office = Office::open();
    office.import(FOUR, None).unwrap();
    let one = "sid,name\n1155000001,Another\n";
    for said in [None, Some(2), Some(4)] {
        let refused = office.import_all(one, said).unwrap_err();
        assert!(
            matches!(
                refused,
                Error::ManyMissing {
                    missing: 3,
                    active: 4
                }
            ),
            "{refused}"
        );
        assert_eq!(office.active(), "1234");
        assert_eq!(office.students()[0].name, "A", "nothing was imported");
    }
    let rehearsed = office.rehearse(one, office.suspending(None));
    assert!(rehearsed.many_missing());
    assert_eq!(office.import_all(one, Some(3)).unwrap().counts.suspended, 3);
    assert_eq!(office.active(), "1");
}

#[test]
fn a_refused_row_suspends_nobody() {
    let office = Office::open();
    office.import(FOUR, None).unwrap();
    let typo = "sid,name\n1155000001,A\n1155000002,B\n1155000003,C\n1155 000004,D\n";
    let import = office.import_all(typo, None).unwrap();
    assert_eq!((import.counts.refused, import.counts.suspended), (1, 0));
    assert_eq!(office.active(), "1234");
    // A row that is refused is still about its student.
    let no_name = "sid,name\n1155000001,A\n1155000002,B\n1155000003,C\n1155000004,\n";
    assert_eq!(office.import_all(no_name, None).unwrap().counts.missing, 0);
}

/// A feed of Blackboard Learn: students by ID and name, a teacher, and the line about itself.
fn feed(students: &[(&str, &str)], more: &str) -> String {
    let mut text = "EXTERNAL_PERSON_KEY|FIRSTNAME|LASTNAME|STUDENT_ID|EMAIL\n".to_owned();
    for (sid, name) in students {
        text += &format!("k{sid}|{name}||{sid}|{name}@b.example\n");
    }
    let rows = students.len() + 1 + more.lines().count();
    format!("{text}k9|Prof|X||prof@b.example\n{more}***FileFooter|{rows}|2026-11-22***\n")
}

#[test]
fn rows_of_nobody_are_counted_and_keep_nobody_from_being_suspended() {
    let office = Office::open();
    office.import(FOUR, None).unwrap();
    let three = [
        ("1155000001", "A"),
        ("1155000002", "B"),
        ("1155000003", "C"),
    ];
    let import = office.import_all(&feed(&three, ""), None).unwrap();
    let counts = import.counts;
    assert_eq!((counts.without_id, counts.refused), (2, 0), "{import:?}");
    assert_eq!(office.active(), "123");
    let lines: Vec<_> = import
        .findings
        .iter()
        .filter(|finding| matches!(finding.difference, Difference::WithoutId(_)))
        .map(|finding| finding.line)
        .collect();
    assert_eq!(lines, [Some(5), Some(6)]);
    // A wrong row remains one: too few fields, and a footer where there is none.
    let few = office
        .import_all(&feed(&three[..2], "k3|C\n"), None)
        .unwrap();
    let counts = few.counts;
    assert_eq!(
        (counts.without_id, counts.refused, counts.suspended),
        (2, 1, 0)
    );
    let plain = "sid,name,email\n1155000001,A,\n1155000002,B,\n***FileFooter,2***\n";
    let counts = office.import_all(plain, None).unwrap().counts;
    assert_eq!(
        (counts.without_id, counts.refused, counts.suspended),
        (0, 1, 0)
    );
    assert_eq!(office.active(), "123");
}

#[test]
fn a_row_without_an_id_that_may_be_about_somebody_who_is_missing_is_a_wrong_one() {
    let office = Office::open();
    office.import(FOUR, None).unwrap();
    let moodle = |username: &str, name: &str, email: &str| {
        format!(
            "username,firstname,lastname,idnumber,email\n\
             a,A,,1155000001,a@b.example\nb,B,,1155000002,b@b.example\nc,C,,1155000003,\n\
             {username},{name},,,{email}\n"
        )
    };
    for (username, name, email) in [
        ("1155000004", "Other", "other@b.example"),
        ("x", "Other", "D@B.example"),
        ("x", "d", ""),
    ] {
        let text = moodle(username, name, email);
        let import = office.import_all(&text, None).unwrap();
        let counts = import.counts;
        assert_eq!((counts.without_id, counts.refused), (0, 1), "{import:?}");
        let refused = import
            .findings
            .iter()
            .find_map(|finding| match &finding.difference {
                Difference::Refused(reason) => Some((finding.line, reason.clone())),
                _ => None,
            });
        let (line, reason) = refused.unwrap();
        assert_eq!(line, Some(5));
        assert!(reason.contains("it may be 1155000004"), "{reason}");
        assert_eq!(office.active(), "1234");
    }
    // Somebody who is listed elsewhere in the file is not missing, whatever a teacher is called.
    let teacher = moodle("prof", "A", "a@b.example");
    let counts = office.import_all(&teacher, None).unwrap().counts;
    assert_eq!((counts.without_id, counts.suspended), (1, 1));
    assert_eq!(office.active(), "123");
}

#[test]
fn where_no_row_has_an_id_it_is_the_column_that_is_wrong() {
    let office = Office::open();
    office.import(FOUR, None).unwrap();
    let moodle = "username,firstname,lastname,idnumber\n1155000001,A,,\n1155000009,E,,\n";
    let import = office.import_all(moodle, None).unwrap();
    let counts = import.counts;
    assert_eq!(
        (counts.without_id, counts.refused, counts.suspended),
        (0, 2, 0)
    );
    let Difference::Refused(reason) = &import.findings[0].difference else {
        panic!("{import:?}");
    };
    assert!(reason.contains("--sid-column \"username\""), "{reason}");
    assert_eq!(office.active(), "1234");
}

#[test]
fn an_export_says_who_has_left() {
    let office = Office::open();
    office.import(FOUR, None).unwrap();
    let canvas = "user_id,login_id,full_name,status\n\
                  1155000001,a,A,active\n\
                  1155000002,b,B,active\n\
                  1155000003,c,C,active\n\
                  1155000004,d,D,deleted\n\
                  1155000009,e,E,suspended\n";
    let import = office.import(canvas, None).unwrap();
    assert_eq!(office.active(), "1234");
    let left = Difference::Left("status: suspended".into());
    assert_eq!(found(&import, "1155000009"), [&left]);
    let import = office.import_all(canvas, None).unwrap();
    let missing = Difference::Missing {
        says: Some("status: deleted".into()),
        suspended: true,
    };
    assert_eq!(found(&import, "1155000004"), [&missing]);
    assert_eq!(office.active(), "123");
    assert_eq!(office.students().len(), 4, "nobody was added");
}

#[test]
fn a_file_that_is_bad_at_its_end_changes_nothing() {
    let office = Office::open();
    office.import(THREE, None).unwrap();
    fs::write(
        office.path("bad.csv"),
        b"sid,name\n1155000001,Another\n1155000009,\xa4\xa4\n",
    )
    .unwrap();
    let reader =
        scb_cuhk::RosterReader::open(&office.path("bad.csv"), scb_cuhk::NamedColumns::default())
            .unwrap();
    let options = office.options(Some("codes.csv"));
    let refused = import_roster(&office.store, office.path("bad.csv"), reader, options);
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("line 3, column name"), "{refused}");
    assert_eq!(office.students()[0].name, "A");
    assert!(!office.path("codes.csv").exists());
}

#[test]
fn a_formula_is_stored_as_it_is_and_told() {
    let office = Office::open();
    let text = "sid,name,email,programme\n1155000001,=1+1,+852@b.example,@SUM(A1)\n";
    let import = office.import(text, None).unwrap();
    let expected = ["name", "email", "programme"].map(Difference::Formula);
    assert_eq!(found(&import, "1155000001")[..3], expected.each_ref()[..]);
    let student = &office.students()[0];
    assert_eq!((&*student.name, &*student.programme), ("=1+1", "@SUM(A1)"));
}

#[test]
fn an_id_that_differs_from_one_on_the_roster_in_upper_and_lower_case_only_is_refused() {
    let office = Office::open();
    office
        .import_all("sid,name\ns1155a,A\n1155000002,B\n", None)
        .unwrap();
    let other = "sid,name\nS1155A,A\n1155000002,B\n";
    let import = office.import_all(other, None).unwrap();
    assert_eq!((import.counts.added, import.counts.refused), (0, 1));
    let Difference::Refused(reason) = &import.findings[0].difference else {
        panic!("{import:?}");
    };
    assert!(reason.contains("s1155a is on the roster"), "{reason}");
    assert_eq!(import.counts.suspended, 0, "nobody, as a row was refused");
    // The same again, and what only looks alike, is fine.
    let import = office.import_all("sid,name\ns1155a,A\n1155000002,B\ns1155b,C\n", None);
    assert_eq!(import.unwrap().counts.refused, 0);
    // Where the roster is wrong, somebody says so.
    office.by_hand("s1155a", suspend);
    let import = office.import_all("sid,name\nS1155A,A\n1155000002,B\n", Some(1));
    assert_eq!(import.unwrap().counts.added, 1);
}
