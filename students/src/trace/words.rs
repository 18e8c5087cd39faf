//! The words of the page, in each language.

use scb_explain::Language;

/// Everything on the page that is neither a value nor an explanation.
pub(super) struct Words {
    pub(super) title: &'static str,
    pub(super) lead: &'static str,
    pub(super) student: &'static str,
    pub(super) cuhk: &'static str,
    pub(super) step: &'static str,
    pub(super) began: &'static str,
    pub(super) took: &'static str,
    pub(super) messages: &'static str,
    pub(super) outcome: &'static str,
    pub(super) refused: &'static str,
    pub(super) unfinished: &'static str,
    pub(super) seen: &'static str,
    pub(super) inferred: &'static str,
    pub(super) inferred_why: &'static str,
    pub(super) click: &'static str,
    pub(super) open_all: &'static str,
    pub(super) close_all: &'static str,
    pub(super) handshake_mutual: &'static str,
    pub(super) handshake_server: &'static str,
    pub(super) content: &'static str,
    pub(super) receipt_file: &'static str,
    pub(super) content_why: &'static str,
    pub(super) frame: &'static str,
    pub(super) byte: &'static str,
    pub(super) characters: &'static str,
    pub(super) values: &'static str,
    pub(super) here: &'static str,
    pub(super) hidden_code: &'static str,
    pub(super) hidden_signature: &'static str,
    pub(super) hidden_not_json: &'static str,
    pub(super) foot: &'static str,
}

impl Words {
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::Chinese => &CHINESE,
        }
    }
}

const ENGLISH: Words = Words {
    title: "One hand-in, message by message",
    lead: "Everything that the student's program sent and received in this run, in order. Nothing \
           here is an example.",
    student: "Student",
    cuhk: "CUHK",
    step: "Step",
    began: "Began",
    took: "Took",
    messages: "Messages",
    outcome: "Receipt",
    refused: "Refused",
    unfinished: "Not finished",
    seen: "seen by the student's program",
    inferred: "known from CUHK's signed answer",
    inferred_why: "The student's program did not see this message: it went between Blackboard and \
                   CUHK. CUHK's signed answer, which was passed on, tells what was asked.",
    click: "Click a message to open it.",
    open_all: "Open all",
    close_all: "Close all",
    handshake_mutual: "both sides show a certificate",
    handshake_server: "the server shows its certificate",
    content: "content",
    receipt_file: "receipt.zip",
    content_why: "Raw bytes in chunk frames. They are not on this page; their size and SHA-256 are \
                  in the messages around them.",
    frame: "frame",
    byte: "byte",
    characters: "characters",
    values: "Values",
    here: "at the student's",
    hidden_code: "(an enrolment code; never shown)",
    hidden_signature: "(left out, so that nobody can use the token)",
    hidden_not_json: "(not JSON)",
    foot: "Written by student submit --trace. Enrolment codes and token signatures are left out; \
           private keys, shares and the session key were never sent.",
};

const CHINESE: Words = Words {
    title: "一次提交，逐個訊息看",
    lead: "學生程式在這一次執行中發出和收到的一切，依次列出，並非示例。",
    student: "學生",
    cuhk: "中大 CUHK",
    step: "步驟",
    began: "開始",
    took: "需時",
    messages: "訊息",
    outcome: "收據",
    refused: "已拒絕",
    unfinished: "未完成",
    seen: "學生程式所見",
    inferred: "由中大簽署的答覆得知",
    inferred_why: "學生程式沒有看見這個訊息：它在 Blackboard 與中大之間傳送。中大簽署的答覆經轉交而來，\
                   說明了查詢的內容。",
    click: "按一下訊息即可展開。",
    open_all: "全部展開",
    close_all: "全部收起",
    handshake_mutual: "雙方出示證書",
    handshake_server: "伺服器出示證書",
    content: "內容",
    receipt_file: "receipt.zip",
    content_why: "以區塊訊框傳送的原始位元組，不載於本頁；其大小及 SHA-256 見前後的訊息。",
    frame: "個訊框",
    byte: "位元組",
    characters: "個字元",
    values: "數值",
    here: "在學生一方",
    hidden_code: "（註冊碼；永不顯示）",
    hidden_signature: "（已略去，以免權杖被人使用）",
    hidden_not_json: "（並非 JSON）",
    foot: "由 student submit --trace 寫成。註冊碼及權杖的簽章已略去；私鑰、份額及會話金鑰從未傳送。",
};
