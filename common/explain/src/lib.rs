//! The steps and the refusals in plain words, in English and in Chinese.
//!
//! It turns events and refusals into text. It decides nothing, reads no socket and sees no
//! secret: what comes in is what may be logged.

mod arguments;
mod chinese;
mod details;
mod fact;
mod language;
mod layout;
mod refusal;
mod words;

pub use arguments::{ExplainArgs, LanguageArgs};
pub use fact::{Explanation, explain};
pub use language::Language;
pub use layout::{lines, width};
pub use refusal::{refusal, remedy, sentence, told};
pub use words::{length, message_title, nothing_changed, step_title, what_to_do};
