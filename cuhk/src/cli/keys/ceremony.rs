//! `cuhk keys rotate students|services|root`, `request`, `sign-request` and `import`.

use std::path::Path;
use std::time::Duration;

use scb_certs::{Certificate, Fingerprint, IssuerKind, Passphrase, Root};
use scb_cli::{
    Failure, Home, load_config, local_time, note, printable, read_limited, say, write_atomic,
};
use serde_json::json;

use super::super::listing::say_json;
use super::super::passphrases::{IssuersPassphrase, Passphrases, RootPassphrase};
use super::carried::{CEREMONY_FILE, Carried};
use super::{Requested, SignRequest, now};
use crate::Error;
use crate::ceremony::{
    Room, RootAnswer, RootRequest, SigningAnswer, SigningRequest, import, import_root, is_imported,
    is_root_imported, newest_root, next_key, open_root, request, request_root, require_in_force,
    sign, sign_root, try_key,
};
use crate::config::{Config, path};
use crate::issuers::{is_there, read_certificate, read_certificate_file};
use crate::passphrase_change::require_known_to_server;
use crate::root::open_roots;
use crate::store::{CrlSigner, Store};
use crate::time::later;
use crate::turn::{Turn, Work};

/// What the root signs counts for 13 months: with less than a year of it something was wrong with a clock.
const SHORT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Before a key is made that nobody could certify.
fn require_root_in_force(home: &Home, store: &Store) -> Result<(), Error> {
    let root = read_certificate(home, &path::authority(newest_root(store)?))?;
    require_in_force(&root, now())
}

/// All three acts at one place.
pub(super) fn rotate_issuer(
    home: &Home,
    store: &Store,
    kind: IssuerKind,
    (passphrases, json): (&Passphrases, bool),
) -> Result<(), Failure> {
    let ready = || {
        let root_dir = home.path(&path::authority(newest_root(store)?));
        require_root_key(&root_dir)?;
        require_root_in_force(home, store)?;
        Room::Ordinary.require(home, store, now())?;
        require_known_to_server(home)?;
        Ok::<_, Error>(root_dir)
    };
    // Before anybody types a passphrase, and again in turn: somebody else may have done something since.
    ready()?;
    let passphrase = passphrases.issuers.read()?;
    let root_passphrase = passphrases.root.read()?;
    let _turn = Turn::take(store, Work::Ceremony)?;
    let root_dir = ready()?;
    let root = open_root(&root_dir, &root_passphrase)?;
    let next = certify(home, store, kind, (&root, &passphrase))?;
    match json {
        true => say_json(&json!({ "key": next.to_string() })),
        false => put_to_use(next),
    }
}

/// Another issuing authority under this root.
pub(super) fn certify(
    home: &Home,
    store: &Store,
    kind: IssuerKind,
    (root, passphrase): (&Root, &Passphrase),
) -> Result<CrlSigner, Failure> {
    let config: Config = load_config(home).map_err(Error::from)?;
    let request = request(home, store, &config, kind, passphrase)?;
    let answer = sign(&request, root, now())?;
    Ok(import(home, store, &answer, now())?)
}

/// All three acts at one place; the new root's key is encrypted with the same passphrase.
pub(super) fn rotate_root(
    home: &Home,
    store: &Store,
    passphrase: &RootPassphrase,
    json: bool,
) -> Result<(), Failure> {
    let ready = || {
        require_root_key(&home.path(&path::authority(newest_root(store)?)))?;
        Room::Ordinary.require(home, store, now())
    };
    ready()?;
    let passphrase = passphrase.read()?;
    let _turn = Turn::take(store, Work::Ceremony)?;
    ready()?;
    let roots = open_roots(home, store, &passphrase, now())?;
    let request = request_root(home, store, true, now())?;
    let next = request.next.unwrap_or(CrlSigner::ROOT);
    let key = next_key(&home.path(&path::authority(next)), &passphrase)?;
    let answer = sign_root(&request, &roots, Some(key), now())?;
    let next = import_root(home, store, &answer, now())?;
    match json {
        true => say_json(&json!({ "key": next.map(|next| next.to_string()) })),
        false => root_told(next, &answer),
    }
}

pub(super) fn write_request(
    home: &Home,
    store: &Store,
    which: Requested,
    out: &Path,
    passphrase: &IssuersPassphrase,
) -> Result<(), Failure> {
    let room = || match which {
        Requested::Lists => Ok(()),
        Requested::Root => Room::Ordinary.require(home, store, now()),
        Requested::Students | Requested::Services => Room::Asked.require(home, store, now()),
    };
    room()?;
    let kind = match which {
        Requested::Students => IssuerKind::Students,
        Requested::Services => IssuerKind::Services,
        Requested::Root | Requested::Lists => {
            let _turn = Turn::take(store, Work::Ceremony)?;
            let request = request_root(home, store, which == Requested::Root, now())?;
            let signer = request.next.unwrap_or(CrlSigner::ROOT);
            store.write_blocking(move |records| records.note(&signer, "requested", now()))?;
            return asked(out, &request.to_json(), "the request is in");
        }
    };
    require_root_in_force(home, store)?;
    let passphrase = passphrase.read()?;
    let _turn = Turn::take(store, Work::Ceremony)?;
    room()?;
    let config: Config = load_config(home).map_err(Error::from)?;
    let request = request(home, store, &config, kind, &passphrase)?;
    let (authority, key) = (request.authority, request.key()?);
    store.write_blocking(move |records| {
        records.note(&authority, &format!("requested: key {key}"), now())
    })?;
    let told = format!(
        "{}  its key stays here, encrypted; the request is in",
        request.authority
    );
    asked(out, &request.to_json(), &told)
}

