//! What the three command lines share: homes, configuration, passphrases, terminal, exit
//! codes and the layout of a sandbox.
//!
//! It never opens a socket, never speaks the protocol, never decides anything about a
//! certificate, and never prompts unless a person sits at a terminal.

mod config;
pub mod confirm;
mod delimited;
mod error;
pub mod exit;
pub mod fault;
mod files;
mod generate;
mod grade;
mod hidden;
mod home;
mod input;
mod inspect;
mod journal;
mod operator;
mod passphrase;
mod ready;
mod roots;
mod sandbox;
mod spreadsheet;
mod terminal;
mod time;

pub use config::{bounded, cut_config, load_config, lost_config, save_config};
pub use delimited::{
    Encoding, Quotes, Text, TextFault, TextForm, ends_line, judge_quotes, open_text, read_text,
};
pub use error::Error;
pub use exit::{Failure, finish, finish_in, finish_json, with_causes};
pub use files::{
    create_private_dir, create_private_file, read_limited, sync_dir, write_atomic,
    write_atomic_with,
};
pub use generate::{Generate, generate_examples, with_generate_examples};
pub use grade::grade_json;
pub use hidden::Hidden;
pub use home::{Home, HomeArgs, Role, home_around, owner};
pub use input::{Input, Opened};
pub use inspect::{Access, free_space, is_frozen, require_own, require_own_place, unwritable};
pub use journal::for_stderr;
pub use operator::Operator;
pub use passphrase::{credential, passphrase_from, passphrase_from_flag};
pub use ready::write_ready;
pub use roots::{ROOTS, bundle_age, bundle_sequence, former_roots, keep_bundle, keep_root};
pub use sandbox::{Sandbox, loopback_only};
pub use scb_protocol::{counted, rfc3339};
pub use spreadsheet::{inert, is_formula, line_of};
pub use terminal::{Term, note, printable, say, steers};
pub use time::{local_moments, local_time, parse_date, parse_duration, parse_moment, time_in_zone};
