//! An issuing authority whose key was stolen counts no more, nor does anything that it issued.

use std::time::Duration;

use scb_certs::{
    CertificateError, Crl, DistributionUrls, IssuerKind, RevocationReason, Serial, SigningKey,
    StudentId, TrustStore, leaf_validity,
};
use scb_cuhk::{
    CrlSigner, Error, Grounds, KeyState, NamedKey, RevokedWith, named_authority, revoke_issued,
    sign_root_list, withdraw_authority,
};
use scb_protocol::Code;
use scb_protocol::message::cuhk::{Reply, Request};
use serde_json::Value;

use crate::publication::{get, list};
use crate::revocation::lists;
use crate::university::{
    Credentials, ROOT_PASSPHRASE, University, ask, enrol, enrolled, refused, renew, verify,
};

const STOLEN: Grounds = Grounds {
    reason: RevocationReason::CaCompromise,
    invalid_since: None,
};

impl University {
    /// What `cuhk keys withdraw` does, without its last act: the root's signature.
    pub(crate) async fn written_down(
        &self,
        signer: CrlSigner,
        grounds: Grounds,
    ) -> Result<(bool, RevokedWith), Error> {
        let (home, store, now) = (self.home(), self.store.clone(), self.clock.now());
        let withdraw = move || {
            let changed = withdraw_authority(&home, &store, signer, grounds, now)?;
            Ok((changed, revoke_issued(&home, &store, signer, grounds, now)?))
        };
        let withdrawn = tokio::task::spawn_blocking(withdraw).await.unwrap();
        self.refresher.refresh().await.unwrap();
        withdrawn
    }

    /// What a service is told of members.
    async fn told(&self, service: &Credentials, question: &Request) -> Vec<Value> {
        let verification = self.ask(Some(service), question).await;
        let Ok(Reply::Verification { verification }) = verification else {
            panic!("{verification:?}");
        };
        let payload = verification.split('.').nth(1).unwrap();
        let payload = data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes());
        let payload: Value = serde_json::from_slice(&payload.unwrap()).unwrap();
        payload["members"].as_array().unwrap().clone()
    }

    /// The root signs its list.
    pub(crate) async fn listed(&self) -> Crl {
        let (home, store, now) = (self.home(), self.store.clone(), self.clock.now());
        let passphrase = ROOT_PASSPHRASE.to_owned().into();
        let sign = move || sign_root_list(&home, &store, &passphrase, now);
        let list = tokio::task::spawn_blocking(sign).await.unwrap().unwrap();
        self.refresher.refresh().await.unwrap();
        list
    }

    /// Another authority issues, and the one before it was withdrawn.
    pub(crate) async fn replaced(&self, kind: IssuerKind, grounds: Grounds) -> RevokedWith {
        self.rotate(kind).await;
        self.clock.advance(Duration::from_secs(10));
        self.refresher.refresh().await.unwrap();
        let withdrawn = self
            .written_down(CrlSigner::first(kind.into()), grounds)
            .await;
        self.listed().await;
        withdrawn.unwrap().1
    }
}

#[tokio::test]
async fn only_who_has_no_other_certificate_that_counts_needs_a_code() {
    let university = University::open().await;
    for sid in ["1155000001", "1155000002"] {
        university.student(sid).await;
    }
    university.rotate(IssuerKind::Students).await;
    university.clock.advance(Duration::from_secs(10));
    university.refresher.refresh().await.unwrap();
    // From the new one, beside what she has.
    university.student("1155000001").await;
    let students = kind_of(IssuerKind::Students);
    let (_, withdrawn) = university.written_down(students, STOLEN).await.unwrap();
    assert_eq!(withdrawn.certificates, 2);
    assert_eq!(withdrawn.holders, ["1155000002".parse().unwrap()]);
}

fn kind_of(kind: IssuerKind) -> CrlSigner {
    CrlSigner::first(kind.into())
}

