//! What was chosen to be handed in, before a byte of it is read: what is refused by its name or its
//! size is refused at once.

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use scb_certs::StudentId;
use scb_protocol::Refusal;
use scb_protocol::rules::check_size;
use scb_protocol::statement::{FileEntry, FilePath, Files, Statement};

use super::packed::{self, Packed};
use super::private_key::{LOOKED_AT, OwnKey, is_called_like_one, is_or_holds_private_key};
use super::walk::{self, Found, Homes};
use super::{Content, Report, Source, changed, measure};
use crate::{Error, Group};

/// How often each student's line stands in the text that is made.
const LINES: usize = 10;
/// The name of the text that is made.
const GENERATED: &str = "submission.txt";
/// From so many bytes on, hashing may take longer than asking whether they are taken.
const LARGE: u64 = 32 * 1024 * 1024;

/// Files that are there and can be read, or the text that is made from the IDs.
#[derive(Debug)]
pub struct Selection(Vec<Selected>);

#[derive(Debug)]
struct Selected {
    name: FilePath,
    size: u64,
    source: Source,
}

impl Selection {
    /// The files that are named, or the text made from the IDs of a class at work in a sandbox.
    ///
    /// # Errors
    ///
    /// As [`Selection::find`]; [`Error::ReportHome`] for what lies in a home of one of our programs;
    /// [`Error::NothingNamed`] without a file outside a sandbox, where somebody would be graded for
    /// that text.
    pub fn choose(paths: &[PathBuf], sandboxed: Option<&Group>) -> Result<Self, Error> {
        match (paths, sandboxed) {
            ([], Some(group)) => Self::generated(group.ids()),
            ([], None) => Err(Error::NothingNamed),
            (paths, _) => Self::open(walk::find(paths, Homes::Refused)?),
        }
    }

    /// Finds and opens files, and reads none.
    ///
    /// # Errors
    ///
    /// [`Error::Report`] and the errors named after it.
    pub fn find(paths: &[PathBuf]) -> Result<Self, Error> {
        Self::open(walk::find(paths, Homes::Looked)?)
    }

    fn open(found: Vec<Found>) -> Result<Self, Error> {
        let opened = found.into_iter().map(Selected::open);
        opened.collect::<Result<_, _>>().map(Self)
    }

    /// Those that hold a private key: in their first 64 KiB (PEM), as a whole (DER), or in something small that is
    /// packed into them. Of what is compressed there the name is all that tells.
    ///
    /// # Errors
    ///
    /// [`Error::Report`] if one cannot be read.
    pub fn private_keys(&mut self) -> Result<Vec<FilePath>, Error> {
        let is_packed = |packed: &Packed| match &packed.bytes {
            Some(bytes) => is_or_holds_private_key(bytes),
            None => is_called_like_one(&packed.name),
        };
        self.named(is_or_holds_private_key, is_packed)
    }

    /// Those that hold one of these private keys (PEM, as they are kept), in the same places.
    ///
    /// # Errors
    ///
    /// [`Error::Report`] if one cannot be read.
    pub(crate) fn holding(&mut self, keys: &[Vec<u8>]) -> Result<Vec<FilePath>, Error> {
        let keys: Vec<_> = keys.iter().map(|key| OwnKey::of(key)).collect();
        let has = |bytes: &[u8]| keys.iter().any(|key| key.is_in(bytes));
        self.named(has, |packed| packed.bytes.as_deref().is_some_and(has))
    }

    /// Those of which the first bytes, or something small that is packed into them, is what is looked for.
    fn named(
        &mut self,
        is_first: impl Fn(&[u8]) -> bool,
        is_packed: impl Fn(&Packed) -> bool,
    ) -> Result<Vec<FilePath>, Error> {
        let mut named = Vec::new();
        for file in &mut self.0 {
            let first = file.first()?;
            if is_first(&first) || file.any_packed(&first, &is_packed)? {
                named.push(file.name.clone());
            }
        }
        Ok(named)
    }

    /// For each student in order, ten times the line `This is submission from <ID>`.
    ///
    /// # Errors
    ///
    /// None in practice: the name is a fixed one.
    pub(crate) fn generated(ids: &[StudentId]) -> Result<Self, Error> {
        let text = generated_text(ids).into_bytes();
        Ok(Self(vec![Selected {
            name: GENERATED.parse()?,
            size: text.len() as u64,
            source: Source::Text(io::Cursor::new(text)),
        }]))
    }

    /// Names and sizes in bytes, as they were found.
    pub fn files(&self) -> impl Iterator<Item = (&FilePath, u64)> + Clone {
        self.0.iter().map(|file| (&file.name, file.size))
    }

