//! What services are told about students: signed answers, and introspection of tokens. Whoever asks is in
//! the log before the answer is given.

use scb_certs::{ServiceName, VerifiedService};
use scb_protocol::values::Nonce;
use scb_protocol::{Code, Introspection, LogEntry, MemberAnswer, Question, Step, UnverifiedToken};

use super::{Authority, live_service};
use crate::fault::Answer;
use crate::own_identity::OwnIdentity;
use crate::store::{Place, Records};
use crate::{Error, Subject, answers};

/// What is told of a token, and to the log why it does not count.
pub(crate) struct Introspected {
    pub(crate) answer: Introspection,
    pub(crate) inactive: Option<Code>,
}

impl Introspected {
    fn inactive(why: Code) -> Self {
        Self {
            answer: Introspection::inactive(),
            inactive: Some(why),
        }
    }
}

impl Authority {
    /// The signed answer about the members asked for, as one snapshot of the records says. That
    /// it was given is in the log's records before it is given.
    pub(crate) async fn verify(
        &self,
        asker: &VerifiedService,
        question: Question,
    ) -> Result<(String, Vec<MemberAnswer>), Error> {
        let now = self.now();
        let live = live_service(asker, now, Step::Three);
        let (repeated, members) = (question.repeated(), question.members);
        let answers = self
            .store()
            .read(move |records| {
                live(records)?;
                members
                    .iter()
                    .map(|member| answers::answer(records, member, now))
                    .collect()
            })
            .await;
        let answers: Vec<_> = answers?;
        let logged = self.log_answers(asker.name(), repeated.0, &answers);
        let answer = Answer {
            issuer: &self.name(),
            asker: asker.spiffe_id(),
            repeated,
            members: answers.clone(),
            now,
        };
        let current = self.current();
        let faults = &self.signing.faults;
        let signed = faults.verification(answer, &current.tokens);
        let ((), verification) = tokio::try_join!(logged, signed)?;
        Ok((verification, answers))
    }

    /// One transaction for all members; what waits at the same time is committed with it.
    async fn log_answers(
        &self,
        asker: &ServiceName,
        nonce: Nonce,
        answers: &[MemberAnswer],
    ) -> Result<(), Error> {
        let (asker, answers) = (asker.clone(), answers.to_vec());
        self.store()
            .write(move |records| {
                answers
                    .into_iter()
                    .try_for_each(|answer| log_answer(records, &asker, nonce, answer))
            })
            .await
    }

    /// What a service learns of a token: by the lists and the records of this moment.
    pub(crate) async fn introspect(
        &self,
        asker: &VerifiedService,
        token: &str,
    ) -> Result<Introspected, Error> {
        let now = self.now();
        let live = live_service(asker, now, Step::Three);
        let trust = &self.upkeep.refresh().await?.trust;
        let token = match UnverifiedToken(token).asked_about(trust, asker, now) {
            Ok(token) => token,
            Err(refusal) => {
                self.store().read(live).await?;
                return Ok(Introspected::inactive(refusal.code));
            }
        };
        let member = token.member();
        let answer = self.store().read(move |records| {
            live(records)?;
            answers::answer(records, &member, now)
        });
        let answer = answer.await?;
        // Whoever is told of a student is in the log, by a nonce of CUHK's own.
        let (asker, nonce) = (asker.name(), Nonce::random()?);
        self.log_answers(asker, nonce, std::slice::from_ref(&answer))
            .await?;
        Ok(match answer.inactive {
            Some(_) => Introspected::inactive(Code::StudentInactive),
            None => Introspected {
                answer: token.answered(&answer),
                inactive: None,
            },
        })
    }

    /// The same, signed for this service.
    pub(crate) fn sign_introspection(
        &self,
        answer: &Introspection,
        asker: &VerifiedService,
    ) -> Result<String, Error> {
        let current = self.current();
        let OwnIdentity { key, chain } = &current.tokens;
        Ok(answer.sign(&self.name(), asker.spiffe_id(), self.now(), key, chain)?)
    }
}

fn log_answer(
    records: &Records<'_>,
    asker: &ServiceName,
    nonce: Nonce,
    answer: MemberAnswer,
) -> Result<(), Error> {
    let subject = Subject::Student(answer.sid);
    let entry = |place: Place| LogEntry::Verification {
        v: 1,
        subject: subject.to_string(),
        nth: place.nth,
        certificates: place.certificates,
        asker: asker.clone(),
        nonce,
        cert_sha256: answer.cert_sha256,
        inactive: answer.inactive,
        at: answer.checked_at.as_secs(),
    };
    records.log().append(&subject, entry).map(drop)
}
