//! The port for health and metrics, as far as a clock that jumps is needed to see it change.

use std::fs;
use std::time::Duration;

use scb_certs::{Certificate, IssuerKind, RevocationReason};
use scb_cuhk::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::university::University;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Head and body of an answer.
async fn get(university: &University, path: &str) -> String {
    let mut stream = TcpStream::connect(university.monitor).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    said
}

/// The value of one sample.
pub(crate) async fn sample(university: &University, name: &str) -> f64 {
    let metrics = get(university, "/metrics").await;
    let mut values = metrics
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = values.next().map(str::parse);
    value
        .unwrap_or_else(|| panic!("no {name}: {metrics}"))
        .unwrap()
}

#[tokio::test]
async fn it_is_not_ready_once_a_list_has_expired_and_alive_all_the_same() {
    let university = University::open().await;
    let ready = get(&university, "/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    // The lists of the issuing authorities are signed again, the root's only by a person.
    university.clock.advance(420 * DAY);
    university.refresher.refresh().await.unwrap();
    let unready = get(&university, "/readyz").await;
    assert!(unready.starts_with("HTTP/1.1 503"), "{unready}");
    assert!(unready.contains("the revocation list of root"), "{unready}");
    let alive = get(&university, "/healthz").await;
    assert!(alive.starts_with("HTTP/1.1 200"), "{alive}");
}

#[tokio::test]
async fn it_is_not_ready_where_the_clock_was_set_back_before_its_certificate() {
    let university = University::open().await;
    university.clock.rewind(400 * DAY);
    let unready = get(&university, "/readyz").await;
    assert!(unready.starts_with("HTTP/1.1 503"), "{unready}");
    assert!(unready.contains("counts from"), "{unready}");
}

#[tokio::test]
async fn ages_and_ends_are_measured_when_they_are_asked_for() {
    let university = University::open().await;
    let expiry = "cuhk_authority_expiry_days{authority=\"students\"}";
    let age = "cuhk_crl_age_seconds{authority=\"root\"}";
    let (days, seconds) = (
        sample(&university, expiry).await,
        sample(&university, age).await,
    );
    university.clock.advance(2 * DAY);
    let days_later = sample(&university, expiry).await;
    assert!((days - days_later - 2.0).abs() < 0.001, "{days_later}");
    let seconds_later = sample(&university, age).await;
    assert!((seconds_later - seconds - 172_800.0).abs() < 1.0);
    assert!(sample(&university, "cuhk_database_size_bytes").await > 4096.0);
}

#[tokio::test]
async fn the_end_of_a_withdrawn_authority_is_no_alarm_and_its_list_still_is() {
    let university = University::open().await;
    let stolen = RevocationReason::CaCompromise.into();
    university.replaced(IssuerKind::Students, stolen).await;
    let metrics = get(&university, "/metrics").await;
    let expiry = |authority: &str| {
        let sample = format!("cuhk_authority_expiry_days{{authority=\"{authority}\"}}");
        metrics.contains(&sample)
    };
    assert!(!expiry("students"), "{metrics}");
    assert!(expiry("students-2") && expiry("services"), "{metrics}");
    let remaining = "cuhk_crl_remaining_seconds{authority=\"students\"}";
    assert!(sample(&university, remaining).await > 0.0);
}

#[tokio::test]
async fn an_authority_that_cannot_be_opened_is_named_and_none_that_was_replaced_issues_for_it() {
    let university = University::open().await;
    for _ in 0..2 {
        university.rotate(IssuerKind::Students).await;
        university.pass(Duration::from_secs(10)).await;
    }
    let stopped = university.stopped().await;
    let file = |name: &str| stopped.home().join("issuers").join(name).join("cert.pem");
    let (retiring, active) = (file("students-2"), file("students-3"));
    let aside = active.with_extension("aside");
    fs::rename(&active, &aside).unwrap();
    let refused = stopped.refused().await;
    let is_named = matches!(&refused, Error::CertificateGone { path } if *path == active);
    assert!(is_named, "{refused:?}");

    fs::rename(&aside, &active).unwrap();
    fs::remove_file(&retiring).unwrap();
    let university = stopped.start().await;
    let unready = get(&university, "/readyz").await;
    assert!(unready.starts_with("HTTP/1.1 503"), "{unready}");
    assert!(unready.contains("students-2 cannot be opened"), "{unready}");
    assert!(!unready.contains("students-3"), "{unready}");
    let active = Certificate::from_pem(&fs::read_to_string(active).unwrap()).unwrap();
    let student = university.student("1155000001").await;
    assert!(student.chain.leaf().names_issuer(&active));
}