#[tokio::test]
async fn what_a_withdrawn_authority_issued_counts_nowhere_and_all_else_does() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let before = university.student("1155000001").await;
    let mut open = university.connect_as(&before).await;
    let withdrawn = university.replaced(IssuerKind::Students, STOLEN).await;
    assert_eq!(withdrawn.certificates, 1);
    assert_eq!(withdrawn.holders, ["1155000001".parse().unwrap()]);
    let after = university.student("1155000002").await;

    let reply = ask(&mut open, &Request::RefreshToken {}).await;
    assert_eq!(refused(reply), Code::CertificateRevoked);
    let refusal = university.dial(Some(&before)).await.unwrap_err();
    assert_eq!(refusal.code, Code::CertificateRevoked);
    university.connect_as(&after).await;

    let (_, published) = lists(&university).await;
    let trust = university.trust().with_crls(published).unwrap();
    let now = university.clock.now();
    let judged = trust.verify_student(&before.chain, now);
    assert!(
        matches!(judged, Err(CertificateError::Revoked)),
        "{judged:?}"
    );
    trust.verify_student(&after.chain, now).unwrap();

    let told = [("1155000001", &before), ("1155000002", &after)]
        .map(|(sid, who)| (sid, who.chain.leaf().fingerprint()));
    let members = university.told(&blackboard, &verify(&told)).await;
    assert_eq!(members[0]["reason"], "revoked", "{members:?}");
    assert_eq!(members[1]["active"], true, "{members:?}");
}

#[tokio::test]
async fn what_somebody_else_issued_with_the_stolen_key_ends_with_it() {
    let university = University::open().await;
    let forged = university.forged("1155000001");
    let judge = |lists: Vec<Crl>| {
        let trust = university.trust().with_crls(lists).unwrap();
        trust.verify_student(&forged.chain, university.clock.now())
    };
    judge(lists(&university).await.1).unwrap();
    university.rotate(IssuerKind::Students).await;
    let students = kind_of(IssuerKind::Students);
    university.written_down(students, STOLEN).await.unwrap();
    // CUHK, which never issued it, lists it nowhere: the root has to.
    judge(lists(&university).await.1).unwrap();
    university.listed().await;
    let judged = judge(lists(&university).await.1);
    assert!(
        matches!(judged, Err(CertificateError::Revoked)),
        "{judged:?}"
    );
    let refusal = university.dial(Some(&forged)).await.unwrap_err();
    assert_eq!(refusal.code, Code::CertificateRevoked);
}

#[tokio::test]
async fn an_ended_certificate_of_a_withdrawn_authority_is_not_renewed_in_its_grace_period() {
    let university = University::open().await;
    let student = university.student("1155000001").await;
    university
        .clock
        .advance(Duration::from_secs(31 * 24 * 60 * 60));
    university.refresher.refresh().await.unwrap();
    university.rotate(IssuerKind::Students).await;
    let key = SigningKey::generate().unwrap();
    let superseded = RevocationReason::Superseded.into();
    let students = kind_of(IssuerKind::Students);
    university.written_down(students, superseded).await.unwrap();
    let renewed = university.renewed_by_key(&student, &key).await;
    assert_eq!(renewed.unwrap_err().code, Code::CertificateRevoked);
}

#[tokio::test]
async fn the_roots_list_says_since_when_and_why_and_goes_on_saying_so() {
    let university = University::open().await;
    let authority = university.student("1155000001").await.chain;
    let authority = authority.certificates()[1].clone();
    let first = university.listed().await;
    assert!(!first.contains(&authority.serial()));
    let at = university.clock.now();
    let since = scb_protocol::from_seconds(at.as_secs() - 3600);
    university.rotate(IssuerKind::Students).await;
    let students = kind_of(IssuerKind::Students);
    let lesser = RevocationReason::Superseded.into();
    university.written_down(students, lesser).await.unwrap();
    let second = university.listed().await;
    let told = Some((at, RevocationReason::Superseded));
    assert_eq!(second.revocation(&authority.serial()), told);
    assert!(second.number() > first.number());

    // It turns out to be worse.
    university.clock.advance(Duration::from_secs(60));
    let worse = Grounds {
        invalid_since: Some(since),
        ..STOLEN
    };
    let again = university.written_down(students, worse).await.unwrap();
    assert_eq!(again, (true, RevokedWith::default()));
    let third = university.listed().await;
    let told = Some((at, RevocationReason::CaCompromise));
    assert_eq!(third.revocation(&authority.serial()), told);

    // Repeated, it changes nothing, and the next list says the same.
    let again = university.written_down(students, STOLEN).await.unwrap();
    assert_eq!(again, (false, RevokedWith::default()));
    let university = university.restart().await;
    assert_eq!(
        university.listed().await.revocation(&authority.serial()),
        told
    );
}

