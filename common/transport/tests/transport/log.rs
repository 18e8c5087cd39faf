//! Log lines as a process of its own writes them.

use std::process::Command;

use scb_protocol::{Fact, Step, StepEvent};
use scb_transport::telemetry::{self, LogFormat};

/// Set in the process that logs.
const LOGS: &str = "SCB_TEST_LOGS";

/// Not a test by itself: what [`stderr_of_a_process`] runs.
#[test]
fn logs_and_panics() {
    let Ok(format) = std::env::var(LOGS) else {
        return;
    };
    let init = |format| telemetry::init(format, None, |_, text| text);
    init(format.parse().unwrap()).unwrap();
    assert!(init(LogFormat::Text).is_err(), "only once");
    telemetry::emit(&StepEvent::new(Step::Three, Fact::AlreadyCertified { certificates: 3 }).on(7));
    tracing::debug!("only for those who ask");
    let panicked = std::thread::spawn(|| panic!("out of\nluck")).join();
    assert!(panicked.is_err());
}

fn stderr_of_a_process(format: &str, level: &str) -> Vec<String> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "log::logs_and_panics", "--nocapture"])
        .env(LOGS, format)
        .env("SCB_LOG", level)
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn every_event_and_every_panic_is_one_line() {
    let lines = stderr_of_a_process("text", "");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].ends_with(" step 3 conn=7 already certified 3"),
        "{lines:?}"
    );
    assert!(
        lines[1].contains(" error ") && lines[1].ends_with("out of luck"),
        "{lines:?}"
    );
}

#[test]
fn the_environment_chooses_the_level() {
    assert_eq!(stderr_of_a_process("json", "debug").len(), 3);
    let errors = stderr_of_a_process("json", "error");
    assert_eq!(errors.len(), 1);
    assert!(errors[0].contains(r#""level":"error""#), "{errors:?}");
}
