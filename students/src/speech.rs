//! What went wrong, in the language of the person at the keyboard. Codes stay as they are.

use scb_cli::Failure;
use scb_explain::{Language, nothing_changed, refusal, remedy};
use scb_protocol::{Code, Refusal};

use crate::Error;
use crate::error::{blames_clock, is_certificate_dead};

/// A failure to show. Faults of this machine are told in English in every language; refusals
/// are not.
pub(crate) fn failure(error: Error, language: Language) -> Failure {
    let told = match (language, error.refusals()) {
        (Language::Chinese, [first, ..]) => Some((sentences(&error), chinese_remedy(first))),
        (Language::English, _) | (Language::Chinese, []) => None,
    };
    let failure = Failure::from(error);
    match told {
        None => failure,
        Some((message, remedy)) => Failure {
            message,
            remedy: Some(remedy),
            ..failure
        },
    }
}

fn sentences(error: &Error) -> String {
    let refusals = error.refusals().iter();
    let told: Vec<_> = refusals
        .map(|one| refusal(one, Language::Chinese))
        .collect();
    let after = match error {
        Error::ReceiptRefused(_) => "；此收據不能證明任何事",
        _ => nothing_changed(Language::Chinese),
    };
    told.join("；") + after
}

/// As the English remedies of this program, which know more than the registry.
fn chinese_remedy(refusal: &Refusal) -> String {
    match &refusal.sid {
        _ if blames_clock(refusal) => {
            "校正本機的日期、時間及時區；若均無誤，請通知資訊科技部門".to_owned()
        }
        Some(sid) if is_certificate_dead(refusal) => {
            format!("向學系索取新的註冊碼，然後執行：student enrol --ids {sid} --replace")
        }
        Some(sid) if refusal.code == Code::CodeUsed => format!(
            "使用當時那部電腦，或向學系再索取一個註冊碼（cuhk code issue {sid}），然後在這裡執行：\
             student enrol --ids {sid} --new-device"
        ),
        Some(sid) if refusal.code == Code::TooManyDevices => format!(
            "請學系撤銷一部不再使用的電腦的證書（cuhk revoke SERIAL），或索取一個取代全部證書的註冊碼\
             （cuhk code issue {sid} --replace），然後再執行同一指令"
        ),
        _ => remedy(refusal.code, Language::Chinese).to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_protocol::Step;

    use super::*;

    fn told(code: Code, language: Language) -> Failure {
        let sid = "1155000002".parse().unwrap();
        failure(Refusal::new(code, Step::Two).about(&sid).into(), language)
    }

    #[test]
    fn every_refusal_is_told_in_chinese_with_its_code() {
        for code in Code::ALL {
            let chinese = told(*code, Language::Chinese);
            assert_eq!(chinese.code, Some(code.as_str()));
            assert!(chinese.message.starts_with("步驟 2：1155000002："));
            assert!(chinese.message.ends_with("；此步驟沒有更改任何資料"));
            assert!(!chinese.remedy.unwrap().is_ascii(), "{code}");
            assert!(told(*code, Language::English).message.is_ascii(), "{code}");
        }
    }

    #[test]
    fn a_fault_of_this_machine_stays_as_it_is() {
        let english = failure(Error::NoRoot, Language::English);
        assert_eq!(failure(Error::NoRoot, Language::Chinese), english);
    }
}
