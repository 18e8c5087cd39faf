//! The registry's refusals in Chinese; English stands in the registry itself.

use scb_protocol::Code;

/// In the place of the sentence about a full server.
pub(crate) const WRONG_CODES: &str = "由此地址輸入的錯誤註冊碼過多";

/// What was wrong, and what to do about it. A code without both does not compile.
pub(crate) fn chinese(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::EnrolmentRefused => (
            "中大不接受此學生編號與此註冊碼的組合",
            "核對註冊碼單上的編號與註冊碼；如需新碼，請向學系索取",
        ),
        Code::CodeExpired => ("此註冊碼已過期", "請向學系索取新的註冊碼"),
        Code::CodeWithdrawn => (
            "此註冊碼已被撤回",
            "使用取代它的新註冊碼；若沒有收到，請向學系查詢",
        ),
        Code::CodeUsed => (
            "此註冊碼已被另一把金鑰用過",
            "若證書在另一部電腦，請用那部電腦；否則向學系索取新的註冊碼",
        ),
        Code::TooManyCodes => (
            "同一連線輸入了五次錯誤的註冊碼，連線已關閉",
            "核對註冊碼單後再試；沒有任何人被鎖定",
        ),
        Code::TooManyDevices => ("持有人的有效證書已達上限", "請 CUHK 撤銷一張不再使用的證書"),
        Code::CertificateSuperseded => (
            "此證書已用另一把金鑰續期",
            "若續期後的證書在另一部電腦，請用那部電腦；否則向學系索取新的註冊碼",
        ),
        Code::RenewalTooLate => (
            "此證書過期太久，不能續期",
            "請向學系索取新的註冊碼，然後重新註冊：student enrol",
        ),
        Code::RenewalNotLonger => (
            "現在簽發的證書不會比此證書更遲到期",
            "可繼續使用此證書；中大開放下一學期後便可續期",
        ),
        Code::StudentUnlisted => (
            "中大的學生名冊已不再載有此學生",
            "請向學系查詢；重新載入名冊後，再執行同一指令",
        ),
        Code::TermOver => (
            "中大簽發證書的學期已經結束",
            "向學系查詢下一學期何時開放，然後再執行同一指令",
        ),
        Code::RequestInvalid => (
            "證書簽署請求無效，或並非由其本身的金鑰以 SHA-256 簽署",
            "再執行一次；若仍出現，請更新本程式",
        ),
        Code::KeyUnsupported => (
            "請求中的金鑰不是 P-256 具名曲線上的 ECDSA 金鑰",
            "產生一把 P-256 金鑰後再試",
        ),
        Code::KeyRefused => ("此金鑰屬於另一個身分，或已被撤銷", "產生新金鑰後再試"),
        Code::MemberCount => ("組員人數不符合規定", "按作業容許的人數輸入學生編號"),
        Code::DuplicateMember => ("同一學生編號出現兩次", "每個學生編號只輸入一次"),
        Code::FirstMember => (
            "第一位組員並非以其證書建立連線的人",
            "以第一位組員的證書連線",
        ),
        Code::MemberMismatch => ("這些並非此連線上已核實的組員", "以相同組員及相同次序再提交"),
        Code::CertificateMissing => ("沒有出示客戶端證書", "先向中大領取證書：student enrol"),
        Code::CertificateExpired => ("證書已過期", "向學系索取新註冊碼後重新註冊，並檢查本機時鐘"),
        Code::CertificateNotYetValid => ("證書尚未生效", "檢查本機與伺服器的時鐘"),
        Code::CertificateRevoked => ("證書已被撤銷", "向學系索取新註冊碼，然後重新註冊"),
        Code::CertificateOnHold => (
            "證書暫時失效：持有人現正停用",
            "請向學系查詢；恢復後無須重新註冊",
        ),
        Code::CertificateUnknownIssuer => (
            "證書並非由此中大簽發",
            "核對位址與根證書是否屬於同一個中大；若是，請重新註冊",
        ),
        Code::CertificateIssuerNamesake => (
            "證書由另一個與此中大同名的機構簽發",
            "若中大已重新設立，請以新註冊碼重新註冊；否則有人冒充中大",
        ),
        Code::CertificateSelfSigned => (
            "證書只由其自身的金鑰簽署",
            "請註冊，由中大簽發證書：student enrol",
        ),
        Code::CertificateIssuerNotCa => (
            "簽署此證書的並非憑證機構",
            "只有中大簽發證書；請以學系發出的註冊碼註冊",
        ),
        Code::CertificateBadSignature => ("證書鏈中的簽章驗證失敗", "向學系索取新註冊碼後重新註冊"),
        Code::CertificateKeyMismatch => (
            "私鑰與證書並不相符",
            "放回屬於此證書的金鑰，或以新註冊碼重新註冊",
        ),
        Code::CertificateNoUsage => (
            "證書沒有說明其金鑰可作何用途（延伸金鑰用途）",
            "使用中大為此用途簽發的證書",
        ),
        Code::CertificateAnyUsage => (
            "證書可作任何用途（anyExtendedKeyUsage），中大從不簽發這種證書",
            "使用中大為此用途簽發的證書",
        ),
        Code::CertificateWrongUsage => ("此證書不可作此用途", "使用中大為此用途簽發的證書"),
        Code::CertificateWrongRole => (
            "證書所載的角色或對象與此處所需不符",
            "學生以學生證書連線，服務以其服務證書連線",
        ),
        Code::CertificateWrongIssuer => (
            "證書所載的是學生，卻由服務的簽發者簽發，或剛好相反",
            "請通知資訊科技部門：中大從不簽發這種證書",
        ),
        Code::CertificateNameAmbiguous => (
            "證書所載的名稱多於一個",
            "請通知資訊科技部門：中大從不簽發這種證書",
        ),
        Code::CertificateInvalid => (
            "證書格式不正確，或沒有此校園的名稱",
            "重新註冊；若仍出現，請通知資訊科技部門",
        ),
        Code::ServerIdentity => (
            "伺服器未能證明自己就是所指的對象；沒有向它傳送任何資料",
            "核對位址與根證書指紋；切勿憑猜測繼續",
        ),
        Code::ServerMisbehaved => (
            "伺服器的回覆不符合協定",
            "再試一次；若仍出現，請通知資訊科技部門",
        ),
        Code::TokenInvalid => (
            "身分權杖並非中大按規定格式簽署",
            "領取新的權杖：student enrol",
        ),
        Code::TokenAudience => (
            "身分權杖是為另一項服務發出的",
            "為此服務領取權杖：student enrol",
        ),
        Code::TokenExpired => (
            "身分權杖已過期或尚未生效",
            "領取新的權杖：student enrol；並檢查本機時鐘",
        ),
        Code::TokenMismatch => ("身分權杖屬於另一張證書", "每張證書須與其本身的權杖一併出示"),
        Code::SignerWithdrawn => (
            "中大已收回簽署此權杖或答覆的金鑰",
            "再執行同一指令；新的權杖或答覆會以另一把金鑰簽署",
        ),
        Code::ProofInvalid => (
            "持有證明與此組員、連線及挑戰值不符",
            "再執行同一指令；每個證明只適用於一次連線",
        ),
        Code::VerificationInvalid => (
            "中大對組員的答覆驗證失敗",
            "再試一次；若仍出現，請通知資訊科技部門",
        ),
        Code::StudentInactive => ("中大表示此學生或證書並非有效", "向學系查詢原因"),
        Code::ShareInvalid => ("無法開啟會話金鑰的一個份額", "再提交一次"),
        Code::ConfirmationFailed => ("雙方未能導出相同的會話金鑰", "再提交一次"),
        Code::StatementInvalid => ("聲明的格式不符合規定", "再提交一次；若仍出現，請更新本程式"),
        Code::ReportEmpty => ("報告是空的", "核對是否選對檔案，以及檔案是否已儲存"),
        Code::CourseUnknown => (
            "這裡沒有此課程",
            "核對 --course；`student assignments` 列出可提交的作業",
        ),
        Code::AssignmentUnknown => (
            "此課程沒有這份作業",
            "核對 --assignment；`student assignments` 列出可提交的作業",
        ),
        Code::NotCourseMember => (
            "該學生不在此課程之內",
            "核對 --course 與學生編號；若無誤，請老師把該學生加入名單",
        ),
        Code::AssignmentNotOpen => (
            "這份作業尚未開始接受提交",
            "開放後再執行同一指令；`student assignments` 列出開放時間",
        ),
        Code::AssignmentClosed => (
            "這份作業已不再接受提交",
            "請向老師申請延期；獲准後再執行同一指令",
        ),
        Code::GroupSize => (
            "組員人數與這份作業所要求的不符",
            "按作業要求的人數給出學生編號；`student assignments` 列出人數。若組員在你們一起提交之前已離開，請找老師",
        ),
        Code::OtherGroup => (
            "該學生已與其他人一起提交或簽署，而這份作業的組別不變",
            "與那次的所有組員一起提交，可再加入其他人；若那次尚未完成（`unfinished`），以相同的命令完成，或以 `student withdraw` 收回；若組別有變，請找老師",
        ),
        Code::FileType => (
            "這份作業不接受這種檔名結尾的檔案",
            "提交所接受的檔案種類；`student assignments` 列出種類",
        ),
        Code::SignatureInvalid => (
            "某位組員對聲明的簽署驗證失敗",
            "以每位組員的金鑰重新簽署聲明",
        ),
        Code::SignatureMissing => ("並非所有組員都簽署了聲明", "請每位組員簽署後再提交"),
        Code::MacInvalid => ("會話金鑰下的訊息鑑別碼不符", "再提交一次"),
        Code::ContentShort => ("收到的位元組比聲明所載的少", "再提交一次"),
        Code::ContentLong => ("收到的位元組比聲明所載的多", "再提交一次；期間不要更改檔案"),
        Code::ContentAltered => (
            "收到的內容與已簽署的雜湊值不符",
            "再提交一次；期間不要更改檔案",
        ),
        Code::ContentTooLarge => ("報告超過此處接受的大小", "把檔案縮小"),
        Code::TooManySessions => (
            "此學生同時開著而沒有訊息的連線過多；等候最久的一條已關閉",
            "關閉已連線而沒有使用的程式，再執行一次指令；沒有人會被鎖在外面",
        ),
        Code::TooManyQuestions => ("同一連線上的查詢過多，連線已關閉", "再執行一次指令"),
        Code::UploadExpired => (
            "此提交的檔案上載時限已過",
            "若作業仍接受提交（`student assignments`），重新提交；時間以此刻為準",
        ),
        Code::LogClosed => (
            "按時簽署的提交尚未儲存妥當，作業已經關閉",
            "向老師出示此訊息並申請延期；獲准後再執行同一指令：那是另一份提交，時間以屆時為準，小組須重新簽署",
        ),
        Code::TooManyVersions => (
            "這些組員就此作業提交的版本已達上限",
            "已提交的全部有效，計分的版本不變：`student history`；如須更換，請向老師查詢",
        ),
        Code::TooManyUploads => (
            "此學生已簽署而檔案尚未送達的提交過多",
            "完成中斷了的提交：再執行該指令；或放棄它：`student history` 列出其編號，以 `student withdraw 編號` 放棄",
        ),
        Code::SubmissionUnknown => (
            "這些組員沒有這份提交",
            "請核對編號：`student history` 列出你提交過的，`student cosign` 列出等待你的；他人的不會告知",
        ),
        Code::NotAllMembers => (
            "其他組員亦已簽署，須全部一起才能放棄",
            "在存有全組金鑰的電腦上為全組執行：student withdraw 編號 --ids A,B,C；或等待檔案的期限過去",
        ),
        Code::ProposalExists => (
            "完全相同的作業已在等待簽署",
            "請簽署該份提案：`student cosign` 會顯示",
        ),
        Code::ProposalEnded => (
            "此提案不能再簽署或撤回",
            "`student cosign` 顯示其結果；如要再提交，再執行同一指令，即為新的提交",
        ),
        Code::Superseded => (
            "同一組員其後簽署了另一份提交：期限過後，只接收最後一份的檔案",
            "請為該份提交上載檔案：再執行其指令；或以現在的時間重新提交這些檔案",
        ),
        Code::TooManyProposals => (
            "此學生等待簽署的提案過多，或一天內提出的提案過多",
            "請完成簽署，或以 `student withdraw` 撤回；一天內已提出 64 份者，請明天再試",
        ),
        Code::SubmissionConflict => (
            "此提交編號已用於其他內容",
            "再執行同一指令：會採用新的提交編號，並以當時為準",
        ),
        Code::StoredDamaged => (
            "Blackboard 所儲存的內容與所提交的不符，不會交出",
            "告知老師；如有其收據，仍能證明你所提交的內容",
        ),
        Code::RulesAltered => (
            "Blackboard 所儲存的作業規則與其日誌所載不符：不會據此作出任何判定",
            "立即通知老師；修復後再執行同一指令：一切以日誌所載為準",
        ),
        Code::ReceiptInvalid => ("收據驗證失敗", "保留它作為證據，並索取新的副本"),
        Code::RulesUnsigned => (
            "Blackboard 所說的作業規則與它所簽署的不符",
            "其間勿信別處所示的限期；再執行同一指令；若仍出現，請通知資訊科技部門",
        ),
        Code::CommitmentInvalid => (
            "Blackboard 為表示已記錄聲明而簽署的內容不正確；沒有送出任何檔案",
            "再執行同一指令；若仍出現，請通知資訊科技部門",
        ),
        Code::CommitmentBroken => (
            "Blackboard 的說法與它記錄聲明時所簽署的互相矛盾",
            "保留兩個檔案：每個都是 Blackboard 親自簽署的說法；請交給老師看",
        ),
        Code::LogForked => (
            "CUHK 的日誌與先前所示互相矛盾：歷史被改寫",
            "保留此目錄作為證據並告知學系；若 CUHK 已重新建立，請使用新的目錄",
        ),
        Code::LogInvalid => (
            "CUHK 所示的日誌內容未能通過驗證",
            "再試一次；若仍出現，請告知資訊科技部門",
        ),
        Code::LogIncomplete => (
            "CUHK 的日誌缺少必須載入的內容",
            "保留證書作為證據並告知學系",
        ),
        Code::LogInconsistent => (
            "此日誌並非由中大見證過的內容延續而成",
            "停止該服務；若它以舊備份運行：blackboard recover",
        ),
        Code::LogKeyChanged => (
            "中大所知此日誌的金鑰與現時不同",
            "放回該服務的日誌金鑰；若已遺失，由中大管理員執行：cuhk witness accept-key",
        ),
        Code::CheckpointInvalid => (
            "此日誌的檢查點、金鑰或證明無效",
            "確認該服務使用中大認可的日誌金鑰；若是，請更新該服務",
        ),
        Code::TooManyLogs => (
            "中大為此服務見證的日誌已達上限",
            "在中大的 config.toml 調高 `witnessed_logs`",
        ),
        Code::LogNotKept => (
            "中大已不再保存此日誌中所要的條目",
            "還原該服務較新的備份：久未增長的日誌，其條目會被移除",
        ),
        Code::NotPermitted => ("此證書無權作此請求", "使用有權角色的證書"),
        Code::UnexpectedMessage => ("訊息的次序不對", "更新本程式"),
        Code::UnknownMessage => ("收到種類不明的訊息", "更新本程式"),
        Code::MalformedMessage => ("收到無法理解的訊息", "更新本程式"),
        Code::FrameEmpty => ("收到空的訊框", "更新本程式"),
        Code::FrameTooLarge => ("訊框超過協定容許的大小", "更新本程式"),
        Code::BodyTooLarge => (
            "請求的內容超過此處接受的大小",
            "減少所傳送的內容；docs/PROTOCOL.md 列出上限",
        ),
        Code::MediaTypeUnsupported => (
            "此處不接受這種類型的請求內容",
            "在標頭 Content-Type 註明所要求的類型",
        ),
        Code::NotFound => (
            "此網址沒有任何內容",
            "核對網址；docs/PROTOCOL.md 列出全部網址",
        ),
        Code::MethodNotAllowed => (
            "此網址不接受這個 HTTP 方法",
            "改用回應的 Allow 欄位所列的方法",
        ),
        Code::Timeout => ("對方回應過慢", "檢查網路後再試"),
        Code::Busy => ("伺服器目前已滿", "稍等片刻再試"),
        Code::ClockSetBack => (
            "伺服器的時鐘早於其日誌已有的時間",
            "待其追上後再執行相同的命令；並通知伺服器的管理者",
        ),
        Code::PlatformClock => (
            "平台的時鐘與中大的不一致，以免誤判早遲，暫不接收任何提交",
            "問題不在你這邊，你也無從處理：請通知老師，之後再執行同一指令",
        ),
        Code::CuhkUnavailable => ("目前無法向中大查詢組員", "稍等片刻再試"),
        Code::StatusUnavailable => (
            "伺服器沒有有效的撤銷清單，目前無法確定任何人的證書是否有效",
            "問題不在你的證書，無須更換；請稍後再試，若持續出現，請通知資訊科技部門",
        ),
        Code::ServiceUncertified => (
            "中大不接受此平台本身的證書，平台因此無法查詢任何人",
            "問題不在組員的證書：請通知資訊科技部門，平台須重新取得證書；之後再執行同一指令",
        ),
        Code::ConnectionFailed => ("無法建立連線", "檢查位址及伺服器是否正在執行，然後再試"),
        Code::ConnectionLost => ("連線中斷", "再執行同一指令；不會重複儲存"),
        Code::ShuttingDown => ("伺服器正在停止", "稍等片刻再試"),
        Code::StorageFull => ("伺服器已沒有儲存空間", "稍後再試，並通知資訊科技部門"),
        Code::StorageFaulty => (
            "Blackboard 的磁碟讀回的位元組與所送達的不同",
            "沒有發出收據：再執行同一 `submit`，聯署的提案則由提出者執行；已告知 Blackboard 的管理人員",
        ),
        Code::ProfileBroken => (
            "該證書不符合 CUHK 本身的規格，沒有簽發",
            "通知資訊科技部門：`cuhk serve` 的記錄說明不符之處",
        ),
        Code::Internal => (
            "伺服器一方出了問題",
            "稍後再試，並把時間與步驟告知資訊科技部門",
        ),
    }
}
