//! What was handed in before: the list of it, its receipts and its files, asked for by each member
//! alone, in a session of its own.

use std::path::PathBuf;
use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;
use scb_protocol::client::{Downloading, Member, Session};
use scb_protocol::message::blackboard::{ListedUnfinished, ListedVersion};
use scb_protocol::receipt::VerifiedReceipt;
use scb_protocol::server::MAX_QUESTIONS;
use scb_protocol::statement::{FileEntry, Label, SubmissionNumber};
use scb_protocol::{Code, Refusal, Step};
use scb_transport::Clock;
use tokio::time::{Duration, Instant};

use super::acknowledged::{self, Acknowledged};
use super::completion::{numbers_kept, roots};
use super::hand_in::Talk;
use super::links::REPLY;
use super::lost::{self, Lost};
use super::{Engine, keeping, tokens};
use crate::target::{Part, Place, Target};
use crate::{Error, Event, Group, Observer, Setup, receipts};

/// Total time for what is asked for in one go.
const CONTENT: Duration = Duration::from_secs(11 * 60);
/// So many receipts are fetched on one connection, besides the questions for the list.
const MOST: u32 = MAX_QUESTIONS / 2;

/// Course and assignment, where only some are wanted.
pub(crate) type Only = (Option<Label>, Option<Label>);

/// A student's own versions, as Blackboard told of them.
#[derive(Debug, Clone)]
pub(crate) struct ToldHistory {
    /// The time by Blackboard's clock.
    pub(crate) time: UnixTime,
    /// In the order of their numbers.
    pub(crate) versions: Vec<ListedVersion>,
    /// What was signed and has not all come, the latest first.
    pub(crate) unfinished: Vec<ListedUnfinished>,
    /// How many more of that a student has at least, of which nothing is told.
    pub(crate) more_unfinished: u32,
    /// What receipts kept here prove, and Blackboard does not have any more.
    pub(crate) lost: Vec<Lost>,
    /// What Blackboard signed to have recorded, and of which nothing has come by what is kept here and
    /// told.
    pub(crate) acknowledged: Vec<Acknowledged>,
}

impl ToldHistory {
    fn nothing(time: UnixTime) -> Self {
        Self {
            time,
            versions: Vec::new(),
            unfinished: Vec::new(),
            more_unfinished: 0,
            lost: Vec::new(),
            acknowledged: Vec::new(),
        }
    }

    /// Those of another student; what both have is told once.
    fn add(&mut self, other: Self) {
        self.time = other.time;
        for version in other.versions {
            let same = |one: &&mut ListedVersion| one.number == version.number;
            match self.versions.iter_mut().find(same) {
                Some(known) => known.standings.extend(version.standings),
                None => self.versions.push(version),
            }
        }
        self.versions.sort_by_key(|version| version.number);
        for one in other.unfinished {
            let mut known = self.unfinished.iter();
            if known.all(|known| known.submission != one.submission) {
                self.unfinished.push(one);
            }
        }
        // What several have signed together is the same for each of them.
        self.more_unfinished = self.more_unfinished.max(other.more_unfinished);
        let latest_first = |one: &ListedUnfinished| std::cmp::Reverse(one.committed_at);
        self.unfinished.sort_by_key(latest_first);
    }
}

/// What came back of a submission.
#[derive(Debug)]
pub(crate) struct FetchedSubmission {
    /// The receipt, and where it is kept.
    pub(crate) receipt: VerifiedReceipt,
    /// Where the receipt is kept.
    pub(crate) kept: PathBuf,
    /// Where each file is, in the order of the statement.
    pub(crate) files: Vec<PathBuf>,
}

impl Engine {
    /// Every version in which any of these students has a part, each asked about by himself.
    ///
    /// # Errors
    ///
    /// What was refused, or what failed here.
    pub(crate) fn history(
        &mut self,
        group: &Group,
        only: Only,
        observer: &mut Observer<'_>,
    ) -> Result<ToldHistory, Error> {
        let mut all = ToldHistory::nothing(self.now());
        for sid in group.ids() {
            let (only, alone) = (only.clone(), std::slice::from_ref(sid));
            let told = self.session(alone, observer, async |setup, clock, member, observer| {
                history(setup, clock, member, only.clone(), observer).await
            })?;
            all.add(told);
        }
        all.lost = lost::of(&self.setup, group, &only, &all.versions)?;
        all.acknowledged = acknowledged::of(&self.setup, group, &only, &all)?;
        Ok(all)
    }

    /// Fetches the receipts of these students' submissions that are not kept here.
    ///
    /// # Errors
    ///
    /// What was refused, or what failed here; those that came before are kept.
    pub(crate) fn fetch_receipts(
        &mut self,
        group: &Group,
        observer: &mut Observer<'_>,
    ) -> Result<Fetched, Error> {
        let mut all = Fetched::default();
        for sid in group.ids() {
            let mut known = numbers_kept(&self.setup)?;
            known.extend(all.refused.iter().map(|(number, _)| *number));
            let alone = std::slice::from_ref(sid);
            loop {
                let told =
                    self.session(alone, observer, async |setup, clock, member, observer| {
                        fetch_receipts(setup, clock, member, &known, observer).await
                    })?;
                let (fetched, is_more) = told;
                known.extend(fetched.numbers());
                all.add(fetched);
                if !is_more {
                    break;
                }
            }
        }
        Ok(all)
    }

