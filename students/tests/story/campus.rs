//! CUHK and Blackboard on port 0, over the certificates of a test campus.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use scb_certs::StudentId;
use scb_cli::Term;
use scb_protocol::{EnrolmentCode, install_crypto};
use scb_student::{
    Cli, Codes, Engine, EnrolOptions, Error, Event, Group, HandIn, KeptReceipt, Passphrases,
    Selection, Setup, StudentHome,
};
use scb_testkit::{FixedClock, TestCampus, TestIdentity};
use scb_transport::{Clock, ClockFn, SystemClock};
use tokio::runtime::Runtime;

use crate::servers::{Desk, Fault, serve_blackboard, serve_cuhk};

/// Three students, two servers, one directory.
pub(crate) struct Campus {
    pub(crate) desk: Arc<Desk>,
    pub(crate) cuhk: String,
    pub(crate) blackboard: String,
    pub(crate) dir: tempfile::TempDir,
    /// Dropped with the campus: the servers stop.
    _runtime: Runtime,
}

pub(crate) const THREE: [&str; 3] = ["1155000001", "1155000002", "1155000003"];

impl Campus {
    pub(crate) fn new() -> Self {
        Self::with_cuhk(|campus| campus.service("cuhk"))
    }

    /// With another identity where CUHK should be.
    pub(crate) fn with_cuhk(identity: impl FnOnce(&TestCampus) -> TestIdentity) -> Self {
        install_crypto();
        let runtime = Runtime::new().unwrap();
        let campus = TestCampus::with_clock(FixedClock::new(SystemClock.now()));
        let cuhk_identity = identity(&campus);
        let desk = Arc::new(Desk::new(campus));
        let cuhk = runtime.block_on(serve_cuhk(&desk, &cuhk_identity));
        let blackboard = runtime.block_on(serve_blackboard(&desk));
        let dir = tempfile::tempdir().unwrap();
        let root = desk.campus.root().certificate().to_pem();
        std::fs::write(dir.path().join("ca.pem"), root).unwrap();
        Self {
            desk,
            cuhk: cuhk.to_string(),
            blackboard: blackboard.to_string(),
            dir,
            _runtime: runtime,
        }
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(ClockFn(self.desk.campus.clock().reader()))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn home(&self) -> StudentHome {
        StudentHome::create(&self.path("home")).unwrap()
    }

    /// A command line with this campus' home and servers unless it names its own; `CA` stands
    /// for the root's file.
    pub(crate) fn line(&self, arguments: &str) -> Cli {
        let defaults = [
            ("--home", self.path("home").display().to_string()),
            ("--cuhk", self.cuhk.clone()),
            ("--blackboard", self.blackboard.clone()),
        ];
        let mut line = format!("student {arguments}");
        for (flag, value) in defaults {
            if !arguments.contains(flag) {
                line += &format!(" {flag} {value}");
            }
        }
        let ca = self.path("ca.pem").display().to_string();
        Cli::try_parse_from(
            line.replace("--ca CA", &format!("--ca {ca}"))
                .split_whitespace(),
        )
        .unwrap()
    }

    /// The engine as this command line sets it up, with the campus' clock.
    pub(crate) fn try_engine(&self, arguments: &str) -> Result<Engine, Error> {
        self.try_engine_at(arguments, self.clock())
    }

    /// The engine with the home's clock at another time.
    pub(crate) fn engine_at(&self, clock: &FixedClock) -> Engine {
        let clock = Arc::new(ClockFn(clock.reader()));
        self.try_engine_at("--ca CA", clock).unwrap()
    }

    fn try_engine_at(&self, arguments: &str, clock: Arc<dyn Clock>) -> Result<Engine, Error> {
        let cli = self.line(arguments);
        let codes = Codes::new(&cli.common, Term::plain())?;
        let setup = Setup::new(&cli.common, codes.sheet())?;
        let passphrases = Passphrases::new(cli.common.passphrase_file.clone());
        Engine::with_clock(setup, passphrases, clock)
    }

    pub(crate) fn engine(&self) -> Engine {
        self.try_engine("--ca CA").unwrap()
    }

    /// Fresh codes for these students, known to CUHK.
    pub(crate) fn codes(&self, ids: &[&str]) -> Vec<(StudentId, EnrolmentCode)> {
        ids.iter().map(|id| (sid(id), self.desk.code(id))).collect()
    }

    /// Enrols these students from this campus' home.
    pub(crate) fn enrol(&self, ids: &[&str]) -> (Result<(), Error>, Vec<Event>) {
        enrol(&mut self.engine(), self.codes(ids))
    }

    /// An engine whose students are enrolled.
    pub(crate) fn enrolled(&self, ids: &[&str]) -> Engine {
        let mut engine = self.engine();
        enrol(&mut engine, self.codes(ids)).0.unwrap();
        engine
    }

    /// The same for somebody who waits for nothing: what is interrupted stays interrupted.
    pub(crate) fn impatient(&self, ids: &[&str]) -> Engine {
        self.enrolled(ids).with_patience(Some(Duration::ZERO))
    }

    pub(crate) fn fail_once(&self, fault: Fault) {
        self.desk.fault.lock().unwrap().replace(fault);
    }
}

pub(crate) fn sid(text: &str) -> StudentId {
    text.parse().unwrap()
}

pub(crate) fn group(ids: &[&str]) -> Group {
    Group::new(ids.iter().map(|id| sid(id)).collect()).unwrap()
}

pub(crate) fn enrol(
    engine: &mut Engine,
    students: Vec<(StudentId, EnrolmentCode)>,
) -> (Result<(), Error>, Vec<Event>) {
    enrol_with(engine, students, &EnrolOptions::default())
}

/// As [`enrol`], also for students who have a certificate.
pub(crate) fn replace(
    engine: &mut Engine,
    students: Vec<(StudentId, EnrolmentCode)>,
) -> (Result<(), Error>, Vec<Event>) {
    let options = EnrolOptions {
        replace: students.iter().map(|(sid, _)| sid.clone()).collect(),
        ..EnrolOptions::default()
    };
    enrol_with(engine, students, &options)
}

fn enrol_with(
    engine: &mut Engine,
    students: Vec<(StudentId, EnrolmentCode)>,
    options: &EnrolOptions,
) -> (Result<(), Error>, Vec<Event>) {
    let mut events = Vec::new();
    let result = engine.enrol(students, options, &mut |event| events.push(event.clone()));
    (result, events)
}

/// Hands in `report` (or the text made from the IDs) for the course `SANDBOX`.
pub(crate) fn hand_in(
    engine: &mut Engine,
    ids: &[&str],
    report: Option<&Path>,
) -> (Result<KeptReceipt, Error>, Vec<Event>) {
    hand_in_for(engine, ids, report, "SANDBOX", &mut |_| {})
}

pub(crate) fn hand_in_for(
    engine: &mut Engine,
    ids: &[&str],
    report: Option<&Path>,
    course: &str,
    watch: &mut dyn FnMut(&Event),
) -> (Result<KeptReceipt, Error>, Vec<Event>) {
    hand_in_to(engine, ids, report, [Some(course), Some("lab")], watch)
}

/// Hands in the text made from the IDs, without saying for what.
pub(crate) fn hand_in_what_is_open(
    engine: &mut Engine,
    ids: &[&str],
) -> (Result<KeptReceipt, Error>, Vec<Event>) {
    hand_in_to(engine, ids, None, [None, None], &mut |_| {})
}

fn hand_in_to(
    engine: &mut Engine,
    ids: &[&str],
    report: Option<&Path>,
    [course, assignment]: [Option<&str>; 2],
    watch: &mut dyn FnMut(&Event),
) -> (Result<KeptReceipt, Error>, Vec<Event>) {
    let group = group(ids);
    let mut events = Vec::new();
    let label = |name: &str| name.parse().unwrap();
    let chosen = Selection::choose(report.map(Path::to_owned).as_slice(), Some(&group)).unwrap();
    let mut report = chosen.hash().unwrap();
    let hand_in = HandIn::new(&mut report, course.map(label), assignment.map(label));
    let result = engine.hand_in(&group, hand_in, &mut |event| {
        watch(event);
        events.push(event.clone());
    });
    (result, events)
}

/// The code of the refusal that this ended with.
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> &'static str {
    let error = result.unwrap_err();
    match error.refusals() {
        [refusal, ..] => refusal.code.as_str(),
        [] => panic!("not a refusal: {error:?}"),
    }
}

