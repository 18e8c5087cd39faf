//! What a refusal comes to for the student it is about, and what helps then.

use rustls_pki_types::UnixTime;
use scb_cli::{local_time, parse_moment};
use scb_protocol::message::proposal::ProposalState;
use scb_protocol::{Code, Refusal};

/// What helps when two clocks differ.
pub(super) const MEND_CLOCK: &str = "set this machine's date, time and time zone; if they are right, tell \
                          your IT service that the server's clock is wrong";

/// Whether the statement that was refused now stands all the same: its files may come later.
pub(crate) fn is_recorded(refusal: &Refusal) -> bool {
    refusal.params.contains_key("recorded")
}

/// Whether the student's certificate no longer works, so that only a new one helps.
pub(crate) fn is_certificate_dead(refusal: &Refusal) -> bool {
    match refusal.code {
        Code::CertificateRevoked
        | Code::CertificateExpired
        | Code::CertificateUnknownIssuer
        | Code::RenewalTooLate => true,
        Code::StudentInactive => {
            let reason = refusal.params.get("reason").map(String::as_str);
            matches!(reason, Some("revoked" | "expired" | "unknown"))
        }
        _ => false,
    }
}

/// Whether CUHK knows nothing of the student's certificate.
fn is_unknown(refusal: &Refusal) -> bool {
    let reason = refusal.params.get("reason").map(String::as_str);
    refusal.code == Code::StudentInactive && reason == Some("unknown")
}

/// Whether a clock that is off explains it: this program found the offset, or a server's
/// certificate is not good by the clock here.
pub(crate) fn blames_clock(refusal: &Refusal) -> bool {
    let by_clock = |name| refusal.params.contains_key(name);
    by_clock("clock") || refusal.code == Code::ServerIdentity && by_clock("time_here")
}

/// Whether it was to be taken back, and is handed in.
pub(crate) fn is_handed_in(refusal: &Refusal) -> bool {
    let state = refusal.params.get("state").map(String::as_str);
    refusal.code == Code::ProposalEnded && state == Some(ProposalState::Accepted.as_str())
}

/// The root with which a receipt might verify, if that it is another is why it does not.
pub(crate) fn other_root(refusal: &Refusal) -> Option<&str> {
    match refusal.code {
        Code::ReceiptInvalid => refusal.params.get("root").map(String::as_str),
        _ => None,
    }
}

/// When there is room for another certificate, where too many renewals are why there is none.
pub(crate) fn room_at(refusal: &Refusal) -> Option<UnixTime> {
    match refusal.code {
        Code::TooManyDevices => moment_of(refusal, "room_at"),
        _ => None,
    }
}

/// When another hand-in is taken, where so many were given up that none is.
pub(crate) fn begins_again_at(refusal: &Refusal) -> Option<UnixTime> {
    let has_given_up = refusal.params.contains_key("given_up");
    match refusal.code {
        Code::TooManyUploads if has_given_up => moment_of(refusal, "room_at"),
        _ => None,
    }
}

/// A time among the details.
pub(crate) fn moment_of(refusal: &Refusal, name: &str) -> Option<UnixTime> {
    parse_moment(refusal.params.get(name)?).ok()
}

/// Whether CUHK's log lacks something that it had: it was rewritten, or put back from a backup.
pub(crate) fn is_about_log(refusal: &Refusal) -> bool {
    matches!(refusal.code, Code::LogForked | Code::LogIncomplete)
}

/// What to do about a receipt or an archive that might verify by this root.
pub(super) fn of_other_root(root: &str, what: &str) -> String {
    format!(
        "if you know from a place that you trust that this was CUHK's root when it was made: \
         --ca-fingerprint {root}; if it was not, the {what} is not of your university"
    )
}

