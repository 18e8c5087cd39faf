//! What `student audit` says, in two languages.

use scb_certs::StudentId;
use scb_cli::{counted, local_time, printable};
use scb_explain::Language;
use scb_protocol::audit::VerifiedWitness;
use scb_protocol::{InactiveReason, from_seconds};

use super::Whose;
use crate::log_memory::WitnessKey;
use crate::words::Words;

#[derive(Clone, Copy)]
pub(super) struct AuditWords(Language);

impl AuditWords {
    pub(super) fn of(language: Language) -> Self {
        Self(language)
    }

    pub(super) fn common(self) -> Words {
        Words::of(self.0)
    }

    pub(super) fn student(self, sid: &StudentId, certificates: usize, asked: usize) -> String {
        match self.0 {
            Language::English => format!(
                "{sid}  {}, asked about {}",
                counted(certificates, "certificate"),
                counted(asked, "time")
            ),
            Language::Chinese => format!("{sid}  {certificates} 張證書，被查詢 {asked} 次"),
        }
    }

    pub(super) fn certificate(
        self,
        serial: &str,
        (from, until): (String, String),
        (status, whose): (&str, Whose),
    ) -> String {
        let whose = match whose {
            Whose::Here => self.0.pick(", here", "，在本機"),
            Whose::Earlier => self.0.pick(
                "; an earlier one of this home, since replaced",
                "；本機先前的證書，其後已由本機更換",
            ),
            Whose::NotHere => self.0.pick(", not here", "，不在本機"),
        };
        match self.0 {
            Language::English => {
                format!("certificate {serial:>32}  {from} to {until}  {status}{whose}")
            }
            Language::Chinese => format!("證書 {serial:>32}  {from} 至 {until}  {status}{whose}"),
        }
    }

    pub(super) fn status(self, inactive: Option<InactiveReason>) -> &'static str {
        match inactive {
            None => self.0.pick("active", "有效"),
            Some(InactiveReason::Unknown) => self.0.pick("unknown", "沒有記錄"),
            Some(InactiveReason::Revoked) => self.0.pick("revoked", "已撤銷"),
            Some(InactiveReason::Expired) => self.0.pick("expired", "已過期"),
            Some(InactiveReason::Suspended) => self.0.pick("suspended", "已停用"),
        }
    }

    pub(super) fn asked(self, asker: &str, at: &str, told: Option<InactiveReason>) -> String {
        let told = self.status(told);
        match self.0 {
            Language::English => format!("asked by {asker}  {at}  told: {told}"),
            Language::Chinese => format!("{asker} 查詢  {at}  回答：{told}"),
        }
    }

    pub(super) fn log(self, origin: &str, size: u64) -> String {
        match self.0 {
            Language::English => {
                let entries = counted(size, "entry");
                format!("log  {origin}: {entries}, every line above proved to be in it")
            }
            Language::Chinese => format!("日誌 {origin}：{size} 項，以上各行均證明在其中"),
        }
    }

    /// How the log was when it was looked at before.
    pub(super) fn before(self, size: Option<u64>) -> String {
        match (self.0, size) {
            (Language::English, None) => {
                "seen here for the first time: remembered from now on".to_owned()
            }
            (Language::English, Some(size)) => format!("grew out of the {size} seen before"),
            (Language::Chinese, None) => "首次在本機查看：由此起記住".to_owned(),
            (Language::Chinese, Some(size)) => format!("由先前所見的 {size} 項增長而成"),
        }
    }

    pub(super) fn witness(self, witness: &VerifiedWitness, key: WitnessKey, size: u64) -> String {
        let service = printable(witness.service().as_str());
        let (seen, at) = (witness.size(), local_time(from_seconds(witness.time())));
        let note = match key {
            WitnessKey::New | WitnessKey::Known => "",
            WitnessKey::Other => self.0.pick(
                " with ANOTHER KEY than before: ask your IT service whether it changed",
                "，所用金鑰與先前不同：請向資訊科技部門查詢是否已更換",
            ),
        };
        match (self.0, seen == size) {
            (Language::English, true) => format!("cosigned by {service}: all of it, at {at}{note}"),
            (Language::English, false) => {
                format!("cosigned by {service}: the first {seen}, at {at}{note}")
            }
            (Language::Chinese, true) => format!("{service} 已加簽全部，於 {at}{note}"),
            (Language::Chinese, false) => format!("{service} 已加簽首 {seen} 項，於 {at}{note}"),
        }
    }

    pub(super) fn no_witness(self) -> &'static str {
        self.0
            .pick("not cosigned by any witness yet", "尚未有任何見證者加簽")
    }

    pub(super) fn not_yours(self) -> &'static str {
        self.0.pick(
            "Not yours? Tell your department, who revokes it: cuhk revoke SERIAL",
            "並非你的證書？請通知學系將它撤銷：cuhk revoke SERIAL",
        )
    }
}
