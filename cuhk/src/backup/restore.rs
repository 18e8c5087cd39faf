//! From a backup to a home that can be served.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, ServiceName};
use scb_cli::{Home, Role, create_private_dir, create_private_file, load_config, parse_date};
use scb_tlog::TileLog;

use super::archive::Verified;
use crate::clock::{ClockCheck, check_begun, last_believed, last_seen};
use crate::config::path;
use crate::draft::{self, Finished};
use crate::store::{Act, Records, Service, Store, Witness};
use crate::time::moment;
use crate::{Config, Error, Subject};

/// A home that was restored.
#[derive(Debug)]
pub(crate) struct Restored {
    /// When the backup was made (RFC 3339).
    pub(crate) made_at: String,
    /// SHA-256 of the root certificate.
    pub(crate) root: Fingerprint,
    /// The latest time in its records.
    pub(crate) last_recorded: Option<UnixTime>,
    /// Students on the roster who are active.
    pub(crate) students: u64,
    /// Certificates that are recorded.
    pub(crate) certificates: usize,
    /// Who had cosigned the issuance log, and how far.
    pub(crate) witnesses: Vec<Witness>,
    /// What is wrong with the issuance log in it, which was put aside: the database makes it anew.
    pub(crate) log_aside: Option<String>,
    /// The services that are recorded, with the end of their newest certificate that counts.
    pub(crate) services: Vec<(ServiceName, Option<UnixTime>)>,
}

/// The clock that is to be believed, and a number of which somebody knows that it was given after the backup
/// was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// The time now.
    pub(crate) now: UnixTime,
    /// Whether somebody has vouched for it.
    pub(crate) clock: ClockCheck,
    /// The number.
    pub(crate) beyond: Option<u64>,
}

/// What a restoration is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The backup is read and compared with its manifest.
    Reading,
    /// Its files are written.
    Writing,
    /// All of them are made durable.
    Syncing,
}

/// Makes a home in `dir`, which must not exist or be empty, from the backup in `file`. Every
/// hash is verified before anything is written. The epoch, which the numbers of the lists
/// follow, jumps ahead of all that may have been used after the backup; serial numbers are
/// random. `watch` is told how many of how many files are done. Nothing becomes the home before all of
/// it is durable.
///
/// # Errors
///
/// [`Error::HomeExists`], [`Error::BackupInvalid`]; [`Error::ClockSetBack`] if the clock is behind the
/// backup, [`Error::ClockAhead`] if it is far ahead of it: the numbers are given by that clock; a newer
/// or damaged database. Then `dir` is as it was.
pub(crate) fn restore(
    file: &Path,
    dir: &Path,
    at: Moment,
    by: Act,
    watch: &mut dyn FnMut(Stage, u64, u64),
) -> Result<Restored, Error> {
    if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::HomeExists {
            path: dir.to_owned(),
        });
    }
    let mut backup = Verified::open(file, &mut |read, all| watch(Stage::Reading, read, all))?;
    draft::make(dir, |draft| {
        unpack(&mut backup, draft, watch)?;
        Ok((check_in(file, &backup, draft, at, by)?, Finished::Whole))
    })
}

fn unpack(
    backup: &mut Verified,
    draft: &Path,
    watch: &mut dyn FnMut(Stage, u64, u64),
) -> Result<(), Error> {
    create_private_dir(draft)?;
    let opened = File::open(draft).map_err(draft::file("read", draft))?;
    let mut dirs = BTreeSet::from([draft.to_owned()]);
    let mut written = Vec::new();
    let entries = backup.manifest.files.clone();
    let all = entries.len() as u64;
    for (entry, number) in entries.iter().zip(1..) {
        let target = draft.join(&entry.name);
        for dir in parents(&target, draft) {
            if dirs.insert(dir.clone()) {
                create_private_dir(&dir)?;
            }
        }
        backup.copy(entry, (&target, &mut create_private_file(&target)?))?;
        written.push(target);
        watch(Stage::Writing, number, all);
    }
    for dir in [path::TLS, path::TOKENS] {
        create_private_dir(&draft.join(dir))?;
    }
    written.extend(dirs);
    watch(Stage::Syncing, all, all);
    draft::sync_all(&opened, &written).map_err(draft::file("write", draft))
}

