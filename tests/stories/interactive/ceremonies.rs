//! CUHK's ceremonies on terminals.

use expectrl::Expect;

use super::terminal;
use crate::campus::ByHand;

#[test]
fn a_forgotten_prompt_keeps_no_key_from_being_withdrawn() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let mut forgotten = Vec::new();
    for line in [
        &["keys", "rotate", "students"][..],
        &["keys", "rotate", "root"],
        &["keys", "request", "services", "--out", "request.json"],
        &["keys", "withdraw", "services", "--replace"],
    ] {
        let mut waiting = terminal(campus.command("cuhk", line));
        waiting.expect("Passphrase of the").unwrap();
        forgotten.push(waiting);
    }
    let withdraw = ["keys", "withdraw", "students", "--replace"];
    let passphrases = [
        "--passphrase-file",
        "issuers.pass",
        "--root-passphrase-file",
        "root.pass",
    ];
    let done = campus.cuhk(&[&withdraw[..], &passphrases].concat());
    assert!(done.succeeded().stdout.contains("withdrawn"));
}
