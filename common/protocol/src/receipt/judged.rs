//! The rules by which lateness is judged and the members' extensions, in a complete receipt: as they were
//! entered, in the very tree in which the acceptance is proved. With them lateness follows from the receipt.

use std::io::Cursor;

use scb_certs::{Fingerprint, StudentId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zip::ZipArchive;

use super::archive::{UnverifiedProof, text_part};
use super::log_proof::{Entered, LogProof};
use super::{Check, Found, VerifiedReceipt, file};
use crate::log_leaf::{Accepted, Contents, Entry, Leaf, RulesEntry};
use crate::object::objects;
use crate::rules::{Extended, Extension, MemberStanding, Rules, Standing};
use crate::time::rfc3339;

/// An entry, and the proof that the log holds it; nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct ProvedEntry {
    /// The leaf's exact bytes (JSON, UTF-8).
    pub leaf: String,
    /// C2SP tlog-proof, under the same checkpoint as the proof of the acceptance.
    pub proof: String,
}

objects!(ProvedEntry);

/// The entries, each with the proof that the log holds it; nothing of them is verified.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct JudgedBy {
    /// The rules: `rules.json` and `rules.tlog-proof`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<ProvedEntry>,
    /// Members' extensions, one student's each: `extension-1.json` and so on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<ProvedEntry>,
}

objects!(JudgedBy);

impl JudgedBy {
    /// Whether it has nothing.
    pub fn is_empty(&self) -> bool {
        self.rules.is_none() && self.extensions.is_empty()
    }

    /// Whether a receipt shows this entry of an extension: it is about one student alone.
    pub fn shows(leaf: &[u8]) -> bool {
        let leaf = Leaf::parse(leaf).ok();
        leaf.is_some_and(|leaf| extension(&leaf).is_some())
    }

    /// Name and bytes of each file, in the order of the archive.
    pub(super) fn files(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let rules = self.rules.iter().zip([file::RULES]);
        let extensions = self.extensions.iter().zip(file::EXTENSIONS);
        rules.chain(extensions).flat_map(|(entry, [leaf, proof])| {
            [
                (leaf, entry.leaf.as_bytes()),
                (proof, entry.proof.as_bytes()),
            ]
        })
    }

    /// How many files there are in this archive.
    pub(super) fn count(archive: &ZipArchive<Cursor<&[u8]>>) -> usize {
        let has = |names: &&[&str; 2]| archive.index_for_name(names[0]).is_some();
        let extensions = file::EXTENSIONS.iter().take_while(has).count();
        2 * (usize::from(has(&&file::RULES)) + extensions)
    }

    /// What this archive has of it.
    pub(super) fn read(archive: &mut ZipArchive<Cursor<&[u8]>>) -> Result<Self, String> {
        let mut entry = |[leaf, proof]: [&str; 2]| {
            if archive.index_for_name(leaf).is_none() {
                return Ok(None);
            }
            Ok::<_, String>(Some(ProvedEntry {
                leaf: text_part(archive, leaf)?,
                proof: text_part(archive, proof)?,
            }))
        };
        let rules = entry(file::RULES)?;
        let mut extensions = Vec::new();
        for names in file::EXTENSIONS {
            match entry(names)? {
                Some(one) => extensions.push(one),
                None => break,
            }
        }
        Ok(Self { rules, extensions })
    }
}

/// What a receipt shows of rules and lateness, for a verdict: how each member stands by the rules and
/// extensions that the acceptance names, at the moment that counts.
pub(super) fn check(
    proof: &UnverifiedProof,
    accepted: &Accepted,
    entered: &Entered<'_>,
    members: impl IntoIterator<Item = StudentId>,
) -> Result<Vec<Check>, String> {
    let UnverifiedProof::Here(proof) = proof else {
        return Ok(Vec::new());
    };
    let judged = &proof.judged;
    match (accepted.rules, &judged.rules) {
        (Some(pinned), Some(rules)) => {
            let members: Vec<_> = members.into_iter().collect();
            by_rules((proof, accepted, entered), (&pinned, rules), &members)
        }
        (_, Some(_)) => Err(format!("{} was not accepted", file::RULES[0])),
        _ if !judged.extensions.is_empty() => Err(format!(
            "{} is without {}",
            file::EXTENSIONS[0][0],
            file::RULES[0]
        )),
        (None, None) => Ok(Vec::new()),
        (Some(pinned), None) => {
            let index = pinned.index;
            let found = Found::RulesNotIn { index };
            Ok(vec![Check {
                what: "judged",
                found,
            }])
        }
    }
}

