//! The faults in Chinese; English stands beside their names.

use scb_cli::fault::FaultTable as _;
use scb_explain::Language;

use super::Fault;

impl Fault {
    /// What is done, in this language.
    pub(crate) fn done_in(self, language: Language) -> &'static str {
        language.pick(self.done(), chinese(self).0)
    }

    /// What stops it, in this language.
    pub(crate) fn stops_in(self, language: Language) -> &'static str {
        language.pick(self.stops(), chinese(self).1)
    }
}

/// What is done, and what stops it. A fault without both does not compile.
fn chinese(fault: Fault) -> (&'static str, &'static str) {
    match fault {
        Fault::ExpiredCertificate => (
            "以一張一小時前到期、金鑰正確的證書連線（沙盒的 CA 金鑰沒有保護，才做得出來）",
            "TLS 交握：整條證書鏈以伺服器的時鐘判斷",
        ),
        Fault::ExpiredToken => (
            "出示一個中大可能在 13 小時前簽署的身分權杖",
            "權杖只有 12 小時有效，其到期時間亦已簽署",
        ),
        Fault::ReplayedProof => (
            "出示為較早一次連線而作的持有證明",
            "證明涵蓋 T1，而 T1 載有此連線的通道綁定及挑戰值",
        ),
        Fault::StaleChallenge => (
            "以較早一次連線的挑戰值證明持有金鑰",
            "伺服器為此連線產生了新的挑戰值，T1 已載有它",
        ),
        Fault::ProofOfAnotherMember => (
            "把第一位組員的證明當作第二位的，反之亦然",
            "每個證明均以該組員證書內的金鑰簽署，並指明該學生",
        ),
        Fault::DuplicateMember => ("把第一位組員出示兩次", "每位學生在組內只計一次"),
        Fault::OutOfOrder => (
            "在應送 `present` 時送出 `end`",
            "協定的每個狀態只認得一種訊息，其他訊息不能推進它",
        ),
        Fault::UnknownField => (
            "在訊息 `present` 加入欄位 `admin`",
            "拒絕不明欄位：不理解的內容絕不略過",
        ),
        Fault::HugeFrame => ("宣稱訊框長 2 GiB", "先判斷長度，才預留記憶體"),
        Fault::DeepJson => (
            "送出有 30,000 層巢狀列表的 JSON",
            "訊息的深度有限，類型亦已固定",
        ),
        Fault::SwappedShares => (
            "在途中對調首兩位組員的封存份額（由學生的程式拒絕）",
            "每個份額只封存給一位組員的金鑰、名稱及位置，其他人無法開啟",
        ),
        Fault::Silent => (
            "在應送 `confirm` 時一言不發，一直等待",
            "每次讀取都有總時限（此處為 10 秒）",
        ),
        Fault::AlteredConfirmation => ("改動確認值的一個位元", "只有開啟了全部份額的人才能算出它"),
        Fault::AlteredMac => (
            "改動聲明的 MAC 的一個位元",
            "以會話金鑰重新計算 MAC，再作比較",
        ),
        Fault::AlteredStatement => (
            "在計算 MAC 之後改動聲明所載的大小",
            "MAC 涵蓋聲明的每個位元組",
        ),
        Fault::AlteredSignature => (
            "改動其中一位組員簽署的一個位元",
            "儲存任何內容之前，每個簽署都以其證書驗證",
        ),
        Fault::TwoSignatures => (
            "提交時欠缺最後一位組員的簽署",
            "所有組員都簽署了，全組才算提交",
        ),
        Fault::AlteredContent => (
            "在途中改動報告的一個位元",
            "組員簽署了報告的 SHA-256，接收時即時計算",
        ),
        Fault::ShortContent => ("少送報告的一個位元組", "組員簽署了報告的大小"),
        Fault::LongContent => (
            "多送報告的一個位元組",
            "組員簽署了報告的大小：多出的第一個位元組即被拒絕",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_told_in_chinese() {
        for &fault in Fault::ALL {
            for text in [
                fault.done_in(Language::Chinese),
                fault.stops_in(Language::Chinese),
            ] {
                assert!(!text.is_ascii(), "{fault}");
            }
            assert_eq!(fault.done_in(Language::English), fault.done());
            assert_eq!(fault.stops_in(Language::English), fault.stops());
        }
    }
}
