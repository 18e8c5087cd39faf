//! `student status`: what this home holds and whom it knows.

mod words;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Chain, StudentId};
use scb_cli::{rfc3339, say};
use scb_protocol::own_token_expiry;
use scb_protocol::statement::Statement;
use scb_transport::{Clock, SystemClock};
use serde_json::json;

use self::words::StatusWords;
use super::say_json;
use crate::cli::Common;
use crate::identity::{self, Standing};
use crate::{Error, Setup, pending};

pub(super) fn run(common: &Common) -> Result<(), Error> {
    let mut setup = Setup::new(common, None)?;
    let now = SystemClock.now();
    setup.home.look();
    identity::settle_all(&setup.home)?;
    let mut students = Vec::new();
    for sid in setup.home.students()? {
        students.push(Student::read(&setup, sid, now)?);
    }
    let pending = pending::list(&setup.home)?;
    if common.json {
        return say_json(&as_json(&setup, &students, &pending));
    }
    let words = StatusWords::of(common.explain.language.language());
    say_all(&setup, &students, &pending, (now, words))
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
}

fn say_all(
    setup: &Setup,
    students: &[Student],
    pending: &[Statement],
    (now, words): (UnixTime, StatusWords),
) -> Result<(), Error> {
    let home = setup.home.dir().to_string_lossy().into_owned();
    let root = setup.fingerprint().map(|root| format!("SHA-256 {root}"));
    words.row(words.home(), Some(home))?;
    words.row(words.cuhk(), setup.cuhk().ok())?;
    words.row("Blackboard", setup.blackboard().ok())?;
    words.row(words.root(), root)?;
    for student in students {
        words.row(student.sid.as_ref(), Some(words.student(student, now)))?;
    }
    let without = students
        .iter()
        .filter(|student| student.passphrase == Some(false));
    let without: Vec<_> = without.map(|student| student.sid.as_str()).collect();
    if !without.is_empty() {
        say(&words.unprotected(&without.join(",")))?;
    }
    for statement in pending {
        words.row(words.unfinished(), Some(words.resumes(statement)))?;
    }
    Ok(())
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
