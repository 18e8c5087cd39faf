//! Names of which nothing is seen, wherever they are shown.

use super::FilePath;

impl FilePath {
    /// Whether some name in it shows nothing at all. Such a name is not handed in any more; what was
    /// handed in under one is read as before.
    pub fn is_blank(&self) -> bool {
        self.parts().any(|name| name.chars().all(is_blank))
    }
}

/// White space, whatever fonts draw as nothing, and what Unicode lets programs ignore
/// (`Default_Ignorable_Code_Point`), beside what no name may have.
fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || matches!(c,
            '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{2800}'
            | '\u{3164}' | '\u{ffa0}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d159}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_shows_nothing_is_blank_and_one_sign_is_enough() {
        for blank in [
            " ",
            "\u{a0}\u{3000}",
            "\u{2800}",
            "\u{3164}",
            "\u{ffa0}",
            "\u{fe0f}",
            "\u{200d}\u{200c}",
            "\u{e0100}",
            "\u{34f}\u{115f}\u{180b}",
            "src/\u{3164}",
            " /report.pdf",
        ] {
            assert!(blank.parse::<FilePath>().unwrap().is_blank(), "{blank:?}");
        }
        for seen in [
            "a b",
            ".\u{3164}",
            "報告",
            "👩\u{200d}💻",
            "葛\u{e0100}",
            "-",
            "\u{a0}x",
        ] {
            assert!(!seen.parse::<FilePath>().unwrap().is_blank(), "{seen:?}");
        }
    }
}
