//! `student cosign` and `student withdraw`: what waits for signatures of students whose keys are
//! here. Nothing is signed that was not shown.

mod counting;
mod not_shown;
mod over;
mod refused;
mod show;
mod words;

use std::fs::File;
use std::path::{Path, PathBuf};

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_cli::{Term, note, say};
use scb_protocol::announcement::SignedAnnouncement;
use scb_protocol::client::ToldProposal;
use scb_protocol::message::proposal::{ProposalStanding, ProposalState, Reason, Said};
use scb_protocol::rules::MemberStanding;
use scb_protocol::statement::SubmissionId;
use scb_protocol::{Code, Refusal, Step};

use self::counting::Counting;
use self::not_shown::NotShown;
pub(super) use self::not_shown::add_to as add_not_shown_to;
use self::over::Shown;
pub(super) use self::show::proposal_as_json;
use self::words::Words;
pub(super) use self::words::Words as ProposalWords;
use super::{Prepared, group_or_everybody, quiet_unless, say_json};
use crate::cli::{Common, Cosign, Named, Withdraw};
use crate::engine::{HandedIn, ToldProposals};
use crate::interactive::ask;
use crate::report::measure;
use crate::show::Show;
use crate::shown::ShownMemory;
use crate::{Error, Event, Group};

/// A proposal, and whose keys here are among its members.
struct Waiting {
    told: ToldProposal,
    time: UnixTime,
    /// Whose keys are here.
    here: Vec<StudentId>,
    /// What counts now for those here who may sign it.
    counting: Vec<Counting>,
    /// Whose signature here would be refused at this moment, and as what.
    refused: Vec<(StudentId, Refusal)>,
    /// SHA-256 of the statement that was shown here under this ID, if any was.
    shown: Option<Fingerprint>,
}

/// A file here, to be compared with what is to be signed.
struct OwnFile {
    path: PathBuf,
    sha256: Fingerprint,
}

impl OwnFile {
    fn read(path: &Path) -> Result<Self, Error> {
        let mut file = File::open(path).map_err(Error::file("read", path))?;
        let (_, sha256) = measure(&mut file).map_err(Error::file("read", path))?;
        Ok(Self {
            path: path.to_owned(),
            sha256,
        })
    }
}

impl Waiting {
    fn submission(&self) -> SubmissionId {
        self.told.statement.submission
    }

    /// SHA-256 of what is to be signed.
    fn statement(&self) -> Fingerprint {
        Fingerprint::of(self.told.listed.statement.as_bytes())
    }

    /// It is what was shown, if anything was.
    ///
    /// # Errors
    ///
    /// [`Error::ProposalChanged`].
    fn check_unchanged(&self) -> Result<(), Error> {
        match (self.shown, self.statement()) {
            (Some(shown), now) if shown != now => Err(Error::ProposalChanged {
                submission: self.submission(),
                shown,
                now,
            }),
            _ => Ok(()),
        }
    }

    /// The same as another student here is told it. The extensions of who asked before are not told to him, and hold all
    /// the same.
    fn is_told_again(&mut self, told: ToldProposal) {
        let before = std::mem::replace(&mut self.told, told);
        let now = &mut self.told;
        let mut extensions = before.listed.extensions;
        extensions.retain(|own| now.listed.extensions.iter().all(|one| one.sid != own.sid));
        now.listed.extensions.extend(extensions);
        let mut announced = before.announced;
        let entry = |one: &SignedAnnouncement| one.announcement.entry().1;
        announced.retain(|own| now.announced.iter().all(|one| entry(one) != entry(own)));
        now.announced.extend(announced);
    }

    /// How each member stands with what is complete at this moment; nobody where nothing is due.
    fn standings_at(&self, at: UnixTime) -> Vec<MemberStanding> {
        let listed = &self.told.listed;
        let sids = listed.standing.members.iter().map(|member| &member.sid);
        listed.rules.judge_if_due(at, sids, &listed.extensions)
    }

    /// Those here who are still to sign it; everybody here, if all have signed and it only has to
    /// be completed.
    fn signers(&self) -> Vec<StudentId> {
        let standing = &self.told.listed.standing;
        let is_wanted = |sid: &&StudentId| match standing.state {
            ProposalState::Waiting => standing.said_by(sid) == Some(Said::Nothing),
            _ => false,
        };
        self.here.iter().filter(is_wanted).cloned().collect()
    }

