//! What the command line does to the records.

use std::fs;
use std::path::PathBuf;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, RevocationReason, ServiceName};
use scb_cuhk::{
    Change, Error, Import, Service, Store, Subject, Target, add_service, import_roster, issue_code,
    read_roster, revoke, suspend,
};
use scb_protocol::EnrolmentCode;
use scb_testkit::FixedClock;
use tempfile::TempDir;

const ROSTER: &str = "\u{feff}SID,Name,Email,Programme\n\
                      1155000001,陳大文,a@b.example,BSc\n\
                      not an id,X,,\n\
                      1155000002,=HYPERLINK(1),,\n";

struct Office {
    dir: TempDir,
    store: Store,
    now: UnixTime,
}

impl Office {
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("cuhk.db")).unwrap();
        Self {
            dir,
            store,
            now: FixedClock::default().now(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn import(&self, text: &str, codes: Option<&str>) -> Result<Import, Error> {
        fs::write(self.path("roster.csv"), text).unwrap();
        let rows = read_roster(&self.path("roster.csv"))?;
        let sheet = codes.map(|name| self.path(name));
        let sheet = sheet
            .as_deref()
            .map(|path| (path, Fingerprint::of(b"root")));
        import_roster(&self.store, rows, sheet, self.now)
    }

    fn code(&self, subject: &str) -> Result<EnrolmentCode, Error> {
        let (subject, now): (Subject, _) = (subject.parse().unwrap(), self.now);
        let issued = self
            .store
            .write_blocking(move |records| issue_code(records, &subject, false, now))?;
        Ok(issued.code)
    }
}

#[test]
fn good_rows_are_imported_and_bad_ones_named() {
    let office = Office::open();
    let import = office.import(ROSTER, None).unwrap();
    let outcomes: Vec<_> = import
        .rows
        .iter()
        .map(|row| row.outcome.clone().ok())
        .collect();
    assert_eq!(outcomes, [Some(Change::Added), None, Some(Change::Added)]);
    assert_eq!(import.rows[1].line, 3);
    let again = office.import(ROSTER, None).unwrap();
    assert_eq!(again.rows[0].outcome, Ok(Change::Unchanged));
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
fn codes_are_for_active_students_and_known_services() {
    let office = Office::open();
    office.import(ROSTER, None).unwrap();
    office.code("1155000001").unwrap();
    let now = office.now;
    office
        .store
        .write_blocking(move |records| suspend(records, &"1155000001".parse().unwrap(), now))
        .unwrap();
    assert!(matches!(
        office.code("1155000001"),
        Err(Error::StudentInactive(_))
    ));
    assert!(matches!(
        office.code("1155009999"),
        Err(Error::StudentUnknown(_))
    ));
    assert!(matches!(
        office.code("service/library"),
        Err(Error::ServiceUnknown(_))
    ));
}

#[test]
fn reserved_and_existing_service_names_are_refused() {
    let office = Office::open();
    let now = office.now;
    let add = |name: ServiceName| {
        let service = Service {
            name,
            dns_names: vec!["x".into()],
            ip_addresses: Vec::new(),
        };
        office
            .store
            .write_blocking(move |records| add_service(records, &service, now))
    };
    add(ServiceName::blackboard()).unwrap();
    assert!(matches!(
        add(ServiceName::blackboard()),
        Err(Error::ServiceExists(_))
    ));
    assert!(matches!(
        add(ServiceName::cuhk()),
        Err(Error::ServiceReserved(_))
    ));
}

#[test]
fn revoking_nothing_is_refused() {
    let office = Office::open();
    office.import(ROSTER, None).unwrap();
    let now = office.now;
    let revoke = || {
        let target = Target::Subject("1155000001".parse().unwrap());
        let reason = RevocationReason::Unspecified;
        office
            .store
            .write_blocking(move |records| revoke(records, &target, reason, now))
    };
    assert!(matches!(revoke(), Err(Error::NothingToRevoke(_))));
    office.code("1155000001").unwrap();
    assert_eq!(revoke().unwrap().codes, 1);
    assert!(matches!(revoke(), Err(Error::NothingToRevoke(_))));
}
