//! The steps and the refusals in plain words, in English and in Chinese.
//!
//! It turns events and refusals into text. It decides nothing, reads no socket and sees no
//! secret: what comes in is what may be logged.

mod chinese;
mod language;
mod refusal;

pub use language::Language;
pub use refusal::{refusal, remedy, sentence};
