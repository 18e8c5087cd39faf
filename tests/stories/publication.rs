//! What CUHK publishes, followed from the certificates by people who have only `curl` and
//! `openssl`, and what Blackboard makes of the same.

use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::campus::{ByHand, Ran, Server, judge};

/// The address that certificates name; on this machine nobody has it.
const PUBLIC_URL: &str = "http://crl.cuhk.example";

const ROSTER: &str = "sid,name,email,programme\n\
    1155000001,陳大文,,CSCI\n\
    1155000002,李小明,,CSCI\n";

/// A campus whose certificates name the addresses at which CUHK publishes.
struct Campus {
    by_hand: ByHand,
    cuhk: Server,
    blackboard: Server,
}

impl Campus {
    fn open() -> Self {
        let by_hand = ByHand::new();
        by_hand.init_with(&["--public-url", PUBLIC_URL]).succeeded();
        by_hand.roster(ROSTER).succeeded();
        let cuhk = by_hand.serve_cuhk_publicly();
        let blackboard = by_hand.serve_blackboard(&cuhk);
        Self {
            by_hand,
            cuhk,
            blackboard,
        }
    }

    /// What `curl` gets from a public address.
    fn fetch(&self, url: &str, into: &str) {
        let listens = self.by_hand.http_address();
        let connect = format!("crl.cuhk.example:80:{listens}");
        let curl = ["curl", "-sSf", "--connect-to", &connect, "-o", into, url];
        self.run(&curl).succeeded();
    }

    fn run(&self, command: &[&str]) -> Ran {
        let [program, arguments @ ..] = command else {
            panic!("no command");
        };
        let folder = self.by_hand.path("");
        Ran::of(Command::new(program).current_dir(folder).args(arguments))
    }

    fn openssl(&self, arguments: &str) -> Ran {
        let words: Vec<_> = arguments.split(' ').collect();
        self.run(&[&["openssl"], &words[..]].concat())
    }

    /// The addresses of the list and of the issuer that the certificate in a file names.
    fn named(&self, file: &str) -> Vec<String> {
        let shown = self
            .openssl(&format!(
                "x509 -in {file} -noout -ext crlDistributionPoints,authorityInfoAccess"
            ))
            .succeeded()
            .stdout;
        shown
            .split("URI:")
            .skip(1)
            .filter_map(|rest| Some(rest.split_whitespace().next()?.to_owned()))
            .collect()
    }

    /// Fetches what the chain of a leaf names, up to the root, and has `openssl` verify it.
    fn verify(&self, leaf: &str) -> Ran {
        self.fetch(&format!("{PUBLIC_URL}/ca.pem"), "root.pem");
        let (mut lists, mut issuers) = (String::new(), String::new());
        let mut subject = leaf.to_owned();
        for issuer in ["issuer", "root"] {
            let urls = self.named(&subject);
            let [crl, ca] = &urls[..] else {
                panic!("{subject}: {urls:?}");
            };
            self.fetch(crl, "list.der");
            self.fetch(ca, "ca.der");
            lists += &self
                .openssl("crl -inform DER -in list.der")
                .succeeded()
                .stdout;
            subject = format!("{issuer}.fetched.pem");
            self.openssl(&format!("x509 -inform DER -in ca.der -out {subject}"))
                .succeeded();
            issuers += &fs::read_to_string(self.by_hand.path(&subject)).unwrap();
        }
        fs::write(self.by_hand.path("lists.pem"), lists).unwrap();
        fs::write(self.by_hand.path("issuers.pem"), issuers).unwrap();
        self.openssl(&format!(
            "verify -x509_strict -crl_check_all -CAfile root.pem -untrusted issuers.pem \
             -CRLfile lists.pem {leaf}"
        ))
    }

    fn submit(&self, sid: &str) -> Ran {
        let (cuhk, blackboard) = (self.cuhk.address(), self.blackboard.address());
        let to = ["--cuhk", &cuhk, "--blackboard", &blackboard, "--json"];
        let who = ["submit", "report.pdf", "--ids", sid, "--codes", "codes.csv"];
        let ca = ["--ca", "cuhk.home/ca.pem"];
        self.by_hand.student(&[&who[..], &to, &ca].concat())
    }
}

#[test]
fn openssl_with_fetched_lists_agrees_with_blackboard() {
    let (Some(_), Some(_)) = (judge("openssl"), judge("curl")) else {
        return;
    };
    let campus = Campus::open();
    let chain = |sid: &str| format!("student.home/students/{sid}/chain.pem");
    for sid in ["1155000001", "1155000002"] {
        campus.submit(sid).succeeded();
        campus.verify(&chain(sid)).succeeded();
    }
    campus
        .by_hand
        .cuhk(&[
            "revoke",
            "1155000001",
            "--reason",
            "key_compromise",
            "--compromised-since",
            "2026-02-01T08:00:00+08:00",
        ])
        .succeeded();
    let refused = campus.verify(&chain("1155000001"));
    assert!(
        refused.stderr.contains("certificate revoked"),
        "{refused:?}"
    );
    // In TLS once the lists are there, before that because CUHK is asked.
    let refused = campus.submit("1155000001");
    assert_eq!(refused.exit, Some(3), "{refused:?}");
    let by_either = ["certificate_revoked", "student_inactive"];
    let told = |code| refused.stderr.contains(&format!("\"{code}\""));
    assert!(by_either.into_iter().any(told), "{refused:?}");
    campus.verify(&chain("1155000002")).succeeded();
    campus.submit("1155000002").succeeded();
    // The list is some seconds old; for whose clock is slow it counts as well.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let minutes_ago = now.as_secs() - 8 * 60;
    campus
        .openssl(&format!(
            "verify -attime {minutes_ago} -crl_check_all -CAfile root.pem -untrusted issuers.pem \
             -CRLfile lists.pem {}",
            chain("1155000002")
        ))
        .succeeded();

    campus.fetch(&format!("{PUBLIC_URL}/crl/students.crl"), "list.der");
    let list = campus.openssl("crl -inform DER -in list.der -noout -text");
    let list = list.succeeded().stdout;
    for expected in [
        "Key Compromise",
        "Invalidity Date",
        "Feb  1 00:00:00 2026 GMT",
    ] {
        assert!(list.contains(expected), "{list}");
    }
}

#[test]
fn a_time_of_compromise_needs_that_reason() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let told = campus.cuhk(&["revoke", "1155000001", "--compromised-since", "2026-02-01"]);
    assert_eq!(told.exit, Some(2), "{told:?}");
    assert!(told.stderr.contains("--reason key_compromise"), "{told:?}");
}

#[test]
fn a_server_that_does_not_publish_what_certificates_name_says_so() {
    let campus = ByHand::new();
    campus.init_with(&["--public-url", PUBLIC_URL]).succeeded();
    let silent = campus.serve_cuhk();
    assert!(
        silent.log().contains("none are published"),
        "{}",
        silent.log()
    );
    drop(silent);
    let publishing = campus.serve_cuhk_with(&["--http", "127.0.0.1:0"]);
    assert!(
        publishing
            .said()
            .contains("revocation lists at http://127.0.0.1:")
    );
    assert!(!publishing.log().contains("none are published"));
}