#[tokio::test]
async fn refuses_to_withdraw_a_root_and_what_nothing_has_taken_the_place_of() {
    let university = University::open().await;
    let student = university.student("1155000001").await;
    let students = kind_of(IssuerKind::Students);
    let refused = university.written_down(students, STOLEN).await;
    assert!(
        matches!(refused, Err(Error::AuthorityInUse(_))),
        "{refused:?}"
    );
    let refused = university.written_down(CrlSigner::ROOT, STOLEN).await;
    assert!(
        matches!(refused, Err(Error::RootNotRevocable(_))),
        "{refused:?}"
    );
    let refused = university.written_down(students.next(), STOLEN).await;
    assert!(matches!(refused, Err(Error::KeyUnknown(_))), "{refused:?}");
    university.connect_as(&student).await;
    // The twin: the next one is there, though it does not issue yet.
    let next = university.rotate(IssuerKind::Students).await;
    university.written_down(students, STOLEN).await.unwrap();
    let refused = university.written_down(next, STOLEN).await;
    assert!(
        matches!(refused, Err(Error::AuthorityInUse(_))),
        "{refused:?}"
    );
    let after = university.student("1155000002").await;
    assert_ne!(
        after.chain.certificates()[1],
        student.chain.certificates()[1]
    );
}

#[tokio::test]
async fn an_authority_is_found_by_name_fingerprint_and_serial_number() {
    let university = University::open().await;
    let student = university.student("1155000001").await;
    let authority = &student.chain.certificates()[1];
    let (home, store) = (university.home(), university.store.clone());
    let keys: [NamedKey; 4] = [
        "students".parse().unwrap(),
        NamedKey::Fingerprint(authority.fingerprint()),
        authority.serial().to_string().parse().unwrap(),
        NamedKey::Fingerprint(student.chain.leaf().fingerprint()),
    ];
    let find = move || keys.map(|key| named_authority(&home, &store, &key).unwrap());
    let found = tokio::task::spawn_blocking(find).await.unwrap();
    let students = Some(kind_of(IssuerKind::Students));
    assert_eq!(found, [students, students, students, None]);
}

#[tokio::test]
async fn an_answer_that_was_asked_for_before_cannot_take_it_off_the_list() {
    let university = University::open().await;
    let request = university.asked_of_root(false).await;
    let now = university.clock.now();
    let answer = scb_cuhk::sign_root(&request, &[university.root_with_key()], None, now).unwrap();
    university.rotate(IssuerKind::Students).await;
    let students = kind_of(IssuerKind::Students);
    university.written_down(students, STOLEN).await.unwrap();
    let refused = university.take_in(answer).await;
    assert!(
        matches!(refused, Err(Error::CeremonyInvalid(_))),
        "{refused:?}"
    );
    // The twin: asked for now.
    let request = university.asked_of_root(false).await;
    assert_eq!(request.revoked.len(), 1);
    let json = request.to_json();
    let request = scb_cuhk::RootRequest::from_json(&json).unwrap();
    let answer = scb_cuhk::sign_root(&request, &[university.root_with_key()], None, now).unwrap();
    university.take_in(answer).await.unwrap();
}

