//! The overview for programs: one object, whose students are written as they are read.

use std::cell::RefCell;
use std::io::{self, Write};

use anyhow::Context;
use scb_cli::rfc3339;
use serde::ser::{Error as _, SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::Overview;

pub(super) fn print(overview: &mut Overview<'_>) -> anyhow::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    serde_json::to_writer_pretty(&mut out, &Streamed(RefCell::new(overview)))
        .context("cannot write JSON")?;
    writeln!(out)?;
    Ok(out.flush()?)
}

/// The pages are read while they are written.
struct Streamed<'a, 'b>(RefCell<&'a mut Overview<'b>>);

impl Serialize for Streamed<'_, '_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        {
            let overview = self.0.borrow();
            map.serialize_entry("course", &overview.which.course)?;
            map.serialize_entry("assignment", &overview.which.assignment)?;
            map.serialize_entry("rules", overview.book.rules())?;
            map.serialize_entry("class_list", &overview.has_list)?;
            map.serialize_entry("now", &rfc3339(overview.desk.now))?;
        }
        map.serialize_entry("students", &Students(&self.0))?;
        map.serialize_entry("totals", &self.0.borrow().totals)?;
        map.serialize_entry("unreadable_ids", &self.0.borrow().unreadable)?;
        map.end()
    }
}

struct Students<'a, 'b, 'c>(&'a RefCell<&'b mut Overview<'c>>);

impl Serialize for Students<'_, '_, '_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut students = to.serialize_seq(None)?;
        loop {
            let page = self.0.borrow_mut().page().map_err(S::Error::custom)?;
            if page.is_empty() {
                return students.end();
            }
            for line in &page {
                students.serialize_element(line)?;
            }
        }
    }
}
