//! The key of an issuing authority was stolen: it is withdrawn, and everybody who counted on it is told
//! what to do.

use std::time::Instant;

use serde_json::Value;

use crate::campus::{ByHand, LONG, Ran, Server, judge, program, python, shell, version};

const ROSTER: &str = "sid,name,email,programme\n1155000001,One,,CSCI\n1155000002,Two,,CSCI\n";
const GROUP: &str = "1155000001,1155000002";

struct Campus {
    by_hand: ByHand,
    cuhk: Server,
    blackboard: Server,
}

impl Campus {
    /// A group has handed in.
    fn open() -> Self {
        let by_hand = ByHand::new();
        by_hand.init().succeeded();
        by_hand.roster(ROSTER).succeeded();
        let cuhk = by_hand.serve_cuhk_publicly();
        let blackboard = by_hand.serve_blackboard(&cuhk);
        Self {
            by_hand,
            cuhk,
            blackboard,
        }
    }

    /// The path of the receipt.
    fn first_hand_in(&self) -> String {
        let (cuhk, blackboard) = (self.cuhk.address(), self.blackboard.address());
        let to = ["--cuhk", &cuhk, "--blackboard", &blackboard];
        let known = ["--codes", "codes.csv", "--ca", "cuhk.home/ca.pem"];
        let who = ["submit", "report.pdf", "--ids", GROUP, "--json"];
        let handed_in = self.by_hand.student(&[&who[..], &known, &to].concat());
        let receipt = handed_in.succeeded().json()["receipt"].clone();
        receipt.as_str().unwrap().to_owned()
    }

    fn hand_in(&self) -> Ran {
        let report = version(&self.by_hand.path(""));
        let submit = ["submit", "--ids", GROUP, "--json", &report];
        self.by_hand.student(&submit)
    }

    /// With a new certificate, at its old address.
    fn blackboard_again(&mut self) {
        let address = self.blackboard.address();
        self.blackboard.stop();
        let cuhk = self.cuhk.address();
        let init = [
            "init",
            "--replace",
            "--cuhk",
            &cuhk,
            "--ca",
            "cuhk.home/ca.pem",
        ];
        let names = ["--dns", "localhost", "--ip", "127.0.0.1"];
        let code = ["--code-file", "again.code"];
        self.by_hand
            .blackboard(&[&init[..], &names, &code].concat())
            .succeeded();
        let serve = [
            "serve",
            "--listen",
            &address,
            "--ready-file",
            "blackboard.ready",
        ];
        self.blackboard = Server::start_command(&mut self.by_hand.command("blackboard", &serve));
    }

    /// `cuhk keys …` with both passphrases.
    fn keys(&self, arguments: &[&str]) -> Ran {
        let issuers = ["--passphrase-file", "issuers.pass"];
        let root = ["--root-passphrase-file", "root.pass"];
        self.by_hand
            .cuhk(&[&["keys"], arguments, &issuers, &root].concat())
    }

    fn authority(&self, name: &str) -> Value {
        let listed = self.by_hand.cuhk(&["keys", "list", "--json"]).succeeded();
        let keys = listed.json().as_array().unwrap().clone();
        keys.into_iter().find(|key| key["kind"] == name).unwrap()
    }

    /// What is served in clear.
    fn fetch(&self, name: &str) {
        let listens = self.by_hand.http_address();
        let line = format!("curl -sSf -o {name} http://{listens}/{}", path_of(name));
        shell(&self.by_hand.path(""), &line).succeeded();
    }

    fn types(&self, line: &str) -> Ran {
        shell(&self.by_hand.path(""), line)
    }

    /// An authority that cannot be withdrawn.
    fn keeps(&self, name: &str, code: &str) {
        let refused = self.keys(&["withdraw", name]);
        assert_eq!(refused.exit, Some(3), "{refused:#?}");
        assert!(refused.stderr.contains(code), "{refused:#?}");
    }

    /// Waits until Blackboard has the root's list, which must be soon; CUHK tells it of the students
    /// before that.
    fn refused_soon(&self) -> Value {
        let deadline = Instant::now() + LONG;
        loop {
            let ran = self.hand_in();
            if ran.stderr.contains("certificate_revoked") {
                return ran.refused(3, "certificate_revoked");
            }
            assert!(Instant::now() < deadline, "{ran:#?}");
        }
    }

