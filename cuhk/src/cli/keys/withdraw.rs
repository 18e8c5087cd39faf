//! `cuhk keys withdraw`

use std::thread::sleep;
use std::time::Instant;

use clap::ValueEnum;
use rustls_pki_types::UnixTime;
use scb_certs::{RevocationReason, ServiceName};
use scb_cli::{Failure, Home, counted, say};
use serde_json::json;

use super::ceremony::{certify, put_to_use, require_root_key};
use super::{LOOK_AGAIN, SERVER_PATIENCE, await_active, now, tell_active};
use crate::ceremony::{Room, newest_root, unlisted};
use crate::cli::listing::say_json;
use crate::cli::passphrases::Passphrases;
use crate::cli::revoke::past;
use crate::config::path;
use crate::issuers::issuer_kind;
use crate::keys::{NamedKey, withdraw};
use crate::passphrase_change::require_known_to_server;
use crate::revocation::Grounds;
use crate::root::{open_roots, sign_lists};
use crate::store::{CrlSigner, Store};
use crate::turn::{Turn, Work};
use crate::withdrawal::{
    RevokedWith, check_withdrawal, named_authority, revoke_issued, withdraw_authority,
};
use crate::{Error, Subject};

const EXAMPLES: &str = "\
Examples:
  cuhk keys withdraw 1f6e…            the SHA-256 or the serial number; see `cuhk keys list`
  cuhk keys withdraw students         an issuing authority, by its name
  cuhk keys withdraw students --compromised-since 2026-11-01
  cuhk keys withdraw students --replace --passphrase-file issuers.txt

For a key that somebody else has, or may have.

A key that signs tokens: within five seconds nothing counts that it signed, on open connections as
well; programs get fresh tokens by themselves. Receipts given before stay good.

An issuing authority: nothing that it issued counts any more, also what somebody else issued with
its key. Its certificates are revoked, and the root's revocation list names it: the root's
passphrase is asked for, or, with the root on another machine, it is said what to do there.
Another must have taken its place before (cuhk keys rotate); --replace does that in the same step.
Who has no other certificate needs a new code: students by `cuhk roster import FILE --codes-out
FILE`, services by `cuhk code issue service/NAME --replace`. Receipts given before stay good.
Repeated, the command does what was left undone.

All other certificates: cuhk revoke";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// An issuing authority's name, such as students; or the SHA-256 of a key's certificate, or its
    /// serial number
    #[arg(value_name = "NAME|FINGERPRINT|SERIAL")]
    key: NamedKey,
    /// Why; stands in the root's revocation list
    #[arg(
        long,
        value_enum,
        value_name = "REASON",
        default_value = "key_compromise"
    )]
    reason: Why,
    /// Since when somebody else had, or may have had, the key: a date (UTC) or a time such as
    /// 2026-11-01T18:30:00+08:00; stands in the revocation lists (invalidityDate)
    #[arg(long, value_name = "TIME", value_parser = past)]
    compromised_since: Option<UnixTime>,
    /// Put another issuing authority in its place first
    #[arg(long)]
    replace: bool,
    /// Answer as a JSON object
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    passphrases: Passphrases,
}

/// Why a key is withdrawn (RFC 5280, section 5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Why {
    /// Somebody else has, or may have, the key (of an authority: cACompromise)
    KeyCompromise,
    /// Another has taken its place
    Superseded,
    /// It is needed no more
    CessationOfOperation,
    /// The right to it was withdrawn
    PrivilegeWithdrawn,
    /// No reason given
    Unspecified,
}

impl Why {
    fn of_authority(self) -> RevocationReason {
        match self {
            Self::KeyCompromise => RevocationReason::CaCompromise,
            Self::Superseded => RevocationReason::Superseded,
            Self::CessationOfOperation => RevocationReason::CessationOfOperation,
            Self::PrivilegeWithdrawn => RevocationReason::PrivilegeWithdrawn,
            Self::Unspecified => RevocationReason::Unspecified,
        }
    }
}

