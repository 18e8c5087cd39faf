//! What `cuhk serve --sandbox DIR` makes: a CA, 12 sample students with their codes, and a
//! code for Blackboard. Its passphrase lies beside it: nothing here is protected.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Passphrase, Serial, ServiceName};
use scb_cli::{Home, Sandbox, passphrase_from, write_atomic};

use crate::admin::{CODE_LIFETIME, issue_code};
use crate::code_sheet::write_code;
use crate::config::{Config, path};
use crate::roster_file::{NamedColumns, RosterReader};
use crate::roster_import::{ImportOptions, Missing, import_roster, settle_import};
use crate::store::{Records, Service, Store};
use crate::{Error, NewAuthority, Subject, init, open_home};

const SAMPLE_ROSTER: &str = include_str!("../assets/roster.csv");
const TRUST_DOMAIN: &str = "sandbox.example";

/// Makes what is missing and answers CUHK's home and passphrase. `ca.pem` in the sandbox is
/// written last: where it is missing, all codes are issued anew.
pub(crate) fn prepare(sandbox: &Sandbox, now: UnixTime) -> Result<(Home, Passphrase), Error> {
    let root = authority(sandbox, now)?;
    let home = open_home(&sandbox.cuhk_home())?;
    if !sandbox.ca_pem().exists() {
        let store = Store::open(&home.path(path::DATABASE))?;
        furnish(sandbox, &store, &root, now)?;
        store.close_blocking();
        write_atomic(&sandbox.ca_pem(), root.to_pem().as_bytes(), 0o644)?;
    }
    Ok((home, passphrase(sandbox)?))
}

fn authority(sandbox: &Sandbox, now: UnixTime) -> Result<Certificate, Error> {
    let new = NewAuthority {
        trust_domain: TRUST_DOMAIN.parse()?,
        config: Config::default(),
        passphrase: passphrase(sandbox)?,
        root_passphrase: passphrase(sandbox)?,
    };
    init(&sandbox.cuhk_home(), &new, now)
}

fn furnish(
    sandbox: &Sandbox,
    store: &Store,
    root: &Certificate,
    now: UnixTime,
) -> Result<(), Error> {
    // Or the students of an earlier start would come with codes of the sheet that is removed now.
    settle_import(store, now)?;
    for codes in [sandbox.codes(), sandbox.blackboard_code()] {
        remove(&codes)?;
    }
    write_atomic(&sandbox.roster(), SAMPLE_ROSTER.as_bytes(), 0o644)?;
    store.write_blocking(move |records| {
        let students = records.roster().active_except(|_| false)?;
        let mut students = students.into_iter().map(Subject::Student);
        students.try_for_each(|student| records.codes().withdraw(&student, now).map(drop))
    })?;
    let path = sandbox.roster();
    let reader = RosterReader::open(&path, NamedColumns::default())?;
    import_roster(store, path, reader, options(sandbox, root, now))?;
    let file = sandbox.blackboard_code();
    store.write_blocking(move |records| blackboard(records, &file, now))
}

fn options(sandbox: &Sandbox, root: &Certificate, now: UnixTime) -> ImportOptions {
    ImportOptions {
        replace_codes: false,
        also_certified: false,
        code_lifetime: CODE_LIFETIME,
        sheet: Some((sandbox.codes(), root.fingerprint())),
        missing: Missing::Keep,
        now,
    }
}

/// Blackboard on this machine, with a code that nobody has used yet.
fn blackboard(records: &Records<'_>, file: &Path, now: UnixTime) -> Result<(), Error> {
    let service = Service {
        name: ServiceName::blackboard(),
        dns_names: vec!["localhost".to_owned()],
        ip_addresses: vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
    };
    if records.services().find(&service.name)?.is_none() {
        records.services().add(&service, now)?;
    }
    let issued = issue_code(records, &Subject::Service(service.name), true, now)?;
    write_code(file, &issued.code)
}