    /// New codes, new certificates and a hand-in; and the receipt of before is as good as it was.
    fn goes_on_with_new_codes(&self, receipt: &str) {
        let codes = [
            "roster",
            "import",
            "students.csv",
            "--codes-out",
            "again.csv",
        ];
        self.by_hand.cuhk(&codes).succeeded();
        let enrol = ["enrol", "--ids", GROUP, "--codes", "again.csv"];
        self.by_hand.student(&enrol).succeeded();
        self.hand_in().succeeded();
        self.by_hand.student(&["verify", receipt]).succeeded();
    }
}

fn path_of(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((_, "crl")) => format!("crl/{name}"),
        _ => format!("ca/{name}"),
    }
}

#[test]
fn a_stolen_issuing_authority_is_withdrawn_and_its_students_come_back_with_new_codes() {
    let campus = Campus::open();
    let receipt = campus.first_hand_in();
    campus.keeps("students", "authority_in_use");
    let students = campus.authority("students");
    let serial = students["serial"].as_str().unwrap();
    let revoke = campus.by_hand.cuhk(&["revoke", serial]);
    assert!(revoke.stderr.contains("cuhk keys withdraw"), "{revoke:#?}");
    campus.keeps("root", "root_not_revocable");
    campus.hand_in().succeeded();

    let since = ["--compromised-since", "2026-01-01"];
    let withdraw = ["withdraw", "students", "--replace"];
    let told = campus.keys(&[&withdraw[..], &since].concat()).succeeded();
    for part in [
        "students  withdrawn",
        "2 certificates revoked",
        "cuhk roster import",
        "list names it",
    ] {
        assert!(told.stdout.contains(part), "{told:#?}");
    }
    let authority = campus.authority("students");
    assert_eq!(authority["state"], "withdrawn");
    assert_eq!(authority["reason"], "ca_compromise");
    assert!(authority["withdrawn_at"].is_string(), "{authority}");
    assert_eq!(campus.authority("students-2")["withdrawn_at"], Value::Null);
    let refused = campus.refused_soon();
    for (part, word) in [("message", "ca_compromise"), ("remedy", "student enrol")] {
        assert!(refused[part].to_string().contains(word), "{refused}");
    }
    let ended = campus.by_hand.student(&["renew", "--json"]);
    ended.refused(3, "certificate_revoked");

    let issued = |by: &str| {
        let listed = ["certs", "list", "--issuer", by, "--json"];
        campus.by_hand.cuhk(&listed).succeeded().json()
    };
    let listed = issued("students");
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 2, "{listed:#?}");
    for one in listed {
        let told = [&one["state"], &one["reason"], &one["issuer"]];
        assert_eq!(told, ["revoked", "ca_compromise", "students"]);
    }
    assert!(issued("students-2").as_array().unwrap().is_empty());
    let unknown = ["certs", "list", "--issuer", "students-9", "--json"];
    campus.by_hand.cuhk(&unknown).refused(3, "key_unknown");

    // Whoever had a certificate from it has neither that nor a code.
    campus.goes_on_with_new_codes(&receipt);
    let listed = campus.by_hand.student(&["receipts"]).succeeded().stdout;
    assert!(!listed.contains("does NOT verify"), "{listed}");

    // The same again does nothing more.
    let again = campus.keys(&["withdraw", "students"]).succeeded().stdout;
    assert!(again.contains("0 certificates revoked"), "{again}");
    campus.hand_in().succeeded();
}