    /// Fetches the receipt and the files of a submission in which one of these students has a part.
    ///
    /// # Errors
    ///
    /// `submission_unknown` if none of them has; [`Error::TargetTaken`]; what else was refused, or
    /// failed here.
    pub(crate) fn download(
        &mut self,
        group: &Group,
        number: SubmissionNumber,
        place: &Place,
        observer: &mut Observer<'_>,
    ) -> Result<FetchedSubmission, Error> {
        let mut unknown = Err(Error::NoIds);
        for sid in group.ids() {
            let alone = std::slice::from_ref(sid);
            let fetched = self.session(alone, observer, async |setup, clock, member, observer| {
                download(setup, clock, member, (number, place), observer).await
            });
            match fetched {
                Err(Error::Refused(refusal)) if refusal.code == Code::SubmissionUnknown => {
                    unknown = Err(refusal.into());
                }
                fetched => return fetched,
            }
        }
        unknown
    }
}

/// Receipts that were fetched.
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    /// Where each is now.
    pub(crate) paths: Vec<(SubmissionNumber, PathBuf)>,
    /// Those that Blackboard cannot give, and why.
    pub(crate) refused: Vec<(SubmissionNumber, Refusal)>,
}

impl Fetched {
    fn numbers(&self) -> impl Iterator<Item = SubmissionNumber> {
        let refused = self.refused.iter().map(|(number, _)| *number);
        self.paths.iter().map(|(number, _)| *number).chain(refused)
    }

    fn add(&mut self, other: Self) {
        self.paths.extend(other.paths);
        self.refused.extend(other.refused);
    }
}

/// Opens a session for one member.
pub(super) async fn open<'a, 'o>(
    setup: &'a mut Setup,
    clock: &'a Arc<dyn Clock>,
    members: &'a mut [Member],
    observer: &'a mut Observer<'o>,
) -> Result<(Talk<'a, 'o>, Session), Error> {
    tokens::refresh(setup, clock, members, observer).await?;
    Talk::open(setup, clock, members, observer).await
}

/// The versions of these members.
pub(super) async fn history(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &mut [Member],
    only: Only,
    observer: &mut Observer<'_>,
) -> Result<ToldHistory, Error> {
    let (mut talk, session) = open(setup, clock, members, observer).await?;
    let (_, told) = talk.ask_history(session, only).await?;
    talk.close().await;
    Ok(told)
}

/// As many receipts of one member that are not `known` as one connection gives, and whether there are more. It ends
/// with the first that cannot be given.
async fn fetch_receipts(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    member: &mut [Member],
    known: &[SubmissionNumber],
    observer: &mut Observer<'_>,
) -> Result<(Fetched, bool), Error> {
    let (mut talk, session) = open(setup, clock, member, observer).await?;
    let (mut session, told) = talk.ask_history(session, (None, None)).await?;
    let numbers = told.versions.iter().map(|version| version.number);
    let mut missing = numbers.filter(|number| !known.contains(number));
    let (mut fetched, mut broken) = (Fetched::default(), Ok(()));
    for number in missing.by_ref().take(MOST as usize) {
        let (next, zip, receipt) = match talk.fetch_receipt(session, number).await {
            Err(Error::Refused(refusal)) if is_withheld(&refusal) => {
                fetched.refused.push((number, refusal));
                return broken.map(|()| (fetched, missing.next().is_some()));
            }
            received => received?,
        };
        session = next;
        let path = receipts::save(&talk.setup.receipts, receipt.number(), &zip)?;
        broken = broken.and(talk.follow(&receipt, &path));
        fetched.paths.push((number, path));
    }
    talk.close().await;
    broken.map(|()| (fetched, missing.next().is_some()))
}

/// Whether Blackboard holds back this one, and would give another.
fn is_withheld(refusal: &Refusal) -> bool {
    [Code::StoredDamaged, Code::RulesAltered].contains(&refusal.code)
}

/// The receipt and all files of a submission of this member.
async fn download(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    member: &mut [Member],
    (number, place): (SubmissionNumber, &Place),
    observer: &mut Observer<'_>,
) -> Result<FetchedSubmission, Error> {
    let (mut talk, session) = open(setup, clock, member, observer).await?;
    let (mut session, zip, receipt) = talk.fetch_receipt(session, number).await?;
    let kept = keeping::keep(talk.setup, (&zip, &receipt), talk.observer)?;
    let entries = &receipt.statement().files;
    let targets: Vec<Target> = entries.iter().map(|file| place.of(file)).collect();
    // Before a byte comes: nothing that is there may be in the way.
    targets.iter().try_for_each(Target::check)?;
    let (mut come, total) = (0, entries.size());
    for (index, target) in (0..).zip(&targets) {
        let sent = (come, total);
        session = talk
            .fetch_file(session, (number, index), target, sent)
            .await?;
        come += target.file().size;
    }
    talk.follow(&receipt, &kept)?;
    talk.close().await;
    let files = targets.iter().map(|target| target.path().to_owned());
    Ok(FetchedSubmission {
        files: files.collect(),
        receipt,
        kept,
    })
}

