//! The ZIP file of a receipt: the same parts give the same bytes.

use std::io::{Cursor, Read, Seek, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::committed::CommittedEntry;
use super::judged::JudgedBy;
use super::pending::{missing, pending};
use super::{Evidence, LogProof, SignedLeaf, assurance_file, file, lists};
use crate::assurance::Mode;
use crate::error::Error;
use crate::log_keys::SignedLogKeys;
use crate::log_leaf::{Entry, Leaf};

/// Largest receipt in bytes; revocation lists are what grows.
pub const MAX_RECEIPT: usize = 16 * 1024 * 1024;

/// What `VERIFY.md` says.
const INSTRUCTIONS: &str = include_str!("VERIFY.md");

/// Builds a receipt with its proof, or one whose proof is still to come. Files are stored
/// uncompressed, with a fixed date.
///
/// # Errors
///
/// [`Error::Encode`]; [`Error::Leaf`] if the leaf is none.
pub fn build(
    evidence: &Evidence,
    leaf: &SignedLeaf,
    proof: Option<&LogProof>,
) -> Result<Vec<u8>, Error> {
    let waiting = waiting(leaf, proof)?;
    let later = proof.map_or("", |proof| &proof.lists);
    let crls = [evidence.crls.as_str(), later].concat();
    let own = evidence.files().map(|(name, bytes)| match name {
        file::CRLS => (name, crls.as_bytes()),
        _ => (name, bytes),
    });
    let files = own.into_iter().chain(entered(leaf, proof, &waiting));
    write(files.chain([(file::INSTRUCTIONS, INSTRUCTIONS.as_bytes())]))
}

/// What says that the proof of this leaf is still to come, or of whom a cosignature in it.
pub(crate) fn waiting(leaf: &SignedLeaf, proof: Option<&LogProof>) -> Result<Vec<u8>, Error> {
    let missing = proof.map_or(&[][..], |proof| &proof.missing);
    pending(&Leaf::parse(&leaf.leaf)?, missing)
}

/// The files of the log: the leaf, signed, and its proof, or what says that it is still to come, or
/// both while cosignatures are missing in it.
pub(crate) fn entered<'a>(
    leaf: &'a SignedLeaf,
    proof: Option<&'a LogProof>,
    waiting: &'a [u8],
) -> impl Iterator<Item = (&'a str, &'a [u8])> {
    let signed = [
        (file::LEAF, leaf.leaf.as_slice()),
        (file::LEAF_SIGNATURE, leaf.signature.as_slice()),
    ];
    let is_whole = proof.is_some_and(|proof| proof.missing.is_empty());
    let waiting = (!is_whole).then_some((file::PENDING, waiting));
    let proof = proof.map(LogProof::files).unwrap_or_default();
    signed.into_iter().chain(proof).chain(waiting)
}

/// The receipt with its proof, in the place of what says that it is still to come. Nothing of it
/// is verified here.
///
/// # Errors
///
/// What is wrong with the receipt's form.
pub(super) fn complete(receipt: &[u8], proof: &LogProof) -> Result<Vec<u8>, String> {
    let parts = open(receipt)?;
    build(&parts.evidence, &parts.leaf, Some(proof)).map_err(|error| error.to_string())
}

/// The ZIP file of these files, in this order.
///
/// # Errors
///
/// [`Error::Encode`].
pub(crate) fn write<'a>(
    files: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Result<Vec<u8>, Error> {
    zipped(files).map_err(|error| Error::Encode(error.to_string()))
}

