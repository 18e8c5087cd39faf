//! What the columns of a gradebook are, by their names.

use scb_certs::StudentId;
use scb_cli::{Failure, printable};
use scb_protocol::rules::Title;

use super::refused;
use super::sheet::{Row, Sheet, tidy};
use crate::arguments::grades::PlatformName;

/// How many columns are named.
const NAMED: usize = 12;

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

/// The columns that the teacher names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Named<'a> {
    pub(super) grade: Option<&'a str>,
    pub(super) sid: Option<&'a str>,
}

/// How Moodle's gradebook ends the names of columns with points, beside those with percentages and letters.
const REAL: &str = "(real)";

/// What Moodle is to be told, where it exports no IDs.
const MOODLE_IDS: &str = "let Moodle export the ID number: for the gradebook, `idnumber` in Site \
    administration > Grades > General settings > Grade export user profile fields; for the grading \
    worksheet, Site administration > Users > Permissions > User policies > Show user identity; or \
    name the column of the student IDs with --sid-column: of an e-mail address what stands before \
    the `@` is taken";

impl Columns {
    /// Of a gradebook, in which the assignment's grades are in the column of this name, or of the
    /// assignment's title.
    ///
    /// # Errors
    ///
    /// No column, or several, could be meant.
    pub(super) fn of(sheet: &Sheet, title: &Title, named: Named<'_>) -> Result<Self, Failure> {
        let has = |name: &str| !sheet.columns(name).is_empty();
        let is_person = has("first name") || has("surname") || has("last name");
        let by_other_ids = named.sid.is_some() && has("id") && has("section");
        if has("student") && (has("sis user id") || by_other_ids) {
            return Self::canvas(sheet, title, named);
        }
        if has("identifier") && has("full name") {
            return Self::worksheet(sheet, named);
        }
        let has_points = sheet.header.iter().any(|name| tidy(name).ends_with(REAL));
        if (is_person && has("email address") || has_points) && !has("sid") {
            return Self::moodle(sheet, title, named);
        }
        Ok(Self {
            form: Form::Plain,
            sid: one(sheet, named.sid.unwrap_or("sid"))?,
            grade: one(sheet, named.grade.unwrap_or("grade"))?,
            group: optional(sheet, "group_grade")?,
            maximum: optional(sheet, "maximum")?,
            comment: optional(sheet, "comment")?,
        })
    }

    fn canvas(sheet: &Sheet, title: &Title, named: Named<'_>) -> Result<Self, Failure> {
        Ok(Self {
            form: Form::Of(PlatformName::Canvas),
            sid: one(sheet, named.sid.unwrap_or("sis user id"))?,
            grade: named_or_like(sheet, title, named.grade)?,
            group: None,
            maximum: None,
            comment: None,
        })
    }

    /// What Moodle exports of one assignment.
    fn worksheet(sheet: &Sheet, named: Named<'_>) -> Result<Self, Failure> {
        Ok(Self {
            form: Form::Of(PlatformName::Moodle),
            sid: moodle_sid(sheet, named)?,
            grade: one(sheet, named.grade.unwrap_or("grade"))?,
            group: None,
            maximum: optional(sheet, "maximum grade")?,
            comment: optional(sheet, "feedback comments")?,
        })
    }

    /// What Moodle exports of the whole course: `Assignment: Lab 1 (Real)`, and if the teacher wants them
    /// the comments, `Assignment: Lab 1 (Feedback)`.
    fn moodle(sheet: &Sheet, title: &Title, named: Named<'_>) -> Result<Self, Failure> {
        let grade = named_or_like(sheet, title, named.grade)?;
        let name = tidy(&sheet.header[grade]);
        let comment = match name.strip_suffix(REAL) {
            Some(item) => optional(sheet, &format!("{item}(feedback)"))?,
            None => None,
        };
        Ok(Self {
            form: Form::Of(PlatformName::Moodle),
            sid: moodle_sid(sheet, named)?,
            grade,
            group: None,
            maximum: None,
            comment,
        })
    }

    /// The student of a row: nothing where there is none. Of an e-mail address what stands before
    /// the `@`.
    ///
    /// # Errors
    ///
    /// What stands there, which is no ID.
    pub(super) fn student(&self, row: &Row) -> Result<Option<StudentId>, String> {
        let cell = row.cell(Some(self.sid));
        let name = cell.split_once('@').map_or(cell, |(name, _)| name);
        match cell {
            "" => Ok(None),
            _ => name.parse().map(Some).map_err(|_| cell.to_owned()),
        }
    }

