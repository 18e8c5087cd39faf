//! Which authorities there are: those in the records, and those whose certificates are in the home.

use std::collections::BTreeSet;

use rustls_pki_types::UnixTime;
use scb_cli::{Home, counted, local_time};
use scb_protocol::{MOST_LISTS, MOST_LISTS_TAKEN};

use super::{Finding, open_current};
use crate::Error;
use crate::ceremony::{lists, room_at};
use crate::issuers::{counting_roots, stored};
use crate::keys::{MOST_TOKEN_KEYS, token_keys as token_keys_that_count};
use crate::store::{AuthorityKind, AuthorityRecord, AuthorityState, CrlSigner, Records, Store};

/// An authority, and whether anybody still needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) signer: CrlSigner,
    /// Something that it certified may still count.
    pub(super) is_in_use: bool,
    /// Another of its kind comes after it.
    pub(super) has_heir: bool,
    /// It counts no more, with everything that it issued.
    pub(super) is_withdrawn: bool,
}

/// All of them, each kind in its order. Where the records cannot be read, the first ones count, and
/// whatever the home holds.
pub(super) fn look(home: &Home, now: UnixTime) -> Vec<Standing> {
    let records = recorded(home).unwrap_or_default();
    let roots = counting_roots(home, &records, now).unwrap_or_default();
    let mut signers: BTreeSet<_> = records.iter().map(|record| record.signer).collect();
    signers.extend([CrlSigner::ROOT, CrlSigner::STUDENTS, CrlSigner::SERVICES]);
    for kind in [
        AuthorityKind::Root,
        AuthorityKind::Students,
        AuthorityKind::Services,
    ] {
        signers.extend(stored(home, kind).unwrap_or_default());
    }
    let standing = |signer: CrlSigner| {
        let record = records.iter().find(|record| record.signer == signer);
        let retired = record.is_some_and(|one| one.state(&records, now) == AuthorityState::Retired);
        let dropped =
            signer.kind() == AuthorityKind::Root && !roots.is_empty() && !roots.contains(&signer);
        let has_heir =
            |other: &AuthorityRecord| other.signer.kind() == signer.kind() && other.signer > signer;
        Standing {
            signer,
            is_in_use: !retired && !dropped,
            has_heir: records.iter().any(has_heir),
            is_withdrawn: record.is_some_and(|one| one.withdrawn.is_some()),
        }
    };
    signers.into_iter().map(standing).collect()
}

/// How many lists there are of those that nobody would take more of.
pub(super) fn count(home: &Home, store: &Store, now: UnixTime) -> Finding {
    const CHECK: &str = "authorities";
    let lists = match lists(home, store, now) {
        Ok(lists) => lists,
        Err(error) => return Finding::unseen(CHECK, error),
    };
    let handed_out = counted(lists.len(), "revocation list");
    let seen = format!("{handed_out} handed out, of {MOST_LISTS} in the course of things");
    let mend = |last: &str| {
        let fewer = room_at(lists.clone(), MANY);
        let fewer = fewer.map_or_else(String::new, |at| {
            format!("; fewer than {MANY} again from {} on", local_time(at))
        });
        format!("see what rotates keys so often (a script?), and let it wait: {last}{fewer}")
    };
    match lists.len() {
        ..MANY => Finding::ok(CHECK, seen),
        LITTLE_ROOM.. => Finding::fail(
            CHECK,
            format!(
                "{seen}; nobody takes more than {MOST_LISTS_TAKEN}, a new one for a stolen key's place included"
            ),
            mend(
                "those that were withdrawn leave their places with `cuhk root sign-crl`, or, with the root \
                 elsewhere, `cuhk keys request lists --out FILE`",
            ),
        ),
        _ => Finding::warn(
            CHECK,
            seen,
            mend(&format!("`cuhk keys rotate` refuses from {MOST_LISTS} on")),
        ),
    }
}

/// How many keys for tokens count, of those that may.
pub(super) fn token_keys(records: &Records<'_>, now: UnixTime) -> Result<Finding, Error> {
    const CHECK: &str = "token-keys";
    let keys = token_keys_that_count(records, now)?;
    let count = keys.len();
    let seen = format!(
        "{} for tokens, of {MOST_TOKEN_KEYS} that may be",
        counted(count, "key")
    );
    if count < MANY_TOKEN_KEYS {
        return Ok(Finding::ok(CHECK, seen));
    }
    let fewer = room_at(keys, MANY_TOKEN_KEYS).map_or_else(String::new, |at| {
        format!(
            "; fewer than {MANY_TOKEN_KEYS} again from {} on",
            local_time(at)
        )
    });
    Ok(Finding::warn(
        CHECK,
        seen,
        format!(
            "see what rotates keys so often (a script?): `cuhk keys rotate tokens` refuses beyond \
             {MOST_TOKEN_KEYS}{fewer}"
        ),
    ))
}

/// In 12 hours nobody needs so many.
const MANY_TOKEN_KEYS: usize = MOST_TOKEN_KEYS / 2;

/// So many lists are more than years of rotations make.
const MANY: usize = 16;

/// From so many on those who need another one in the place of a stolen key may soon find no room.
const LITTLE_ROOM: usize = 40;

/// What the database says; nothing if it cannot.
fn recorded(home: &Home) -> Option<Vec<AuthorityRecord>> {
    let store = open_current(home)?;
    let all = store.read_blocking(|records| records.authorities().all());
    store.close_blocking();
    all.ok()
}
