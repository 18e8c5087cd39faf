//! What both servers know, sign and store, and what they do wrong on demand.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{
    Certificate, Chain, DistributionUrls, Fingerprint, Issuer, IssuerKind, PublicKey, Serial,
    ServiceName, SigningKey, SpiffeId, StudentId, TrustStore,
};
use scb_protocol::log_leaf::{Committed, Contents, Entry, Leaf, LogName, Refused};
use scb_protocol::message::blackboard::{AlteredAssignment, ListedAssignment};
use scb_protocol::message::cuhk::Reply;
use scb_protocol::receipt::{
    CommittedAt, Evidence, SignedEntry, SignedLeaf, accepted_entry, build,
};
use scb_protocol::rules::Terms;
use scb_protocol::server::{AcceptedStatement, Commitment, VerifiedSubmission};
use scb_protocol::statement::{SubmissionId, SubmissionNumber};
use scb_protocol::{
    Code, EnrolmentCode, MemberAnswer, Question, Refusal, SignedBundle, Step, TokenRequest,
    from_seconds, issue_token, issue_verification,
};
use scb_testkit::{TestCampus, TestIdentity};

/// What a server does wrong, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// CUHK certifies and closes without saying so.
    LoseEnrolled,
    /// CUHK certifies another key.
    OtherKey,
    /// CUHK certifies another student.
    OtherStudent,
    /// CUHK's token is for another certificate.
    OtherToken,
    /// CUHK renews and closes without saying so.
    LoseRenewed,
    /// CUHK renews nothing, and says this.
    RefuseRenewal(Code),
    /// Blackboard stores and closes without saying so.
    LoseReceipt,
    /// Blackboard's receipt has one wrong byte, and it says so as if nothing were wrong.
    AlteredReceipt,
    /// Blackboard gives the receipt of another submission.
    OtherReceipt,
    /// Blackboard sends one byte more of the receipt than it announced.
    LongReceipt,
    /// CUHK has no time for a second.
    CuhkBusy,
    /// Blackboard has no time for a second.
    BlackboardBusy,
    /// CUHK has put the first student's certificate on hold, for good.
    FirstOnHold,
    /// Blackboard cannot ask CUHK.
    CuhkUnavailable,
    /// CUHK has withdrawn the key that signed the first member's token.
    SignerWithdrawn,
    /// The same, for good.
    AllSignersWithdrawn,
    /// Blackboard shows what CUHK answered ten minutes ago.
    StaleVerification,
    /// Blackboard's time is half an hour before CUHK's.
    OtherTime,
    /// Blackboard tells other rules than it has signed.
    OtherRules,
    /// Blackboard records a statement and closes before its files come.
    LoseFiles,
    /// What Blackboard signs when it records a statement is wrong in this way.
    Recorded(Wrong),
    /// The receipt names another entry than the one that was signed.
    ReceiptOfAnotherEntry,
}

/// What may be wrong with the entry that a statement is recorded with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It is another time than the one that is told.
    Told,
    /// It is of 1970, as is the time that is told.
    Epoch,
    /// It is of an hour before.
    Earlier,
    /// It is of an hour to come.
    ToCome,
    /// It is about another statement.
    Statement,
    /// It is about other signatures.
    Signatures,
    /// It is in the log of another assignment.
    Log,
    /// CUHK signed it.
    Signer,
    /// It says that others were refused.
    Kind,
}

