//! The kinds of findings in Chinese: what each is, and what to do about it.

const FILE_BACK: &str = "把該檔案的副本（來自備份或該組學生）以此名稱（即其 SHA-256）放回此處。若屬他們的最新版本，\
    由原班組員再次提交完全相同的檔案（`student submit`）即可：編號及收據不變；較舊的版本則會因此成為新版本。\
    在此之前，該檔案既不會匯出，亦不會發出";
const DATABASE_BACK: &str =
    "保留此主目錄作為證據，並以 blackboard.db 的備份取代；該組的收據載明曾記錄的內容";
const LOG_COUNTS: &str = "誰簽了甚麼、如何終結，以日誌所載為準，伺服器亦以此為據：在日誌中已終結的不會再獲接納。\
    提議的時間、期限與終結，運行中的伺服器會於一小時內按日誌及多數紀錄更正。保留此主目錄的副本作為證據；其後仍發現的，\
    以 blackboard.db 的備份取代";
const NEWEST: &str = "以 blackboard.db 最新的備份取代：曾公布的編號不得重用；如無備份，`blackboard recover` 會說明遺失了甚麼";
const WHOLE_HOME: &str = "由此主目錄的備份還原";

/// What a finding of this kind is, and what to do about it; nothing of a kind that is not known here.
pub(super) fn chinese(code: &str) -> Option<(&'static str, &'static str)> {
    Some(match code {
        "content_altered" => ("存檔的內容與其雜湊值不符", FILE_BACK),
        "content_missing" => ("存檔已不存在", FILE_BACK),
        "content_unreadable" => ("存檔無法讀取", WHOLE_HOME),
        "content_extra" => (
            "沒有紀錄提及的存檔",
            "沒有紀錄提及：若同時缺少某項紀錄，還原 blackboard.db 的備份。當機所遺留的，滿一天後伺服器啟動時會將其移除。早於遺失條目或編號的則會保留，因其可能是某次提交僅存的內容：以 `blackboard recover --receipt` 重新登錄；沒有收據提及的可自行移走",
        ),
        "put_back" => (
            "此主目錄由備份還原，或其檔案曾被觸及，其後無人將日誌與 CUHK 見過的比對",
            "在 CUHK 運作時啟動 `blackboard serve`：它會比對日誌與 CUHK 見過的；若屬舊備份則不會繼續並予以說明\
             （`log_behind`）。屆時以最新的備份取代；如無備份，`blackboard recover` 會說明遺失了甚麼",
        ),
        "content_foreign" => ("並非存檔的檔案", "查明是誰放在此處，並將其移走"),
        "altered" => ("紀錄與當初簽署的不符", WHOLE_HOME),
        "other_root" => ("紀錄所屬的根憑證並非此主目錄所信任", WHOLE_HOME),
        "record_missing" => ("日誌已接納的提交沒有紀錄", DATABASE_BACK),
        "entry_missing" => ("紀錄在日誌中沒有相應的條目", DATABASE_BACK),
        "part_missing" => ("提交並非列於其全體組員名下", DATABASE_BACK),
        "commitment_altered" => ("已簽署的內容與日誌所記錄的不符", DATABASE_BACK),
        "moment_contradicted" => (
            "日誌條目所載時間早於中大當時的答覆",
            "該條目不可能在所載的時間記入：以此處所列中大答覆的時間判斷該提交。不會以此發出收據；保留此主目錄作為證據",
        ),
        "commitment_unsigned" => (
            "登記憑證的簽署並非 Blackboard 所簽",
            "該組自己的副本載有正確的簽署，此處的曾被更改。再有人查詢時會重新簽署；保留此主目錄作為證據，並以 \
             blackboard.db 的備份取代",
        ),
        "commitment_missing" => ("日誌所記錄的已簽署內容並不存在", DATABASE_BACK),
        "leaf_altered" => ("日誌條目的內容與日誌所承諾的不符", DATABASE_BACK),
        "log_gap" => ("日誌缺少條目", DATABASE_BACK),
        "proposal_altered" => ("誰簽署、拒絕或撤回，或如何終結，與日誌所載不符", LOG_COUNTS),
        "withdrawal_altered" => ("放棄提交的紀錄與日誌所載不符", LOG_COUNTS),
        "window_altered" => ("等候簽署或檔案的期限曾被更改", LOG_COUNTS),
        "not_entered" => ("從未記入日誌的紀錄", LOG_COUNTS),
        "entry_after_end" => (
            "在已終結的提交之後仍有條目",
            "已終結的提交其後竟有條目：以其中最先終結它的條目為準。此日誌的任何封存檔均不能通過驗證；\
             保留此主目錄作為證據，並以其備份取代",
        ),
        "detachment_unfounded" => (
            "從某提交中除去了並非其組員的學生，或該提交從未獲接納",
            "對該學生並無影響，但此日誌的任何封存檔均不能通過驗證；保留此主目錄作為證據，並以 blackboard.db 的備份取代",
        ),
        "assignment_hidden" => (
            "作業是否顯示與日誌所載不符",
            "內容並無遺失，但學生及教師所見的狀態與所記錄的不同：以 blackboard.db 的備份取代",
        ),
        "rules_altered" => ("作業規則與日誌所載不符", RULES_BACK),
        "extension_altered" => ("延期與日誌所載不符", RULES_BACK),
        "grade_altered" => (
            "成績與日誌所載不符",
            "成績以日誌所載為準：再次匯入教師的成績冊，與日誌不符的成績即重新簽署並記入日誌；\
             先前可見的成績，及從未評分的學生的成績，只能還原 blackboard.db 的備份",
        ),
        "release_altered" => (
            "學生可見的成績與日誌所載不符",
            "學生可見哪些成績以日誌所載為準：未顯示的可用 `blackboard grades release` 發布並記入日誌；\
             其餘則還原 blackboard.db 的備份",
        ),
        "rules_pin" => (
            "提交所指的規則並非當時有效的規則",
            "其收據所指的規則並非簽署時有效的規則：保留此主目錄作為證據，並以日誌的條目判斷該提交",
        ),
        "repeat_altered" => (
            "以另一份作品的收據回覆",
            "有人更改了以哪份收據回覆某次提交：還原 blackboard.db 的備份",
        ),
        "accepted_after_closing" => (
            "日誌關閉後仍接受了提交",
            "持有先前封存檔的人曾獲告知此事不會發生；此日誌的封存檔不再為最終。若其日期在 2026 年 11 月 23 日之前，\
             則當時的版本接受了封存時仍在上載的檔案，並無異常。否則保留此主目錄作為證據，查明誰改寫了其資料庫，\
             並還原 blackboard.db 的備份",
        ),
        "log_backwards" => (
            "日誌條目的時間倒退",
            "伺服器運作期間時鐘曾被撥回，或先前曾快了：查明屬何者，其後所登記的以 CUHK 的聯署時間判斷。\
             條目既已記入，便會保留",
        ),
        "log_behind" => ("日誌比已公布的短", NEWEST),
        "log_unknown" => ("資料庫不認識的日誌", NEWEST),
        "log_contradicted" => (
            "日誌條目與已公布的不同",
            "兩者均保留作為證據；以同一伺服器的 blackboard.db 備份取代",
        ),
        "log_cut" => (
            "日誌比 CUHK 見過的短",
            "CUHK 見過的比此處多：以此主目錄最新的備份取代；若無備份，`blackboard recover` 會說明遺失了甚麼",
        ),
        "log_forked" => (
            "日誌與 CUHK 見過的不同",
            "CUHK 見過的是另一份日誌：還原正確的主目錄，並保留此主目錄作為證據",
        ),
        "log_key" => (
            "檢查點並非以此伺服器的密鑰簽署",
            "還原此伺服器先前用以簽署的密鑰 HOME/logs/key.pem",
        ),
        "damaged" => (
            "日誌檔案已損壞",
            "停止伺服器，把該日誌的目錄移出 HOME/logs 作為證據（`mv`），再執行 `blackboard serve`：\
             檔案會由資料庫重新產生，並與 CUHK 見過的比對",
        ),
        "database_damaged" => ("資料庫已損壞", WHOLE_HOME),
        "database_gone" => ("資料庫已不存在", WHOLE_HOME),
        "older_database" => (
            "資料庫由較舊的版本寫成",
            "啟動一次 `blackboard serve`，資料庫便會更新",
        ),
        "log_unpublished" => (
            "尚未公布的日誌條目",
            "執行 `blackboard serve`：檔案會在一秒內由資料庫產生",
        ),
        "upload_leftover" => ("上載的殘留檔案", "無須處理：伺服器啟動後一小時內會將其移除"),
        "temporary_leftover" => ("中斷程序的殘留檔案", "無須處理：伺服器下次啟動時會將其移除"),
        _ => return None,
    })
}

