//! Announcements: Blackboard's signed word which rules of an assignment are in force, and who has more
//! time, as it entered them in the assignment's log. Students keep them: a deadline that is another one
//! later is another entry.

mod archive;
mod verify;

pub use archive::is_announcement;
pub use verify::{Said, SignedAnnouncement, VerifiedAnnouncement};

pub(crate) use verify::{check_listed, check_proposed};
