//! `cuhk doctor`, `cuhk certs list` with its filters, and `--print-config`: what an
//! administrator looks at, and what is said when something is wrong.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::campus::{ByHand, Campus, Ran, Server, program, serve, write_secret};

/// A sandbox's CUHK, which runs unless it is stopped.
struct Surgery {
    cuhk: Server,
    dir: tempfile::TempDir,
}

impl Surgery {
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cuhk = Server::start("cuhk", &serve(&dir.path().join("sandbox")));
        Self { cuhk, dir }
    }

    fn home(&self, name: &str) -> PathBuf {
        self.dir.path().join("sandbox/cuhk").join(name)
    }

    fn doctor(&self, arguments: &[&str]) -> Ran {
        let mut command = program("cuhk");
        command.arg("--home").arg(self.home("")).arg("doctor");
        Ran::of(command.args(arguments))
    }

    /// The findings with this outcome, after a look that ends with `exit`.
    fn findings(&self, exit: i32, outcome: &str) -> Vec<(String, String, String)> {
        let ran = self.doctor(&["--json"]);
        assert_eq!(ran.exit, Some(exit), "{ran:#?}");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let all = ran.json();
        let such = all.as_array().unwrap().iter();
        such.filter(|finding| finding["outcome"] == outcome)
            .map(|one| (text(&one["check"]), text(&one["seen"]), text(&one["mend"])))
            .collect()
    }

    fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.home(name), Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn a_healthy_home_has_nothing_wrong_with_it_while_it_serves() {
    let surgery = Surgery::open();
    let passphrase = surgery.dir.path().join("sandbox/cuhk.passphrase");
    let file = passphrase.to_str().unwrap();
    let flags = ["--passphrase-file", file, "--root-passphrase-file", file];
    let ran = surgery.doctor(&flags).succeeded();
    for check in [
        "authority-key",
        "passphrase",
        "clock",
        "revocation-list",
        "disk",
        "names",
        "database",
        "log",
        "log-key",
        "version",
    ] {
        assert!(ran.stdout.contains(&format!("ok    {check}")), "{ran:#?}");
    }
    assert!(ran.stdout.contains("it opens the root's key"), "{ran:#?}");
}

#[test]
fn keys_that_others_can_read_are_found_with_how_to_mend_it() {
    let surgery = Surgery::open();
    surgery.set_mode("issuers/students/key.pem", 0o644);
    surgery.set_mode("", 0o755);
    let failed = surgery.findings(5, "fail");
    let (check, seen, mend) = &failed[0];
    assert_eq!((failed.len(), check.as_str()), (1, "authority-key"));
    assert!(seen.contains("mode 644"), "{seen}");
    let key = surgery.home("issuers/students/key.pem");
    assert!(mend.starts_with(&format!("chmod 600 {}", key.display())));
    let (check, _, mend) = &surgery.findings(5, "warn")[0];
    assert_eq!(check, "directories");

    // What it says mends it.
    let mended = std::process::Command::new("sh").args(["-c", mend]).status();
    assert!(mended.unwrap().success());
    surgery.set_mode("issuers/students/key.pem", 0o600);
    assert_eq!(surgery.findings(0, "fail"), []);
}

#[test]
fn keys_that_took_the_place_of_others_are_looked_at_like_the_first_ones() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let root = ["--root-passphrase-file", "root.pass"];
    campus
        .cuhk(&[&["keys", "rotate", "root"][..], &root].concat())
        .succeeded();
    let students = [
        "keys",
        "rotate",
        "students",
        "--passphrase-file",
        "issuers.pass",
    ];
    campus.cuhk(&[&students[..], &root].concat()).succeeded();
    campus.cuhk(&["doctor"]).succeeded();

    let key = campus.path("cuhk.home/issuers/students-2/key.pem");
    for (name, file) in [
        ("students-2", &key),
        ("root-2", &campus.path("cuhk.home/root-2/key.pem")),
    ] {
        fs::set_permissions(file, Permissions::from_mode(0o666)).unwrap();
        let ran = campus.cuhk(&["doctor"]);
        assert_eq!(ran.exit, Some(5), "{ran:#?}");
        let told = ran
            .stdout
            .lines()
            .find(|line| line.starts_with("FAIL"))
            .unwrap();
        assert!(
            told.contains("authority-key") && told.contains(name),
            "{told}"
        );
        fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
    }

    // One that is gone is told with how to mend it, by the server as well; a root's may be elsewhere.
    fs::remove_file(campus.path("cuhk.home/root-2/key.pem")).unwrap();
    campus.cuhk(&["doctor"]).succeeded();
    let kept = campus.path("kept.pem");
    fs::rename(&key, &kept).unwrap();
    let serve = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--passphrase-file",
        "issuers.pass",
    ];
    for (ran, told) in [
        (campus.cuhk(&["doctor"]), "FAIL  authority-key"),
        (campus.cuhk(&serve), "[authority_key_gone]"),
    ] {
        assert_eq!(ran.exit, Some(5), "{ran:#?}");
        let said = ran.stdout + &ran.stderr;
        assert!(
            said.contains(told) && said.contains("`students-2`"),
            "{said}"
        );
        assert!(said.contains("cuhk restore"), "{said}");
    }
    fs::rename(&kept, &key).unwrap();
    fs::rename(
        campus.path("cuhk.home/issuers/students-2/cert.pem"),
        campus.path("kept.pem"),
    )
    .unwrap();
    let ran = campus.cuhk(&["doctor"]);
    assert!(ran.stdout.contains("FAIL  authority-expiry"), "{ran:#?}");
}

