//! The database: sound, of a schema that this program knows, unaltered; the clock; the lists.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls_pki_types::UnixTime;
use scb_cli::{Home, counted, local_time, with_causes};
use scb_storage::{HomeLock, Inspection};

use super::{Finding, archive, authorities, certified, log, operations, removal, services};
use crate::ceremony::unlisted;
use crate::config::path;
use crate::issuers::{counting_roots, read_certificate};
use crate::roster_import::interrupted;
use crate::store::{AuthorityKind, CrlSigner, Records, Store};
use crate::time::later;
use crate::warnings::{
    AHEAD, CLOCK_AHEAD, ROOT_ENDED, SIGN_SINCE_RESTORED, unsigned_since_restored,
};
use crate::{Error, clock};

/// A list that `serve` signs has less than this left only if nothing serves: 12 h.
const LIST_AHEAD: Duration = Duration::from_secs(12 * 60 * 60);

/// Before the last term ends somebody has to say how it goes on: 14 days.
const TERM_AHEAD: Duration = Duration::from_secs(14 * 24 * 60 * 60);

const WITHDRAWN: &str = "withdrawal";

const SIGN_LISTS: &str =
    "cuhk root sign-crl; with the root on another machine: cuhk keys request lists --out FILE";

const RESTORE: &str = "stop the server and restore the newest backup: cuhk restore FILE --home NEW";

pub(super) fn check(home: &Home, now: UnixTime) -> Vec<Finding> {
    let file = home.path(path::DATABASE);
    let inspection = match Store::inspect(&file) {
        Ok(inspection) => inspection,
        Err(Error::Storage(error)) if error.is_read_only() || error.is_full() => {
            return vec![Finding::unseen("database", error.into())];
        }
        Err(error @ Error::Storage(scb_storage::Error::Gone { .. })) => {
            return vec![Finding::unseen("database", error)];
        }
        Err(error) => return vec![Finding::fail("database", with_causes(&error), RESTORE)],
    };
    let mut findings = vec![integrity(&inspection), schema(&inspection)];
    if inspection.pending == 0 && inspection.problems.is_empty() {
        findings.extend(contents(home, now));
    }
    findings
}

fn integrity(inspection: &Inspection) -> Finding {
    match inspection.problems.as_slice() {
        [] => Finding::ok("database", "SQLite finds nothing wrong in it"),
        problems => Finding::fail("database", problems.join("; "), RESTORE),
    }
}

fn schema(inspection: &Inspection) -> Finding {
    const CHECK: &str = "schema";
    let Inspection {
        schema, pending, ..
    } = inspection;
    match pending {
        0 => Finding::ok(CHECK, format!("{schema}, the one that this program knows")),
        1.. => Finding::warn(
            CHECK,
            format!("{schema}: {} missing", counted(pending, "step")),
            "the next other command upgrades it for good; first make a backup with the program that \
             wrote it: cuhk backup FILE",
        ),
        _ => Finding::fail(
            CHECK,
            format!("{schema}: a newer program wrote it"),
            "install the newer version again, or restore a backup from before it",
        ),
    }
}

/// Students get no certificates after the last term.
fn term(records: &Records<'_>, now: UnixTime) -> Result<Finding, Error> {
    const CHECK: &str = "term";
    const MEND: &str = "say when the next one ends: cuhk term set NAME --ends DATE";
    let Some(last) = records.terms().last()? else {
        return Ok(Finding::ok(CHECK, "none is set"));
    };
    let seen = format!(
        "the last term is {}, until {}",
        last.name,
        local_time(last.ends_at)
    );
    Ok(match last.ends_at {
        end if end <= now => {
            Finding::fail(CHECK, format!("{seen}: students get no certificates"), MEND)
        }
        end if end < later(now, TERM_AHEAD) => Finding::warn(CHECK, seen, MEND),
        _ => Finding::ok(CHECK, seen),
    })
}

