//! What pkilint says of certificates and revocation lists.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::campus::{ByHand, LONG, Ran, Server, judge, python_with, shell};

const ROSTER: &str = "sid,name,email,programme\n\
    1155000001,陳大文,,CSCI\n\
    1155000002,李小明,,CSCI\n\
    1155000003,黃小明,,CSCI\n";

/// A campus under names as they are outside, with one certificate of each kind in a file.
struct Campus {
    by_hand: ByHand,
    cuhk: Server,
}

impl Campus {
    fn open() -> Self {
        let by_hand = ByHand::new();
        let names = ["--dns", "ca.cuhk.example"];
        let public = ["--public-url", "http://crl.cuhk.example"];
        by_hand.init_with(&[names, public].concat()).succeeded();
        by_hand.roster(ROSTER).succeeded();
        let service = ["service", "add", "library", "--dns", "library.cuhk.example"];
        let service = [&service[..], &["--code-out", "library.code"]].concat();
        by_hand.cuhk(&service).succeeded();
        let cuhk = by_hand.serve_cuhk_publicly();
        let campus = Self { by_hand, cuhk };
        for sid in ["1155000001", "1155000002", "1155000003"] {
            let code = format!("$(grep ^{sid}, codes.csv | cut -d, -f4)");
            campus.enrol(sid, &code, sid);
        }
        campus.enrol("service/library", "$(cat library.code)", "library");
        campus
    }

    fn types(&self, line: &str) -> Ran {
        shell(&self.by_hand.path(""), line)
    }

    /// By EST: the certificate in a file of this name.
    fn enrol(&self, user: &str, code: &str, name: &str) {
        let address = self.cuhk.address();
        self.types(&format!(
            "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout \
             {name}.key -subj / -outform DER | openssl base64 > request.b64; \
             curl -sSf --cacert cuhk.home/ca.pem --connect-to ca.cuhk.example:443:{address} \
             -u \"{user}:{code}\" -H 'Content-Type: application/pkcs10' \
             --data-binary @request.b64 https://ca.cuhk.example/.well-known/est/simpleenroll | \
             openssl base64 -d | openssl pkcs7 -inform DER -print_certs | \
             openssl x509 -outform DER -out {name}.cer"
        ))
        .succeeded();
    }

    /// Authorities, lists and CUHK's own certificates, in files as well.
    fn fetch(&self) {
        let http = self.by_hand.http_address();
        for name in ["root", "students", "services"] {
            for file in [format!("ca/{name}.cer"), format!("crl/{name}.crl")] {
                self.types(&format!("curl -sSfO http://{http}/{file}"))
                    .succeeded();
            }
        }
        for own in ["tls", "tokens"] {
            let chain = format!("cuhk.home/{own}/chain.pem");
            self.types(&format!(
                "openssl x509 -in {chain} -outform DER -out {own}.cer"
            ))
            .succeeded();
        }
    }

    /// pkilint's findings about these documents.
    fn findings(&self, documents: &str) -> Vec<Value> {
        let mut python = Command::new("python3");
        python.arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/stories/judge_lint.py"
        ));
        python.args(documents.split_whitespace());
        let found = Ran::of(python.current_dir(self.by_hand.path(""))).succeeded();
        found.json().as_array().unwrap().clone()
    }
}

/// Code and severity of the findings that the page about tests gives a reason for.
fn accepted() -> Vec<(String, String)> {
    let page = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/TESTING.md"));
    let page = fs::read_to_string(page).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `pkix."));
    let cell = |row: &str, index| {
        let cell = row.split('|').nth(index).unwrap();
        cell.trim().trim_matches('`').to_owned()
    };
    rows.map(|row| (cell(row, 1), cell(row, 2))).collect()
}

fn is_accepted(finding: &Value) -> bool {
    let is = |(code, severity): &(String, String)| {
        finding["code"] == code.as_str() && finding["severity"] == severity.as_str()
    };
    finding["severity"] != "ERROR" && finding["severity"] != "FATAL" && accepted().iter().any(is)
}

fn judges() -> bool {
    judge("openssl").is_some() && judge("curl").is_some() && python_with(&["pkilint"]).is_some()
}

