//! What two roots say of each other while one takes the place of the other, for whoever knows one alone.

use std::process::Command;
use std::time::Duration;

use scb_certs::{
    Certificate, DistributionUrls, IssuerKind, Root, SigningKey, all_from_pem, check_cross,
};
use scb_cuhk::{Error, RootAnswer, RootRequest, sign_root};
use scb_protocol::values::Der;
use serde_json::{Value, json};

use crate::university::University;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const FILES: [&str; 2] = ["root-2/new-with-old.pem", "root-2/old-with-new.pem"];

impl University {
    /// In this home, of those that there may be.
    fn crosses(&self) -> Vec<Certificate> {
        let files = FILES.map(|file| std::fs::read_to_string(self.home().path(file)));
        let found = files.into_iter().flatten();
        found
            .map(|pem| Certificate::from_pem(&pem).unwrap())
            .collect()
    }

    /// What a program on this machine says of the port with TLS.
    async fn asked_by(&self, line: &str) -> String {
        let line = line.replace("ADDRESS", &self.address);
        let run = move || {
            let mut shell = Command::new("bash");
            shell
                .args(["-o", "pipefail", "-ec", &line])
                .output()
                .unwrap()
        };
        let ran = tokio::task::spawn_blocking(run).await.unwrap();
        let told = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{told}");
        // Frames say something as well.
        String::from_utf8_lossy(&ran.stdout).into_owned()
    }

    async fn authorities(&self) -> Vec<Certificate> {
        let line = "curl -sSfk https://ADDRESS/.well-known/est/cacerts | openssl base64 -d | \
                    openssl pkcs7 -inform DER -print_certs";
        all_from_pem(&self.asked_by(line).await).unwrap()
    }

    /// The chain that a client is shown which speaks this protocol.
    async fn shown(&self, protocol: &str) -> Vec<Certificate> {
        let line = format!(
            "openssl s_client -connect ADDRESS -alpn {protocol} -showcerts 2>/dev/null </dev/null"
        );
        all_from_pem(&self.asked_by(&line).await).unwrap()
    }
}

fn judges() -> bool {
    let is_there = |name: &str, how: &str| Command::new(name).arg(how).output().is_ok();
    let there = is_there("curl", "--version") && is_there("openssl", "version");
    assert!(there || std::env::var("CI").as_deref() != Ok("true"));
    there
}

#[tokio::test]
async fn they_are_handed_out_until_the_first_root_has_retired() {
    if !judges() {
        return;
    }
    let university = University::open().await;
    let first = university.root.clone();
    assert_eq!(university.shown("h2").await.len(), 3);
    let new = university.another_root().await;
    let [new_with_old, old_with_new] = &university.crosses()[..] else {
        panic!("both");
    };
    check_cross(new_with_old, new.certificate(), &first).unwrap();
    check_cross(old_with_new, &first, new.certificate()).unwrap();
    let authorities = university.authorities().await;
    assert_eq!(
        authorities[..4],
        [
            new_with_old.clone(),
            old_with_new.clone(),
            first.clone(),
            new.certificate().clone()
        ],
        "before the roots: openssl goes by the first"
    );
    // Still under the first root: whoever knows the second alone follows.
    let shown = university.shown("h2").await;
    assert_eq!(shown[2..], [old_with_new.clone(), first.clone()]);

    university.rotate_under(&new, IssuerKind::Students).await;
    university.rotate_under(&new, IssuerKind::Services).await;
    university.pass(62 * DAY).await;
    for protocol in ["h2", "http/1.1"] {
        let shown = university.shown(protocol).await;
        assert!(shown[1].names_issuer(new.certificate()), "{protocol}");
        let more = [new_with_old.clone(), new.certificate().clone()];
        assert_eq!(shown[2..], more, "{protocol}");
    }
    // Our own programs take no such chain, nor need it.
    let shown = university.shown("scb/1").await;
    assert_eq!(shown[2..], [new.certificate().clone()]);
    let university = university.restart().await;
    assert_eq!(university.shown("h2").await.len(), 4);

    university.pass(40 * DAY).await;
    let authorities = university.authorities().await;
    assert_eq!(authorities[0], *new.certificate());
    assert!(!authorities.contains(&first));
    assert_eq!(university.shown("h2").await.len(), 3);
}

/// Two new roots before anything is under the first of them: that one retires at once.
#[tokio::test]
async fn a_root_that_was_passed_over_leaves_no_gap() {
    if !judges() {
        return;
    }
    let university = University::open().await;
    let first = university.root_with_key();
    let passed_over = university.another_root().await;
    let (request, key) = (
        university.asked_of_root(true).await,
        SigningKey::generate().unwrap(),
    );
    let by = [first.clone(), passed_over.clone()];
    let answer = sign_root(&request, &by, Some(key.clone()), university.clock.now()).unwrap();
    let taken = university.take_in(answer).await.unwrap().unwrap();
    assert_eq!(taken.to_string(), "root-3");
    let (_, known) = university.bundle().await;
    let newest = Root::from_parts(known.roots().last().unwrap().clone(), key).unwrap();
    university.rotate_under(&newest, IssuerKind::Students).await;
    university.pass(Duration::from_secs(10)).await;

    let authorities = university.authorities().await;
    let (first, newest) = (first.certificate(), newest.certificate());
    check_cross(&authorities[0], newest, first).unwrap();
    check_cross(&authorities[1], first, newest).unwrap();
    assert_eq!(authorities[2..4], [first.clone(), newest.clone()]);
    assert!(!authorities.contains(passed_over.certificate()));

    let student = university.student("1155000001").await;
    assert!(student.chain.certificates()[1].names_issuer(newest));
    let written = |name: &str, certificates: &[Certificate]| {
        let file = university.dir.path().join(name);
        let pem: String = certificates.iter().map(Certificate::to_pem).collect();
        std::fs::write(&file, pem).unwrap();
        file
    };
    let verified = Command::new("openssl")
        .args(["verify", "-attime"])
        .arg(university.clock.now().as_secs().to_string())
        .arg("-CAfile")
        .arg(written("first.pem", std::slice::from_ref(first)))
        .arg("-untrusted")
        .arg(written("cacerts.pem", &authorities))
        .arg(written("leaf.pem", &student.chain.certificates()[..1]))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success(), "{told}");
}

