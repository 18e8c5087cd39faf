//! `blackboard grades export`: grades as a gradebook, or in the teacher's own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use scb_certs::StudentId;
use scb_cli::{Failure, inert, note, printable, read_limited, write_atomic};
use scb_protocol::grade::Points;
use scb_protocol::rules::Title;

use super::columns::{Columns, Form, Named};
use super::outdated::{self, Outdated};
use super::refused;
use super::sheet::{MAX_BYTES, Row, Sheet};
use crate::arguments::grades::{Export, PlatformName};
use crate::courses::Desk;
use crate::store::grades::Graded;

const CANVAS: [&str; 5] = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"];

type Grades = BTreeMap<StudentId, Graded>;

pub(super) fn run(desk: &Desk, command: &Export) -> anyhow::Result<()> {
    let place = desk.place(&command.of.which());
    let title = desk.store.assignment(&place)?.rules().title.clone();
    let grades = desk.store.grades(&place)?;
    let sheet = match &command.template {
        Some(file) => filled(Sheet::read(file)?, command, &title, &grades)?,
        None => anew(command.platform, &title, &grades),
    };
    if let Some(path) = &command.out {
        check_place(path, &sheet)?;
    }
    outdated::remark(&Outdated::all(desk, &place, &grades)?)?;
    let bytes = sheet.to_bytes();
    match &command.out {
        Some(path) => Ok(write_atomic(path, &bytes, 0o600)?),
        None => {
            let mut out = io::stdout().lock();
            out.write_all(&bytes)?;
            Ok(out.flush()?)
        }
    }
}

/// An earlier gradebook of the same form is replaced, or an empty file: a name that was mistyped ends nothing else.
fn check_place(out: &Path, sheet: &Sheet) -> Result<(), Failure> {
    let is_of_form = |there: &[u8]| {
        there.is_empty()
            || Sheet::parse(there).is_ok_and(|there| there.header.first() == sheet.header.first())
    };
    let is_replaced = || {
        fs::metadata(out).is_ok_and(|found| found.is_file())
            && read_limited(out, MAX_BYTES).is_ok_and(|there| is_of_form(&there))
    };
    if fs::symlink_metadata(out).is_err() || is_replaced() {
        return Ok(());
    }
    let path = printable(&out.to_string_lossy());
    Err(
        Failure::refused(format!("{path} is there already, and is no such gradebook"))
            .with_remedy("name another file; nothing was changed")
            .with_code("file_exists"),
    )
}

/// The teacher's gradebook with the grades in it, and all else as it was.
fn filled(
    mut sheet: Sheet,
    command: &Export,
    title: &Title,
    grades: &Grades,
) -> anyhow::Result<Sheet> {
    let named = Named {
        grade: command.column.as_deref(),
        sid: command.sid_column.as_deref(),
    };
    let columns = Columns::of(&sheet, title, named)?;
    let is_named = named.grade.is_some() && named.sid.is_some();
    if columns.form != Form::Of(command.platform) && !is_named {
        let form = "the template is not what that platform exports";
        return Err(refused(form).into());
    }
    let possible = columns.points_possible(&sheet).map(str::to_owned);
    let numbers = [Some(columns.grade), columns.maximum];
    let decimals = sheet.decimals(&numbers);
    let mut rows = std::mem::take(&mut sheet.rows);
    let mut excused = Vec::new();
    for row in &mut rows {
        let sid = columns.student(row).ok().flatten();
        if let Some(graded) = sid.and_then(|sid| grades.get(&sid)) {
            if columns.is_excused(row) && !command.overwrite_excused {
                excused.push(graded.grade.sid.as_str());
                continue;
            }
            let told = match &possible {
                Some(possible) => possible.clone(),
                None => row.cell(columns.maximum).to_owned(),
            };
            check_maximum(row, sheet.points(&told), graded)?;
            // `8.50` says the same as `8.5`.
            if sheet.points(row.cell(Some(columns.grade))) != Some(graded.grade.points) {
                row.set(columns.grade, &decimals.write(graded.grade.points));
            }
            fill_comment(row, &columns, graded);
        }
    }
    sheet.rows = rows;
    if !excused.is_empty() {
        note(&format!(
            "excused in the template (`EX`), and left so though graded here: {} \
             (--overwrite-excused writes their grades)",
            excused.join(", ")
        ))?;
    }
    Ok(sheet)
}