#[test]
fn a_wrong_passphrase_is_told_and_one_wrong_thing_hides_no_other() {
    let mut surgery = Surgery::open();
    surgery.cuhk.stop();
    let wrong = surgery.dir.path().join("wrong");
    write_secret(&wrong, "not it\n");
    fs::write(surgery.home("config.toml"), "lisen = 1\n").unwrap();
    fs::remove_file(surgery.home("root/cert.pem")).unwrap();
    let ran = surgery.doctor(&["--passphrase-file", wrong.to_str().unwrap()]);
    assert_eq!(ran.exit, Some(5), "{ran:#?}");
    for check in ["config", "authority-expiry", "passphrase"] {
        assert!(ran.stdout.contains(&format!("FAIL  {check}")), "{ran:#?}");
    }
    assert!(ran.stdout.contains("unknown field `lisen`"), "{ran:#?}");
    assert!(!ran.stdout.contains("not it"), "{ran:#?}");
}

#[test]
fn a_damaged_database_is_found_and_left_as_it_is() {
    let mut surgery = Surgery::open();
    surgery.cuhk.stop();
    let file = surgery.home("cuhk.db");
    let mut bytes = fs::read(&file).unwrap();
    let page = bytes.len() / 2 / 4096 * 4096;
    bytes[page..page + 4096].fill(0xa5);
    fs::write(&file, &bytes).unwrap();
    let failed = surgery.findings(5, "fail");
    assert!(failed.iter().any(|(check, ..)| check == "database"));
    assert!(failed.iter().all(|(.., mend)| !mend.is_empty()));
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[test]
fn a_log_that_was_altered_is_found() {
    let mut surgery = Surgery::open();
    surgery.cuhk.stop();
    assert_eq!(surgery.findings(0, "fail"), []);
    let of = |name: &str| {
        let found = fs::read_dir(surgery.home(name)).unwrap();
        found.map(|entry| entry.unwrap().path()).max().unwrap()
    };
    for file in [of("log/tile/0/000.p"), of("log/tile/entries/000.p")] {
        let good = fs::read(&file).unwrap();
        let mut bad = good.clone();
        bad[10] ^= 1;
        fs::write(&file, bad).unwrap();
        let failed = surgery.findings(5, "fail");
        assert_eq!(failed[0].0, "log", "{failed:?}");
        assert!(failed[0].2.contains("No backup is needed"), "{failed:?}");
        fs::write(&file, good).unwrap();
    }
    surgery.set_mode("keys/log.pem", 0o640);
    assert_eq!(surgery.findings(5, "fail")[0].0, "log-key");
}

#[test]
fn a_configuration_or_a_root_file_that_is_gone_is_found() {
    let surgery = Surgery::open();
    let config = fs::read(surgery.home("config.toml")).unwrap();
    fs::remove_file(surgery.home("config.toml")).unwrap();
    let failed = surgery.findings(5, "fail");
    assert_eq!(failed[0].0, "config", "{failed:?}");
    assert!(failed[0].2.contains("--print-config"), "{failed:?}");
    fs::write(surgery.home("config.toml"), config).unwrap();
    assert_eq!(surgery.findings(0, "fail"), []);
    fs::remove_file(surgery.home("ca.pem")).unwrap();
    let warned = surgery.findings(4, "warn");
    assert_eq!(warned[0].0, "ca-pem", "{warned:?}");
    assert!(warned[0].2.contains("cuhk root sign-crl"), "{warned:?}");
}

#[test]
fn a_start_with_a_configuration_that_is_half_written_says_what_it_does_without() {
    let campus = ByHand::new();
    let names = ["--dns", "ca.example.edu", "--dns", "localhost"];
    campus.init_with(&names).succeeded();
    let mut cuhk = campus.serve_cuhk();
    assert!(!cuhk.log().contains("sets nothing"), "{}", cuhk.log());
    cuhk.stop();
    let path = campus.path("cuhk.home/config.toml");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, "").unwrap();
    let looked = campus.cuhk(&["doctor"]);
    assert_eq!(looked.exit, Some(5), "{looked:#?}");
    assert!(looked.stdout.contains("FAIL  config"), "{looked:#?}");
    let mut cuhk = campus.serve_cuhk();
    for told in ["sets nothing", "is without ca.example.edu"] {
        assert!(cuhk.log().contains(told), "{told}: {}", cuhk.log());
    }
    cuhk.stop();
    fs::write(&path, whole).unwrap();
    let mut cuhk = campus.serve_cuhk();
    for told in ["sets nothing", "is without ca.example.edu"] {
        assert!(!cuhk.log().contains(told), "{told}: {}", cuhk.log());
    }
    cuhk.stop();
}

