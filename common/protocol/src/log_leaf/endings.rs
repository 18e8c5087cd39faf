//! What nothing follows: a hand-in that was accepted, given up or declined, or that lapsed, has come to
//! its end, and no later entry of its log is about it.

use std::collections::HashMap;

use super::Entry;
use crate::statement::SubmissionId;

/// How each hand-in has ended so far, in a log that is read from its beginning.
#[derive(Debug, Clone, Default)]
pub struct Endings(HashMap<SubmissionId, (u64, &'static str)>);

impl Endings {
    /// Reads the entry with this number.
    ///
    /// # Errors
    ///
    /// It is about a hand-in that an earlier one has ended: which, and how.
    pub fn read(&mut self, index: u64, entry: &Entry) -> Result<(), String> {
        let Some(submission) = entry.submission() else {
            return Ok(());
        };
        let name = entry.name();
        if let Some((ended, how)) = self.0.get(&submission) {
            return Err(format!(
                "{name} of {submission}, which ended as {how} by entry {ended}"
            ));
        }
        if entry.ends() {
            self.0.insert(submission, (index, name));
        }
        Ok(())
    }
}