#[tokio::test]
async fn what_is_written_down_counts_before_each_certificate_is_revoked() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let student = university.student("1155000001").await;
    university.rotate(IssuerKind::Students).await;
    let mut open = university.connect_as(&student).await;
    let mut other = university.connect_as(&student).await;
    let question = verify(&[("1155000001", student.chain.leaf().fingerprint())]);
    let before = university.told(&blackboard, &question).await;
    assert_eq!(before[0]["active"], true);

    let (home, store, now) = (
        university.home(),
        university.store.clone(),
        university.clock.now(),
    );
    let students = kind_of(IssuerKind::Students);
    let withdraw = move || withdraw_authority(&home, &store, students, STOLEN, now);
    assert!(
        tokio::task::spawn_blocking(withdraw)
            .await
            .unwrap()
            .unwrap()
    );
    let after = university.told(&blackboard, &question).await;
    assert_eq!(after[0]["reason"], "revoked");
    let reply = ask(&mut open, &Request::RefreshToken {}).await;
    assert_eq!(refused(reply), Code::CertificateRevoked);
    let reply = ask(&mut other, &renew(&SigningKey::generate().unwrap())).await;
    assert_eq!(refused(reply), Code::CertificateRevoked);
}

/// The server looks at the records every half second, and may do so in between.
#[tokio::test]
async fn a_withdrawn_authority_issues_nothing_more_also_before_the_server_has_looked() {
    let university = University::open().await;
    let before = university.student("1155000001").await;
    university.rotate(IssuerKind::Students).await;
    let (code, key) = (
        university.code("1155000002").await,
        SigningKey::generate().unwrap(),
    );
    let (home, store, now) = (
        university.home(),
        university.store.clone(),
        university.clock.now(),
    );
    let students = kind_of(IssuerKind::Students);
    let withdraw = move || withdraw_authority(&home, &store, students, STOLEN, now);
    tokio::task::spawn_blocking(withdraw)
        .await
        .unwrap()
        .unwrap();

    let request = enrol("1155000002", &code, &key);
    let first = university.ask(None, &request).await;
    assert!(
        !matches!(&first, Err(refusal) if refusal.code != Code::Busy),
        "{first:?}"
    );
    university.refresher.refresh().await.unwrap();
    let (chain, _) = enrolled(university.ask(None, &request).await);
    assert_ne!(chain.certificates()[1], before.chain.certificates()[1]);
    if let Ok(reply) = first {
        assert_eq!(enrolled(Ok(reply)).0, chain);
    }
    assert_eq!(university.count_certificates("1155000002").await, 1);
}

#[tokio::test]
async fn withdrawn_services_get_new_certificates_for_new_codes_and_so_does_cuhk() {
    let university = University::open().await;
    let student = university.student("1155000001").await;
    let old = university.blackboard().await;
    let withdrawn = university.replaced(IssuerKind::Services, STOLEN).await;
    assert!(
        withdrawn
            .holders
            .contains(&"service/blackboard".parse().unwrap())
    );
    let refusal = university.dial(Some(&old)).await.unwrap_err();
    assert_eq!(refusal.code, Code::CertificateRevoked);
    let own = university.connect().await.peer_chain().unwrap().clone();
    assert_ne!(own.certificates()[1], old.chain.certificates()[1]);
    let (_, published) = lists(&university).await;
    let trust = university.trust().with_crls(published).unwrap();
    let cuhk = scb_certs::ServiceName::cuhk();
    let now = university.clock.now();
    let server = scb_certs::ServiceUsage::Server;
    trust.verify_service(&own, &cuhk, server, now).unwrap();
    // Tokens are signed by a key under the new authority, and students stay as they were.
    let token = university
        .ask(Some(&student), &Request::RefreshToken {})
        .await;
    assert!(matches!(token, Ok(Reply::Token { .. })), "{token:?}");
    let signers = university.change(|records| records.signers().all()).await;
    let states: Vec<_> = signers
        .iter()
        .map(|one| KeyState::of_signer(one, now))
        .collect();
    assert_eq!(states, [KeyState::Withdrawn, KeyState::Active]);
    let new = university.blackboard().await;
    let university = university.restart().await;
    university.connect_as(&new).await;
    let refusal = university.dial(Some(&old)).await.unwrap_err();
    assert_eq!(refusal.code, Code::CertificateRevoked);
}

