//! Blackboard is killed between two certain stages of a hand-in: nothing acknowledged is lost, and the same command
//! ends it.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::campus::{Campus, Ran, Server, program, serve_at, version};
use crate::disk::submit_with;
use crate::fsync::shim;
use crate::ledger::Ledger;
use crate::process::files_below;

/// While there is a file `STAGE` with an operation and a text, the process is killed before the first such
/// operation: `rename` to a path, or `write` of bytes into the database's log, that hold this text.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>
static int is_wanted(const char *operation, char *text) {
    char wanted[16];
    FILE *file = fopen(getenv("STAGE"), "r");
    if (!file) return 0;
    int found = fscanf(file, "%15s %255s", wanted, text);
    fclose(file);
    return found == 2 && !strcmp(operation, wanted);
}
static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}
static void look(int fd, const void *bytes, size_t count) {
    char text[256], link[64], path[4096];
    if (!is_wanted("write", text) || !memmem(bytes, count, text, strlen(text))) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return;
    path[n] = 0;
    if (strstr(path, "blackboard.db-wal")) die();
}
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
int rename(const char *from, const char *to) {
    char text[256];
    if (is_wanted("rename", text) && strstr(to, text)) die();
    return REAL(rename)(from, to);
}
ssize_t write(int fd, const void *bytes, size_t count) {
    look(fd, bytes, count);
    return REAL(write)(fd, bytes, count);
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    look(fd, bytes, count);
    return REAL(pwrite)(fd, bytes, count, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    look(fd, bytes, count);
    return REAL(pwrite64)(fd, bytes, count, at);
}
"#;

/// What has been done when Blackboard is killed, and what it was about to do.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// The files have come; they are not under their names yet.
    Come,
    /// Entered in the database; the tiles do not have it.
    Entered,
    /// In the tiles, and recorded as such; no checkpoint says so.
    Tiled,
    /// CUHK has cosigned; the proof is not kept.
    Cosigned,
}

const STAGES: [Stage; 4] = [Stage::Come, Stage::Entered, Stage::Tiled, Stage::Cosigned];

impl Stage {
    fn before(self) -> &'static str {
        match self {
            Self::Come => "rename /content/",
            Self::Entered => "rename /tile/",
            Self::Tiled => "rename /checkpoint",
            Self::Cosigned => "write c2sp.org/tlog-proof@v1",
        }
    }
}

/// A campus whose Blackboard dies where it is wanted.
struct Scene {
    campus: Campus,
    dir: TempDir,
    shim: PathBuf,
    ledger: Ledger,
}

/// How far it is: entries in the database, in the tiles, under the checkpoint; proofs that are kept.
#[derive(Debug)]
struct Far {
    entered: u32,
    tiled: u32,
    published: u32,
    stored: u32,
    proved: u32,
}

impl Scene {
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let shim = shim(dir.path(), SHIM)?;
        let campus = Campus::sandbox();
        let mut scene = Self {
            campus,
            dir,
            shim,
            ledger: Ledger::default(),
        };
        scene.campus.blackboard.stop();
        scene.start();
        Some(scene)
    }

    /// Blackboard, mortal again.
    fn start(&mut self) {
        let mut mortal = program("blackboard");
        mortal.args(serve_at(
            &self.campus.path(),
            &self.campus.blackboard.address(),
        ));
        mortal.env("LD_PRELOAD", &self.shim);
        mortal.env("STAGE", self.dir.path().join("stage"));
        self.campus.blackboard = Server::start_command(&mut mortal);
    }

    /// Blackboard dies there, and this command is told of no success.
    #[track_caller]
    fn dies(&mut self, stage: Stage, command: impl Fn(&Campus) -> Ran) {
        let file = self.dir.path().join("stage");
        fs::write(&file, stage.before()).unwrap();
        let lost = command(&self.campus);
        assert_eq!(lost.exit, Some(4), "{stage:?}: {lost:#?}");
        let killed = self.campus.blackboard.wait().signal();
        assert_eq!(killed, Some(9), "{stage:?}");
        fs::remove_file(file).unwrap();
        let far = self.far();
        println!("{stage:?}: {far:?}");
        let acknowledged = self.ledger.len() as u32;
        match stage {
            Stage::Come => assert_eq!(far.stored, acknowledged),
            Stage::Entered => assert!(far.entered > far.tiled, "{far:?}"),
            Stage::Tiled => assert!(far.tiled > far.published, "{far:?}"),
            Stage::Cosigned => {
                assert_eq!((far.published, far.tiled), (far.entered, far.entered));
                assert_eq!((far.stored, far.proved), (acknowledged + 1, acknowledged));
            }
        }
        self.start();
        self.ledger.is_kept_by(&self.campus);
    }

    /// The same command again, which ends it.
    #[track_caller]
    fn ends(&mut self, ran: Ran) {
        self.ledger.note(&ran.succeeded());
        self.ledger.is_all_of(&self.campus);
        self.campus.administer_blackboard(&["fsck"]).succeeded();
    }

    fn far(&self) -> Far {
        let home = self.campus.path().join("blackboard");
        // A copy: whoever opens what a kill has left, mends it.
        let copy = tempfile::tempdir().unwrap();
        for name in ["blackboard.db", "blackboard.db-wal"] {
            if home.join(name).exists() {
                fs::copy(home.join(name), copy.path().join(name)).unwrap();
            }
        }
        let database = rusqlite::Connection::open(copy.path().join("blackboard.db")).unwrap();
        let count = |sql: &str| database.query_one(sql, [], |row| row.get(0)).unwrap();
        let logs = home.join("logs");
        Far {
            entered: count("SELECT count(*) FROM log_entries"),
            tiled: number_in(&found(&logs, "head")),
            published: number_in(&found(&logs, "checkpoint")),
            stored: count("SELECT count(*) FROM submissions"),
            proved: count("SELECT count(*) FROM proofs"),
        }
    }
}

