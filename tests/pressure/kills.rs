//! `kill -9` at any moment, under load.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use tokio::task::block_in_place;

use crate::campus::{Campus, Ran, Server, serve, serve_at};
use crate::class::Class;
use crate::ledger::{Ledger, one_certificate_each};
use crate::process::{count, random, waited_for_others};
use crate::proxy::{Fault, Proxy, Way};

/// Groups at work in each round, each a `student` process with a home of its own.
const GROUPS: usize = 3;
/// Members of each.
const MEMBERS: usize = 2;
/// Bytes of each report: enough for many chunks, so that some are killed amid them.
const REPORT: usize = 256 << 10;
/// Rounds after which it is taken anew how long a command takes undisturbed: others may have more or
/// less of the processors by then, and the kills would all come too early.
const ANEW: usize = 10;
/// From so many kills of Blackboard on, some must have come between storing and telling.
const MANY: usize = 50;
/// How long a repeated command may be told to come back later.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a server that was killed may take until it is ready again, not counting the time for which others,
/// such as the load of these tests, have the processors.
const READY: Duration = Duration::from_secs(2);
/// Where it takes longer than a second after an orderly stop, too: how much more than that.
const MORE: Duration = Duration::from_secs(1);

/// Which server is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Victim {
    Cuhk,
    Blackboard,
}

/// A campus whose servers are killed again and again.
struct Siege {
    campus: Campus,
    class: Class,
    victim: Victim,
    ledger: Ledger,
    enrolled: BTreeSet<String>,
    interrupted: usize,
    /// Commands that had not ended when the kill came though their work was stored, in every other
    /// round: in the rest nobody has looked into the database before the server starts again.
    stored_already: usize,
    ready: Vec<Duration>,
    /// The same as a clock on the wall sees it.
    ready_on_the_wall: Vec<Duration>,
}

impl Siege {
    fn of(victim: Victim, rounds: usize) -> Self {
        let campus = Campus::sandbox();
        let warm_ups = rounds.div_ceil(ANEW);
        let class = Class::of(&campus, (rounds + warm_ups) * GROUPS * MEMBERS);
        Self::with(campus, class, victim)
    }

    fn with(campus: Campus, class: Class, victim: Victim) -> Self {
        Self {
            campus,
            class,
            victim,
            ledger: Ledger::default(),
            enrolled: BTreeSet::new(),
            interrupted: 0,
            stored_already: 0,
            ready: Vec::new(),
            ready_on_the_wall: Vec::new(),
        }
    }

    /// New groups, each about to enrol and to hand in, in one command.
    fn groups(&mut self, number: usize) -> Vec<Group> {
        let mut groups = Vec::new();
        for _ in 0..number {
            let ids = self.class.next_ids(MEMBERS);
            self.enrolled.extend(ids.split(',').map(str::to_owned));
            let home = self.campus.outside().join(format!("home-{ids}"));
            let report = self.campus.outside().join(format!("{ids}.bin"));
            let seed = ids.as_bytes().iter().cycle().copied();
            fs::write(&report, seed.take(REPORT).collect::<Vec<u8>>()).unwrap();
            groups.push(Group { home, ids, report });
        }
        groups
    }

    /// All groups at once, undisturbed; returns how long that takes.
    fn warm_up(&mut self) -> Duration {
        let groups = self.groups(GROUPS);
        let begun = Instant::now();
        let ran = all_at_once(self.commands(&groups), &AtomicUsize::new(0), || {});
        let took = begun.elapsed();
        for ran in ran {
            self.ledger.note(&ran.succeeded());
        }
        took
    }

    /// All groups at once, and the victim is killed `after` they began, and started again.
    /// Whatever was interrupted is repeated until it is done.
    fn round(&mut self, after: Duration) {
        let groups = self.groups(GROUPS);
        let commands = self.commands(&groups);
        let ended = AtomicUsize::new(0);
        let ran = all_at_once(commands, &ended, || {
            sleep(after);
            let told = self.ledger.len() + ended.load(Ordering::SeqCst);
            self.victim().kill();
            if self.ready.len() % 2 == 1 {
                self.stored_already += self.campus.submissions().len().saturating_sub(told);
            }
            self.restart();
        });
        // What was acknowledged before the kill is there after it, before anything is repeated.
        for ran in ran.iter().filter(|ran| ran.exit == Some(0)) {
            self.ledger.note(ran);
        }
        self.ledger.is_kept_by(&self.campus);
        for (group, ran) in groups.iter().zip(ran) {
            if ran.exit != Some(0) {
                self.interrupted += 1;
                assert_eq!(ran.exit, Some(4), "try again later, not: {ran:#?}");
                let done = self.repeat(group);
                self.ledger.note(&done);
            }
        }
    }