    /// Those of them who are asked: not whose signature is bound to be refused, and nobody of what is
    /// not what was shown before.
    fn asked(&self) -> Vec<StudentId> {
        if self.check_unchanged().is_err() {
            return Vec::new();
        }
        let mut asked = self.signers();
        asked.retain(|sid| !self.is_refused(sid));
        asked
    }
}

pub(super) fn cosign(common: &Common, arguments: &Cosign, term: Term) -> Result<(), Error> {
    let mut prepared = Prepared::new(common, term)?;
    let group = group_or_everybody(&prepared, &arguments.ids)?;
    let mut desk = Desk::open(&mut prepared, common, group)?;
    let own = arguments.file.as_deref().map(OwnFile::read).transpose()?;
    let own = own.as_ref();
    if let Some(submission) = arguments.refuse {
        return desk.end(submission, arguments.reason.clone(), Said::Nothing);
    }
    let listed = desk.list()?;
    if let Some(submission) = arguments.yes {
        let one = desk.named(&listed, submission)?;
        one.check_unchanged()?;
        check_file(one, own)?;
        if one.shown.is_none() {
            desk.show_first(one)?;
        }
        // Whoever says so is taken at his word, and Blackboard's refusal is evidence.
        return desk.sign(one, one.signers());
    }
    let mut shown = Shown::of(listed, arguments.all);
    desk.learn_what_counts(&mut shown.listed)?;
    if common.json {
        let mut json = show::as_json(&shown, own, desk.words);
        not_shown::add_to(&mut json, desk.not_shown.iter().map(|one| &one.left_out));
        say_json(&json)?;
        return desk.remember(&shown.listed);
    }
    show::all(&shown, own, desk.words)?;
    desk.remember(&shown.listed)?;
    match term.interactive {
        true => desk.ask_each(&shown.listed, own),
        false => Ok(()),
    }
}

pub(super) fn withdraw(common: &Common, arguments: &Withdraw, term: Term) -> Result<(), Error> {
    let submission = match arguments.submission {
        Named::Signed(submission) => submission,
        Named::HandedIn(number) => return Err(Error::HandedIn { number }),
    };
    let mut prepared = Prepared::new(common, term)?;
    let group = group_or_everybody(&prepared, &arguments.ids)?;
    let mut desk = Desk::open(&mut prepared, common, group)?;
    desk.end(submission, arguments.reason.clone(), Said::Signed)
}

/// Shows what names these students, and asks about each that waits for one of them.
pub(crate) fn ask_about_all(
    prepared: &mut Prepared,
    common: &Common,
    group: Group,
) -> Result<(), Error> {
    let mut desk = Desk::open(prepared, common, group)?;
    let mut shown = Shown::of(desk.list()?, false);
    desk.learn_what_counts(&mut shown.listed)?;
    show::all(&shown, None, desk.words)?;
    desk.remember(&shown.listed)?;
    desk.ask_each(&shown.listed, None)
}

/// What one command needs.
struct Desk<'a> {
    prepared: &'a mut Prepared,
    common: &'a Common,
    group: Group,
    show: Show,
    words: Words,
    /// What is not shown, each told once.
    not_shown: Vec<NotShown>,
}

impl<'a> Desk<'a> {
    fn open(prepared: &'a mut Prepared, common: &'a Common, group: Group) -> Result<Self, Error> {
        prepared.engine.setup.blackboard()?;
        let mut show = Show::new(common);
        let explained = common.explain.wanted().is_some();
        let mut observer = quiet_unless(explained, &mut show);
        prepared.engine.renew_due(&group, &mut observer)?;
        Ok(Self {
            prepared,
            common,
            group,
            show: Show::new(common),
            words: Words::of(common.explain.language.language()),
            not_shown: Vec::new(),
        })
    }

    fn explained(&self) -> bool {
        self.common.explain.wanted().is_some()
    }

