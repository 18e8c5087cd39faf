//! A CUHK that does not know this server's certificate, as after it was restored from a backup: its
//! revocation lists, which are for everybody, do not make up for that.

use std::time::Duration;

use scb_protocol::server::Outage;
use scb_protocol::{Code, Refusal};
use tokio::time::{sleep, timeout};

use super::LONG;
use super::campus::Campus;
use crate::authority::Authority;

async fn refused(campus: &Campus) -> Refusal {
    let refusal = campus.three().hand_in().await.unwrap_err();
    assert_eq!(refusal.code, Code::ServiceUncertified, "{refusal}");
    assert_eq!(refusal.retry_after, Some(60));
    assert_eq!(refusal.sid, None, "{refusal}");
    assert!(!refusal.code.is_about_certificate());
    refusal
}

#[tokio::test]
async fn a_server_that_cuhk_does_not_know_is_out_of_touch_and_blames_nobody() {
    let campus = Campus::open().await;
    let authority = Authority::start(campus.authority()).await.unwrap();
    assert!(authority.is_in_touch() && authority.objection().is_none());
    campus.cuhk.set(|state| state.knows_no_service = true);
    refused(&campus).await;
    let out_of_touch = async {
        while authority.is_in_touch() || authority.objection().is_none() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(LONG, out_of_touch).await.unwrap();
    let told = authority.objection().unwrap();
    for part in [
        "CUHK does not take this server's certificate",
        "cuhk code issue service/blackboard --replace",
    ] {
        assert!(told.contains(part), "{told}");
    }
    refused(&campus).await;
    campus.assert_nothing_stored().await;

    campus.cuhk.set(|state| state.knows_no_service = false);
    let back = async {
        while !authority.is_in_touch() || authority.objection().is_some() {
            sleep(Duration::from_millis(50)).await;
        }
        while campus.three().hand_in().await.is_err() {}
    };
    timeout(LONG, back).await.unwrap();
}

#[tokio::test]
async fn tokens_are_no_way_round_cuhks_refusal_of_this_server() {
    let campus = Campus::with(|config| config.outage = Outage::Tokens).await;
    campus.cuhk.set(|state| state.knows_no_service = true);
    refused(&campus).await;
    campus.assert_nothing_stored().await;
}

#[tokio::test]
async fn it_does_not_start_where_cuhk_does_not_know_it_and_says_what_to_do() {
    let mut campus = Campus::open().await;
    campus.stop().await;
    campus.cuhk.set(|state| state.knows_no_service = true);
    let error = campus.start().await.unwrap_err();
    let failure = crate::failure::failure(error);
    assert_eq!(
        failure.code,
        Some(Code::CertificateUnknownIssuer.as_str()),
        "{failure}"
    );
    assert!(failure.remedy.unwrap().contains("init --replace"));
    campus.cuhk.set(|state| state.knows_no_service = false);
    campus.start().await.unwrap();
}