    /// Whether it has at most so many bytes.
    ///
    /// # Errors
    ///
    /// `content_too_large`.
    pub(crate) fn check_size(&self, most: Option<u64>) -> Result<(), Refusal> {
        check_size(self.files(), most.unwrap_or(u64::MAX))
    }

    /// Whether it takes a while to read all of it.
    pub(crate) fn is_large(&self) -> bool {
        let sizes = self.files().map(|(_, size)| size);
        sizes.fold(0, u64::saturating_add) >= LARGE
    }

    /// Whether a statement is about files of these names and sizes.
    pub(crate) fn may_be_that_of(&self, statement: &Statement) -> bool {
        let stated = statement.files.iter();
        stated.map(|file| (&file.name, file.size)).eq(self.files())
    }

    /// Reads all of it once.
    ///
    /// # Errors
    ///
    /// [`Error::ReportChanged`] if a file is changed meanwhile; [`Error::Report`] if one cannot be
    /// read; [`Error::ReportFiles`] if they cannot be handed in together.
    pub fn hash(self) -> Result<Report, Error> {
        let (mut entries, mut contents) = (Vec::new(), Vec::new());
        for mut file in self.0 {
            entries.push(file.hash()?);
            contents.push(Content::new(file.source));
        }
        let files = Files::new(entries).map_err(Error::ReportFiles)?;
        Ok(Report { files, contents })
    }
}

impl Selected {
    fn open(found: Found) -> Result<Self, Error> {
        let Found { path, name, size } = found;
        let file = File::open(&path).map_err(unreadable(&path))?;
        let source = Source::File { path, file };
        Ok(Self { name, size, source })
    }

    /// Whether something small that is packed into it is what is looked for.
    fn any_packed(&mut self, first: &[u8], is: impl Fn(&Packed) -> bool) -> Result<bool, Error> {
        let Source::File { path, file } = &mut self.source else {
            return Ok(false);
        };
        let found = packed::any(file, (first, self.size), is);
        let found = found.and_then(|found| file.rewind().map(|()| found));
        found.map_err(unreadable(path))
    }

    /// Its first bytes; none of what this program has made.
    fn first(&mut self) -> Result<Vec<u8>, Error> {
        let mut first = Vec::new();
        let Source::File { path, file } = &mut self.source else {
            return Ok(first);
        };
        let read = file.take(LOOKED_AT).read_to_end(&mut first);
        let read = read.and_then(|_| file.rewind());
        read.map_err(unreadable(path))?;
        Ok(first)
    }

    fn hash(&mut self) -> Result<FileEntry, Error> {
        let (size, sha256) = match &mut self.source {
            Source::Text(text) => {
                text.set_position(0);
                measure(text).map_err(unreadable(Path::new(GENERATED)))?
            }
            Source::File { path, file } => {
                let before = file.metadata().map_err(unreadable(path))?;
                // One byte more than there were: what grows as fast as it is read has an end.
                let mut content = file.take(before.len().saturating_add(1));
                let measured = measure(&mut content).map_err(unreadable(path))?;
                let after = file.metadata().map_err(unreadable(path))?;
                if measured.0 != after.len() || stamp(&before) != stamp(&after) {
                    return Err(changed(&self.name));
                }
                measured
            }
        };
        let name = self.name.clone();
        Ok(FileEntry { name, size, sha256 })
    }
}

/// What is another one once somebody has written to a file. Where the system does not know it, the
/// hash tells when the file is sent.
fn stamp(metadata: &Metadata) -> (u64, Option<std::time::SystemTime>) {
    (metadata.len(), metadata.modified().ok())
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    move |source| Error::Report {
        path: path.to_owned(),
        source,
    }
}

