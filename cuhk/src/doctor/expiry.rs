//! When the authorities' and the server's own certificates end.

use std::path::Path;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Chain};
use scb_cli::{Home, counted, local_time, read_limited};

use super::authorities::Standing;
use super::files::made_anew;
use super::{Finding, open_current};
use crate::config::path;
use crate::issuers::{in_file, read_certificate};
use crate::own_identity::CHAIN;
use crate::store::AuthorityKind;
use crate::time::later;
use crate::warnings::{AHEAD, ROOT_ENDED};
use crate::{Error, clock};

/// A certificate of the server's own that has less than this left was not renewed as it should.
const OWN_AHEAD: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const MAX_PEM: u64 = 64 * 1024;

pub(super) fn check(home: &Home, authorities: &[Standing], now: UnixTime) -> Vec<Finding> {
    let is_newest_root =
        |one: &&Standing| one.signer.kind() == AuthorityKind::Root && !one.has_heir;
    let mut newest = authorities.iter().filter(is_newest_root);
    let root_ended = newest.any(|root| {
        let certificate = read_certificate(home, &path::authority(root.signer));
        certificate.is_ok_and(|certificate| certificate.not_after() < now)
    });
    let clock_is_right = agrees_with_records(home, now);
    let mut findings: Vec<_> = authorities
        .iter()
        .filter(|one| one.is_in_use && !one.is_withdrawn)
        .map(|one| {
            match clock_is_right {
                true => awaited(home, one, authorities, now),
                false => None,
            }
            .unwrap_or_else(|| authority(home, one, root_ended, now))
        })
        .collect();
    let own = |dir, name| own(home, dir, name, clock_is_right, now);
    findings.extend([
        own(path::TLS, "the server's certificate for TLS"),
        own(path::TOKENS, "the certificate that signs tokens"),
    ]);
    findings
}

/// Whether the records bear out this machine's clock.
fn agrees_with_records(home: &Home, now: UnixTime) -> bool {
    let Some(store) = open_current(home) else {
        return false;
    };
    let agrees = store.read_blocking(move |records| {
        let is_known = clock::last_believed(records)?.is_some();
        Ok(is_known && clock::check(records, now).is_ok())
    });
    store.close_blocking();
    agrees.unwrap_or(false)
}

/// An issuing authority whose certificate begins only later though this machine's clock is right: the
/// one where it was signed was ahead.
fn awaited(
    home: &Home,
    one: &Standing,
    authorities: &[Standing],
    now: UnixTime,
) -> Option<Finding> {
    let kind = one.signer.kind();
    let certificate = |one: &Standing| read_certificate(home, &path::authority(one.signer)).ok();
    let begins = certificate(one)?.not_before();
    if begins <= now || kind == AuthorityKind::Root {
        return None;
    }
    let seen = format!(
        "the issuing authority `{}` begins only at {}, and the records say that this machine's clock is \
         right: that of the machine where the root signed it was ahead",
        one.signer,
        local_time(begins)
    );
    let which = kind.as_str();
    let issues = |other: &&Standing| {
        let counts = |own: Certificate| own.not_before() <= now && now < own.not_after();
        other.signer.kind() == kind
            && other.is_in_use
            && !other.is_withdrawn
            && certificate(other).is_some_and(counts)
    };
    let anew = format!(
        "`cuhk keys rotate {which}`, or, once the clock of the root's machine is set, `cuhk keys request \
         {which}`"
    );
    Some(match authorities.iter().find(issues) {
        Some(other) => Finding::warn(
            "authority-expiry",
            seen,
            format!(
                "until then `{}` issues; if that is too long, another one: {anew}",
                other.signer
            ),
        ),
        None => Finding::fail(
            "authority-expiry",
            seen,
            format!("put another in its place: {anew}"),
        ),
    })
}

fn authority(home: &Home, authority: &Standing, root_ended: bool, now: UnixTime) -> Finding {
    const CHECK: &str = "authority-expiry";
    let Standing {
        signer, has_heir, ..
    } = authority;
    let certificate = match read_certificate(home, &path::authority(*signer)) {
        Ok(certificate) => certificate,
        Err(error) => return Finding::unseen(CHECK, error),
    };
    let name = match signer.kind() {
        AuthorityKind::Root => format!("the root `{signer}`"),
        _ => format!("the issuing authority `{signer}`"),
    };
    if *has_heir && now <= certificate.not_after() {
        let end = local_time(certificate.not_after());
        return Finding::ok(
            CHECK,
            format!("{name} ends at {end}; another has taken its place"),
        );
    }
    let mend = match root_ended {
        true => ROOT_ENDED.to_owned(),
        false => format!(
            "no later certificate can be issued: cuhk keys rotate {}",
            signer.kind().as_str()
        ),
    };
    judge(CHECK, &name, &certificate, AHEAD, &mend, now)
}

fn own(home: &Home, dir: &str, name: &str, clock_is_right: bool, now: UnixTime) -> Finding {
    const CHECK: &str = "own-expiry";
    let file = home.path(dir).join(CHAIN);
    match stored_leaf(&file) {
        Ok(Some(leaf)) if clock_is_right && now < leaf.not_before() => Finding::fail(
            CHECK,
            format!(
                "{name} begins only at {}, and the records say that this machine's clock is right",
                local_time(leaf.not_before())
            ),
            "start `cuhk serve`, which makes another; if it runs, see its log",
        ),
        Ok(None) => Finding::ok(CHECK, format!("{name} will be made by `cuhk serve`")),
        Ok(Some(leaf)) => judge(
            CHECK,
            name,
            &leaf,
            OWN_AHEAD,
            "start `cuhk serve`, which renews it; if it runs, see its log",
            now,
        ),
        Err(error @ Error::Local(scb_cli::Error::Damaged { .. })) => made_anew(CHECK, error, &file),
        Err(error) => Finding::unseen(CHECK, error),
    }
}

fn stored_leaf(file: &Path) -> Result<Option<Certificate>, Error> {
    if !file.exists() {
        return Ok(None);
    }
    let pem = read_limited(file, MAX_PEM)?;
    let chain = Chain::from_pem(&String::from_utf8_lossy(&pem)).map_err(in_file(file))?;
    Ok(Some(chain.leaf().clone()))
}

fn judge(
    check: &'static str,
    name: &str,
    certificate: &Certificate,
    ahead: Duration,
    mend: &str,
    now: UnixTime,
) -> Finding {
    let (start, end) = (certificate.not_before(), certificate.not_after());
    if now.as_secs() < start.as_secs() {
        let seen = format!("{name} begins only at {}", local_time(start));
        return Finding::fail(check, seen, "this machine's clock is wrong: set it");
    }
    if end.as_secs() < now.as_secs() {
        return Finding::fail(check, format!("{name} ended at {}", local_time(end)), mend);
    }
    let days = (end.as_secs() - now.as_secs()) / (24 * 60 * 60);
    let seen = format!(
        "{name} ends at {}, in {}",
        local_time(end),
        counted(days, "day")
    );
    match end.as_secs() < later(now, ahead).as_secs() {
        true => Finding::warn(check, seen, mend),
        false => Finding::ok(check, seen),
    }
}
