//! A new root, and people who know the old one alone: `curl` and `openssl` go on.

use std::fs;
use std::time::Instant;

use crate::campus::{ByHand, LONG, Ran, Server, judge, program, shell};

const PASSPHRASES: [&str; 4] = [
    "--passphrase-file",
    "issuers.pass",
    "--root-passphrase-file",
    "root.pass",
];
const NEW_WITH_OLD: &str = "root-2/new-with-old.pem";
const OLD_WITH_NEW: &str = "root-2/old-with-new.pem";

struct Campus {
    by_hand: ByHand,
    cuhk: Option<Server>,
}

impl Campus {
    /// With a student who has a code and knows the first root, in `first.pem`.
    fn open() -> Option<Self> {
        judge("openssl").and(judge("curl"))?;
        let by_hand = ByHand::new();
        let public = ["--public-url", "http://crl.cuhk.example"];
        by_hand.init_with(&public).succeeded();
        by_hand
            .roster("sid,name,email,programme\n1155000001,Chan,,CSCI\n")
            .succeeded();
        let home = by_hand.path("cuhk.home");
        fs::copy(home.join("ca.pem"), by_hand.path("first.pem")).unwrap();
        let cuhk = Some(by_hand.serve_cuhk_publicly());
        Some(Self { by_hand, cuhk })
    }

    fn keys(&self, arguments: &[&str]) -> Ran {
        let line = [&["keys"], arguments, &PASSPHRASES[..]].concat();
        self.by_hand.cuhk(&line)
    }

    fn types(&self, line: &str) -> Ran {
        let address = self.cuhk.as_ref().unwrap().address();
        let (_, port) = address.rsplit_once(':').unwrap();
        let line = line
            .replace("CUHK", &format!("localhost:{port}"))
            .replace("HTTP", &self.by_hand.http_address());
        shell(&self.by_hand.path(""), &line)
    }

    /// The root, and then both issuing authorities under the new one, each of which issues in the end.
    fn rotate(&self) {
        let told = self.keys(&["rotate", "root"]).succeeded().stdout;
        assert!(told.contains("go on with the old ca.pem"), "{told}");
        for kind in ["services", "students"] {
            self.keys(&["rotate", kind]).succeeded();
        }
        let deadline = Instant::now() + LONG;
        for name in ["services-2", "students-2"] {
            let is_active = || {
                let listed = self.by_hand.cuhk(&["keys", "list"]).succeeded().stdout;
                let line = listed
                    .lines()
                    .find(|line| line.starts_with(name))
                    .map(str::to_owned);
                line.is_some_and(|line| line.contains("active"))
            };
            while !is_active() {
                assert!(Instant::now() < deadline, "{name}");
            }
        }
    }

    /// As after sixty days: a certificate for TLS that does not fit is made anew, under the new root.
    fn shows_the_new_root(&mut self) {
        drop(self.cuhk.take());
        let config = self.by_hand.path("cuhk.home/config.toml");
        let text = fs::read_to_string(&config).unwrap();
        let more = text.replace("\"localhost\"", "\"localhost\", \"ca.cuhk.example\"");
        assert_ne!(text, more);
        fs::write(&config, more).unwrap();
        self.cuhk = Some(self.by_hand.serve_cuhk_publicly());
        let chain = self.types("openssl s_client -connect CUHK -showcerts </dev/null");
        fs::write(self.by_hand.path("shown.pem"), chain.succeeded().stdout).unwrap();
    }

    /// With this root alone, or these.
    fn authorities(&self, roots: &str) -> Ran {
        self.types(&format!(
            "curl -sSf --cacert {roots} https://CUHK/.well-known/est/cacerts | openssl base64 -d | \
             openssl pkcs7 -inform DER -print_certs -out cas.pem"
        ))
    }

    fn lists(&self) {
        for list in ["root", "root-2", "students-2", "services-2", "students"] {
            self.types(&format!(
                "curl -sSf http://HTTP/crl/{list}.crl | openssl crl -inform DER -out {list}.crl"
            ))
            .succeeded();
        }
    }

