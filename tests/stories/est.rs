//! Enrolment without any of our programs: what the README says, typed as it stands there.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::campus::{Campus, LONG, Ran, judge, shell};

/// The lines of the README that enrol a student, as it has them.
fn lines() -> Vec<String> {
    lines_after("## With curl and openssl alone")
}

/// All lines of the README that are typed here.
pub(crate) fn typed() -> Vec<String> {
    [lines(), renewing()].concat()
}

/// Those that renew.
fn renewing() -> Vec<String> {
    lines_after("makes a new root of CUHK known:")
}

/// The block of lines that is next after these words.
fn lines_after(words: &str) -> Vec<String> {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, after) = readme.split_once(words).unwrap();
    let commands = after
        .lines()
        .skip_while(|line| !line.starts_with("    "))
        .take_while(|line| line.starts_with("    "));
    commands.map(|line| line.trim().to_owned()).collect()
}

/// A request for another key, which asks for another name.
const NEXT_KEY: &str = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc \
    -keyout next.pem -subj /CN=somebody.else -outform DER | openssl base64 > next.b64";

/// A student with a shell, `curl`, `openssl`, the root certificate and a code.
struct Outsider {
    campus: Campus,
}

impl Outsider {
    /// The first student of a fresh sandbox; nobody, where the judges are missing.
    fn new() -> Option<Self> {
        judge("openssl").and(judge("curl"))?;
        let outsider = Self {
            campus: Campus::sandbox(),
        };
        let root = outsider.campus.path().join("ca.pem");
        fs::copy(root, outsider.folder().join("ca.pem")).unwrap();
        outsider.holds(&outsider.credentials("1155000001"));
        Some(outsider)
    }

    fn folder(&self) -> &Path {
        self.campus.outside()
    }

    /// A student ID with the code for it.
    fn credentials(&self, sid: &str) -> String {
        format!("{sid}:{}", code(&self.campus, sid))
    }

    /// These of the README's lines, one after another.
    fn types_lines(&self, numbers: &[usize]) {
        let lines = lines();
        for number in numbers {
            self.types(&lines[*number]).succeeded();
        }
    }

    /// Puts a user and a password where `curl` finds them.
    fn holds(&self, credentials: &str) {
        let file = format!("user = \"{credentials}\"\n");
        fs::write(self.folder().join("code.curl"), file).unwrap();
    }

    /// A line, with the address of this CUHK.
    fn types(&self, line: &str) -> Ran {
        let line = line.replace("localhost:8011", &self.campus.cuhk.address());
        shell(self.folder(), &line)
    }

    /// The answer of `simpleenroll` or `simplereenroll`, with its status at the end.
    fn asks(&self, operation: &str, more: &str) -> String {
        self.types(&format!(
            "curl -sS --cacert ca.pem {more} -w '%{{http_code}}' \
             -H 'Content-Type: application/pkcs10' --data-binary @request.b64 \
             https://localhost:8011/.well-known/est/{operation}"
        ))
        .succeeded()
        .stdout
    }
}

fn code(campus: &Campus, sid: &str) -> String {
    let sheet = fs::read_to_string(campus.path().join("codes.csv")).unwrap();
    let row = sheet.lines().find(|line| line.starts_with(sid)).unwrap();
    row.split(',').nth(3).unwrap().to_owned()
}

#[test]
fn five_lines_of_the_readme_enrol_a_student() {
    let Some(student) = Outsider::new() else {
        return;
    };
    let lines = lines();
    assert_eq!(lines.len(), 5, "{lines:#?}");
    student.types_lines(&[0, 1, 2, 3, 4]);
    let leaf = student.types("openssl x509 -in cert.pem -noout -text");
    let leaf = leaf.succeeded().stdout;
    assert!(leaf.contains("/student/1155000001"), "{leaf}");
    let listed = student.campus.administer_cuhk(&["certs", "list", "--json"]);
    let listed = listed.succeeded().stdout;
    assert!(listed.contains("1155000001"), "{listed}");

    // The same code with the same key is the same certificate, with another key nothing.
    let first = fs::read(student.folder().join("cert.pem")).unwrap();
    student.types_lines(&[0, 1, 2, 3, 4]);
    assert_eq!(fs::read(student.folder().join("cert.pem")).unwrap(), first);
    fs::remove_file(student.folder().join("key.pem")).unwrap();
    student.types_lines(&[0, 2]);
    let refused = student.asks("simpleenroll", "-K code.curl");
    assert!(refused.starts_with("code_used:"), "{refused}");
    assert!(refused.ends_with("403"), "{refused}");
}

