//! Which column is which: known by the header's names, in any order and any case.

use std::fmt;

use csv::StringRecord;
use scb_cli::{counted, printable};

use super::fields::{check, check_email, full_name, student_id};
use super::layouts::{LAYOUTS, Layout, is_chinese_for, is_family};
use super::{Entry, Listed, NamedColumns, Nobody, RosterFault};

/// Where things stand in each row.
pub(super) struct Columns {
    names: Vec<String>,
    layout: &'static Layout,
    sid: usize,
    name: Option<usize>,
    given: Option<usize>,
    family: Option<usize>,
    email: Option<usize>,
    programme: Option<usize>,
    standing: Vec<(usize, &'static [&'static str], &'static [&'static str])>,
}

impl Columns {
    /// Understands a header. The columns that were named have the student ID and the name.
    ///
    /// # Errors
    ///
    /// [`RosterFault::Unrecognised`], [`RosterFault::Ambiguous`], [`RosterFault::NoColumn`],
    /// [`RosterFault::TwoColumns`].
    pub(super) fn find(
        header: &StringRecord,
        named: NamedColumns<'_>,
    ) -> Result<Self, RosterFault> {
        let header = Header(header.iter().map(|name| name.trim().to_owned()).collect());
        let layout = header.layout(named.sid)?;
        let sid = match named.sid {
            Some(named) => header.required(&[named])?,
            None => header.required(layout.sid)?,
        };
        let names = header.names(layout, named.name)?;
        let standing = layout.standing.iter();
        let standing = standing.filter_map(|(name, current, gone)| {
            let found = header.column(&[name]).transpose()?;
            Some(found.map(|found| (found, *current, *gone)))
        });
        let columns = Self {
            sid,
            name: names.whole,
            given: names.given,
            family: names.family,
            email: header.column(layout.email)?,
            programme: header.column(layout.programme)?,
            standing: standing.collect::<Result<_, _>>()?,
            names: header.0,
            layout,
        };
        columns.check_name()?;
        Ok(columns)
    }

    /// There is a column for the name, or there are two.
    fn check_name(&self) -> Result<(), RosterFault> {
        let parts = [self.given, self.family];
        if self.name.is_some() || parts.iter().all(Option::is_some) {
            return Ok(());
        }
        let missing = [self.layout.name, self.layout.given, self.layout.family];
        let missing = missing.iter().flat_map(|names| names.first());
        let missing: Vec<_> = missing.copied().collect();
        Err(RosterFault::NoName {
            missing: missing.join(", nor "),
            found: shown(&self.names),
        })
    }

    /// What the header calls a column.
    pub(super) fn name_of(&self, column: usize) -> String {
        match self.names.get(column) {
            Some(name) if !name.is_empty() => printable(name),
            _ => format!("number {}", column + 1),
        }
    }