/// What both servers know.
pub(crate) struct Desk {
    pub(crate) campus: TestCampus,
    pub(crate) fault: Mutex<Option<Fault>>,
    /// Requests that reached CUHK.
    pub(crate) requests: AtomicUsize,
    /// For each session with Blackboard of which submissions it was asked for what makes their receipts complete.
    pub(crate) asked: Mutex<Vec<Vec<SubmissionId>>>,
    /// Whether it has that.
    pub(crate) witnessed: AtomicBool,
    /// Connections to CUHK whose handshake was done.
    pub(crate) connections: AtomicUsize,
    pub(crate) stored: Mutex<BTreeMap<SubmissionId, Stored>>,
    /// How long certificates are good.
    pub(crate) lifetime: Mutex<Duration>,
    /// What was recorded before its files came.
    pub(super) recorded: Mutex<BTreeMap<SubmissionId, (Commitment, SignedEntry)>>,
    codes: Mutex<BTreeMap<StudentId, EnrolmentCode>>,
    issued: Mutex<BTreeMap<[u8; 32], (Fingerprint, Chain)>>,
    /// What took the place of each certificate, and how it was asked for.
    pub(crate) renewed: Mutex<BTreeMap<Fingerprint, (Chain, &'static str)>>,
    pub(super) signer: TestIdentity,
    pub(super) blackboard: TestIdentity,
    pub(super) trust: Arc<TrustStore>,
    /// The trust bundle that is handed out.
    pub(crate) bundle: Mutex<SignedBundle>,
    /// Those before it, by their numbers.
    pub(crate) earlier: Mutex<BTreeMap<u64, SignedBundle>>,
    /// What can be handed in.
    pub(crate) listed: Mutex<Vec<ListedAssignment>>,
    /// Of which nothing is told.
    pub(crate) altered: Mutex<Vec<AlteredAssignment>>,
    /// What was signed of that, by what it says.
    announced: Mutex<BTreeMap<String, SignedEntry>>,
    /// Certifies students in the place of the campus' own authority.
    pub(crate) issuer: Mutex<Option<Issuer>>,
}

#[derive(Clone)]
pub(crate) struct Stored {
    pub(super) statement: Vec<u8>,
    pub(super) number: SubmissionNumber,
    pub(crate) receipt: Vec<u8>,
}

/// A trust bundle that the campus' root has signed.
pub(crate) fn bundle(campus: &TestCampus, roots: &[Certificate], sequence: u64) -> SignedBundle {
    let validity = campus.validity(Duration::from_secs(24 * 3600));
    let times = (validity.not_before, validity.not_after);
    SignedBundle::sign(&[campus.root()], roots, sequence, times).unwrap()
}

impl Desk {
    pub(crate) fn new(campus: TestCampus) -> Self {
        Self {
            fault: Mutex::default(),
            requests: AtomicUsize::default(),
            asked: Mutex::default(),
            witnessed: AtomicBool::default(),
            connections: AtomicUsize::default(),
            stored: Mutex::default(),
            lifetime: Mutex::new(Duration::from_secs(30 * 24 * 3600)),
            recorded: Mutex::default(),
            codes: Mutex::default(),
            issued: Mutex::default(),
            renewed: Mutex::default(),
            signer: campus.token_signer(),
            blackboard: campus.service("blackboard"),
            trust: campus.trust(),
            bundle: Mutex::new(bundle(&campus, &[campus.root().certificate().clone()], 1)),
            earlier: Mutex::default(),
            listed: Mutex::new(vec![listed("lab")]),
            altered: Mutex::default(),
            announced: Mutex::default(),
            issuer: Mutex::default(),
            campus,
        }
    }

    /// A new code for this student; the one before no longer counts.
    pub(crate) fn code(&self, id: &str) -> EnrolmentCode {
        let code = EnrolmentCode::generate().unwrap();
        let mut codes = self.codes.lock().unwrap();
        codes.insert(id.parse().unwrap(), code.clone());
        code
    }

    pub(crate) fn stored_count(&self) -> usize {
        self.stored.lock().unwrap().len()
    }

    pub(super) fn now(&self) -> UnixTime {
        self.campus.now()
    }

    pub(super) fn take(&self, fault: Fault) -> bool {
        self.fault
            .lock()
            .unwrap()
            .take_if(|next| *next == fault)
            .is_some()
    }

    pub(super) fn service(&self, name: &str) -> SpiffeId {
        let name: ServiceName = name.parse().unwrap();
        SpiffeId::new_service(self.trust.trust_domain(), &name)
    }

    fn chain(&self, sid: &StudentId, key: &PublicKey) -> Chain {
        let validity = self.campus.validity(*self.lifetime.lock().unwrap());
        let other = self.issuer.lock().unwrap();
        let issuer = other
            .as_ref()
            .unwrap_or_else(|| self.campus.issuer(IssuerKind::Students));
        let serial = Serial::random().unwrap();
        let urls = DistributionUrls::default();
        issuer
            .issue_student(sid, key, &serial, &validity, &urls)
            .unwrap()
    }

    pub(super) fn token(&self, sid: &StudentId, chain: &Chain) -> String {
        let request = TokenRequest {
            issuer: &self.service("cuhk"),
            audience: &self.service("blackboard"),
            subject: &SpiffeId::new_student(self.trust.trust_domain(), sid),
            certificate: chain.leaf(),
            now: self.now(),
        };
        issue_token(&request, &self.signer.key, &self.signer.chain).unwrap()
    }

    pub(super) fn is_stale(&self) -> bool {
        *self.fault.lock().unwrap() == Some(Fault::StaleVerification)
    }

    /// When the certificates of the servers end.
    pub(crate) fn blackboard_ends(&self) -> UnixTime {
        self.blackboard.chain.leaf().not_after()
    }

