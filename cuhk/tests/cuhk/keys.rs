//! Keys take each other's place while CUHK runs.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use scb_certs::{
    Certificate, Chain, Fingerprint, IssuerKind, Root, ServiceName, SigningKey, SpiffeId,
    TrustStore, create_request,
};
use scb_cuhk::{
    Config, CrlSigner, Error, KeyState, NamedKey, SigningAnswer, SigningRequest, active_signer,
    import, open_home, open_root, request, rotate_tokens, sign, withdraw,
};
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::{Code, UnverifiedToken, from_seconds};

use crate::revocation::lists;
use crate::university::{Credentials, PASSPHRASE, ROOT_PASSPHRASE, University};

/// The certificate with which a token was signed.
fn signer(token: &str) -> Fingerprint {
    let header = token.split('.').next().unwrap();
    let header = BASE64URL_NOPAD.decode(header.as_bytes()).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    let chain: Chain = serde_json::from_value(header["x5c"].clone()).unwrap();
    chain.leaf().fingerprint()
}

impl University {
    async fn token(&self, student: &Credentials) -> String {
        match self.ask(Some(student), &Request::RefreshToken {}).await {
            Ok(Reply::Token { token }) => token,
            other => panic!("no token: {other:?}"),
        }
    }

    /// What Blackboard says of a token, by CUHK's lists of this moment.
    async fn judge(&self, student: &Credentials, token: &str) -> Result<(), Code> {
        let trust: TrustStore = self.trust().with_crls(lists(self).await.1).unwrap();
        let audience = SpiffeId::new_service(trust.trust_domain(), &ServiceName::blackboard());
        let now = self.clock.now();
        let student = trust.verify_student(&student.chain, now).unwrap();
        let verified = UnverifiedToken(token).verify(&trust, &audience, &student, now);
        verified.map(drop).map_err(|refusal| refusal.code)
    }

    async fn states(&self) -> Vec<KeyState> {
        let now = self.clock.now();
        let signers = self.change(|records| records.signers().all()).await;
        let state = |signer| KeyState::of_signer(signer, now);
        signers.iter().map(state).collect()
    }

    async fn withdraw(&self, key: NamedKey) -> Result<(), Error> {
        let now = self.clock.now();
        self.store
            .write(move |records| withdraw(records, &key, now))
            .await
    }
}

#[tokio::test]
async fn a_new_token_key_signs_and_the_old_tokens_live_on() {
    let university = University::open().await;
    let student = university.student("1155000001").await;
    let old = university.token(&student).await;
    let now = university.clock.now();
    let retired = university
        .change(move |records| rotate_tokens(records, now))
        .await;
    assert_eq!(retired, 1);
    assert_eq!(university.states().await, [KeyState::Retiring]);

    university.refresher.refresh().await.unwrap();
    let new = university.token(&student).await;
    assert_ne!(signer(&old), signer(&new));
    assert_eq!(
        university.states().await,
        [KeyState::Retiring, KeyState::Active]
    );
    let active = university
        .change(move |records| active_signer(records, now))
        .await;
    let active = active.unwrap().record.certificate.unwrap();
    assert_eq!(active.fingerprint(), signer(&new));
    for token in [&old, &new] {
        university.judge(&student, token).await.unwrap();
    }
    let university = university.restart().await;
    assert_eq!(signer(&university.token(&student).await), signer(&new));
    university
        .clock
        .advance(std::time::Duration::from_secs(12 * 60 * 60 + 1));
    assert_eq!(
        university.states().await,
        [KeyState::Retired, KeyState::Active]
    );
}

