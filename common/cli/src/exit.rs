//! How a program ends: the exit codes, and the one place that prints an error.

use std::error::Error as StdError;
use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use scb_protocol::{Refusal, Step};

use crate::journal::{ERROR, for_stderr};
use crate::{Error, Term, printable};

/// Done as asked; usage; refused, and the same again will be; the same may work later; a
/// fault on this machine. The numbers stand in the protocol's registry.
pub use scb_protocol::{
    EXIT_DONE as DONE, EXIT_FAULT as FAULT, EXIT_REFUSED as REFUSED, EXIT_RETRY as RETRY,
    EXIT_USAGE as USAGE,
};

/// Why a program ends without having done what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code, one of this module's.
    pub exit: u8,
    /// What happened, as one sentence.
    pub message: String,
    /// What the person at the keyboard can do about it.
    pub remedy: Option<String>,
    /// A stable word for scripts; of a refusal, its code.
    pub code: Option<&'static str>,
    /// What it concerns, as far as that is known.
    pub concern: Box<Concern>,
    /// What else went wrong in the same go, such as other students of a group: each is told
    /// like the first. Their exit codes do not count.
    pub others: Vec<Failure>,
}

/// What a failure concerns: for scripts, which should not take the message apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Concern {
    /// The step of the main job.
    pub step: Option<Step>,
    /// The student.
    pub sid: Option<String>,
    /// Seconds after which the same may succeed.
    pub retry_after: Option<u32>,
}

impl From<&Refusal> for Concern {
    fn from(refusal: &Refusal) -> Self {
        Self {
            step: Some(refusal.step),
            sid: refusal.sid.as_ref().map(ToString::to_string),
            retry_after: refusal.retry_after,
        }
    }
}

impl Failure {
    /// [`USAGE`].
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(USAGE, message)
    }

    /// [`REFUSED`].
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(REFUSED, message)
    }

    /// [`RETRY`].
    pub fn retry(message: impl Into<String>) -> Self {
        Self::new(RETRY, message)
    }

    /// [`FAULT`].
    pub fn fault(message: impl Into<String>) -> Self {
        Self::new(FAULT, message)
    }

    /// Says what can be done about it.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Names it for scripts.
    #[must_use]
    pub fn with_code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    fn new(exit: u8, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            remedy: None,
            code: None,
            concern: Box::default(),
            others: Vec::new(),
        }
    }

    fn lines(&self, term: Term, what_to_do: &str) -> String {
        let label = match self.code {
            Some(code) => format!("error[{code}]:"),
            None => "error:".to_owned(),
        };
        let mut lines = format!("{} {}\n", term.bad(&label), printable(&self.message));
        if let Some(remedy) = &self.remedy {
            lines += &format!("  {what_to_do}: {}\n", printable(remedy));
        }
        let others = self.others.iter();
        others.fold(lines, |lines, one| lines + &one.lines(term, what_to_do))
    }

    fn json(&self) -> String {
        format!("{}\n", serde_json::json!({ "error": self.as_json() }))
    }

    fn as_json(&self) -> serde_json::Value {
        let mut error = serde_json::json!({
            "code": self.code.unwrap_or_else(|| word(self.exit)),
            "message": printable(&self.message),
        });
        if let Some(remedy) = &self.remedy {
            error["remedy"] = printable(remedy).into();
        }
        if let Some(step) = self.concern.step {
            error["step"] = u8::from(step).into();
        }
        if let Some(sid) = &self.concern.sid {
            error["sid"] = sid.as_str().into();
        }
        if let Some(seconds) = self.concern.retry_after {
            error["retry_after"] = seconds.into();
        }
        if !self.others.is_empty() {
            error["others"] = self.others.iter().map(Self::as_json).collect();
        }
        error
    }
}

/// The message alone.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            exit: error.exit_code(),
            message: with_causes(error),
            remedy: error.remedy(),
            code: Some(error.code()),
            concern: Box::default(),
            others: Vec::new(),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::from(&refusal)
    }
}

