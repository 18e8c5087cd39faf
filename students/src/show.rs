//! How steps look on standard output.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use scb_certs::StudentId;
use scb_cli::{local_time, printable, say};
use scb_explain::{Language, sentence};
use scb_protocol::{Code, Fact, Step, StepEvent, counted};

use crate::Event;
use crate::cli::Common;

/// From this size on, in bytes, a terminal shows a progress bar.
const LARGE: u64 = 1024 * 1024;

/// Under the text of a step.
const INDENT: &str = "        ";

/// Prints each event as the line of its step; quiet for `--json`.
#[derive(Debug)]
pub(crate) struct Show {
    quiet: bool,
    explain: Option<Language>,
    language: Language,
    last: Option<Step>,
    bar: Option<ProgressBar>,
}

impl Show {
    /// Prints, unless results are wanted as JSON; with `--explain` also what each step means.
    pub(crate) fn new(common: &Common) -> Self {
        Self {
            quiet: common.json,
            explain: common.explain.wanted(),
            language: common.explain.language.language(),
            last: None,
            bar: None,
        }
    }

    /// Shows one event. Standard output that is gone does not stop the work.
    pub(crate) fn event(&mut self, event: &Event) {
        if self.quiet {
            return;
        }
        match event {
            Event::Step(event) => self.step(event),
            Event::Sending { sent, total } => self.progress(*sent, *total),
            Event::Waiting {
                step,
                code,
                left,
                asked,
            } => self.waiting(*step, *code, *left, *asked),
        }
    }

    fn step(&mut self, event: &StepEvent) {
        match (line(event), self.explain) {
            (Some(text), _) => self.line(event.step, &text),
            (None, Some(_)) => self.line(event.step, &event.fact.to_string()),
            (None, None) => {}
        }
        if let Some(language) = self.explain {
            for line in scb_explain::lines(event, language) {
                let _ = say(&format!("{INDENT}{}", printable(&line)));
            }
        }
    }

    fn line(&mut self, step: Step, text: &str) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let same = self.last.replace(step) == Some(step);
        let label = if same {
            INDENT[2..].to_owned()
        } else {
            format!("step {step}")
        };
        // What cannot be printed is in the receipt all the same.
        let _ = say(&format!("{label}  {text}"));
    }

    fn progress(&mut self, sent: u64, total: u64) {
        if total < LARGE || !std::io::stderr().is_terminal() {
            return;
        }
        self.bar
            .get_or_insert_with(|| bar(total))
            .set_position(sent);
    }

    /// One line per wait; on a terminal, the seconds count down besides.
    fn waiting(&mut self, step: Step, code: Code, left: u32, asked: u32) {
        if left == asked {
            let why = sentence(code, self.language);
            let again = trying_again(self.language, asked);
            self.line(step, &format!("{why} [{code}]: {again}"));
        }
        if std::io::stderr().is_terminal() {
            let language = self.language;
            let bar = self.bar.get_or_insert_with(countdown);
            bar.set_message(trying_again(language, left));
            bar.tick();
        }
    }
}

fn trying_again(language: Language, seconds: u32) -> String {
    match language {
        Language::English => format!("trying again in {seconds} s"),
        Language::Chinese => format!("{seconds} 秒後再試"),
    }
}

/// What comes next, perhaps an error, begins on a line of its own.
impl Drop for Show {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn countdown() -> ProgressBar {
    let style = ProgressStyle::with_template("        {msg}");
    ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn bar(total: u64) -> ProgressBar {
    let template = "step 6  {bytes} of {total_bytes} {wide_bar} {eta}";
    let style = ProgressStyle::with_template(template);
    ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The text of a fact that has a line.
fn line(event: &StepEvent) -> Option<String> {
    let sid = event.sid.as_ref().map(StudentId::as_str).unwrap_or("");
    Some(match &event.fact {
        Fact::AlreadyCertified { certificates } => {
            format!("{} here already", counted(*certificates, "certificate"))
        }
        Fact::RequestsSent {
            fresh, requests, ..
        } => {
            let (keys, requests) = (counted(*fresh, "key"), counted(requests.len(), "request"));
            format!("{keys} made here, {requests} sent")
        }
        Fact::CertificateKept { .. } => format!("{sid} sign finished"),
        Fact::TokenRefreshed { .. } => format!("{sid} token refreshed"),
        Fact::AnswerVerified { members, .. } => match members.len() {
            1 => "CUHK confirms the member (signed, verified)".to_owned(),
            2 => "CUHK confirms both members (signed, verified)".to_owned(),
            count => format!("CUHK confirms all {count} (signed, verified)"),
        },
        Fact::TokensCount { members, until } => {
            let (tokens, until) = (counted(*members, "identity token"), local_time(*until));
            format!("CUHK is away: not asked; {tokens} accepted instead, until {until}")
        }
        Fact::SharesOpened { shares: 1, .. } => "1 share received".to_owned(),
        Fact::SharesOpened { shares, .. } => format!("{shares} shares received, one per member"),
        Fact::KeyConfirmed { .. } => "session key confirmed".to_owned(),
        Fact::ReceiptKept {
            size,
            signatures,
            before,
            ..
        } => {
            let signatures = counted(*signatures, "signature");
            let stored = if *before {
                "stored before, the same receipt"
            } else {
                "stored"
            };
            let size = counted(*size, "byte");
            format!("{size}, MAC, {signatures}: {stored}")
        }
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        let fact = |certificates| Fact::AlreadyCertified { certificates };
        let text = |certificates| line(&StepEvent::new(Step::One, fact(certificates))).unwrap();
        assert_eq!(text(1), "1 certificate here already");
        assert_eq!(text(3), "3 certificates here already");
    }
}
