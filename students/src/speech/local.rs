//! What a hand-in usually fails of on this machine, in Chinese.

use scb_cli::printable;
use scb_explain::{Language, told};
use scb_protocol::rules::MAX_GROUP;
use scb_protocol::statement::{FileEntry, Files, MAX_FILES};

use crate::error::places;
use crate::words::Words;
use crate::{Error, Unshown};

/// What happened and what to do about it; none for what is told in English only.
pub(super) fn chinese(error: &Error) -> Option<(String, Option<String>)> {
    let (message, remedy) = match error {
        Error::DuplicateId(sid) => (
            format!("{sid} 出現兩次"),
            "每個學生編號只輸入一次".to_owned(),
        ),
        Error::GroupTooLarge {
            got, limit, said, ..
        } if *got > usize::from(MAX_GROUP) => (
            too_large(*got, *limit, *said),
            format!(
                "以最多 {limit} 人為一組提交；沒有 Blackboard 接受多於 {MAX_GROUP} 人的組別"
            ),
        ),
        Error::GroupTooLarge {
            ids,
            got,
            limit,
            said,
        } => (
            too_large(*got, *limit, *said),
            format!(
                "以最多 {limit} 人為一組提交；若知道此 Blackboard 接受更多人，請先領取證書\
                 （student enrol --ids {ids}），屆時才會查詢"
            ),
        ),
        Error::Unshown(Unshown::TooFew {
            cosigned,
            missing,
            quorum,
        }) => (
            format!(
                "憑 {} 的加簽驗證通過；{} 沒有加簽：需要 {quorum} 個，只有 {} 個",
                Unshown::names(cosigned),
                Unshown::names(missing),
                cosigned.len()
            ),
            "它並無不妥：在某見證者加入之前已完成的，不會再有其加簽，新的副本也不會更多；該見證者其後有否見到這一項，見該作業的\
             全份存檔：以相同的 --witness 及 --quorum 執行 student verify ARCHIVE"
                .to_owned(),
        ),
        Error::NoIds => (
            "沒有輸入學生編號".to_owned(),
            "例如：--ids 1155000001,1155000002".to_owned(),
        ),
        Error::NoRoot => (
            "不知道中大的根證書，無法認出任何伺服器".to_owned(),
            "以 --ca FILE、--ca-fingerprint HEX 或載有 ca_sha256 一欄的註冊碼單提供".to_owned(),
        ),
        Error::HomeInSandbox => (
            "--home 與 --sandbox 指向兩個不同的目錄".to_owned(),
            "只用 --sandbox DIR：金鑰及收據都在其中；如要模擬另一部電腦：--home HOME --cuhk ADDR \
             --blackboard ADDR --ca DIR/ca.pem"
                .to_owned(),
        ),
        Error::OtherRoot { remembered, given } => (
            format!("此目錄屬於根證書為 {remembered} 的中大，並非 {given}"),
            "核對指紋；如屬另一個中大，請用另一個 --home。若此目錄久未使用而中大已更換根證書：以 --ca FILE \
             提供載有新舊根證書的 ca.pem，並以 --ca-fingerprint 提供所屬部門告知的新指紋"
                .to_owned(),
        ),
        Error::RootsDiffer { first, second } => (
            format!("所提供的根證書不一致：{first} 與 {second}；沒有送出任何東西"),
            "--ca-fingerprint、--ca 與註冊碼單（ca_sha256）須指同一根證書：請與學系提供的逐字核對"
                .to_owned(),
        ),
        Error::NoCode { sid } => (
            format!("{sid}：沒有此學生的註冊碼"),
            "以 --codes FILE 提供註冊碼單".to_owned(),
        ),
        Error::NotEnrolled { sid } => (
            format!("{sid}：這裡沒有證書"),
            format!("student enrol --ids {sid}"),
        ),
        Error::NoKey { sid } => (
            format!("{sid}：這裡沒有金鑰"),
            format!("student enrol --ids {sid}"),
        ),
        Error::WrongPassphrase { sid } => (
            format!("{sid}：通行密碼不能開啟此學生的金鑰"),
            format!(
                "再試一次，或核對 --passphrase-file；若已忘記，無人能找回：以新的註冊碼執行 student \
                 enrol --ids {sid} --replace --protect"
            ),
        ),
        Error::ClockOff(offset) => (
            Words::of(Language::Chinese).clock_off(*offset),
            "校正本機的日期、時間及時區；若均無誤，請通知資訊科技部門".to_owned(),
        ),
        Error::Report { path, source } => (
            format!("無法讀取報告 {}：{source}", shown(path)),
            "核對所指的檔案或資料夾".to_owned(),
        ),
        Error::ReportKind { path } => (
            format!("{} 既不是檔案，也不是資料夾", shown(path)),
            "核對所指的檔案或資料夾".to_owned(),
        ),
        Error::NothingNamed => (
            "沒有指明要提交的檔案".to_owned(),
            "指明要提交的檔案或資料夾".to_owned(),
        ),
        Error::ReportEmpty { path } => (
            format!("{} 是空的", shown(path)),
            "核對是否選對檔案，以及檔案是否已儲存".to_owned(),
        ),
        Error::ReportNoFiles { path } => (
            format!("{} 內沒有檔案", shown(path)),
            "核對是否選對資料夾，以及檔案是否已儲存".to_owned(),
        ),
        Error::ReportLink { path } => (
            format!("{} 是符號連結", shown(path)),
            "把檔案本身放入資料夾".to_owned(),
        ),
        Error::ReportHome { path, home } => (
            format!(
                "{} 位於 {}，此處存有本程式的私人金鑰；沒有送出任何東西",
                shown(path),
                shown(home)
            ),
            "把要提交的檔案放在另一個沒有金鑰及收據的資料夾，然後指明該資料夾".to_owned(),
        ),
        Error::OwnKeys { files } => (
            format!(
                "{}：是你自己用以簽署的金鑰；沒有送出任何東西",
                Words::of(Language::Chinese).private_keys(files)
            ),
            "請勿提交：任何人取得它便能以你的名義提交；--with-private-keys 只供為作業而設的金鑰使用".to_owned(),
        ),
        Error::PrivateKeys { files } => (
            format!(
                "{}；沒有送出任何東西",
                Words::of(Language::Chinese).private_keys(files)
            ),
            "請勿提交：任何人取得私人金鑰便能以它簽署；若金鑰只為此作業而設，請執行 student submit … \
             --with-private-keys"
                .to_owned(),
        ),
        Error::ReportTooMany { path } => (
            format!("檔案超過 {MAX_FILES} 個（數至 {}）", shown(path)),
            "打包成一個 ZIP 檔案再提交".to_owned(),
        ),
        Error::ReportTwice { path } => (
            format!("{} 被指定了兩次", shown(path)),
            "只指定一次".to_owned(),
        ),
        Error::ReportFiles(why) => (
            format!("這些檔案不能一併提交：{why}"),
            "把其中一個改名，或打包成一個 ZIP 檔案".to_owned(),
        ),
        Error::ReportName { path, reason } => (
            format!("報告的檔名 {} 不能使用：{reason}", shown(path)),
            "把檔案改名後再提交".to_owned(),
        ),
        Error::ReportChanged { file } => (
            format!("提交期間 {} 被更改", printable(file)),
            "再提交一次；期間不要更改檔案".to_owned(),
        ),
        Error::NothingOpen { .. } => (
            "目前沒有這些學生可以提交的作業".to_owned(),
            "`student assignments --all` 列出所有作業及其時間；如有遺漏，請向老師查詢".to_owned(),
        ),
        Error::OtherEnding { sid, signed: true } => (
            format!("{sid} 已經簽署"),
            "要撤回，請執行 student withdraw 編號".to_owned(),
        ),
        Error::OtherEnding { sid, signed: false } => (
            format!("{sid} 尚未簽署"),
            "要拒絕，請執行 student cosign --refuse 編號".to_owned(),
        ),
        Error::HandedIn { number } => (
            format!("{number} 已經提交，提交了的不能撤回"),
            "請提交另一版本：`student assignments` 列出是否以最後版本為準及截止時間；誤被列為組員的，請老師把你分出"
                .to_owned(),
        ),
        Error::SeveralOpen { open, held_back } => (
            match &held_back[..] {
                [] => format!("現正接受提交的作業不止一份：{}", places(open)),
                held_back => format!(
                    "現正接受提交：{}；但所指的可能是不予顯示的另一份：{}",
                    places(open),
                    held_back
                        .iter()
                        .map(|why| told(why, Language::Chinese))
                        .collect::<Vec<_>>()
                        .join("；")
                ),
            },
            "請指明：--course 名稱 --assignment 名稱；`student assignments` 列出它們".to_owned(),
        ),
        Error::CostsMore { losses } => {
            let words = Words::of(Language::Chinese);
            let each: Vec<_> = losses.iter().map(|loss| words.loss(loss)).collect();
            (
                format!("{}；沒有送出任何東西", each.join("；")),
                "保留現時為準的版本；如仍要提交，請執行 student submit … --even-if-late".to_owned(),
            )
        }
        Error::AnewIsLate {
            submission,
            standings,
        } => {
            let words = Words::of(Language::Chinese);
            (
                format!("{}；沒有重新提出", words.anew_is_late(submission, standings)),
                "請先告知老師：日誌載明誰於何時簽署，Blackboard 修復後，同一指令會繼續原提案；如仍要重新提出，請執行 \
                 student submit … --even-if-late"
                    .to_owned(),
            )
        }
        Error::NotProposed { path, found, files } => (
            format!(
                "{} 並非你將簽署的檔案：其 SHA-256 為 {found}，而提案所載是 {}；沒有簽署任何東西",
                shown(path),
                hashes(files)
            ),
            "請向提出者索取同一檔案再作比較；若不想提交該檔案，請執行 student cosign --refuse 編號"
                .to_owned(),
        ),
        Error::ProposalChanged {
            submission,
            shown,
            now,
        } => (
            format!(
                "{submission} 與先前所示不同：當時陳述的 SHA-256 為 {shown}，現時 Blackboard 所載為 {now}；\
                 沒有簽署任何東西"
            ),
            "切勿簽署：提案不會改變。請告知提出者及老師，並執行 student cosign --refuse 編號"
                .to_owned(),
        ),
        Error::OtherFile {
            path, named, found, ..
        } => (
            match named.first() {
                Some(named) => format!(
                    "{} 並非以此名提交的檔案：其 SHA-256 為 {found}，而非 {named}",
                    shown(path)
                ),
                None => format!("{} 並非提交的檔案：其 SHA-256 為 {found}", shown(path)),
            },
            "請找出提交時的檔案".to_owned(),
        ),
        Error::HomeBusy { dir } => (
            format!("另一個 `student` 正在使用 {}", shown(dir)),
            "等它完成後再試；亦可在該處按 Ctrl-C 結束，不會遺失任何內容：再執行同一指令即可繼續".to_owned(),
        ),
        Error::OnItsWay { .. } => (
            "另一個 `student` 正在傳送這份提交".to_owned(),
            "請等候它的收據；亦可在該處按 Ctrl-C 結束，不會遺失任何內容，再執行同一指令即可繼續"
                .to_owned(),
        ),
        Error::HandInWaits(sid) => (
            format!("{sid} 以這張證書簽署的一份提交尚未完成"),
            "請先再執行同一個 `student submit` 完成它；證書會適時自動續期".to_owned(),
        ),
        Error::GivenUp { submission } => (
            format!("{submission} 其間已被放棄，不再傳送"),
            "若屬本意，無須處理；如仍要提交，再執行同一指令：那是另一份提交，時間以屆時為準".to_owned(),
        ),
        Error::Cli(scb_cli::Error::NoTerminal { prompt, flag }) => (
            format!("沒有終端可供輸入：{prompt}"),
            format!("以 {flag} FILE 提供"),
        ),
        Error::Cli(scb_cli::Error::Cancelled) => return Some(("已取消".to_owned(), None)),
        _ => return None,
    };
    Some((message, Some(remedy)))
}

