//! What the ten-thousandth revocation costs against the first: the command, its effect, and the
//! lists that are signed anew.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use rustls_pki_types::UnixTime;
use scb_certs::{RevocationReason, Serial};
use scb_cuhk::{Grounds, Target, revoke};
use scb_protocol::message::cuhk::MemberQuestion;
use scb_transport::{Clock, SystemClock};

use crate::archive::Archive;
use crate::measure::Spread;
use crate::servers::Server;
use crate::verifications::Asker;

/// Revocations of which the median is taken.
const FEW: usize = 15;

/// Revokes certificates, the first ones first.
pub struct Revocations<'a> {
    cuhk: &'a Server,
    home: PathBuf,
    /// How many are revoked.
    done: usize,
}

impl<'a> Revocations<'a> {
    pub fn new(cuhk: &'a Server, sandbox: &Path) -> Self {
        let revocations = Self {
            cuhk,
            home: sandbox.join("cuhk"),
            done: 0,
        };
        revocations.header();
        revocations
    }

    /// What stands above the lines of [`Revocations::measure`].
    pub fn header(&self) {
        println!(
            "\nrevocation, median of {FEW}, milliseconds: `cuhk revoke SERIAL`; asking CUHK until \
             the member is not active;\nfetching the revocation lists, which are signed for that; \
             the server's CPU for all of it\n  \
             revoked before  certificates  command   effect    lists      KiB      CPU"
        );
    }

    /// Prints what the next few cost.
    pub async fn measure(&mut self, archive: &Archive, asker: &mut Asker) {
        let (before, cpu) = (self.done, self.cuhk.cpu());
        let mut columns: [Vec<f64>; 4] = Default::default();
        for _ in 0..FEW {
            let row = self.one(archive, asker).await;
            for (column, value) in columns.iter_mut().zip(row) {
                column.push(value);
            }
        }
        let cpu = (self.cuhk.cpu() - cpu) * 1e3 / FEW as f64;
        let [command, effect, lists, size] = columns.map(|column| Spread::of(column).median);
        let certificates = archive.certificates.len();
        println!(
            "  {before:>14}  {certificates:>12}  {command:>7.1}  {effect:>7.1}  {lists:>7.1}  \
             {size:>7.0}  {cpu:>7.1}"
        );
    }

    /// Revokes so many, all in one transaction.
    pub fn many(&mut self, archive: &Archive, count: usize) {
        let now = SystemClock.now();
        let serials = archive.certificates.iter().skip(self.done).take(count);
        let serials: Vec<Serial> = serials.map(|(_, serial, _)| *serial).collect();
        self.done += serials.len();
        let all = archive.store.write_blocking(move |records| {
            let mut serials = serials.into_iter();
            serials.try_for_each(|serial| record(records, serial, now))
        });
        all.unwrap();
    }

    /// Milliseconds of the command, until its effect, and of fetching the lists; their KiB.
    async fn one(&mut self, archive: &Archive, asker: &mut Asker) -> [f64; 4] {
        let (sid, serial, sha256) = &archive.certificates[self.done];
        self.done += 1;
        // The server closes a connection on which nothing was asked for long.
        asker.reconnect().await;
        let started = Instant::now();
        self.command(serial);
        let command = millis(started);
        let member = MemberQuestion {
            sid: sid.clone(),
            cert_sha256: *sha256,
        };
        let started = Instant::now();
        while asker.is_active(member.clone()).await {}
        let effect = millis(started);
        let started = Instant::now();
        let sizes = asker.lists().await;
        let size = sizes.iter().sum::<u64>() as f64 / 1024.0;
        [command, effect, millis(started), size]
    }

    fn command(&self, serial: &Serial) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cuhk"));
        command.arg("--home").arg(&self.home).arg("revoke");
        let output = command.arg(format!("serial/{serial}")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

fn millis(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e3
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
