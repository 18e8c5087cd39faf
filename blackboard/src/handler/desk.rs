//! After step 5: questions of the members, until their statement comes or they leave.

use std::sync::Arc;

use scb_protocol::message::blackboard::{AlteredAssignment, MAX_ALTERED, Reply, that_fit};
use scb_protocol::receipt::SignedEntry;
use scb_protocol::server::{AcceptedStatement, ExpectRequest, Inquiry, PartlySigned, Wanted};
use scb_protocol::statement::Label;
use scb_protocol::{Code, Fact, Refusal, Step};

use super::history::sids;
use super::{Handler, Shared, rejection};
use crate::store::ListedFor;

/// The statement with which members end their questions.
pub(super) enum Statement {
    /// All members are here and have signed it.
    HandIn(Box<AcceptedStatement>),
    /// Others are to sign it as well.
    Propose(Box<PartlySigned>),
    /// It was proposed before.
    Sign(Box<PartlySigned>),
}

impl Handler {
    /// Answers until a statement comes; `None` if the members leave with what they were told.
    pub(super) async fn step_6_desk(
        &mut self,
        mut state: ExpectRequest,
    ) -> Result<Option<Statement>, Refusal> {
        // People read and sign: they have more time than for other messages.
        let idle = self.shared.limits.idle;
        let mut told = false;
        loop {
            let request = match self.receive_within(Step::Six, idle).await {
                Err(lost) if told && lost.code == Code::ConnectionLost => return Ok(None),
                request => request?,
            };
            let rejection = rejection::of_request(&request, &state);
            let wanted = match state.handle(request) {
                Ok(wanted) => wanted,
                Err(refusal) => return Err(self.rejected(rejection, refusal).await),
            };
            let next = match wanted {
                Wanted::HandIn(accepted) => {
                    self.done(Step::Six, Fact::StatementAccepted(accepted.signed()));
                    return Ok(Some(Statement::HandIn(accepted)));
                }
                Wanted::Propose(part) => return Ok(Some(Statement::Propose(part))),
                Wanted::Sign(part) => return Ok(Some(Statement::Sign(part))),
                Wanted::Know(inquiry, next) => {
                    self.vigil.insist(Step::Six).await?;
                    let fact = self.answer(inquiry, &next).await?;
                    self.done(Step::Six, fact);
                    next
                }
                Wanted::End(ending, next) => {
                    self.vigil.insist(Step::Six).await?;
                    let answer = self.end_proposal(ending, &next).await?;
                    self.tell(answer).await?;
                    next
                }
                Wanted::Fetch(submission, next) => {
                    self.vigil.insist(Step::Six).await?;
                    self.fetch(submission, &next).await?;
                    next
                }
            };
            (state, told) = (*next, true);
        }
    }

    async fn tell(&mut self, (reply, fact): (Reply, Fact)) -> Result<(), Refusal> {
        self.send(reply).await?;
        self.done(Step::Six, fact);
        Ok(())
    }

    /// Answers, and says what was told.
    async fn answer(&mut self, inquiry: Inquiry, state: &ExpectRequest) -> Result<Fact, Refusal> {
        let (reply, fact) = match inquiry {
            Inquiry::Download { number, file, from } => {
                return self.download((number, file), from, state).await;
            }
            Inquiry::Proof { submission } => return self.proof_for(submission, state).await,
            Inquiry::RefusalProof { log, entry } => {
                return self.refusal_proof((log, entry), state).await;
            }
            inquiry => self.told(inquiry, state).await?,
        };
        self.send(reply).await?;
        Ok(fact)
    }

    async fn told(
        &mut self,
        inquiry: Inquiry,
        state: &ExpectRequest,
    ) -> Result<(Reply, Fact), Refusal> {
        let _turn = self.shared.turn(&sids(state)).await?;
        match inquiry {
            Inquiry::History {
                course,
                assignment,
                after,
            } => self.history((course, assignment), after, state).await,
            // Answered with more than a message.
            Inquiry::Download { .. } | Inquiry::Proof { .. } | Inquiry::RefusalProof { .. } => {
                Err(Refusal::new(Code::Internal, Step::Six))
            }
            Inquiry::Grades { course, from } => self.grades_for(course, from, state).await,
            Inquiry::Proposals { from } => self.proposals(from, state).await,
            Inquiry::Assignments { course, from } => {
                let ListedFor { listed, altered } = self.assignments(course, state).await?;
                let count = u32::try_from(listed.len()).unwrap_or(u32::MAX);
                let first = from == 0;
                let from = usize::try_from(from).unwrap_or(usize::MAX);
                let assignments = that_fit(listed.into_iter().skip(from));
                let fact = Fact::AssignmentsTold {
                    assignments: assignments.len(),
                };
                let reply = Reply::Assignments {
                    time: self.shared.clock.now().as_secs(),
                    count,
                    assignments,
                    altered: altered
                        .into_iter()
                        .filter(|_| first)
                        .take(MAX_ALTERED)
                        .collect(),
                };
                Ok((reply, fact))
            }
        }
    }
}

impl Shared {
    /// Signs entries of rules and extensions, to be told.
    pub(super) fn announces(
        &self,
    ) -> impl Fn(Vec<u8>) -> Result<SignedEntry, scb_protocol::Error> + Clone + Send + 'static {
        let (identity, now) = (self.identity.borrow().clone(), self.clock.now());
        let announced = Arc::clone(&self.announced);
        move |leaf| announced.sign(leaf, &identity, now)
    }
}

impl Handler {
    /// What these members can hand in, by course and name.
    async fn assignments(
        &mut self,
        course: Option<Label>,
        state: &ExpectRequest,
    ) -> Result<ListedFor, Refusal> {
        let members = state.members().iter();
        let sids = members.map(|member| member.sid().clone()).collect();
        let store = self.shared.register.store();
        let domain = self.shared.policy.service.trust_domain().clone();
        let sign = self.shared.announces();
        let told = store.listed_for(domain, sids, course, sign).await?;
        for AlteredAssignment { course, assignment } in &told.altered {
            tracing::error!(
                "the rules or extensions of {course}/{assignment} here are not what its log says: students \
                 are not told of it; `blackboard fsck` names what differs"
            );
        }
        Ok(told)
    }
}