    fn verifies(&self, roots: &str, untrusted: &str, what: &str) -> Ran {
        self.types(&format!(
            "openssl verify -x509_strict -crl_check_all -CAfile {roots} -untrusted {untrusted} \
             -CRLfile root.crl -CRLfile root-2.crl -CRLfile students-2.crl -CRLfile services-2.crl \
             -CRLfile students.crl {what}"
        ))
    }
}

const REQUEST: &str = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout KEY.key \
                       -subj / -outform DER | openssl base64 > KEY.b64";
const ENROL: &str = "curl -sSf --cacert first.pem -u \"1155000001:$(grep ^1155 codes.csv | cut -d, -f4)\" \
                     -H 'Content-Type: application/pkcs10' --data-binary @one.b64 \
                     https://CUHK/.well-known/est/simpleenroll | openssl base64 -d | \
                     openssl pkcs7 -inform DER -print_certs -out one.pem";
const RENEW: &str = "curl -sSf --cacert first.pem --cert one.pem --key one.key \
                     -H 'Content-Type: application/pkcs10' --data-binary @two.b64 \
                     https://CUHK/.well-known/est/simplereenroll | openssl base64 -d | \
                     openssl pkcs7 -inform DER -print_certs -out two.pem";

#[test]
fn who_knows_the_old_root_alone_goes_on() {
    let Some(mut campus) = Campus::open() else {
        return;
    };
    campus.types(&REQUEST.replace("KEY", "one")).succeeded();
    campus.types(ENROL).succeeded();
    campus.rotate();
    campus.shows_the_new_root();
    let home = "cuhk.home";
    let second = &format!("{home}/root-2/cert.pem");
    let both = &format!("{home}/ca.pem");
    let issuer = "openssl x509 -in shown.pem -noout -issuer";
    assert_ne!(
        campus.types(issuer).succeeded().stdout,
        campus
            .types("openssl x509 -in cuhk.home/issuers/services/cert.pem -noout -subject")
            .succeeded()
            .stdout
            .replace("subject", "issuer"),
    );
    for roots in ["first.pem", second, both] {
        campus.authorities(roots).succeeded();
    }
    campus.types(&REQUEST.replace("KEY", "two")).succeeded();
    campus.types(RENEW).succeeded();
    campus.lists();
    // The chain that the server shows, its lists with it; what was issued before and since.
    for roots in ["first.pem", second, both] {
        campus.verifies(roots, "shown.pem", "shown.pem").succeeded();
        for leaf in ["one.pem", "two.pem"] {
            campus.verifies(roots, "cas.pem", leaf).succeeded();
        }
    }
    // Frames have no longer chain than before.
    let counted = |protocol: &str| {
        let line = "openssl s_client -connect CUHK -alpn PROTOCOL -showcerts </dev/null | \
                    grep -ac 'BEGIN CERTIFICATE'";
        let shown = campus.types(&line.replace("PROTOCOL", protocol));
        shown.succeeded().stdout.trim().to_owned()
    };
    assert_eq!(["scb/1", "h2", "http/1.1"].map(counted), ["3", "4", "4"]);
    missing_ones_are_made_again(&campus);
    a_backup_has_them(&campus);
}

/// A home whose root was followed by an earlier version has none: everything goes on without, and the root makes them
/// with its list.
fn missing_ones_are_made_again(campus: &Campus) {
    let home = campus.by_hand.path("cuhk.home");
    for file in [NEW_WITH_OLD, OLD_WITH_NEW] {
        fs::remove_file(home.join(file)).unwrap();
    }
    campus
        .by_hand
        .cuhk(&["keys", "rotate", "tokens"])
        .succeeded();
    let deadline = Instant::now() + LONG;
    let is_taken = || campus.authorities("first.pem").exit == Some(0);
    while is_taken() {
        assert!(
            Instant::now() < deadline,
            "without them only the new root counts"
        );
    }
    campus.authorities("cuhk.home/ca.pem").succeeded();
    let sign = ["root", "sign-crl", "--root-passphrase-file", "root.pass"];
    campus.by_hand.cuhk(&sign).succeeded();
    while !is_taken() {
        assert!(Instant::now() < deadline);
    }
    // Signed once more, those that are there stay.
    let before = fs::read(home.join(NEW_WITH_OLD)).unwrap();
    campus.by_hand.cuhk(&sign).succeeded();
    assert_eq!(fs::read(home.join(NEW_WITH_OLD)).unwrap(), before);
}