impl Talk<'_, '_> {
    pub(super) async fn ask_history(
        &mut self,
        mut session: Session,
        only: Only,
    ) -> Result<(Session, ToldHistory), Error> {
        let (mut told, mut after) = (ToldHistory::nothing(self.clock.now()), None);
        for _ in 0..MOST {
            let (expect, request) = session.ask_history(only.clone(), after);
            self.connection.at_step(Step::Six);
            self.connection.send(&request).await?;
            let reply = self.connection.receive(Step::Six, REPLY).await?;
            let (open, answer) = expect.handle(reply)?;
            (session, told.time, after) = (open, answer.time, answer.next);
            told.versions.extend(answer.versions);
            told.unfinished.extend(answer.unfinished);
            told.more_unfinished += answer.more_unfinished;
            if after.is_none() {
                break;
            }
        }
        Ok((session, told))
    }

    /// A receipt, verified: it is of this number, and the member who asks is one of its members.
    pub(super) async fn fetch_receipt(
        &mut self,
        session: Session,
        number: SubmissionNumber,
    ) -> Result<(Session, Vec<u8>, VerifiedReceipt), Error> {
        let (expect, request) = session.ask_receipt_of(number);
        self.connection.at_step(Step::Six);
        self.connection.send(&request).await?;
        let reply = self.connection.receive(Step::Six, REPLY).await?;
        let downloading = expect
            .handle(reply)
            .map_err(|refusal| named(refusal, number))?;
        let (mut zip, sha256) = (Vec::new(), downloading.sha256());
        let keep = |chunk: &[u8]| {
            zip.extend_from_slice(chunk);
            Ok(())
        };
        let session = self.take(downloading, keep).await?;
        if Fingerprint::of(&zip) != sha256 {
            return Err(misbehaved("the receipt is not the one that was announced").into());
        }
        let receipt = VerifiedReceipt::verify_under(&zip, &roots(self.setup))?;
        let mut of = receipt.statement().members.iter();
        if receipt.number() != number || !of.any(|one| one.sid == self.members[0].sid) {
            return Err(misbehaved("the receipt is about something else").into());
        }
        Ok((session, zip, receipt))
    }

    /// A file, from where it broke off before. It gets its name only with its hash.
    async fn fetch_file(
        &mut self,
        session: Session,
        (number, index): (SubmissionNumber, u32),
        target: &Target,
        (come, total): (u64, u64),
    ) -> Result<Session, Error> {
        let Some(mut part) = target.begin()? else {
            return Ok(session);
        };
        let file: &FileEntry = target.file();
        let (expect, request) = session.ask_file(number, (index, file), part.size());
        self.connection.send(&request).await?;
        let reply = self.connection.receive(Step::Six, CONTENT).await?;
        let downloading = expect
            .handle(reply)
            .map_err(|refusal| named(refusal, number))?;
        let session = self
            .take_file(downloading, &mut part, (come, total))
            .await?;
        match part.finish(target)? {
            true => Ok(session),
            false => Err(misbehaved("the bytes do not have the hash that was signed").into()),
        }
    }

    async fn take_file(
        &mut self,
        downloading: Downloading,
        part: &mut Part,
        (come, total): (u64, u64),
    ) -> Result<Session, Error> {
        let deadline = Instant::now() + CONTENT;
        let mut downloading = downloading;
        while downloading.left() > 0 {
            let chunk = self.connection.receive_chunk(Step::Six, deadline).await?;
            downloading.chunk(&chunk)?;
            part.write(&chunk)?;
            let sent = come + part.size();
            self.observe(&Event::Sending { sent, total });
        }
        Ok(downloading.end()?)
    }

    async fn take(
        &mut self,
        mut downloading: Downloading,
        mut keep: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<Session, Error> {
        let deadline = Instant::now() + CONTENT;
        while downloading.left() > 0 {
            let chunk = self.connection.receive_chunk(Step::Six, deadline).await?;
            downloading.chunk(&chunk)?;
            keep(&chunk)?;
        }
        Ok(downloading.end()?)
    }
}

/// Blackboard does not repeat what was asked for.
fn named(refusal: Refusal, number: SubmissionNumber) -> Refusal {
    match refusal.code {
        Code::SubmissionUnknown | Code::StoredDamaged => refusal.with("submission", number),
        _ => refusal,
    }
}

fn misbehaved(reason: &str) -> Refusal {
    Refusal::new(Code::ServerMisbehaved, Step::Six).with("reason", reason)
}