#[test]
fn an_authority_under_the_older_root_is_withdrawn_while_two_roots_count() {
    let campus = Campus::open();
    let receipt = campus.first_hand_in();
    let rotate = |which: &str| campus.keys(&["rotate", which, "--json"]).succeeded().json();
    assert_eq!(rotate("root")["key"], "root-2");
    assert_eq!(rotate("students")["key"], "students-2");
    let since = ["--compromised-since", "2026-01-01"];
    let withdraw = ["withdraw", "students", "--json"];
    let told = campus.keys(&[&withdraw[..], &since].concat()).succeeded();
    let told = told.json();
    assert_eq!(
        told["students"],
        serde_json::json!(["1155000001", "1155000002"])
    );
    assert_eq!(
        told["not_on_the_roots_list"],
        serde_json::json!([]),
        "{told}"
    );
    let again = campus.keys(&["withdraw", "students", "--json"]).succeeded();
    let again = again.json();
    assert_eq!(
        (&again["before"], &again["certificates"]),
        (&true.into(), &0.into())
    );
    campus.keeps("students-2", "authority_in_use");

    // It is the first root's list that names it, as the first root has certified it.
    if judge("openssl").is_some() && judge("curl").is_some() {
        for (name, told) in [
            ("root", "CA Compromise"),
            ("root-2", "No Revoked Certificates"),
        ] {
            campus.fetch(&format!("{name}.crl"));
            let text = format!("openssl crl -inform DER -in {name}.crl -noout -text");
            let text = campus.types(&text).succeeded().stdout;
            assert!(text.contains(told), "{name}: {text}");
        }
    }
    campus.refused_soon();
    campus.goes_on_with_new_codes(&receipt);
    let doctor = campus.by_hand.cuhk(&["doctor", "--json"]).json();
    let mut findings = doctor.as_array().unwrap().iter();
    assert!(findings.all(|one| one["outcome"] != "fail"), "{doctor:#}");
}

#[test]
fn others_programs_refuse_what_it_issued_and_verify_the_receipts_of_before() {
    let (Some(_), Some(_)) = (judge("openssl"), judge("curl")) else {
        return;
    };
    let campus = Campus::open();
    let receipt = campus.first_hand_in();
    let student = "student.home/students/1155000001";
    let check = || {
        for name in ["root.crl", "students.crl", "students.cer"] {
            campus.fetch(name);
        }
        campus.types(&format!(
            "openssl crl -inform DER -in root.crl -out root.crl.pem && \
             openssl crl -inform DER -in students.crl -out students.crl.pem && \
             openssl x509 -inform DER -in students.cer -out students.cer.pem && \
             openssl verify -crl_check_all -CAfile cuhk.home/ca.pem -untrusted students.cer.pem \
             -CRLfile root.crl.pem -CRLfile students.crl.pem {student}/chain.pem"
        ))
    };
    check().succeeded();
    let address = campus.cuhk.address();
    let (_, port) = address.rsplit_once(':').unwrap();
    let introspect = || {
        let told = campus.types(&format!(
            "curl -sSf --cacert cuhk.home/ca.pem --cert blackboard.home/tls/chain.pem \
             --key blackboard.home/tls/key.pem --data-urlencode \"token=$(cat {student}/token.jwt)\" \
             https://localhost:{port}/introspect"
        ));
        told.succeeded().json()["active"].clone()
    };
    assert_eq!(introspect(), true);
    let since = ["--compromised-since", "2026-01-01"];
    let withdraw = ["withdraw", "students", "--replace"];
    campus.keys(&[&withdraw[..], &since].concat()).succeeded();
    campus.refused_soon();
    let refused = check();
    assert_ne!(refused.exit, Some(0), "{refused:#?}");
    let told = format!("{}{}", refused.stdout, refused.stderr);
    assert!(told.contains("certificate revoked"), "{told}");
    // Also what CUHK does not know of: the root says so of the authority itself.
    let authority = campus.types(
        "openssl verify -crl_check -CAfile cuhk.home/ca.pem -CRLfile root.crl.pem students.cer.pem",
    );
    let told = format!("{}{}", authority.stdout, authority.stderr);
    assert!(told.contains("certificate revoked"), "{told}");
    let list = campus.types("openssl crl -inform DER -in root.crl -noout -text");
    let list = list.succeeded().stdout;
    for part in ["CA Compromise", "Jan  1 00:00:00 2026 GMT"] {
        assert!(list.contains(part), "{list}");
    }
    assert_eq!(introspect(), false);
    // The same with EST: what renews is refused, what is handed out leaves it out.
    let est = format!("https://localhost:{port}/.well-known/est");
    let served = campus.types(&format!(
        "curl -sSf --cacert cuhk.home/ca.pem {est}/cacerts | openssl base64 -d | \
         openssl pkcs7 -inform DER -print_certs | grep -c BEGIN"
    ));
    assert_eq!(served.succeeded().stdout.trim(), "3");
    let renewed = campus.types(&format!(
        "openssl req -new -key {student}/key.pem -subj /CN=x -outform DER | openssl base64 | \
         curl -sS --cacert cuhk.home/ca.pem --cert {student}/chain.pem --key {student}/key.pem \
         -H 'Content-Type: application/pkcs10' --data-binary @- {est}/simplereenroll"
    ));
    let told = format!("{}{}", renewed.stdout, renewed.stderr);
    assert!(told.contains("revoked"), "{renewed:#?}");

    // The receipt of before is judged by the lists of its time.
    let verify = ["verify", &receipt, "--openssl"];
    campus.by_hand.student(&verify).succeeded();
    if let Some(mut python) = python() {
        let root = campus.authority("root")["sha256"].clone();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verify_receipt.py");
        let judging = python
            .current_dir(campus.by_hand.path(""))
            .args([script, &receipt]);
        Ran::of(judging.arg(root.as_str().unwrap())).succeeded();
    }
}

