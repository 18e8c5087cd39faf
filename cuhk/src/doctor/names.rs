//! Whether clients will find this server: its name in its certificate, its names in the DNS, and the
//! revocation lists where certificates say that they are.

use scb_certs::Crl;
use scb_cli::{Home, local_time, printable};
use scb_storage::HomeLock;

use super::Finding;
use super::reach::{fetch, resolve};
use crate::Config;
use crate::config::{DEFAULT_LISTEN, path};
use crate::issuers::{read_certificate, stored, stored_roots};
use crate::own_identity::dropped_names;
use crate::store::AuthorityKind;

pub(super) fn check(home: &Home, config: &Config) -> Vec<Finding> {
    let mut findings = vec![listening(home, config)];
    findings.extend(dropped(home, config));
    findings.extend(known_names(home, config));
    findings.push(published(home, config));
    findings.extend(elsewhere(home, config));
    findings
}

/// Clients know this server by what is in its certificate.
fn dropped(home: &Home, config: &Config) -> Option<Finding> {
    let names = dropped_names(home, config);
    (!names.is_empty()).then(|| {
        Finding::warn(
            "names",
            format!(
                "the server's certificate is for {}, which {} does not name",
                names.join(", "),
                home.path(path::CONFIG).display()
            ),
            "put them back into `dns` and `ip`; if they are to go, start `cuhk serve` again: its \
             certificate is then without them",
        )
    })
}

/// Other machines may have another view of the DNS: never more than a warning.
fn known_names(home: &Home, config: &Config) -> Option<Finding> {
    const CHECK: &str = "dns";
    let port = config.listen.unwrap_or(DEFAULT_LISTEN).port();
    let looked = config.dns.iter().map(|name| (name, resolve(name, port)));
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for (name, looked) in looked {
        match looked {
            Ok(addresses) => {
                let first = addresses.first().map(|address| address.ip().to_string());
                found.push(format!("{name} is {}", first.unwrap_or_default()));
            }
            Err(why) => missing.push(format!("{name}: {why}")),
        }
    }
    match (found.is_empty(), missing.is_empty()) {
        (true, true) => None,
        (false, true) => Some(Finding::ok(CHECK, found.join(", "))),
        (_, false) => Some(Finding::warn(
            CHECK,
            format!("not found from here: {}", missing.join(", ")),
            format!(
                "enter the name in the DNS, or correct `dns` in {} and start `cuhk serve` again",
                home.path(path::CONFIG).display()
            ),
        )),
    }
}

fn listening(home: &Home, config: &Config) -> Finding {
    const CHECK: &str = "names";
    let address = config.listen.unwrap_or(DEFAULT_LISTEN);
    let names = config.names().join(", ");
    match config.covers(address.ip()) {
        // Where a server listens by `--listen` is not known here.
        false if config.listen.is_none() => Finding::ok(
            CHECK,
            format!("its certificate is for {names}; where it listens, `cuhk serve --listen` says"),
        ),
        true => Finding::ok(CHECK, format!("listens on {address} as {names}")),
        false => Finding::warn(
            CHECK,
            format!("listens on {address}, but its certificate is for {names} only"),
            format!(
                "add the name or the address to `dns` or `ip` in {} and start `cuhk serve` again",
                home.path(path::CONFIG).display()
            ),
        ),
    }
}

/// Whoever checks a certificate fetches the list there.
fn published(home: &Home, config: &Config) -> Finding {
    const CHECK: &str = "public-url";
    let Some(url) = &config.public_url else {
        return unpublished(home);
    };
    if !HomeLock::is_held(home.dir()) {
        let seen = format!("certificates point to {url}; no server runs here to ask it");
        return Finding::ok(CHECK, seen);
    }
    match fetched(home, config) {
        Ok(seen) => Finding::ok(CHECK, seen),
        Err(why) => Finding::warn(
            CHECK,
            format!("certificates point to {url}, and from here that leads nowhere: {why}"),
            format!(
                "see that `http` is set in {} or given to `cuhk serve --http`, and that {url} leads \
                 there (name, port, firewall, reverse proxy): others cannot check certificates",
                home.path(path::CONFIG).display()
            ),
        ),
    }
}

/// An authority's own certificate that sends everybody elsewhere for its root's list. Without an address in
/// the configuration [`unpublished`] tells it.
fn elsewhere(home: &Home, config: &Config) -> Option<Finding> {
    let base = config.public_url.as_ref()?.trim_end_matches('/');
    let below = format!("{base}/");
    let mut found = Vec::new();
    for kind in [AuthorityKind::Students, AuthorityKind::Services] {
        for signer in stored(home, kind).unwrap_or_default() {
            let certificate = read_certificate(home, &path::authority(signer));
            let named = certificate.map(|one| [one.revocation_list_urls(), one.issuer_urls()]);
            let mut named = named.into_iter().flatten().flatten();
            let other = named.find(|url| !url.starts_with(&below));
            found.extend(other.map(|url| format!("that of `{signer}` names {}", printable(&url))));
        }
    }
    (!found.is_empty()).then(|| {
        Finding::warn(
            "public-url",
            format!(
                "certificates of authorities point elsewhere than {base}: {}",
                found.join(", ")
            ),
            "if that was this server's address, go on publishing there until they have ended; if it never was, \
             put another authority in its place: cuhk keys withdraw NAME --replace",
        )
    })
}

/// Without an address in the configuration: as long as none was ever given out, that is how it is meant.
fn unpublished(home: &Home) -> Finding {
    const CHECK: &str = "public-url";
    let kinds = [AuthorityKind::Services, AuthorityKind::Students];
    let signers = kinds.map(|kind| stored(home, kind).unwrap_or_default());
    let mut urls = signers.into_iter().flatten().flat_map(|signer| {
        let authority = read_certificate(home, &path::authority(signer));
        let urls = authority.map(|authority| authority.revocation_list_urls());
        urls.unwrap_or_default()
    });
    match urls.next() {
        None => Finding::ok(
            CHECK,
            "none: certificates name no address of revocation lists",
        ),
        Some(url) => Finding::warn(
            CHECK,
            format!(
                "{} has no `public_url`, though certificates name {url}",
                home.path(path::CONFIG).display()
            ),
            "put it back; if it is to go, keep publishing there until those certificates have ended",
        ),
    }
}

/// The list of the newest root, as others get it.
fn fetched(home: &Home, config: &Config) -> Result<String, String> {
    let roots = stored_roots(home).map_err(|error| error.to_string())?;
    let (signer, root) = roots.last().ok_or("there is no root")?;
    let url = config.urls(*signer).crl.ok_or("there is no address")?;
    let list = Crl::from_der(&fetch(&url)?).map_err(|error| format!("{url}: {error}"))?;
    list.verify(root)
        .map_err(|error| format!("{url} is no list of this CUHK: {error}"))?;
    let until = local_time(list.next_update());
    Ok(format!("{url} is the root's list, good until {until}"))
}
