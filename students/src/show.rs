//! How steps look on standard output.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use scb_cli::say;
use scb_protocol::Step;

use crate::Event;

/// From this size on, in bytes, a terminal shows a progress bar.
const LARGE: u64 = 1024 * 1024;

/// Prints each event as the line of its step; quiet for `--json`.
#[derive(Debug)]
pub(crate) struct Show {
    quiet: bool,
    last: Option<Step>,
    bar: Option<ProgressBar>,
}

impl Show {
    /// Prints, unless `quiet`.
    pub(crate) fn new(quiet: bool) -> Self {
        Self {
            quiet,
            last: None,
            bar: None,
        }
    }

    /// Shows one event. Standard output that is gone does not stop the work.
    pub(crate) fn event(&mut self, event: &Event) {
        if self.quiet {
            return;
        }
        match line(event) {
            Some((step, text)) => self.line(step, &text),
            None => self.progress(event),
        }
    }

    fn line(&mut self, step: Step, text: &str) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let same = self.last.replace(step) == Some(step);
        let label = if same {
            " ".repeat(6)
        } else {
            format!("step {step}")
        };
        // What cannot be printed is in the receipt all the same.
        let _ = say(&format!("{label}  {text}"));
    }

    fn progress(&mut self, event: &Event) {
        let Event::Sending { sent, total } = event else {
            return;
        };
        if *total < LARGE || !std::io::stderr().is_terminal() {
            return;
        }
        self.bar
            .get_or_insert_with(|| bar(*total))
            .set_position(*sent);
    }
}

fn bar(total: u64) -> ProgressBar {
    let template = "step 6  {bytes} of {total_bytes} {wide_bar} {eta}";
    let style = ProgressStyle::with_template(template);
    ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The step and the text of an event that has a line.
fn line(event: &Event) -> Option<(Step, String)> {
    Some(match event {
        Event::AlreadyCertified(count) => (
            Step::One,
            format!("{} here already", counted(*count, "certificate")),
        ),
        Event::RequestsSent { keys, requests } => {
            let (keys, requests) = (counted(*keys, "key"), counted(*requests, "request"));
            (Step::One, format!("{keys} made here, {requests} sent"))
        }
        Event::Certified(sid) => (Step::Two, format!("{sid} sign finished")),
        Event::TokenRefreshed(sid) => (Step::Two, format!("{sid} token refreshed")),
        Event::Verified(1) => (
            Step::Three,
            "CUHK confirms the member (signed, verified)".into(),
        ),
        Event::Verified(count) => (
            Step::Three,
            format!("CUHK confirms all {count} (signed, verified)"),
        ),
        Event::SharesOpened(1) => (Step::Four, "1 share received".into()),
        Event::SharesOpened(count) => (
            Step::Four,
            format!("{count} shares received, one per member"),
        ),
        Event::KeyConfirmed => (Step::Five, "session key confirmed".into()),
        Event::Sending { .. } => return None,
        Event::Stored {
            size,
            signatures,
            before,
        } => {
            let signatures = counted(*signatures, "signature");
            let stored = if *before {
                "stored before, the same receipt"
            } else {
                "stored"
            };
            let size = grouped(*size);
            (
                Step::Six,
                format!("{size} bytes, MAC, {signatures}: {stored}"),
            )
        }
    })
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// `1,050`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_the_main_job() {
        let events = [
            Event::RequestsSent {
                keys: 3,
                requests: 3,
            },
            Event::Certified("1155000001".parse().unwrap()),
            Event::Verified(3),
            Event::SharesOpened(3),
            Event::KeyConfirmed,
            Event::Stored {
                size: 1050,
                signatures: 3,
                before: false,
            },
        ];
        let lines: Vec<_> = events.iter().filter_map(line).collect();
        let lines: Vec<_> = lines
            .iter()
            .map(|(step, text)| format!("step {step}  {text}"))
            .collect();
        assert_eq!(
            lines,
            [
                "step 1  3 keys made here, 3 requests sent",
                "step 2  1155000001 sign finished",
                "step 3  CUHK confirms all 3 (signed, verified)",
                "step 4  3 shares received, one per member",
                "step 5  session key confirmed",
                "step 6  1,050 bytes, MAC, 3 signatures: stored",
            ]
        );
    }

    #[test]
    fn one_is_not_many() {
        let events = [
            Event::RequestsSent {
                keys: 1,
                requests: 1,
            },
            Event::AlreadyCertified(1),
        ];
        let texts: Vec<_> = events
            .iter()
            .filter_map(line)
            .map(|(_, text)| text)
            .collect();
        assert_eq!(
            texts,
            [
                "1 key made here, 1 request sent",
                "1 certificate here already"
            ]
        );
    }

    #[test]
    fn groups_thousands() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1050, "1,050"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
