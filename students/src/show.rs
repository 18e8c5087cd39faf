//! How steps look on standard output.

mod line;
mod pace;

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use scb_cli::{local_time, printable, say};
use scb_explain::{Language, sentence, step_title};
use scb_protocol::statement::FilePath;
use scb_protocol::{Code, Fact, Step, StepEvent};

use crate::Event;
use crate::cli::Common;
use crate::words::Words;

use line::line;
use pace::Pace;

/// From this size on, in bytes, a terminal shows a progress bar.
const LARGE: u64 = 1024 * 1024;

/// Under the text of a step.
const INDENT: &str = "        ";

/// Prints each event as the line of its step; quiet for `--json`.
#[derive(Debug)]
pub(crate) struct Show {
    quiet: bool,
    explain: Option<Language>,
    words: Words,
    last: Option<Step>,
    bar: Option<ProgressBar>,
    /// Another connection goes through the steps that were shown.
    again: bool,
}

impl Show {
    /// Prints, unless results are wanted as JSON; with `--explain` also what each step means.
    pub(crate) fn new(common: &Common) -> Self {
        Self {
            quiet: common.json,
            explain: common.explain.wanted(),
            words: Words::of(common.explain.language.language()),
            last: None,
            bar: None,
            again: false,
        }
    }

    /// Shows one event. Standard output that is gone does not stop the work.
    pub(crate) fn event(&mut self, event: &Event) {
        if self.quiet {
            return;
        }
        match event {
            Event::Step(event) => self.step(event),
            Event::GoingOn { have, total, anew } => self.going_on(*have, *total, anew),
            Event::Sending { sent, total } => self.progress(*sent, *total),
            Event::Interrupted { code } => self.interrupted(*code),
            Event::HomeBusy { dir } => {
                let dir = printable(&dir.to_string_lossy());
                self.line(Step::Six, &self.words.home_busy(&dir));
            }
            Event::NotRenewed {
                sid,
                code,
                reason,
                until,
            } => {
                let why = match code {
                    Some(code) => format!("{} [{code}]", sentence(*code, self.words.language())),
                    None => printable(reason),
                };
                let until = until.map(local_time);
                let text = self.words.not_renewed(sid, &why, until.as_deref());
                self.line(Step::Two, &text);
            }
            Event::RejectionKept { path } => {
                let path = printable(&path.to_string_lossy());
                self.line(Step::Six, &self.words.rejection_in(&path));
            }
            Event::CommitmentBroken {
                commitment,
                receipt,
            } => {
                let paths = [commitment, receipt].map(|path| printable(&path.to_string_lossy()));
                self.line(Step::Six, &self.words.contradicts(&paths));
            }
            Event::KeptBeside { before, now } => {
                let paths = [before, now].map(|path| printable(&path.to_string_lossy()));
                self.line(Step::Six, &self.words.kept_beside(&paths));
            }
            Event::RulesContradicted { before, now } => {
                let paths = [before, now].map(|path| printable(&path.to_string_lossy()));
                self.line(Step::Six, &self.words.rules_contradicted(&paths));
            }
            Event::GivenUp { submission } => {
                self.line(Step::Six, &self.words.given_up(submission));
            }
            Event::ProposedAnew { submission } => {
                self.line(Step::Six, &self.words.proposed_anew(submission));
            }
            Event::LeftOut { sid, code } => {
                let why = sentence(*code, self.words.language());
                self.line(Step::Three, &self.words.left_out(sid, why));
            }
            Event::WillBeLate { standings } => {
                self.line(Step::Six, &self.words.will_be_late(standings));
            }
            Event::NotListed { course, assignment } => {
                self.line(Step::Six, &self.words.not_listed(course, assignment));
            }
            Event::StillStands {
                submission,
                at,
                until,
                counts,
            } => {
                let text = self.words.still_stands(submission, (*at, *until), *counts);
                self.line(Step::Six, &text);
            }
            Event::Waiting {
                step,
                code,
                left,
                asked,
            } => self.waiting(*step, *code, *left, *asked),
        }
    }

    /// Other connections will go through the steps that were shown: they are not shown again.
    pub(crate) fn goes_again(&mut self) {
        self.again = true;
    }

    fn step(&mut self, event: &StepEvent) {
        if self.again && self.explain.is_none() && is_repeated(event) {
            return;
        }
        match (line(event, self.words.language()), self.explain) {
            (Some(text), _) => self.line(event.step, &text),
            // What has no line of its own: the words of the log, or what the step is about.
            (None, Some(Language::English)) => self.line(event.step, &event.fact.to_string()),
            (None, Some(language)) => self.line(event.step, step_title(event.step, language)),
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
            format!("{} {step}", self.words.step())
        };
        // What cannot be printed is in the receipt all the same.
        let _ = say(&format!("{label}  {text}"));
    }

    fn going_on(&mut self, have: u64, total: u64, anew: &[FilePath]) {
        for file in anew {
            let text = self.words.sent_anew(&printable(file.as_ref()));
            self.line(Step::Six, &text);
        }
        if have > 0 && !self.again {
            let text = self.words.going_on(have, total);
            self.line(Step::Six, &text);
        }
    }

    fn progress(&mut self, sent: u64, total: u64) {
        if total < LARGE || !std::io::stderr().is_terminal() {
            return;
        }
        match &self.bar {
            Some(bar) => bar.set_position(sent),
            None => self.bar = Some(bar(sent, total, self.words)),
        }
    }

    /// The one line about it, however many connections it takes.
    fn interrupted(&mut self, code: Code) {
        let why = sentence(code, self.words.language());
        let again = self.words.connecting_again();
        self.line(Step::Six, &format!("{why} [{code}]: {again}"));
        self.again = true;
    }

    /// One line per wait; on a terminal, the seconds count down besides.
    fn waiting(&mut self, step: Step, code: Code, left: u32, asked: u32) {
        if left == asked {
            let why = sentence(code, self.words.language());
            let again = self.words.trying_again(asked);
            self.line(step, &format!("{why} [{code}]: {again}"));
        }
        if std::io::stderr().is_terminal() {
            let again = self.words.trying_again(left);
            let bar = self.bar.get_or_insert_with(countdown);
            bar.set_message(again);
            bar.tick();
        }
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

/// What every connection comes to before it goes on with an upload.
fn is_repeated(event: &StepEvent) -> bool {
    let before = matches!(event.step, Step::Three | Step::Four | Step::Five);
    before || matches!(event.fact, Fact::StatementSent(_) | Fact::Committed { .. })
}

fn countdown() -> ProgressBar {
    let style = ProgressStyle::with_template("        {msg}");
    ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// From the first `sent` bytes on.
fn bar(sent: u64, total: u64, words: Words) -> ProgressBar {
    let step = words.step();
    let template = format!("{step} 6  {{bytes}} / {{total_bytes}} {{wide_bar}} {{pace}}");
    let style = ProgressStyle::with_template(&template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total)
        .with_style(style.with_key("pace", Pace::default()))
        .with_position(sent)
}