    fn commands(&self, groups: &[Group]) -> Vec<Command> {
        let command = |group: &Group| group.command(&self.class);
        groups.iter().map(command).collect()
    }

    fn victim(&mut self) -> &mut Server {
        match self.victim {
            Victim::Cuhk => &mut self.campus.cuhk,
            Victim::Blackboard => &mut self.campus.blackboard,
        }
    }

    fn kill_and_restart(&mut self) {
        self.victim().kill();
        self.restart();
    }

    /// How long the same server takes until it is ready after an orderly stop, on this machine now: the median
    /// of three.
    fn orderly(&mut self) -> Duration {
        let mut times = [(); 3].map(|()| {
            self.victim().stop();
            self.start().0
        });
        times.sort();
        times[1]
    }

    fn restart(&mut self) {
        let (ready, on_the_wall) = self.start();
        self.ready.push(ready);
        self.ready_on_the_wall.push(on_the_wall);
    }

    /// Starts the victim, which has ended, on the same port; how long that takes without the time for which others
    /// have the processors, and with it.
    fn start(&mut self) -> (Duration, Duration) {
        let sandbox = self.campus.path();
        let name = match self.victim {
            Victim::Cuhk => "cuhk",
            Victim::Blackboard => "blackboard",
        };
        let server = self.victim();
        let arguments = serve_at(&sandbox, &server.address());
        let begun = Instant::now();
        *server = Server::start(name, &arguments);
        let took = begun.elapsed();
        let waited = waited_for_others(server);
        (took.saturating_sub(waited), took)
    }

    /// A group's command, through a proxy before each server.
    fn through(&self, group: &Group, [cuhk, blackboard]: [&Proxy; 2]) -> Ran {
        let mut command = group.command(&self.class);
        command.args(["--cuhk", &cuhk.address]);
        command.args(["--blackboard", &blackboard.address, "--wait", "0"]);
        block_in_place(|| Ran::of(&mut command))
    }

    /// The same command again, as a person would type it.
    fn repeat(&self, group: &Group) -> Ran {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ran = Ran::of(&mut group.command(&self.class));
            match ran.exit {
                Some(0) => return ran,
                Some(4) if Instant::now() < deadline => {}
                _ => panic!("{ran:#?}"),
            }
        }
    }
}

struct Group {
    home: PathBuf,
    ids: String,
    report: PathBuf,
}

impl Group {
    fn command(&self, class: &Class) -> Command {
        let report = self.report.to_str().unwrap();
        let words = ["submit", "--ids", &self.ids, report, "--json"];
        class.student(self.home.clone(), &words)
    }
}