/// The events as log lines.
pub(crate) fn told(events: &[Event]) -> Vec<String> {
    let line = |event: &Event| match event {
        Event::Step(event) => event.to_string(),
        Event::GoingOn { have, .. } => format!("going on after {have}"),
        Event::Sending { sent, total } => format!("sending {sent} of {total}"),
        Event::RejectionKept { .. } => "rejection kept".to_owned(),
        Event::CommitmentBroken { .. } => "commitment broken".to_owned(),
        Event::KeptBeside { .. } => "kept beside".to_owned(),
        Event::RulesContradicted { .. } => "rules contradicted".to_owned(),
        Event::GivenUp { submission } => format!("given up {submission}"),
        Event::ProposedAnew { submission } => format!("proposed anew {submission}"),
        Event::StillStands { submission, .. } => format!("still stands {submission}"),
        Event::WillBeLate { .. } => "will be late".to_owned(),
        Event::NotListed { assignment, .. } => format!("not listed {assignment}"),
        Event::LeftOut { sid, code } => format!("left out {sid} {code}"),
        Event::Waiting { step, left, .. } => format!("step {step} waiting {left}"),
        Event::Interrupted { code } => format!("interrupted {code}"),
        Event::HomeBusy { .. } => "home busy".to_owned(),
        Event::NotRenewed {
            sid, code, until, ..
        } => {
            let code = code.map_or("-", |code| code.as_str());
            let good = if until.is_some() { "good" } else { "ended" };
            format!("step 2 sid={sid} not renewed {code} {good}")
        }
    };
    events.iter().map(line).collect()
}