#[tokio::test]
async fn a_withdrawn_token_key_takes_its_tokens_along_and_another_signs() {
    let university = University::open().await;
    let student = university.student("1155000001").await;
    let old = university.token(&student).await;
    let key = NamedKey::Fingerprint(signer(&old));
    university.withdraw(key.clone()).await.unwrap();
    // The lists that tell of it come with the new key, never before it.
    let dead = university.judge(&student, &old).await;
    assert_eq!(dead, Err(Code::SignerWithdrawn));
    let new = university.token(&student).await;
    assert_ne!(signer(&old), signer(&new));
    university.judge(&student, &new).await.unwrap();
    assert_eq!(
        university.states().await,
        [KeyState::Withdrawn, KeyState::Active]
    );
    let again = university.withdraw(key).await;
    assert!(matches!(again, Err(Error::KeyWithdrawn(_))), "{again:?}");
}

#[tokio::test]
async fn a_retiring_key_can_still_be_withdrawn_and_leaves_the_active_one_alone() {
    let university = University::open().await;
    let student = university.student("1155000001").await;
    let old = university.token(&student).await;
    let now = university.clock.now();
    university
        .change(move |records| rotate_tokens(records, now))
        .await;
    university.refresher.refresh().await.unwrap();
    let new = university.token(&student).await;
    let key = NamedKey::Fingerprint(signer(&old));
    university.withdraw(key).await.unwrap();
    assert_eq!(
        university.judge(&student, &old).await,
        Err(Code::SignerWithdrawn)
    );
    assert_eq!(signer(&university.token(&student).await), signer(&new));
    university.judge(&student, &new).await.unwrap();
}

#[tokio::test]
async fn what_is_no_token_key_is_not_withdrawn() {
    let university = University::open().await;
    let student = university.student("1155000001").await;
    let leaf = student.chain.leaf();
    for key in [
        NamedKey::Fingerprint(leaf.fingerprint()),
        NamedKey::Serial(leaf.serial()),
        NamedKey::Fingerprint(university.root.fingerprint()),
    ] {
        let refused = university.withdraw(key).await;
        assert!(matches!(refused, Err(Error::KeyUnknown(_))), "{refused:?}");
    }
    let token = university.token(&student).await;
    university.judge(&student, &token).await.unwrap();
}

/// Everything in memory that a ceremony needs; the passphrases are those of `init`.
impl University {
    pub(crate) fn home(&self) -> scb_cli::Home {
        open_home(&self.dir.path().join("cuhk")).unwrap()
    }

    async fn requested(&self, kind: IssuerKind, passphrase: &str) -> Result<SigningRequest, Error> {
        let (home, store, passphrase) = (self.home(), self.store.clone(), passphrase.to_owned());
        let request = move || request(&home, &store, &Config::default(), kind, &passphrase.into());
        tokio::task::spawn_blocking(request).await.unwrap()
    }

    pub(crate) fn root_with_key(&self) -> Root {
        let passphrase = ROOT_PASSPHRASE.to_owned().into();
        open_root(&self.home().path("root"), &passphrase).unwrap()
    }

    async fn imported(&self, answer: SigningAnswer) -> Result<CrlSigner, Error> {
        let (home, store, now) = (self.home(), self.store.clone(), self.clock.now());
        let import = move || import(&home, &store, &answer, now);
        tokio::task::spawn_blocking(import).await.unwrap()
    }

    pub(crate) async fn rotate(&self, kind: IssuerKind) -> CrlSigner {
        let request = self.requested(kind, PASSPHRASE).await.unwrap();
        let answer = sign(&request, &self.root_with_key(), self.clock.now()).unwrap();
        let signer = self.imported(answer).await.unwrap();
        self.refresher.refresh().await.unwrap();
        signer
    }
}

/// Who issued it.
fn issuer(who: &Credentials) -> Fingerprint {
    who.chain.certificates()[1].fingerprint()
}