    pub(super) fn verification(&self, question: &Question) -> String {
        let now = match self.take(Fault::StaleVerification) {
            true => from_seconds(self.now().as_secs() - 600),
            false => self.now(),
        };
        let answers: Vec<_> = question
            .members
            .iter()
            .map(|member| MemberAnswer {
                sid: member.sid.clone(),
                cert_sha256: member.cert_sha256,
                inactive: None,
                checked_at: now,
            })
            .collect();
        issue_verification(
            &self.service("cuhk"),
            &self.service("blackboard"),
            question.repeated(),
            &answers,
            now,
            &self.signer.key,
            &self.signer.chain,
        )
        .unwrap()
    }

    /// Single use, except that the same code with the same key gives the same certificate.
    pub(super) fn certify(
        &self,
        sid: &StudentId,
        code: &EnrolmentCode,
        key: &PublicKey,
    ) -> Result<Chain, Refusal> {
        let refuse = |code| Refusal::new(code, Step::Two).about(sid);
        if self.codes.lock().unwrap().get(sid) != Some(code) {
            return Err(refuse(Code::EnrolmentRefused));
        }
        let mut issued = self.issued.lock().unwrap();
        let used = issued.get(&code.digest(sid.as_ref())).cloned();
        match used {
            Some((owner, chain)) if owner == key.fingerprint() => Ok(chain),
            Some(_) => Err(refuse(Code::CodeUsed)),
            None => {
                let chain = self.chain(sid, key);
                let entry = (key.fingerprint(), chain.clone());
                issued.insert(code.digest(sid.as_ref()), entry);
                Ok(chain)
            }
        }
    }

    /// Once for each certificate; the same key gets the same again.
    pub(super) fn renew(
        &self,
        sid: &StudentId,
        old: Fingerprint,
        key: &PublicKey,
        how: &'static str,
    ) -> Result<Reply, Refusal> {
        let refuse = |code| Refusal::new(code, Step::Two).about(sid);
        if let Some(Fault::RefuseRenewal(code)) = *self.fault.lock().unwrap() {
            return Err(refuse(code));
        }
        let mut renewed = self.renewed.lock().unwrap();
        let fresh = || (self.chain(sid, key), how);
        let (chain, _) = renewed.entry(old).or_insert_with(fresh).clone();
        if chain.leaf().public_key().unwrap() != *key {
            return Err(refuse(Code::CertificateSuperseded));
        }
        if self.take(Fault::LoseRenewed) {
            return Err(refuse(Code::ConnectionLost));
        }
        let token = self.token(sid, &chain);
        Ok(Reply::Enrolled { chain, token })
    }

    pub(super) fn misbehave(
        &self,
        sid: &StudentId,
        key: &PublicKey,
        chain: Chain,
    ) -> (Chain, String) {
        let token = self.token(sid, &chain);
        let other_key = SigningKey::generate().unwrap();
        let other: StudentId = "1155000099".parse().unwrap();
        if self.take(Fault::OtherKey) {
            return (self.chain(sid, other_key.public_key()), token);
        }
        if self.take(Fault::OtherStudent) {
            return (self.chain(&other, key), token);
        }
        if self.take(Fault::OtherToken) {
            let token = self.token(sid, &self.chain(sid, key));
            return (chain, token);
        }
        (chain, token)
    }

    /// Records a statement: its entry, and what is told of it. The same again is the same entry.
    pub(super) fn commit(&self, accepted: &AcceptedStatement) -> (Commitment, SignedEntry) {
        let submission = accepted.statement().submission;
        let mut recorded = self.recorded.lock().unwrap();
        let next = 2 * recorded.len() as u64;
        let wrong = match self
            .fault
            .lock()
            .unwrap()
            .take_if(|next| matches!(next, Fault::Recorded(_)))
        {
            Some(Fault::Recorded(wrong)) => Some(wrong),
            _ => None,
        };
        let entry = || self.recorded_as(accepted, next, wrong);
        match wrong {
            Some(_) => entry(),
            None => recorded.entry(submission).or_insert_with(entry).clone(),
        }
    }

