//! One connection to CUHK.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use scb_certs::{ServiceName, StudentId, VerifiedRequest, VerifiedService, VerifiedStudent};
use scb_cli::with_causes;
use scb_protocol::authority::{Admitted, Caller, ExpectRequest};
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::values::Der;
use scb_protocol::witness;
use scb_protocol::{
    AuthorityChannel, Code, EnrolmentCode, Fact, Question, Refusal, Reply as _, Step, StepEvent,
};
use scb_transport::{Connection, Limits, Shutdown, telemetry};
use tokio::time::timeout;

use crate::Error;
use crate::authority::{Authority, Enrolled};
use crate::facts;
use crate::publication::Publication;

/// Questions of a service that are answered at once.
const TOGETHER: usize = 32;

/// Answers the requests of one connection, one after another.
pub(crate) struct Handler {
    connection: Connection,
    authority: Arc<Authority>,
    expect: ExpectRequest,
    caller: Caller,
    limits: Limits,
    shutdown: Shutdown,
    started: Instant,
    /// Something was answered, and the peer keeps the connection for its next question.
    kept: bool,
    /// What had come already while the one before it was answered.
    next: Option<Result<Admitted, Refusal>>,
}

impl Handler {
    pub(crate) fn new(
        connection: Connection,
        authority: Arc<Authority>,
        limits: Limits,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            expect: ExpectRequest::new().on(AuthorityChannel {
                exporter: connection.exporter(),
                service: authority.name(),
            }),
            connection,
            authority,
            caller: Caller::Anonymous,
            limits,
            shutdown,
            started: Instant::now(),
            kept: false,
            next: None,
        }
    }

    /// Greets, then answers until the peer leaves or a request is refused.
    pub(crate) async fn run(mut self) {
        match self.converse().await {
            Err(refusal) if refusal.code == Code::ConnectionLost => self.connection.close().await,
            // Nobody was waiting for anything: nothing was refused.
            Err(refusal) if self.kept && refusal.code == Code::ShuttingDown => {
                tracing::debug!(conn = self.connection.id(), "closed: the server stops");
                self.connection.refuse(&refusal).await;
            }
            Err(refusal) => {
                self.emit(StepEvent::refused(&refusal));
                self.connection.refuse(&refusal).await;
            }
            Ok(never) => match never {},
        }
    }

    async fn converse(&mut self) -> Result<std::convert::Infallible, Refusal> {
        self.identify_caller()?;
        self.greet().await?;
        let mut patience = self.limits.message;
        loop {
            let admitted = match self.next.take() {
                Some(admitted) => admitted?,
                None => {
                    let request = self.next_request(patience).await?;
                    self.expect.handle(request, &self.caller)?
                }
            };
            self.carry_out(admitted).await?;
            self.kept = true;
            patience = self.limits.idle;
        }
    }

    fn identify_caller(&mut self) -> Result<(), Refusal> {
        let trust = &self.authority.current().trust;
        let now = self.authority.now();
        self.caller = Caller::from_chain(self.connection.peer_chain(), trust, now)?;
        Ok(())
    }

    async fn greet(&mut self) -> Result<(), Refusal> {
        let greeting = ExpectRequest::greeting(self.authority.name(), self.authority.now());
        self.connection.send(&greeting).await
    }

    async fn next_request(&mut self, patience: Duration) -> Result<Request, Refusal> {
        let request = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => Err(Refusal::new(Code::ShuttingDown, Step::One)),
            request = self.connection.receive(Step::One, patience) => request,
        };
        self.started = Instant::now();
        request
    }

    /// Steps 1 and 2 for students, step 3 for services, and what surrounds them.
    async fn carry_out(&mut self, admitted: Admitted) -> Result<(), Refusal> {
        match admitted {
            Admitted::Enrol { sid, code, request } => self.enrol(&sid, &code, &request).await,
            Admitted::RefreshToken { student } => self.refresh_token(&student).await,
            Admitted::Renew { student, request } => {
                self.emit(facts::request_verified(student.sid(), &request));
                let renewed = self.authority.renew_student(&student, &request).await;
                self.renewed(student.sid(), renewed).await
            }
            Admitted::RenewExpired { holder, request } => {
                self.emit(facts::request_verified(holder.sid(), &request));
                let renewed = self.authority.renew_expired(&holder, &request).await;
                self.renewed(holder.sid(), renewed).await
            }
            Admitted::EnrolService {
                name,
                code,
                request,
            } => self.enrol_service(&name, &code, &request).await,
            Admitted::RenewService { service, request } => {
                self.renew_service(&service, &request).await
            }
            Admitted::Verify { asker, question } => self.verify(&asker, question).await,
            Admitted::Status { asker } => self.status(&asker).await,
            Admitted::Crls => self.crls().await,
            Admitted::Checkpoint { old } => {
                let shown = self.authority.checkpoint(old).await;
                self.show_log(shown).await
            }
            Admitted::Audit {
                student,
                size,
                from,
            } => {
                let shown = self.authority.audit(&student, size, from).await;
                self.show_log(shown).await
            }
            Admitted::Cosign {
                witness,
                verifier_key,
                checkpoint,
            } => {
                let kept = self.authority.cosign(&witness, verifier_key, &checkpoint);
                let kept = kept.await.map(|()| Reply::Cosigned {});
                self.show_log(kept).await
            }
            Admitted::TrustBundle { sequence } => self.trust_bundle(sequence).await,
            Admitted::Endorse { asker, log, key } => {
                let endorsed = self.authority.endorse(&asker, log, key).await;
                self.about_log(endorsed).await
            }
            Admitted::Witness { asker, offered } => {
                let cosigned = self.authority.witness(&asker, offered).await;
                self.about_log(cosigned).await
            }
            Admitted::Witnessed { asker, log } => {
                let seen = self.authority.witnessed(&asker, &log).await;
                self.about_log(seen).await
            }
            Admitted::WitnessedLogs { asker, after } => {
                let known = self.authority.witnessed_logs(&asker, after).await;
                self.about_log(known).await
            }
            Admitted::WitnessedEntries {
                asker,
                log,
                from,
                count,
            } => {
                let kept = self
                    .authority
                    .witnessed_entries(&asker, &log, (from, count));
                let kept = kept.await;
                self.about_log(kept).await
            }
        }
    }

    async fn enrol(
        &mut self,
        sid: &StudentId,
        code: &EnrolmentCode,
        request: &VerifiedRequest,
    ) -> Result<(), Refusal> {
        self.emit(facts::request_verified(sid, request));
        #[cfg(test)]
        crate::tests::panics::if_wanted(sid);
        match self.authority.enrol(sid, code, request).await {
            Ok(enrolled) => {
                self.emit(facts::student_certified(sid, &enrolled));
                let (chain, token) = (enrolled.certified.chain, enrolled.token);
                self.reply(Step::Two, &Reply::Enrolled { chain, token })
                    .await
            }
            Err(error) => self.refuse_enrolment(&error).await,
        }
    }

    /// A student's next certificate, however it was asked for.
    async fn renewed(
        &mut self,
        sid: &StudentId,
        renewed: Result<Enrolled, Error>,
    ) -> Result<(), Refusal> {
        let renewed = renewed.map_err(|error| self.refusal(&error, Step::Two))?;
        self.emit(facts::student_renewed(sid, &renewed));
        let (chain, token) = (renewed.certified.chain, renewed.token);
        self.reply(Step::Two, &Reply::Enrolled { chain, token })
            .await
    }

    async fn enrol_service(
        &mut self,
        name: &ServiceName,
        code: &EnrolmentCode,
        request: &VerifiedRequest,
    ) -> Result<(), Refusal> {
        match self.authority.enrol_service(name, code, request).await {
            Ok(certified) => {
                self.emit(facts::service_certified(name, &certified));
                let chain = certified.chain;
                self.reply(Step::Two, &Reply::ServiceEnrolled { chain })
                    .await
            }
            Err(error) => self.refuse_enrolment(&error).await,
        }
    }

    async fn renew_service(
        &mut self,
        service: &VerifiedService,
        request: &VerifiedRequest,
    ) -> Result<(), Refusal> {
        let renewed = self.authority.renew_service(service, request).await;
        let certified = renewed.map_err(|error| self.refusal(&error, Step::Two))?;
        self.emit(facts::service_renewed(service.name(), &certified));
        let chain = certified.chain;
        self.reply(Step::Two, &Reply::ServiceEnrolled { chain })
            .await
    }

    async fn refresh_token(&mut self, student: &VerifiedStudent) -> Result<(), Refusal> {
        let issued = self.authority.refresh_token(student).await;
        let token = issued.map_err(|error| self.refusal(&error, Step::Two))?;
        let fact = Fact::TokenIssued {
            certificate: student.certificate().fingerprint(),
            expires: facts::expiry(&token, student.certificate()),
        };
        self.emit(StepEvent::new(Step::Two, fact).about(student.sid()));
        self.reply(Step::Two, &Reply::Token { token }).await
    }

    /// A service may ask on before it is answered. What has come by now is answered at once, so
    /// that it is recorded at once: one wait for the disk, and not one for each question.
    async fn verify(&mut self, asker: &VerifiedService, question: Question) -> Result<(), Refusal> {
        let questions = self.with_those_that_wait(question).await;
        let answers = questions.into_iter().map(|question| {
            let (nonce, authority) = (question.nonce, &self.authority);
            async move { (nonce, authority.verify(asker, question).await) }
        });
        for (nonce, verified) in join_all(answers).await {
            let (verification, answers) =
                verified.map_err(|error| self.refusal(&error, Step::Three))?;
            let asker = asker.name().clone();
            let fact = Fact::MembersAnswered {
                asker,
                nonce,
                answers,
            };
            self.emit(StepEvent::new(Step::Three, fact));
            self.reply(Step::Three, &Reply::Verification { verification })
                .await?;
        }
        Ok(())
    }

    async fn with_those_that_wait(&mut self, first: Question) -> Vec<Question> {
        let mut questions = vec![first];
        while questions.len() < TOGETHER && self.next.is_none() {
            let request = match self.connection.receive(Step::One, Duration::ZERO).await {
                Err(none) if none.code == Code::Timeout => break,
                arrived => arrived,
            };
            let admitted = request.and_then(|request| self.expect.handle(request, &self.caller));
            match admitted {
                Ok(Admitted::Verify { question, .. }) => questions.push(question),
                // Its turn comes when these are answered.
                other => self.next = Some(other),
            }
        }
        questions
    }

    /// Asked every second or so: too often for a log line each.
    async fn status(&mut self, asker: &VerifiedService) -> Result<(), Refusal> {
        let epoch = self.authority.epoch(asker).await;
        let epoch = epoch.map_err(|error| self.refusal(&error, Step::Zero))?;
        self.reply(Step::Zero, &Reply::Status { epoch }).await
    }

    async fn crls(&mut self) -> Result<(), Refusal> {
        let publication = self.authority.lists().await;
        let publication = publication.map_err(|error| self.refusal(&error, Step::Zero))?;
        let sizes = publication
            .lists
            .iter()
            .map(|crl| crl.der().len() as u64)
            .collect();
        let (epoch, limit) = (publication.epoch, self.limits.content);
        let sending = async {
            self.reply(Step::Zero, &Reply::Crls { epoch, sizes })
                .await?;
            for crl in &publication.lists {
                self.connection
                    .send_chunk(Publication::bytes_of(crl))
                    .await?;
            }
            Ok(())
        };
        timeout(limit, sending)
            .await
            .unwrap_or_else(|_| Err(Refusal::new(Code::Timeout, Step::Zero)))
    }

    /// Of the log; asked every second or so by a witness: too often for a log line each.
    async fn show_log(&mut self, shown: Result<Reply, Error>) -> Result<(), Refusal> {
        let shown = shown.map_err(|error| self.refusal(&error, Step::Two))?;
        self.reply(Step::Two, &shown).await
    }

    /// Of a service's log; asked with every submission: too often for a log line each.
    async fn about_log(&mut self, answer: Result<Reply, Error>) -> Result<(), Refusal> {
        let answer = answer.map_err(|error| self.refusal(&error, witness::STEP))?;
        self.reply(witness::STEP, &answer).await
    }

    async fn trust_bundle(&mut self, sequence: u64) -> Result<(), Refusal> {
        let signed = match self.authority.trust_bundle(sequence).await {
            Ok(signed) => signed,
            // None of this number, or a home from before there were bundles: whoever asks has
            // other things to ask.
            Err(Error::Refused(none)) => {
                return self.reply(Step::Zero, &Reply::refusal(none)).await;
            }
            Err(error) => return Err(self.refusal(&error, Step::Zero)),
        };
        let reply = Reply::TrustBundle {
            bundle: signed.bundle,
            signatures: signed.signatures.into_iter().map(Der::new).collect(),
        };
        self.reply(Step::Zero, &reply).await
    }

    async fn reply(&mut self, step: Step, reply: &Reply) -> Result<(), Refusal> {
        self.connection.at_step(step);
        self.connection.send(reply).await
    }

    /// A wrong code is refused and may be tried again, until there were too many; anything
    /// else ends the connection.
    async fn refuse_enrolment(&mut self, error: &Error) -> Result<(), Refusal> {
        let refusal = self.refusal(error, Step::Two);
        if refusal.code != Code::EnrolmentRefused {
            return Err(refusal);
        }
        let from = self.connection.peer_address().ip();
        let refusal = self.authority.wrong_code(refusal, from)?;
        let refusal = self.expect.wrong_code(refusal)?;
        self.emit(StepEvent::refused(&refusal));
        self.reply(Step::Two, &Reply::refusal(refusal)).await
    }

    /// What the peer is told. What only concerns this machine goes to the log, once.
    fn refusal(&self, error: &Error, step: Step) -> Refusal {
        let refusal = error.refusal(step);
        if error.is_own_fault() {
            tracing::error!(conn = self.connection.id(), "{}", with_causes(error));
        }
        refusal
    }

    fn emit(&self, event: StepEvent) {
        let elapsed = self.started.elapsed();
        telemetry::emit(&event.on(self.connection.id()).took(elapsed));
    }
}
