//! The days for which the page has commands that are only indented: each is made, and they are typed at a terminal.

use super::page::{boxes, indented};
use super::typist::Typist;
use crate::campus::{Ran, can_mount, judge, on_small_disk};
use crate::put_back::record_ahead;

const HAND_IN: &str = "student submit --ids 1155000001,1155000002,1155000003 \
    --course CSCI3100 --assignment lab-1";
const BLACKBOARD: &str = "runuser -u blackboard -- blackboard --home /var/lib/blackboard/home";
/// The number that the page has as an example.
const NUMBER: &str = "1864518512819241";

/// On the first day of term.
fn term_begins() -> Typist {
    let typist = Typist::of(indented());
    let first = ["Install", "First day of term"];
    for one in boxes() {
        if first.contains(&one.heading.as_str()) {
            typist.does(&one.text);
        }
    }
    typist
}

#[test]
fn what_is_only_indented_is_typed_on_the_day_that_it_is_for() {
    if judge("curl").is_none() {
        return;
    }
    let mut days = term_begins();
    an_old_copy_of_blackboard_is_put_back(&mut days);
    the_disk_is_full(&mut days);
    an_old_backup_of_cuhk_is_put_back_without_its_log(&mut days);
    there_is_another_root_and_its_key_is_elsewhere(&mut days);
    assert!(days.left.is_empty(), "nobody has typed {:#?}", days.left);
}

/// What was handed in since comes back by its receipt.
fn an_old_copy_of_blackboard_is_put_back(days: &mut Typist) {
    let copy = boxes()
        .into_iter()
        .find(|one| one.text.contains("home.copy"));
    days.does(&copy.unwrap().text);
    days.does(
        "mkdir src; echo 'our second report' > report.pdf; echo 'fn main() {}' > src/main.rs",
    );
    days.does(&format!("{HAND_IN} report.pdf src"));
    // CUHK has seen all of it.
    days.machine.until(
        "curl -fsS http://127.0.0.1:8014/metrics | grep -cx 'blackboard_pending_receipts 0'",
    );
    days.does(
        "systemctl stop blackboard.service
         rm -r /var/lib/blackboard/home
         mv /var/lib/blackboard/home.copy /var/lib/blackboard/home",
    );
    days.is_refused("systemctl start blackboard.service", "log_behind");
    let told = days.is_refused(&format!("{BLACKBOARD} recover"), "recover --lose ");
    let (_, lose) = told.split_once("recover --lose ").unwrap();
    let lose: String = lose.chars().take_while(char::is_ascii_digit).collect();
    days.does(&format!("{BLACKBOARD} recover --lose {lose}"));
    days.does("systemctl start blackboard.service");
    assert_eq!(days.submissions(BLACKBOARD), 1);
    days.does(
        "install -m 0600 ~/.local/share/scb/student/receipts/S-000002.zip /var/lib/blackboard/S-000123.zip
         cp -r report.pdf src /var/lib/blackboard/",
    );
    let shown = days.types("recover --receipt", &[]);
    assert!(shown.contains("S-000002 is here again"), "{shown}");
    assert_eq!(days.submissions(BLACKBOARD), 2);
}

/// The reserve is of the same disk as the home, and is all that there is.
fn the_disk_is_full(days: &mut Typist) {
    let keep = days.next("fallocate ", &[]);
    let remove = days.next("rm /var/lib/blackboard/reserve", &[]);
    days.does("systemctl stop blackboard.service");
    let is_small = can_mount();
    let fill = match is_small {
        true => {
            "! cat /dev/zero > /var/lib/blackboard/filler
                 ! systemctl start blackboard.service"
        }
        // A disk that others need stays as it is.
        false => "",
    };
    let day = format!(
        "{keep}
         [ $(stat -c %s /var/lib/blackboard/reserve) = 67108864 ]
         {fill}
         {remove}
         [ ! -e /var/lib/blackboard/reserve ]"
    );
    let mut typed = days.machine.shell("set -euo pipefail", &day);
    if is_small {
        typed = on_small_disk(&days.machine.path("var/lib/blackboard"), "96m", &typed);
        days.machine.surrounds(&mut typed);
    }
    let ran = Ran::of(&mut typed).succeeded();
    assert!(!is_small || ran.stderr.contains("[disk_full]"), "{ran:#?}");
    days.does(
        "curl -fsS http://127.0.0.1:8014/readyz
         systemctl stop blackboard.service
         rm -f /var/lib/blackboard/reserve
         systemctl start blackboard.service",
    );
}

