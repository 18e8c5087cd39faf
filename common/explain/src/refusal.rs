//! Refusals as people read them.

use scb_protocol::{Code, Refusal};

use crate::Language;
use crate::chinese::{WRONG_CODES, chinese};
use crate::details::details_in_chinese;

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
    match language {
        Language::English => refusal.to_string(),
        Language::Chinese => format!("步驟 {}：{}", refusal.step, told(refusal, language)),
    }
}

/// The same without the step: of what nobody has done yet.
pub fn told(refusal: &Refusal, language: Language) -> String {
    let (colon, reason, details) = match language {
        Language::English => (": ", refusal.sentence(), String::new()),
        Language::Chinese => (
            "：",
            reason_in_chinese(refusal),
            details_in_chinese(refusal),
        ),
    };
    let student = refusal.sid.as_ref().map(|sid| format!("{sid}{colon}"));
    format!("{}{reason}{details}", student.unwrap_or_default())
}

fn reason_in_chinese(refusal: &Refusal) -> String {
    match refusal.is_for_wrong_codes() {
        true => WRONG_CODES.to_owned(),
        false => chinese(refusal.code).0.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
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
        assert_eq!(told, format!("步驟 1：{WRONG_CODES}（每分鐘可錯次數：60）"));
        assert!(!refusal(&busy, Language::Chinese).contains(WRONG_CODES));
    }

    #[test]
    fn details_are_kept_in_both_languages() {
        let one = Refusal::new(Code::ContentShort, Step::Six).with("expected", 1050);
        assert!(refusal(&one, Language::English).contains("(expected: 1050)"));
        let chinese = refusal(&one, Language::Chinese);
        assert_eq!(chinese, "步驟 6：收到的位元組比聲明所載的少（應為：1050）");
    }

    #[test]
    fn what_nobody_has_done_yet_is_told_without_a_step() {
        let sid = "1155000001".parse().unwrap();
        let one = Refusal::new(Code::GroupSize, Step::Six)
            .about(&sid)
            .with("got", 3);
        let english = told(&one, Language::English);
        assert_eq!(
            english,
            format!("1155000001: {} (got: 3)", Code::GroupSize.sentence())
        );
        let chinese = told(&one, Language::Chinese);
        assert!(chinese.starts_with("1155000001：組員人數"), "{chinese}");
        assert!(chinese.ends_with("（實為：3）"), "{chinese}");
    }
}