#[test]
fn the_certificate_renews_itself_and_without_one_nothing_is_renewed() {
    let Some(student) = Outsider::new() else {
        return;
    };
    student.types_lines(&[0, 1, 2, 3, 4]);
    let own = "--cert cert.pem --key key.pem --cacert cas.pem";
    let renewed = |operation: &str| {
        student
            .types(&format!(
                "curl -sSf {own} -H 'Content-Type: application/pkcs10' --data-binary @{operation} \
                 https://localhost:8011/.well-known/est/simplereenroll | openssl base64 -d | \
                 openssl pkcs7 -inform DER -print_certs | openssl x509 -noout -serial -subject"
            ))
            .succeeded()
            .stdout
    };
    let before = student.types("openssl x509 -in cert.pem -noout -serial -subject");
    let before = before.succeeded().stdout;
    // A young certificate for the same key is the one that there is.
    assert_eq!(renewed("request.b64"), before);
    student.types(NEXT_KEY).succeeded();
    let next = renewed("next.b64");
    assert_ne!(next, before);
    // OpenSSL 3.2 and newer write no spaces there.
    let name = next.replace(" = ", "=");
    assert!(name.contains("CN=1155000001"), "{next}");
    assert_eq!(
        renewed("next.b64"),
        next,
        "a lost answer is asked for again"
    );

    student.types(NEXT_KEY).succeeded();
    student.types("cp next.b64 request.b64").succeeded();
    let another = student.asks("simplereenroll", own);
    assert!(another.starts_with("certificate_superseded:"), "{another}");

    let nobody = student.asks("simplereenroll", "");
    assert!(nobody.starts_with("certificate_missing:"), "{nobody}");
    student
        .campus
        .administer_cuhk(&["revoke", "1155000001"])
        .succeeded();
    let revoked = student.types(&format!(
        "curl -sSf {own} -H 'Content-Type: application/pkcs10' --data-binary @next.b64 \
         https://localhost:8011/.well-known/est/simplereenroll"
    ));
    assert_ne!(revoked.exit, Some(0), "{revoked:?}");
}

#[test]
fn the_lines_that_renew_a_certificate_go_on_under_a_new_root() {
    let Some(student) = Outsider::new() else {
        return;
    };
    student.types_lines(&[0, 1, 2, 3, 4]);
    let keys = |more: &[&str]| student.campus.administer_cuhk(&[&["keys"], more].concat());
    let file = student.campus.path().join("cuhk.passphrase");
    let file = file.to_str().unwrap();
    keys(&["rotate", "root", "--root-passphrase-file", file]).succeeded();
    let both = ["--passphrase-file", file, "--root-passphrase-file", file];
    for kind in ["services", "students"] {
        keys(&[&["rotate", kind], &both[..]].concat()).succeeded();
    }
    let is_active = |key: &Value| key["kind"] == "students-2" && key["state"] == "active";
    let deadline = Instant::now() + LONG;
    while !keys(&["list", "--json"])
        .json()
        .as_array()
        .unwrap()
        .iter()
        .any(is_active)
    {
        assert!(Instant::now() < deadline);
    }
    // The server that runs issues by it within a second.
    std::thread::sleep(Duration::from_secs(2));
    let issuer = || {
        student
            .types("openssl x509 -in cert.pem -noout -issuer")
            .succeeded()
    };
    let before = issuer().stdout;
    let lines = renewing();
    assert_eq!(lines.len(), 5, "{lines:#?}");
    // Cut off after the request, it is asked again for the same key.
    for line in lines[..4].iter().chain(&lines) {
        student.types(line).succeeded();
    }
    assert_ne!(issuer().stdout, before);
    let roots = fs::read_to_string(student.folder().join("ca.pem")).unwrap();
    assert_eq!(roots.matches("BEGIN CERTIFICATE").count(), 2);
}