    /// Everything that names somebody whose key is here, each once; receipts that are there are
    /// fetched.
    fn list(&mut self) -> Result<Vec<Waiting>, Error> {
        let mut listed: Vec<Waiting> = Vec::new();
        let memory = ShownMemory::read(&self.prepared.engine.setup.home)?;
        for sid in self.group.ids().to_vec() {
            let explained = self.explained();
            let mut observer = quiet_unless(explained, &mut self.show);
            let engine = &mut self.prepared.engine;
            let ToldProposals {
                time,
                told,
                left_out,
            } = engine.proposals(&sid, &mut observer)?;
            for one in left_out {
                // A script has it in the object that it gets.
                if NotShown::add(&mut self.not_shown, &one, &sid) && !self.common.json {
                    note(&self.words.left_out(&one, self.group.ids()))?;
                }
            }
            for mut told in told {
                let id = told.statement.submission;
                let refused = told.listed.refused.take().map(|why| (sid.clone(), *why));
                match listed.iter_mut().find(|one| one.submission() == id) {
                    Some(one) => {
                        one.here.push(sid.clone());
                        one.is_told_again(told);
                        one.refused.extend(refused);
                    }
                    None => listed.push(Waiting {
                        shown: memory.statement(&id),
                        told,
                        time,
                        here: vec![sid.clone()],
                        counting: Vec::new(),
                        refused: refused.into_iter().collect(),
                    }),
                }
            }
        }
        Ok(listed)
    }

