//! What `student status` says, in two languages.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::CertificateError;
use scb_cli::{local_time, printable, say};
use scb_explain::{Language, sentence};
use scb_protocol::statement::Statement;
use scb_protocol::{certificate_code, grouped};

use super::Student;
use crate::Error;
use crate::identity::Standing;
use crate::words::padded;

/// For how long after its end CUHK renews a certificate by its key, unless it is set up otherwise.
const USUAL_GRACE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Columns of the labels.
const LABEL: usize = 10;

#[derive(Clone, Copy)]
pub(super) struct StatusWords(Language);

impl StatusWords {
    pub(super) fn of(language: Language) -> Self {
        Self(language)
    }

    fn pick(self, english: &'static str, chinese: &'static str) -> &'static str {
        self.0.pick(english, chinese)
    }

    pub(super) fn row(self, label: &str, value: Option<String>) -> Result<(), Error> {
        let value = value.unwrap_or_else(|| self.pick("not known yet", "尚未知道").to_owned());
        let label = padded(label, LABEL);
        Ok(say(&format!("{label}  {}", printable(&value)))?)
    }

    pub(super) fn home(self) -> &'static str {
        self.pick("home", "目錄")
    }

    pub(super) fn cuhk(self) -> &'static str {
        self.pick("CUHK", "中大")
    }

    pub(super) fn root(self) -> &'static str {
        self.pick("root", "根證書")
    }

    pub(super) fn unfinished(self) -> &'static str {
        self.pick("unfinished", "未完成")
    }

    /// Certificate, token and passphrase of one student.
    pub(super) fn student(self, student: &Student, now: UnixTime) -> String {
        let certificate = self.certificate(student, now);
        let token = self.token(student.token, now);
        let passphrase = match student.passphrase {
            Some(true) => self.pick("yes", "有"),
            Some(false) => self.pick("NONE", "沒有"),
            None => self.pick("no key", "沒有金鑰"),
        };
        match self.0 {
            Language::English => {
                format!("certificate {certificate}, token {token}, passphrase {passphrase}")
            }
            Language::Chinese => {
                format!("證書{certificate}；權杖{token}；通行密碼：{passphrase}")
            }
        }
    }

    fn certificate(self, student: &Student, now: UnixTime) -> String {
        let until = match (&student.standing, student.certificate) {
            (Standing::Bad(CertificateError::Expired), Some(until)) => {
                return self.expired(until, now);
            }
            (Standing::Bad(reason), _) => return self.not_good(reason),
            (_, None) => return self.pick("none", "：沒有").to_owned(),
            (_, Some(until)) => local_time(until),
        };
        let renewal = self.renewal(student.renewal_due, now);
        match self.0 {
            Language::English => format!("until {until}, {renewal}"),
            Language::Chinese => format!("有效至 {until}，{renewal}"),
        }
    }

    fn not_good(self, reason: &CertificateError) -> String {
        match self.0 {
            Language::English => format!("NOT good: {reason}"),
            Language::Chinese => {
                let why = sentence(certificate_code(reason), self.0);
                format!("不能使用：{why}")
            }
        }
    }

    fn token(self, until: Option<UnixTime>, now: UnixTime) -> String {
        match (self.0, until) {
            (Language::English, Some(until)) if until > now => {
                format!("until {}", local_time(until))
            }
            (Language::Chinese, Some(until)) if until > now => {
                format!("有效至 {}", local_time(until))
            }
            (_, Some(_)) => self
                .pick(
                    "expired, is refreshed when needed",
                    "已過期，需要時會自動更新",
                )
                .to_owned(),
            (_, None) => self.pick("none", "：沒有").to_owned(),
        }
    }

    /// When the certificate is renewed: by whatever command talks to CUHK next.
    fn renewal(self, due: Option<UnixTime>, now: UnixTime) -> String {
        match (self.0, due) {
            (_, None) => self.pick("never renewed", "不續期").to_owned(),
            (_, Some(due)) if due < now => self
                .pick(
                    "renewed by the next command that needs CUHK",
                    "下一個需要中大的指令會將它續期",
                )
                .to_owned(),
            (Language::English, Some(due)) => {
                format!("renewed by itself from {} on", local_time(due))
            }
            (Language::Chinese, Some(due)) => format!("由 {} 起自動續期", local_time(due)),
        }
    }

    /// Its key still gets the next one for a time, which only CUHK knows.
    fn expired(self, until: UnixTime, now: UnixTime) -> String {
        let ended = local_time(until);
        let usual = UnixTime::since_unix_epoch(Duration::from_secs(until.as_secs()) + USUAL_GRACE);
        let last = local_time(usual);
        match (self.0, usual > now) {
            (Language::English, true) => format!(
                "ended at {ended}: the next command that needs CUHK, or `student renew`, renews it by \
                 its own key until {last}, unless CUHK says otherwise; after that with a new code"
            ),
            (Language::English, false) => format!(
                "ended at {ended}: with a new code, `student enrol`, unless CUHK still renews it \
                 (`student renew`)"
            ),
            (Language::Chinese, true) => format!(
                "已於 {ended} 到期：除非中大另有規定，在 {last} 前，下一個需要中大的指令或 `student renew` \
                 會以其本身的金鑰續期；其後須用新的註冊碼"
            ),
            (Language::Chinese, false) => format!(
                "已於 {ended} 到期：請以新的註冊碼執行 `student enrol`，除非中大仍為它續期\
                 （`student renew`）"
            ),
        }
    }

    /// Those whose key has no passphrase.
    pub(super) fn unprotected(self, ids: &str) -> String {
        match self.0 {
            Language::English => format!(
                "no passphrase: whoever gets at the key file of {ids} can sign in that name. To give \
                 one: student passphrase --ids {ids}"
            ),
            Language::Chinese => format!(
                "沒有通行密碼：取得 {ids} 金鑰檔案的人即可以其名義簽署。如要設定：student passphrase --ids {ids}"
            ),
        }
    }

    /// What was signed, and how it goes on.
    pub(super) fn resumes(self, statement: &Statement) -> String {
        let ids: Vec<_> = statement
            .members
            .iter()
            .map(|one| one.sid.as_str())
            .collect();
        let (ids, files) = (ids.join(","), &statement.files);
        let place = format!("{}/{}", statement.course, statement.assignment);
        match self.0 {
            Language::English => {
                format!("{files} of {ids} for {place}: the same command again resumes it")
            }
            Language::Chinese => {
                let (count, size) = (files.len(), grouped(files.size()));
                format!(
                    "{ids} 向 {place} 提交的 {count} 個檔案（{size} 位元組）：再執行同一指令即可繼續"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(days: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(days * 24 * 60 * 60))
    }

    #[test]
    fn a_certificate_that_has_ended_says_how_it_is_renewed_and_until_when() {
        let words = StatusWords::of(Language::English);
        let told = words.expired(at(20_000), at(20_001));
        assert!(told.contains("by its own key until"), "{told}");
        assert!(told.contains(&local_time(at(20_030))), "{told}");
        let told = words.expired(at(20_000), at(20_031));
        assert!(!told.contains("by its own key"), "{told}");
        assert!(told.contains("new code"), "{told}");
    }

    #[test]
    fn a_certificate_that_is_not_good_says_why_in_the_readers_language() {
        let told = StatusWords::of(Language::Chinese).not_good(&CertificateError::Revoked);
        assert_eq!(told, "不能使用：證書已被撤銷");
    }
}
