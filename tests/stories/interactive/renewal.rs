//! A certificate that is due while somebody works with the menu.

use std::fs;

use crate::campus::Campus;
use crate::renewal::{in_seconds, set_term};

use super::{Eof, Expect, SEEN, answer, terminal};

const SID: &str = "1155000001";

#[test]
fn the_menu_renews_what_is_due_before_it_asks_for_a_code() {
    let campus = Campus::sandbox();
    set_term(&campus, "2026-27-T1", &in_seconds(200));
    let home = campus.outside().join("home");
    let codes = campus.path().join("codes.csv");
    let enrol = ["enrol", "--ids", SID, "--codes", codes.to_str().unwrap()];
    campus.student_elsewhere(&home, &enrol).succeeded();
    set_term(&campus, "2026-27-T1", &in_seconds(3600));
    let chain = home.join("students").join(SID).join("chain.pem");
    let before = fs::read(&chain).unwrap();
    // The sheet is gone: whoever had to type a code could not.
    fs::remove_file(codes).unwrap();

    let mut terminal = terminal(campus.command_elsewhere(&home, &[]));
    let first = [
        ("With a certificate here: 1155000001", SEEN),
        ("Student ID 1 [1155000001]", ""),
        ("Student ID 2", ""),
        ("Q quit", "4"),
        ("1155000001 certificate renewed", SEEN),
        ("Q quit", "q"),
    ];
    answer(&mut terminal, &first);
    terminal.expect(Eof).unwrap();
    assert_ne!(fs::read(&chain).unwrap(), before);
}