/// As the README leaves it: the certificate alone, or with what `cacerts` gave, in its order.
#[test]
fn a_certificate_is_renewed_without_the_chain_that_it_needs() {
    let Some(student) = Outsider::new() else {
        return;
    };
    student.types_lines(&[0, 1, 2, 3]);
    student.types(NEXT_KEY).succeeded();
    student.types("cp next.b64 request.b64").succeeded();
    student.types("cat cert.pem cas.pem > all.pem").succeeded();
    for shown in ["cert.pem", "all.pem"] {
        let renewed = student.asks("simplereenroll", &format!("--cert {shown} --key key.pem"));
        assert!(renewed.ends_with("200"), "{shown}: {renewed}");
    }
    // With a certificate that only looks like one of CUHK's there is no connection.
    let forge = "openssl req -x509 -new -key next.pem -subj /CN=students -out forged.pem";
    student.types(forge).succeeded();
    let refused = student.types(
        "curl -sS --cacert ca.pem --cert forged.pem --key next.pem --data-binary @request.b64 \
         https://localhost:8011/.well-known/est/simplereenroll",
    );
    assert_ne!(refused.exit, Some(0), "{refused:#?}");
}

#[test]
fn wrong_codes_are_told_alike_and_the_fifth_closes_the_connection() {
    let Some(student) = Outsider::new() else {
        return;
    };
    student.types_lines(&[0, 2]);
    let wrong = "7K3QX-9M2BD-0ZT4H-WC6RN-5PVJE";
    let mut answers = Vec::new();
    for credentials in [
        format!("1155000001:{wrong}"),
        format!("1155999999:{wrong}"),
        format!("1155000002:{}", code(&student.campus, "1155000001")),
        "1155000001:none".to_owned(),
        "../x:none".to_owned(),
    ] {
        student.holds(&credentials);
        answers.push(student.asks("simpleenroll", "-K code.curl"));
    }
    assert!(answers[0].starts_with("enrolment_refused:"), "{answers:#?}");
    assert!(
        answers[0].contains("does not accept this user") && answers[0].contains("service/NAME"),
        "{}",
        answers[0]
    );
    assert!(answers.iter().all(|answer| answer.ends_with("401")));
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:#?}"
    );

    // Six requests on one connection, the last with the right code.
    student.holds(&format!("1155000001:{wrong}"));
    let url = "https://localhost:8011/.well-known/est/simpleenroll";
    for version in ["--http1.1", "--http2"] {
        let one = format!(
            "-sS {version} --cacert ca.pem -K code.curl -H 'Content-Type: application/pkcs10' \
             --data-binary @request.b64 -o /dev/null -w '%{{http_code}} %{{num_connects}}\\n' {url}"
        );
        let line = format!("curl {}", [one.as_str(); 6].join(" --next "));
        let told = student.types(&line).succeeded().stdout;
        let told: Vec<_> = told.lines().collect();
        assert_eq!(
            told[..5],
            ["401 1", "401 0", "401 0", "401 0", "429 0"],
            "{version}"
        );
        // On a new connection, or already under way on the old one.
        assert!(["401 1", "429 0"].contains(&told[5]), "{}", told[5]);
    }
    // Whoever waits to be asked who it is has guessed nothing, however often.
    let nobody = format!(
        "-sS --cacert ca.pem -H 'Content-Type: application/pkcs10' --data-binary @request.b64 \
         -o /dev/null -w '%{{http_code}} %{{num_connects}}\\n' {url}"
    );
    let line = format!("curl {}", [nobody.as_str(); 6].join(" --next "));
    let told = student.types(&line).succeeded().stdout;
    assert_eq!(told.matches("401 0").count(), 5, "{told}");
    student.holds(&student.credentials("1155000001"));
    let right = student.asks("simpleenroll", "--anyauth -K code.curl");
    assert!(right.ends_with("200"), "nobody is locked out: {right}");
}

#[test]
fn too_many_wrong_codes_from_an_address_are_told_busy_and_a_right_one_still_counts() {
    let Some(mut student) = Outsider::new() else {
        return;
    };
    let path = student.campus.path().join("cuhk/config.toml");
    let config = fs::read_to_string(&path).unwrap();
    let strict = config
        .replace("wrong_codes = 60", "wrong_codes = 2")
        .replace("count_loopback = false", "count_loopback = true");
    assert_ne!(config, strict);
    fs::write(path, strict).unwrap();
    student.campus.restart_cuhk();
    student.types_lines(&[0, 2]);
    student.holds("1155000001:7K3QX-9M2BD-0ZT4H-WC6RN-5PVJE");
    let told: Vec<String> = (0..3)
        .map(|_| student.asks("simpleenroll", "-K code.curl"))
        .collect();
    assert!(told[1].starts_with("enrolment_refused:"), "{told:?}");
    assert!(told[2].starts_with("busy:"), "{told:?}");
    assert!(told[2].ends_with("503"), "{told:?}");
    assert!(
        told[2].contains("too many wrong enrolment codes"),
        "{told:?}"
    );
    student.holds(&student.credentials("1155000001"));
    let right = student.asks("simpleenroll", "-K code.curl");
    assert!(right.ends_with("200"), "{right}");
}

