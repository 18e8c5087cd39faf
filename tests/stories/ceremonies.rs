//! The root's key is opened for one signature: beside the server or on another machine.

use std::fs;
use std::time::Instant;

use scb_cuhk::{RootRequest, SigningRequest, open_root, sign, sign_root};
use scb_transport::{Clock, SystemClock};

use crate::campus::{ByHand, LONG, Ran, program, shell};

#[test]
fn the_root_signs_on_another_machine() {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus.move_root_to_a_safe();

    let rotate = [
        "keys",
        "rotate",
        "students",
        "--passphrase-file",
        "issuers.pass",
    ];
    let absent = campus.cuhk(&rotate);
    assert_eq!(absent.exit, Some(2), "{absent:#?}");
    assert!(absent.stderr.contains("cuhk keys request"), "{absent:#?}");

    let request = |out: &str| {
        let here = ["keys", "request", "students", "--out", out];
        campus.cuhk(&[&here[..], &["--passphrase-file", "issuers.pass"]].concat())
    };
    let asked = request("request.json").succeeded().stdout;
    let (_, sha256) = asked.split_once("request (SHA-256) ").expect(&asked);
    let sign = |passphrase: &str| {
        let there = [
            "sign-request",
            "request.json",
            "--root-dir",
            "safe",
            "--out",
            "answer.json",
        ];
        let mut command = program("cuhk");
        command
            .current_dir(campus.path("."))
            .arg("--home")
            .arg("nowhere")
            .arg("keys");
        Ran::of(
            command
                .args(there)
                .args(["--root-passphrase-file", passphrase]),
        )
    };
    // What is signed is told before the passphrase counts.
    let wrong = sign("issuers.pass");
    assert_eq!(wrong.exit, Some(2), "{wrong:#?}");
    let first = wrong.stdout.lines().next().unwrap_or_default();
    assert_eq!(first, format!("request (SHA-256) {}", sha256.trim()));
    let told = sign("root.pass").succeeded().stdout;
    assert!(
        told.contains("students-2") && told.contains("cuhk.example"),
        "{told}"
    );
    for file in ["request.json", "answer.json"] {
        assert!(
            !fs::read_to_string(campus.path(file))
                .unwrap()
                .contains("PRIVATE")
        );
    }
    let stranger = campus.cuhk(&["keys", "import", "request.json"]);
    assert_eq!(stranger.exit, Some(3), "{stranger:#?}");
    campus.cuhk(&["keys", "import", "answer.json"]).succeeded();
    nothing_more_is_taken(&campus, "answer.json");
    // The root was asked twice: what it signs then is another certificate for the same key.
    let once = fs::read(campus.path("cuhk.home/issuers/students-2/cert.pem")).unwrap();
    fs::rename(campus.path("answer.json"), campus.path("first.json")).unwrap();
    sign("root.pass").succeeded();
    let other = campus.cuhk(&["keys", "import", "answer.json"]);
    assert_eq!(other.exit, Some(3), "{other:#?}");
    assert!(other.stderr.contains("ceremony_invalid"), "{other:#?}");
    let kept = fs::read(campus.path("cuhk.home/issuers/students-2/cert.pem")).unwrap();
    assert_eq!(kept, once);
    let cuhk = campus.serve_cuhk();
    let listed = || campus.cuhk(&["keys", "list"]).succeeded().stdout;
    let deadline = Instant::now() + LONG;
    while !listed().contains("students    retiring") {
        assert!(Instant::now() < deadline, "{}", listed());
    }
    drop(cuhk);
    nothing_more_is_taken(&campus, "first.json");
}

/// The same answer once more.
fn nothing_more_is_taken(campus: &ByHand, answer: &str) {
    let listed = || campus.cuhk(&["keys", "list", "--json"]).succeeded().stdout;
    let operations = || {
        campus
            .cuhk(&["operations", "list", "--json"])
            .succeeded()
            .json()
    };
    let before = (listed(), operations());
    let again = campus.cuhk(&["keys", "import", answer]).succeeded();
    assert!(
        again.stdout.contains("already taken in; nothing changed"),
        "{again:#?}"
    );
    assert_eq!((listed(), operations()), before);
}