/// Eight of ten points are not eight of twenty.
fn check_maximum(row: &Row, told: Option<Points>, graded: &Graded) -> Result<(), Failure> {
    let maximum = graded.grade.maximum;
    match told {
        Some(told) if told != maximum => Err(refused(&format!(
            "line {}: the gradebook has {told} points at most, the grade {maximum}",
            row.line
        ))),
        _ => Ok(()),
    }
}

fn fill_comment(row: &mut Row, columns: &Columns, graded: &Graded) {
    if let (Some(column), Some(comment)) = (columns.comment, &graded.grade.comment) {
        let cell = row.cell(Some(column));
        if cell != comment {
            row.set(column, &inert(comment));
        }
    }
}

/// Only those who are graded, by what is known of them here.
fn anew(platform: PlatformName, title: &Title, grades: &Grades) -> Sheet {
    match platform {
        PlatformName::Canvas => canvas(title, grades),
        PlatformName::Moodle => moodle(title, grades),
    }
}

fn canvas(title: &Title, grades: &Grades) -> Sheet {
    let title = title.to_string();
    let title = inert(&title);
    let header: Vec<&str> = CANVAS.into_iter().chain([title.as_ref()]).collect();
    let row = |first: &str, sid: &str, points: String| {
        let cells = [first, "", sid, "", ""].map(str::to_owned);
        cells.into_iter().chain([points]).collect::<Vec<_>>()
    };
    let maximum = grades.values().map(|graded| graded.grade.maximum).max();
    let maximum = maximum.map(|maximum| row("    Points Possible", "", maximum.to_string()));
    let students = grades
        .iter()
        .map(|(sid, graded)| row("", sid.as_str(), graded.grade.points.to_string()));
    Sheet::new(&header, maximum.into_iter().chain(students).collect())
}

/// A gradebook, as Moodle's grade import takes it. A grading worksheet cannot be made here: Moodle finds its rows
/// by a number that it alone knows, and takes none without the time of the last grade.
fn moodle(title: &Title, grades: &Grades) -> Sheet {
    let item = |what: &str| format!("Assignment: {title} ({what})");
    let (points, comments) = (item("Real"), item("Feedback"));
    let row = |(sid, graded): (&StudentId, &Graded)| {
        let comment = graded.grade.comment.as_deref().unwrap_or_default();
        let points = graded.grade.points.to_string();
        vec![sid.to_string(), points, inert(comment).into_owned()]
    };
    let header = ["ID number", &points, &comments];
    Sheet::new(&header, grades.iter().map(row).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_an_earlier_gradebook_of_the_same_form_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out.csv");
        let sheet = Sheet::parse(b"Student,ID,lab-1\nChan,1,8\n").unwrap();
        check_place(&out, &sheet).unwrap();
        for earlier in ["", "Student,ID,lab-1,lab-2\nLee,2,7,6\n"] {
            fs::write(&out, earlier).unwrap();
            check_place(&out, &sheet).unwrap();
        }
        let key = "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n";
        for other in [key, "sid,code\n1155000001,7K3QX\n", "\0"] {
            fs::write(&out, other).unwrap();
            let refused = check_place(&out, &sheet).unwrap_err();
            assert_eq!(refused.code, Some("file_exists"), "{other}");
        }
        let refused = check_place(dir.path(), &sheet).unwrap_err();
        assert_eq!(refused.code, Some("file_exists"));
    }
}