fn generated_text(ids: &[StudentId]) -> String {
    let line = |sid: &StudentId| format!("This is submission from {sid}\n").repeat(LINES);
    ids.iter().map(line).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::{SeekFrom, Write as _};
    use std::sync::atomic::{AtomicBool, Ordering};

    use scb_certs::Fingerprint;
    use scb_protocol::Code;
    use scb_protocol::statement::{StatedMember, SubmissionId};

    use super::*;

    fn ids() -> Vec<StudentId> {
        let texts = ["1155000001", "1155000002", "1155000003"];
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_text_for_three_ten_digit_ids_has_1050_bytes() {
        let mut report = Selection::generated(&ids()).unwrap().hash().unwrap();
        let content = report.pieces(0, 0).unwrap().next_piece().unwrap().unwrap();
        let file = report.files().single().unwrap();
        assert_eq!((content.len(), file.size), (1050, 1050));
        let lines: Vec<_> = str::from_utf8(&content).unwrap().lines().collect();
        assert_eq!(lines.len(), 30);
        assert_eq!(lines[9], "This is submission from 1155000001");
        assert_eq!(lines[10], "This is submission from 1155000002");
        assert_eq!(file.name.as_ref(), "submission.txt");
        assert_eq!(file.sha256, Fingerprint::of(&content));
    }

    #[test]
    fn what_is_too_large_is_refused_unread_and_the_largest_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let sparse = |name: &str, bytes: u64| {
            let path = dir.path().join(name);
            File::create(&path).unwrap().set_len(bytes).unwrap();
            path
        };
        let paths = [sparse("one.iso", 20 << 30), sparse("two.iso", 7)];
        let select = |paths: &[PathBuf]| Selection::find(paths).unwrap();
        assert!(select(&paths).is_large() && !select(&paths[1..]).is_large());
        let Err(refusal) = select(&paths[..1]).check_size(Some(1 << 29)) else {
            panic!("taken");
        };
        assert_eq!(refusal.code, Code::ContentTooLarge);
        assert_eq!(refusal.params["file"], "one.iso");
        assert_eq!(refusal.params["bytes"], (20_u64 << 30).to_string());
        assert_eq!(refusal.params["limit"], "536870912");
        let Err(refusal) = select(&paths).check_size(Some(20 << 30)) else {
            panic!("taken");
        };
        assert_eq!(
            (
                refusal.params["files"].as_str(),
                refusal.params["file_bytes"].as_str()
            ),
            ("2", "21474836480")
        );
        select(&paths).check_size(Some((20 << 30) + 7)).unwrap();
        select(&paths).check_size(None).unwrap();
    }

    #[test]
    fn files_that_hold_a_private_key_are_named_and_are_handed_in_whole_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let key = scb_certs::SigningKey::generate()
            .unwrap()
            .to_pem(None)
            .unwrap();
        let late = " ".repeat(64 * 1024) + key.as_str();
        let paths = [
            write("report.pdf", "no key"),
            write("key.pem", key.as_str()),
            write("late.pem", &late),
        ];
        let mut selection = Selection::find(&paths).unwrap();
        let named: Vec<_> = selection.private_keys().unwrap();
        assert_eq!(
            named.iter().map(FilePath::as_ref).collect::<Vec<_>>(),
            ["key.pem"]
        );
        let report = selection.hash().unwrap();
        assert_eq!(report.files()[1].sha256, Fingerprint::of(key.as_bytes()));
    }

    #[test]
    fn only_what_has_the_same_names_and_sizes_may_be_what_was_interrupted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.pdf");
        std::fs::write(&path, "as it was").unwrap();
        let select = || Selection::find(std::slice::from_ref(&path)).unwrap();
        let service = "spiffe://campus.test/service/blackboard".parse().unwrap();
        let place = ("SANDBOX".parse().unwrap(), "lab".parse().unwrap());
        let files = select().hash().unwrap().files().clone();
        let id = SubmissionId::random().unwrap();
        let statement = Statement::new(service, place, Vec::<StatedMember>::new(), files, id);
        assert!(select().may_be_that_of(&statement));
        std::fs::write(&path, "as it is now").unwrap();
        assert!(!select().may_be_that_of(&statement));
    }

    #[test]
    fn a_file_that_has_grown_since_it_was_chosen_is_taken_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.pdf");
        std::fs::write(&path, "as it was").unwrap();
        let selection = Selection::find(std::slice::from_ref(&path)).unwrap();
        std::fs::write(&path, "as it was, and more").unwrap();
        assert_eq!(selection.hash().unwrap().files().size(), 19);
    }

    #[test]
    fn a_file_that_is_written_to_while_it_is_hashed_is_told_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.pdf");
        let mut file = File::create(&path).unwrap();
        file.set_len(256 << 20).unwrap();
        let selection = Selection::find(std::slice::from_ref(&path)).unwrap();
        let done = AtomicBool::new(false);
        let hashed = std::thread::scope(|scope| {
            let (begun, writing) = std::sync::mpsc::channel();
            let done = &done;
            scope.spawn(move || {
                file.seek(SeekFrom::End(0)).unwrap();
                while !done.load(Ordering::Relaxed) {
                    file.write_all(b"and one line more\n").unwrap();
                    let _ = begun.send(());
                }
            });
            writing.recv().unwrap();
            let hashed = selection.hash();
            done.store(true, Ordering::Relaxed);
            hashed
        });
        let error = hashed.unwrap_err();
        assert!(
            matches!(&error, Error::ReportChanged { file } if file == "report.pdf"),
            "{error}"
        );
    }
}
