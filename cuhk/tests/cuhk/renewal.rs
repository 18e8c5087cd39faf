//! A student's next certificate: by the one in hand, or by its key once it has ended.

use std::time::Duration;

use scb_certs::{Chain, RevocationReason, SigningKey, create_request};
use scb_cuhk::{Config, MAX_STUDENT_CERTIFICATES, Records, restore, suspend};
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::values::Der;
use scb_protocol::{AuthorityChannel, Code, Refusal, prove_renewal, rfc3339};
use tokio::task::JoinSet;

use crate::university::{Credentials, University, ask, enrol, enrolled, refused, renew};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const SID: &str = "1155000001";

fn key() -> SigningKey {
    SigningKey::generate().unwrap()
}

/// Days pass, and the server sees to its own certificates meanwhile.
async fn pass(university: &University, days: u32) {
    university.clock.advance(days * DAY);
    university.refresher.refresh().await.unwrap();
}

impl University {
    /// Asks with the certificate in hand.
    async fn renewed(&self, who: &Credentials, key: &SigningKey) -> Result<Chain, Refusal> {
        let reply = self.ask(Some(who), &renew(key)).await?;
        Ok(enrolled(Ok(reply)).0)
    }

    /// Asks without it, by the signature of its key.
    pub(crate) async fn renewed_by_key(
        &self,
        old: &Credentials,
        key: &SigningKey,
    ) -> Result<Chain, Refusal> {
        let mut connection = self.connect().await;
        let channel = AuthorityChannel {
            exporter: connection.exporter(),
            service: "spiffe://cuhk.example/service/cuhk".parse().unwrap(),
        };
        let request = Der::new(create_request(key).unwrap());
        let proof = prove_renewal(&channel, &request, &old.key, &old.chain).unwrap();
        let sid = SID.parse().unwrap();
        let asked = Request::RenewExpired {
            sid,
            request,
            proof,
        };
        Ok(enrolled(Ok(ask(&mut connection, &asked).await?)).0)
    }

    async fn set_term(&self, name: &str, days: u32) {
        let ends_at = scb_cuhk::Term {
            name: name.to_owned(),
            ends_at: scb_protocol::from_seconds(
                self.clock.now().as_secs() + (days * DAY).as_secs(),
            ),
        };
        self.change(move |records| records.terms().set(&ends_at))
            .await;
    }
}

fn code(result: Result<Chain, Refusal>) -> Code {
    result.unwrap_err().code
}

#[tokio::test]
async fn a_renewed_certificate_has_the_same_name_and_the_new_key() {
    let university = University::open().await;
    let student = university.student(SID).await;
    pass(&university, 20).await;
    let next = key();
    let mut connection = university.connect_as(&student).await;
    let (chain, token) = enrolled(ask(&mut connection, &renew(&next)).await);
    let (old, new) = (student.chain.leaf(), chain.leaf());
    assert_eq!(new.spiffe_id().unwrap(), old.spiffe_id().unwrap());
    assert_eq!(new.public_key().unwrap(), *next.public_key());
    assert!(new.not_after() > old.not_after());
    assert!(!token.is_empty());
    // The answer may have been lost: nothing is issued twice, and both are good.
    let again = enrolled(ask(&mut connection, &renew(&next)).await).0;
    assert_eq!(again, chain);
    assert_eq!(university.count_certificates(SID).await, 2);
    let renewed = Credentials { key: next, chain };
    for who in [&student, &renewed] {
        let token = university.ask(Some(who), &Request::RefreshToken {}).await;
        assert!(matches!(token, Ok(Reply::Token { .. })));
    }
}

#[tokio::test]
async fn one_certificate_is_renewed_once_however_many_ask_at_once() {
    let university = University::open().await;
    let student = university.student(SID).await;
    pass(&university, 20).await;
    let mut asked = JoinSet::new();
    for _ in 0..8 {
        let mut connection = university.connect_as(&student).await;
        asked.spawn(async move { ask(&mut connection, &renew(&key())).await });
    }
    let answers = asked.join_all().await;
    let refusals = answers.into_iter().filter_map(Result::err);
    let codes: Vec<_> = refusals.map(|refusal| refusal.code).collect();
    assert_eq!(codes, [Code::CertificateSuperseded; 7]);
    assert_eq!(university.count_certificates(SID).await, 2);
}