#[tokio::test]
async fn a_new_issuing_authority_is_listed_first_and_issues_ten_seconds_later() {
    let university = University::open().await;
    let before = university.student("1155000001").await;
    assert_eq!(lists(&university).await.1.len(), 3);
    let signer = university.rotate(IssuerKind::Students).await;
    assert_eq!(signer.to_string(), "students-2");
    let (_, published) = lists(&university).await;
    assert_eq!(published.len(), 4);

    let meanwhile = university.student("1155000002").await;
    assert_eq!(issuer(&meanwhile), issuer(&before), "not yet");
    university.clock.advance(Duration::from_secs(10));
    university.refresher.refresh().await.unwrap();
    let after = university.student("1155000003").await;
    assert_ne!(issuer(&after), issuer(&before));

    // All count side by side, by the lists that were there before the new one issued.
    let trust = university.trust().with_crls(published).unwrap();
    let now = university.clock.now();
    for who in [&before, &meanwhile, &after] {
        trust.verify_student(&who.chain, now).unwrap();
        university.token(who).await;
    }
    let university = university.restart().await;
    let later = university.student("1155000004").await;
    assert_eq!(issuer(&later), issuer(&after), "the key was opened again");
}

#[tokio::test]
async fn each_issuing_authority_lists_its_own_and_the_old_one_goes_on_until_its_last_leaf_ends() {
    let university = University::open().await;
    let old = university.student("1155000001").await;
    university.rotate(IssuerKind::Students).await;
    university.clock.advance(Duration::from_secs(10));
    university.refresher.refresh().await.unwrap();
    let new = university.student("1155000002").await;
    for sid in ["1155000001", "1155000002"] {
        university
            .revoke(sid, scb_certs::RevocationReason::KeyCompromise)
            .await;
    }
    let (_, published) = lists(&university).await;
    let of = |who: &Credentials| {
        let key_id = who.chain.certificates()[1].subject_key_id();
        let list = published
            .iter()
            .find(|list| Some(list.issuer_key_id()) == key_id);
        list.unwrap().clone()
    };
    let (old_serial, new_serial) = (old.chain.leaf().serial(), new.chain.leaf().serial());
    assert!(of(&old).contains(&old_serial) && !of(&old).contains(&new_serial));
    assert!(of(&new).contains(&new_serial) && !of(&new).contains(&old_serial));

    university
        .clock
        .advance(Duration::from_secs(32 * 24 * 60 * 60));
    university.refresher.refresh().await.unwrap();
    assert_eq!(lists(&university).await.1.len(), 3, "it has retired");
}

#[tokio::test]
async fn a_new_authority_of_services_certifies_cuhks_own_keys_anew() {
    let university = University::open().await;
    let student = university.student("1155000001").await;
    let blackboard = university.blackboard().await;
    let old = university.token(&student).await;
    let tls = university.connect().await.peer_chain().unwrap().clone();
    university.rotate(IssuerKind::Services).await;
    university.clock.advance(Duration::from_secs(10));
    university.refresher.refresh().await.unwrap();
    let renewed = university.connect().await.peer_chain().unwrap().clone();
    assert_ne!(renewed.certificates()[1], tls.certificates()[1]);
    let new = university.token(&student).await;
    assert_ne!(signer(&old), signer(&new));
    for token in [&old, &new] {
        university.judge(&student, token).await.unwrap();
    }
    university.connect_as(&blackboard).await;
}

