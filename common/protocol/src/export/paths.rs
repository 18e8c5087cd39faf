//! Where each file of a submission lies in an archive, below the submission's folder.
//!
//! Every verifier computes these paths from what the members signed, so that nothing else decides which
//! content has which name. The rules here are part of the format. They use no Unicode tables, whose versions
//! differ.

use std::collections::HashSet;

use crate::statement::{FileEntry, FilePath, Files};

/// Longest name, in bytes: that of most file systems, and of a statement's file.
const LONGEST: usize = 255;
/// The signs of ASCII that stay, besides letters and digits.
const SIGNS: &str = "._- ()+,=@#[]~";
/// What is put in front of a name that begins badly, or is the receipt's.
const PREFIX: &str = "report-";

/// The path of each file, in order, its parts joined by `/`: as it was handed in, in harmless
/// names; or all side by side under their numbers, where those would not be told apart.
pub fn safe_paths(files: &Files) -> Vec<String> {
    let paths: Vec<String> = files.iter().map(|file| safe_path(&file.name)).collect();
    let keys: HashSet<String> = paths.iter().map(|path| path.to_ascii_lowercase()).collect();
    let is_folder = |path: &String| {
        let key = path.to_ascii_lowercase();
        let mut ends = key.match_indices('/').map(|(end, _)| &key[..end]);
        ends.any(|folder| keys.contains(folder))
    };
    if keys.len() == paths.len() && !paths.iter().any(is_folder) {
        return paths;
    }
    let numbered = |(index, file): (usize, &FileEntry)| {
        safe_name(&format!("{:03}-{}", index + 1, file.name.name()))
    };
    files.iter().enumerate().map(numbered).collect()
}

fn safe_path(path: &FilePath) -> String {
    let parts: Vec<String> = path.parts().map(safe_name).collect();
    parts.join("/")
}

/// A name that is harmless in every file system and shell, no option of a command, and never that of
/// the receipt. Names such as `.gitignore` stay: work is built with them.
fn safe_name(name: &str) -> String {
    let harmless = |c| if is_harmless(c) { c } else { '_' };
    let mut safe: String = name.chars().map(harmless).collect();
    let begins_well = |c: char| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii();
    let after_dot = safe.strip_prefix('.').unwrap_or(&safe);
    if !after_dot.starts_with(begins_well) || safe.to_ascii_lowercase().starts_with("receipt.") {
        safe.insert_str(0, PREFIX);
    }
    while safe.len() > LONGEST {
        safe.pop();
    }
    safe.trim_end_matches(['.', ' ']).to_owned()
}

/// Not what ends a command, is reserved in a file system, or reorders or hides what is read.
fn is_harmless(c: char) -> bool {
    match c {
        _ if c.is_ascii() => c.is_ascii_alphanumeric() || SIGNS.contains(c),
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' => false,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => false,
        '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}' => false,
        _ => true,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_certs::Fingerprint;

    use super::*;

    #[test]
    fn keeps_names_that_people_use() {
        let longest = "é".repeat(127) + "z";
        for name in [
            "submission.txt",
            "報告 final (2).pdf",
            "a-b_c,d+e.tar.gz",
            "__init__.py",
            "_pkg",
            ".gitignore",
            ".報告",
            "lab [1] – “draft”.pdf",
            "e\u{301}tude, ภาษาไทย.md",
            longest.as_str(),
        ] {
            assert_eq!(safe_name(name), name);
        }
    }

    #[test]
    fn defuses_names_that_do_harm() {
        for (name, safe) in [
            ("../x", "report-.._x"),
            ("..bashrc", "report-..bashrc"),
            (".-x", "report-.-x"),
            ("...", "report-"),
            (".", "report-"),
            ("-rf", "report--rf"),
            ("~root", "report-~root"),
            ("=cmd", "report-=cmd"),
            ("a;rm b|c", "a_rm b_c"),
            ("x\u{202e}fdp.exe", "x_fdp.exe"),
            ("receipt.zip", "report-receipt.zip"),
            ("Receipt.ZIP", "report-Receipt.ZIP"),
            ("x. .", "x"),
            (" ", "report-"),
        ] {
            assert_eq!(safe_name(name), safe);
        }
        let longest = format!(".{}", "報".repeat(84));
        assert!(safe_name(&longest).len() <= LONGEST);
    }

    fn paths(names: &[&str]) -> Vec<String> {
        let file = |name: &&str| FileEntry {
            name: name.parse().unwrap(),
            size: 1,
            sha256: Fingerprint::of(name.as_bytes()),
        };
        safe_paths(&Files::new(names.iter().map(file).collect()).unwrap())
    }

    #[test]
    fn keeps_folders() {
        let names = [
            "src/main.rs",
            "_pkg/__init__.py",
            ".github/workflows/ci.yml",
            "報告/最終.pdf",
        ];
        assert_eq!(paths(&names), names);
        assert_eq!(
            paths(&["a/receipt.zip", "b"]),
            ["a/report-receipt.zip", "b"]
        );
    }

    #[test]
    fn numbers_files_that_harmless_names_do_not_tell_apart() {
        assert_eq!(paths(&["a;b", "a|b"]), ["001-a_b", "002-a_b"]);
        assert_eq!(paths(&["a;b", "A|b"]), ["001-a_b", "002-A_b"]);
        assert_eq!(paths(&["a;/x", "a_"]), ["001-x", "002-a_"]);
    }
}