fn a_backup_has_them(campus: &Campus) {
    campus.by_hand.cuhk(&["backup", "cuhk.zip"]).succeeded();
    let mut command = program("cuhk");
    command.current_dir(campus.by_hand.path(""));
    Ran::of(command.args(["restore", "cuhk.zip", "--home", "restored.home"])).succeeded();
    for file in [NEW_WITH_OLD, OLD_WITH_NEW] {
        let read = |home: &str| fs::read(campus.by_hand.path(home).join(file)).unwrap();
        assert_eq!(read("restored.home"), read("cuhk.home"), "{file}");
    }
}

#[test]
fn where_the_root_is_on_another_machine_it_says_what_it_puts_into_them() {
    if judge("openssl").is_none() {
        return;
    }
    let campus = ByHand::new();
    let public = ["--public-url", "http://crl.cuhk.example"];
    campus.init_with(&public).succeeded();
    campus.move_root_to_a_safe();
    campus
        .cuhk(&["keys", "request", "root", "--out", "request.json"])
        .succeeded();
    let sign = |request: &str, next: &str| {
        let mut command = program("cuhk");
        command.current_dir(campus.path(""));
        command.args(["--home", "nowhere", "keys", "sign-request", request]);
        command.args(["--root-dir", "safe", "--new-root-dir", next]);
        command.args([
            "--out",
            "answer.json",
            "--root-passphrase-file",
            "root.pass",
        ]);
        Ran::of(&mut command)
    };
    let signed = |request: &str, next: &str| sign(request, next).succeeded().stdout;
    let import = || campus.cuhk(&["keys", "import", "answer.json"]);
    let nothing_is_taken = || {
        let refused = import();
        assert_eq!(refused.exit, Some(3), "{refused:#?}");
        assert!(
            refused.stderr.contains("[ceremony_invalid]"),
            "{refused:#?}"
        );
        assert!(!campus.path("cuhk.home/root-2").exists());
    };
    let asked = fs::read_to_string(campus.path("request.json")).unwrap();
    let evil = asked.replace(
        "http://crl.cuhk.example/crl/root.crl",
        "http://evil.example/x.crl",
    );
    assert_ne!(evil, asked);
    fs::write(campus.path("carried.json"), evil).unwrap();
    let told = signed("carried.json", "safe-2");
    assert!(
        told.contains("names         http://evil.example/x.crl"),
        "{told}"
    );
    nothing_is_taken();
    // With no other root asked for nobody would be shown any address.
    let mut unseen: serde_json::Value = serde_json::from_str(&asked).unwrap();
    unseen.as_object_mut().unwrap().remove("next").unwrap();
    fs::write(campus.path("carried.json"), unseen.to_string()).unwrap();
    let refused = sign("carried.json", "safe-4");
    assert_eq!(refused.exit, Some(3), "{refused:#?}");
    assert!(
        refused.stderr.contains("[ceremony_invalid]"),
        "{refused:#?}"
    );

    // Another root than the next one, which the first has certified as well.
    signed("request.json", "safe-3");
    let other = answer(&campus);
    let told = signed("request.json", "safe-2");
    assert!(
        told.contains("http://crl.cuhk.example/crl/root-2.crl"),
        "{told}"
    );
    let own = answer(&campus);
    let mut mixed = own.clone();
    mixed["crosses"] = other["crosses"].clone();
    fs::write(campus.path("answer.json"), mixed.to_string()).unwrap();
    nothing_is_taken();

    // The twin.
    fs::write(campus.path("answer.json"), own.to_string()).unwrap();
    import().succeeded();
    let line = "openssl verify -CAfile safe/cert.pem cuhk.home/root-2/new-with-old.pem && \
                openssl verify -CAfile safe-2/cert.pem cuhk.home/root-2/old-with-new.pem";
    shell(&campus.path(""), line).succeeded();
    for file in [NEW_WITH_OLD, OLD_WITH_NEW] {
        assert_eq!(campus.mode(&format!("cuhk.home/{file}")), 0o644);
    }
}