const RULES_BACK: &str = "決定以日誌所載為準：用 `blackboard assignment change` 或 `extension` 更正（會記入日誌），\
    或還原 blackboard.db 的備份";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::fsck::remedy::remedy;

    const OPERATIONS: &str = include_str!("../../../docs/OPERATIONS.md");

    /// The words of findings that are documented.
    fn documented() -> BTreeSet<&'static str> {
        let table = OPERATIONS
            .split("| word | found | damage |")
            .nth(1)
            .unwrap();
        let rows = table
            .lines()
            .skip(2)
            .take_while(|line| line.starts_with('|'));
        let words =
            rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2));
        words.collect()
    }

    #[test]
    fn every_kind_of_finding_is_told_in_chinese() {
        let words = documented();
        assert!(words.len() > 35, "{words:?}");
        for word in words {
            let (kind, what_to_do) = chinese(word).unwrap_or_else(|| panic!("{word}"));
            assert!(!kind.is_ascii() && !what_to_do.is_ascii(), "{word}");
        }
        assert_eq!(chinese("something_else"), None);
    }

    #[test]
    fn what_has_advice_of_its_own_in_english_is_documented() {
        let other = remedy("something_else");
        let words = documented();
        for word in ["entry_after_end", "assignment_hidden", "not_entered"] {
            assert!(words.contains(word) && remedy(word) != other, "{word}");
        }
    }
}