#[test]
fn an_address_that_no_name_covers_is_a_warning() {
    let surgery = Surgery::open();
    let config = "listen = \"0.0.0.0:8011\"\n";
    fs::write(surgery.home("config.toml"), config).unwrap();
    let warned = surgery.findings(4, "warn");
    assert_eq!(warned[0].0, "names");
    assert!(warned[0].2.contains("`dns` or `ip`"), "{warned:?}");
}

#[test]
fn a_name_that_nobody_knows_is_a_warning() {
    let surgery = Surgery::open();
    // Nobody has such a name (RFC 6761).
    let config = "dns = [\"localhost\", \"no-such-host.invalid\"]\n";
    fs::write(surgery.home("config.toml"), config).unwrap();
    let warned = surgery.findings(4, "warn");
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert_eq!(warned[0].0, "dns");
    assert!(warned[0].1.contains("no-such-host.invalid"), "{warned:?}");
}

#[test]
fn the_revocation_list_is_fetched_where_certificates_point() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let mut cuhk = campus.serve_cuhk_publicly();
    let path = campus.path("cuhk.home/config.toml");
    let config = fs::read_to_string(&path).unwrap();
    let points_to = |url: &str| {
        fs::write(&path, format!("public_url = \"{url}\"\n{config}")).unwrap();
        let looked = campus.cuhk(&["doctor", "--json"]).json();
        let mut findings = looked.as_array().unwrap().iter();
        let found = findings.find(|one| one["check"] == "public-url").unwrap();
        let text = |name: &str| found[name].as_str().unwrap().to_owned();
        (text("outcome"), text("seen"))
    };
    let right = format!("http://{}", campus.http_address());
    let (outcome, seen) = points_to(&right);
    assert_eq!(outcome, "ok", "{seen}");
    assert!(seen.contains("/crl/root.crl is the root's list"), "{seen}");
    for wrong in [
        format!("{right}/elsewhere"),
        "http://no-such-host.invalid".to_owned(),
    ] {
        let (outcome, seen) = points_to(&wrong);
        assert_eq!(outcome, "warn", "{seen}");
        assert!(seen.contains("leads nowhere"), "{seen}");
    }
    // Without a server there is nothing to be fetched, and nothing wrong with that.
    cuhk.stop();
    assert_eq!(points_to(&right).0, "ok");
}

fn listed(campus: &Campus, filter: &[&str]) -> Vec<String> {
    let arguments = [&["certs", "list", "--json"], filter].concat();
    let rows = campus.administer_cuhk(&arguments).succeeded().json();
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| format!("{} {}", row["subject"], row["state"]).replace('"', ""))
        .collect()
}

#[test]
fn certificates_are_listed_by_subject_status_and_end() {
    let campus = Campus::sandbox();
    let ids = ["enrol", "--ids", "1155000001,1155000002,1155000003"];
    campus.student(&ids).succeeded();
    campus
        .administer_cuhk(&["revoke", "1155000002"])
        .succeeded();
    let suspend = ["roster", "suspend", "1155000003"];
    campus.administer_cuhk(&suspend).succeeded();

    assert_eq!(listed(&campus, &["1155000001"]), ["1155000001 live"]);
    let of = |status| listed(&campus, &["--status", status]);
    assert_eq!(of("revoked"), ["1155000002 revoked"]);
    assert_eq!(of("suspended"), ["1155000003 suspended"]);
    assert_eq!(of("expired"), [""; 0]);
    assert!(of("live").contains(&"service/blackboard live".to_owned()));
    // Students' last 30 days, services' 90.
    assert_eq!(listed(&campus, &["--expires-within", "40"]).len(), 3);
    assert_eq!(listed(&campus, &["--expires-within", "29"]).len(), 0);
    assert_eq!(
        listed(&campus, &["--expires-before", "2026-01-01"]).len(),
        0
    );

    let csv = campus
        .administer_cuhk(&["certs", "list", "1155000002", "--csv"])
        .succeeded()
        .stdout;
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0][..4], ["serial", "subject", "profile", "state"]);
    assert_eq!(rows[1][1..4], ["1155000002", "student", "revoked"]);
    assert_eq!((rows.len(), rows[1].len()), (2, rows[0].len()));
}