#[test]
fn requests_that_are_not_for_est_are_refused() {
    let Some(student) = Outsider::new() else {
        return;
    };
    student.types_lines(&[0, 2]);
    let attributes = student.types(
        "curl -sSf --cacert ca.pem https://localhost:8011/.well-known/est/csrattrs | \
         openssl base64 -d | openssl asn1parse -inform DER",
    );
    let attributes = attributes.succeeded().stdout;
    assert!(attributes.contains("prime256v1"), "{attributes}");
    let form = student.types(
        "curl -sS --cacert ca.pem -K code.curl --data-binary @request.b64 \
         https://localhost:8011/.well-known/est/simpleenroll",
    );
    let form = form.succeeded().stdout;
    assert!(form.starts_with("media_type_unsupported:"), "{form}");
    assert!(
        form.contains("send the header Content-Type: application/pkcs10"),
        "{form}"
    );
    let head = student.types(
        "curl -sS -o /dev/null -D - --cacert ca.pem -K code.curl --data-binary @request.b64 \
         https://localhost:8011/.well-known/est/simpleenroll",
    );
    let head = head.succeeded().stdout.to_lowercase();
    for line in [
        "415",
        "accept: application/pkcs10",
        "content-type: text/plain",
    ] {
        assert!(head.contains(line), "{head}");
    }
    // What people send first: the file as `openssl req` has written it.
    student
        .types("cp request.b64 right.b64; cp request.pem request.b64")
        .succeeded();
    let pem = student.asks("simpleenroll", "-K code.curl");
    assert!(pem.starts_with("malformed_message:"), "{pem}");
    assert!(pem.contains("got: PEM") && pem.ends_with("400"), "{pem}");
    student.types("cp right.b64 request.b64").succeeded();
    student
        .types(
            "(openssl req -in request.pem -outform DER | head -c -4; printf '\\0\\0\\0\\0') | \
             openssl base64 > request.b64",
        )
        .succeeded();
    let forged = student.asks("simpleenroll", "-K code.curl");
    assert!(forged.starts_with("request_invalid:"), "{forged}");
    for bytes in [70_000, 3_000_000] {
        let write = format!("head -c {bytes} /dev/zero | openssl base64 > request.b64");
        student.types(&write).succeeded();
        let long = student.asks("simpleenroll", "-K code.curl");
        assert!(long.starts_with("body_too_large:"), "{long}");
        assert!(long.ends_with("413"), "{long}");
    }
    student.types("echo AAAA > request.b64").succeeded();
    let garbage = student.asks("simpleenroll", "-K code.curl");
    assert!(garbage.starts_with("request_invalid:"), "{garbage}");
    assert!(
        garbage.contains("RFC 2986") && garbage.ends_with("400"),
        "{garbage}"
    );
    student
        .types(
            "openssl req -new -newkey rsa:2048 -noenc -keyout rsa.pem -subj / -outform DER | \
             openssl base64 > request.b64",
        )
        .succeeded();
    let rsa = student.asks("simpleenroll", "-K code.curl");
    assert!(rsa.starts_with("key_unsupported:"), "{rsa}");

    // What is told makes a request that is taken.
    student
        .types(
            "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem; \
             openssl req -new -sha512 -key key.pem -subj / -outform DER | openssl base64 > request.b64",
        )
        .succeeded();
    let longer = student.asks("simpleenroll", "-K code.curl");
    assert!(longer.starts_with("request_invalid:"), "{longer}");
    let told = "openssl req -new -sha256 -key key.pem -subj / -outform DER | openssl base64";
    assert!(longer.contains(told), "{longer}");
    student.types(&format!("{told} > request.b64")).succeeded();
    let signed = student.asks("simpleenroll", "-K code.curl");
    assert!(signed.ends_with("200"), "{signed}");
}
