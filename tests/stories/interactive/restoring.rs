//! A home with many files comes back before somebody's eyes.

use std::fs;

use expectrl::{Eof, Expect};

use super::terminal;
use crate::campus::ByHand;

#[test]
fn how_far_a_restoration_is_shows_on_a_terminal_and_nowhere_else() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let tiles = campus.path("cuhk.home/log/tile/0/x000");
    fs::create_dir_all(&tiles).unwrap();
    for number in 0..600 {
        fs::write(tiles.join(format!("{number:03}")), number.to_string()).unwrap();
    }
    campus.cuhk(&["backup", "many.zip"]).succeeded();
    fs::rename(campus.path("cuhk.home"), campus.path("cuhk.old")).unwrap();

    let mut shown = terminal(campus.command("cuhk", &["restore", "many.zip"]));
    for part in ["checked", "files", "written", "files", "restored from"] {
        shown.expect(part).unwrap();
    }
    shown.expect(Eof).unwrap();
    for number in 0..600 {
        let there = campus.path(&format!("cuhk.home/log/tile/0/x000/{number:03}"));
        assert_eq!(fs::read_to_string(there).unwrap(), number.to_string());
    }

    fs::rename(campus.path("cuhk.home"), campus.path("cuhk.new")).unwrap();
    let quiet = campus.cuhk(&["restore", "many.zip"]).succeeded();
    assert!(!quiet.stderr.contains("written"), "{quiet:#?}");
}
