//! What the command line does to the records.

use std::fs;
use std::path::PathBuf;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, RevocationReason, ServiceName};
use scb_cuhk::{
    Error, Import, ImportOptions, Missing, RosterReader, Service, Store, Subject, Target,
    add_service, import_roster, issue_code, revoke, suspend,
};
use scb_protocol::EnrolmentCode;
use scb_testkit::FixedClock;
use tempfile::TempDir;

pub const ROSTER: &str = "\u{feff}SID,Name,Email,Programme\n\
                      1155000001,陳大文,a@b.example,BSc\n\
                      not an id,X,,\n\
                      1155000002,=HYPERLINK(1),,\n";

/// A campus IT office: records without a server.
pub struct Office {
    dir: TempDir,
    pub store: Store,
    pub now: UnixTime,
}

impl Office {
    pub fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(&dir.path().join("cuhk.db")).unwrap();
        Self {
            dir,
            store,
            now: FixedClock::default().now(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn import(&self, text: &str, codes: Option<&str>) -> Result<Import, Error> {
        let (path, reader) = self.roster(text)?;
        import_roster(&self.store, path, reader, self.options(codes))
    }

    pub fn roster(&self, text: &str) -> Result<(PathBuf, RosterReader), Error> {
        let path = self.path("roster.csv");
        fs::write(&path, text).unwrap();
        let reader = RosterReader::open(&path, scb_cuhk::NamedColumns::default())?;
        Ok((path, reader))
    }

    pub fn options(&self, codes: Option<&str>) -> ImportOptions {
        ImportOptions {
            replace_codes: false,
            also_certified: false,
            code_lifetime: scb_cuhk::CODE_LIFETIME,
            sheet: codes.map(|name| (self.path(name), Fingerprint::of(b"root"))),
            missing: Missing::Keep,
            now: self.now,
        }
    }

    pub fn code(&self, subject: &str) -> Result<EnrolmentCode, Error> {
        let (subject, now): (Subject, _) = (subject.parse().unwrap(), self.now);
        let issued = self
            .store
            .write_blocking(move |records| issue_code(records, &subject, false, now))?;
        Ok(issued.code)
    }
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
    for name in [
        "cuhk", "issuance", "root", "service", "services", "student", "students", "witness",
    ] {
        let refused = add(name.parse().unwrap());
        assert!(matches!(refused, Err(Error::ServiceReserved(_))), "{name}");
    }
    add("student-union".parse().unwrap()).unwrap();
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
    assert!(matches!(revoke(), Err(Error::NothingToRevoke { .. })));
    office.code("1155000001").unwrap();
    assert_eq!(revoke().unwrap().codes, 1);
    assert!(matches!(revoke(), Err(Error::NothingToRevoke { .. })));
}