    /// What stands where the student ID should.
    pub(super) fn sid<'a>(&self, record: &'a StringRecord) -> &'a str {
        record.get(self.sid).unwrap_or_default()
    }

    /// What a row says.
    pub(super) fn read(&self, record: &StringRecord) -> Entry {
        self.understand(record).unwrap_or_else(Entry::Refused)
    }

    fn understand(&self, record: &StringRecord) -> Result<Entry, String> {
        if self.is_footer(record) {
            return Ok(Entry::Nobody(Nobody {
                reason: "it ends the file, and lists nobody".to_owned(),
                known_by: Vec::new(),
            }));
        }
        self.check_count(record)?;
        let text = self.sid(record);
        if text.is_empty() {
            return Ok(Entry::Nobody(Nobody {
                reason: self.no_sid(),
                known_by: self.known_by(record),
            }));
        }
        let sid = student_id(text)?;
        if let Some(says) = self.standing(record)? {
            return Ok(Entry::Gone(sid, says));
        }
        let field = |column: Option<usize>| column.and_then(|column| record.get(column));
        let name = self.full_name(record);
        let (email, programme) = (field(self.email), field(self.programme));
        if name.is_empty() {
            return Err("the name is missing".to_owned());
        }
        check("name", &name)?;
        check("email", email.unwrap_or_default())?;
        check("programme", programme.unwrap_or_default())?;
        check_email(email.unwrap_or_default())?;
        Ok(Entry::Listed(Listed {
            sid,
            name,
            email: email.map(str::to_owned),
            programme: programme.map(str::to_owned),
        }))
    }

    /// Whether the file ends with a line about itself, if it is whole.
    pub(super) fn has_footer(&self) -> bool {
        self.layout.has_footer
    }

    /// How many rows the line says that there are, in [`Columns::is_footer`].
    pub(super) fn footer_count(record: &StringRecord) -> Option<usize> {
        record.get(1)?.trim().parse().ok()
    }

    /// The line about itself with which a feed of Blackboard Learn ends:
    /// `***FileFooter|4711|2026-11-22***`.
    pub(super) fn is_footer(&self, record: &StringRecord) -> bool {
        let first = record.get(0).unwrap_or_default();
        let last = record.iter().next_back().unwrap_or_default();
        self.layout.has_footer && first.starts_with("***FileFooter") && last.ends_with("***")
    }

    /// What a student could be known by besides the ID.
    fn known_by(&self, record: &StringRecord) -> Vec<String> {
        let is_id = |text: &&str| text.contains('@') || student_id(text).is_ok();
        let texts = record.iter().filter(is_id).map(str::to_lowercase);
        let name = self.full_name(record).to_lowercase();
        texts
            .chain(Some(name).filter(|name| !name.is_empty()))
            .collect()
    }

    /// With a field more or less, nobody knows which text belongs to which column.
    fn check_count(&self, record: &StringRecord) -> Result<(), String> {
        let count = self.names.len();
        if record.len() == count {
            return Ok(());
        }
        let fields = counted(record.len(), "field");
        let why = match record.iter().any(|field| field.contains('\n')) {
            true => "a quotation mark is left open, and the lines after it are in its text",
            false => "a text with a comma belongs in double quotes",
        };
        Err(format!("{fields}, but the header has {count}: {why}"))
    }

    fn no_sid(&self) -> String {
        let column = self.name_of(self.sid);
        let others = self.layout.sid.iter().skip(1);
        let mut others = others.filter_map(|name| Header::position(&self.names, name));
        match others.find(|other| *other != self.sid) {
            Some(other) => format!(
                "the column {column} is empty: if the student ID stands in another, say so, as in \
                 --sid-column \"{}\"",
                self.name_of(other)
            ),
            None => format!("the column {column} is empty"),
        }
    }

    /// What says that a student has left, if anything does.
    fn standing(&self, record: &StringRecord) -> Result<Option<String>, String> {
        for (column, current, gone) in &self.standing {
            let said = record.get(*column).unwrap_or_default();
            let is = |values: &[&str]| values.iter().any(|value| value.eq_ignore_ascii_case(said));
            let name = self.name_of(*column);
            if is(gone) {
                return Ok(Some(format!("{name}: {said}")));
            }
            if !is(current) {
                let known = current
                    .iter()
                    .chain(*gone)
                    .filter(|value| !value.is_empty());
                let known: Vec<_> = known.copied().collect();
                return Err(format!(
                    "the column {name} says \"{}\", which is none of {}",
                    printable(said),
                    known.join(", ")
                ));
            }
        }
        Ok(None)
    }

    fn full_name(&self, record: &StringRecord) -> String {
        let field = |column: Option<usize>| {
            let text = column.and_then(|column| record.get(column));
            text.unwrap_or_default()
        };
        match field(self.name) {
            "" => full_name(field(self.given), field(self.family)),
            name => name.to_owned(),
        }
    }
}

/// Such as `a Canvas SIS export: the student ID from user_id, the name from full_name`.
impl fmt::Display for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.layout.origin;
        let sid = self.name_of(self.sid);
        let name = match (self.name, self.given, self.family) {
            (None, Some(given), Some(family)) => {
                format!("{} and {}", self.name_of(given), self.name_of(family))
            }
            (name, ..) => self.name_of(name.unwrap_or_default()),
        };
        write!(
            f,
            "{origin}: the student ID from {sid}, the name from {name}"
        )?;
        if !self.standing.is_empty() {
            let columns = self
                .standing
                .iter()
                .map(|(column, ..)| self.name_of(*column));
            let columns: Vec<_> = columns.collect();
            write!(f, ", who has left from {}", columns.join(" and "))?;
        }
        Ok(())
    }
}

