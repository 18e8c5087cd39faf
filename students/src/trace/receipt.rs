//! What a receipt says about the conversation that led to it.

use std::io::{Cursor, Read};

use scb_protocol::receipt::{MAX_RECEIPT, file};
use zip::ZipArchive;

use super::decode;
use super::json::Json;

/// CUHK's answer immediately before the submission was stored; none if CUHK was away.
pub(super) fn verification(zip: &[u8]) -> Option<Json> {
    let mut archive = ZipArchive::new(Cursor::new(zip)).ok()?;
    let part = archive.by_name(file::VERIFICATION).ok()?;
    let mut text = String::new();
    part.take(MAX_RECEIPT as u64)
        .read_to_string(&mut text)
        .ok()?;
    decode::signed(text.trim())
}