/// The one file of this name below a folder.
fn found(below: &Path, name: &str) -> PathBuf {
    let is_it = |path: &PathBuf| path.file_name() == Some(name.as_ref());
    let mut files = files_below(below).into_iter().filter(is_it);
    files.next().unwrap()
}

/// The first line that is a number.
fn number_in(path: &Path) -> u32 {
    let text = fs::read_to_string(path).unwrap();
    let number = text.lines().find_map(|line| line.parse().ok());
    number.unwrap_or_else(|| panic!("{}: {text}", path.display()))
}

#[test]
fn killed_between_any_two_stages_of_a_hand_in_nothing_is_lost_and_the_same_command_ends_it() {
    let Some(mut scene) = Scene::new() else {
        return;
    };
    let before = submit_with(&scene.campus, "before", &[]).succeeded();
    scene.ledger.note(&before);
    for stage in STAGES {
        let text = format!("{stage:?}");
        scene.dies(stage, |campus| submit_with(campus, &text, &["--wait", "0"]));
        let again = submit_with(&scene.campus, &text, &[]);
        scene.ends(again);
    }
}

const ONE: &str = "1155000001";
const LAST: &str = "1155000002";

#[test]
fn killed_while_the_last_cosigner_completes_it_his_signature_stays_and_all_get_the_receipt() {
    let Some(mut scene) = Scene::new() else {
        return;
    };
    let homes = [ONE, LAST].map(|sid| scene.campus.outside().join(sid));
    let codes = scene.campus.path().join("codes.csv");
    for (sid, home) in [ONE, LAST].iter().zip(&homes) {
        let enrol = ["enrol", "--ids", sid, "--codes", codes.to_str().unwrap()];
        scene.campus.student_elsewhere(home, &enrol).succeeded();
    }
    for stage in STAGES {
        let report = version(scene.campus.outside());
        let submit = ["submit", "--ids", ONE, "--with", LAST, &report, "--json"];
        let proposed = scene.campus.student_elsewhere(&homes[0], &submit);
        let id = proposed.succeeded().json()["submission_id"].clone();
        let sign = ["cosign", "--yes", id.as_str().unwrap(), "--json"];
        scene.dies(stage, |campus| campus.student_elsewhere(&homes[1], &sign));

        let again = scene.campus.student_elsewhere(&homes[1], &sign);
        let number = again.json()["submission"].clone();
        scene.ends(again);
        let first = scene.campus.student_elsewhere(&homes[0], &submit);
        assert_eq!(first.succeeded().json()["submission"], number);
        let name = format!("receipts/{}.zip", number.as_str().unwrap());
        let receipts = homes
            .each_ref()
            .map(|home| fs::read(home.join(&name)).unwrap());
        assert!(receipts[0] == receipts[1], "{stage:?}: another receipt");
    }
}
