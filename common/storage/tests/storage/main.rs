//! What the store promises, tried from outside.
#![allow(clippy::unwrap_used)]

mod content;
mod faults;
mod lock;
mod opening;
mod processes;
mod published_log;
mod reading;
mod snapshots;
mod support;
mod uploads;
mod writing;