#[tokio::test]
async fn a_ceremony_with_the_wrong_passphrase_root_or_key_changes_nothing() {
    let university = University::open().await;
    let kind = IssuerKind::Students;
    let refused = university.requested(kind, ROOT_PASSPHRASE).await;
    assert!(matches!(refused, Err(Error::WrongPassphrase { .. })));
    let request = university.requested(kind, PASSPHRASE).await.unwrap();
    let now = university.clock.now();
    let stranger = |domain: &str| {
        let key = SigningKey::generate().unwrap();
        Root::create(&domain.parse().unwrap(), key, now).unwrap()
    };
    let refused = sign(&request, &stranger("other.example"), now);
    assert!(matches!(refused, Err(Error::RequestNotOurs { .. })));
    let other = stranger("cuhk.example");
    let refused = sign(&request, &other, now);
    assert!(matches!(refused, Err(Error::WrongRoot { .. })));
    let mut json: serde_json::Value = serde_json::from_slice(&request.to_json()).unwrap();
    json["root"] = other.certificate().fingerprint().to_string().into();
    let for_other = SigningRequest::from_json(json.to_string().as_bytes()).unwrap();
    let forged = sign(&for_other, &other, now).unwrap();
    assert!(university.imported(forged).await.is_err(), "another root");

    // A request whose key was exchanged on the way.
    let mut json: serde_json::Value = serde_json::from_slice(&request.to_json()).unwrap();
    let other = create_request(&SigningKey::generate().unwrap()).unwrap();
    json["request"] = data_encoding::BASE64.encode(&other).into();
    let exchanged = SigningRequest::from_json(json.to_string().as_bytes()).unwrap();
    let answer = sign(&exchanged, &university.root_with_key(), now).unwrap();
    let refused = university.imported(answer).await;
    assert!(
        matches!(refused, Err(Error::CeremonyInvalid(_))),
        "{refused:?}"
    );
    json["request"] = data_encoding::BASE64.encode(b"no request").into();
    let garbled = SigningRequest::from_json(json.to_string().as_bytes()).unwrap();
    assert!(sign(&garbled, &university.root_with_key(), now).is_err());
    json["authority"] = "services-7".into();
    let json = json
        .to_string()
        .replace("bm8gcmVxdWVzdA==", &data_encoding::BASE64.encode(&other));
    let elsewhere = SigningRequest::from_json(json.as_bytes()).unwrap();
    let answer = sign(&elsewhere, &university.root_with_key(), now).unwrap();
    let refused = university.imported(answer).await;
    assert!(
        matches!(refused, Err(Error::NothingRequested(_))),
        "{refused:?}"
    );
    assert!(SigningRequest::from_json(b"{}").is_err() && SigningAnswer::from_json(b"[]").is_err());

    university.refresher.refresh().await.unwrap();
    assert_eq!(lists(&university).await.1.len(), 3);
    // The twin: the same key, asked for again, signed by the right root, taken in twice.
    let again = university.requested(kind, PASSPHRASE).await.unwrap();
    assert_eq!(again.key().unwrap(), request.key().unwrap());
    let answer = sign(&again, &university.root_with_key(), now).unwrap();
    university.imported(answer.clone()).await.unwrap();
    university.imported(answer).await.unwrap();
    assert_eq!(lists(&university).await.1.len(), 4);
}

#[tokio::test]
async fn an_authority_that_has_ended_is_named_and_the_next_one_issues_at_once() {
    let university = University::open().await;
    let five_years = std::time::Duration::from_secs(1827 * 24 * 60 * 60);
    university.clock.advance(five_years);
    let ended = university.refresher.refresh().await.unwrap_err();
    assert!(matches!(ended, Error::AuthorityEnded { .. }), "{ended:?}");
    assert!(ended.to_string().contains("`services`"), "{ended}");
    for kind in [IssuerKind::Services, IssuerKind::Students] {
        let request = university.requested(kind, PASSPHRASE).await.unwrap();
        let answer = sign(
            &request,
            &university.root_with_key(),
            university.clock.now(),
        );
        university.imported(answer.unwrap()).await.unwrap();
    }
    university.refresher.refresh().await.unwrap();
    let student = university.student("1155000001").await;
    let now = university.clock.now();
    university
        .trust()
        .verify_student(&student.chain, now)
        .unwrap();
}