#[test]
fn another_root_is_made_where_the_first_is_and_the_server_never_sees_either_key() {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus.move_root_to_a_safe();
    let rotate = [
        "keys",
        "rotate",
        "root",
        "--root-passphrase-file",
        "root.pass",
    ];
    let absent = campus.cuhk(&rotate);
    assert_eq!(absent.exit, Some(2), "{absent:#?}");

    let there = |more: &[&str]| {
        let mut command = program("cuhk");
        command
            .current_dir(campus.path("."))
            .args(["--home", "nowhere"]);
        command.args(["keys", "sign-request", "request.json", "--root-dir", "safe"]);
        command.args([
            "--out",
            "answer.json",
            "--root-passphrase-file",
            "root.pass",
        ]);
        Ran::of(command.args(more))
    };
    let request = |which: &str| {
        campus
            .cuhk(&["keys", "request", which, "--out", "request.json"])
            .succeeded()
    };
    request("root");
    let nowhere = there(&[]);
    assert_eq!(nowhere.exit, Some(2), "{nowhere:#?}");
    assert!(nowhere.stderr.contains("--new-root-dir"), "{nowhere:#?}");
    there(&["--new-root-dir", "safe-2"]).succeeded();
    for file in ["request.json", "answer.json"] {
        let text = fs::read_to_string(campus.path(file)).unwrap();
        assert!(!text.contains("PRIVATE"), "{text}");
    }
    let cuhk = campus.serve_cuhk();
    campus.cuhk(&["keys", "import", "answer.json"]).succeeded();
    nothing_more_is_taken(&campus, "answer.json");
    let listed = campus.cuhk(&["keys", "list"]).succeeded().stdout;
    assert!(listed.contains("root-2      active"), "{listed}");
    let made = fs::read_to_string(campus.path("safe-2/cert.pem")).unwrap();
    let known = fs::read_to_string(campus.path("cuhk.home/ca.pem")).unwrap();
    assert!(known.contains(&made), "{known}");
    assert_eq!(campus.mode("cuhk.home/root-2"), 0o700);
    for key in ["cuhk.home/root/key.pem", "cuhk.home/root-2/key.pem"] {
        assert!(!campus.path(key).exists(), "{key}");
    }

    // Every root that will be trusted is told, and whose key is not here.
    let told = {
        request("lists");
        let mut command = program("cuhk");
        command
            .current_dir(campus.path("."))
            .args(["keys", "sign-request"]);
        command.args([
            "request.json",
            "--root-dir",
            "safe-2",
            "--out",
            "answer.json",
        ]);
        Ran::of(command.args(["--root-passphrase-file", "root.pass"])).succeeded()
    };
    for (root, here) in [("safe", "no key here"), ("safe-2", "its key is here")] {
        let sha256 = format!("openssl x509 -in {root}/cert.pem -outform DER | sha256sum");
        let sha256 = shell(&campus.path("."), &sha256).succeeded().stdout;
        let line = format!("  trusted root  {} ({here}", &sha256[..64]);
        assert!(told.stdout.contains(&line), "{line}: {told:#?}");
    }

    // Once a year, by the newest; where the list of the older one is to say something, by both.
    let sign = |dirs: &[&str]| {
        request("lists");
        let mut command = program("cuhk");
        command
            .current_dir(campus.path("."))
            .args(["--home", "nowhere"]);
        command.args(["keys", "sign-request", "request.json"]);
        command.args(dirs.iter().flat_map(|dir| ["--root-dir", dir]));
        let rest = [
            "--out",
            "answer.json",
            "--root-passphrase-file",
            "root.pass",
        ];
        Ran::of(command.args(rest)).succeeded();
        let answer = fs::read_to_string(campus.path("answer.json")).unwrap();
        campus.cuhk(&["keys", "import", "answer.json"]).succeeded();
        answer.matches("BEGIN X509 CRL").count()
    };
    assert_eq!(sign(&["safe-2"]), 1);
    assert_eq!(sign(&["safe-2", "safe"]), 2);
    drop(cuhk);
}

