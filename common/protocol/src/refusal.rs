//! What is said when something is refused: one type, one registry.

use std::collections::BTreeMap;
use std::fmt;

use scb_certs::StudentId;
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::receipt::SignedEntry;

/// The step of the main job (0 to 6) in which something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Step {
    /// A server starts: keys, roster, listening.
    Zero,
    /// A key pair and a request for a certificate leave the student's machine.
    One,
    /// CUHK issues the certificate and the identity token.
    Two,
    /// Blackboard verifies all members, itself and through CUHK.
    Three,
    /// Blackboard seals one share of the session key to each member.
    Four,
    /// Both sides confirm that they derived the same session key.
    Five,
    /// The report goes in and the receipt comes back.
    Six,
}

impl From<Step> for u8 {
    fn from(step: Step) -> u8 {
        step as u8
    }
}

impl TryFrom<u8> for Step {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        const STEPS: [Step; 7] = [
            Step::Zero,
            Step::One,
            Step::Two,
            Step::Three,
            Step::Four,
            Step::Five,
            Step::Six,
        ];
        let step = STEPS.get(usize::from(number)).copied();
        step.ok_or_else(|| format!("step {number} does not exist"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", *self as u8)
    }
}

/// Longest value of a parameter, in characters; the rest is cut off.
const MAX_PARAM: usize = 200;

/// The detail of a `busy` that is said because of wrong enrolment codes from one address, and how many a
/// minute may have.
pub const WRONG_CODES_PER_MINUTE: &str = "wrong_codes_per_minute";

/// Why a request was not carried out. Nothing has changed when one is sent.
///
/// It travels as the message `refusal`; the sentence is rendered where it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// The step that was refused.
    pub step: Step,
    /// The student whom it concerns, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<StudentId>,
    /// Named details, such as `expected` and `got`. Never a secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// Seconds after which the same request may succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// Of verified members: Blackboard's signed word that it refused them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection: Option<Box<SignedEntry>>,
}

impl Refusal {
    /// A refusal of `step` for the reason `code`.
    pub fn new(code: Code, step: Step) -> Self {
        Self {
            code,
            step,
            sid: None,
            params: BTreeMap::new(),
            retry_after: None,
            rejection: None,
        }
    }

    /// Names the student whom it concerns.
    #[must_use]
    pub fn about(mut self, sid: &StudentId) -> Self {
        self.sid = Some(sid.clone());
        self
    }

    /// Adds a named detail; control characters are escaped, 200 characters at most are kept.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.params
            .insert(name.to_owned(), tidy(&value.to_string()));
        self
    }

    /// Says after how many seconds trying again makes sense.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Goes with the signed log entry that says so.
    #[must_use]
    pub fn signed(mut self, rejection: SignedEntry) -> Self {
        self.rejection = Some(Box::new(rejection));
        self
    }

    /// Whether it is said because of wrong enrolment codes: then the server is not full.
    pub fn is_for_wrong_codes(&self) -> bool {
        self.code == Code::Busy && self.params.contains_key(WRONG_CODES_PER_MINUTE)
    }

    /// What was wrong, without the student and the details.
    pub fn reason(&self) -> &'static str {
        match self.is_for_wrong_codes() {
            true => "too many wrong enrolment codes came from this address",
            false => self.code.sentence(),
        }
    }

    /// What was wrong, as a sentence with the details in it.
    pub fn sentence(&self) -> String {
        let mut text = self.reason().to_owned();
        if !self.params.is_empty() {
            let details = self.details();
            let details: Vec<_> = details
                .map(|(name, value)| format!("{name}: {value}"))
                .collect();
            text.push_str(&format!(" ({})", details.join(", ")));
        }
        text
    }

    /// Each detail by its name, as a terminal can show it whoever sent it.
    pub fn details(&self) -> impl Iterator<Item = (String, String)> {
        self.params
            .iter()
            .map(|(name, value)| (tidy(name), tidy(value)))
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        self.code.remedy()
    }

    /// The exit code of a program that stops because of it.
    pub fn exit_code(&self) -> u8 {
        self.code.exit_code()
    }

    /// The HTTP status under which it is reported (RFC 9110).
    pub fn http_status(&self) -> u16 {
        self.code.http_status()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}: ", self.step)?;
        if let Some(sid) = &self.sid {
            write!(f, "{sid}: ")?;
        }
        write!(f, "{}", self.sentence())
    }
}

impl std::error::Error for Refusal {}

/// Cuts to [`MAX_PARAM`] characters and escapes what a terminal would obey.
fn tidy(text: &str) -> String {
    text.chars()
        .take(MAX_PARAM)
        .flat_map(|c| {
            let plain = !c.is_control() && !is_bidi_control(c);
            let escaped = (!plain).then(|| c.escape_unicode());
            plain
                .then_some(c)
                .into_iter()
                .chain(escaped.into_iter().flatten())
        })
        .collect()
}

fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn says_step_student_reason_and_details() {
        let sid: StudentId = "1155000001".parse().unwrap();
        let refusal = Refusal::new(Code::TokenExpired, Step::Three)
            .about(&sid)
            .with("expired", "2026-01-01");
        let text = refusal.to_string();
        assert!(text.starts_with("step 3: 1155000001: "), "{text}");
        assert!(text.ends_with("(expired: 2026-01-01)"), "{text}");
    }

    #[test]
    fn too_many_wrong_codes_are_not_told_as_a_full_server() {
        let full = Refusal::new(Code::Busy, Step::One);
        let wrong = full.clone().with(WRONG_CODES_PER_MINUTE, 60);
        assert!(
            wrong
                .sentence()
                .starts_with("too many wrong enrolment codes")
        );
        assert_eq!(full.sentence(), Code::Busy.sentence());
        assert_eq!(
            (wrong.exit_code(), wrong.http_status()),
            (full.exit_code(), full.http_status())
        );
    }

    #[test]
    fn escapes_what_a_terminal_would_obey() {
        let refusal = Refusal::new(Code::Internal, Step::Zero).with("x", "a\u{1b}[31m\n\u{202e}b");
        assert!(!refusal.sentence().chars().any(char::is_control));
        assert!(!refusal.sentence().contains('\u{202e}'));
    }

    #[test]
    fn escapes_details_that_a_peer_sent_raw() {
        let wire = r#"{"code":"busy","step":3,"params":{"a":"\u001b[2J"}}"#;
        let refusal: Refusal = serde_json::from_str(wire).unwrap();
        assert!(!refusal.sentence().contains('\u{1b}'));
    }

    #[test]
    fn refuses_a_step_that_does_not_exist() {
        assert!(serde_json::from_str::<Step>("7").is_err());
        assert_eq!(serde_json::from_str::<Step>("6").unwrap(), Step::Six);
    }
}
