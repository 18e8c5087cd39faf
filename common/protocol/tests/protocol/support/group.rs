//! A group of students, and the services that it meets.

use std::sync::Arc;

use scb_certs::{Fingerprint, StudentId, TrustStore};
use scb_protocol::client::{Member, named, sign};
use scb_protocol::message::cuhk::MemberQuestion;
use scb_protocol::server::{Outage, Policy};
use scb_protocol::statement::{FileEntry, Statement};
use scb_protocol::{
    InactiveReason, MemberAnswer, Question, TokenRequest, issue_token, issue_verification,
};
use scb_testkit::{TestCampus, TestIdentity};

use super::{Run, name};

/// What the group hands in.
pub(crate) const REPORT: &[u8] = b"This is submission from 1155000001\n";

/// Students certified by one campus, with their tokens; CUHK's token signer; Blackboard.
pub(crate) struct Group<'a> {
    pub(crate) campus: &'a TestCampus,
    pub(crate) members: Vec<Member>,
    pub(crate) cuhk: TestIdentity,
    pub(crate) blackboard: TestIdentity,
    pub(crate) policy: Arc<Policy>,
    /// What Blackboard trusts.
    pub(crate) trust: Arc<TrustStore>,
}

impl<'a> Group<'a> {
    /// These students, in this order, each certified now and given a token.
    pub(crate) fn of(campus: &'a TestCampus, sids: &[&str]) -> Self {
        let cuhk = campus.token_signer();
        let members = sids.iter().map(|sid| member(campus, &cuhk, sid)).collect();
        Self {
            campus,
            members,
            cuhk,
            blackboard: campus.service("blackboard"),
            policy: Arc::new(policy()),
            trust: campus.trust(),
        }
    }

    /// A connection from the group to Blackboard on which nothing has been said.
    pub(crate) fn run(&self) -> Run<'_> {
        Run::of(self)
    }

    /// Another student of the same campus, with a token.
    pub(crate) fn outsider(&self) -> Member {
        member(self.campus, &self.cuhk, "1155000099")
    }

    /// CUHK's answer to a question: everybody is active.
    pub(crate) fn answer(&self, question: &Question) -> String {
        self.answer_with(question, |_| None)
    }

    /// CUHK's answer, in which these members are not active.
    pub(crate) fn answer_with(
        &self,
        question: &Question,
        inactive: impl Fn(&StudentId) -> Option<InactiveReason>,
    ) -> String {
        let answers: Vec<_> = question
            .members
            .iter()
            .map(|member| MemberAnswer {
                sid: member.sid.clone(),
                cert_sha256: member.cert_sha256,
                inactive: inactive(&member.sid),
                checked_at: self.campus.now(),
            })
            .collect();
        self.sign_answers(question, &answers, &self.cuhk)
    }

    /// These answers to Blackboard, as `signer` would give them.
    pub(crate) fn sign_answers(
        &self,
        question: &Question,
        answers: &[MemberAnswer],
        signer: &TestIdentity,
    ) -> String {
        issue_verification(
            &name("service/cuhk"),
            &self.policy.service,
            question.repeated(),
            answers,
            self.campus.now(),
            &signer.key,
            &signer.chain,
        )
        .unwrap()
    }

    /// The members as questions and statements name them.
    pub(crate) fn named(&self) -> Vec<MemberQuestion> {
        named(&self.members)
    }

    /// The group's statement about [`REPORT`].
    pub(crate) fn statement(&self) -> Statement {
        self.statement_about(REPORT)
    }

    /// The group's statement about this content.
    pub(crate) fn statement_about(&self, content: &[u8]) -> Statement {
        let file = FileEntry {
            name: "submission.txt".parse().unwrap(),
            size: content.len() as u64,
            sha256: Fingerprint::of(content),
        };
        let assignment = ("SANDBOX".parse().unwrap(), "lab".parse().unwrap());
        let submission = "000102030405060708090a0b0c0d0e0f".parse().unwrap();
        let service = self.policy.service.clone();
        Statement::new(service, assignment, self.named(), file, submission)
    }

    /// Every member's signature of these bytes.
    pub(crate) fn sign(&self, statement: &[u8]) -> Vec<u8> {
        sign(statement, &self.members, self.campus.now()).unwrap()
    }
}

/// A student with certificate and token.
pub(crate) fn member(campus: &TestCampus, cuhk: &TestIdentity, sid: &str) -> Member {
    let student = campus.student(sid);
    Member {
        token: token(campus, cuhk, &student),
        sid: sid.parse().unwrap(),
        chain: student.chain,
        key: student.key,
    }
}

/// A student, CUHK's signer, and the token for Blackboard that one gave the other.
pub(crate) struct Issued<'a> {
    pub(crate) campus: &'a TestCampus,
    pub(crate) cuhk: TestIdentity,
    pub(crate) student: TestIdentity,
    pub(crate) token: String,
}

impl<'a> Issued<'a> {
    pub(crate) fn on(campus: &'a TestCampus) -> Self {
        let (cuhk, student) = (campus.token_signer(), campus.student("1155000001"));
        Self {
            campus,
            token: token(campus, &cuhk, &student),
            cuhk,
            student,
        }
    }
}

/// A token for Blackboard, as `cuhk` issues it to a student.
pub(crate) fn token(campus: &TestCampus, cuhk: &TestIdentity, student: &TestIdentity) -> String {
    let request = TokenRequest {
        issuer: &name("service/cuhk"),
        audience: &name("service/blackboard"),
        subject: &student.leaf().spiffe_id().unwrap(),
        certificate: student.leaf(),
        now: campus.now(),
    };
    issue_token(&request, &cuhk.key, &cuhk.chain).unwrap()
}

fn policy() -> Policy {
    Policy {
        service: name("service/blackboard"),
        max_members: 3,
        max_bytes: 1 << 20,
        outage: Outage::Refuse,
    }
}