#[test]
fn a_filter_that_means_nothing_is_refused() {
    for filter in [
        &["--status", "dead"][..],
        &["--expires-before", "tomorrow"],
        &["--expires-within", "0"],
        &["--expires-before", "2027-01-01", "--expires-within", "3"],
        &["--csv", "--json"],
        &["../x"],
    ] {
        let ran = Ran::of(program("cuhk").args(["certs", "list"]).args(filter));
        assert_eq!(ran.exit, Some(2), "{ran:#?}");
    }
}

fn configuration(name: &str, home: &Path, arguments: &[&str]) -> String {
    let mut command = program(name);
    command.arg("--home").arg(home).args(arguments);
    Ran::of(&mut command).succeeded().stdout
}

#[test]
fn the_configuration_in_force_is_printed_and_a_flag_comes_first() {
    let surgery = Surgery::open();
    let home = surgery.home("");
    let defaults = configuration("cuhk", Path::new("/none/such"), &["--print-config"]);
    assert!(
        defaults.contains("# listen = \"127.0.0.1:8011\""),
        "{defaults}"
    );
    // What is printed can be used as the file.
    fs::write(home.join("config.toml"), &defaults).unwrap();
    assert_eq!(configuration("cuhk", &home, &["--print-config"]), defaults);

    fs::write(home.join("config.toml"), "listen = \"127.0.0.1:1\"\n").unwrap();
    let of = |variable: Option<&str>, serve: &[&str]| {
        let mut command = program("cuhk");
        command.env_remove("SCB_CUHK_LISTEN");
        command.envs(variable.map(|value| ("SCB_CUHK_LISTEN", value)));
        command.arg("--home").arg(&home);
        command.args(serve).arg("--print-config");
        let text = Ran::of(&mut command).succeeded().stdout;
        let line = text.lines().find(|line| line.starts_with("listen"));
        line.unwrap().to_owned()
    };
    // With a command or without: what is in force is one thing.
    for serve in [&["serve"][..], &[]] {
        assert_eq!(of(None, serve), "listen = \"127.0.0.1:1\"");
        let told = of(Some("127.0.0.1:2"), serve);
        assert_eq!(told, "listen = \"127.0.0.1:2\"");
    }
    let flag = ["serve", "--listen", "127.0.0.1:3"];
    assert_eq!(of(Some("127.0.0.1:2"), &flag), "listen = \"127.0.0.1:3\"");

    let most = ["serve", "--max-connections", "7", "--print-config"];
    let text = configuration("blackboard", Path::new("/none/such"), &most);
    assert!(text.contains("\nmax_connections = 7\n"), "{text}");
    assert!(text.contains("\n# cuhk = "), "{text}");
}

/// Whoever edits the file needs no other page: what each option is stands over it.
#[test]
fn every_option_that_is_printed_has_a_comment_of_its_own_before_it() {
    for (name, least) in [("cuhk", 20), ("blackboard", 25)] {
        let text = configuration(name, Path::new("/none/such"), &["--print-config"]);
        let lines: Vec<_> = text.lines().collect();
        let (mut options, mut section) = (0, "");
        for pair in lines.windows(2) {
            let [before, line] = *pair else {
                continue;
            };
            if line.starts_with('[') {
                section = line;
            }
            let Some((option, _)) = line.trim_start_matches("# ").split_once(" = ") else {
                continue;
            };
            // Words in a comment, or one of the values of an example.
            if !option.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                continue;
            }
            options += 1;
            let is_comment = before.starts_with("# ") && !before.contains(" = \"");
            assert!(is_comment, "{name} {section} {option}: {before:?}");
            let says = before.trim_start_matches("# ");
            assert!(!says.is_empty(), "{name} {section} {option}");
            let above = lines[..lines.iter().position(|at| *at == line).unwrap()].iter();
            let about: Vec<_> = above
                .rev()
                .take_while(|line| line.starts_with("# "))
                .collect();
            assert!(
                about.iter().any(|line| line.contains("Default: ")),
                "{name} {section} {option} has no default: {about:?}"
            );
        }
        assert!(options >= least, "{name}: {options} options\n{text}");
        assert_eq!(section, "[limits]");
    }
}
