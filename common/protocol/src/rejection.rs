//! Rejections: Blackboard's signed word that it refused verified members, as it entered it in the
//! log of the assignment. It goes out with the refusal, and the members keep it.

mod archive;
mod verify;

pub use archive::is_rejection;
pub use verify::{ENTERED_ONCE, Refused, VerifiedRejection};