fn contents(home: &Home, now: UnixTime) -> Vec<Finding> {
    let store = match Store::open_to_read(&home.path(path::DATABASE)) {
        Ok(store) => store,
        Err(error) => return vec![Finding::unseen("records", error)],
    };
    let (of, log) = (home.clone(), home.path(path::LOG));
    let serving = HomeLock::held_since(home.dir()).and_then(as_unix_time);
    let all = store.read_blocking(|records| records.authorities().all());
    let roots = all.and_then(|all| counting_roots(home, &all, now));
    let looked = store.read_blocking(move |records| {
        // A root that cannot be read is told by another check.
        let is_counting = |signer| roots.as_ref().map_or(true, |roots| roots.contains(&signer));
        let counts =
            |signer: CrlSigner| signer.kind() != AuthorityKind::Root || is_counting(signer);
        let mut findings = vec![
            or_unseen("records", rows(records)),
            or_unseen("log", log::look(&log, records)),
            or_unseen(removal::CHECK, removal::check(records, now)),
            or_unseen("operations", operations::check(&log, records, now)),
            or_unseen("log-witness", log::witnesses(records, now, serving)),
            or_unseen("witness", witness(records)),
            or_unseen("clock", time(records, now)),
            or_unseen("term", term(records, now)),
            or_unseen("trust-bundle", bundle(records)),
            or_unseen("token-keys", authorities::token_keys(records, now)),
            or_unseen("backup-room", archive::check(records)),
        ];
        let services = services::check(records, now, serving);
        let unseen = |error| vec![Finding::unseen("service-certificate", error)];
        findings.extend(services.unwrap_or_else(unseen));
        let in_use = records.authorities().in_use(now)?.into_iter();
        let in_use: Vec<_> = in_use
            .map(|authority| authority.signer)
            .filter(|one| counts(*one))
            .collect();
        // What cannot be looked at hides nothing else.
        let certified = certified::check(&of, records, &in_use);
        let unseen = |error| vec![Finding::unseen(certified::CHECK, error)];
        findings.extend(certified.unwrap_or_else(unseen));
        for signer in in_use {
            findings.push(or_unseen(
                "revocation-list",
                list(&of, records, signer, now),
            ));
        }
        Ok(findings)
    });
    let mut findings = looked.unwrap_or_else(|error| vec![Finding::unseen("records", error)]);
    findings.extend(
        withdrawn(home, &store).unwrap_or_else(|error| Some(Finding::unseen(WITHDRAWN, error))),
    );
    findings.push(authorities::count(home, &store, now));
    findings.extend(import(&store).unwrap_or_else(|error| Some(Finding::unseen("import", error))));
    store.close_blocking();
    findings
}

fn as_unix_time(time: SystemTime) -> Option<UnixTime> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    Some(UnixTime::since_unix_epoch(since))
}

/// An issuing authority that was withdrawn, and that the root has not put on its list yet.
fn withdrawn(home: &Home, store: &Store) -> Result<Option<Finding>, Error> {
    let left = unlisted(home, store)?;
    let names: Vec<_> = left.iter().map(CrlSigner::to_string).collect();
    Ok((!left.is_empty()).then(|| {
        Finding::fail(
            WITHDRAWN,
            format!(
                "the root's revocation list does not name what was withdrawn: {}",
                names.join(", ")
            ),
            SIGN_LISTS,
        )
    }))
}

/// An import of a roster that was interrupted.
fn import(store: &Store) -> Result<Option<Finding>, Error> {
    let begun = interrupted(store)?.filter(|begun| begun.decided);
    Ok(begun.map(|begun| {
        let left = counted(begun.left, "change");
        Finding::warn(
            "import",
            format!("the import of a roster was interrupted: {left} left to be made"),
            "the next import makes them first: cuhk roster import FILE",
        )
    }))
}

fn or_unseen(check: &'static str, looked: Result<Finding, Error>) -> Finding {
    looked.unwrap_or_else(|error| Finding::unseen(check, error))
}

fn rows(records: &Records<'_>) -> Result<Finding, Error> {
    records.roster().check()?;
    records.certificates().check()?;
    let active = records.roster().count_active()?;
    let seen = format!("no row was altered; {active} active students");
    Ok(Finding::ok("records", seen))
}

/// The logs of services: each is what its own key signed.
fn witness(records: &Records<'_>) -> Result<Finding, Error> {
    let logs = records.witnessed().all()?;
    let entries: u64 = logs.iter().map(|log| log.known.head.size).sum();
    let seen = format!(
        "{} of services witnessed, {entries} entries in all",
        counted(logs.len(), "log")
    );
    Ok(Finding::ok("witness", seen))
}