#[tokio::test]
async fn its_list_has_a_place_among_those_of_all_until_the_roots_names_it() {
    let university = University::open().await;
    let student = university.student("1155000001").await;
    let before = lists(&university).await.1;
    university.rotate(IssuerKind::Students).await;
    let students = kind_of(IssuerKind::Students);
    university.written_down(students, STOLEN).await.unwrap();
    assert_eq!(lists(&university).await.1.len(), 4);
    university.listed().await;
    let after = lists(&university).await.1;
    assert_eq!(after.len(), 3);
    let of_whom = |lists: &[Crl]| lists[1].issuer_key_id().to_vec();
    assert_ne!(of_whom(&before), of_whom(&after));

    // Whoever follows the address in the certificate finds it, and that it is revoked.
    let named = list(&university, "students").await;
    assert!(named.contains(&student.chain.leaf().serial()));
    university.clock.advance(Duration::from_secs(13 * 60 * 60));
    let renewed = list(&university, "students").await;
    assert!(renewed.number() > named.number());
    // With both, and with the lists of all alone, it is the same.
    let now = university.clock.now();
    let all = lists(&university).await.1;
    for lists in [all.clone(), [all, vec![renewed]].concat()] {
        let trust = university.trust().with_crls(lists).unwrap();
        let judged = trust.verify_student(&student.chain, now);
        assert!(
            matches!(judged, Err(CertificateError::Revoked)),
            "{judged:?}"
        );
    }
    // By those of before it holds, as in a receipt of before.
    let trust = university.trust().with_crls(before).unwrap();
    trust.verify_student(&student.chain, now).unwrap();
}

#[tokio::test]
async fn its_list_is_published_until_what_it_issued_has_ended() {
    let university = University::open().await;
    university.student("1155000001").await;
    university.replaced(IssuerKind::Students, STOLEN).await;
    let address = "/crl/students.crl";
    assert!(
        get(&university, address)
            .await
            .0
            .starts_with("HTTP/1.1 200")
    );
    university
        .clock
        .advance(Duration::from_secs(32 * 24 * 60 * 60));
    university.refresher.refresh().await.unwrap();
    assert!(
        get(&university, address)
            .await
            .0
            .starts_with("HTTP/1.1 404")
    );
    let (_, published) = lists(&university).await;
    assert_eq!(published.len(), 3);
    TrustStore::new(university.root.clone())
        .unwrap()
        .with_crls(published)
        .unwrap();
}

impl University {
    /// A certificate by the key of the first authority, of which CUHK knows nothing.
    fn forged(&self, sid: &str) -> Credentials {
        let dir = self.home().path("issuers/students");
        let read = |file: &str| std::fs::read_to_string(dir.join(file)).unwrap();
        let passphrase = crate::university::PASSPHRASE.to_owned().into();
        let key = SigningKey::from_pem(&read("key.pem"), Some(&passphrase)).unwrap();
        let own = scb_certs::Certificate::from_pem(&read("cert.pem")).unwrap();
        let root = self.root.clone();
        let thief = scb_certs::Issuer::from_parts(IssuerKind::Students, own, key, root).unwrap();
        let (key, sid) = (
            SigningKey::generate().unwrap(),
            sid.parse::<StudentId>().unwrap(),
        );
        let lifetime = Duration::from_secs(24 * 60 * 60);
        let validity = leaf_validity(self.clock.now(), lifetime, thief.certificate());
        let serial = Serial::random().unwrap();
        let urls = DistributionUrls::default();
        let chain = thief.issue_student(&sid, key.public_key(), &serial, &validity, &urls);
        Credentials {
            key,
            chain: chain.unwrap(),
        }
    }
}