    /// The one of this ID; why, if it is not shown.
    fn named<'b>(
        &self,
        listed: &'b [Waiting],
        submission: SubmissionId,
    ) -> Result<&'b Waiting, Error> {
        let mut listed = listed.iter();
        match listed.find(|one| one.submission() == submission) {
            Some(one) => Ok(one),
            None => Err(match NotShown::of(&self.not_shown, submission) {
                Some(one) => one.left_out.why.clone().into(),
                None => unknown(),
            }),
        }
    }

    /// Whoever signs by an ID alone sees first what that is.
    fn show_first(&self, one: &Waiting) -> Result<(), Error> {
        if !self.common.json {
            show::one(one, self.words)?;
        }
        self.remember(std::slice::from_ref(one))
    }

    /// What was shown is what is signed later.
    fn remember(&self, shown: &[Waiting]) -> Result<(), Error> {
        let home = &self.prepared.engine.setup.home;
        let open = shown
            .iter()
            .filter(|one| one.told.listed.standing.state.is_open());
        ShownMemory::note(home, open.map(|one| (one.submission(), one.statement())))
    }

    /// Signs for these, each over a connection of his own.
    fn sign(&mut self, one: &Waiting, mut signers: Vec<StudentId>) -> Result<(), Error> {
        if signers.is_empty() {
            // Nobody is left: whoever signed asks what has become of it.
            signers = one.here[..1].to_vec();
        }
        let statement = one.told.listed.statement.as_bytes();
        let mut came = None;
        for sid in &signers {
            let engine = &mut self.prepared.engine;
            let show = &mut self.show;
            let mut observer = |event: &Event| show.event(event);
            came = Some(engine.cosign(sid, statement, &mut observer)?);
        }
        match came {
            Some(HandedIn::Kept(mut kept)) if !kept.before => {
                kept.standings = one.standings_at(kept.receipt.committed_at());
                self.say(&HandedIn::Kept(kept))
            }
            Some(HandedIn::Waits(standing)) if self.common.json => {
                say_json(&show::signed_as_json(one, &standing))
            }
            Some(came) => self.say(&came),
            None => Ok(()),
        }
    }

    fn say(&self, came: &HandedIn) -> Result<(), Error> {
        super::submit::say_handed_in(came, self.common)
    }

    /// Somebody here says no, or takes back what he has signed.
    fn end(
        &mut self,
        submission: SubmissionId,
        reason: Option<Reason>,
        who: Said,
    ) -> Result<(), Error> {
        let listed = self.list()?;
        let (standing, here) = match self.to_end(&listed, submission) {
            Err(unknown)
                if who == Said::Signed && NotShown::of(&self.not_shown, submission).is_none() =>
            {
                return self.give_up(submission, reason, unknown);
            }
            one => one?,
        };
        let proposed = |sid: &&StudentId| standing.proposers().contains(sid);
        let spoke = |sid: &&StudentId| standing.said_by(sid) == Some(who);
        // Where only files are missing, it is for who has them to say.
        let sid = match standing.state {
            ProposalState::Signed => here.iter().find(proposed),
            _ => here.iter().find(spoke),
        };
        let Some(sid) = sid.or(here.first()).cloned() else {
            return Err(unknown());
        };
        // Whoever means the other thing is told, instead of being taken at his word.
        match (standing.state, standing.said_by(&sid)) {
            (ProposalState::Waiting, Some(said)) if said != who => {
                return Err(Error::OtherEnding {
                    sid,
                    signed: said == Said::Signed,
                });
            }
            _ => {}
        }
        let is_over = !standing.state.is_open();
        let ended = self.end_as(std::slice::from_ref(&sid), submission, reason)?;
        match is_over {
            true => self.say_over(&ended),
            false => self.say_ended(&[sid], &ended),
        }
    }

    /// What was signed here by all together, and whose files have not come.
    fn give_up(
        &mut self,
        submission: SubmissionId,
        reason: Option<Reason>,
        unknown: Error,
    ) -> Result<(), Error> {
        let explained = self.explained();
        let mut observer = quiet_unless(explained, &mut self.show);
        let engine = &mut self.prepared.engine;
        let told = engine.history(&self.group, (None, None), &mut observer)?;
        drop(observer);
        let mut unfinished = told.unfinished.into_iter();
        let Some(one) = unfinished.find(|one| one.submission == submission) else {
            return self.ask_about(submission, unknown);
        };
        // Nobody's key is used who was not meant: Blackboard says who is missing.
        let mut members = one.members;
        members.retain(|sid| self.group.ids().contains(sid));
        let ended = self.end_as(&members, submission, reason)?;
        self.say_ended(&members, &ended)
    }

    /// What is neither waited for nor unfinished: what became of it is told to each of its members,
    /// and to nobody else.
    fn ask_about(&mut self, submission: SubmissionId, unknown: Error) -> Result<(), Error> {
        for sid in self.group.ids().to_vec() {
            match self.end_as(&[sid], submission, None) {
                Err(Error::Refused(refusal)) if refusal.code == Code::SubmissionUnknown => {}
                over => return self.say_over(&over?),
            }
        }
        Err(unknown)
    }

    fn end_as(
        &mut self,
        sids: &[StudentId],
        submission: SubmissionId,
        reason: Option<Reason>,
    ) -> Result<ProposalStanding, Error> {
        let explained = self.explained();
        let mut observer = quiet_unless(explained, &mut self.show);
        let engine = &mut self.prepared.engine;
        engine.end_proposal(sids, (submission, reason), &mut observer)
    }

    fn say_ended(&self, sids: &[StudentId], ended: &ProposalStanding) -> Result<(), Error> {
        match self.common.json {
            true => say_json(&show::proposal_as_json(ended)),
            false => Ok(say(&self.words.ended(sids, ended))?),
        }
    }

    /// It had come to an end before.
    fn say_over(&self, ended: &ProposalStanding) -> Result<(), Error> {
        match self.common.json {
            true => say_json(&show::proposal_as_json(ended)),
            false => Ok(say(&self.words.over(ended))?),
        }
    }

    /// Asks about each that waits for somebody here.
    fn ask_each(&mut self, listed: &[Waiting], own: Option<&OwnFile>) -> Result<(), Error> {
        for one in listed {
            let signers = one.asked();
            if signers.is_empty() {
                continue;
            }
            if own.is_some_and(|own| !show::has_file(one, own)) {
                say(&self.words.skipped(&one.submission()))?;
                continue;
            }
            let names: Vec<_> = signers.iter().map(StudentId::as_str).collect();
            let question = self.words.question(&one.submission(), &names.join(", "));
            match ask(&question)?.as_deref() {
                Some("y" | "yes") => self.sign(one, signers)?,
                Some("r" | "refuse") => self.end(one.submission(), None, Said::Nothing)?,
                _ => say(self.words.later())?,
            }
        }
        Ok(())
    }
}

fn unknown() -> Error {
    Refusal::new(Code::SubmissionUnknown, Step::Six).into()
}

fn check_file(one: &Waiting, own: Option<&OwnFile>) -> Result<(), Error> {
    match own {
        Some(own) if !show::has_file(one, own) => Err(Error::NotProposed {
            path: own.path.clone(),
            found: own.sha256,
            files: one.told.statement.files.clone(),
        }),
        _ => Ok(()),
    }
}
