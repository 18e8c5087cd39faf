//! Years of renewals that happen by themselves, as `student` does it: when two thirds of a certificate's
//! life are over, and again whenever it was told that there is none yet.

use std::time::Duration;

use scb_certs::SigningKey;
use scb_cuhk::MAX_STUDENT_CERTIFICATES;
use scb_protocol::Code;

use crate::university::{Credentials, University, enrolled, renew};

const SID: &str = "1155000001";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A term that ends so many days from now.
async fn open_term(university: &University, name: String, days: u32) {
    let ends = university.clock.now().as_secs() + (days * DAY).as_secs();
    let ends_at = scb_protocol::from_seconds(ends);
    let term = scb_cuhk::Term { name, ends_at };
    university
        .change(move |records| records.terms().set(&term))
        .await;
}

/// Renews what is due. Answers whether that was refused, as it is while nothing longer is to be had.
async fn look_after(university: &University, device: &mut Credentials) -> bool {
    let now = university.clock.now();
    if !device.chain.leaf().is_due_for_renewal(now) {
        return false;
    }
    let key = SigningKey::generate().unwrap();
    match university.ask(Some(device), &renew(&key)).await {
        Ok(reply) => {
            let chain = enrolled(Ok(reply)).0;
            *device = Credentials { key, chain };
            false
        }
        Err(refusal) => {
            assert_eq!(refusal.code, Code::RenewalNotLonger, "{refusal}");
            let end = device.chain.leaf().not_after();
            assert_eq!(refusal.params["until"], scb_protocol::rfc3339(end));
            assert!(refusal.params["term"].starts_with('T'), "{refusal}");
            true
        }
    }
}

#[tokio::test]
async fn renewal_when_it_is_due_meets_no_bound_whatever_terms_there_are() {
    let university = University::open().await;
    let mut devices = Vec::new();
    for _ in 0..MAX_STUDENT_CERTIFICATES {
        devices.push(university.student(SID).await);
    }
    // One that ends a day after the first certificates do is the hardest; the next one is opened before.
    let (mut left, mut waited) = (31, 0);
    open_term(&university, "T0".to_owned(), left).await;
    for day in 1..=200 {
        university.clock.advance(DAY);
        university.refresher.refresh().await.unwrap();
        left -= 1;
        if left == 3 {
            left = 31 + day % 7;
            open_term(&university, format!("T{day}"), left).await;
        }
        for device in &mut devices {
            waited += u32::from(look_after(&university, device).await);
        }
    }
    assert!(waited > 0, "the end of a term has cut some short");
    university.stop().await;
}
