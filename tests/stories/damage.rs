//! Files of a home that are no longer what was written: each is named, by `serve` and by `doctor`,
//! with what to do; what nobody else needs is made anew.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::audit::{audit, until};
use crate::campus::{ByHand, Campus, Ran, copy, program, serve as serve_sandbox, shell, version};
use crate::witness::until_seen;

/// Writes nonsense into a file; answers what was in it.
fn spoil(file: &Path) -> Vec<u8> {
    let whole = fs::read(file).unwrap();
    fs::write(file, "junk\n").unwrap();
    whole
}

/// A CUHK that was served once, so that everything is there.
fn served() -> ByHand {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus.serve_cuhk().stop();
    campus
}

/// The key file in `tls` or `tokens`.
fn own_key(campus: &ByHand, dir: &str) -> PathBuf {
    let entries = fs::read_dir(campus.path("cuhk.home").join(dir)).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    let is_key = |path: &PathBuf| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("key-")
    };
    paths.find(is_key).unwrap()
}

fn serve(campus: &ByHand) -> Ran {
    let flags = [
        "--listen",
        "127.0.0.1:0",
        "--passphrase-file",
        "issuers.pass",
    ];
    campus.cuhk(&[&["serve"][..], &flags].concat())
}

/// What `doctor` finds wrong: each `seen` and `mend`.
fn failed(campus: &ByHand) -> Vec<(String, String)> {
    let ran = campus.cuhk(&["doctor", "--json"]);
    assert_eq!(ran.exit, Some(5), "{ran:#?}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = ran.json();
    let all = all.as_array().unwrap().iter();
    all.filter(|one| one["outcome"] == "fail")
        .map(|one| (text(&one["seen"]), text(&one["mend"])))
        .collect()
}

/// That a command ended with `damaged`, named the file and said what to do.
fn names(ran: &Ran, file: &Path) {
    assert_eq!(ran.exit, Some(5), "{ran:#?}");
    for part in ["damaged", &file.display().to_string(), "from a backup"] {
        assert!(ran.stderr.contains(part), "{part}: {ran:#?}");
    }
}

#[test]
fn a_damaged_key_or_certificate_is_named_with_what_to_do() {
    let campus = served();
    for name in [
        "issuers/students/key.pem",
        "issuers/services/cert.pem",
        "root/cert.pem",
        "keys/log.pem",
        "keys/witness.pem",
    ] {
        let file = Path::new("cuhk.home").join(name);
        let whole = spoil(&campus.path(".").join(&file));
        names(&serve(&campus), &file);
        let found = failed(&campus);
        let is_named = |(seen, mend): &(String, String)| {
            seen.contains(name) && seen.contains("damaged") && mend.contains("backup")
        };
        assert!(found.iter().all(is_named), "{name}: {found:#?}");
        assert!(!found.is_empty());
        fs::write(campus.path(".").join(&file), whole).unwrap();
    }
    let root = Path::new("cuhk.home/root/key.pem");
    let whole = spoil(&campus.path(".").join(root));
    let sign = ["root", "sign-crl", "--root-passphrase-file", "root.pass"];
    names(&campus.cuhk(&sign), root);
    assert!(failed(&campus)[0].0.contains("root/key.pem"));
    fs::write(campus.path(".").join(root), whole).unwrap();
    campus.cuhk(&["doctor"]).succeeded();
    campus.serve_cuhk().stop();
}

#[test]
fn a_damaged_key_or_chain_of_the_server_itself_is_found_and_made_anew() {
    let campus = served();
    for dir in ["tls", "tokens"] {
        let files = [
            own_key(&campus, dir),
            campus.path("cuhk.home").join(dir).join("chain.pem"),
        ];
        for file in files {
            spoil(&file);
            let found = failed(&campus);
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            let [(seen, mend)] = &found[..] else {
                panic!("{found:#?}");
            };
            assert!(seen.contains(&name), "{seen}");
            assert!(mend.contains("remove") && mend.contains(&name), "{mend}");
            let mut served = campus.serve_cuhk();
            assert!(served.log().contains("a new key takes its place"));
            served.stop();
            campus.cuhk(&["doctor"]).succeeded();
        }
    }
}

#[test]
fn a_damaged_log_or_root_file_is_not_ok_to_doctor() {
    let campus = served();
    for (name, part) in [
        ("log/head", "log/head is damaged"),
        ("ca.pem", "no root in it"),
    ] {
        let file = campus.path("cuhk.home").join(name);
        let whole = spoil(&file);
        let found = failed(&campus);
        assert!(found[0].0.contains(part), "{found:#?}");
        fs::write(file, whole).unwrap();
    }
    let checkpoint = campus.path("cuhk.home/log/checkpoint");
    fs::remove_file(&checkpoint).unwrap();
    let told = campus.cuhk(&["doctor"]);
    assert_eq!(told.exit, Some(4), "{told:#?}");
    assert!(
        told.stdout.contains("there is no checkpoint, though"),
        "{told:#?}"
    );
    campus.serve_cuhk().stop();
    let told = campus.cuhk(&["doctor"]).succeeded().stdout;
    assert!(checkpoint.exists() && told.contains("ok    log "), "{told}");
}

/// The command that `doctor` names for mending the log of a sandbox.
fn mending(campus: &Campus, file: &str) -> String {
    let looked = campus.administer_cuhk(&["doctor", "--json"]);
    assert_eq!(looked.exit, Some(5), "{looked:#?}");
    let looked = looked.json();
    let mut findings = looked.as_array().unwrap().iter();
    let found = findings.find(|one| one["check"] == "log").unwrap();
    assert_eq!(found["outcome"], "fail");
    let (seen, mend) = (found["seen"].to_string(), found["mend"].to_string());
    assert!(seen.contains(&format!("cuhk/{file} is damaged")), "{seen}");
    assert!(mend.contains("No backup is needed"), "{mend}");
    let (_, command) = mend.split_once("aside: ").unwrap();
    command.split(';').next().unwrap().to_owned()
}

/// Also for those who have seen it: the student and Blackboard, its witness, hold CUHK to that.
#[test]
fn a_damaged_log_is_made_anew_by_the_step_that_is_named() {
    let mut campus = Campus::sandbox();
    campus
        .student(&["enrol", "--ids", "1155000001"])
        .succeeded();
    let cosigned = |campus: &Campus| {
        until(
            || {
                let log = audit(campus, &[]).succeeded().json()["log"].take();
                log["witnesses"][0]["size"] == log["size"]
            },
            "the witness sees the whole log",
        );
    };
    cosigned(&campus);
    let log = campus.path().join("cuhk/log");
    let tile = |kind: &str| {
        let found = fs::read_dir(log.join(kind).join("000.p")).unwrap();
        let largest = found
            .map(|one| one.unwrap().file_name())
            .max_by_key(|name| {
                let name = name.to_str().unwrap();
                name.parse::<u32>().unwrap()
            });
        format!("log/{kind}/000.p/{}", largest.unwrap().to_str().unwrap())
    };
    for damaged in ["checkpoint", "head", "tile/0"] {
        campus.cuhk.stop();
        // A torn edge is mended by `serve` itself, from the entries.
        let starts = damaged == "tile/0";
        let file = match starts {
            true => tile(damaged),
            false => format!("log/{damaged}"),
        };
        fs::write(campus.path().join("cuhk").join(&file), "").unwrap();
        if !starts {
            let file = format!("cuhk/{file} is damaged");
            let sandbox = campus.path();
            let ran = Ran::of(program("cuhk").args(serve_sandbox(&sandbox)));
            assert_eq!(ran.exit, Some(5), "{ran:#?}");
            for part in ["error[damaged]", &file, "No backup is needed"] {
                assert!(ran.stderr.contains(part), "{part}: {ran:#?}");
            }
        }
        let command = mending(&campus, &file);
        shell(campus.outside(), &command).succeeded();
        campus.start_cuhk_again();
        campus
            .student(&["enrol", "--ids", "1155000002"])
            .succeeded();
        cosigned(&campus);
        campus.administer_cuhk(&["doctor"]).succeeded();
        fs::remove_dir_all(campus.path().join("cuhk/log.damaged")).unwrap();
    }
}

#[test]
fn a_log_that_is_gone_is_told_with_how_much_was_published_and_made_anew() {
    let mut campus = Campus::sandbox();
    campus
        .student(&["enrol", "--ids", "1155000001"])
        .succeeded();
    let mut size = Value::Null;
    until(
        || {
            let log = audit(&campus, &[]).succeeded().json()["log"].take();
            size = log["size"].clone();
            log["witnesses"][0]["size"] == size
        },
        "the witness sees the whole log",
    );
    campus.cuhk.stop();
    fs::remove_dir_all(campus.path().join("cuhk/log")).unwrap();
    let told = campus.administer_cuhk(&["doctor"]);
    assert_eq!(told.exit, Some(4), "{told:#?}");
    let published = format!("{size} of them were published and cosigned");
    for part in [&*published, "makes the log anew from the database"] {
        assert!(told.stdout.contains(part), "{part}: {told:#?}");
    }
    campus.start_cuhk_again();
    let again = audit(&campus, &[]).succeeded().json();
    assert_eq!(again["log"]["size_before"], size, "{again:#}");
    campus.administer_cuhk(&["doctor"]).succeeded();
}

/// What nobody else needs is made again; of the rest the file is named, and how it comes back.
#[test]
fn a_directory_or_a_certificate_that_is_gone_is_made_again_or_named() {
    let campus = served();
    let home = campus.path("cuhk.home");
    for dir in ["tls", "tokens"] {
        fs::remove_dir_all(home.join(dir)).unwrap();
        campus.cuhk(&["doctor"]).succeeded();
        campus.serve_cuhk().stop();
        assert!(own_key(&campus, dir).exists());
    }
    let file = "cuhk.home/root/cert.pem";
    let whole = fs::read(campus.path(file)).unwrap();
    fs::remove_file(campus.path(file)).unwrap();
    for ran in [serve(&campus), campus.cuhk(&["doctor"])] {
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.exit, Some(5), "{said}");
        for part in [file, "cuhk restore FILE --home NEW", "copy it from there"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains("the database holds"), "{said}");
    }
    fs::write(campus.path(file), whole).unwrap();
    campus.cuhk(&["doctor"]).succeeded();
}

