//! Steps 3 to 6: one connection for the whole group, from the greeting to the receipt.

use std::path::PathBuf;
use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, ServiceName, SpiffeId, StudentId, TrustStore};
use scb_protocol::client::{
    Answer, Committed, ExpectGreeting, Member, ReceivingReceipt, SendingContent, Sent, Session,
};
use scb_protocol::message::blackboard::{Received, Reply, Request};
use scb_protocol::receipt::VerifiedReceipt;
use scb_protocol::rules::MemberStanding;
use scb_protocol::statement::{FilePath, Label, SubmissionId};
use scb_protocol::{Fact, Step};
use scb_transport::Clock;
use tokio::time::Instant;

use super::counting::Uncounted;
use super::facts;
use super::finality::is_final;
use super::lateness::ToldRules;
use super::links::{self, RECEIPT, REPLY, about};
use super::loss::Consent;
use super::resumption::is_worth_another;
use super::wire::Wire;
use crate::pending::{Draft, Pending};
use crate::setup::service_id;
use crate::{Error, Event, Observer, Report, Setup};

/// What is handed in, to which course and assignment.
#[derive(Debug)]
pub struct HandIn<'a> {
    /// The files, hashed.
    pub report: &'a mut Report,
    /// The course; without one it is chosen as [`HandIn::assignment`].
    pub course: Option<Label>,
    /// The assignment; without one it is the only one that is open.
    pub assignment: Option<Label>,
    /// Members of the group who sign on other machines, after those who are here.
    pub elsewhere: &'a [StudentId],
    /// Whether it may take the place of what costs less.
    pub consent: Consent,
    /// Bytes that Blackboard had of it when it last recorded it, or found it recorded.
    pub(super) there: Option<u64>,
    /// What it recorded.
    pub(super) recorded: Option<Recorded>,
    /// The rules of the assignment, as it told them last.
    pub(super) rules: Option<ToldRules>,
}

/// What stands at Blackboard though it is not handed in: a signed statement whose files may follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The submission ID of the statement.
    pub submission: SubmissionId,
    /// When it was recorded, where that is what counts for lateness.
    pub at: Option<UnixTime>,
    /// Until when the files may come.
    pub until: UnixTime,
    /// Where Blackboard's signed word for that is kept, if it has given it.
    pub signed: Option<PathBuf>,
}

impl<'a> HandIn<'a> {
    /// These files, for the assignment that is chosen if none is named.
    pub fn new(report: &'a mut Report, course: Option<Label>, assignment: Option<Label>) -> Self {
        Self {
            report,
            course,
            assignment,
            elsewhere: &[],
            consent: Consent::Withheld,
            there: None,
            recorded: None,
            rules: None,
        }
    }

    /// With members who sign on other machines.
    #[must_use]
    pub fn with(self, elsewhere: &'a [StudentId]) -> Self {
        Self { elsewhere, ..self }
    }

    /// With what was said of a version that costs more.
    #[must_use]
    pub fn by(self, consent: Consent) -> Self {
        Self { consent, ..self }
    }

    /// Blackboard has recorded it, and has so much of each file.
    pub(super) fn is_recorded(&mut self, recorded: Recorded, have: &[Received]) {
        self.has_come(have);
        self.recorded = Some(recorded);
    }

    fn has_come(&mut self, have: &[Received]) {
        self.there = Some(have.iter().map(|file| file.received).sum());
    }

    /// What went wrong, with what stands all the same: nothing, if it was not recorded, or never
    /// can be handed in any more.
    pub(super) fn with_record(&self, error: Error) -> Error {
        match self.recorded.clone() {
            Some(recorded) if !is_final(&error, false) => Error::Unfinished {
                cause: Box::new(error),
                recorded,
            },
            _ => error,
        }
    }

    /// The ID under which Blackboard has recorded it.
    pub(super) fn recorded_as(&self) -> Option<SubmissionId> {
        self.recorded.as_ref().map(|recorded| recorded.submission)
    }

    /// What is to be signed, for this assignment.
    pub(super) fn draft<'d>(
        &'d self,
        service: &'d SpiffeId,
        assignment: (Label, Label),
        members: &'d [Member],
    ) -> Draft<'d> {
        Draft {
            service,
            assignment,
            members,
            elsewhere: self.elsewhere,
            files: self.report.files(),
        }
    }
}