    fn recorded_as(
        &self,
        accepted: &AcceptedStatement,
        index: u64,
        wrong: Option<Wrong>,
    ) -> (Commitment, SignedEntry) {
        let (statement, now) = (accepted.statement(), self.now().as_secs());
        let at = match wrong {
            Some(Wrong::Epoch) => 0,
            Some(Wrong::Earlier) => now - 3600,
            Some(Wrong::ToCome) => now + 3600,
            _ => now,
        };
        let (mode, assurance) = accepted.assurance();
        let signed = (accepted.bytes(), accepted.signatures());
        let mut committed = Committed::of(statement, signed, (mode, &assurance));
        let other = Fingerprint::of(b"another");
        match wrong {
            Some(Wrong::Statement) => committed.statement_sha256 = other,
            Some(Wrong::Signatures) => committed.p7s_sha256 = other,
            _ => {}
        }
        let mut log = LogName::of(statement).unwrap();
        if wrong == Some(Wrong::Log) {
            log = format!("{log}-2").parse().unwrap();
        }
        let entry = match wrong {
            Some(Wrong::Kind) => Entry::Refused(Refused {
                code: Code::GroupSize,
                members: committed.members,
                statement_sha256: Some(committed.statement_sha256),
            }),
            _ => Entry::Committed(committed),
        };
        let signer = match wrong {
            Some(Wrong::Signer) => &self.signer,
            _ => &self.blackboard,
        };
        let leaf = Leaf::new(log, index, from_seconds(at), entry).unwrap();
        let by = (&signer.key, &signer.chain);
        let entry = SignedEntry::sign(leaf.to_bytes().unwrap(), by, self.now()).unwrap();
        let told = if wrong == Some(Wrong::Told) {
            at - 1
        } else {
            at
        };
        let commitment = Commitment {
            index,
            at: from_seconds(told),
            upload_until: from_seconds(now + 24 * 60 * 60),
        };
        (commitment, entry)
    }

    /// What is listed, signed: each entry is made once.
    pub(super) fn announced(&self) -> Vec<ListedAssignment> {
        let mut listed = self.listed.lock().unwrap().clone();
        let mut announced = self.announced.lock().unwrap();
        let other = self.take(Fault::OtherRules);
        for one in &mut listed {
            let rules = serde_json::to_value(&one.rules).unwrap();
            let key = format!("{} {rules}", one.assignment);
            let sign = || self.announce(one, rules.as_object().unwrap().clone());
            one.entry = announced.entry(key).or_insert_with(sign).clone();
            if other {
                let mut terms = Terms::from(one.rules.clone());
                terms.max_bytes += 1;
                one.rules = terms.check().unwrap();
            }
        }
        listed
    }

    fn announce(&self, one: &ListedAssignment, rules: Contents) -> SignedEntry {
        let service = self.service("blackboard");
        let log = LogName::new(service.trust_domain(), &one.course, &one.assignment).unwrap();
        let leaf = Leaf::new(log, 0, self.now(), Entry::Rules(rules)).unwrap();
        let by = (&self.blackboard.key, &self.blackboard.chain);
        SignedEntry::sign(leaf.to_bytes().unwrap(), by, self.now()).unwrap()
    }

    pub(super) fn store(&self, submission: &VerifiedSubmission) -> Stored {
        let TestIdentity { chain, key } = &self.blackboard;
        let evidence = Evidence::collect(submission, chain, &self.trust);
        let mut stored = self.stored.lock().unwrap();
        let number = SubmissionNumber::new(stored.len() as u64 + 1).unwrap();
        let statement = submission.statement();
        let Commitment { index, at, .. } = submission.commitment();
        let other = u64::from(self.take(Fault::ReceiptOfAnotherEntry));
        let committed = CommittedAt {
            index: Some(index + 2 * other),
            at,
        };
        let (index, at) = (index + 1 + 2 * other, self.now());
        let entry = accepted_entry(&evidence, statement, number, committed, None);
        let leaf = Leaf::new(LogName::of(statement).unwrap(), index, at, entry).unwrap();
        let leaf = SignedLeaf::sign(leaf.to_bytes().unwrap(), (key, chain), at).unwrap();
        let record = Stored {
            statement: submission.statement_bytes().to_vec(),
            number,
            receipt: build(&evidence, &leaf, None).unwrap(),
        };
        stored.insert(statement.submission, record.clone());
        record
    }
}

/// An assignment that is always open.
pub(crate) fn listed(name: &str) -> ListedAssignment {
    let group = "1..3".parse().unwrap();
    let terms = Terms::always_open("Lab".parse().unwrap(), group, 4 * 1024 * 1024);
    let unsigned = SignedLeaf {
        leaf: Vec::new(),
        signature: Vec::new(),
    };
    ListedAssignment {
        course: "SANDBOX".parse().unwrap(),
        course_title: "Sandbox".parse().unwrap(),
        assignment: name.parse().unwrap(),
        rules: terms.check().unwrap(),
        entry: SignedEntry::try_from(unsigned).unwrap(),
        extensions: Vec::new(),
        extended: Vec::new(),
        changes: Vec::new(),
        extension_changes: Vec::new(),
    }
}
