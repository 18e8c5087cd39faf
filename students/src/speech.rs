//! What went wrong, in the language of the person at the keyboard. Codes stay as they are.

mod local;
mod unfinished;

use scb_cli::{Failure, local_time};
use scb_explain::{Language, nothing_changed, refusal, remedy};
use scb_protocol::{Code, Refusal};

use crate::error::{
    blames_clock, is_about_log, is_certificate_dead, is_handed_in, is_recorded, moment_of,
    one_below_the_other, other_root, room_at,
};
use crate::{Error, Recorded};

/// A failure to show. Refusals, and what a hand-in usually fails of here, are told in every
/// language; rarer faults of this machine in English.
pub(crate) fn failure(error: Error, language: Language) -> Failure {
    if let Error::SeveralRefused(refusals) = error {
        return one_below_the_other(refusals, |error| failure(error, language));
    }
    match error {
        Error::Unfinished { cause, recorded } => unfinished::told(&cause, &recorded, language),
        error => alone(&error, language, None),
    }
}

/// What failed, and no more. Where something that was recorded before stands, nobody is told that
/// nothing was changed.
fn alone(error: &Error, language: Language, stands: Option<&Recorded>) -> Failure {
    let failure = error.in_english(stands);
    let told = match (language, error.refusals()) {
        (Language::English, _) => None,
        (Language::Chinese, [one, ..]) => {
            Some((sentence(error, one, stands), Some(chinese_remedy(one))))
        }
        (Language::Chinese, []) => local::chinese(error),
    };
    match told {
        None => failure,
        Some((message, remedy)) => Failure {
            message,
            remedy,
            ..failure
        },
    }
}

fn sentence(error: &Error, one: &Refusal, stands: Option<&Recorded>) -> String {
    let after = match error {
        Error::ReceiptRefused(one) if other_root(one).is_some() => "；以其他根憑證不能作出判定",
        Error::ReceiptRefused(_) => "；此收據不能證明任何事",
        _ if is_recorded(one) || stands.is_some() => "",
        _ => unchanged(one, Language::Chinese),
    };
    refusal(one, Language::Chinese) + after
}

/// Of several students some may have been certified already.
pub(crate) fn unchanged(refusal: &Refusal, language: Language) -> &'static str {
    match refusal.sid.is_some() && refusal.code.refuses_enrolment() {
        true => language.pick(
            "; nothing was changed for this student",
            "；沒有更改此學生的任何資料",
        ),
        false => nothing_changed(language),
    }
}

/// As the English remedies of this program, which know more than the registry.
fn chinese_remedy(refusal: &Refusal) -> String {
    if let Some(root) = other_root(refusal) {
        return format!(
            "如你從可信來源得知發出時中大的根憑證正是此一憑證：--ca-fingerprint {root}；否則此收據並非由你的大學發出"
        );
    }
    match &refusal.sid {
        _ if blames_clock(refusal) => {
            "校正本機的日期、時間及時區；若均無誤，請通知資訊科技部門".to_owned()
        }
        _ if is_about_log(refusal) => format!(
            "{}。若中大在此目錄上次查看之後曾以備份還原，學系會告知，原因即在於此：以新的註冊碼領取新證書\
             （student enrol --codes FILE），把 log.json 移出此目錄，然後再查看",
            remedy(refusal.code, Language::Chinese)
        ),
        _ if is_handed_in(refusal) => {
            "已提交的不能收回：請提交另一版本；`student history` 顯示以哪一版為準".to_owned()
        }
        Some(sid) if refusal.code == Code::CertificateExpired => format!(
            "student renew --ids {sid}；若遭拒絕，向學系索取新的註冊碼，然後執行：student enrol --ids \
             {sid} --replace"
        ),
        Some(sid) if refusal.code == Code::CertificateSuperseded => format!(
            "使用已續期的那部電腦；若你們無人續期，即有人持有金鑰的副本，請立即通知學系；如要在這裡領取\
             證書，取得新的註冊碼後執行：student enrol --ids {sid} --replace"
        ),
        Some(sid) if is_certificate_dead(refusal) => {
            format!("向學系索取新的註冊碼，然後執行：student enrol --ids {sid} --replace")
        }
        Some(sid) if refusal.code == Code::CodeUsed => format!(
            "使用當時那部電腦，或向學系再索取一個註冊碼（cuhk code issue {sid}），然後在這裡執行：\
             student enrol --ids {sid} --new-device；若中大由備份還原、不認得這裡的證書，則以 --replace 代替 \
             --new-device"
        ),
        Some(_) if refusal.code == Code::RenewalNotLonger => format!(
            "現在不必做任何事：此證書有效至{}，中大開放下一學期之前簽發的證書都不會更遲到期。開放之後，下一個需要\
             連接中大的指令會自動續期；若到期時仍未開放，請向學系查詢",
            moment_of(refusal, "until").map_or_else(
                || "到期之日".to_owned(),
                |until| format!(" {}", local_time(until))
            )
        ),
        Some(sid) if room_at(refusal).is_some() => format!(
            "可繼續使用目前的證書，它沒有問題。每張已續期的證書在到期前仍然計算在內；由 {} 起可再次續期：student \
             renew --ids {sid}。若你們無人如此頻密地續期，請查看是誰的證書：student audit --ids {sid}",
            room_at(refusal).map(local_time).unwrap_or_default()
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
            let unchanged = match code.refuses_enrolment() {
                true => "；沒有更改此學生的任何資料",
                false => "；此步驟沒有更改任何資料",
            };
            assert!(chinese.message.ends_with(unchanged), "{chinese}");
            assert!(!chinese.remedy.unwrap().is_ascii(), "{code}");
            assert!(told(*code, Language::English).message.is_ascii(), "{code}");
        }
    }

    #[test]
    fn a_rare_fault_of_this_machine_stays_as_it_is() {
        let fault = || Error::Openssl("there is none".into());
        let english = failure(fault(), Language::English);
        assert_eq!(failure(fault(), Language::Chinese), english);
    }

    #[test]
    fn each_student_who_was_refused_is_told_in_chinese() {
        let refusal = |sid: &str| {
            let sid = sid.parse().unwrap();
            Refusal::new(Code::EnrolmentRefused, Step::Two).about(&sid)
        };
        let several = Error::SeveralRefused(vec![refusal("A"), refusal("B")]);
        let told = failure(several, Language::Chinese);
        assert!(told.message.starts_with("步驟 2：A："), "{told}");
        assert!(told.others[0].message.starts_with("步驟 2：B："), "{told}");
    }
}