/// A receipt that was verified and saved.
#[derive(Debug)]
pub struct KeptReceipt {
    /// Where it was saved.
    pub path: PathBuf,
    /// Its bytes, a ZIP file.
    pub bytes: Vec<u8>,
    /// What it proves.
    pub receipt: VerifiedReceipt,
    /// Whether it is of a hand-in before this one, which changes nothing.
    pub before: bool,
    /// How each member stands with it, as far as that is known here; nobody where nothing is due.
    pub standings: Vec<MemberStanding>,
    /// The members here for whom it does not count, as far as that is known.
    pub uncounted: Vec<Uncounted>,
}

/// Hands in and keeps the receipt; only then is the pending hand-in forgotten.
pub(super) async fn hand_in(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &[Member],
    hand_in: &mut HandIn<'_>,
    observer: &mut Observer<'_>,
) -> Result<KeptReceipt, Error> {
    let (talk, session, place) =
        Talk::about_hand_in(setup, clock, members, hand_in, observer).await?;
    talk.submit(session, place, hand_in).await
}

/// One connection of a group.
pub(super) struct Talk<'a, 'o> {
    pub(super) setup: &'a mut Setup,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) connection: Wire,
    pub(super) members: &'a [Member],
    pub(super) observer: &'a mut Observer<'o>,
}

impl<'a, 'o> Talk<'a, 'o> {
    /// Connects, and opens a session for the members.
    pub(super) async fn open(
        setup: &'a mut Setup,
        clock: &'a Arc<dyn Clock>,
        members: &'a [Member],
        observer: &'a mut Observer<'o>,
    ) -> Result<(Self, Session), Error> {
        let connection = Wire::open(setup, clock, members).await?;
        let trust = setup.require_trust()?;
        let mut talk = Self {
            setup,
            clock,
            connection,
            members,
            observer,
        };
        let session = talk.open_session(trust).await;
        let session = session.map_err(|error| talk.name_first(error))?;
        Ok((talk, session))
    }

    /// [`Talk::open`], and all that comes before a statement: receipts that are owed are fetched, the
    /// assignment is chosen, and whoever hands in has agreed to what would be lost.
    pub(super) async fn about_hand_in(
        setup: &'a mut Setup,
        clock: &'a Arc<dyn Clock>,
        members: &'a [Member],
        hand_in: &mut HandIn<'_>,
        observer: &'a mut Observer<'o>,
    ) -> Result<(Self, Session, (Label, Label)), Error> {
        let (mut talk, session) = Self::open(setup, clock, members, observer).await?;
        let session = talk.complete_receipts(session).await?;
        let (session, place) = talk.choose(session, hand_in).await?;
        let checked = talk.check_loss(session.service(), &place, hand_in);
        checked.await?;
        Ok((talk, session, place))
    }

    /// Leaves with what was told.
    pub(super) async fn close(self) {
        self.connection.close().await;
    }

    /// Steps 3, 4 and 5.
    async fn open_session(&mut self, trust: Arc<TrustStore>) -> Result<Session, Error> {
        let service = service_id(&trust, &ServiceName::blackboard());
        let exporter = self.connection.exporter();
        let expect = ExpectGreeting::new(trust, service, exporter, self.members.to_vec());

        let greeting = self.connection.receive(Step::Three, REPLY).await?;
        if let Reply::Greeting {
            time,
            max_members,
            max_bytes,
            ..
        } = &greeting
        {
            self.setup.hear_time(Step::Three, self.clock.now(), *time)?;
            let (chain, name) = (self.connection.peer_chain(), ServiceName::blackboard());
            let trust = self.setup.require_trust()?;
            links::judge(&trust, self.clock, chain, &name, Step::Three)?;
            self.setup.blackboard_proved()?;
            self.setup.hear_limits(*max_members, *max_bytes)?;
        }
        let challenge = facts::challenge(&greeting);
        let (expect, present) = expect.handle(greeting)?;
        let presented = facts::presented(challenge, expect.transcript(), &present);
        self.connection.send(&present).await?;
        self.tell(Step::Three, presented);

        let shares = self.connection.receive(Step::Three, REPLY).await?;
        let (expect, confirm) = expect.handle(shares, self.clock.now())?;
        self.tell(Step::Three, facts::assured(expect.assurance()));
        let (shares, t2) = (self.members.len(), expect.transcript());
        self.tell(Step::Four, Some(Fact::SharesOpened { shares, t2 }));
        self.connection.at_step(Step::Five);
        self.connection.send(&confirm).await?;

        let confirmed = self.connection.receive(Step::Five, REPLY).await?;
        let session = expect.handle(confirmed)?;
        let (client, server) = session.confirmations();
        self.tell(Step::Five, Some(Fact::KeyConfirmed { client, server }));
        Ok(session)
    }