impl From<&Refusal> for Failure {
    fn from(refusal: &Refusal) -> Self {
        Self {
            exit: refusal.exit_code(),
            message: format!("{refusal}; nothing was changed by this step"),
            remedy: Some(remedy_of(refusal)),
            code: Some(refusal.code.as_str()),
            concern: Box::new(refusal.into()),
            others: Vec::new(),
        }
    }
}

/// [`FAULT`], unless what lies under the context is a [`Failure`], a [`Refusal`] or an
/// [`Error`] of this crate: those keep their exit code, remedy and code.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let mut context = String::new();
        for cause in error.chain() {
            if let Some(mut failure) = known(cause) {
                failure.message.insert_str(0, &context);
                return failure;
            }
            context += &format!("{cause}: ");
        }
        Self::fault(format!("{error:#}"))
    }
}

/// Prints a failure once on standard error, for people, and gives the exit code.
pub fn finish(result: Result<(), Failure>) -> ExitCode {
    finish_in(result, "what to do")
}

/// As [`finish`], with other words in front of the remedy, as in another language.
pub fn finish_in(result: Result<(), Failure>, what_to_do: &str) -> ExitCode {
    end(result, |failure| {
        failure.lines(Term::detect_stderr(), what_to_do)
    })
}

/// As [`finish`], for `--json`: `{"error":{"code":…,"message":…,"remedy":…}}` on one line of
/// standard error, with `step`, `sid` and `retry_after` where they are known.
pub fn finish_json(result: Result<(), Failure>) -> ExitCode {
    end(result, Failure::json)
}

fn end(result: Result<(), Failure>, render: impl FnOnce(&Failure) -> String) -> ExitCode {
    let Err(failure) = result else {
        return ExitCode::from(DONE);
    };
    // With standard error gone, the exit code still tells.
    let text = for_stderr(ERROR, render(&failure));
    let _ = std::io::stderr().write_all(text.as_bytes());
    ExitCode::from(failure.exit)
}

fn known(cause: &(dyn StdError + 'static)) -> Option<Failure> {
    let failure = cause.downcast_ref::<Failure>().cloned();
    failure
        .or_else(|| cause.downcast_ref::<Refusal>().map(Failure::from))
        .or_else(|| cause.downcast_ref::<Error>().map(Failure::from))
}

fn remedy_of(refusal: &Refusal) -> String {
    match refusal.retry_after {
        Some(seconds) => format!("{} (again in {seconds} s)", refusal.remedy()),
        None => refusal.remedy().to_owned(),
    }
}

/// An error with all its causes, as one line.
pub fn with_causes(error: &dyn StdError) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message += &format!(": {error}");
        cause = error.source();
    }
    message
}