/// As it stands in the file.
fn certificate(answer: &SigningAnswer) -> Certificate {
    let json: serde_json::Value = serde_json::from_slice(&answer.to_json()).unwrap();
    Certificate::from_pem(json["certificate"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn an_answer_that_begins_later_or_has_ended_is_not_taken_in() {
    let university = University::open().await;
    let request = university
        .requested(IssuerKind::Services, PASSPHRASE)
        .await
        .unwrap();
    let root = university.root_with_key();
    let now = university.clock.now();
    let after = |minutes: u64| from_seconds(now.as_secs() + minutes * 60);
    // The root's machine is ahead by 15 minutes; a certificate begins 10 before it is signed.
    let ahead = sign(&request, &root, after(15)).unwrap();
    let refused = university.imported(ahead.clone()).await.unwrap_err();
    assert!(matches!(refused, Error::NotInForce(_)), "{refused:?}");
    let told = refused.to_string();
    assert!(told.contains("`services-2` counts only from"), "{told}");
    assert!(told.contains("ahead by 15 min or more"), "{told}");
    university.refresher.refresh().await.unwrap();
    assert_eq!(lists(&university).await.1.len(), 3);

    // The root's machine is ten years behind; or nobody has fetched the answer.
    let behind = sign(&request, &root, now).unwrap();
    university
        .clock
        .advance(Duration::from_secs(1827 * 24 * 60 * 60));
    let refused = university.imported(behind).await.unwrap_err();
    assert!(matches!(refused, Error::NotInForce(_)), "{refused:?}");
    assert!(refused.to_string().contains("counted until"), "{refused}");
    university
        .clock
        .rewind(Duration::from_secs(1827 * 24 * 60 * 60));

    // Once it counts, the same answer is taken.
    university.clock.advance(Duration::from_secs(5 * 60));
    university.imported(ahead).await.unwrap();
    university.refresher.refresh().await.unwrap();
    assert_eq!(lists(&university).await.1.len(), 4);
}

/// Such as an earlier version has taken in.
#[tokio::test]
async fn an_authority_that_begins_later_issues_nothing_until_then_and_no_key_is_made_for_it() {
    let university = University::open().await;
    let student = university.student("1155000001").await;
    let tls = university.connect().await.peer_chain().unwrap().clone();
    let eight_hours = Duration::from_secs(8 * 60 * 60);
    let then = from_seconds(university.clock.now().as_secs() + eight_hours.as_secs());
    for kind in [IssuerKind::Services, IssuerKind::Students] {
        let request = university.requested(kind, PASSPHRASE).await.unwrap();
        let answer = sign(&request, &university.root_with_key(), then).unwrap();
        let file = format!("issuers/{}/cert.pem", answer.authority);
        let pem = certificate(&answer).to_pem();
        std::fs::write(university.home().path(&file), pem).unwrap();
        let (authority, now) = (answer.authority, university.clock.now());
        university
            .change(move |records| {
                records.authorities().add(authority)?;
                if kind == IssuerKind::Students {
                    let soon = from_seconds(now.as_secs() + 10);
                    records.authorities().activate(authority, soon)?;
                }
                records.status().advance(now).map(drop)
            })
            .await;
    }
    for _ in 0..5 {
        university.clock.advance(Duration::from_secs(10));
        university.refresher.refresh().await.unwrap();
    }
    let later = university.student("1155000002").await;
    assert_eq!(issuer(&later), issuer(&student));
    university.token(&student).await;
    assert_eq!(university.states().await, [KeyState::Active]);
    let same = university.connect().await.peer_chain().unwrap().clone();
    assert_eq!(same.leaf(), tls.leaf());
    let university = university.restart().await;
    let later = university.student("1155000003").await;
    assert_eq!(issuer(&later), issuer(&student));
    assert_eq!(university.states().await, [KeyState::Active]);

    // It begins, and takes its place by itself.
    university.clock.advance(eight_hours);
    university.refresher.refresh().await.unwrap();
    let student = university.student("1155000004").await;
    assert_ne!(issuer(&student), issuer(&later));
    assert_eq!(
        university.states().await,
        [KeyState::Retiring, KeyState::Active]
    );
}