#[test]
fn an_address_that_this_machine_has_not_or_that_is_none_is_told_with_an_example() {
    let campus = served();
    for (address, exit, words) in [
        // Reserved for documentation (RFC 5737): nobody has it.
        ("192.0.2.1:8011", 5, "name an address that this machine has"),
        ("localhost:8011", 2, "such as 127.0.0.1:8011"),
        ("28111", 2, "such as 127.0.0.1:8011"),
    ] {
        let flags = ["--listen", address, "--passphrase-file", "issuers.pass"];
        let ran = campus.cuhk(&[&["serve"][..], &flags].concat());
        assert_eq!(ran.exit, Some(exit), "{ran:#?}");
        assert!(ran.stderr.contains(words), "{ran:#?}");
    }
}

/// Others keep what these keys have signed: another one is never made in silence.
#[test]
fn a_key_that_has_signed_for_others_is_not_made_anew_unless_somebody_says_so() {
    let mut campus = Campus::sandbox();
    campus
        .student(&["submit", "--ids", "1155000001"])
        .succeeded();
    until_seen(&campus);
    campus.cuhk.stop();
    let keys = campus.path().join("cuhk/keys");
    for (name, also) in [("log.pem", Some("log")), ("witness.pem", None)] {
        let kept = campus.outside().join("kept");
        copy(&campus.path().join("cuhk"), &kept);
        fs::remove_file(keys.join(name)).unwrap();
        if let Some(also) = also {
            fs::remove_dir_all(campus.path().join("cuhk").join(also)).unwrap();
        }
        let sandbox = campus.path();
        let serve = Ran::of(program("cuhk").args(serve_sandbox(&sandbox)));
        let doctor = campus.administer_cuhk(&["doctor"]);
        for ran in [serve, doctor] {
            assert_eq!(ran.exit, Some(5), "{ran:#?}");
            let said = ran.stdout + &ran.stderr;
            for part in [name, "is gone", "cuhk restore", "cuhk witness new-key"] {
                assert!(said.contains(part), "{part}: {said}");
            }
        }
        assert!(!keys.join(name).exists());
        fs::remove_dir_all(campus.path().join("cuhk")).unwrap();
        fs::rename(kept, campus.path().join("cuhk")).unwrap();
    }

    let passphrase = campus.path().join("cuhk.passphrase");
    let passphrase = passphrase.to_str().unwrap();
    let new_key = ["witness", "new-key", "--passphrase-file", passphrase];
    let refused = campus.administer_cuhk(&new_key);
    assert_eq!(refused.exit, Some(3), "{refused:#?}");
    assert!(
        refused.stderr.contains("error[file_exists]"),
        "{refused:#?}"
    );
    fs::remove_file(keys.join("witness.pem")).unwrap();
    campus.administer_cuhk(&new_key).succeeded();
    campus.start_cuhk_again();
    campus
        .student(&["submit", "--ids", "1155000001", &version(campus.outside())])
        .succeeded();
    until_seen(&campus);
}

