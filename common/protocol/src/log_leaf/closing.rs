//! Nothing is accepted after a log was closed, unless something has opened it again.

use super::Entry;

/// Whether more may come so far, in a log that is read from its beginning.
#[derive(Debug, Clone, Copy, Default)]
pub struct Closing(Option<u64>);

impl Closing {
    /// Reads the entry with this number. Answers which one had closed the log, if this one accepts a submission
    /// all the same.
    pub fn read(&mut self, index: u64, entry: &Entry) -> Option<u64> {
        let before = self.0;
        match entry {
            Entry::Closed(_) => self.0 = Some(index),
            entry if entry.reopens() => self.0 = None,
            _ => {}
        }
        before.filter(|_| matches!(entry, Entry::Accepted(_)))
    }

    /// An entry that cannot be read: it may be what opens the log again.
    pub fn unread(&mut self) {
        self.0 = None;
    }

    /// The entry after which nothing can come, if there is one.
    pub fn by(&self) -> Option<u64> {
        self.0
    }
}
