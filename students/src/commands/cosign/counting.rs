//! Which version counts for whom while something waits for a signature, and which would once it is
//! complete.

use scb_certs::StudentId;
use scb_cli::local_time;
use scb_explain::Language;
use scb_protocol::from_seconds;
use scb_protocol::message::blackboard::ListedVersion;
use scb_protocol::rules::{Counts, MemberStanding, Standing};
use scb_protocol::statement::SubmissionNumber;

use super::super::quiet_unless;
use super::words::Words;
use super::{Desk, Waiting, show};
use crate::engine::ToldHistory;
use crate::{Error, Group};

/// What counts now for a student here.
pub(super) struct Counting {
    pub(super) sid: StudentId,
    /// None before anything was handed in.
    pub(super) version: Option<ListedVersion>,
    /// Whether it is closed for him by now: others who have more time may still complete it, without him.
    is_closed: bool,
}

impl Counting {
    pub(super) fn of(sid: &StudentId, one: &Waiting, told: &ToldHistory) -> Self {
        let statement = &one.told.statement;
        let counts = |version: &&ListedVersion| {
            let mut standings = version.standings.iter();
            (&version.course, &version.assignment) == (&statement.course, &statement.assignment)
                && standings.any(|own| own.sid == *sid && own.counts)
        };
        let is_closed = |own: &MemberStanding| {
            own.sid == *sid && matches!(own.standing, Standing::Closed { .. })
        };
        Self {
            sid: sid.clone(),
            version: told.versions.iter().find(counts).cloned(),
            is_closed: show::each(one).iter().any(is_closed),
        }
    }

    /// The number of what counts now.
    pub(super) fn number(&self) -> Option<SubmissionNumber> {
        self.version.as_ref().map(|version| version.number)
    }

    /// Whether what waits takes its place: it is complete later than all that is there, and counts for
    /// whom it is not closed.
    pub(super) fn is_replaced(&self, counts: Counts) -> bool {
        !self.is_closed && (counts == Counts::Latest || self.version.is_none())
    }
}

impl Desk<'_> {
    /// Asks what counts now for those who may sign something.
    pub(super) fn learn_what_counts(&mut self, listed: &mut [Waiting]) -> Result<(), Error> {
        let mut signers: Vec<_> = listed.iter().flat_map(Waiting::asked).collect();
        signers.sort();
        signers.dedup();
        if signers.is_empty() {
            return Ok(());
        }
        let explained = self.explained();
        let mut observer = quiet_unless(explained, &mut self.show);
        let (engine, group) = (&mut self.prepared.engine, Group::new(signers)?);
        let told = engine.history(&group, (None, None), &mut observer)?;
        for one in listed {
            let each = one.asked();
            let each = each.iter().map(|sid| Counting::of(sid, one, &told));
            one.counting = each.collect();
        }
        Ok(())
    }
}

impl Words {
    pub(super) fn counts_now(self) -> &'static str {
        self.language().pick("counts now", "現時計算")
    }

    pub(super) fn counts_then(self) -> &'static str {
        self.language().pick("then", "完成後")
    }

    /// What counts for a student now.
    pub(super) fn counting(self, one: &Counting) -> String {
        let language = self.language();
        let Some(version) = &one.version else {
            let nothing = language.pick("nothing is handed in yet", "尚未提交");
            return format!("{} {nothing}", one.sid);
        };
        let own = version.standings.iter().find(|own| own.sid == one.sid);
        let standing = own.map(|own| own.standing());
        let lateness = crate::words::Words::of(language);
        let lateness = standing.map(|standing| lateness.standing(standing));
        let (number, at) = (version.number, from_seconds(version.committed_at));
        let (at, lateness) = (local_time(at), lateness.unwrap_or_default());
        match language {
            Language::English => format!("{} {number}, recorded {at}: {lateness}", one.sid),
            Language::Chinese => format!("{} {number}，登記於 {at}：{lateness}", one.sid),
        }
    }

    /// What would count for him once this is complete.
    pub(super) fn would_count(self, one: &Counting, counts: Counts) -> String {
        let told = match (self.language(), one.number()) {
            (Language::English, Some(number)) if one.is_closed => {
                format!("still {number}: this one does not count for this student")
            }
            (Language::Chinese, Some(number)) if one.is_closed => {
                format!("仍為 {number}：此版本不計入此學生")
            }
            (Language::English, None) if one.is_closed => {
                "nothing: this one does not count for this student".to_owned()
            }
            (Language::Chinese, None) if one.is_closed => {
                "沒有版本計算在內：此版本不計入此學生".to_owned()
            }
            (Language::English, Some(number)) if !one.is_replaced(counts) => {
                format!("still {number}, as the first version counts")
            }
            (Language::Chinese, Some(number)) if !one.is_replaced(counts) => {
                format!("仍為 {number}，因以第一版為準")
            }
            (Language::English, Some(number)) => format!("this one, IN THE PLACE of {number}"),
            (Language::Chinese, Some(number)) => format!("此版本，取代 {number}"),
            (Language::English, None) => "this one".to_owned(),
            (Language::Chinese, None) => "此版本".to_owned(),
        };
        format!("{} {told}", one.sid)
    }
}