fn altered(answer: &RootAnswer, alter: impl FnOnce(&mut Value)) -> RootAnswer {
    let mut json: Value = serde_json::from_slice(&answer.to_json()).unwrap();
    alter(&mut json);
    RootAnswer::from_json(json.to_string().as_bytes()).unwrap()
}

#[tokio::test]
async fn an_answer_that_was_altered_on_its_way_changes_nothing() {
    let university = University::open().await;
    let (now, root) = (university.clock.now(), university.root_with_key());
    let key = || SigningKey::generate().unwrap();
    let (own, urls) = (key(), DistributionUrls::default());
    let stranger = Root::create(&"cuhk.example".parse().unwrap(), key(), now).unwrap();
    let request = university.asked_of_root(true).await;
    let by = std::slice::from_ref(&root);
    let honest = sign_root(&request, by, Some(own.clone()), now).unwrap();
    let next: Value = serde_json::from_slice(&honest.to_json()).unwrap();
    let next = Certificate::from_pem(next["certificate"].as_str().unwrap()).unwrap();
    let next = Root::from_parts(next, own).unwrap();
    let cross = |by: &Root, of: &Root| {
        let cross = by.cross_certify(of.certificate(), now, &urls);
        cross.unwrap().to_pem()
    };
    let elsewhere = DistributionUrls {
        crl: Some("http://evil.example/crl/root.crl".into()),
        ca: None,
    };
    let elsewhere = root.cross_certify(next.certificate(), now, &elsewhere);
    let own = cross(&root, &next);
    for (crosses, why) in [
        (json!([cross(&root, &stranger)]), "is none between"),
        (json!([cross(&stranger, &next)]), "is none between"),
        (json!([cross(&next, &stranger)]), "is none between"),
        (json!([next.certificate().to_pem()]), "is none between"),
        (json!([own, own]), "twice"),
        (json!([elsewhere.unwrap().to_pem()]), "elsewhere"),
        (json!(["-----BEGIN CERTIFICATE-----"]), "cannot be decoded"),
    ] {
        let answer = altered(&honest, |json| json["crosses"] = crosses);
        let refused = university.take_in(answer).await.unwrap_err();
        assert!(matches!(refused, Error::CeremonyInvalid(_)), "{refused:?}");
        assert!(refused.to_string().contains(why), "{why}: {refused}");
    }
    assert_eq!(university.bundle().await.0, 1);
    assert!(!university.home().path("root-2").exists());
    // The twin: as it was signed.
    university.take_in(honest).await.unwrap();
    assert_eq!(university.crosses().len(), 2);
}

/// The root's machine crosses only roots whose keys it has.
#[tokio::test]
async fn a_strangers_root_in_a_request_is_certified_by_nobody() {
    let university = University::open().await;
    let now = university.clock.now();
    let key = SigningKey::generate().unwrap();
    let stranger = Root::create(&"cuhk.example".parse().unwrap(), key, now).unwrap();
    let stranger = Der::new(stranger.certificate().der().to_vec());
    let request = university.asked_of_root(true).await.to_json();
    let mut request: Value = serde_json::from_slice(&request).unwrap();
    assert!(request["cross"].is_object(), "{request}");
    let own = request["roots"][0].clone();
    request["roots"] = json!([serde_json::to_value(stranger).unwrap(), own]);
    request.as_object_mut().unwrap().remove("next");
    let request = RootRequest::from_json(request.to_string().as_bytes()).unwrap();
    let answer = sign_root(&request, &[university.root_with_key()], None, now).unwrap();
    let answer: Value = serde_json::from_slice(&answer.to_json()).unwrap();
    assert!(answer.get("crosses").is_none(), "{answer}");
}

#[tokio::test]
async fn a_request_from_before_them_is_signed_and_an_answer_without_them_is_taken_in() {
    let university = University::open().await;
    let request = university.asked_of_root(true).await.to_json();
    let mut request: Value = serde_json::from_slice(&request).unwrap();
    request.as_object_mut().unwrap().remove("cross").unwrap();
    let earlier = RootRequest::from_json(request.to_string().as_bytes()).unwrap();
    let (key, by) = (SigningKey::generate().unwrap(), university.root_with_key());
    let answer = sign_root(&earlier, &[by], Some(key), university.clock.now()).unwrap();
    let json: Value = serde_json::from_slice(&answer.to_json()).unwrap();
    assert!(json.get("crosses").is_none(), "{json}");
    university.take_in(answer).await.unwrap().unwrap();
    assert_eq!(university.bundle().await.0, 2);
    assert!(university.crosses().is_empty());
    // A list once a year asks for none either, where the keys are elsewhere.
    let lists = university.asked_of_root(false).await.to_json();
    let lists: Value = serde_json::from_slice(&lists).unwrap();
    assert!(lists.get("cross").is_none(), "{lists}");
}
