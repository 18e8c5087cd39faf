//! Facts in Chinese.

use scb_protocol::message::proposal::ProposalState;
use scb_protocol::{Fact, Proved, StepEvent, grouped};

use super::{Label, refused};
use crate::Language;

pub(super) fn text(event: &StepEvent) -> String {
    let who = match &event.sid {
        Some(sid) => format!("學生 {sid}"),
        None => "學生".to_owned(),
    };
    match &event.fact {
        Fact::Listening { .. } => {
            "伺服器已就緒。它以證書向每位連線者證明身分；知道中大根證書指紋的人\
            都可以核對。"
                .to_owned()
        }
        Fact::AlreadyCertified { certificates } => {
            format!("全組的 {certificates} 把金鑰及證書已在本機，毋須再做步驟 1 和 2。")
        }
        Fact::NotRenewedYet { until } => format!(
            "{who}的證書有效至 {}，有效期未過半：在此之前，同一把金鑰只會得到同一張證書。一切不變。",
            scb_protocol::rfc3339(*until)
        ),
        Fact::RequestsSent {
            fresh, requests, ..
        } => format!(
            "現在產生了 {fresh} 對 P-256 金鑰；私鑰永不離開本機。中大先在已知的根證書下證明身分，然後\
             才送出 {} 份證書簽署請求，每份附上其一次性註冊碼（任何地方都不會顯示）。",
            requests.len()
        ),
        Fact::RequestVerified { .. } => format!(
            "{who}的請求由其中公鑰所對應的私鑰簽署。只採用該公鑰：姓名及編號以學生名冊為準。"
        ),
        Fact::StudentCertified { before: true, .. } => format!(
            "{who}先前已用同一註冊碼及同一把金鑰提出過請求，現再次收到同一張證書及新的身分權杖；不會重複簽發。"
        ),
        Fact::StudentCertified { .. } => format!(
            "{who}的註冊碼正確。先記錄序號，才簽發證書。身分權杖綁定於此證書，沒有私鑰便毫無用處。"
        ),
        Fact::StudentRenewed { before: true, .. } => {
            format!("{who}先前已用同一把新金鑰要求續期，現再次收到同一張證書；不會重複簽發。")
        }
        Fact::StudentRenewed { .. } => format!(
            "{who}證明持有已獲認證的金鑰，以新金鑰領得下一張證書；學生名冊仍載有此人。舊證書有效至其\
             到期日，回覆即使遺失也不會把人拒諸門外。"
        ),
        Fact::ServiceCertified {
            name, before: true, ..
        } => {
            format!(
                "服務 {name} 先前已用同一註冊碼及同一把金鑰提出過請求，現再次收到同一張證書；不會重複簽發。"
            )
        }
        Fact::ServiceCertified { name, .. } => {
            format!("服務 {name} 出示一次性註冊碼，領得第一張證書；此後人人以此認出它。")
        }
        Fact::ServiceRenewed { name, .. } => {
            format!("服務 {name} 以現有證書證明身分，在其到期之前領得下一張。")
        }
        Fact::TokenIssued { .. } => {
            format!("{who}在 TLS 交握中證明持有已獲認證的金鑰，領得新的身分權杖，綁定於該證書。")
        }
        Fact::CertificateKept { .. } => format!(
            "中大認證了{who}的金鑰。證書已在本機對照中大根證書驗證，確屬此學生及此金鑰，並與身分權杖\
             一併存妥。"
        ),
        Fact::CertificateRenewed { .. } => format!(
            "{who}的新金鑰先存於本機，再由舊金鑰作保、中大認證。新金鑰、證書及權杖已同時取代舊的三者；\
             毋須註冊碼。"
        ),
        Fact::TokenRefreshed { .. } => {
            format!("{who}的身分權杖即將到期。中大在以已獲認證的金鑰建立的連線上發出新的權杖。")
        }
        Fact::Presented { members, .. } => format!(
            "{} 位組員各自出示證書、身分權杖、只用於此連線的會話公鑰，以及持有證明，即對 T1 的簽署。\
             T1 涵蓋這一條 TLS 連線及伺服器的挑戰值，因此證明在別處重放並不相符。",
            members.len()
        ),
        Fact::GroupVerified { members, .. } => format!(
            "{} 位組員的證書、權杖及證明均無誤。隨即一次過向中大查詢全部組員；中大簽署的答覆重複了\
             隨機數 (nonce)，舊答覆不能再用。",
            members.len()
        ),
        Fact::MembersAnswered { asker, answers, .. } => format!(
            "{asker} 查詢 {} 位組員是否以這些證書處於有效狀態。簽署的答覆只供此查詢者、此隨機數使用，\
             有效 60 秒。",
            answers.len()
        ),
        Fact::TokenIntrospected { asker, inactive } => match inactive {
            None => format!(
                "{asker} 出示{who}的身分權杖，查詢是否有效 (RFC 7662)。權杖是為 {asker} 發出的，內容只\
                 告知該服務；權杖所綁定的證書及學生均處於有效狀態。"
            ),
            Some(_) => format!(
                "{asker} 查詢的身分權杖無效，或是為另一服務發出的。答覆只說權杖無效，並無分別，查詢者\
                 不能從中得知原因。"
            ),
        },
        Fact::AnswerVerified { members, .. } => format!(
            "Blackboard 轉交中大就 {} 位組員簽署的答覆，本機亦已自行驗證：學生一方並不比 Blackboard \
             輕信。",
            members.len()
        ),
        Fact::TokensCount { members, .. } => format!(
            "目前無法聯絡中大。按此伺服器的設定，在撤銷清單仍屬最新期間，改以中大先前為 {members} 位\
             組員簽署的身分權杖為準；收據會註明。"
        ),
        Fact::SharesSealed { shares, .. } => format!(
            "{shares} 個隨機份額，每位組員一個，以 HPKE 封存給各人的會話公鑰，並綁定於 T2，即步驟 3 \
             所出示的一切；只有該組員能開啟。"
        ),
        Fact::SharesOpened { shares, .. } => format!(
            "以組員的會話金鑰開啟了 {shares} 個份額。會話金鑰由全部份額及 T2 導出，缺一不可。"
        ),
        Fact::KeyConfirmed { .. } => "雙方導出相同的會話金鑰，並各以自己的金鑰用訊息鑑別碼 (MAC) \
            證明。會話金鑰本身從未傳送，連線結束即消失。"
            .to_owned(),
        Fact::StatementSent(statement) => format!(
            "{} 位組員簽署了聲明，內載組員、作業、檔案、大小及雜湊值。MAC 把它繫於此會話。隨後送出\
             內容。",
            statement.signatures
        ),
        Fact::AssignmentChosen { .. } => {
            "沒有指明提交甚麼。向 Blackboard 查詢後，現正對這些組員開放的作業只有一份。".to_owned()
        }
        Fact::ProposalsTold { proposals } => format!(
            "組員獲告知 {proposals} 份待簽提案：要簽署的逐字內容、誰已簽署，以及評定所依的規則。\
             與他們無關的提案不會告知。"
        ),
        Fact::ProposalRecorded { state, missing, .. } => proposal(*state, *missing),
        Fact::ReceiptTold { number } => format!(
            "一位組員索取 {number} 的收據並已獲給予。其他人只會得知並無屬於他們的這份提交。"
        ),
        Fact::ProofTold { proved, .. } => match proved {
            Proved::Yes => "組員獲給予證明：作業的紀錄載有他們的提交，而中大亦見證了該紀錄。\
                 他們的收據由此完整。"
                .to_owned(),
            Proved::NotYet => {
                "組員索取收據的證明，但仍未有：中大尚未簽署至該處，或並無屬於他們的這份提交。"
                    .to_owned()
            }
        },
        Fact::RefusalProofTold { proved, .. } => match proved {
            Proved::Yes => "組員獲給予證明：作業的紀錄載有對他們的拒絕，而中大亦見證了該紀錄。\
                 他們所存的憑證由此完整。"
                .to_owned(),
            Proved::NotYet => {
                "組員索取拒絕的證明，但仍未有：中大尚未簽署至該處，或並無屬於他們的這項拒絕。"
                    .to_owned()
            }
        },
        Fact::GradesTold { grades } => format!(
            "組員已證明身分，獲告知他們本身已公布的 {grades} 個評分，各附簽署及紀錄的證明。\
             其他人的不會告知。"
        ),
        Fact::HistoryTold { versions } => format!(
            "組員已證明身分，獲告知他們本身的 {versions} 個版本。其他人的提交，答覆與不存在的無異。"
        ),
        Fact::Downloaded { bytes, .. } => format!(
            "組員取回自己提交的內容，共 {} 位元組。送出之前已從磁碟重新讀取並核對雜湊值。",
            grouped(*bytes)
        ),
        Fact::AssignmentsTold { assignments } => format!(
            "組員已證明身分，獲告知 {assignments} 份作業的規則、他們本身的延期及曾作的更改。\
             其他人只會獲知自己的。"
        ),
        Fact::StatementAccepted(statement) => format!(
            "MAC 與會話金鑰相符，{} 個簽署均驗證無誤，每位組員一個。現在可以接收內容。",
            statement.signatures
        ),
        Fact::Committed { .. } => {
            "已簽署的聲明已登記；檔案如在所示時間前送達，截止與否以這一刻為準。\
            已收到的部分不用再傳送。"
                .to_owned()
        }
        Fact::VerifiedAgain { .. } => {
            "內容已全部收到，雜湊值與組員所簽署的相符。再以新的隨機數向中大\
            查詢一次：期間被撤銷者此刻會被拒絕。"
                .to_owned()
        }
        Fact::Stored { .. } => {
            "報告先安全寫入磁碟並讀回核對，才由一次交易給予編號；之後才送出已簽署的收據。"
                .to_owned()
        }
        Fact::ReceiptKept {
            signatures, before, ..
        } => {
            let again = if *before {
                "先前一次嘗試已經存妥，沒有重複儲存。"
            } else {
                ""
            };
            format!(
                "{again}收據載有聲明、{signatures} 個簽署及 Blackboard 簽署的接納書。本機先驗證才保存；\
                 任何人都可以用 openssl 及中大根證書指紋查驗。"
            )
        }
        Fact::Refused(refusal) => {
            let (sentence, remedy) = refused(refusal, Language::Chinese);
            format!("已拒絕：{sentence}。沒有更改任何資料。處理方法：{remedy}。")
        }
    }
}

