//! What Blackboard tells of a proposal: a statement that waits for signatures made elsewhere.

use std::fmt;
use std::str::FromStr;

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::object::objects;
use crate::receipt::SignedEntry;
use crate::rules::{Extension, Rules, Title};
use crate::statement::{Label, SubmissionId, SubmissionNumber};
use crate::time::{as_rfc3339, as_rfc3339_if_any};
use crate::values::Der;
use crate::{Code, Refusal};

/// Most bytes of a reason.
const MAX_REASON: usize = 200;

/// Why somebody does not sign, or takes it back: text of one line, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reason(String);

impl FromStr for Reason {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let is_line = !text.is_empty() && !text.chars().any(char::is_control);
        match is_line && text.len() <= MAX_REASON {
            true => Ok(Self(text.to_owned())),
            false => Err(Error::Form {
                what: "the reason",
                reason: "1 to 200 bytes on one line",
            }),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Reason {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> String {
        reason.0
    }
}

/// What has become of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProposalState {
    /// Somebody has still to sign.
    Waiting,
    /// Everybody has signed: what is missing are files, or CUHK's last word.
    Signed,
    /// It is a submission with a number.
    Accepted,
    /// Somebody who was to sign has said no.
    Declined,
    /// Somebody who had signed has taken it back.
    Withdrawn,
    /// Not everybody had signed in time, or before the same members handed in another version.
    Lapsed,
}

impl ProposalState {
    /// Whether it can still become a submission.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Signed)
    }

    /// As it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Signed => "signed",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Withdrawn => "withdrawn",
            Self::Lapsed => "lapsed",
        }
    }
}

impl fmt::Display for ProposalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a member has said to a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// Nothing yet.
    Nothing,
    /// He has signed.
    Signed,
    /// He does not sign.
    Declined,
    /// He had signed, and has taken it back.
    Withdrawn,
}

impl Said {
    /// As it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Signed => "signed",
            Self::Declined => "declined",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// That a member's signature was refused: as what and when, and nothing of why it was. The rest is told to himself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct RefusedSignature {
    /// When that was entered in the log.
    #[serde(with = "as_rfc3339")]
    pub at: UnixTime,
    /// As what.
    pub code: Code,
}

/// One member of a proposal, and what he has said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct CosignerStanding {
    /// The member.
    pub sid: StudentId,
    /// What he has said.
    pub said: Said,
    /// When it was recorded, by Blackboard's clock.
    #[serde(default, with = "as_rfc3339_if_any")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<UnixTime>,
    /// Who was verified on the connection over which it came, the one who opened it first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<StudentId>,
    /// What he said why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// He has said nothing, and his signature of this very statement was refused: the last time. Servers of before
    /// say nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedSignature>,
}

/// How a proposal stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct ProposalStanding {
    /// The submission ID that its statement has.
    pub submission: SubmissionId,
    /// What has become of it.
    pub state: ProposalState,
    /// When it was proposed.
    #[serde(with = "as_rfc3339")]
    pub proposed_at: UnixTime,
    /// Until when it waits.
    #[serde(with = "as_rfc3339")]
    pub until: UnixTime,
    /// When all its files had come; absent: they have not.
    #[serde(default, with = "as_rfc3339_if_any")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files_at: Option<UnixTime>,
    /// Its number, if it is a submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<SubmissionNumber>,
    /// The members, in the order of the statement.
    pub members: Vec<CosignerStanding>,
}

impl ProposalStanding {
    /// Who has said nothing yet.
    pub fn missing(&self) -> impl Iterator<Item = &StudentId> {
        let members = self.members.iter();
        let silent = members.filter(|member| member.said == Said::Nothing);
        silent.map(|member| &member.sid)
    }

    /// What this member has said; `None` if he is no member.
    pub fn said_by(&self, sid: &StudentId) -> Option<Said> {
        let mut members = self.members.iter();
        members
            .find(|member| member.sid == *sid)
            .map(|member| member.said)
    }

    /// Whose files these are: who was verified on the connection that proposed it, the one who opened
    /// it first.
    pub fn proposers(&self) -> &[StudentId] {
        let mut members = self.members.iter();
        let first = members.find(|member| member.at == Some(self.proposed_at));
        first.map_or(&[], |member| &member.with)
    }

    /// When the last signature was recorded, if everybody has signed: what counts for lateness.
    pub fn signed_at(&self) -> Option<UnixTime> {
        let has_signed = |member: &CosignerStanding| member.said == Said::Signed;
        let all = self.members.iter().all(has_signed);
        let last = self.members.iter().filter_map(|member| member.at).max();
        last.filter(|_| all)
    }
}

/// A proposal as the members whom it names are shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct ListedProposal {
    /// The statement's exact bytes (JSON, UTF-8): what is to be signed.
    pub statement: String,
    /// How it stands.
    pub standing: ProposalStanding,
    /// What the course is called.
    pub course_title: Title,
    /// The rules of the assignment, of this moment.
    pub rules: Rules,
    /// While it waits: the entry of the log that says so, signed. Servers of before send none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<SignedEntry>,
    /// More time that members who ask, or who have signed, have been given.
    pub extensions: Vec<Extension>,
    /// The entries that say so, signed; without those that name others as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extended: Vec<SignedEntry>,
    /// While it waits for those who ask: as what their signature would be refused at this moment, by
    /// the rules and by what they and those who have signed have handed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Box<Refusal>>,
    /// What those have signed who have, in one detached CMS (DER) over the statement: nobody has to take
    /// Blackboard's word for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signatures: Option<Der>,
}

/// A proposal that is not shown: what is stored of the rules of its assignment was altered, and nothing is judged by
/// that. It is ended as any other one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct UnjudgedProposal {
    /// The course.
    pub course: Label,
    /// The assignment.
    pub assignment: Label,
    /// How it stands, whatever the rules say.
    pub standing: ProposalStanding,
}

objects!(
    RefusedSignature,
    CosignerStanding,
    ProposalStanding,
    ListedProposal,
    UnjudgedProposal
);