    /// Step 6.
    async fn submit(
        mut self,
        session: Session,
        assignment: (Label, Label),
        hand_in: &mut HandIn<'_>,
    ) -> Result<KeptReceipt, Error> {
        let draft = hand_in.draft(session.service(), assignment, self.members);
        let recorded = hand_in.recorded_as();
        let pending = Pending::prepare(&self.setup.home, &draft, recorded, self.clock.now())?;
        self.say_if_late(&pending, hand_in);
        let mut certain = !pending.resumed;
        let exchanged = self.exchange(session, &pending, hand_in, &mut certain);
        match exchanged.await {
            Ok(kept) => {
                pending.remove()?;
                self.connection.close().await;
                Ok(kept)
            }
            Err(error) => Err(self.failed(error, pending, certain)),
        }
    }

    /// What it failed of. What was signed is forgotten, if it is never sent again.
    pub(super) fn failed(&mut self, error: Error, pending: Pending, certain: bool) -> Error {
        let error = self.refused(error, &pending.statement);
        match is_final(&error, certain).then(|| pending.remove()) {
            Some(Err(local)) => local,
            Some(Ok(())) | None => error,
        }
    }

    /// What is signed just now is not recorded yet: whoever would be late with it hears so first.
    pub(super) fn say_if_late(&mut self, pending: &Pending, hand_in: &HandIn<'_>) {
        let here = self.members.iter().map(|member| &member.sid);
        let each = match &hand_in.rules {
            Some(rules) if !pending.resumed => rules.late_now(here.chain(hand_in.elsewhere)),
            _ => None,
        };
        if let Some(standings) = each {
            (self.observer)(&Event::WillBeLate { standings });
        }
    }

    async fn exchange(
        &mut self,
        session: Session,
        pending: &Pending,
        hand_in: &mut HandIn<'_>,
        certain: &mut bool,
    ) -> Result<KeptReceipt, Error> {
        let (expect, submit) = session.submit(&pending.statement, pending.signatures.clone())?;
        self.connection.at_step(Step::Six);
        self.connection.send(&submit).await?;
        self.tell(
            Step::Six,
            facts::statement_sent(&submit, self.members.len()),
        );
        let reply = self.connection.receive(Step::Six, REPLY).await?;
        let (receiving, before) = match expect.handle(reply, self.clock.now())? {
            Answer::Committed(committed) => {
                *certain = false;
                self.record(&committed, hand_in)?;
                // It may take hours and needs nothing of the home.
                let kept_out = self.setup.home.let_in();
                let sent = self.send_content(committed, hand_in.report).await;
                (self.home_again(kept_out, sent).await?, false)
            }
            Answer::AlreadyStored(receiving) => (receiving, true),
        };
        let received = self.receive_receipt(receiving).await?;
        let before = before || received.1.statement_bytes() != pending.statement;
        self.keep(received, before)
    }

    /// Others are kept out of the home again. Why it was not sent comes before that they are still at work there, unless
    /// it would be tried again: that takes the home.
    pub(super) async fn home_again<T>(
        &mut self,
        kept_out: bool,
        sent: Result<T, Error>,
    ) -> Result<T, Error> {
        let back = self.setup.keep_out_again(kept_out, self.observer).await;
        match (sent, back) {
            (Err(error), Err(_)) if !is_worth_another(&error) => Err(error),
            (sent, back) => back.and(sent),
        }
    }

