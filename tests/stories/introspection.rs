//! Token introspection by programs that we did not write: `curl` asks, PyJWT verifies what is
//! signed.

use std::fs;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use crate::campus::{Campus, LONG, PROMISED, Ran, judge, python_with, shell, usual};

const FORM: &str = "-d token_type_hint=access_token --data-urlencode";

/// A sandbox in which `curl` shows one certificate or another.
struct Desk {
    campus: Campus,
    token: String,
}

impl Desk {
    /// With a token of 1155000001 for Blackboard, and a service called `library`, which enrolled
    /// with `curl` and `openssl`.
    fn open() -> Self {
        let campus = Campus::sandbox();
        campus
            .student(&["submit", "--ids", "1155000001"])
            .succeeded();
        let token = campus.path().join("student/students/1155000001/token.jwt");
        let desk = Self {
            token: fs::read_to_string(token).unwrap(),
            campus,
        };
        desk.enrol_library();
        desk
    }

    fn enrol_library(&self) {
        let code = self.campus.outside().join("library.code");
        let code = code.to_str().unwrap();
        let add = ["service", "add", "library", "--dns", "library.example"];
        let add = [&add[..], &["--code-out", code]].concat();
        self.campus.administer_cuhk(&add).succeeded();
        let code = fs::read_to_string(code).unwrap();
        let user = format!("user = \"service/library:{}\"\n", code.trim());
        fs::write(self.campus.outside().join("code.curl"), user).unwrap();
        self.types(
            "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout \
             library.key -subj / -outform DER | openssl base64 > request.b64; \
             curl -sSf --cacert CA -K code.curl -H 'Content-Type: application/pkcs10' \
             --data-binary @request.b64 URL/.well-known/est/simpleenroll | openssl base64 -d | \
             openssl pkcs7 -inform DER -print_certs -out library.pem; \
             curl -sSf --cacert CA URL/.well-known/est/cacerts | openssl base64 -d | \
             openssl pkcs7 -inform DER -print_certs -out cas.pem",
        )
        .succeeded();
    }

    /// A line in a shell; `--cacert CA` and `URL/` stand for the root and the address of this CUHK.
    /// A token may have those letters in it as well, but no space and no slash.
    fn types(&self, line: &str) -> Ran {
        let ca = self.campus.path().join("ca.pem");
        let line = line
            .replace("--cacert CA", &format!("--cacert {}", ca.display()))
            .replace("URL/", &format!("https://{}/", self.campus.cuhk.address()));
        shell(self.campus.outside(), &line)
    }

    /// Options by which `curl` shows the certificate of Blackboard, of `library` or of a student.
    fn certificate(&self, who: &str) -> String {
        // `curl` completes the chain of a lone certificate from the authorities that it trusts.
        if who == "library" {
            return "--cert library.pem --key library.key --cacert cas.pem".to_owned();
        }
        let home = self.campus.path().join(who);
        let (chain, key) = (home.join("chain.pem"), home.join("key.pem"));
        format!("--cert {} --key {}", chain.display(), key.display())
    }

    /// The answer, with its status at the end.
    fn asked(&self, options: &str) -> String {
        let line = format!("curl -sS --cacert CA {options} -w ' %{{http_code}}' URL/introspect");
        self.types(&line).succeeded().stdout
    }

    /// What a service is told of a token.
    fn told(&self, who: &str, token: &str) -> Value {
        let certificate = self.certificate(who);
        let told = self.asked(&format!("{certificate} {FORM} 'token={token}'"));
        let body = told
            .strip_suffix(" 200")
            .unwrap_or_else(|| panic!("{told}"));
        serde_json::from_str(body).unwrap()
    }
}

const BLACKBOARD: &str = "blackboard/tls";
const STUDENT: &str = "student/students/1155000001";

fn desk() -> Option<Desk> {
    let judges = judge("curl").is_some() && judge("openssl").is_some();
    judges.then(Desk::open)
}