/// The names in the first row.
struct Header(Vec<String>);

/// Where a student's name stands.
struct NameColumns {
    whole: Option<usize>,
    given: Option<usize>,
    family: Option<usize>,
}

impl Header {
    /// By its name here, else by its name in Chinese.
    fn position(names: &[String], wanted: &str) -> Option<usize> {
        Self::positions(names, wanted).first().copied()
    }

    fn positions(names: &[String], wanted: &str) -> Vec<usize> {
        let all = |is: &dyn Fn(&str) -> bool| -> Vec<usize> {
            let found = names.iter().enumerate().filter(|(_, name)| is(name));
            found.map(|(at, _)| at).collect()
        };
        match all(&|name| name.eq_ignore_ascii_case(wanted)) {
            none if none.is_empty() => all(&|name| is_chinese_for(name, wanted)),
            exact => exact,
        }
    }

    /// In two columns, if two are named; else as the layout has it, with another for the whole name if one is named.
    fn names(&self, layout: &Layout, named: &[&str]) -> Result<NameColumns, RosterFault> {
        let part = |name: &str| self.required(&[name]).map(Some);
        let in_two = |given: &str, family: &str| {
            Ok(NameColumns {
                whole: None,
                given: part(given)?,
                family: part(family)?,
            })
        };
        match named {
            [family, given, ..] if is_family(family) => in_two(given, family),
            [given, family, ..] => in_two(given, family),
            _ => Ok(NameColumns {
                whole: match named {
                    [only] => part(only)?,
                    _ => self.column(layout.name)?,
                },
                given: self.column(layout.given)?,
                family: self.column(layout.family)?,
            }),
        }
    }

    /// The first of these columns that is there.
    fn column(&self, wanted: &[&str]) -> Result<Option<usize>, RosterFault> {
        for wanted in wanted {
            match Self::positions(&self.0, wanted).as_slice() {
                [] => {}
                [only] => return Ok(Some(*only)),
                _ => return Err(RosterFault::TwoColumns((*wanted).to_owned())),
            }
        }
        Ok(None)
    }

    fn required(&self, wanted: &[&str]) -> Result<usize, RosterFault> {
        let name = || wanted.first().copied().unwrap_or_default();
        self.column(wanted)?
            .ok_or_else(|| RosterFault::NoColumn(printable(name())))
    }

    /// The only layout that fits. A column that was named for the student ID decides between
    /// two, and makes a plain roster of what is none.
    fn layout(&self, sid_column: Option<&str>) -> Result<&'static Layout, RosterFault> {
        let has = |name: &&str| Self::position(&self.0, name).is_some();
        let mut fitting: Vec<_> = LAYOUTS.iter().collect();
        fitting.retain(|layout| layout.signature.iter().all(has));
        if let (Some(named), true) = (sid_column, fitting.len() > 1) {
            let is_named =
                |name: &&str| name.eq_ignore_ascii_case(named) || is_chinese_for(named, name);
            fitting.retain(|layout| layout.sid.iter().any(is_named));
        }
        match fitting.as_slice() {
            [only] => Ok(only),
            [] if sid_column.is_some() => Ok(&LAYOUTS[0]),
            [] => Err(RosterFault::Unrecognised {
                found: shown(&self.0),
            }),
            [first, second, ..] => Err(RosterFault::Ambiguous {
                first: first.told(),
                second: second.told(),
            }),
        }
    }
}

/// The names of a header, not too many of them.
fn shown(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut shown: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| printable(name))
        .collect();
    if names.len() > SHOWN {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

impl Layout {
    fn told(&self) -> String {
        format!("{} (by {})", self.origin, self.signature.join(", "))
    }
}
