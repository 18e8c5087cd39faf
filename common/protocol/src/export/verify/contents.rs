//! Every file in an archive is bound by something that was signed: the submissions by what their
//! members signed and the log accepts, all else by the head.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, Write};

use ring::digest;
use scb_certs::Fingerprint;

use super::Verifier;
use crate::export::{Head, Reading, Submission, Table, file, safe_paths};
use crate::receipt::{Found, VerifiedReceipt, WitnessPolicy};
use crate::statement::SubmissionNumber;

/// Where the files of a submission are in the archive, by their paths below its folder.
type Folder = BTreeMap<String, usize>;

impl<R: Read + Seek> Verifier<R> {
    /// The files beside the submissions are those of the head.
    pub(super) fn bound(&mut self, head: &Head) -> Result<(), String> {
        if head.files.keys().ne(sorted(&file::BOUND)) {
            return Err(format!("{} names other files", file::HEAD));
        }
        for (name, expected) in &head.files {
            let index = self.archive.index_for_name(name);
            let index = index.ok_or_else(|| format!("{name} is missing"))?;
            let (found, _) = self.hash(index)?;
            if found != *expected {
                return Err(format!("{name} is not what was exported"));
            }
        }
        Ok(())
    }

    /// Of everything that was accepted the receipt and the files are here, and nothing else; the
    /// table says the same.
    pub(super) fn submissions(
        &mut self,
        head: &Head,
        reading: &Reading,
        (roots, policy): (&[Fingerprint], &WitnessPolicy),
    ) -> Result<(), String> {
        // All that are needed cosigned the tree of the archive, and its entry is in that: a receipt that was
        // complete before one of them joined has no more than the others.
        let policy = policy.any();
        let mut folders = self.folders()?;
        let mut table = Table::new(Sha256::new()).map_err(text)?;
        let mut numbers = Vec::new();
        for (number, index, commitment) in reading.submissions() {
            let files = folders.remove(&number);
            let files = files.ok_or_else(|| format!("{number} (entry {index}) is missing"))?;
            let receipt = self.receipt(number, (roots, &policy))?;
            if receipt.commitment() != *commitment {
                return Err(format!("the receipt of {number} is about another entry"));
            }
            self.files(&receipt, files, &mut table)?;
            self.detached(&receipt, reading)?;
            numbers.extend(receipt.is_word_alone().then_some(number));
        }
        if let Some(number) = folders.keys().next() {
            return Err(format!(
                "{number} is here, and no entry of the log accepts it"
            ));
        }
        let found = table.finish().map_err(text)?.finish();
        if head.files.get(file::TABLE) != Some(&found) {
            return Err(format!(
                "{} does not say what the receipts and entries say",
                file::TABLE
            ));
        }
        let (submissions, lost) = (reading.accepted(), reading.unknown_entries());
        match (numbers.is_empty(), submissions) {
            (true, 0) => {}
            (true, _) => self.passed("dated", Found::Undated { numbers }),
            (false, _) => self.passed("UNDATED", Found::Undated { numbers }),
        }
        self.passed("complete", Found::Complete { submissions, lost });
        Ok(())
    }

    /// For whom it does not count, by the log: for those who signed it, and nobody else.
    fn detached(&mut self, receipt: &VerifiedReceipt, reading: &Reading) -> Result<(), String> {
        let number = receipt.number();
        let members = &receipt.statement().members;
        for (sid, why) in reading.detachments().of_version(number) {
            if !members.iter().any(|member| member.sid == *sid) {
                return Err(format!(
                    "{sid} was taken out of {number}, and never signed it"
                ));
            }
            let found = Found::Detached {
                number,
                sid: sid.clone(),
                at: why.at,
                reason: why.reason.clone(),
            };
            self.passed("detached", found);
        }
        Ok(())
    }

    /// The files of each submission, its receipt, too.
    fn folders(&self) -> Result<BTreeMap<SubmissionNumber, Folder>, String> {
        let mut folders: BTreeMap<SubmissionNumber, Folder> = BTreeMap::new();
        for index in 0..self.archive.len() {
            let name = self.archive.name_for_index(index).and_then(Result::ok);
            let name = name.unwrap_or_default();
            if file::is_known(&name) {
                continue;
            }
            let place = name.strip_prefix(file::SUBMISSIONS);
            let place = place.and_then(|place| place.split_once('/'));
            let number = place.and_then(|(number, _)| number.parse().ok());
            let (Some((_, rest)), Some(number)) = (place, number) else {
                return Err("there is a file in it that does not belong there".to_owned());
            };
            folders
                .entry(number)
                .or_default()
                .insert(rest.to_owned(), index);
        }
        Ok(folders)
    }

    fn receipt(
        &mut self,
        number: SubmissionNumber,
        (roots, policy): (&[Fingerprint], &WitnessPolicy),
    ) -> Result<VerifiedReceipt, String> {
        let receipt = self.part(&format!("{}{number}/{}", file::SUBMISSIONS, file::RECEIPT))?;
        let verified = VerifiedReceipt::verify_witnessed(&receipt, roots, policy);
        verified.map_err(|refusal| format!("{number}: {refusal}"))
    }

    /// Under each name lies what the members signed under that name, and nothing else is there.
    fn files<W: Write>(
        &mut self,
        receipt: &VerifiedReceipt,
        mut here: Folder,
        table: &mut Table<W>,
    ) -> Result<(), String> {
        let (number, statement) = (receipt.number(), receipt.statement());
        let about = |error: String| format!("{number}: {error}");
        let submission = Submission {
            number,
            committed_at: receipt.committed_at(),
            accepted_at: receipt.accepted_at(),
            statement,
        };
        let stated = statement.files.iter();
        let stated = stated.map(|file| Some((file.sha256, file.size)));
        let paths = safe_paths(&statement.files).into_iter().zip(stated);
        let receipt = (file::RECEIPT.to_owned(), None);
        for (path, signed) in std::iter::once(receipt).chain(paths) {
            let index = here.remove(&path);
            let index = index.ok_or_else(|| about(format!("{path} is missing")))?;
            let (sha256, size) = self.hash(index).map_err(about)?;
            if signed.is_some_and(|signed| signed != (sha256, size)) {
                return Err(about(format!("{path} is not what was signed")));
            }
            let path = format!("{}{number}/{path}", file::SUBMISSIONS);
            table
                .file(&submission, &path, (size, sha256))
                .map_err(text)?;
        }
        match here.keys().next() {
            None => Ok(()),
            Some(path) => Err(about(format!("nobody signed {path}"))),
        }
    }

    fn hash(&mut self, index: usize) -> Result<(Fingerprint, u64), String> {
        let mut file = self.archive.by_index(index).map_err(text)?;
        let mut hash = Sha256::new();
        let size = io::copy(&mut file, &mut hash).map_err(text)?;
        Ok((hash.finish(), size))
    }
}

fn sorted<'a>(names: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names.into_iter()
}

/// SHA-256 of what is written to it.
struct Sha256(digest::Context);

impl Sha256 {
    fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    fn finish(self) -> Fingerprint {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.0.finish().as_ref());
        Fingerprint::from_bytes(sha256)
    }
}

impl Write for Sha256 {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