    /// Whether Canvas has the student of this row excused.
    pub(super) fn is_excused(&self, row: &Row) -> bool {
        let cell = row.cell(Some(self.grade));
        self.form == Form::Of(PlatformName::Canvas) && cell.eq_ignore_ascii_case("ex")
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

fn moodle_sid(sheet: &Sheet, named: Named<'_>) -> Result<usize, Failure> {
    let name = named.sid.unwrap_or("id number");
    match (optional(sheet, name)?, named.sid) {
        (Some(column), _) => Ok(column),
        (None, Some(_)) => Err(missing(sheet, name)),
        (None, None) => {
            Err(missing(sheet, name).with_remedy(format!("nothing was changed; {MOODLE_IDS}")))
        }
    }
}

fn named_or_like(sheet: &Sheet, title: &Title, named: Option<&str>) -> Result<usize, Failure> {
    match named {
        Some(name) => one(sheet, name),
        None => called_like(sheet, title),
    }
}

/// `Lab 1`, `Lab 1 (123456)` or `Assignment: Lab 1 (Real)`.
fn called_like(sheet: &Sheet, title: &Title) -> Result<usize, Failure> {
    let title = tidy(&title.to_string());
    let is_meant = |cell: &str| {
        let cell = tidy(cell);
        if let Some((_, name)) = cell.strip_suffix(REAL).and_then(|of| of.split_once(':')) {
            return name.trim() == title;
        }
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
        [] => Err(refused(&format!(
            "no column is called like the assignment, of {}: name it with --column",
            found_in(sheet)
        ))),
        _ => Err(refused(
            "several columns are called like the assignment: name one with --column",
        )),
    }
}

fn one(sheet: &Sheet, name: &str) -> Result<usize, Failure> {
    optional(sheet, name)?.ok_or_else(|| missing(sheet, name))
}

fn missing(sheet: &Sheet, name: &str) -> Failure {
    let name = printable(name);
    refused(&format!(
        "it has no column `{name}`, but {}",
        found_in(sheet)
    ))
    .with_remedy(
        "nothing was changed; name the column of the student IDs with --sid-column and that of the \
         grades with --column; `blackboard grades import --help` says which gradebooks are read",
    )
}

/// The names of its first columns.
fn found_in(sheet: &Sheet) -> String {
    let names = sheet.header.iter().take(NAMED);
    let mut names: Vec<_> = names
        .map(|name| format!("`{}`", printable(name.trim())))
        .collect();
    if sheet.header.len() > NAMED {
        names.push(format!("{} more", sheet.header.len() - NAMED));
    }
    names.join(", ")
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
        let named = Named {
            grade: named,
            sid: None,
        };
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
    fn a_moodle_gradebook_is_known_by_its_columns() {
        let header = "First name,Surname,ID number,Institution,Department,Email address,\
                      Assignment: Lab 1 (Percentage),Assignment: Lab 1 (Real),Quiz: Lab 10 (Real),\
                      Course total (Real)\n";
        let columns = of(header, None).unwrap();
        assert_eq!(columns.form, Form::Of(PlatformName::Moodle));
        assert_eq!((columns.sid, columns.grade, columns.maximum), (2, 7, None));
        assert_eq!(columns.comment, None);
        let header_with_feedback = header.replace("Quiz", "Assignment: Lab 1 (Feedback),Quiz");
        let with_feedback = of(&header_with_feedback, None).unwrap();
        assert_eq!((with_feedback.grade, with_feedback.comment), (7, Some(8)));
        let named = of(header, Some("Quiz: Lab 10 (Real)")).unwrap();
        assert_eq!(named.grade, 8);
        let other = header.replace("Assignment: Lab 1", "Assignment: Lab 2");
        let error = of(&other, None).unwrap_err();
        assert!(error.contains("`Assignment: Lab 2 (Real)`"), "{error}");
    }

    #[test]
    fn a_column_of_any_name_can_be_named_and_of_an_address_the_id_is_taken() {
        let text = "Nr;Adresse;Punkte\n1;1155000001@link.example.edu;8\n2;;7\n3;@x;6\n";
        let sheet = Sheet::parse(text.as_bytes()).unwrap();
        let named = Named {
            grade: Some("Punkte"),
            sid: Some("Adresse"),
        };
        let columns = Columns::of(&sheet, &"Lab 1".parse().unwrap(), named).unwrap();
        let of_row = |row: usize| columns.student(&sheet.rows[row]);
        assert_eq!(of_row(0), Ok(Some("1155000001".parse().unwrap())));
        assert_eq!((of_row(1), of_row(2)), (Ok(None), Err("@x".to_owned())));
        let error = of(text, None).unwrap_err();
        assert!(error.contains("no column `sid`, but `Nr`, `Adresse`, `Punkte`"));
    }

    #[test]
    fn a_moodle_worksheet_is_known_by_its_columns() {
        let header = "Identifier,Full name,ID number,Email address,Status,Grade,Maximum Grade,\
                      Grade can be changed,Last modified (submission),Last modified (grade),\
                      Feedback comments\n";
        let columns = of(header, None).unwrap();
        assert_eq!(columns.form, Form::Of(PlatformName::Moodle));
        let places = (columns.sid, columns.grade, columns.maximum, columns.comment);
        assert_eq!(places, (2, 5, Some(6), Some(10)));
    }
}