#[tokio::test]
async fn a_renewal_is_no_further_device() {
    let university = University::open().await;
    let mut devices = Vec::new();
    for _ in 0..MAX_STUDENT_CERTIFICATES {
        devices.push(university.student(SID).await);
    }
    pass(&university, 20).await;
    for device in &devices {
        university.renewed(device, &key()).await.unwrap();
    }
    let (code, fourth) = (university.code(SID).await, key());
    let reply = university.ask(None, &enrol(SID, &code, &fourth)).await;
    assert_eq!(refused(reply), Code::TooManyDevices);
    // The old ones end; what took their place still counts.
    pass(&university, 11).await;
    let reply = university.ask(None, &enrol(SID, &code, &fourth)).await;
    assert_eq!(refused(reply), Code::TooManyDevices);
}

#[tokio::test]
async fn renewals_without_end_are_refused() {
    let university = University::open().await;
    let mut who = university.student(SID).await;
    let first_ends = who.chain.leaf().not_after();
    let refusal = loop {
        university.clock.advance(Duration::from_secs(60));
        let key = key();
        match university.renewed(&who, &key).await {
            Ok(chain) => who = Credentials { key, chain },
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(refusal.code, Code::TooManyDevices);
    assert_eq!(refusal.params["room_at"], rfc3339(first_ends));
    let most = scb_cuhk::MAX_LIVE_STUDENT_CERTIFICATES;
    assert_eq!(university.count_certificates(SID).await, most);
}

#[tokio::test]
async fn the_same_key_is_renewed_once_its_certificate_is_no_longer_young() {
    let university = University::open().await;
    let student = university.student(SID).await;
    let young = university.renewed(&student, &student.key).await.unwrap();
    assert_eq!(young, student.chain);
    pass(&university, 20).await;
    let next = university.renewed(&student, &student.key).await.unwrap();
    assert!(next.leaf().not_after() > student.chain.leaf().not_after());
    let again = university.renewed(&student, &student.key).await.unwrap();
    assert_eq!(again, next);
}

#[tokio::test]
async fn keys_of_others_are_refused() {
    let university = University::open().await;
    let student = university.student(SID).await;
    let other = university.student("1155000002").await;
    pass(&university, 20).await;
    let refused = university.renewed(&student, &other.key).await;
    assert_eq!(code(refused), Code::KeyRefused);
    assert_eq!(university.count_certificates(SID).await, 1);
}

#[tokio::test]
async fn within_the_grace_period_the_old_key_vouches_for_the_new_one() {
    let university = University::open().await;
    let student = university.student(SID).await;
    pass(&university, 31).await;
    let next = key();
    let expired = university.renewed(&student, &next).await;
    assert_eq!(code(expired), Code::CertificateExpired, "mutual TLS");
    let chain = university.renewed_by_key(&student, &next).await.unwrap();
    assert_eq!(
        chain.leaf().spiffe_id().unwrap(),
        student.chain.leaf().spiffe_id().unwrap()
    );
    assert_eq!(chain.leaf().public_key().unwrap(), *next.public_key());
    let again = university.renewed_by_key(&student, &next).await.unwrap();
    assert_eq!(again, chain, "the answer was lost");
    let elsewhere = university.renewed_by_key(&student, &key()).await;
    assert_eq!(code(elsewhere), Code::CertificateSuperseded);
}

#[tokio::test]
async fn a_lost_answer_is_made_up_for_even_if_what_it_held_has_ended() {
    let config = Config {
        renewal_grace_days: 60,
        ..Config::default()
    };
    let university = University::open_with(config).await;
    let (student, next) = (university.student(SID).await, key());
    pass(&university, 20).await;
    let lost = university.renewed(&student, &next).await.unwrap();
    pass(&university, 31).await;
    let found = university.renewed_by_key(&student, &next).await.unwrap();
    assert!(found.leaf().not_after() > lost.leaf().not_after());
}

#[tokio::test]
async fn after_the_grace_period_only_a_code_helps() {
    let university = University::open().await;
    let student = university.student(SID).await;
    pass(&university, 61).await;
    let late = university
        .renewed_by_key(&student, &key())
        .await
        .unwrap_err();
    assert_eq!(late.code, Code::RenewalTooLate);
    assert!(late.params.contains_key("renewable_until"), "{late}");
    university.student(SID).await;
}

#[tokio::test]
async fn a_grace_of_no_days_is_none() {
    let config = Config {
        renewal_grace_days: 0,
        ..Config::default()
    };
    let university = University::open_with(config).await;
    let student = university.student(SID).await;
    pass(&university, 31).await;
    let late = university.renewed_by_key(&student, &key()).await;
    assert_eq!(code(late), Code::CertificateExpired);
}

#[tokio::test]
async fn who_is_suspended_revoked_or_unlisted_gets_nothing() {
    let university = University::open().await;
    let student = university.student(SID).await;
    pass(&university, 29).await;
    let mut open = university.connect_as(&student).await;
    let now = university.clock.now();
    let sid = || SID.parse().unwrap();
    university
        .change(move |records| suspend(records, &sid(), now))
        .await;
    let reply = ask(&mut open, &renew(&key())).await;
    assert_eq!(refused(reply), Code::StudentInactive);
    pass(&university, 2).await;
    let by_key = || university.renewed_by_key(&student, &student.key);
    assert_eq!(code(by_key().await), Code::StudentInactive);

    let now = university.clock.now();
    university
        .change(move |records| restore(records, &sid(), now))
        .await;
    // No command takes anybody off the roster; a restored backup may.
    university.forget_student(SID).await;
    assert_eq!(code(by_key().await), Code::StudentUnlisted);

    let other = university.student("1155000002").await;
    let mut open = university.connect_as(&other).await;
    university
        .revoke("1155000002", RevocationReason::Superseded)
        .await;
    let reply = ask(&mut open, &renew(&key())).await;
    assert_eq!(refused(reply), Code::CertificateRevoked);
}

#[tokio::test]
async fn a_revoked_certificate_is_not_renewed_after_its_end_either() {
    let university = University::open().await;
    let student = university.student(SID).await;
    university
        .revoke(SID, RevocationReason::KeyCompromise)
        .await;
    pass(&university, 31).await;
    let revoked = university.renewed_by_key(&student, &key()).await;
    assert_eq!(code(revoked), Code::CertificateRevoked);
}

#[tokio::test]
async fn what_is_revoked_within_its_grace_period_is_not_renewed() {
    for reason in [
        RevocationReason::Unspecified,
        RevocationReason::PrivilegeWithdrawn,
    ] {
        let university = University::open().await;
        let only = university.student(SID).await;
        pass(&university, 31).await;
        university.revoke(SID, reason).await;
        let refused = university.renewed_by_key(&only, &key()).await;
        assert_eq!(code(refused), Code::CertificateRevoked, "{reason}");
    }
}

#[tokio::test]
async fn revocation_leaves_no_device_of_before_that_can_renew() {
    let university = University::open().await;
    let ended = university.student(SID).await;
    pass(&university, 20).await;
    let live = university.student(SID).await;
    pass(&university, 15).await;
    university
        .revoke(SID, RevocationReason::PrivilegeWithdrawn)
        .await;
    let by_key = university.renewed_by_key(&ended, &key()).await;
    assert_eq!(code(by_key), Code::CertificateRevoked);
    let in_hand = university.renewed(&live, &key()).await;
    assert_eq!(code(in_hand), Code::CertificateRevoked);
}

#[tokio::test]
async fn a_replacing_code_leaves_no_key_of_before_that_can_renew() {
    let university = University::open().await;
    let old = university.student(SID).await;
    pass(&university, 31).await;
    let (fresh, next) = (university.code_replacing(SID, true).await, key());
    let refused = university.renewed_by_key(&old, &key()).await;
    assert_eq!(code(refused), Code::CertificateRevoked);
    let enrolled = university.ask(None, &enrol(SID, &fresh, &next)).await;
    assert!(enrolled.is_ok(), "{enrolled:?}");
}

/// Of three in a row the first two have ended when the last is revoked. The first, asked for the
/// second's key, as after a lost answer, would lead to a new one.
#[tokio::test]
async fn no_lost_answer_of_a_revoked_device_is_made_up_for() {
    let university = University::open().await;
    let first = university.student(SID).await;
    pass(&university, 20).await;
    let second = key();
    let chain = university.renewed(&first, &second).await.unwrap();
    let renewed = Credentials { key: second, chain };
    pass(&university, 20).await;
    university.renewed(&renewed, &key()).await.unwrap();
    pass(&university, 15).await;
    university.revoke(SID, RevocationReason::Superseded).await;
    let refused = university.renewed_by_key(&first, &renewed.key).await;
    assert_eq!(code(refused), Code::CertificateRevoked);
}

#[tokio::test]
async fn revoking_one_certificate_revokes_the_device() {
    let university = University::open().await;
    let (lost, kept) = (university.student(SID).await, university.student(SID).await);
    pass(&university, 20).await;
    let next = key();
    let chain = university.renewed(&lost, &next).await.unwrap();
    let renewed = Credentials { key: next, chain };
    let target = scb_cuhk::Target::Certificate(lost.chain.leaf().serial());
    let now = university.clock.now();
    let revoke = move |records: &Records<'_>| {
        scb_cuhk::revoke(records, &target, RevocationReason::KeyCompromise, now)
    };
    assert_eq!(university.change(revoke).await.certificates, 2);
    university.refresher.refresh().await.unwrap();
    for who in [&lost, &renewed] {
        let refusal = university.dial(Some(who)).await.unwrap_err();
        assert_eq!(refusal.code, Code::CertificateRevoked);
    }
    university.connect_as(&kept).await;
}

#[tokio::test]
async fn certificates_end_with_the_term() {
    let university = University::open().await;
    university.set_term("T1", 25).await;
    university.set_term("T2", 100).await;
    let end = university.clock.now().as_secs() + (25 * DAY).as_secs();
    let student = university.student(SID).await;
    assert_eq!(student.chain.leaf().not_after().as_secs(), end);
    // What would end at the same time is not worth a certificate.
    pass(&university, 20).await;
    let same = university.renewed(&student, &key()).await;
    assert_eq!(code(same), Code::RenewalNotLonger);
    // Nobody else's is cut short.
    let blackboard = university.blackboard().await;
    assert!(blackboard.chain.leaf().not_after().as_secs() > end + (60 * DAY).as_secs());
    // The next term lets the old key renew, for the 30 days that there are.
    pass(&university, 6).await;
    let next = university.renewed_by_key(&student, &key()).await.unwrap();
    let life = next.leaf().not_after().as_secs() - university.clock.now().as_secs();
    assert_eq!(life, (30 * DAY).as_secs());
}

#[tokio::test]
async fn after_the_last_term_nothing_is_issued_until_the_next_is_set() {
    let university = University::open().await;
    university.set_term("T1", 10).await;
    let student = university.student(SID).await;
    pass(&university, 11).await;
    let (enrolment, next) = (university.code("1155000002").await, key());
    let request = enrol("1155000002", &enrolment, &next);
    let refusal = university.ask(None, &request).await.unwrap_err();
    assert_eq!(refusal.code, Code::TermOver);
    assert_eq!(refusal.params["term"], "T1");
    let late = university.renewed_by_key(&student, &key()).await;
    assert_eq!(code(late), Code::TermOver);
    university.set_term("T2", 100).await;
    university.ask(None, &request).await.unwrap();
    university.renewed_by_key(&student, &key()).await.unwrap();
}
