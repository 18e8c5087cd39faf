//! Over a slow link a person at a terminal sees how far the hand-in is, how fast it goes and how long it will take.

use std::fs::File;
use std::time::Duration;

use expectrl::session::Session;
use expectrl::{Eof, Expect, Regex};
use tokio::task::block_in_place;

use crate::campus::{Campus, LONG, Ran, program};
use crate::proxy::{Fault, Proxy};

/// More than the buffers on the way take at once.
const SIZE: u64 = 16 << 20;
/// Bytes that the link takes at a time, and the pause before each: 4 MiB in a second.
const LINK: Fault = Fault::Paced(32 << 10, Duration::from_millis(8));

/// A number with its unit, as the bar has it.
fn mib(found: &[u8]) -> f64 {
    let text = String::from_utf8_lossy(found).into_owned();
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_shows_how_far_a_hand_in_is_and_nothing_else_does() {
    let campus = Campus::sandbox();
    let enrol = ["enrol", "--ids", "1155000001"];
    block_in_place(|| campus.student(&enrol)).succeeded();
    let report = campus.outside().join("report.bin");
    File::create(&report).unwrap().set_len(SIZE).unwrap();
    let slow = Proxy::before(&campus.blackboard.address(), LINK).await;
    let command = |blackboard: &str| {
        let mut command = program("student");
        command.arg("--sandbox").arg(campus.path());
        command.args(["--blackboard", blackboard]);
        command.args(["submit", "--ids", "1155000001"]).arg(&report);
        command
    };
    block_in_place(|| {
        let mut terminal = Session::spawn(command(&slow.address)).unwrap();
        terminal.set_expect_timeout(Some(LONG));
        let far = r"step 6  ([\d.]+) MiB / 16\.00 MiB [^\r\n]*?";
        let pace = r"([\d.]+) MiB/s  (\d\d:\d\d:\d\d)";
        let bar = format!("{far}{pace}");
        let first = terminal.expect(Regex(bar.as_str())).unwrap();
        let (first, rate) = (mib(&first[1]), mib(&first[2]));
        // Not what the buffers took at once, and not slower than a busy machine makes it.
        assert!(rate > 0.2 && rate < 8.0, "{rate} MiB/s");
        let next = terminal.expect(Regex(bar.as_str())).unwrap();
        let next = mib(&next[1]);
        assert!(first < next && next <= 16.0, "{first} MiB, then {next}");
        terminal.expect("S-000001.zip").unwrap();
        terminal.expect(Eof).unwrap();

        // Into a file or a pipe goes nothing of it.
        File::create(&report).unwrap().set_len(SIZE + 1).unwrap();
        let ran = Ran::of(&mut command(&campus.blackboard.address())).succeeded();
        assert!(ran.stdout.contains("S-000002.zip"), "{ran:#?}");
        for told in ["MiB", "iB/s", "\r", "\u{1b}", "█"] {
            assert!(!ran.stdout.contains(told), "{told:?}: {ran:#?}");
        }
        assert_eq!(ran.stderr, "");
    });
}