#[test]
fn no_name_that_was_mistyped_ends_a_key() {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus.move_root_to_a_safe();
    let request = |which: &str, out: &str| {
        let request = ["keys", "request", which, "--out", out];
        match which {
            "students" => {
                campus.cuhk(&[&request[..], &["--passphrase-file", "issuers.pass"]].concat())
            }
            _ => campus.cuhk(&request),
        }
    };
    let sign = |out: &str, more: &[&str]| {
        let sign = ["keys", "sign-request", "request.json", "--root-dir", "safe"];
        let rest = ["--out", out, "--root-passphrase-file", "root.pass"];
        campus.cuhk(&[&sign[..], &rest, more].concat())
    };
    let untouched = |file: &str, act: &dyn Fn() -> Ran| {
        let before = fs::read(campus.path(file)).unwrap();
        let refused = act();
        assert_eq!(refused.exit, Some(2), "{file}: {refused:#?}");
        assert!(refused.stderr.contains("[file_exists]"), "{refused:#?}");
        assert_eq!(fs::read(campus.path(file)).unwrap(), before, "{file}");
    };
    request("lists", "request.json").succeeded();
    untouched("safe/key.pem", &|| sign("safe/key.pem", &[]));
    untouched("request.json", &|| sign("request.json", &[]));
    for file in [
        "issuers/students/cert.pem",
        "issuers/students/key.pem",
        "config.toml",
    ] {
        let file = format!("cuhk.home/{file}");
        untouched(&file, &|| request("students", &file));
        untouched(&file, &|| request("lists", &file));
    }

    // Where a key is made meanwhile.
    let next = "cuhk.home/issuers/students-2/key.pem";
    assert_eq!(request("students", next).exit, Some(2));
    let key = fs::read_to_string(campus.path(next)).unwrap();
    assert!(key.contains("BEGIN ENCRYPTED PRIVATE KEY"), "{key}");

    // Another root takes a directory of its own.
    request("root", "request.json").succeeded();
    let same = ["--new-root-dir", "safe"];
    untouched("safe/cert.pem", &|| sign("answer.json", &same));
    assert!(!campus.path("answer.json").exists());
    sign("answer.json", &["--new-root-dir", "safe-2"]).succeeded();
    untouched("answer.json", &|| request("lists", "answer.json"));
}

#[test]
fn whoever_names_the_wrong_directory_is_told_which_one_it_takes() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let request = ["keys", "request", "lists", "--out", "request.json"];
    campus.cuhk(&request).succeeded();
    let sign = [
        "keys",
        "sign-request",
        "request.json",
        "--out",
        "answer.json",
    ];
    for command in [&sign[..], &["root", "passphrase"]] {
        let there = ["--root-dir", "nowhere"];
        let refused = campus.cuhk(&[command, &there[..]].concat());
        assert_eq!(refused.exit, Some(2), "{refused:#?}");
        let told = &refused.stderr;
        assert!(told.contains("[root_key_absent]"), "{told}");
        assert!(told.contains("name the directory with"), "{told}");
        assert!(!told.contains("keys request"), "{told}");
    }
}

#[test]
fn an_older_root_signs_nothing_once_another_one_is_in_its_place() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let root = ["--root-passphrase-file", "root.pass"];
    let rotate = [&["keys", "rotate", "root"][..], &root].concat();
    campus.cuhk(&rotate).succeeded();
    let sign = |which: &str, dir: &str| {
        let request = ["keys", "request", which, "--out", "request.json"];
        let request = match which {
            "lists" => campus.cuhk(&request),
            _ => campus.cuhk(&[&request[..], &["--passphrase-file", "issuers.pass"]].concat()),
        };
        request.succeeded();
        let there = ["keys", "sign-request", "request.json", "--root-dir", dir];
        campus.cuhk(&[&there[..], &["--out", "answer.json"], &root].concat())
    };
    for which in ["services", "lists"] {
        let refused = sign(which, "cuhk.home/root");
        assert_eq!(refused.exit, Some(3), "{refused:#?}");
        assert!(refused.stderr.contains("[wrong_root]"), "{refused:#?}");
        assert!(refused.stderr.contains("--root-dir"), "{refused:#?}");
        assert!(!campus.path("answer.json").exists(), "{which}");
    }
    for which in ["services", "lists"] {
        sign(which, "cuhk.home/root-2").succeeded();
        campus.cuhk(&["keys", "import", "answer.json"]).succeeded();
    }
}