/// Blackboard has seen later lists, and more of the log. Somebody has enrolled since.
fn an_old_backup_of_cuhk_is_put_back_without_its_log(days: &mut Typist) {
    days.does(
        "echo '1155000004,Ho Ka Yan,ho@example.edu,CSCI' >> students.csv
         install -o cuhk -m 0600 students.csv /var/lib/cuhk/
         cuhk roster import /var/lib/cuhk/students.csv --codes-out /var/lib/cuhk/fourth.csv
         systemctl start cuhk-backup.service
         student --home fourth enrol --ids 1155000004 --codes /var/lib/cuhk/fourth.csv \
             --cuhk ca.example.edu:8011 --ca /var/lib/cuhk/home/ca.pem
         systemctl stop cuhk.service",
    );
    record_ahead(&days.machine.path("var/lib/cuhk/home"), "1155000004");
    days.does(&format!(
        "cuhk --clock-is-right prune
         systemctl start cuhk.service
         echo 'our third report' > report.pdf
         {HAND_IN} report.pdf --wait 20"
    ));
    days.machine.until(
        "curl -fsS http://127.0.0.1:8013/metrics | grep -c '^cuhk_log_uncosigned_entries{.*} 0$'",
    );
    days.does(
        "systemctl stop cuhk.service
         mv -T /var/lib/cuhk/home /var/lib/cuhk/home.old
         cuhk restore \"$(ls /var/lib/cuhk/backups/*.zip | tail -n 1)\"
         cuhk root sign-crl --root-passphrase-file /etc/scb/root.passphrase
         systemctl start cuhk.service",
    );

    let told = days.machine.until(
        "curl -sS http://127.0.0.1:8014/readyz | grep -o 'cuhk root sign-crl --beyond [0-9]*'",
    );
    let number = told.rsplit_once(' ').unwrap().1;
    days.types("root sign-crl --beyond", &[(NUMBER, number)]);
    days.machine.until("curl -fsS http://127.0.0.1:8014/readyz");

    let show = days.next("witness show", &[]);
    days.is_refused(&show, "[log_forked]");
    let (shown, ended) = days.machine.types(&show);
    assert_eq!(ended, Some(3), "{shown}");
    let (_, tree) = shown.split_once("accept-log --instead-of ").unwrap();
    let tree = tree.split('`').next().unwrap();
    let shown = days.types("witness accept-log", &[("TREE", tree)]);
    assert!(
        shown.contains("goes on with CUHK's log as it is now"),
        "{shown}"
    );
    days.does(&show);

    // Who enrolled has a code again, and another one instead; then also who may have renewed.
    days.types("--codes-out /var/lib/cuhk/again.csv", &[]);
    let has_code = |sheet: &str| {
        let sheet = days.reads(sheet);
        let sids = sheet.lines().skip(1).map(|line| line[..10].to_owned());
        sids.collect::<Vec<_>>()
    };
    assert_eq!(has_code("var/lib/cuhk/again.csv"), ["1155000004"]);
    days.types("--also-certified", &[]);
    let has_code = days.reads("var/lib/cuhk/certified.csv");
    for sid in ["1155000001", "1155000002", "1155000003"] {
        assert!(has_code.contains(sid), "{sid}: {has_code}");
    }
}

/// The keys of all roots leave the home, which asks for two signatures.
fn there_is_another_root_and_its_key_is_elsewhere(days: &mut Typist) {
    days.types("keys rotate root", &[]);
    days.does(
        "mkdir /var/lib/cuhk/safe
         cp -r /var/lib/cuhk/home/root /var/lib/cuhk/home/root-2 /var/lib/cuhk/safe/
         rm /var/lib/cuhk/home/root/key.pem /var/lib/cuhk/home/root-2/key.pem",
    );
    let sign = "cuhk root sign-crl --root-passphrase-file /etc/scb/root.passphrase";
    days.is_refused(sign, "[root_key_absent]");
    let (dir, new) = (
        ("DIR", "/var/lib/cuhk/safe/root-2"),
        ("NEW", "/var/lib/cuhk/safe/root-3"),
    );
    for (which, given) in [("lists", &[dir][..]), ("root", &[dir, new])] {
        days.types(&format!("keys request {which}"), &[]);
        let shown = days.types("keys sign-request", given);
        assert!(shown.contains("trusted root"), "{shown}");
        days.types("keys import", &[]);
    }
    let keys = days.does("cuhk keys list");
    assert!(keys.contains("root-3      active"), "{keys}");
    assert!(
        !days
            .machine
            .path("var/lib/cuhk/home/root-3/key.pem")
            .exists()
    );
}