/// With what tells it from every other request.
fn asked(out: &Path, request: &[u8], told: &str) -> Result<(), Failure> {
    Carried::Request.write(out, request, told)?;
    Ok(say(&format!(
        "compare where it is signed: {}",
        of_request(request)
    ))?)
}

fn of_request(bytes: &[u8]) -> String {
    format!("request (SHA-256) {}", Fingerprint::of(bytes))
}

pub(super) fn sign_request(signing: &SignRequest) -> Result<(), Failure> {
    Carried::Answer.require_place(&signing.out)?;
    let bytes = read_limited(&signing.file, CEREMONY_FILE)?;
    let mut dirs = signing.root_dir.iter();
    dirs.try_for_each(|dir| require_named_root_key(dir))?;
    say(&of_request(&bytes))?;
    let answer = match RootRequest::from_json(&bytes) {
        Ok(request) => sign_root_request(signing, &request)?.to_json(),
        Err(_) => sign_issuer_request(signing, &SigningRequest::from_json(&bytes)?)?.to_json(),
    };
    let told = "to be taken in with `cuhk keys import`: the answer is in";
    Carried::Answer.write(&signing.out, &answer, told)
}

fn sign_issuer_request(
    signing: &SignRequest,
    request: &SigningRequest,
) -> Result<SigningAnswer, Failure> {
    say(&format!(
        "{}  to be certified by the root:",
        request.authority
    ))?;
    say(&format!("  trust domain  {}", request.trust_domain))?;
    say(&format!("  key (SHA-256) {}", request.key()?))?;
    say(&format!("  by root       {}", request.root))?;
    for address in request.addresses() {
        say(&format!("  names         {}", printable(address)))?;
    }
    let (roots, _) = opened(signing)?;
    let asked = |root: &&Root| root.certificate().fingerprint() == request.root;
    let root = roots.iter().find(asked).or(roots.first());
    let root = root.ok_or(Error::CeremonyInvalid("no root"))?;
    let answer = sign(request, root, now())?;
    say(&format!(
        "{}  {}",
        answer.authority,
        answer.in_force()?.told()
    ))?;
    Ok(answer)
}

fn sign_root_request(signing: &SignRequest, request: &RootRequest) -> Result<RootAnswer, Failure> {
    say("revocation list and trust bundle of the root for:")?;
    say(&format!("  trust domain  {}", request.trust_domain))?;
    let own = certificates(signing)?;
    for root in request.roots()? {
        let here = match own.contains(&root) {
            true => "its key is here",
            false => "no key here: is it one of yours?",
        };
        say(&format!("  trusted root  {} ({here})", root.fingerprint()))?;
    }
    for revoked in &request.revoked {
        let (authority, reason) = (revoked.authority, revoked.reason);
        say(&format!(
            "  revoked       {authority} ({reason}), SHA-256 {}",
            revoked.sha256()
        ))?;
    }
    let next = match (request.next, &signing.new_root_dir) {
        // No home asks for that: nobody would be shown the addresses.
        (None, _) if request.asks_for_crosses() => {
            let strange = "cross certificates are asked for, and no other root: the request was altered on its way";
            return Err(Error::CeremonyInvalid(strange).into());
        }
        (None, _) => None,
        (Some(next), Some(dir)) => {
            say(&format!("  another root  {next}"))?;
            for address in request.addresses() {
                say(&format!("  names         {}", printable(address)))?;
            }
            require_no_root(dir, &request.roots()?)?;
            Some(dir)
        }
        (Some(_), None) => {
            let missing =
                Failure::usage("another root is asked for, and no place for its key given");
            return Err(missing
                .with_remedy("name an empty directory with --new-root-dir")
                .with_code("usage"));
        }
    };
    let (roots, passphrase) = opened(signing)?;
    let key = next.map(|dir| next_key(dir, &passphrase)).transpose()?;
    let answer = sign_root(request, &roots, key, now())?;
    say(&format!(
        "revocation list and trust bundle: it {}",
        answer.in_force()?.told()
    ))?;
    if let (Some(dir), Some(pem)) = (next, answer.certificate()) {
        write_atomic(&dir.join(path::CERTIFICATE), pem.as_bytes(), 0o644)?;
    }
    Ok(answer)
}

