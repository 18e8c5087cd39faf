//! For tests only: a clock that is set, and a campus with certificates right and wrong.
//!
//! It never opens a socket, and it panics where a test could only fail.

mod campus;
mod clock;
mod forge;

pub use campus::{TestCampus, TestIdentity};
pub use clock::FixedClock;
pub use forge::{Forge, Purpose};