pub(super) fn run(home: &Home, store: &Store, arguments: Arguments) -> Result<(), Failure> {
    if arguments.compromised_since.is_some() && arguments.reason != Why::KeyCompromise {
        let failure = Failure::usage("--compromised-since is about a key that somebody else has");
        return Err(failure.with_remedy("leave --reason out"));
    }
    match named_authority(home, store, &arguments.key)? {
        Some(signer) => authority(home, store, signer, &arguments),
        None => tokens(store, arguments),
    }
}

/// A key that signs tokens.
fn tokens(store: &Store, arguments: Arguments) -> Result<(), Failure> {
    let of_authorities = arguments.replace
        || arguments.reason != Why::KeyCompromise
        || arguments.compromised_since.is_some();
    let (key, named) = (arguments.key.clone(), arguments.key);
    if of_authorities {
        let failure = Failure::usage(format!("{key} is no issuing authority"));
        return Err(failure.with_remedy(
            "give no option for a key that signs tokens; the names of authorities: cuhk keys list",
        ));
    }
    let _turn = Turn::take(store, Work::Ceremony)?;
    store.write_blocking(move |records| withdraw(records, &named, now()))?;
    if arguments.json {
        return say_json(&json!({
            "key": key.to_string(),
            "active": await_active(store)?,
        }));
    }
    say(&format!(
        "{key}  withdrawn: nothing that it signed counts any more"
    ))?;
    tell_active(store)
}

fn authority(
    home: &Home,
    store: &Store,
    signer: CrlSigner,
    arguments: &Arguments,
) -> Result<(), Failure> {
    let before = Need::look(home, store, (signer, arguments.replace))?;
    let Passphrases { issuers, root } = &arguments.passphrases;
    // In the order of all commands that read both.
    let passphrase = before.heir.then(|| issuers.read()).transpose()?;
    let root = before.root.then(|| root.read()).transpose()?;
    // Nobody is held up by a terminal that was forgotten; somebody else may have done something since.
    let _turn = Turn::take(store, Work::Ceremony)?;
    let need = Need::look(home, store, (signer, arguments.replace))?;
    if need.heir && passphrase.is_none() {
        return Err(Error::AuthorityInUse(signer).into());
    }
    let passphrase = passphrase.filter(|_| need.heir);
    let roots = match root.filter(|_| need.root) {
        Some(root) => open_roots(home, store, &root, now())?,
        None => Vec::new(),
    };
    if let (Some(passphrase), Some(kind), Some(root)) =
        (passphrase, issuer_kind(signer), roots.last())
    {
        let next = certify(home, store, kind, (root, &passphrase))?;
        if !arguments.json {
            put_to_use(next)?;
        }
    }
    await_heir(store, signer, arguments.json)?;
    let grounds = Grounds {
        reason: arguments.reason.of_authority(),
        invalid_since: arguments.compromised_since,
    };
    let changed = withdraw_authority(home, store, signer, grounds, now())?;
    let signed = match roots.is_empty() {
        true => Ok(()),
        false => sign_lists(home, store, &roots, now()),
    };
    // Whatever has become of that.
    let revoked = revoke_issued(home, store, signer, grounds, now())?;
    if !arguments.json {
        tell(signer, changed, &revoked)?;
    }
    signed?;
    match arguments.json {
        true => say_json(&as_json(signer, changed, &revoked, &unlisted(home, store)?)),
        false => tell_of_lists(home, store),
    }
}

/// What it takes to withdraw an authority.
struct Need {
    /// Another has to take its place first.
    heir: bool,
    /// The newest root's key is here, and its passphrase needed.
    root: bool,
}

impl Need {
    fn look(
        home: &Home,
        store: &Store,
        (signer, replace): (CrlSigner, bool),
    ) -> Result<Self, Error> {
        let heir = match check_withdrawal(store, signer) {
            Err(Error::AuthorityInUse(_)) if replace => true,
            checked => checked.map(|()| false)?,
        };
        let root = has_root(home, store, heir)?;
        if heir {
            Room::Emergency.require(home, store, now())?;
            require_known_to_server(home)?;
        }
        Ok(Self { heir, root })
    }
}