#[test]
fn no_request_that_was_altered_on_its_way_sends_everybody_elsewhere() {
    let campus = ByHand::new();
    campus
        .init_with(&["--public-url", "http://crl.cuhk.example"])
        .succeeded();
    let passphrase = ["--passphrase-file", "issuers.pass"];
    let request = ["keys", "request", "students", "--out", "request.json"];
    campus
        .cuhk(&[&request[..], &passphrase].concat())
        .succeeded();
    let asked = fs::read_to_string(campus.path("request.json")).unwrap();
    let answered = |request: &str| {
        fs::write(campus.path("carried.json"), request).unwrap();
        let _ = fs::remove_file(campus.path("answer.json"));
        let sign = [
            "keys",
            "sign-request",
            "carried.json",
            "--root-dir",
            "cuhk.home/root",
            "--out",
            "answer.json",
            "--root-passphrase-file",
            "root.pass",
        ];
        campus.cuhk(&sign).succeeded().stdout
    };
    let import = || campus.cuhk(&["keys", "import", "answer.json"]);
    for part in ["/crl/", "/ca/"] {
        let own = format!("http://crl.cuhk.example{part}");
        let evil = format!("http://evil.example{part}");
        assert!(asked.contains(&own), "{asked}");
        let told = answered(&asked.replace(&own, &evil));
        assert!(told.contains(&evil), "{told}");
        let refused = import();
        assert_eq!(refused.exit, Some(3), "{refused:#?}");
        assert!(refused.stderr.contains("ceremony_invalid"), "{refused:#?}");
        assert!(
            refused.stderr.contains("is elsewhere than was"),
            "{refused:#?}"
        );
        let keys = campus.cuhk(&["keys", "list"]).succeeded().stdout;
        assert!(!keys.contains("students-2"), "{keys}");
    }
    answered(&asked);
    import().succeeded();
    let keys = campus.cuhk(&["keys", "list"]).succeeded().stdout;
    assert!(keys.contains("students-2"), "{keys}");

    // An authority that was certified with another address is named.
    let told = || campus.cuhk(&["doctor"]).stdout;
    assert!(!told().contains("point elsewhere"), "{}", told());
    let config = campus.path("cuhk.home/config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(
        &config,
        text.replace("crl.cuhk.example", "pki.cuhk.example"),
    )
    .unwrap();
    assert!(
        told().contains("that of `students-2` names http://crl.cuhk.example/crl/root.crl"),
        "{}",
        told()
    );
}

/// What a root's machine signs whose clock is wrong, and what was told of it with the right one.
#[test]
fn what_a_root_signed_by_a_wrong_clock_is_not_put_to_use_and_says_which_clock_to_set() {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus.move_root_to_a_safe();
    let root = open_root(&campus.path("safe"), &"battery staple".to_owned().into()).unwrap();
    let issuers = ["--passphrase-file", "issuers.pass"];
    let request = |which: &str| {
        let request = ["keys", "request", which, "--out", "request.json"];
        match which {
            "lists" => campus.cuhk(&request).succeeded(),
            _ => campus.cuhk(&[&request[..], &issuers].concat()).succeeded(),
        };
        fs::read(campus.path("request.json")).unwrap()
    };
    let import = || campus.cuhk(&["keys", "import", "answer.json"]);
    let refused = |told: &[&str]| {
        let keys = campus.cuhk(&["keys", "list"]).succeeded().stdout;
        let refused = import();
        assert_eq!(refused.exit, Some(3), "{refused:#?}");
        assert!(refused.stderr.contains("[not_in_force]"), "{refused:#?}");
        for told in told {
            assert!(refused.stderr.contains(told), "{told}: {refused:#?}");
        }
        assert_eq!(campus.cuhk(&["keys", "list"]).succeeded().stdout, keys);
    };
    let ahead = scb_protocol::from_seconds(SystemClock.now().as_secs() + 8 * 60 * 60 + 30);

    let asked = SigningRequest::from_json(&request("services")).unwrap();
    let answer = sign(&asked, &root, ahead).unwrap();
    fs::write(campus.path("answer.json"), answer.to_json()).unwrap();
    refused(&[
        "`services-2` counts only from",
        "ahead by 8 h 0 min",
        "keys sign-request",
    ]);

    let asked = RootRequest::from_json(&request("lists")).unwrap();
    let answer = sign_root(&asked, std::slice::from_ref(&root), None, ahead).unwrap();
    fs::write(campus.path("answer.json"), answer.to_json()).unwrap();
    refused(&[
        "counts only from",
        "ahead by 8 h 0 min",
        "keys sign-request",
    ]);

    // With the clock right, and whoever signs sees from when until when it counts.
    for which in ["services", "lists"] {
        request(which);
        let sign = ["keys", "sign-request", "request.json", "--root-dir", "safe"];
        let out = [
            "--out",
            "answer.json",
            "--root-passphrase-file",
            "root.pass",
        ];
        let told = campus.cuhk(&[&sign[..], &out].concat()).succeeded().stdout;
        assert!(
            told.contains("counts from 20") && told.contains(" until 20"),
            "{told}"
        );
        let told = import().succeeded();
        assert!(!told.stderr.contains("warning"), "{told:#?}");
        if which == "lists" {
            assert!(told.stdout.contains("are good until 20"), "{told:#?}");
        }
    }
}
