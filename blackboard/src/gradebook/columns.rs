//! What the columns of a gradebook are, by their names.

use scb_cli::Failure;
use scb_protocol::rules::Title;

use super::refused;
use super::sheet::{Row, Sheet, tidy};
use crate::arguments::grades::PlatformName;

/// Whose form it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Of a platform.
    Of(PlatformName),
    /// `sid`, `grade` and what goes with them.
    Plain,
}

/// Where things are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) form: Form,
    pub(super) sid: usize,
    pub(super) grade: usize,
    pub(super) group: Option<usize>,
    pub(super) maximum: Option<usize>,
    pub(super) comment: Option<usize>,
}

impl Columns {
    /// Of a gradebook, in which the assignment's grades are in the column of this name, or of the
    /// assignment's title.
    ///
    /// # Errors
    ///
    /// No column, or several, could be meant.
    pub(super) fn of(sheet: &Sheet, title: &Title, named: Option<&str>) -> Result<Self, Failure> {
        let has = |name: &str| !sheet.columns(name).is_empty();
        if has("student") && has("sis user id") {
            return Self::canvas(sheet, title, named);
        }
        let form = match has("identifier") && has("full name") {
            true => Form::Of(PlatformName::Moodle),
            false => Form::Plain,
        };
        let sid = match form {
            Form::Plain => "sid",
            Form::Of(_) => "id number",
        };
        Ok(Self {
            form,
            sid: one(sheet, sid)?,
            grade: one(sheet, named.unwrap_or("grade"))?,
            group: optional(sheet, "group_grade")?.filter(|_| form == Form::Plain),
            maximum: match form {
                Form::Plain => optional(sheet, "maximum")?,
                Form::Of(_) => optional(sheet, "maximum grade")?,
            },
            comment: match form {
                Form::Plain => optional(sheet, "comment")?,
                Form::Of(_) => optional(sheet, "feedback comments")?,
            },
        })
    }

    fn canvas(sheet: &Sheet, title: &Title, named: Option<&str>) -> Result<Self, Failure> {
        let grade = match named {
            Some(name) => one(sheet, name)?,
            None => called_like(sheet, title)?,
        };
        Ok(Self {
            form: Form::Of(PlatformName::Canvas),
            sid: one(sheet, "sis user id")?,
            grade,
            group: None,
            maximum: None,
            comment: None,
        })
    }

    /// The points that a Canvas gradebook has for a work without fault.
    pub(super) fn points_possible<'a>(&self, sheet: &'a Sheet) -> Option<&'a str> {
        let row = sheet.rows.iter().find(|row| is_points_possible(row))?;
        (self.form == Form::Of(PlatformName::Canvas)).then(|| row.cell(Some(self.grade)))
    }
}

/// `    Points Possible` in the first column.
fn is_points_possible(row: &Row) -> bool {
    tidy(row.cell(Some(0))) == "points possible"
}

/// `Lab 1` or `Lab 1 (123456)`.
fn called_like(sheet: &Sheet, title: &Title) -> Result<usize, Failure> {
    let title = tidy(&title.to_string());
    let is_meant = |cell: &str| {
        let cell = tidy(cell);
        let number = cell.strip_prefix(&title).map(str::trim);
        let number = number.and_then(|rest| match rest {
            "" => Some(rest),
            rest => rest.strip_prefix('(')?.strip_suffix(')'),
        });
        number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let all = sheet.header.iter().enumerate();
    let found: Vec<usize> = all
        .filter(|(_, cell)| is_meant(cell))
        .map(|(column, _)| column)
        .collect();
    match found[..] {
        [one] => Ok(one),
        [] => Err(refused(
            "no column is called like the assignment: name it with --column",
        )),
        _ => Err(refused(
            "several columns are called like the assignment: name one with --column",
        )),
    }
}

fn one(sheet: &Sheet, name: &str) -> Result<usize, Failure> {
    optional(sheet, name)?.ok_or_else(|| refused(&format!("it has no column `{name}`")))
}

fn optional(sheet: &Sheet, name: &str) -> Result<Option<usize>, Failure> {
    match sheet.columns(name)[..] {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        _ => Err(refused(&format!("it has several columns `{name}`"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(header: &str, named: Option<&str>) -> Result<Columns, String> {
        let sheet = Sheet::parse(header.as_bytes()).unwrap();
        let title = "Lab 1".parse().unwrap();
        Columns::of(&sheet, &title, named).map_err(|failure| failure.message)
    }

    const CANVAS: &str = "Student,ID,SIS User ID,SIS Login ID,Section,Lab 10 (1),";

    #[test]
    fn a_column_is_the_assignment_s_if_it_is_called_like_it() {
        for name in ["Lab 1", "Lab 1 (4711)", " lab 1 ", "LAB_1 (2)"] {
            let columns = of(&format!("{CANVAS}{name}\n"), None).unwrap();
            assert_eq!((columns.sid, columns.grade), (2, 6), "{name}");
            assert_eq!(columns.form, Form::Of(PlatformName::Canvas));
        }
        let columns = of(&format!("{CANVAS}Final\n"), Some("Final")).unwrap();
        assert_eq!(columns.grade, 6);
    }

    #[test]
    fn what_may_mean_several_columns_or_none_is_refused() {
        for (header, named, reason) in [
            ("Lab 2 (1)\n", None, "no column is called like"),
            ("Lab 1 (a)\n", None, "no column is called like"),
            ("Lab 1 (1),Lab 1 (2)\n", None, "several columns are called"),
            ("A,A\n", Some("A"), "several columns `A`"),
            ("A\n", Some("B"), "no column `B`"),
        ] {
            let error = of(&format!("{CANVAS}{header}"), named).unwrap_err();
            assert!(error.contains(reason), "{header}: {error}");
        }
        assert!(of("name,grade\n", None).unwrap_err().contains("`sid`"));
        assert!(of("sid,points\n", None).unwrap_err().contains("`grade`"));
    }

    #[test]
    fn a_moodle_worksheet_is_known_by_its_columns() {
        let header = "Identifier,Full name,ID number,Email address,Status,Grade,Maximum Grade,\
                      Feedback comments\n";
        let columns = of(header, None).unwrap();
        assert_eq!(columns.form, Form::Of(PlatformName::Moodle));
        let places = (columns.sid, columns.grade, columns.maximum, columns.comment);
        assert_eq!(places, (2, 5, Some(6), Some(7)));
    }
}
