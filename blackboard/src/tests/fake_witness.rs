//! The witness of the CUHK that exists only at its socket: it judges by the real rules, and can be
//! told to misbehave.

use std::collections::BTreeMap;

use scb_certs::{Chain, Fingerprint};
use scb_protocol::audit::KnownLog;
use scb_protocol::authority::{Admitted, Caller, ExpectRequest};
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::values::Der;
use scb_protocol::witness::{GrownServiceLog, Judgement, witness_name};
use scb_protocol::{Code, Refusal, SignedLogKeys, Step};
use scb_testkit::{TestCampus, TestIdentity};
use scb_tlog::{Algorithm, Cosigner, NoteKey, TreeHead};

/// What it remembers of a log.
pub(super) struct Seen {
    known: KnownLog,
    signed: Option<String>,
    /// What was handed in with the checkpoints.
    pub(super) entries: Vec<Fingerprint>,
}

pub(super) struct FakeWitness {
    cosigner: Cosigner,
    pub(super) logs: BTreeMap<String, Seen>,
    /// It remembers, but the answer is lost on the way.
    pub(super) lose_answers: bool,
    /// How often a key was endorsed.
    pub(super) endorsed: usize,
    /// The logs of which it has cosigned something, in that order.
    pub(super) cosigned: Vec<String>,
    /// How often it refused: each time the connection ends.
    pub(super) refused: usize,
    /// The most entries that came in one message.
    pub(super) most: usize,
}

impl FakeWitness {
    pub(super) fn of(campus: &TestCampus) -> Self {
        let name = witness_name(campus.trust().trust_domain());
        let name = name.parse().unwrap();
        let key = NoteKey::from_seed(name, Algorithm::CosignatureV1, &[3; 32]).unwrap();
        Self {
            cosigner: Cosigner::new(key).unwrap(),
            logs: BTreeMap::new(),
            lose_answers: false,
            endorsed: 0,
            cosigned: Vec::new(),
            refused: 0,
            most: 0,
        }
    }

    /// How many entries of a log it has seen.
    pub(super) fn size(&self, log: &str) -> u64 {
        self.logs.get(log).map_or(0, |seen| seen.known.head.size)
    }

    pub(super) fn answer(
        &mut self,
        request: Request,
        asker: &Chain,
        campus: &TestCampus,
        signer: &TestIdentity,
    ) -> Result<Reply, Refusal> {
        let caller = Caller::from_chain(Some(asker), &campus.trust(), campus.now())?;
        match ExpectRequest::new().handle(request, &caller)? {
            Admitted::Endorse { asker, log, key } => {
                self.endorsed += 1;
                let begin = || Seen {
                    known: KnownLog {
                        key: key.clone(),
                        head: TreeHead::empty(),
                    },
                    signed: None,
                    entries: Vec::new(),
                };
                let seen = self
                    .logs
                    .entry(log.name().to_string())
                    .or_insert_with(begin);
                if seen.known.key != key {
                    return Err(Refusal::new(Code::LogKeyChanged, Step::Six));
                }
                let (service, by) = (asker.spiffe_id(), (&signer.key, &signer.chain));
                let witness = self.cosigner.verifier();
                let signed = SignedLogKeys::sign(service, &key, witness, by, campus.now());
                let SignedLogKeys { keys, signature } = signed.unwrap();
                let signature = Der::new(signature);
                Ok(Reply::Endorsed { keys, signature })
            }
            Admitted::Witness { offered, .. } => {
                let name = offered.log().name().to_string();
                let seen = self.logs.get(&name);
                let known = seen.map(|seen| seen.known.clone());
                self.refused += usize::from(known.is_none());
                let known = known.ok_or_else(|| Refusal::new(Code::NotFound, Step::Six))?;
                match offered.judge(&known)? {
                    Judgement::Stale => Ok(self.shown(&name)),
                    Judgement::Grown(grown) => self.cosign(&name, &grown, campus),
                }
            }
            Admitted::Witnessed { log, .. } => Ok(self.shown(log.name().as_str())),
            Admitted::WitnessedLogs { after, .. } => {
                let names = self.logs.keys().filter(|name| **name > after);
                let logs = names.take(1).cloned().collect();
                Ok(Reply::WitnessedLogs { logs })
            }
            Admitted::WitnessedEntries {
                log, from, count, ..
            } => {
                let all = &self.logs[log.name().as_str()].entries;
                let page = all.iter().skip(from as usize).take(count);
                let entries = page.copied().collect();
                Ok(Reply::WitnessedEntries { entries })
            }
            other => panic!("not for a witness: {other:?}"),
        }
    }

    fn cosign(
        &mut self,
        name: &str,
        grown: &GrownServiceLog,
        campus: &TestCampus,
    ) -> Result<Reply, Refusal> {
        self.cosigned.push(name.to_owned());
        let checkpoint = grown.growth().checkpoint();
        let seen = self.logs.get_mut(name).unwrap();
        seen.known.head = checkpoint.head();
        seen.signed = Some(checkpoint.to_string());
        seen.entries.extend(grown.entries());
        self.most = self.most.max(grown.entries().len());
        if self.lose_answers {
            self.lose_answers = false;
            return Err(Refusal::new(Code::Internal, Step::Six));
        }
        let line = self.cosigner.cosign(grown.growth(), campus.now().as_secs());
        let cosignature = line.to_string();
        Ok(Reply::Cosignature { cosignature })
    }

    fn shown(&self, name: &str) -> Reply {
        let seen = self.logs.get(name);
        let head = seen.map_or(TreeHead::empty(), |seen| seen.known.head);
        Reply::Witnessed {
            size: head.size,
            root: head.root.to_string(),
            signed: seen.and_then(|seen| seen.signed.clone()),
        }
    }
}