#[test]
fn certificates_and_lists_pass_with_no_error_and_a_reason_for_every_finding() {
    if !judges() {
        return;
    }
    let campus = Campus::open();
    let since = ["--compromised-since", "2026-02-01"];
    let revoke = ["revoke", "1155000001", "--reason", "key_compromise"];
    campus
        .by_hand
        .cuhk(&[&revoke[..], &since].concat())
        .succeeded();
    campus
        .by_hand
        .cuhk(&["roster", "suspend", "1155000002"])
        .succeeded();
    campus.fetch();
    let listed = campus.types("openssl crl -inform DER -in students.crl -noout -text");
    let listed = listed.succeeded().stdout;
    assert_eq!(listed.matches("Serial Number").count(), 2, "{listed}");

    let documents = "cert root.cer cert students.cer cert services.cer cert 1155000003.cer \
        cert library.cer cert tls.cer cert tokens.cer \
        crl root.crl crl students.crl crl services.crl \
        pair root.cer students.cer pair root.cer services.cer pair students.cer 1155000003.cer \
        pair services.cer library.cer pair services.cer tls.cer pair services.cer tokens.cer";
    let findings = campus.findings(documents);
    let open: Vec<_> = findings
        .iter()
        .filter(|found| !is_accepted(found))
        .collect();
    assert!(open.is_empty(), "{open:#?}");
    let used = |(code, _): &(String, String)| findings.iter().any(|found| found["code"] == **code);
    assert!(
        accepted().iter().all(used),
        "a reason for what is not found: {findings:#?}"
    );
}

#[test]
fn lists_that_name_an_authority_pass_as_well() {
    if !judges() {
        return;
    }
    let campus = Campus::open();
    let withdraw = ["keys", "withdraw", "students", "--replace"];
    let since = ["--compromised-since", "2026-02-01"];
    let issuers = ["--passphrase-file", "issuers.pass"];
    let root = ["--root-passphrase-file", "root.pass"];
    let withdraw = [&withdraw[..], &since, &issuers, &root].concat();
    campus.by_hand.cuhk(&withdraw).succeeded();
    let deadline = Instant::now() + LONG;
    let listed = || {
        campus.fetch();
        let text = campus.types("openssl crl -inform DER -in root.crl -noout -text");
        text.succeeded().stdout
    };
    while !listed().contains("CA Compromise") {
        assert!(Instant::now() < deadline, "{}", listed());
    }
    let findings = campus.findings("crl root.crl crl students.crl");
    assert!(findings.iter().all(is_accepted), "{findings:#?}");
}

#[test]
fn what_two_roots_say_of_each_other_passes_as_well() {
    if !judges() {
        return;
    }
    let campus = Campus::open();
    let root = ["--root-passphrase-file", "root.pass"];
    let rotate = [&["keys", "rotate", "root"], &root[..]].concat();
    campus.by_hand.cuhk(&rotate).succeeded();
    for (file, name) in [
        ("root/cert", "root"),
        ("root-2/cert", "root-2"),
        ("root-2/new-with-old", "new-with-old"),
        ("root-2/old-with-new", "old-with-new"),
    ] {
        let convert = "openssl x509 -outform DER -in cuhk.home/FILE.pem -out NAME.cer";
        let convert = convert.replace("FILE", file).replace("NAME", name);
        campus.types(&convert).succeeded();
    }
    let findings = campus.findings(
        "cert root-2.cer cert new-with-old.cer cert old-with-new.cer \
         pair root.cer new-with-old.cer pair root-2.cer old-with-new.cer",
    );
    assert!(findings.iter().all(is_accepted), "{findings:#?}");
}

#[test]
fn what_is_wrong_is_found() {
    if !judges() {
        return;
    }
    let campus = Campus::open();
    campus.fetch();
    campus
        .types(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout x.key \
             -subj /CN=x -addext basicConstraints=CA:TRUE -addext keyUsage=keyCertSign \
             -addext subjectAltName=URI:spiffe://no_host/x -outform DER -out wrong.cer",
        )
        .succeeded();
    let findings = campus.findings("cert wrong.cer pair students.cer library.cer");
    let found = |code: &str, file: &str| {
        let mut findings = findings.iter();
        findings.any(|found| found["code"] == code && found["file"] == file && !is_accepted(found))
    };
    assert!(
        found("pkix.invalid_uri_syntax", "wrong.cer"),
        "{findings:#?}"
    );
    assert!(
        findings.iter().any(|found| found["file"] == "library.cer"),
        "{findings:#?}"
    );
}
