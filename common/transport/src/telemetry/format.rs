//! One event, one line.

use std::fmt;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::record::{Record, reorders};
use super::{ForStderr, LogFormat};

const CLOCK: &[BorrowedFormatItem<'_>] =
    format_description!("[hour]:[minute]:[second].[subsecond digits:3]");
const INSTANT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// Writes lines of one format.
pub(super) struct Lines {
    pub(super) format: LogFormat,
    pub(super) for_stderr: ForStderr,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut record = Record::default();
        event.record(&mut record);
        let level = *event.metadata().level();
        let now = OffsetDateTime::now_utc();
        let text = match self.format {
            LogFormat::Text => text(&record, level, now),
            LogFormat::Json => json(record, level, now),
        };
        writer.write_str(&(self.for_stderr)(priority(level), text + "\n"))
    }
}

/// As syslog has it.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// The level is shown only where it is not `info`.
fn text(record: &Record, level: Level, now: OffsetDateTime) -> String {
    let clock = formatted(now, CLOCK);
    let text = record.to_text();
    match level {
        Level::INFO => format!("{clock} {text}"),
        level => format!("{clock} {} {text}", lower_case(level)),
    }
}

fn json(record: Record, level: Level, now: OffsetDateTime) -> String {
    let mut object = Map::new();
    object.insert("time".to_owned(), formatted(now, INSTANT).into());
    object.insert("level".to_owned(), lower_case(level).into());
    record.into_json(&mut object);
    escape_reordering(&Value::Object(object).to_string())
}

fn formatted(now: OffsetDateTime, format: &[BorrowedFormatItem<'_>]) -> String {
    now.format(&format).unwrap_or_default()
}

fn lower_case(level: Level) -> String {
    level.as_str().to_ascii_lowercase()
}

/// serde_json escapes control characters but not these, which occur only inside strings.
fn escape_reordering(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        match reorders(c) || c == '\u{7f}' || ('\u{80}'..='\u{9f}').contains(&c) {
            true => safe.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use scb_certs::Fingerprint;
    use scb_protocol::values::{Challenge, Nonce};
    use scb_protocol::{Channel, Code, Fact, Refusal, Step, StepEvent, Transcript1};
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;
    use crate::telemetry::{emit, log};

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Memory {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    fn logged(format: LogFormat, log: impl FnOnce()) -> String {
        let for_stderr = |_: u8, text: String| text;
        logged_as(Lines { format, for_stderr }, log)
    }

    fn logged_as(lines: Lines, log: impl FnOnce()) -> String {
        let memory = Memory::default();
        let subscriber = tracing_subscriber::fmt()
            .event_format(lines)
            .with_max_level(Level::DEBUG)
            .with_writer(memory.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = memory.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn verified() -> StepEvent {
        let channel = Channel {
            exporter: [0; 32],
            service: "spiffe://example.edu/service/blackboard".parse().unwrap(),
            client_certificate: Fingerprint::of(b""),
        };
        let fact = Fact::GroupVerified {
            t1: Transcript1::new(&channel, &Challenge::from_bytes([0; 32]), &[]),
            nonce: Nonce::from_bytes([0; 16]),
            members: Vec::new(),
        };
        StepEvent::new(Step::Three, fact)
            .on(7)
            .about(&"1155000001".parse().unwrap())
            .took(Duration::from_micros(1900))
    }

    #[test]
    fn a_step_is_one_line_that_reads_as_designed() {
        let event = verified();
        let line = logged(LogFormat::Text, || emit(&event));
        let (time, rest) = line.split_once(' ').unwrap();
        assert_eq!(time.len(), "12:00:01.204".len(), "{time}");
        assert_eq!(rest, "step 3 conn=7 sid=1155000001 verified 1.9ms\n");
        assert_eq!(rest.trim_end(), event.to_string());
    }

    #[test]
    fn a_step_in_json_has_its_fields() {
        let line = logged(LogFormat::Json, || emit(&verified()));
        let json: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(json["step"], 3);
        assert_eq!(json["conn"], 7);
        assert_eq!(json["sid"], "1155000001");
        assert_eq!(json["message"], "verified");
        assert_eq!(json["elapsed_ms"], 1.9);
        assert_eq!(json["level"], "info");
        assert!(json["time"].as_str().unwrap().ends_with('Z'));
        assert!(json.get("code").is_none());
    }

    #[test]
    fn an_explanation_stands_under_its_line_and_forges_none() {
        let explanation = Some("First.\nSecond \u{1b}[2J.");
        let text = logged(LogFormat::Text, || log(&verified(), explanation));
        let (line, below) = text.split_once('\n').unwrap();
        assert!(line.ends_with(" verified 1.9ms"), "{text}");
        assert_eq!(
            below,
            "             First.\n             Second \\u{1b}[2J.\n"
        );
        let json = logged(LogFormat::Json, || log(&verified(), explanation));
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["explanation"], "First.\nSecond \u{1b}[2J.");
        assert_eq!(json["message"], "verified");
    }

    #[test]
    fn a_refusal_names_its_code() {
        let refusal = Refusal::new(Code::TokenExpired, Step::Three);
        let event = StepEvent::refused(&refusal);
        let text = logged(LogFormat::Text, || emit(&event));
        assert!(text.ends_with(&format!("{event}\n")), "{text}");
        let json: Value = serde_json::from_str(&logged(LogFormat::Json, || emit(&event))).unwrap();
        assert_eq!(json["code"], "token_expired");
    }

    #[test]
    fn whatever_a_peer_chose_stays_on_one_line_and_commands_no_terminal() {
        let hostile = "a\n12:00:00.000 step 6 stored\u{1b}[2J\u{202e}\u{9b}b\u{7f}";
        for format in [LogFormat::Text, LogFormat::Json] {
            let line = logged(format, || {
                tracing::info!(name = hostile, "peer said {hostile}")
            });
            let line = line.strip_suffix('\n').unwrap();
            assert!(
                !line.chars().any(|c| c.is_control() || reorders(c)),
                "{line:?}"
            );
        }
    }

    #[test]
    fn an_event_goes_out_whole_with_the_priority_of_its_level() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let for_stderr = |priority: u8, text: String| {
                assert!(text.ends_with('\n'), "{text:?}");
                format!("{priority} ")
            };
            let logged = logged_as(Lines { format, for_stderr }, || {
                tracing::error!("one");
                tracing::warn!("two");
                log(&verified(), Some("Three.\nAnd below."));
                tracing::debug!("four");
            });
            assert_eq!(logged, "3 4 6 7 ");
        }
    }

    #[test]
    fn other_levels_and_fields_are_shown() {
        let line = logged(LogFormat::Text, || {
            tracing::warn!(conn = 2_u64, peer = "x", "odd")
        });
        assert!(line.ends_with(" warn conn=2 odd peer=x\n"), "{line}");
    }
}