/// The directories between `draft` and a file in it, outermost first.
fn parents(target: &Path, draft: &Path) -> Vec<PathBuf> {
    let above = target.ancestors().skip(1);
    let mut parents: Vec<PathBuf> = above
        .take_while(|dir| *dir != draft)
        .map(Path::to_owned)
        .collect();
    parents.reverse();
    parents
}

/// Looks whether the draft could be served, and jumps ahead.
fn check_in(
    file: &Path,
    backup: &Verified,
    draft: &Path,
    at: Moment,
    by: Act,
) -> Result<Restored, Error> {
    let home = Home::open(draft, Role::Cuhk)?;
    load_config::<Config>(&home)?;
    let Moment { now, clock, beyond } = at;
    let certificate = check_begun(&home, now)?;
    let (root, begun) = (certificate.fingerprint(), certificate.not_before());
    if root != backup.manifest.root_sha256 {
        return Err(Error::BackupInvalid {
            path: file.to_owned(),
            reason: "its root certificate is not the one that its manifest names".to_owned(),
        });
    }
    let store = Store::open(&home.path(path::DATABASE))?.done_by(by);
    let log_aside = put_damaged_log_aside(file, &home, &store)?;
    let made_at = backup.manifest.made_at.clone();
    let made = parse_date(&made_at).ok();
    let restored = store.write_blocking(move |records| {
        records.roster().check()?;
        records.certificates().check()?;
        let mut certificates = 0;
        records.certificates().each(None, |_| {
            certificates += 1;
            Ok(())
        })?;
        let last_recorded = records.status().last_recorded()?;
        let last_seen = last_seen(records)?.max(made);
        clock.check(last_believed(records)?.max(made), now)?;
        clock.judge(records, now)??;
        let moment = moment(now);
        let passed = passed(moment, made, begun);
        records.status().jump(moment, last_seen, passed)?;
        if let Some(number) = beyond {
            records.status().go_beyond(number, moment)?;
        }
        records.bundles().restored()?;
        records.certificates().note_restoration()?;
        records.note(&"home", &format!("from a backup of {made_at}"), now)?;
        Ok(Restored {
            made_at,
            root,
            last_recorded,
            students: records.roster().count_active()?,
            certificates,
            witnesses: records.log().witnesses()?,
            log_aside,
            services: services(records, now)?,
        })
    });
    store.close_blocking();
    restored
}

/// An issuance log that no server could open, such as one of a backup that an earlier version made beside a server that
/// was just appending. Its entries are in the database, as far as they are anywhere in this backup.
fn put_damaged_log_aside(file: &Path, home: &Home, store: &Store) -> Result<Option<String>, Error> {
    let directory = home.path(path::LOG);
    if !directory.exists() {
        return Ok(None);
    }
    let damaged = match TileLog::open(&directory) {
        Ok(_) => return Ok(None),
        Err(error @ (scb_tlog::Error::Damaged { .. } | scb_tlog::Error::Malformed { .. })) => error,
        Err(other) => return Err(other.into()),
    };
    if store
        .read_blocking(|records| records.log().removed())?
        .is_some()
    {
        return Err(Error::BackupInvalid {
            path: file.to_owned(),
            reason: format!(
                "its issuance log is damaged ({damaged}), and old questions are nowhere else"
            ),
        });
    }
    let aside = home.path("log.damaged");
    fs::rename(&directory, &aside).map_err(draft::file("put aside", &directory))?;
    draft::sync_parent(&aside)?;
    Ok(Some(damaged.to_string()))
}

fn services(
    records: &Records<'_>,
    now: UnixTime,
) -> Result<Vec<(ServiceName, Option<UnixTime>)>, Error> {
    let named = |service: Service| {
        let subject = Subject::Service(service.name.clone());
        let newest = records.certificates().live(&subject, now)?.pop();
        let until = newest.map(|record| record.intent.validity.not_after);
        Ok((service.name, until))
    };
    records.services().all()?.into_iter().map(named).collect()
}

/// How long ago the backup was made; since the root began if a clock that was ahead says when.
fn passed(moment: Duration, made: Option<UnixTime>, begun: UnixTime) -> Duration {
    let since = |time: UnixTime| moment.checked_sub(Duration::from_secs(time.as_secs()));
    let since_made = made.and_then(since);
    since_made.or_else(|| since(begun)).unwrap_or_default()
}