fn as_json(
    signer: CrlSigner,
    changed: bool,
    revoked: &RevokedWith,
    unlisted: &[CrlSigner],
) -> serde_json::Value {
    let (mut students, mut services) = (Vec::new(), Vec::new());
    for holder in &revoked.holders {
        match holder {
            Subject::Student(sid) => students.push(sid.to_string()),
            Subject::Service(name) if *name == ServiceName::cuhk() => {}
            Subject::Service(name) => services.push(name.to_string()),
        }
    }
    json!({
        "key": signer.to_string(),
        "before": !changed,
        "certificates": revoked.certificates,
        "students": students,
        "services": services,
        "not_on_the_roots_list": unlisted.iter().map(CrlSigner::to_string).collect::<Vec<_>>(),
    })
}

/// Lets the next one begin, if there is a server: everybody has seen its revocation list then, and
/// nobody is let down who trusts what it issues. It takes ten seconds at most.
fn await_heir(store: &Store, signer: CrlSigner, quietly: bool) -> Result<(), Failure> {
    let deadline = Instant::now() + SERVER_PATIENCE;
    let mut told = quietly;
    loop {
        let all = store.read_blocking(|records| records.authorities().all())?;
        let mut heirs = all
            .iter()
            .filter(|one| one.signer.kind() == signer.kind() && one.signer > signer);
        let Some(heir) = heirs.rfind(|one| one.withdrawn.is_none()) else {
            return Ok(());
        };
        match heir.active_from {
            Some(from) if from <= now() => return Ok(()),
            // No server is running: the next start lets it issue at once.
            None if Instant::now() > deadline => return Ok(()),
            Some(_) if !told => {
                told = true;
                say(&format!("{}  begins in a moment", heir.signer))?;
            }
            _ => sleep(LOOK_AGAIN),
        }
    }
}

/// Whether the newest root's key is here, before anybody types a passphrase. It may be on another
/// machine unless it is `required`: then it has to certify something first.
fn has_root(home: &Home, store: &Store, required: bool) -> Result<bool, Error> {
    let dir = home.path(&path::authority(newest_root(store)?));
    match require_root_key(&dir) {
        Err(Error::RootKeyAbsent { .. }) if !required => Ok(false),
        found => found.map(|()| true),
    }
}

fn tell(signer: CrlSigner, changed: bool, revoked: &RevokedWith) -> Result<(), Failure> {
    let before = match changed {
        true => "withdrawn",
        false => "was withdrawn before",
    };
    say(&format!(
        "{signer}  {before}: nothing that it issued counts any more; {} revoked",
        counted(revoked.certificates, "certificate")
    ))?;
    let is_student = |holder: &&Subject| matches!(holder, Subject::Student(_));
    let students = revoked.holders.iter().filter(is_student).count();
    if students > 0 {
        say(&format!(
            "{} without a certificate now: for new codes cuhk roster import FILE --codes-out FILE",
            counted(students, "student")
        ))?;
    }
    for holder in &revoked.holders {
        if let Subject::Service(name) = holder
            && *name != ServiceName::cuhk()
        {
            say(&format!(
                "{name}  needs a new certificate: cuhk code issue service/{name} --replace --out FILE"
            ))?;
        }
    }
    Ok(())
}

fn tell_of_lists(home: &Home, store: &Store) -> Result<(), Failure> {
    let left = unlisted(home, store)?;
    if left.is_empty() {
        return Ok(say("the root's revocation list names it")?);
    }
    let names: Vec<_> = left.iter().map(CrlSigner::to_string).collect();
    Ok(say(&format!(
        "the root's revocation list does NOT name {} yet: `cuhk keys request lists --out FILE` here, \
         `cuhk keys sign-request FILE` where its root is, `cuhk keys import FILE` here",
        names.join(", ")
    ))?)
}
