//! Whatever somebody sends, reading it ends in a value or a refusal.

use proptest::prelude::*;
use scb_tlog::{Hash, KeyName, SignedNote, Tile, TlogProof, UnverifiedCheckpoint, VerifierKey};

proptest! {
    #[test]
    fn no_text_makes_a_reader_panic(text in "(?s).{0,200}", near in "(— |[a-z+/ 0-9A-Z=]{0,50}\n){0,8}") {
        for text in [&text, &near] {
            let _ = text.parse::<SignedNote>();
            let _ = text.parse::<UnverifiedCheckpoint>();
            let _ = text.parse::<TlogProof>();
            let _ = text.parse::<VerifierKey>();
            let _ = text.parse::<KeyName>();
            let _ = text.parse::<Tile>();
            let _ = text.parse::<Hash>();
            let _ = format!("c2sp.org/tlog-proof@v1\nindex 0\n\n{text}").parse::<TlogProof>();
        }
    }
}
