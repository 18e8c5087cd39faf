//! What rules say of a moment.

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;

use super::{Extension, Rules};

/// How work that is committed at a moment stands. Every moment that rules name still belongs to
/// what comes before it: at 23:59:00 what is due at 23:59:00 is on time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is taken yet.
    NotYetOpen {
        /// From when on it is.
        opens: UnixTime,
    },
    /// Taken, and on time.
    OnTime,
    /// Taken after `due`, and not late: within the time of grace.
    WithinGrace,
    /// Taken, and late.
    Late {
        /// By so many seconds after `due`: the time of grace does not shorten it.
        by: u64,
        /// What the rules say that it costs, in percent of the full mark.
        costs: u8,
    },
    /// Nothing is taken any more.
    Closed {
        /// The last moment at which it was.
        since: UnixTime,
    },
}

impl Standing {
    /// Whether work is taken.
    pub fn is_open(self) -> bool {
        matches!(self, Self::OnTime | Self::WithinGrace | Self::Late { .. })
    }

    /// This one, or the other if that is better for the student. What costs less is better before
    /// what is less late.
    pub(crate) fn or_better(self, other: Self) -> Self {
        match rank(other) < rank(self) {
            true => other,
            false => self,
        }
    }

    /// What that costs the student.
    pub fn price(self) -> Price {
        match self {
            Self::OnTime | Self::WithinGrace | Self::NotYetOpen { .. } => Price::NONE,
            Self::Late { costs, .. } => Price(1, costs),
            Self::Closed { .. } => Price(2, 100),
        }
    }

    /// A stable word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotYetOpen { .. } => "not_yet_open",
            Self::OnTime => "on_time",
            Self::WithinGrace => "within_grace",
            Self::Late { .. } => "late",
            Self::Closed { .. } => "closed",
        }
    }
}

/// What a moment costs the student: what is dearer is greater. Being late at all is dearer than being on
/// time, also where the rules take nothing off for it; by how much it is late does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Price(u8, u8);

impl Price {
    /// Of what is not late.
    pub const NONE: Self = Self(0, 0);
}

/// How a member of a group stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberStanding {
    /// The member.
    pub sid: StudentId,
    /// How he stands.
    pub standing: Standing,
}

impl Rules {
    /// How the work of one student, who may have an extension, stands if it is committed at this
    /// moment.
    pub fn judge(&self, at: UnixTime, extension: Option<&Extension>) -> Standing {
        if let Some(opens) = self.opens.filter(|opens| at < *opens) {
            return Standing::NotYetOpen { opens };
        }
        let Some(moments) = self.moments(extension) else {
            return Standing::OnTime;
        };
        if at <= moments.due {
            return Standing::OnTime;
        }
        if at <= moments.grace_ends {
            return Standing::WithinGrace;
        }
        match moments.last {
            Some(since) if at > since => Standing::Closed { since },
            _ => {
                let by = at.as_secs() - moments.due.as_secs();
                let costs = self.late.costs(by);
                Standing::Late { by, costs }
            }
        }
    }

    /// How each member of a group stands, in order: everybody by his own extension.
    pub fn judge_each<'a>(
        &self,
        at: UnixTime,
        members: impl IntoIterator<Item = &'a StudentId>,
        extensions: &[Extension],
    ) -> Vec<MemberStanding> {
        let own = |sid: &StudentId| extensions.iter().find(|extension| extension.sid == *sid);
        let members = members.into_iter();
        members
            .map(|sid| MemberStanding {
                sid: sid.clone(),
                standing: self.judge(at, own(sid)),
            })
            .collect()
    }

    /// The same; nobody where nothing is ever due.
    pub fn judge_if_due<'a>(
        &self,
        at: UnixTime,
        members: impl IntoIterator<Item = &'a StudentId>,
        extensions: &[Extension],
    ) -> Vec<MemberStanding> {
        match self.due {
            Some(_) => self.judge_each(at, members, extensions),
            None => Vec::new(),
        }
    }

    /// How a group stands as a whole: it may hand in as long as any of its members may, and
    /// stands as the one among them with the most time.
    pub fn judge_group(&self, at: UnixTime, extensions: &[Extension]) -> Standing {
        let each = extensions.iter().map(|own| self.judge(at, Some(own)));
        each.fold(self.judge(at, None), Standing::or_better)
    }
}

/// Better standings first.
fn rank(standing: Standing) -> (u8, u8, u64) {
    match standing {
        Standing::OnTime => (0, 0, 0),
        Standing::WithinGrace => (1, 0, 0),
        Standing::Late { by, costs } => (2, costs, by),
        Standing::Closed { since } => (3, 0, u64::MAX - since.as_secs()),
        Standing::NotYetOpen { .. } => (4, 0, 0),
    }
}