/// Its certificate would give way to another one for its key.
fn require_no_root(dir: &Path, roots: &[Certificate]) -> Result<(), Failure> {
    match read_certificate_file(&dir.join(path::CERTIFICATE)) {
        Ok(there) if roots.contains(&there) => Err(Failure::usage(format!(
            "there is a root already in {}: nothing is put in its place",
            printable(&dir.to_string_lossy())
        ))
        .with_remedy("name an empty directory with --new-root-dir")
        .with_code("file_exists")),
        _ => Ok(()),
    }
}

/// Of the roots whose keys are here.
fn certificates(signing: &SignRequest) -> Result<Vec<Certificate>, Error> {
    let dirs = signing.root_dir.iter();
    dirs.map(|dir| read_certificate_file(&dir.join(path::CERTIFICATE)))
        .collect()
}

fn opened(signing: &SignRequest) -> Result<(Vec<Root>, Passphrase), Failure> {
    let passphrase = signing.passphrase.read()?;
    let dirs = signing.root_dir.iter();
    let roots = dirs.map(|dir| open_root(dir, &passphrase));
    Ok((roots.collect::<Result<_, _>>()?, passphrase))
}

/// A passphrase is needed for none of it. One that is given is tried on the issuing authority's key,
/// before that is put to use.
pub(super) fn take_in(
    home: &Home,
    store: &Store,
    file: &Path,
    passphrase: &IssuersPassphrase,
) -> Result<(), Failure> {
    let bytes = read_limited(file, CEREMONY_FILE)?;
    let passphrase = passphrase.read_if_given()?;
    let _turn = Turn::take(store, Work::Ceremony)?;
    match RootAnswer::from_json(&bytes) {
        Ok(answer) => {
            if is_root_imported(store, &answer)? {
                return already_taken();
            }
            if answer.certificate().is_some() {
                Room::Emergency.require(home, store, now())?;
            }
            answer.in_force()?;
            root_told(import_root(home, store, &answer, now())?, &answer)
        }
        Err(_) => {
            let answer = SigningAnswer::from_json(&bytes)?;
            if is_imported(home, store, &answer)? {
                return already_taken();
            }
            if let Some(passphrase) = &passphrase {
                try_key(home, &answer, passphrase)?;
            }
            Room::Emergency.require(home, store, now())?;
            require_known_to_server(home)?;
            put_to_use(import(home, store, &answer, now())?)
        }
    }
}

fn already_taken() -> Result<(), Failure> {
    Ok(say("already taken in; nothing changed: cuhk keys list")?)
}

fn root_told(next: Option<CrlSigner>, answer: &RootAnswer) -> Result<(), Failure> {
    let counts = answer.in_force()?;
    say(&format!(
        "the root's revocation list and the trust bundle are good until {}",
        local_time(counts.until)
    ))?;
    if counts.until < later(now(), SHORT) {
        note(&format!(
            "warning: that is less than 13 months, since they were signed at {} by the clock there; if it was \
             not so long ago, set that clock and do it all again: cuhk keys request lists",
            local_time(counts.from)
        ))?;
    }
    if let Some(next) = next {
        say(&format!(
            "{next}  is trusted beside the root from now on: `blackboard` knows of it within \
             seconds, a `student` when it next talks to CUHK"
        ))?;
        say(
            "in a month: `cuhk keys rotate services` and `students`, which are then under the new \
             root; new code sheets name it as soon as this server shows it",
        )?;
        say(match answer.leads_on() {
            true => {
                "`curl` and `openssl` go on with the old ca.pem as long as that root counts, by what it says of the \
                 new one"
            }
            false => {
                "whoever uses `curl` and `openssl` alone fetches ca.pem anew before CUHK shows the new root: the old \
                 one does not certify it, as one of an earlier version cannot, or the request was made by one, or \
                 what it said was cut from the answer"
            }
        })?;
    }
    Ok(())
}

pub(super) fn put_to_use(authority: CrlSigner) -> Result<(), Failure> {
    Ok(say(&format!(
        "{authority}  is put to use: a running server publishes its revocation list at once and \
         lets it issue 10 s later"
    ))?)
}

/// [`require_root_key`], where it is on the machine that has it: nothing is left to be asked for elsewhere.
pub(in crate::cli) fn require_named_root_key(dir: &Path) -> Result<(), Failure> {
    require_root_key(dir).map_err(|error| match error {
        Error::RootKeyAbsent { .. } => Failure::from(error)
            .with_remedy("name the directory with the root's cert.pem and key.pem: --root-dir DIR"),
        error => error.into(),
    })
}

/// Told before anybody types a passphrase.
pub(in crate::cli) fn require_root_key(root_dir: &Path) -> Result<(), Error> {
    match is_there(&root_dir.join(path::KEY))? {
        true => Ok(()),
        false => Err(Error::RootKeyAbsent {
            path: root_dir.to_owned(),
        }),
    }
}