const fn word(exit: u8) -> &'static str {
    match exit {
        USAGE => "usage",
        REFUSED => "refused",
        RETRY => "retry",
        _ => "fault",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use anyhow::Context;
    use scb_protocol::{Code, Step};

    use super::*;
    use crate::{Home, Role};

    fn refusal() -> Refusal {
        let sid = "1155000001".parse().unwrap();
        Refusal::new(Code::EnrolmentRefused, Step::Two).about(&sid)
    }

    #[test]
    fn a_refusal_says_step_student_and_what_to_do() {
        let failure = Failure::from(refusal());
        let lines = failure.lines(Term::plain(), "what to do");
        assert!(
            lines
                .starts_with("error[enrolment_refused]: step 2: 1155000001: CUHK does not accept ")
        );
        assert!(lines.contains("; nothing was changed by this step\n  what to do: "));
        assert_eq!(lines.matches('\n').count(), 2);
        assert_eq!(failure.exit, REFUSED);
    }

    #[test]
    fn a_busy_server_says_when_to_try_again() {
        let busy = Refusal::new(Code::Busy, Step::Three).retry_after(7);
        let failure = Failure::from(busy);
        assert!(failure.remedy.unwrap().ends_with("(again in 7 s)"));
        assert_eq!(failure.exit, RETRY);
        assert!(
            !Failure::from(refusal())
                .remedy
                .unwrap()
                .contains("again in")
        );
    }

    #[test]
    fn every_refusal_code_has_an_exit_code() {
        for code in Code::ALL {
            let exit = Failure::from(Refusal::new(*code, Step::Zero)).exit;
            assert!([USAGE, REFUSED, RETRY, FAULT].contains(&exit), "{code}");
        }
    }

    #[test]
    fn as_json_it_is_one_line_with_a_code() {
        let json = Failure::from(refusal()).json();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["error"]["code"], "enrolment_refused");
        assert!(value["error"]["remedy"].is_string());
        assert_eq!(Failure::usage("x\u{9b}y").json().matches('\n').count(), 1);
        let plain = Failure::usage("x\u{9b}y").json();
        assert_eq!(
            plain,
            "{\"error\":{\"code\":\"usage\",\"message\":\"x\\\\u{9b}y\"}}\n"
        );
    }

    #[test]
    fn as_json_it_names_step_student_and_when_to_try_again() {
        let json = |refusal: Refusal| {
            let json = Failure::from(refusal).json();
            serde_json::from_str::<serde_json::Value>(&json).unwrap()["error"].clone()
        };
        let about = json(refusal());
        assert_eq!(
            (&about["step"], &about["sid"]),
            (&2.into(), &"1155000001".into())
        );
        assert!(about.get("retry_after").is_none(), "{about}");
        let busy = json(Refusal::new(Code::Busy, Step::Three).retry_after(7));
        assert_eq!(
            (&busy["step"], &busy["retry_after"]),
            (&3.into(), &7.into())
        );
        assert!(busy.get("sid").is_none(), "{busy}");
    }

    #[test]
    fn several_failures_are_told_one_below_the_other() {
        let mut failure = Failure::from(refusal());
        failure.others.push(Failure::refused("second"));
        let lines = failure.lines(Term::plain(), "what to do");
        assert!(lines.ends_with("\nerror: second\n"), "{lines}");
        let json: serde_json::Value = serde_json::from_str(&failure.json()).unwrap();
        assert_eq!(json["error"]["code"], "enrolment_refused");
        assert_eq!(json["error"]["others"][0]["message"], "second");
        let alone: serde_json::Value =
            serde_json::from_str(&Failure::from(refusal()).json()).unwrap();
        assert!(alone["error"].get("others").is_none());
    }

    #[test]
    fn nothing_that_steers_a_terminal_gets_out() {
        let failure = Failure::fault("a\u{1b}[2J\nerror: b").with_remedy("c\u{202e}\nd");
        let lines = failure.lines(Term::plain(), "what to do");
        assert_eq!(
            lines,
            "error: a\\u{1b}[2J\\nerror: b\n  what to do: c\\u{202e}\\nd\n"
        );
    }

    #[test]
    fn context_keeps_what_lies_under_it() {
        let error = anyhow::Error::new(refusal()).context("cannot enrol");
        let failure = Failure::from(error);
        assert_eq!(failure.exit, REFUSED);
        assert_eq!(failure.code, Some("enrolment_refused"));
        assert!(failure.message.starts_with("cannot enrol: step 2: "));

        let missing = Home::open(Path::new("/none/such"), Role::Cuhk);
        let failure = Failure::from(missing.context("cannot start").unwrap_err());
        assert_eq!(failure.exit, USAGE);
        assert_eq!(
            failure.message,
            "cannot start: no home of `cuhk` in /none/such"
        );

        let own = Failure::retry("busy").with_code("busy");
        assert_eq!(Failure::from(anyhow::Error::new(own.clone())), own);
    }

    #[test]
    fn anything_else_is_a_local_fault_with_its_causes() {
        let cause = std::io::Error::other("disk on fire");
        let failure = Failure::from(anyhow::Error::new(cause).context("cannot save"));
        assert_eq!(failure, Failure::fault("cannot save: disk on fire"));
    }

    #[test]
    fn the_causes_of_a_local_error_are_told() {
        let missing = crate::read_limited(Path::new("/none/such"), 1).unwrap_err();
        let failure = Failure::from(missing);
        assert_eq!(failure.exit, FAULT);
        assert!(failure.message.starts_with("cannot read /none/such: "));
    }
}
