//! What is said where something failed after a signed statement was recorded: what stands, until when,
//! and what to do about it.

use scb_cli::{Failure, local_time, printable};
use scb_explain::Language;

use super::alone;
use crate::{Error, Recorded};

/// As the failure alone, with what stands.
pub(super) fn told(cause: &Error, recorded: &Recorded, language: Language) -> Failure {
    let changed = matches!(cause, Error::ReportChanged { .. });
    let failure = alone(cause, language, Some(recorded));
    let remedy = failure.remedy.iter().cloned().chain([match changed {
        true => next_version(language),
        false => goes_on(recorded, language),
    }]);
    let between = language.pick("; ", "；");
    let stands = stands(recorded, changed, language) + &signed(recorded, language);
    Failure {
        message: format!("{}{between}{stands}", failure.message),
        remedy: Some(remedy.collect::<Vec<_>>().join(between)),
        ..failure
    }
}

fn stands(recorded: &Recorded, changed: bool, language: Language) -> String {
    let until = local_time(recorded.until);
    let since = recorded.at.map(local_time);
    let since = match (language, since) {
        (_, None) => String::new(),
        (Language::English, Some(at)) => format!(" at {at}, which counts for lateness"),
        (Language::Chinese, Some(at)) => format!("（{at}，遲交與否以此為準）"),
    };
    match (language, changed) {
        (Language::English, false) => {
            format!("what was signed is recorded{since}: its files may follow until {until}")
        }
        (Language::English, true) => format!(
            "what was signed is recorded{since}, but not of the file as it is now; it waits for its \
             files until {until}"
        ),
        (Language::Chinese, false) => {
            format!("已簽署的內容已記錄{since}：檔案可於 {until} 前送達")
        }
        (Language::Chinese, true) => {
            format!("已簽署的內容已記錄{since}，但與檔案現況不同；它等候檔案至 {until}")
        }
    }
}

/// Where Blackboard's signed word for it is.
fn signed(recorded: &Recorded, language: Language) -> String {
    let Some(path) = &recorded.signed else {
        return String::new();
    };
    let path = printable(&path.to_string_lossy());
    match language {
        Language::English => format!("; Blackboard signed that, kept in {path}"),
        Language::Chinese => format!("；Blackboard 已為此簽署，存於 {path}"),
    }
}

/// The bytes that were signed are gone, unless somebody has a copy.
fn next_version(language: Language) -> String {
    let told = language.pick(
        "the same command hands in the file as it is now; what was signed before is given up with \
         it, unless the new version is late and costs more: then it stands, and the file as it was \
         may still be handed in",
        "再執行同一指令即提交檔案現況，並放棄先前簽署的內容；但如新版本屬遲交且扣分較多，先前的內容仍然有效，\
         可還原檔案後再提交",
    );
    told.to_owned()
}

fn goes_on(recorded: &Recorded, language: Language) -> String {
    let id = recorded.submission;
    match language {
        Language::English => format!(
            "the same `student submit` again sends what is missing; `student withdraw {id}` gives \
             it up"
        ),
        Language::Chinese => format!(
            "再執行同一 `student submit` 指令，送出餘下部分；`student withdraw {id}` 則放棄它"
        ),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_explain::nothing_changed;
    use scb_protocol::{Code, Refusal, Step, from_seconds};

    use super::*;
    use crate::speech::failure;

    fn recorded() -> Recorded {
        Recorded {
            submission: "5f2b6c0e9d8a4b7c8e1f0a2b3c4d5e6f".parse().unwrap(),
            at: Some(from_seconds(1_795_262_401)),
            until: from_seconds(1_795_348_801),
            signed: Some("receipts/committed/lab.zip".into()),
        }
    }

    fn unfinished(cause: Error, language: Language) -> Failure {
        let cause = Box::new(cause);
        let recorded = recorded();
        failure(Error::Unfinished { cause, recorded }, language)
    }

    #[test]
    fn what_stands_is_told_and_never_that_nothing_was_changed() {
        for language in [Language::English, Language::Chinese] {
            let lost = || Error::from(Refusal::new(Code::ConnectionLost, Step::Six));
            let alone = failure(lost(), language);
            assert!(alone.message.ends_with(nothing_changed(language)));
            let told = unfinished(lost(), language);
            assert!(!told.message.contains(nothing_changed(language)));
            assert!(
                told.message.contains("receipts/committed/lab.zip"),
                "{told}"
            );
            for moment in [1_795_262_401, 1_795_348_801] {
                let moment = local_time(from_seconds(moment));
                assert!(told.message.contains(&moment), "{told}");
            }
            assert_eq!((told.exit, told.code), (alone.exit, alone.code));
            let remedy = told.remedy.unwrap();
            assert!(remedy.contains("student withdraw 5f2b6c0e"), "{remedy}");
        }
    }

    #[test]
    fn what_was_signed_of_a_changed_file_is_replaced_by_the_same_command() {
        for language in [Language::English, Language::Chinese] {
            let file = "report.pdf".to_owned();
            let told = unfinished(Error::ReportChanged { file }, language);
            assert!(!told.message.contains(nothing_changed(language)));
            assert_eq!(told.code, Some("content_altered"));
            assert!(!told.remedy.unwrap().contains("student withdraw"));
        }
    }
}
