//! The roots that come with what is verified, and those that the verifier brings.

use scb_certs::{Certificate, Fingerprint, all_from_pem};

use super::{Check, Found};

/// So begins the reason if it is the root that is another.
const ITS_ROOT: &str = "its root is ";

/// The root with which it might verify, if that it is another is why it does not; and the rest of the
/// reason.
pub(crate) fn other_root(reason: &str) -> Option<(Fingerprint, &str)> {
    let (root, rest) = reason.strip_prefix(ITS_ROOT)?.split_once(", ")?;
    Some((root.parse().ok()?, rest))
}

/// Each root that is named must be known: whoever knows one of two brings the other as well.
pub(crate) fn check_roots(
    roots: &[Certificate],
    trusted: &[Fingerprint],
) -> Result<Vec<Check>, String> {
    let is_known = |root: &Certificate| trusted.contains(&root.fingerprint());
    let other = roots.iter().find(|root| !is_known(root));
    match other.filter(|_| roots.iter().any(is_known)) {
        Some(other) => Err(format!(
            "CUHK was changing its root: it names {} as well; give that fingerprint, too, if you \
             have it from a place that you trust (A,B)",
            other.fingerprint()
        )),
        None => roots.iter().map(|root| check_root(root, trusted)).collect(),
    }
}

fn check_root(root: &Certificate, trusted: &[Fingerprint]) -> Result<Check, String> {
    let found = root.fingerprint();
    if !trusted.contains(&found) {
        let expected = match trusted {
            [one] => one.to_string(),
            all => format!("one of {} others", all.len()),
        };
        return Err(format!("{ITS_ROOT}{found}, expected {expected}"));
    }
    Ok(Check {
        what: "root",
        found: Found::Root(found),
    })
}

/// Of the roots that counted for the members then, those that the verifier knows; at least one.
pub(crate) fn known_roots(
    pem: &str,
    trusted: &[Fingerprint],
) -> Result<(Vec<Certificate>, Vec<Check>), String> {
    let roots = all_from_pem(pem).map_err(|error| error.to_string())?;
    let known = |root: &&Certificate| trusted.contains(&root.fingerprint());
    let mut known: Vec<_> = roots.iter().filter(known).cloned().collect();
    if known.is_empty() {
        known = roots;
    }
    let checks = known.iter().map(|root| check_root(root, trusted));
    let checks = checks.collect::<Result<_, _>>()?;
    Ok((known, checks))
}