fn time(records: &Records<'_>, now: UnixTime) -> Result<Finding, Error> {
    const CHECK: &str = "clock";
    let corrected_at = records
        .clock_trust()
        .find()?
        .and_then(|trust| trust.corrected_at);
    let seen = |last| match corrected_at {
        None => format!("now {}, last record {}", local_time(now), local_time(last)),
        Some(at) => format!(
            "now {}, believed at {}; as was said at {}, later records are of a clock that was ahead",
            local_time(now),
            local_time(last),
            local_time(at)
        ),
    };
    Ok(match clock::last_believed(records)? {
        Some(last) if clock::check(records, now).is_err() => Finding::fail(
            CHECK,
            format!("{}: the clock is behind, or was ahead then", seen(last)),
            "set this machine's clock (`timedatectl` shows it). If it is right, it was ahead when the \
             records were written: say so once, with what refuses: add --clock-is-right",
        ),
        Some(last) if clock::is_far_ahead(records, now)? && corrected_at.is_some() => {
            Finding::fail(
                CHECK,
                format!("{}: it is far ahead again", seen(last)),
                CLOCK_AHEAD,
            )
        }
        _ if clock::is_far_ahead(records, now)? => Finding::warn(
            CHECK,
            format!(
                "now {}: the clock is far ahead, or nothing was recorded for so long",
                local_time(now)
            ),
            CLOCK_AHEAD,
        ),
        Some(last) => Finding::ok(CHECK, seen(last)),
        None => Finding::ok(CHECK, format!("now {}, no record yet", local_time(now))),
    })
}

/// The roots have to sign once after a restoration.
fn bundle(records: &Records<'_>) -> Result<Finding, Error> {
    const CHECK: &str = "trust-bundle";
    let bundles = records.bundles();
    let number = bundles.sequence()?;
    Ok(match bundles.may_be_behind()? {
        true => Finding::warn(CHECK, unsigned_since_restored(number), SIGN_SINCE_RESTORED),
        false => Finding::ok(CHECK, format!("number {number} is handed out")),
    })
}

fn list(
    home: &Home,
    records: &Records<'_>,
    signer: CrlSigner,
    now: UnixTime,
) -> Result<Finding, Error> {
    const CHECK: &str = "revocation-list";
    let name = signer;
    let by_hand = signer.kind() == AuthorityKind::Root;
    let (ahead, mend) = match by_hand {
        true if has_ended(home, signer, now) => (AHEAD, ROOT_ENDED),
        true => (AHEAD, SIGN_LISTS),
        false => (
            LIST_AHEAD,
            "start `cuhk serve`, which signs it; if it runs, see its log",
        ),
    };
    let Some(stored) = records.lists().find(signer)? else {
        return Ok(match by_hand {
            // `cuhk init` and `keys rotate` leave one: this is not the database that they wrote to.
            true => Finding::fail(CHECK, format!("there is none of `{name}`"), RESTORE),
            false => Finding::ok(
                CHECK,
                format!("that of `{name}` will be made by `cuhk serve`"),
            ),
        });
    };
    let end = stored.crl.next_update();
    let seen = format!("that of `{name}` is in force until {}", local_time(end));
    Ok(match () {
        () if end <= now => Finding::fail(
            CHECK,
            format!("that of `{name}` ended at {}", local_time(end)),
            mend,
        ),
        () if end < later(now, ahead) => Finding::warn(CHECK, seen, mend),
        () => Finding::ok(CHECK, seen),
    })
}

fn has_ended(home: &Home, signer: CrlSigner, now: UnixTime) -> bool {
    let certificate = read_certificate(home, &path::authority(signer));
    certificate.is_ok_and(|certificate| certificate.not_after() < now)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;
    use crate::store::{Step, temporary};

    #[test]
    fn an_import_that_was_interrupted_is_told_once_it_counts() {
        let (_dir, store) = temporary();
        let restore = || Step::Restore("1155000001".parse().unwrap());
        assert_eq!(import(&store).unwrap(), None);
        store
            .write_blocking(move |records| records.imports().stage(&[restore(), restore()]))
            .unwrap();
        assert_eq!(import(&store).unwrap(), None, "nothing is changed by it");
        store
            .write_blocking(|records| records.imports().decide())
            .unwrap();
        let found = import(&store).unwrap().unwrap();
        assert_eq!(found.outcome, Outcome::Warn);
        assert!(found.seen.contains("2 changes left"), "{found:?}");
    }
}
