//! `kill -9` while a certificate is renewed, of the student's program or of CUHK: key and
//! certificate always fit, and the student goes on with one device.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use scb_certs::{Chain, Fingerprint, SigningKey};

use crate::campus::{Campus, Ran, Server, serve_at};
use crate::class::Class;
use crate::process::{count, random};

/// How long a repeated command may be told to come back later.
const PATIENCE: Duration = Duration::from_secs(30);

/// A campus, and how long one renewal takes there when nothing is killed.
struct Siege {
    campus: Campus,
    class: Class,
    undisturbed: u64,
}

/// A student who has enrolled.
struct Student {
    sid: String,
    home: PathBuf,
}

impl Siege {
    fn of(rounds: usize) -> Self {
        let campus = Campus::sandbox();
        let class = Class::of(&campus, rounds + 1);
        let mut siege = Self {
            campus,
            class,
            undisturbed: 0,
        };
        let student = siege.enrolled();
        let begun = Instant::now();
        siege.run(&student, &["renew", "--json"]).succeeded();
        siege.undisturbed = u64::try_from(begun.elapsed().as_micros()).unwrap();
        siege
    }

    fn enrolled(&self) -> Student {
        let sid = self.class.next_ids(1);
        let home = self.campus.outside().join(format!("home-{sid}"));
        let student = Student { sid, home };
        let enrol = ["enrol", "--ids", &student.sid, "--json"];
        self.run(&student, &enrol).succeeded();
        student
    }

    fn run(&self, student: &Student, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.class.student(student.home.clone(), arguments))
    }

    /// Renews, and is killed at some moment; tells whether that came too late.
    fn renew_killed(&self, student: &Student) -> bool {
        let mut command = self
            .class
            .student(student.home.clone(), &["renew", "--json"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        sleep(Duration::from_micros(random(self.undisturbed)));
        child.kill().unwrap();
        child.wait().unwrap().success()
    }

    fn kill_and_restart_cuhk(&mut self) {
        let arguments = serve_at(&self.campus.path(), &self.class.cuhk);
        self.campus.cuhk.kill();
        self.campus.cuhk = Server::start("cuhk", &arguments);
    }

    /// The same command again, until it is done or refused.
    fn repeat(&self, student: &Student, arguments: &[&str]) -> Ran {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ran = self.run(student, arguments);
            if ran.exit != Some(4) || Instant::now() > deadline {
                return ran;
            }
        }
    }

    /// Whatever was interrupted: what is there fits, the same command finishes it, and CUHK and
    /// the student agree on what counts.
    fn goes_on(&self, student: &Student) {
        let status = self.run(student, &["status", "--json"]).succeeded().json();
        let known = &status["students"][0];
        assert_eq!(known["sid"], *student.sid, "{status}");
        assert_eq!(known["certificate_good"], true, "{status}");
        self.repeat(student, &["renew", "--json"]).succeeded();
        let own = fitting(&student.directory());

        let listed = ["certs", "list", student.sid.as_str(), "--json"];
        let listed = self.campus.administer_cuhk(&listed).succeeded().json();
        let listed = listed.as_array().unwrap();
        let live: Vec<_> = listed.iter().filter(|one| one["state"] == "live").collect();
        let [live] = live[..] else {
            panic!("{listed:#?}");
        };
        assert_eq!(live["sha256"], own.to_string(), "{listed:#?}");
        assert_eq!(live["live_devices"], 1);
        let replaced = listed.iter().filter(|one| one["state"] == "replaced");
        assert_eq!(replaced.count(), listed.len() - 1, "{listed:#?}");

        let submit = [
            "submit",
            "--ids",
            &student.sid,
            "--json",
            self.class.report(),
        ];
        self.repeat(student, &submit).succeeded();
        let left = fs::read_dir(student.home.join("students")).unwrap();
        assert_eq!(left.count(), 1, "nothing is left lying about");
    }
}

impl Student {
    fn directory(&self) -> PathBuf {
        self.home.join("students").join(&self.sid)
    }
}

/// The certificate in a directory, which is for the key there.
fn fitting(directory: &Path) -> Fingerprint {
    let read = |file: &str| fs::read_to_string(directory.join(file)).unwrap();
    let chain = Chain::from_pem(&read("chain.pem")).unwrap();
    let key = SigningKey::from_pem(&read("key.pem"), None).unwrap();
    let certified = chain.leaf().public_key().unwrap();
    assert_eq!(certified, *key.public_key(), "key and certificate");
    chain.leaf().fingerprint()
}

#[test]
fn a_renewal_that_is_killed_is_finished_by_the_next_command() {
    let rounds = count("SCB_KILLS", 4) * 3;
    let siege = Siege::of(rounds);
    let mut late = 0;
    for _ in 0..rounds {
        let student = siege.enrolled();
        late += usize::from(siege.renew_killed(&student));
        siege.goes_on(&student);
    }
    println!("{rounds} renewals killed, {late} of them after they were done");
}

/// Between two renames neither the certificate before nor the next one is in its place.
#[test]
fn a_student_whose_renewal_was_killed_half_way_is_found_by_every_command() {
    let siege = Siege::of(2);
    for which in ["status", "audit"] {
        let student = siege.enrolled();
        let place = student.directory();
        let beside = |name: &str| place.with_file_name(format!(".{name}-{}", student.sid));
        let before = siege
            .campus
            .outside()
            .join(format!("before-{}", student.sid));
        fs::create_dir(&before).unwrap();
        for file in ["key.pem", "chain.pem"] {
            fs::copy(place.join(file), before.join(file)).unwrap();
        }
        siege.run(&student, &["renew", "--json"]).succeeded();
        let renewed = fitting(&place);
        fs::rename(&place, beside("renew")).unwrap();
        fs::rename(&before, beside("old")).unwrap();

        let told = siege.run(&student, &[which, "--json"]).succeeded().stdout;
        assert!(told.contains(&student.sid), "{told}");
        assert_eq!(fitting(&place), renewed, "the next one is in its place");
        siege.goes_on(&student);
    }
}

#[test]
fn a_renewal_survives_the_kill_of_cuhk() {
    let rounds = count("SCB_KILLS", 4);
    let mut siege = Siege::of(rounds);
    let mut interrupted = 0;
    for _ in 0..rounds {
        let student = siege.enrolled();
        let mut command = siege
            .class
            .student(student.home.clone(), &["renew", "--json"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut renewing = command.spawn().unwrap();
        sleep(Duration::from_micros(random(siege.undisturbed)));
        siege.kill_and_restart_cuhk();
        let exit = renewing.wait().unwrap().code();
        assert!(matches!(exit, Some(0 | 4)), "done, or try again: {exit:?}");
        interrupted += usize::from(exit == Some(4));
        siege.goes_on(&student);
    }
    println!("CUHK killed {rounds} times, {interrupted} renewals interrupted");
}
