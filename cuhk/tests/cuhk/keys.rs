//! Keys take each other's place while CUHK runs.

use data_encoding::BASE64URL_NOPAD;
use scb_certs::{Chain, Fingerprint};
use scb_certs::{ServiceName, SpiffeId, TrustStore};
use scb_cuhk::{Error, KeyState, NamedKey, active_signer, rotate_tokens, withdraw};
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::{Code, UnverifiedToken};

use crate::revocation::lists;
use crate::university::{Credentials, University};

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