/// What the person at the keyboard can do about a refusal: more than the registry knows.
pub(super) fn remedy_of(refusal: &Refusal) -> String {
    if let Some(root) = other_root(refusal) {
        return of_other_root(root, "receipt");
    }
    match &refusal.sid {
        _ if blames_clock(refusal) => MEND_CLOCK.to_owned(),
        _ if is_about_log(refusal) => format!(
            "{}. If CUHK was put back from a backup since this home last looked, your department says \
             so, and this is why: get a new certificate with a new code (student enrol --codes FILE), \
             move log.json out of this home, and look again",
            refusal.remedy()
        ),
        _ if is_handed_in(refusal) => {
            "it is handed in, and nobody can take that back: hand in another version; `student \
             history` shows which one counts"
                .to_owned()
        }
        Some(sid) if refusal.code == Code::CertificateExpired => format!(
            "student renew --ids {sid}; if that is refused, ask your department for a new code, \
             then: student enrol --ids {sid} --replace"
        ),
        Some(sid) if refusal.code == Code::CertificateSuperseded => format!(
            "use the machine where it was renewed; if nobody of you renewed it, somebody has a \
             copy of the key: tell your department at once; for a certificate here, with a new \
             code: student enrol --ids {sid} --replace"
        ),
        Some(sid) if refusal.code == Code::CertificateRevoked => format!(
            "ask your department for a new code, then: student enrol --ids {sid} --codes FILE. With \
             the new certificate, as with that of another machine of yours, `student audit` shows \
             everything in this name, what was revoked among it"
        ),
        Some(sid) if refusal.code == Code::CertificateUnknownIssuer => format!(
            "if the address is right, CUHK has no record of this certificate, as after a backup was \
             put back: enrol again with the code of your sheet, which may count once more, or ask your department for \
             a new code; then: student enrol --ids {sid} --replace"
        ),
        Some(sid) if is_unknown(refusal) => format!(
            "CUHK has no record of this certificate, as after a backup was put back: enrol again with the code of \
             your sheet, which may count once more, or ask your department for a new code; then: student enrol \
             --ids {sid} --replace"
        ),
        Some(sid) if is_certificate_dead(refusal) => {
            format!("ask your department for a new code, then: student enrol --ids {sid} --replace")
        }
        Some(sid) if refusal.code == Code::CodeUsed => format!(
            "use the machine where it was used, or ask your department for a further code (cuhk \
             code issue {sid}), then here: student enrol --ids {sid} --new-device; if CUHK was put back from a backup and \
             does not know the certificate that is here: --replace instead of --new-device"
        ),
        Some(_) if refusal.code == Code::RenewalNotLonger => format!(
            "nothing has to be done now: this certificate is good until {}, and no other would be good for \
             longer before CUHK has opened the next term. Then the first command that needs CUHK renews it \
             by itself; if that term is not open by then, ask your department",
            moment_of(refusal, "until").map_or_else(|| "its end".to_owned(), local_time)
        ),
        Some(sid) if room_at(refusal).is_some() => format!(
            "go on with the present certificate: nothing is wrong with it. Each that was renewed counts \
             until it ends; there is room for another from {} on: student renew --ids {sid}. If nobody of \
             you renewed so often, look whose certificates they are: student audit --ids {sid}",
            room_at(refusal).map(local_time).unwrap_or_default()
        ),
        Some(sid) if begins_again_at(refusal).is_some() => format!(
            "{sid} has given up so many hand-ins of late that nothing new is begun before {}: what was handed in \
             stands, what is unfinished can still be finished by its own command, and hand-ins of others are \
             not kept from anything. If it cannot wait, ask your teacher",
            begins_again_at(refusal).map(local_time).unwrap_or_default()
        ),
        Some(sid) if refusal.code == Code::TooManyDevices => format!(
            "ask your department to revoke the certificate of a machine that is no longer used \
             (cuhk revoke SERIAL), or for one code in place of them all (cuhk code issue {sid} \
             --replace); then run the same command again"
        ),
        _ => refusal.remedy().to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_certs::StudentId;
    use scb_cli::Failure;
    use scb_protocol::Step;

    use super::*;
    use crate::Error;

    #[test]
    fn only_a_new_certificate_helps_when_the_old_one_is_dead() {
        let sid: StudentId = "A".parse().unwrap();
        let inactive = Refusal::new(Code::StudentInactive, Step::Three).about(&sid);
        let revoked = inactive.clone().with("reason", "revoked");
        let remedy = Failure::from(Error::from(revoked)).remedy.unwrap();
        assert!(
            remedy.ends_with("student enrol --ids A --replace"),
            "{remedy}"
        );
        let unknown = inactive.clone().with("reason", "unknown");
        let remedy = Failure::from(Error::from(unknown)).remedy.unwrap();
        assert!(remedy.contains("the code of your sheet"), "{remedy}");
        assert!(
            remedy.ends_with("student enrol --ids A --replace"),
            "{remedy}"
        );
        let suspended = inactive.with("reason", "suspended");
        let remedy = Failure::from(Error::from(suspended)).remedy.unwrap();
        assert!(!remedy.contains("--replace"), "{remedy}");
    }

    #[test]
    fn a_renewal_that_has_to_wait_is_told_until_when_and_that_nothing_is_wrong() {
        let sid: StudentId = "A".parse().unwrap();
        let told = |code, name: &str, at: &str| {
            let refusal = Refusal::new(code, Step::Two).about(&sid).with(name, at);
            Failure::from(Error::from(refusal)).remedy.unwrap()
        };
        let at = "2026-12-31T15:59:59Z";
        let shown = local_time(parse_moment(at).unwrap());
        let capped = told(Code::RenewalNotLonger, "until", at);
        let full = told(Code::TooManyDevices, "room_at", at);
        for (remedy, parts) in [
            (&capped, ["nothing has to be done now", "by itself", &shown]),
            (&full, ["nothing is wrong", "student audit --ids A", &shown]),
        ] {
            for part in parts {
                assert!(remedy.contains(part), "{part}: {remedy}");
            }
        }
        let refusal = Refusal::new(Code::TooManyUploads, Step::Six).about(&sid);
        let given_up = refusal.clone().with("given_up", 4).with("room_at", at);
        let remedy = Failure::from(Error::from(given_up)).remedy.unwrap();
        assert!(
            remedy.contains(&shown) && !remedy.contains("withdraw"),
            "{remedy}"
        );
        let remedy = Failure::from(Error::from(refusal)).remedy.unwrap();
        assert!(remedy.contains("student withdraw"), "{remedy}");
        // A machine too many is another matter, and so is a time that is none.
        for (name, at) in [("limit", "3"), ("room_at", "soon")] {
            let remedy = told(Code::TooManyDevices, name, at);
            assert!(remedy.contains("revoke"), "{remedy}");
        }
        let remedy = told(Code::RenewalNotLonger, "until", "soon");
        assert!(remedy.contains("good until its end"), "{remedy}");
    }
}