#[test]
fn only_the_service_that_a_token_names_learns_anything() {
    let Some(desk) = desk() else { return };
    let told = desk.told(BLACKBOARD, &desk.token);
    assert_eq!(told["active"], true);
    assert_eq!(told["sub"], "spiffe://sandbox.example/student/1155000001");
    assert_eq!(told["aud"], "spiffe://sandbox.example/service/blackboard");
    assert!(told["cnf"]["x5t#S256"].is_string(), "{told}");

    // To the byte the same, whatever the reason.
    let inactive = json!({"active": false});
    let altered = desk.token.trim_end().to_owned() + "A";
    for (who, token) in [
        ("library", desk.token.as_str()),
        ("library", "x"),
        (BLACKBOARD, "x"),
        (BLACKBOARD, altered.as_str()),
        (BLACKBOARD, ""),
    ] {
        assert_eq!(desk.told(who, token), inactive, "{who} {token}");
    }
    let log = desk.campus.cuhk.log();
    for line in [
        "sid=1155000001 token confirmed to blackboard",
        "token not confirmed to library: token_audience",
    ] {
        assert!(log.contains(line), "{log}");
    }
    assert!(!log.contains(desk.token.trim()), "a token is in the log");
}

#[test]
fn whoever_is_no_service_is_told_so_and_what_is_no_question_as_well() {
    let Some(desk) = desk() else { return };
    let question = format!("{FORM} 'token={}'", desk.token);
    let blackboard = desk.certificate(BLACKBOARD);
    fs::write(desk.campus.outside().join("long"), "x".repeat(3_000_000)).unwrap();
    for (options, code, status) in [
        (question.clone(), "certificate_missing", 401),
        (
            format!("{} {question}", desk.certificate(STUDENT)),
            "not_permitted",
            403,
        ),
        (format!("{blackboard} -d x=y"), "malformed_message", 400),
        (
            format!("{blackboard} -d token=a -d token=b"),
            "malformed_message",
            400,
        ),
        (
            format!("{blackboard} -H 'Content-Type: application/json' -d '{{}}'"),
            "media_type_unsupported",
            415,
        ),
        (
            format!("{blackboard} --data-binary @long"),
            "body_too_large",
            413,
        ),
        (blackboard.clone(), "method_not_allowed", 405),
    ] {
        let told = desk.asked(&options);
        let expected = format!("\"code\":\"{code}\"");
        assert!(told.contains(&expected), "{options}: {told}");
        assert!(told.ends_with(&format!(" {status}")), "{options}: {told}");
        let error = match (code, status) {
            ("method_not_allowed", _) => continue,
            (_, 401) => "invalid_client",
            (_, 403) => "unauthorized_client",
            _ => "invalid_request",
        };
        assert!(told.contains(&format!("\"error\":\"{error}\"")), "{told}");
    }
}

#[test]
fn a_token_stops_counting_with_its_key_and_with_its_certificate() {
    let Some(desk) = desk() else { return };
    let inactive = json!({"active": false});
    desk.campus
        .administer_cuhk(&["roster", "suspend", "1155000001"])
        .succeeded();
    assert_eq!(desk.told(BLACKBOARD, &desk.token), inactive);
    desk.campus
        .administer_cuhk(&["roster", "restore", "1155000001"])
        .succeeded();
    // The list that a running server holds still names the certificate for a moment.
    let deadline = Instant::now() + LONG;
    while desk.told(BLACKBOARD, &desk.token)["active"] != true {
        assert!(Instant::now() < deadline, "it does not count again");
    }

    let listed = desk.campus.administer_cuhk(&["keys", "list", "--json"]);
    let listed = listed.succeeded().json();
    let mut keys = listed.as_array().unwrap().iter();
    let key = keys.find(|key| key["kind"] == "tokens").unwrap();
    let usual = usual(|| desk.told(BLACKBOARD, &desk.token));
    desk.campus
        .administer_cuhk(&["keys", "withdraw", key["sha256"].as_str().unwrap()])
        .succeeded();
    let withdrawn = Instant::now();
    while desk.told(BLACKBOARD, &desk.token) != inactive {
        let since = withdrawn.elapsed();
        assert!(
            since < PROMISED + usual,
            "it still counts: {since:?}, {usual:?}"
        );
    }
    desk.campus
        .administer_cuhk(&["revoke", "service/library", "--yes"])
        .succeeded();
    let certificate = desk.certificate("library");
    let line = format!("curl -sS --cacert CA {certificate} -d token=x URL/introspect");
    let told = desk.types(&line);
    assert!(!told.stdout.contains("active"), "{told:?}");
}

