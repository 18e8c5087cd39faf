//! What comes to its end and needs a person: what `serve` cannot renew by itself.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::Crl;
use scb_cli::rfc3339;

use crate::issuers::Issuers;
use crate::time::later;

/// How long before the end to begin to say so: 60 days.
pub(crate) const AHEAD: Duration = Duration::from_secs(60 * 24 * 60 * 60);

/// What helps once a root has ended. Whatever it signs, a bundle with its successor among it, counts
/// nowhere.
pub(crate) const ROOT_ENDED: &str = "nobody believes what it signs or has signed, so that no `cuhk keys \
    rotate` and no `cuhk root sign-crl` helps: make a new CUHK (`cuhk init` with another --home) and hand \
    out its ca.pem and its fingerprint as the first time (docs/OPERATIONS.md, \"The root has ended\")";

/// What helps where the clock is far ahead of all that was recorded.
pub(crate) const CLOCK_AHEAD: &str = "set the clock (`timedatectl` shows it); nothing was removed. If it is right, and \
    this CUHK was idle or away for so long, say so once, with any command that changes something: add \
    --clock-is-right";

/// One sentence for each of the root's list, the root and the issuing authorities that has less
/// than 60 days left, with what to do about it.
pub(crate) fn ending_soon(issuers: &Issuers, root_lists: &[Crl], now: UnixTime) -> Vec<String> {
    let root = issuers.roots(now).pop().map(|(_, root)| root.not_after());
    if let Some(ended) = root.filter(|end| *end < now) {
        // Under it nothing else is worth mending.
        return vec![sentence("the root", ended, [ROOT_ENDED; 2], now)];
    }
    let list = root_lists.iter().map(Crl::next_update).min();
    let ends = [
        (
            "the root's revocation list",
            list,
            [
                "nobody is let in after that; run `cuhk root sign-crl`",
                "nobody is let in; run `cuhk root sign-crl`",
            ],
        ),
        (
            "the root",
            root,
            ["nobody believes this CUHK after that; run `cuhk keys rotate root` before"; 2],
        ),
        (
            "the issuing authority `students`",
            Some(issuers.students.issuer.certificate().not_after()),
            ["no later certificate can be issued; run `cuhk keys rotate students`"; 2],
        ),
        (
            "the issuing authority `services`",
            Some(issuers.services.issuer.certificate().not_after()),
            ["no later certificate can be issued; run `cuhk keys rotate services`"; 2],
        ),
    ];
    let soon = ends
        .into_iter()
        .filter_map(|(what, end, remedies)| Some((what, end?, remedies)))
        .filter(|(_, end, _)| *end < later(now, AHEAD));
    let told = soon.map(|(what, end, remedies)| sentence(what, end, remedies, now));
    told.collect()
}

/// What ends, when, and what to do: before that and after it.
fn sentence(what: &str, end: UnixTime, [ahead, over]: [&str; 2], now: UnixTime) -> String {
    match end < now {
        true => format!("{what} ended at {}: {over}", rfc3339(end)),
        false => format!("{what} ends at {}: {ahead}", rfc3339(end)),
    }
}

/// What is the matter as long as the roots have not signed since a restoration.
pub(crate) fn unsigned_since_restored(number: u64) -> String {
    format!(
        "this home was restored from a backup with trust bundle {number}, and no root has signed \
         since: servers and students that have seen a later one refuse this CUHK"
    )
}

/// What helps then.
pub(crate) const SIGN_SINCE_RESTORED: &str = "cuhk root sign-crl; where Blackboard's log says that a revocation \
    list or trust bundle went back, the command that it names there, with --beyond and its number";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_certs::{DistributionUrls, IssuerKind, Root, SigningKey};

    use super::*;
    use crate::time::earlier;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn authorities(now: UnixTime) -> (Root, Issuers) {
        let key = || SigningKey::generate().unwrap();
        let root = Root::create(&"cuhk.example".parse().unwrap(), key(), now).unwrap();
        let urls = DistributionUrls::default();
        let issuer = |kind| root.issue_issuer(kind, key(), now, &urls).unwrap();
        let both = (issuer(IssuerKind::Students), issuer(IssuerKind::Services));
        let issuers = Issuers::of_first(both, "correct horse".to_owned().into());
        (root, issuers)
    }

    #[test]
    fn says_nothing_as_long_as_there_are_60_days() {
        let now = scb_testkit::FixedClock::default().now();
        let (root, issuers) = authorities(now);
        let list = root.sign_crl(1, now, later(now, 60 * DAY), &[]).unwrap();
        assert!(ending_soon(&issuers, &[list], now).is_empty());
    }

    #[test]
    fn says_what_ends_and_what_to_do() {
        let now = scb_testkit::FixedClock::default().now();
        let (root, issuers) = authorities(now);
        let list = root.sign_crl(1, now, later(now, 59 * DAY), &[]).unwrap();
        let told = ending_soon(&issuers, std::slice::from_ref(&list), now);
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("cuhk root sign-crl"), "{told:?}");

        let ended = later(list.next_update(), DAY);
        let told = ending_soon(&issuers, std::slice::from_ref(&list), ended);
        assert!(
            told[0].contains("the root's revocation list ended at"),
            "{told:?}"
        );
        assert!(!told[0].contains("after that"), "{told:?}");

        let late = earlier(issuers.students.issuer.certificate().not_after(), 59 * DAY);
        let end = later(late, 90 * DAY);
        let list = root.sign_crl(2, now, end, &[]).unwrap();
        let told = ending_soon(&issuers, &[list], late).join("\n");
        assert!(told.contains("`students`"), "{told}");
        assert!(told.contains("`cuhk keys rotate students`"), "{told}");
        assert!(!told.contains("revocation list"), "{told}");

        let over = later(root.certificate().not_after(), DAY);
        let told = sentence(
            "the root",
            root.certificate().not_after(),
            [ROOT_ENDED; 2],
            over,
        );
        assert!(told.contains("the root ended at"), "{told}");
        assert!(told.contains("cuhk init"), "{told}");
    }
}
