//! `student download`: the files and the receipt of a submission of one's own.

use std::path::{Path, PathBuf};

use scb_cli::{Term, printable, say};
use serde_json::json;

use super::{Prepared, quiet, say_json};
use crate::Error;
use crate::cli::{Common, Download};
use crate::show::Show;
use crate::target::Place;

pub(super) fn run(common: &Common, arguments: &Download, term: Term) -> Result<(), Error> {
    let mut prepared = Prepared::new(common, term)?;
    prepared.engine.setup.blackboard()?;
    let number = arguments.number;
    let folder = arguments.to.clone();
    let folder = folder.unwrap_or_else(|| PathBuf::from(number.to_string()));
    let mut show = Show::new(common);
    let mut observer = quiet(common, &mut show);
    let place = Place::new(&folder);
    let (_, fetched) = prepared.ask(&arguments.ids, &mut observer, |engine, group, observer| {
        engine.download(group, number, &place, observer)
    })?;
    drop(observer);
    drop(show);
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let files = &fetched.receipt.statement().files;
    if common.json {
        let listed = files.iter().zip(&fetched.files).map(|(file, at)| {
            json!({ "name": file.name, "size": file.size, "sha256": file.sha256, "path": path(at) })
        });
        return say_json(&json!({
            "submission": number,
            "receipt": path(&fetched.kept),
            "receipt_pending": fetched.receipt.witnessed().is_none(),
            "files": listed.collect::<Vec<_>>(),
        }));
    }
    for (file, at) in files.iter().zip(&fetched.files) {
        say(&format!(
            "{}  SHA-256 {}",
            printable(&path(at)),
            file.sha256
        ))?;
    }
    let receipt = common
        .explain
        .language
        .language()
        .pick("the receipt, verified", "收據，已驗證");
    let kept = printable(&path(&fetched.kept));
    Ok(say(&format!("{kept}  {receipt}"))?)
}
