//! What the ten-thousandth revocation costs against the first: the record of it, and the lists
//! that are signed anew.

use std::time::Instant;

use rustls_pki_types::UnixTime;
use scb_certs::{RevocationReason, Serial};
use scb_cuhk::{Grounds, Target, revoke};
use scb_transport::{Clock, SystemClock};

use crate::archive::Archive;
use crate::verifications::Asker;

/// Prints the cost of the first.
pub async fn first(archive: &Archive, asker: &mut Asker) {
    println!("\nrevocation: its record, then fetching the lists that were signed for it");
    one(archive, asker, 1).await;
}

/// Prints the cost of the second, with all the certificates there are now, and of the last of
/// `count` more.
pub async fn last(archive: &Archive, asker: &mut Asker, count: usize) {
    println!("\nrevocation, again");
    one(archive, asker, 2).await;
    let now = SystemClock.now();
    let serials = archive.certificates.iter().skip(2).take(count);
    let serials: Vec<Serial> = serials.map(|(_, serial, _)| *serial).collect();
    let all = archive.store.write_blocking(move |records| {
        serials
            .into_iter()
            .try_for_each(|serial| record(records, serial, now))
    });
    all.unwrap();
    one(archive, asker, count + 3).await;
}

/// Revokes the certificate of this number, and fetches the lists.
async fn one(archive: &Archive, asker: &mut Asker, number: usize) {
    let (_, serial, _) = archive.certificates[number - 1];
    asker.reconnect().await;
    let now = SystemClock.now();
    let started = Instant::now();
    let recorded = archive
        .store
        .write_blocking(move |records| record(records, serial, now));
    recorded.unwrap();
    let recorded = started.elapsed();
    let started = Instant::now();
    let sizes = asker.lists().await;
    println!(
        "  number {number:>6}, {:>8} certificates: {:.1} ms, lists {:.1} ms, {} KiB",
        archive.certificates.len(),
        recorded.as_secs_f64() * 1e3,
        started.elapsed().as_secs_f64() * 1e3,
        sizes.iter().sum::<u64>() / 1024
    );
}

fn record(
    records: &scb_cuhk::Records<'_>,
    serial: Serial,
    now: UnixTime,
) -> Result<(), scb_cuhk::Error> {
    let target = Target::Certificate(serial);
    let grounds = Grounds::from(RevocationReason::CessationOfOperation);
    revoke(records, &target, grounds, now).map(drop)
}