#[test]
fn withdrawn_services_are_told_what_to_do_and_come_back_with_a_new_code() {
    let mut campus = Campus::open();
    let receipt = campus.first_hand_in();
    let told = campus.keys(&["withdraw", "services", "--replace"]);
    let told = told.succeeded().stdout;
    assert!(
        told.contains("blackboard  needs a new certificate"),
        "{told}"
    );
    let deadline = Instant::now() + LONG;
    let log = || campus.blackboard.log();
    while !log().contains("ask CUHK's operator for a new code") {
        assert!(Instant::now() < deadline, "{}", log());
    }
    let away = campus.hand_in();
    assert_eq!(away.exit, Some(4), "{away:#?}");

    let code = ["code", "issue", "service/blackboard", "--replace", "--out"];
    campus
        .by_hand
        .cuhk(&[&code[..], &["again.code"]].concat())
        .succeeded();
    campus.blackboard_again();
    campus.hand_in().succeeded();
    campus.by_hand.student(&["verify", &receipt]).succeeded();
    let listed = campus.by_hand.student(&["receipts"]).succeeded().stdout;
    assert!(!listed.contains("does NOT verify"), "{listed}");
}

#[test]
fn an_authority_is_withdrawn_while_the_roots_key_is_on_another_machine() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let rotate = [
        "keys",
        "rotate",
        "students",
        "--passphrase-file",
        "issuers.pass",
    ];
    let root = ["--root-passphrase-file", "root.pass"];
    campus.cuhk(&[&rotate[..], &root].concat()).succeeded();
    campus.move_root_to_a_safe();

    let withdraw = ["keys", "withdraw", "students", "--reason", "superseded"];
    let told = campus.cuhk(&withdraw).succeeded().stdout;
    assert!(told.contains("does NOT name students yet"), "{told}");
    let seen = |check: &str| {
        let looked = campus.cuhk(&["doctor", "--json"]).json();
        let mut findings = looked.as_array().unwrap().iter();
        findings.find(|found| found["check"] == check).cloned()
    };
    assert_eq!(seen("withdrawal").unwrap()["outcome"], "fail");
    let request = ["keys", "request", "lists", "--out", "request.json"];
    campus.cuhk(&request).succeeded();
    let mut there = program("cuhk");
    there
        .current_dir(campus.path(""))
        .args(["--home", "nowhere"]);
    there.args(["keys", "sign-request", "request.json", "--root-dir", "safe"]);
    there.args(["--out", "answer.json"]).args(root);
    let signed = Ran::of(&mut there).succeeded().stdout;
    assert!(
        signed.contains("revoked       students (superseded)"),
        "{signed}"
    );
    campus.cuhk(&["keys", "import", "answer.json"]).succeeded();
    assert_eq!(seen("withdrawal"), None);
    let looked = campus.cuhk(&["doctor"]).stdout;
    assert!(
        looked.contains("the issuing authority `students-2` ends"),
        "{looked}"
    );
    assert!(
        !looked.contains("the issuing authority `students` ends"),
        "{looked}"
    );
    let again = campus.cuhk(&withdraw).succeeded().stdout;
    assert!(
        again.contains("the root's revocation list names it"),
        "{again}"
    );
}