/// Name and SHA-256, of at most three files.
fn hashes(files: &Files) -> String {
    const MOST: usize = 3;
    let one = |file: &FileEntry| format!("{}：{}", printable(file.name.as_ref()), file.sha256);
    let shown: Vec<_> = files.iter().take(MOST).map(one).collect();
    match files.len().saturating_sub(MOST) {
        0 => shown.join("、"),
        more => format!("{}，另有 {more} 個", shown.join("、")),
    }
}

fn too_large(got: usize, limit: u8, said: bool) -> String {
    let why = match said {
        true => format!("Blackboard 上次表示最多接受 {limit} 人"),
        false => format!("Blackboard 通常最多接受 {limit} 人，未曾告知此處有別"),
    };
    format!("{got} 人一組過大：{why}；沒有為任何人註冊")
}

fn shown(path: &std::path::Path) -> String {
    printable(&path.to_string_lossy())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_told_to_try_more_than_any_blackboard_takes() {
        let remedies = |got| {
            let error = || Error::GroupTooLarge {
                ids: "A,B".into(),
                got,
                limit: 3,
                said: false,
            };
            let english = error().in_english(None).remedy.unwrap();
            [english, chinese(&error()).unwrap().1.unwrap()]
        };
        for remedy in remedies(8) {
            assert!(remedy.contains("student enrol --ids A,B"), "{remedy}");
        }
        for remedy in remedies(9) {
            assert!(!remedy.contains("enrol"), "{remedy}");
            assert!(remedy.contains(" 8"), "{remedy}");
        }
    }

    #[test]
    fn says_why_a_group_is_too_large_and_what_to_do() {
        let too_large = |said| {
            let error = Error::GroupTooLarge {
                ids: "A,B,C,D".into(),
                got: 4,
                limit: 3,
                said,
            };
            chinese(&error).unwrap()
        };
        assert!(too_large(true).0.contains("上次表示"));
        assert!(too_large(false).0.contains("通常"));
        assert!(
            too_large(false)
                .1
                .unwrap()
                .contains("student enrol --ids A,B,C,D")
        );
    }

    #[test]
    fn a_name_that_steers_the_terminal_does_not() {
        let path = "a\u{1b}[2J".into();
        let (message, _) = chinese(&Error::ReportKind { path }).unwrap();
        assert!(!message.contains('\u{1b}'), "{message}");
    }
}
