//! For tests only: a clock that is set, and a campus with certificates right and wrong, and a
//! service's log.
//!
//! It never opens a socket; it panics where a test could only fail.

mod campus;
mod clock;
mod forge;
mod log;

pub use campus::{TestCampus, TestIdentity};
pub use clock::FixedClock;
pub use forge::{Forge, Purpose};
pub use log::TestLog;