/// Runs all commands at once to their ends, counting those that have `ended`, and `meanwhile`
/// beside them.
fn all_at_once(commands: Vec<Command>, ended: &AtomicUsize, meanwhile: impl FnOnce()) -> Vec<Ran> {
    let run = |mut command: Command| {
        let ran = Ran::of(&mut command);
        ended.fetch_add(1, Ordering::SeqCst);
        ran
    };
    scope(|scope| {
        let running: Vec<_> = commands
            .into_iter()
            .map(|command| scope.spawn(move || run(command)))
            .collect();
        meanwhile();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

fn survives(victim: Victim) {
    let kills = count("SCB_KILLS", 4);
    let mut siege = Siege::of(victim, kills);
    let mut undisturbed = Duration::ZERO;
    for round in 0..kills {
        if round % ANEW == 0 {
            undisturbed = siege.warm_up();
        }
        let micros = u64::try_from(undisturbed.as_micros()).unwrap();
        siege.round(Duration::from_micros(random(micros)));
    }
    assert_eq!(siege.ledger.len(), (kills + kills.div_ceil(ANEW)) * GROUPS);
    siege.ledger.is_all_of(&siege.campus);
    one_certificate_each(&siege.campus, &siege.enrolled);
    siege.campus.administer_blackboard(&["fsck"]).succeeded();
    let orderly = siege.orderly();
    let [ready, wall] = [&siege.ready, &siege.ready_on_the_wall].map(|times| {
        let mut times = times.clone();
        times.sort();
        (times[kills / 2], times[kills - 1])
    });
    println!(
        "{victim:?}: {kills} kills, {} of {} commands interrupted, and all finished by repeating \
         them; {} (in half of the rounds) had not ended though their work was stored; ready \
         again after {:.0?} (median), {:.0?} (longest), with the time that others had the processors {:.0?} and \
         {:.0?}; after an orderly stop after {orderly:.0?}",
        siege.interrupted,
        kills * GROUPS,
        siege.stored_already,
        ready.0,
        ready.1,
        wall.0,
        wall.1,
    );
    if victim == Victim::Blackboard && kills >= MANY {
        assert_ne!(siege.stored_already, 0, "no kill came late enough");
    }
    assert!(
        ready.1 < READY.max(orderly + MORE),
        "ready again after {:?}, and after an orderly stop {orderly:?}",
        siege.ready
    );
}

#[test]
fn what_cuhk_acknowledged_survives_its_kill() {
    survives(Victim::Cuhk);
}

#[test]
fn what_blackboard_acknowledged_survives_its_kill() {
    survives(Victim::Blackboard);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_a_kill_swallowed_is_given_again() {
    let campus = Campus::sandbox();
    let class = Class::of(&campus, 4);
    let mut siege = Siege::with(campus, class, Victim::Cuhk);
    let groups = siege.groups(2);
    let servers = [siege.class.cuhk.clone(), siege.class.blackboard.clone()];
    let whole = [
        Proxy::before(&servers[0], Fault::None).await,
        Proxy::before(&servers[1], Fault::None).await,
    ];
    let first = siege
        .through(&groups[0], [&whole[0], &whole[1]])
        .succeeded();
    // Everything is done then, and the end of the last answer is all that is missing.
    let cut = |proxy: &Proxy| Fault::Cut(Way::Down, proxy.passed(Way::Down) - 1000);
    let cut = [
        Proxy::before(&servers[0], cut(&whole[0])).await,
        Proxy::before(&servers[1], cut(&whole[1])).await,
    ];
    let enrolling = siege.through(&groups[1], [&cut[0], &whole[1]]);
    assert_eq!(enrolling.exit, Some(4), "{enrolling:#?}");
    siege.kill_and_restart();
    siege.victim = Victim::Blackboard;
    let handing_in = siege.through(&groups[1], [&whole[0], &cut[1]]);
    assert_eq!(handing_in.exit, Some(4), "{handing_in:#?}");
    siege.kill_and_restart();
    assert_eq!(
        siege.campus.submissions().len(),
        2,
        "stored, though not told"
    );

    siege.ledger.note(&first);
    let second = block_in_place(|| siege.repeat(&groups[1]));
    siege.ledger.note(&second);
    siege.ledger.is_all_of(&siege.campus);
    one_certificate_each(&siege.campus, &siege.enrolled);
}

#[test]
fn a_first_start_that_is_killed_is_finished_by_the_next() {
    let rounds = count("SCB_KILLS", 4).div_ceil(2);
    let dir = tempfile::tempdir().unwrap();
    let sandbox = dir.path().join("whole");
    let begun = Instant::now();
    let cuhk = Server::start("cuhk", &serve(&sandbox));
    let cuhk_takes = begun.elapsed();
    let begun = Instant::now();
    drop(Server::start("blackboard", &serve(&sandbox)));
    let blackboard_takes = begun.elapsed();
    drop(cuhk);
    for round in 0..rounds {
        let sandbox = dir.path().join(format!("killed-{round}"));
        kill_while_starting("cuhk", &sandbox, cuhk_takes);
        let cuhk = Server::start("cuhk", &serve(&sandbox));
        kill_while_starting("blackboard", &sandbox, blackboard_takes);
        let blackboard = Server::start("blackboard", &serve(&sandbox));
        let campus = Campus::of(sandbox, cuhk, blackboard);
        campus.student(&["submit"]).succeeded();
    }
}

fn kill_while_starting(name: &str, sandbox: &std::path::Path, takes: Duration) {
    let mut command = crate::campus::program(name);
    command.args(serve(sandbox));
    command.stdout(std::process::Stdio::null());
    command.stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    let micros = u64::try_from(takes.as_micros()).unwrap();
    sleep(Duration::from_micros(random(micros)));
    child.kill().unwrap();
    child.wait().unwrap();
}