pub(super) fn name(label: &Label) -> String {
    match label {
        Label::Address => "位址",
        Label::Root => "根證書 SHA-256",
        Label::Server => "伺服器",
        Label::Asker => "查詢者",
        Label::PublicKey => "公鑰 SHA-256",
        Label::Serial => "序號",
        Label::Certificate => "證書 SHA-256",
        Label::ValidUntil => "有效至",
        Label::TokenUntil => "權杖有效至",
        Label::Challenge => "挑戰值",
        Label::T1 => "T1",
        Label::T2 => "T2",
        Label::Nonce => "隨機數 (nonce)",
        Label::SignedAt => "簽署時間",
        Label::ClientMac => "學生的 MAC",
        Label::ServerMac => "Blackboard 的 MAC",
        Label::Assignment => "作業",
        Label::Due => "限期",
        Label::Submission => "提交編號",
        Label::FileName => "檔案",
        Label::Size => "大小",
        Label::Content => "內容 SHA-256",
        Label::Mac => "MAC",
        Label::MoreFiles => "其餘檔案",
        Label::CommittedAt => "登記時間",
        Label::UploadUntil => "檔案上載期限",
        Label::Received => "已收到",
        Label::Number => "編號",
        Label::Receipt => "收據 SHA-256",
        Label::Code => "代碼",
        Label::Member(sid) => return sid.to_string(),
        Label::Detail(name) => return name.clone(),
    }
    .to_owned()
}

fn proposal(state: ProposalState, missing: usize) -> String {
    match state {
        ProposalState::Waiting => format!(
            "經此連線送達的簽署連同該連線已記錄在案。尚有 {missing} 位組員須各自在自己的電腦簽署。\
             記錄最後一個簽署的一刻，提案便成為提交，遲交與否亦以該刻為準。"
        ),
        ProposalState::Signed => {
            "所有組員均已簽署；遲交與否以最後一個簽署的時刻為準。尚欠檔案或中大的最後確認。"
                .to_owned()
        }
        ProposalState::Accepted => "所有組員均已簽署，已成為正式提交。".to_owned(),
        ProposalState::Declined => {
            "一位須簽署的組員拒絕簽署。此事已記入作業的紀錄，此提案不能再簽署。".to_owned()
        }
        ProposalState::Withdrawn => {
            "一位已簽署的組員撤回了提案。此事已記入作業的紀錄，此提案不能再簽署。".to_owned()
        }
        ProposalState::Lapsed => "未能在時限內集齊簽署：沒有提交任何東西。".to_owned(),
    }
}