impl Desk {
    /// How many entries the issuance log's records have; of what operators did there may come one at any time.
    fn recorded(&self) -> u64 {
        let database = self.campus.path().join("cuhk/cuhk.db");
        let database = rusqlite::Connection::open(database).unwrap();
        let count = "SELECT count(*) FROM log_entry WHERE subject IS NOT 'cuhk/operations'";
        let count = database.query_one(count, [], |row| row.get::<_, i64>(0));
        count.unwrap().try_into().unwrap()
    }

    /// How many entries the last checkpoint of the issuance log covers.
    fn logged(&self) -> u64 {
        let checkpoint = self.campus.path().join("cuhk/log/checkpoint");
        let checkpoint = fs::read_to_string(checkpoint).unwrap();
        checkpoint.lines().nth(1).unwrap().parse().unwrap()
    }

    /// The same question twenty times; how many entries there are more.
    fn asks_often(&self, who: &str) -> u64 {
        let before = self.recorded();
        let certificate = self.certificate(who);
        let urls = " URL/introspect".repeat(20);
        let token = &self.token;
        self.types(&format!(
            "curl -sSf --cacert CA {certificate} -d 'token={token}' {urls}"
        ))
        .succeeded();
        self.recorded() - before
    }

    /// Until everything that is recorded is in the log.
    fn waits_for_the_log(&self) {
        let recorded = self.recorded();
        let deadline = Instant::now() + LONG;
        while self.logged() < recorded {
            let (logged, said) = (self.logged(), self.campus.cuhk.log());
            assert!(
                Instant::now() < deadline,
                "{logged} of {recorded} entries:\n{said}"
            );
        }
    }
}

#[test]
fn whoever_is_told_of_a_student_is_in_the_issuance_log_and_nobody_else() {
    let Some(desk) = desk() else { return };
    // It is recorded before the answer.
    assert_eq!(
        desk.asks_often(BLACKBOARD),
        20,
        "{}",
        desk.campus.cuhk.log()
    );
    assert_eq!(desk.asks_often("library"), 0, "what told nobody anything");
    let (before, told) = (desk.recorded(), desk.told(BLACKBOARD, &desk.token));
    assert_eq!(told["active"], true, "{}", desk.campus.cuhk.log());
    assert_eq!(desk.recorded(), before + 1);
    desk.waits_for_the_log();
}

/// RFC 9701: by the key that the JWK set holds, and for the asker alone.
const VERIFY: &str = r#"
import json, sys, jwt
signed, keys = open("answer.jwt").read(), json.load(open("jwks.json"))
header = jwt.get_unverified_header(signed)
assert header["typ"] == "token-introspection+jwt", header
key = jwt.PyJWKSet.from_dict(keys)[header["kid"]].key
domain = "spiffe://sandbox.example"
claims = jwt.decode(signed, key, algorithms=["ES256"], audience=domain + sys.argv[1],
                    issuer=domain + "/service/cuhk")
assert "sub" not in claims and "exp" not in claims, claims
print(json.dumps(claims["token_introspection"]))
"#;

#[test]
fn a_signed_answer_says_the_same_and_pyjwt_verifies_it() {
    let Some(desk) = desk() else { return };
    let Some(_) = python_with(&["jwt"]) else {
        return;
    };
    desk.types("curl -sSf --cacert CA -o jwks.json URL/.well-known/jwks.json")
        .succeeded();
    for (who, path) in [
        (BLACKBOARD, "/service/blackboard"),
        ("library", "/service/library"),
    ] {
        let options = format!("{} {FORM} 'token={}'", desk.certificate(who), desk.token);
        let accept = "-H 'Accept: application/token-introspection+jwt'";
        let told = desk
            .types(&format!(
                "curl -sSf --cacert CA {accept} {options} -o answer.jwt \
                 -w '%{{content_type}}' URL/introspect"
            ))
            .succeeded()
            .stdout;
        assert_eq!(told, "application/token-introspection+jwt");
        let mut python = Command::new("python3");
        python
            .args(["-c", VERIFY, path])
            .current_dir(desk.campus.outside());
        let verified = Ran::of(&mut python).succeeded().json();
        assert_eq!(verified, desk.told(who, &desk.token), "{who}");
    }
}
