//! Refusals as people read them.

use scb_protocol::{Code, Refusal};

use crate::Language;
use crate::chinese::{WRONG_CODES, chinese};

/// What was wrong, without student or details.
pub fn sentence(code: Code, language: Language) -> &'static str {
    match language {
        Language::English => code.sentence(),
        Language::Chinese => chinese(code).0,
    }
}

/// What to do about it.
pub fn remedy(code: Code, language: Language) -> &'static str {
    match language {
        Language::English => code.remedy(),
        Language::Chinese => chinese(code).1,
    }
}

/// Step, student, what was wrong and the details, in one line that a terminal can show.
pub fn refusal(refusal: &Refusal, language: Language) -> String {
    if language == Language::English {
        return refusal.to_string();
    }
    let student = refusal.sid.as_ref().map(|sid| format!("{sid}："));
    let english = refusal.sentence();
    let details = english.strip_prefix(refusal.reason()).unwrap_or_default();
    let reason = match refusal.is_for_wrong_codes() {
        true => WRONG_CODES,
        false => sentence(refusal.code, language),
    };
    format!(
        "步驟 {}：{}{}{details}",
        refusal.step,
        student.unwrap_or_default(),
        reason
    )
}

#[cfg(test)]
mod tests {
    use scb_protocol::{Step, WRONG_CODES_PER_MINUTE};

    use super::*;

    #[test]
    fn every_code_has_its_own_sentence_in_both_languages() {
        for language in [Language::English, Language::Chinese] {
            let sentences: std::collections::BTreeSet<_> = Code::ALL
                .iter()
                .map(|code| sentence(*code, language))
                .collect();
            assert_eq!(sentences.len(), Code::ALL.len());
        }
    }

    #[test]
    fn too_many_wrong_codes_have_words_of_their_own() {
        let busy = Refusal::new(Code::Busy, Step::One);
        let wrong = busy.clone().with(WRONG_CODES_PER_MINUTE, 60);
        let told = refusal(&wrong, Language::Chinese);
        assert_eq!(
            told,
            format!("步驟 1：{WRONG_CODES} (wrong_codes_per_minute: 60)")
        );
        assert!(!refusal(&busy, Language::Chinese).contains(WRONG_CODES));
    }

    #[test]
    fn details_are_kept_in_both_languages() {
        let one = Refusal::new(Code::ContentShort, Step::Six).with("expected", 1050);
        assert!(refusal(&one, Language::English).contains("(expected: 1050)"));
        let chinese = refusal(&one, Language::Chinese);
        assert_eq!(
            chinese,
            "步驟 6：收到的位元組比聲明所載的少 (expected: 1050)"
        );
    }
}
