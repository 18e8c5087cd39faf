//! What CUHK does for a whole university: a roster imported, the first week's enrolments, and
//! verification and revocation with as many certificates as there are after years.
//!
//! `cargo bench --bench authority`, or with `-- --quick` (or `SCB_BENCH_QUICK=1`) in seconds.
//! `SCB_BENCH_STUDENTS` and `SCB_BENCH_CERTIFICATES` set how many there are. Started by
//! `cargo test`, which does not optimise, it is always quick.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub
)]

mod archive;
#[allow(dead_code)]
#[path = "../handin/disk.rs"]
mod disk;
mod enrolments;
#[path = "../flows/machine.rs"]
mod machine;
#[allow(dead_code)]
#[path = "../flows/measure.rs"]
mod measure;
mod revocations;
mod roster;
#[path = "../flows/servers.rs"]
mod servers;
mod verifications;

use std::path::PathBuf;

use machine::Wanted;
use measure::Effort;
use servers::Server;

/// How much is done.
pub struct Scale {
    pub effort: Effort,
    /// Students imported and enrolled.
    pub students: usize,
    /// Certificates in the database when verification is measured, ascending.
    pub certificates: Vec<usize>,
    /// Verifications at each of them.
    pub verifications: usize,
    /// Revocations between the first and the last that are measured.
    pub revocations: usize,
}

impl Scale {
    fn chosen(wanted: &Wanted) -> Self {
        let number = |name: &str, otherwise: usize| {
            let set = std::env::var(name).ok();
            set.map_or(otherwise, |text| text.parse().unwrap())
        };
        let (effort, (students, certificates, verifications, revocations)) = match wanted {
            Wanted::Quick => (Effort::QUICK, (60, 2_000, 60, 50)),
            Wanted::Full => (Effort::FULL, (10_000, 1_000_000, 3_000, 10_000)),
        };
        let most = number("SCB_BENCH_CERTIFICATES", certificates);
        let mut certificates = vec![1_000, 100_000, most];
        certificates.retain(|count| *count <= most);
        certificates.dedup();
        Self {
            effort,
            students: number("SCB_BENCH_STUDENTS", students),
            certificates,
            verifications,
            revocations,
        }
    }
}

fn main() {
    let Some(wanted) = machine::wanted() else {
        return;
    };
    let scale = Scale::chosen(&wanted);
    scb_protocol::install_crypto();
    machine::introduce();
    let dir = tempfile::tempdir().unwrap();
    let sandbox: PathBuf = dir.path().join("sandbox");
    let cuhk = Server::start(env!("CARGO_BIN_EXE_cuhk"), &sandbox);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let codes = roster::measure(dir.path(), &sandbox, scale.students);
    runtime.block_on(async {
        enrolments::measure(&cuhk, &sandbox, codes, &scale.effort).await;
        let mut archive = archive::Archive::open(&sandbox);
        let mut asker = verifications::Asker::enrol(&cuhk, &sandbox).await;
        archive.grow(scale.certificates[0]);
        let mut revocations = revocations::Revocations::new(&cuhk, &sandbox);
        revocations.measure(&archive, &mut asker).await;
        verifications::header(scale.verifications);
        for count in &scale.certificates {
            archive.grow(*count);
            asker.measure(&archive, scale.verifications).await;
        }
        revocations.header();
        revocations.measure(&archive, &mut asker).await;
        revocations.many(&archive, scale.revocations);
        revocations.measure(&archive, &mut asker).await;
    });
}