/// What the rules at hand make of it, with the extensions at hand. Where one is missing nobody can say who
/// was late.
fn by_rules(
    (proof, accepted, entered): (&LogProof, &Accepted, &Entered<'_>),
    (pinned, rules): (&RulesEntry, &ProvedEntry),
    members: &[StudentId],
) -> Result<Vec<Check>, String> {
    let check = |what, found| Check { what, found };
    let by = By {
        entered,
        acceptance: proof,
        committed: accepted.committed_index.unwrap_or(entered.leaf.index),
    };
    let leaf = by.take(rules, pinned, file::RULES)?;
    let rules = match leaf.entry {
        Entry::Rules(rules) => read::<Rules>(rules),
        _ => None,
    };
    let rules = rules.ok_or_else(|| format!("{} has no rules", file::RULES[0]))?;
    let index = pinned.index;
    let mut checks = vec![check(
        "judged",
        Found::Judged {
            index,
            rules: Box::new(rules.clone()),
        },
    )];
    let (given, missing) = by.extensions(&proof.judged, accepted)?;
    let told = given.iter().cloned().map(Found::Extended);
    checks.extend(told.map(|found| check("extension", found)));
    let is_whole = missing.is_empty();
    let missing = missing
        .into_iter()
        .map(|index| Found::ExtensionNotIn { index });
    checks.extend(missing.map(|found| check("extension", found)));
    if is_whole {
        let each = rules.judge_each(accepted.committed_at, members, &given);
        checks.extend(
            each.into_iter()
                .map(|one| check("lateness", Found::Stands(one))),
        );
    }
    Ok(checks)
}

/// Where entries are to be.
struct By<'a> {
    entered: &'a Entered<'a>,
    acceptance: &'a LogProof,
    /// By which entry the statement was recorded.
    committed: u64,
}

impl By<'_> {
    /// The entry that the acceptance names, in the same tree.
    fn take(
        &self,
        entry: &ProvedEntry,
        pinned: &RulesEntry,
        [name, proof_name]: [&str; 2],
    ) -> Result<Leaf, String> {
        let bytes = entry.leaf.as_bytes();
        let leaf = Leaf::parse(bytes).map_err(|error| format!("{name}: {error}"))?;
        let is_named = leaf.index == pinned.index && leaf.log == self.entered.leaf.log;
        if !is_named || Fingerprint::of(bytes) != pinned.leaf_sha256 {
            return Err(format!("{name} is not what was accepted"));
        }
        if leaf.index >= self.committed {
            return Err(format!("{name} came after the statement"));
        }
        self.acceptance
            .holds((leaf.index, bytes), (proof_name, &entry.proof))?;
        Ok(leaf)
    }

    /// The extensions that are here, and the numbers of those that the acceptance names besides.
    fn extensions(
        &self,
        judged: &JudgedBy,
        accepted: &Accepted,
    ) -> Result<(Vec<Extension>, Vec<u64>), String> {
        let mut missing: Vec<_> = accepted.extensions.iter().collect();
        let mut given = Vec::new();
        for (entry, names) in judged.extensions.iter().zip(file::EXTENSIONS) {
            let sha256 = Fingerprint::of(entry.leaf.as_bytes());
            let place = missing.iter().position(|pin| pin.leaf_sha256 == sha256);
            let place = place.ok_or_else(|| format!("{} is not what was accepted", names[0]))?;
            let leaf = self.take(entry, missing.remove(place), names)?;
            let own = extension(&leaf);
            given.push(own.ok_or_else(|| format!("{} is not one student's extension", names[0]))?);
        }
        Ok((given, missing.iter().map(|pin| pin.index).collect()))
    }
}

/// The one extension that an entry gives, and nothing else.
fn extension(leaf: &Leaf) -> Option<Extension> {
    let Entry::Extension(extended) = &leaf.entry else {
        return None;
    };
    let extended: Extended = read(extended.clone())?;
    match (&extended.given[..], &extended.taken_back[..]) {
        ([one], []) => Some(one.clone()),
        _ => None,
    }
}

fn read<T: DeserializeOwned>(contents: Contents) -> Option<T> {
    serde_json::from_value(contents.into()).ok()
}

impl VerifiedReceipt {
    /// How each member stood by the rules and extensions that are in it; nobody if they are not.
    pub fn standings(&self) -> impl Iterator<Item = &MemberStanding> {
        self.checks().iter().filter_map(|check| match &check.found {
            Found::Stands(standing) => Some(standing),
            _ => None,
        })
    }
}

/// What rules say of lateness.
pub(super) fn terms(rules: &Rules) -> String {
    let Some(due) = rules.due else {
        return "nothing is ever due".to_owned();
    };
    let opens = rules
        .opens
        .map(|opens| format!("opens {}, ", rfc3339(opens)));
    let grace = match rules.grace {
        0 => String::new(),
        grace => format!(", then {grace} s of grace"),
    };
    let closes = rules
        .cutoff
        .map(|cutoff| format!(", closes {}", rfc3339(cutoff)));
    let [opens, closes] = [opens, closes].map(Option::unwrap_or_default);
    let (due, late) = (rfc3339(due), rules.late);
    format!("{opens}due {due}{grace}{closes}, late rule {late}")
}

pub(super) fn stands(standing: Standing) -> String {
    match standing {
        Standing::OnTime => "was on time".to_owned(),
        Standing::WithinGrace => "was within the time of grace".to_owned(),
        Standing::Late { by, costs: 0 } => format!("was late by {by} s, and is marked as late"),
        Standing::Late { by, costs } => {
            format!("was late by {by} s, which costs {costs} % of the full mark")
        }
        Standing::Closed { since } => format!("was too late: closed since {}", rfc3339(since)),
        Standing::NotYetOpen { opens } => format!("was too early: opens {}", rfc3339(opens)),
    }
}