/// The passphrase of a sandbox: 127 random bits in a file (mode 0600).
fn passphrase(sandbox: &Sandbox) -> Result<Passphrase, Error> {
    let file = sandbox.passphrase();
    if !file.exists() {
        let line = format!("{}\n", Serial::random()?);
        write_atomic(&file, line.as_bytes(), 0o600)?;
    }
    Ok(passphrase_from(Some(&file), "", false)?.known_random())
}

fn remove(file: &Path) -> Result<(), Error> {
    match fs::remove_file(file) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(scb_cli::Error::File {
            action: "remove",
            path: file.to_owned(),
            source,
        }
        .into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use rustls_pki_types::UnixTime;
    use scb_protocol::EnrolmentCode;

    use super::*;
    use crate::roster_import::import_roster_watched;

    fn now() -> UnixTime {
        scb_testkit::FixedClock::default().now()
    }

    #[test]
    fn everything_is_there_and_a_second_time_nothing_changes() {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::create(dir.path()).unwrap();
        let (home, passphrase) = prepare(&sandbox, now()).unwrap();
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        let files = [
            sandbox.ca_pem(),
            sandbox.codes(),
            sandbox.blackboard_code(),
            sandbox.roster(),
        ];
        let before = files.each_ref().map(|file| read(file));
        assert_eq!(before[1].lines().count(), 13);
        before[2].trim().parse::<EnrolmentCode>().unwrap();

        let (_, again) = prepare(&sandbox, now()).unwrap();
        assert_eq!(again.expose(), passphrase.expose());
        assert_eq!(files.each_ref().map(|file| read(file)), before);
        assert_eq!(read(&home.path(path::ROOT_CERTIFICATE_COPY)), before[0]);
    }

    #[test]
    fn a_start_that_was_interrupted_among_its_students_still_gets_codes_for_all() {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::create(dir.path()).unwrap();
        let root = authority(&sandbox, now()).unwrap();
        let interrupted = || {
            let database = sandbox.cuhk_home().join(path::DATABASE);
            let store = Store::open(&database).unwrap();
            let (header, sample) = SAMPLE_ROSTER.split_once('\n').unwrap();
            // More than are changed at once: the sample's turn has not come.
            let others = (0..1000).map(|number| format!("{},A,,\n", 1_200_000_000 + number));
            let roster = format!("{header}\n{}{sample}", others.collect::<String>());
            fs::write(sandbox.roster(), roster).unwrap();
            let reader = RosterReader::open(&sandbox.roster(), NamedColumns::default()).unwrap();
            let options = options(&sandbox, &root, now());
            let killed = &mut |_: u64, _: u64| panic!("killed here");
            import_roster_watched(&store, sandbox.roster(), reader, options, killed)
        };
        catch_unwind(AssertUnwindSafe(interrupted)).unwrap_err();
        prepare(&sandbox, now()).unwrap();
        assert_eq!(
            fs::read_to_string(sandbox.codes()).unwrap().lines().count(),
            13
        );
    }

    #[test]
    fn an_interrupted_start_is_made_good() {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::create(dir.path()).unwrap();
        let (home, _) = prepare(&sandbox, now()).unwrap();
        let stale = fs::read_to_string(sandbox.codes()).unwrap();
        fs::remove_file(sandbox.ca_pem()).unwrap();
        fs::remove_file(sandbox.blackboard_code()).unwrap();
        prepare(&sandbox, now()).unwrap();
        let fresh = fs::read_to_string(sandbox.codes()).unwrap();
        assert_ne!(fresh, stale);
        assert_eq!(fresh.lines().count(), 13);
        assert!(sandbox.blackboard_code().exists());

        let store = Store::open(&home.path(path::DATABASE)).unwrap();
        let found = |sheet: &str| {
            let code: EnrolmentCode = sheet
                .lines()
                .nth(1)
                .unwrap()
                .split(',')
                .nth(3)
                .unwrap()
                .parse()
                .unwrap();
            let subject = "1155000001".parse().unwrap();
            let digest = code.digest("1155000001");
            let found = store.read_blocking(move |records| records.codes().find(&digest, &subject));
            found.unwrap().unwrap()
        };
        assert!(found(&stale).withdrawn_at.is_some());
        assert_eq!(found(&fresh).withdrawn_at, None);
    }
}