#[test]
fn an_altered_answer_of_a_root_is_refused_and_nothing_is_changed() {
    let campus = served();
    let (issuers, root) = (
        ["--passphrase-file", "issuers.pass"],
        ["--root-passphrase-file", "root.pass"],
    );
    let request = ["keys", "request", "students", "--out", "request.json"];
    campus.cuhk(&[&request[..], &issuers].concat()).succeeded();
    let sign = ["keys", "sign-request", "request.json", "--root-dir"];
    let more = ["cuhk.home/root", "--out", "answer.json"];
    campus.cuhk(&[&sign[..], &more, &root].concat()).succeeded();
    let answer = fs::read_to_string(campus.path("answer.json")).unwrap();
    fs::write(campus.path("answer.json"), answer.replace("MII", "MIX")).unwrap();
    let ran = campus.cuhk(&["keys", "import", "answer.json"]);
    assert_eq!(ran.exit, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("ceremony_invalid"), "{ran:#?}");
    fs::write(campus.path("answer.json"), answer).unwrap();
    campus.cuhk(&["keys", "import", "answer.json"]).succeeded();
}

#[test]
fn a_platform_whose_configuration_is_cut_off_says_what_it_does_without() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let cuhk = campus.serve_cuhk();
    campus.certify_blackboard(&cuhk);
    let file = campus.path("blackboard.home/config.toml");
    let whole = fs::read_to_string(&file).unwrap();
    let told = || {
        let mut blackboard = campus.start_blackboard();
        blackboard.stop();
        blackboard.log()
    };
    assert!(!told().contains("has its default"), "{}", told());
    // An editor on a full disk: CUHK is known, and all that comes later has its default.
    let (cut, _) = whole.split_once("max_bytes = ").unwrap();
    fs::write(&file, cut).unwrap();
    let log = told();
    for words in ["seems to be cut off", "the last option"] {
        assert!(log.contains(words), "{log}");
    }
    // Nor does it look for a CUHK that nothing names.
    for lost in ["", "# Configuration of blackboard\n"] {
        fs::write(&file, lost).unwrap();
        let ran = campus.blackboard(&["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(ran.exit, Some(2), "{ran:#?}");
        for words in [
            "error[config]",
            "sets nothing",
            "does not say where CUHK listens",
            "--print-config",
        ] {
            assert!(ran.stderr.contains(words), "{ran:#?}");
        }
    }
    fs::write(&file, whole).unwrap();
    assert!(!told().contains("has its default"), "{}", told());
}

#[test]
fn a_student_is_told_which_file_is_damaged() {
    let campus = Campus::sandbox();
    campus
        .student(&["enrol", "--ids", "1155000001"])
        .succeeded();
    let home = campus.path().join("student/students/1155000001");
    for name in ["key.pem", "chain.pem"] {
        let file = home.join(name);
        let whole = spoil(&file);
        let ran = campus.student(&["submit", "--ids", "1155000001"]);
        assert_eq!(ran.exit, Some(5), "{ran:#?}");
        for part in ["damaged", "1155000001", name, "backup"] {
            assert!(ran.stderr.contains(part), "{part}: {ran:#?}");
        }
        fs::write(file, whole).unwrap();
    }
    campus
        .student(&["submit", "--ids", "1155000001"])
        .succeeded();
}