    /// What stands now is noted, and Blackboard's signed word for it kept, before anything is sent. That
    /// other files like these are stored already is no record of what was signed here.
    fn record(&self, committed: &Committed, hand_in: &mut HandIn<'_>) -> Result<(), Error> {
        let mut recorded = Recorded {
            submission: committed.statement().submission,
            at: Some(committed.at()),
            until: committed.upload_until(),
            signed: None,
        };
        if !committed.is_of_this() {
            hand_in.has_come(committed.have());
            return Ok(());
        }
        hand_in.is_recorded(recorded.clone(), committed.have());
        if let Some(signed) = committed.signed() {
            recorded.signed = Some(self.keep_commitment(signed)?);
            hand_in.recorded = Some(recorded);
        }
        Ok(())
    }

    /// Sends what Blackboard does not have yet.
    async fn send_content(
        &mut self,
        committed: Committed,
        report: &mut Report,
    ) -> Result<ReceivingReceipt, Error> {
        self.tell(
            Step::Six,
            Some(facts::committed(&committed, report.files())),
        );
        let (own, anew) = prefixes(committed.have(), report)?;
        let upload = committed.upload(&own);
        let (expect, reply) = self.send_rest(upload, anew, report).await?;
        Ok(expect.handle(reply)?)
    }

    /// Says what will come, and sends it. What Blackboard answers, and who expects that.
    pub(super) async fn send_rest<Next: From<Sent>>(
        &mut self,
        (sending, upload): (SendingContent<Next>, Request),
        anew: Vec<FilePath>,
        report: &mut Report,
    ) -> Result<(Next, Reply), Error> {
        self.going_on(sending.from(), anew, report);
        self.connection.send(&upload).await?;
        self.send_files(sending.from(), report).await?;
        let (expect, end) = sending.end();
        self.connection.send(&end).await?;
        let reply = self.connection.receive(Step::Six, RECEIPT).await?;
        Ok((expect, reply))
    }

    /// Sends each file from its place on.
    async fn send_files(&mut self, from: &[u64], report: &mut Report) -> Result<(), Error> {
        let (mut sent, total) = (from.iter().sum::<u64>(), report.files().size());
        for (index, from) in from.iter().enumerate() {
            let mut pieces = report.pieces(index, *from)?;
            while let Some(piece) = pieces.next_piece()? {
                sent += piece.len() as u64;
                self.connection.send_chunk(piece.into()).await?;
                (self.observer)(&Event::Sending { sent, total });
            }
        }
        Ok(())
    }

    /// Says what Blackboard has of an attempt before, and what of it is sent anew.
    fn going_on(&mut self, from: &[u64], anew: Vec<FilePath>, report: &Report) {
        let have = from.iter().sum();
        if have > 0 || !anew.is_empty() {
            let total = report.files().size();
            (self.observer)(&Event::GoingOn { have, total, anew });
        }
    }

    pub(super) async fn receive_receipt(
        &mut self,
        mut receiving: ReceivingReceipt,
    ) -> Result<(Vec<u8>, VerifiedReceipt), Error> {
        let deadline = Instant::now() + RECEIPT;
        while !receiving.is_complete() {
            let chunk = self.connection.receive_chunk(Step::Six, deadline);
            receiving.chunk(&chunk.await?)?;
        }
        Ok(receiving.finish()?)
    }

    pub(super) fn observe(&mut self, event: &Event) {
        (self.observer)(event);
    }

    pub(super) fn tell(&mut self, step: Step, fact: Option<Fact>) {
        if let Some(fact) = fact {
            (self.observer)(&Event::new(step, fact));
        }
    }

    /// A certificate that was refused in the handshake is the first member's.
    fn name_first(&self, error: Error) -> Error {
        match error {
            Error::Refused(refusal) if refusal.code.is_about_certificate() => {
                about(refusal, &self.members[0].sid).into()
            }
            other => other,
        }
    }
}

/// SHA-256 of as much of each file here as Blackboard has, and the files of which it has something
/// else.
pub(super) fn prefixes(
    have: &[Received],
    report: &mut Report,
) -> Result<(Vec<Fingerprint>, Vec<FilePath>), Error> {
    let (mut own, mut anew) = (Vec::new(), Vec::new());
    for (index, have) in have.iter().enumerate() {
        let prefix = report.prefix(index, have.received)?;
        if prefix != have.sha256 {
            anew.push(report.files()[index].name.clone());
        }
        own.push(prefix);
    }
    Ok((own, anew))
}
