//! The roster of a large university, and how much memory it takes to read it.

use std::fs::File;
use std::io::{BufWriter, Write};

use crate::campus::ByHand;
use crate::process::measured;

const ROWS: u32 = 100_000;
/// MiB at once, at most; it was 41 (23 November 2026).
const BOUND: u64 = 64;

#[test]
fn a_hundred_thousand_students_are_imported_in_bounded_memory() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let mut file = BufWriter::new(File::create(campus.path("roster.csv")).unwrap());
    writeln!(file, "sid,name,email,programme").unwrap();
    for n in 0..ROWS {
        let sid = 2_055_000_000 + n;
        writeln!(file, "{sid},Student Number {n},{sid}@link.example,BSc").unwrap();
    }
    file.flush().unwrap();
    let import = ["roster", "import", "roster.csv", "--missing", "suspend"];
    let (ran, most) = measured(&mut campus.command("cuhk", &import));
    let (mib, said) = (most >> 10, ran.succeeded().stdout);
    println!("{mib} MiB for {ROWS} rows");
    let told = format!("{ROWS} added, 0 changed, 0 unchanged, 0 refused");
    assert!(said.contains(&told), "{said}");
    assert!(mib > 0 && mib < BOUND, "{mib} MiB for {ROWS} rows");
}
