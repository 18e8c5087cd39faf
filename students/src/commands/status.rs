//! `student status`: what this home holds and whom it knows.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, CertificateError, Chain, StudentId};
use scb_cli::{local_time, printable, rfc3339, say};
use scb_protocol::own_token_expiry;
use scb_protocol::statement::Statement;
use scb_transport::{Clock, SystemClock};
use serde_json::json;

use super::say_json;
use crate::cli::Common;
use crate::identity::{self, Standing};
use crate::{Error, Setup, pending};

/// For how long after its end CUHK renews a certificate by its key, unless it is set up otherwise.
const USUAL_GRACE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

pub(super) fn run(common: &Common) -> Result<(), Error> {
    let setup = Setup::new(common, None)?;
    let now = SystemClock.now();
    let mut students = Vec::new();
    for sid in setup.home.students()? {
        students.push(Student::read(&setup, sid, now)?);
    }
    let pending = pending::list(&setup.home)?;
    if common.json {
        return say_json(&as_json(&setup, &students, &pending));
    }
    say_all(&setup, &students, &pending, now)
}

struct Student {
    sid: StudentId,
    standing: Standing,
    certificate: Option<UnixTime>,
    /// From when on the certificate is renewed by itself.
    renewal_due: Option<UnixTime>,
    token: Option<UnixTime>,
    passphrase: Option<bool>,
}

impl Student {
    fn read(setup: &Setup, sid: StudentId, now: UnixTime) -> Result<Self, Error> {
        let (home, trust) = (&setup.home, setup.trust().map(AsRef::as_ref));
        let token = identity::token(home, &sid)?;
        let chain = identity::chain(home, &sid)?;
        let leaf = chain.as_ref().map(Chain::leaf);
        Ok(Self {
            standing: identity::standing(home, &sid, trust, now)?,
            certificate: leaf.map(Certificate::not_after),
            renewal_due: leaf.map(Certificate::renewal_due),
            token: token.as_deref().and_then(own_token_expiry),
            passphrase: identity::has_passphrase(home, &sid)?,
            sid,
        })
    }

    fn line(&self, now: UnixTime) -> String {
        let certificate = match (&self.standing, self.certificate) {
            (Standing::Bad(CertificateError::Expired), Some(until)) => expired(until, now),
            (Standing::Bad(reason), _) => format!("NOT good: {reason}"),
            (_, Some(until)) => format!("until {}, {}", local_time(until), self.renewal(now)),
            (_, None) => "none".to_owned(),
        };
        let token = match self.token {
            Some(until) if until > now => format!("until {}", local_time(until)),
            Some(_) => "expired, is refreshed when needed".to_owned(),
            None => "none".to_owned(),
        };
        let passphrase = match self.passphrase {
            Some(true) => "yes",
            Some(false) => "NONE",
            None => "no key",
        };
        format!("certificate {certificate}, token {token}, passphrase {passphrase}")
    }

    /// When the certificate is renewed: by whatever command talks to CUHK next.
    fn renewal(&self, now: UnixTime) -> String {
        match self.renewal_due {
            Some(due) if due < now => "renewed by the next command that needs CUHK".to_owned(),
            Some(due) => format!("renewed by itself from {} on", local_time(due)),
            None => "never renewed".to_owned(),
        }
    }
}

/// Its key still gets the next one for a time, which only CUHK knows.
fn expired(until: UnixTime, now: UnixTime) -> String {
    let ended = local_time(until);
    let usual = UnixTime::since_unix_epoch(Duration::from_secs(until.as_secs()) + USUAL_GRACE);
    match usual > now {
        true => format!(
            "ended at {ended}: the next command that needs CUHK, or `student renew`, renews it by \
             its own key until {}, unless CUHK says otherwise; after that with a new code",
            local_time(usual)
        ),
        false => format!(
            "ended at {ended}: with a new code, `student enrol`, unless CUHK still renews it \
             (`student renew`)"
        ),
    }
}

fn say_all(
    setup: &Setup,
    students: &[Student],
    pending: &[Statement],
    now: UnixTime,
) -> Result<(), Error> {
    let root = setup.fingerprint().map(|root| format!("SHA-256 {root}"));
    row(
        "home",
        Some(setup.home.dir().to_string_lossy().into_owned()),
    )?;
    row("CUHK", setup.cuhk().ok())?;
    row("Blackboard", setup.blackboard().ok())?;
    row("root", root)?;
    for student in students {
        row(student.sid.as_ref(), Some(student.line(now)))?;
    }
    if let Some(note) = unprotected(students) {
        say(&note)?;
    }
    for statement in pending {
        let ids: Vec<_> = statement
            .members
            .iter()
            .map(|m| m.sid.to_string())
            .collect();
        let what = format!(
            "{} of {} for {}/{}: the same command again resumes it",
            statement.files,
            ids.join(","),
            statement.course,
            statement.assignment
        );
        row("unfinished", Some(what))?;
    }
    Ok(())
}

/// Names those whose key has no passphrase.
fn unprotected(students: &[Student]) -> Option<String> {
    let without = students
        .iter()
        .filter(|student| student.passphrase == Some(false));
    let ids: Vec<_> = without.map(|student| student.sid.to_string()).collect();
    (!ids.is_empty()).then(|| {
        let ids = ids.join(",");
        format!(
            "no passphrase: whoever gets at the key file of {ids} can sign in that name. To give \
             one: student passphrase --ids {ids}"
        )
    })
}

fn unfinished(statement: &Statement) -> serde_json::Value {
    let members: Vec<_> = statement.members.iter().map(|m| &m.sid).collect();
    json!({
        "submission_id": statement.submission,
        "course": statement.course,
        "assignment": statement.assignment,
        "members": members,
        "files": statement.files,
    })
}

fn row(label: &str, value: Option<String>) -> Result<(), Error> {
    let value = value.unwrap_or_else(|| "not known yet".to_owned());
    Ok(say(&format!("{label:<10}  {}", printable(&value)))?)
}

fn as_json(setup: &Setup, students: &[Student], pending: &[Statement]) -> serde_json::Value {
    let student = |student: &Student| {
        json!({
            "sid": student.sid,
            "certificate_good": student.standing == Standing::Good,
            "certificate_expires": student.certificate.map(rfc3339),
            "renewal_due": student.renewal_due.map(rfc3339),
            "token_expires": student.token.map(rfc3339),
            "passphrase": student.passphrase,
        })
    };
    json!({
        "home": setup.home.dir().to_string_lossy(),
        "cuhk": setup.cuhk().ok(),
        "blackboard": setup.blackboard().ok(),
        "root_sha256": setup.fingerprint(),
        "students": students.iter().map(student).collect::<Vec<_>>(),
        "unfinished": pending.iter().map(unfinished).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_has_ended_says_how_it_is_renewed_and_until_when() {
        let at = |days: u64| UnixTime::since_unix_epoch(Duration::from_secs(days * 24 * 60 * 60));
        let told = expired(at(20_000), at(20_001));
        assert!(told.contains("by its own key until"), "{told}");
        assert!(told.contains(&local_time(at(20_030))), "{told}");
        let told = expired(at(20_000), at(20_031));
        assert!(!told.contains("by its own key"), "{told}");
        assert!(told.contains("new code"), "{told}");
    }
}
