//! Numbers and counts as people read them in English.

use std::fmt::Display;

/// `1 byte`, `0 bytes`, `2 entries`, `1,050 bytes`: a count with its noun, which takes an `s`, or
/// `ies` in the place of its `y` after a consonant, unless there is one.
pub fn counted(count: impl Display, noun: &str) -> String {
    let count = grouped(count);
    let is_vowel = |letter: char| "aeiou".contains(letter);
    match noun.strip_suffix('y') {
        _ if count == "1" => format!("{count} {noun}"),
        Some(stem) if !stem.ends_with(is_vowel) => format!("{count} {stem}ies"),
        _ => format!("{count} {noun}s"),
    }
}

/// `1,234,567`.
pub fn grouped(number: impl Display) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_nothing_else_is() {
        for (count, text) in [(0, "0 codes"), (1, "1 code"), (2, "2 codes")] {
            assert_eq!(counted(count, "code"), text);
        }
        assert_eq!(counted(16_777_216_u64, "byte"), "16,777,216 bytes");
        assert_eq!(counted(2, "entry"), "2 entries");
        assert_eq!(
            (counted(1, "entry"), counted(3, "key")),
            ("1 entry".into(), "3 keys".into())
        );
    }

    #[test]
    fn digits_stand_in_threes() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (123_456, "123,456"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