fn answer(campus: &ByHand) -> serde_json::Value {
    serde_json::from_slice(&fs::read(campus.path("answer.json")).unwrap()).unwrap()
}

/// The first root as an earlier version made it: one authority may follow it, and no more.
const EARLIER: &str = "id=$(openssl x509 -in cuhk.home/root/cert.pem -noout -ext subjectKeyIdentifier | tail -1 | \
        tr -d ' '); printf '%s\\n' basicConstraints=critical,CA:TRUE,pathlen:1 \
        keyUsage=critical,keyCertSign,cRLSign subjectAltName=URI:spiffe://cuhk.example \
        subjectKeyIdentifier=$id authorityKeyIdentifier=keyid:always > earlier.cnf; \
    openssl x509 -in cuhk.home/root/cert.pem -signkey cuhk.home/root/key.pem -passin file:root.pass \
        -days 3650 -clrext -extfile earlier.cnf -out earlier.pem; \
    cp earlier.pem cuhk.home/root/cert.pem; cp earlier.pem cuhk.home/ca.pem";

#[test]
fn a_root_of_an_earlier_version_is_followed_as_ever() {
    if judge("openssl").and(judge("curl")).is_none() {
        return;
    }
    let by_hand = ByHand::new();
    by_hand.init().succeeded();
    shell(&by_hand.path(""), EARLIER).succeeded();
    let campus = Campus {
        cuhk: Some(by_hand.serve_cuhk_publicly()),
        by_hand,
    };
    let told = campus.keys(&["rotate", "root"]).succeeded().stdout;
    assert!(
        told.contains("the old one does not certify it, as one of an earlier version cannot"),
        "{told}"
    );
    let home = campus.by_hand.path("cuhk.home");
    assert!(!home.join(NEW_WITH_OLD).exists());
    assert!(home.join(OLD_WITH_NEW).exists(), "the new one can");
    // The server that runs shows it within a second.
    let deadline = Instant::now() + LONG;
    while campus.authorities("cuhk.home/root-2/cert.pem").exit != Some(0) {
        assert!(Instant::now() < deadline);
    }
    for roots in ["earlier.pem", "cuhk.home/ca.pem"] {
        campus.authorities(roots).succeeded();
    }
    let sign = ["root", "sign-crl", "--root-passphrase-file", "root.pass"];
    campus.by_hand.cuhk(&sign).succeeded();
    assert!(!home.join(NEW_WITH_OLD).exists());
}

/// Cut off when the files were written, and not yet what records them.
#[test]
fn a_change_that_was_cut_off_is_ended_by_the_same_command() {
    if judge("openssl").and(judge("curl")).is_none() {
        return;
    }
    let by_hand = ByHand::new();
    by_hand.init().succeeded();
    shell(&by_hand.path(""), "cp -r cuhk.home copy.home").succeeded();
    let mut elsewhere = program("cuhk");
    elsewhere.current_dir(by_hand.path(""));
    elsewhere.args(["--home", "copy.home", "keys", "rotate", "root"]);
    Ran::of(elsewhere.args(PASSPHRASES)).succeeded();
    shell(&by_hand.path(""), "cp -r copy.home/root-2 cuhk.home/").succeeded();
    let campus = Campus {
        cuhk: Some(by_hand.serve_cuhk_publicly()),
        by_hand,
    };
    let handed_out = || {
        campus.authorities("cuhk.home/ca.pem").succeeded();
        let read = fs::read_to_string(campus.by_hand.path("cas.pem")).unwrap();
        read.matches("BEGIN CERTIFICATE").count()
    };
    assert_eq!(handed_out(), 3, "nothing of it");
    campus.keys(&["rotate", "root"]).succeeded();
    let deadline = Instant::now() + LONG;
    while handed_out() != 6 {
        assert!(Instant::now() < deadline);
    }
    let line = "openssl verify -CAfile cuhk.home/root/cert.pem cuhk.home/root-2/new-with-old.pem && \
                openssl verify -CAfile cuhk.home/root-2/cert.pem cuhk.home/root-2/old-with-new.pem";
    campus.types(line).succeeded();
}