fn zipped<'a>(
    files: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Result<Vec<u8>, zip::result::ZipError> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        archive.start_file(name, options)?;
        archive.write_all(bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// The parts of a receipt as they came; nothing of it is verified.
pub(super) struct UnverifiedReceipt {
    pub(super) evidence: Evidence,
    pub(super) leaf: SignedLeaf,
    pub(super) proof: UnverifiedProof,
}

/// What a receipt has of the log.
pub(crate) enum UnverifiedProof {
    /// The proof.
    Here(Box<LogProof>),
    /// The text that says that it is still to come.
    Pending(Vec<u8>),
}

/// A ZIP file that every program reads in the same way.
pub(crate) fn unpack(bytes: &[u8]) -> Result<ZipArchive<Cursor<&[u8]>>, String> {
    if bytes.len() > MAX_RECEIPT {
        return Err("it is larger than 16 MiB".to_owned());
    }
    let mut archive =
        ZipArchive::new(Cursor::new(bytes)).map_err(|error| format!("not a ZIP file: {error}"))?;
    check_form(&mut archive)?;
    Ok(archive)
}

/// Every program reads the same files in it: none is there twice, or has two headers that differ, and
/// none is compressed, so that what it unpacks to is never larger than what came.
pub(crate) fn check_form(archive: &mut ZipArchive<impl Read + Seek>) -> Result<(), String> {
    archive
        .validate_header_consistency()
        .map_err(|error| format!("an ambiguous ZIP file: {error}"))?;
    for index in 0..archive.len() {
        let file = archive
            .by_index_raw(index)
            .map_err(|error| format!("not a ZIP file: {error}"))?;
        if file.compression() != CompressionMethod::Stored {
            let name = file.name().unwrap_or_default();
            return Err(format!(
                "{name} is compressed: it was packed anew, and the original is stored uncompressed"
            ));
        }
    }
    Ok(())
}

/// Reads the parts of a receipt.
pub(super) fn open(bytes: &[u8]) -> Result<UnverifiedReceipt, String> {
    let mut archive = unpack(bytes)?;
    let has = |name| archive.index_for_name(name).is_some();
    let files = match (has(file::PENDING), has(file::PROOF)) {
        (true, false) => 10,
        (is_pending, _) => {
            let committed = match has(file::COMMITTED) {
                true => 2 + usize::from(has(file::COMMITTED_ASSURANCE)),
                false => 0,
            };
            14 + usize::from(is_pending) + committed + JudgedBy::count(&archive)
        }
    };
    if archive.len() != files || archive.index_for_name(file::INSTRUCTIONS).is_none() {
        return Err("it does not have the files of a receipt".to_owned());
    }
    let mode = match archive.index_for_name(file::TOKENS) {
        Some(_) => Mode::Tokens,
        None => Mode::Verified,
    };
    let mut text = |name| text_part(&mut archive, name);
    let (assurance, chains) = (text(assurance_file(mode))?, text(file::CHAINS)?);
    let (mut crls, root) = (text(file::CRLS)?, text(file::ROOT)?);
    let leaf = signed_leaf(&mut archive)?;
    let mut proof = unverified_proof(&mut archive)?;
    if let UnverifiedProof::Here(proof) = &mut proof {
        proof.lists = crls.split_off(lists::accepted(&crls, &leaf));
        check_missing(&mut archive, &leaf, proof)?;
    }
    let evidence = Evidence {
        statement: part(&mut archive, file::STATEMENT)?,
        signatures: part(&mut archive, file::SIGNATURES)?,
        mode,
        assurance,
        chains,
        crls,
        root,
    };
    Ok(UnverifiedReceipt {
        evidence,
        leaf,
        proof,
    })
}

/// The entry and its signature.
pub(crate) fn signed_leaf(archive: &mut ZipArchive<Cursor<&[u8]>>) -> Result<SignedLeaf, String> {
    Ok(SignedLeaf {
        leaf: part(archive, file::LEAF)?,
        signature: part(archive, file::LEAF_SIGNATURE)?,
    })
}

/// Whether this is a file with an entry of that kind, whatever else is wrong with it.
pub(crate) fn holds(bytes: &[u8], is_meant: impl FnOnce(&Entry) -> bool) -> bool {
    let leaf = unpack(bytes).and_then(|mut archive| part(&mut archive, file::LEAF));
    let leaf = leaf.ok().and_then(|leaf| Leaf::parse(&leaf).ok());
    leaf.is_some_and(|leaf| is_meant(&leaf.entry))
}

/// Takes who is missing in a proof from the text beside it, which says that and nothing else.
pub(crate) fn check_missing(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    leaf: &SignedLeaf,
    proof: &mut LogProof,
) -> Result<(), String> {
    if archive.index_for_name(file::PENDING).is_none() {
        return Ok(());
    }
    let text = part(archive, file::PENDING)?;
    let in_text = |reason| format!("{}: {reason}", file::PENDING);
    proof.missing = missing(&text).map_err(in_text)?;
    let right = waiting(leaf, Some(proof)).map_err(|error| error.to_string())?;
    match !proof.missing.is_empty() && text == right {
        true => Ok(()),
        false => Err(format!("{} is about another entry", file::PENDING)),
    }
}

/// The five files of the proof, or the one in their place. Lists of the cosignature's time lie among others.
pub(crate) fn unverified_proof(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
) -> Result<UnverifiedProof, String> {
    let is_pending = archive.index_for_name(file::PENDING).is_some();
    Ok(
        match is_pending && archive.index_for_name(file::PROOF).is_none() {
            true => UnverifiedProof::Pending(part(archive, file::PENDING)?),
            false => UnverifiedProof::Here(Box::new(proof(archive)?)),
        },
    )
}

fn proof(archive: &mut ZipArchive<Cursor<&[u8]>>) -> Result<LogProof, String> {
    let judged = JudgedBy::read(archive)?;
    let has = |name| archive.index_for_name(name).is_some();
    let (is_committed, is_dated) = (has(file::COMMITTED), has(file::COMMITTED_ASSURANCE));
    let mut text = |name| text_part(archive, name);
    let committed = match is_committed {
        true => Some(CommittedEntry {
            leaf: text(file::COMMITTED)?,
            proof: text(file::COMMITTED_PROOF)?,
            assurance: match is_dated {
                true => Some(text(file::COMMITTED_ASSURANCE)?),
                false => None,
            },
        }),
        false => None,
    };
    Ok(LogProof {
        proof: text(file::PROOF)?,
        log_key: text(file::LOG_KEY)?,
        witness_key: text(file::WITNESS_KEY)?,
        keys: SignedLogKeys {
            keys: text(file::KEYS)?,
            signature: part(archive, file::KEYS_SIGNATURE)?,
        },
        committed,
        judged,
        lists: String::new(),
        missing: Vec::new(),
    })
}

/// One file of the archive, which may not unpack to more than the whole may be.
pub(crate) fn part(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str) -> Result<Vec<u8>, String> {
    let file = archive
        .by_name(name)
        .map_err(|error| format!("{name}: {error}"))?;
    let mut bytes = Vec::new();
    file.take(MAX_RECEIPT as u64)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("{name}: {error}"))?;
    Ok(bytes)
}

/// The same of a text.
pub(crate) fn text_part(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    name: &str,
) -> Result<String, String> {
    String::from_utf8(part(archive, name)?).map_err(|_| format!("{name} is not UTF-8"))
}
