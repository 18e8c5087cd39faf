//! A roster compared with the records, some rows at a time: what differs, and the steps that it
//! takes. Nothing is changed here.

use std::collections::HashMap;

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_cli::is_formula;

use super::findings::{Difference, Import};
use super::{ImportOptions, Missing};
use crate::admin::{IssuedCode, new_code};
use crate::code_sheet::SheetRow;
use crate::roster_file::{Entry, Listed, Nobody, RosterFault, RosterReader, RosterRow};
use crate::store::{CertificateRecord, Hold, Records, Step, Student};
use crate::time::later;
use crate::{Error, Subject};

/// Whether anything is going to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Import,
    Rehearse,
}

/// One way through the file.
pub(super) struct Comparison {
    reader: RosterReader,
    options: ImportOptions,
    deed: Deed,
    pub(super) import: Import,
    /// Who is on the roster, active, and listed as one who has left.
    gone: Vec<(StudentId, String)>,
    /// By what the rows without a student ID are known, with their lines.
    nobodies: HashMap<String, u64>,
    /// The codes to hand out.
    pub(super) sheet: Vec<SheetRow>,
    steps: Vec<Step>,
}

impl Comparison {
    pub(super) fn new(reader: RosterReader, options: ImportOptions, deed: Deed) -> Self {
        let import = Import {
            layout: reader.layout(),
            ..Import::default()
        };
        Self {
            reader,
            options,
            deed,
            import,
            gone: Vec::new(),
            nobodies: HashMap::new(),
            sheet: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// How many students are active, before anything is changed.
    pub(super) fn count(&mut self, records: &Records<'_>) -> Result<(), Error> {
        let active = records.roster().count_active()?;
        self.import.active = usize::try_from(active).unwrap_or(usize::MAX);
        Ok(())
    }

    /// The next rows of the file, at most so many; none at its end.
    pub(super) fn next_rows(&mut self, most: usize) -> Result<Vec<RosterRow>, RosterFault> {
        let mut rows = Vec::with_capacity(most);
        while rows.len() < most
            && let Some(row) = self.reader.next_row()?
        {
            rows.push(row);
        }
        self.import.counts.rows = self.reader.rows();
        Ok(rows)
    }

    /// The steps that the rows take.
    pub(super) fn compare(
        &mut self,
        records: &Records<'_>,
        rows: Vec<RosterRow>,
    ) -> Result<Vec<Step>, Error> {
        for row in rows {
            let line = Some(row.line);
            match row.entry {
                Entry::Listed(listed) => self.listed(records, line, &listed)?,
                Entry::Gone(sid, says) => self.left(records, line, sid, says)?,
                Entry::Nobody(nobody) => self.without_id(row.line, nobody),
                Entry::Refused(reason) => {
                    self.import
                        .found(line, row.sid, Difference::Refused(reason));
                }
            }
        }
        Ok(std::mem::take(&mut self.steps))
    }

    /// The steps that it takes for those who are active and not listed, or listed as ones who have
    /// left. Comes after the last row.
    pub(super) fn missing(&mut self, records: &Records<'_>) -> Result<Vec<Step>, Error> {
        let reader = &self.reader;
        let unlisted = records.roster().active_except(|sid| reader.mentions(sid))?;
        let gone = std::mem::take(&mut self.gone);
        let gone = gone.into_iter().map(|(sid, says)| (sid, Some(says)));
        let missing: Vec<_> = gone
            .chain(unlisted.into_iter().map(|sid| (sid, None)))
            .collect();
        self.look_at_nobodies(records, &missing)?;
        let suspended = self.may_suspend(missing.len())?;
        for (sid, says) in missing {
            if suspended {
                self.import.counts.suspended += 1;
                self.steps.push(Step::Suspend(sid.clone()));
            }
            let difference = Difference::Missing { says, suspended };
            self.import.found(None, &sid, difference);
        }
        Ok(std::mem::take(&mut self.steps))
    }

    fn without_id(&mut self, line: u64, nobody: Nobody) {
        let known_by = nobody.known_by.into_iter();
        self.nobodies.extend(known_by.map(|text| (text, line)));
        let difference = Difference::WithoutId(nobody.reason);
        self.import.found(Some(line), "", difference);
    }

    /// A row without a student ID that may be about one who is missing is a wrong one; and where no row
    /// has one, it is the column that is wrong.
    fn look_at_nobodies(
        &mut self,
        records: &Records<'_>,
        missing: &[(StudentId, Option<String>)],
    ) -> Result<(), Error> {
        if !self.reader.lists_anybody() {
            self.import.refuse_without_id(|_| Some(String::new()));
            return Ok(());
        }
        let mut about = HashMap::new();
        for (sid, says) in missing {
            if says.is_some() || self.nobodies.is_empty() {
                continue;
            }
            let Some(student) = records.roster().find(sid)? else {
                continue;
            };
            for text in [sid.as_str(), &student.email, &student.name] {
                if let Some(line) = self.nobodies.get(&text.to_lowercase()) {
                    about.entry(Some(*line)).or_insert_with(|| {
                        format!(", and by \"{text}\" it may be {sid}, who is on no other row")
                    });
                }
            }
        }
        self.import
            .refuse_without_id(|line| about.get(&line).cloned());
        Ok(())
    }

    fn listed(
        &mut self,
        records: &Records<'_>,
        line: Option<u64>,
        listed: &Listed,
    ) -> Result<(), Error> {
        let sid = &listed.sid;
        let known = records.roster().find(sid)?;
        if known.is_none()
            && let Some(other) = records.roster().otherwise_spelt(sid)?
        {
            self.import.found(line, sid, otherwise_spelt(&other));
            return Ok(());
        }
        if known
            .as_ref()
            .is_some_and(|known| is_forgotten(known) && !listed.name.is_empty())
        {
            self.import.found(line, sid, Difference::Forgotten);
            return Ok(());
        }
        let after = listed.over(known.as_ref());
        self.warn_of_formulas(line, &after);
        let is_added = known.is_none();
        match &known {
            Some(known) if *known == after => self.import.counts.unchanged += 1,
            _ => self.correct(line, known.as_ref(), &after),
        }
        let mut active = after.active;
        if !active {
            active = records.roster().is_noted_missing(sid)?;
            self.back(line, sid, active);
        }
        match self.options.sheet {
            Some(_) if active => self.give_code(records, after, is_added),
            _ => Ok(()),
        }
    }

    fn correct(&mut self, line: Option<u64>, known: Option<&Student>, after: &Student) {
        let difference = match known {
            None => Difference::Added,
            Some(known) => Difference::Changed {
                before: Box::new(known.clone()),
                after: Box::new(after.clone()),
            },
        };
        self.import.found(line, &after.sid, difference);
        self.steps.push(Step::Correct {
            sid: after.sid.clone(),
            name: after.name.clone(),
            email: after.email.clone(),
            programme: after.programme.clone(),
        });
    }

    /// A suspended student is listed: only what an import has done is undone by one.
    fn back(&mut self, line: Option<u64>, sid: &StudentId, by_import: bool) {
        let difference = match by_import {
            true => Difference::Restored,
            false => Difference::StaysSuspended,
        };
        self.import.found(line, sid, difference);
        if by_import {
            self.steps.push(Step::Restore(sid.clone()));
        }
    }

    fn left(
        &mut self,
        records: &Records<'_>,
        line: Option<u64>,
        sid: StudentId,
        says: String,
    ) -> Result<(), Error> {
        match records.roster().find(&sid)? {
            Some(student) if student.active => self.gone.push((sid, says)),
            _ => self.import.found(line, sid, Difference::Left(says)),
        }
        Ok(())
    }

    fn warn_of_formulas(&mut self, line: Option<u64>, student: &Student) {
        for (what, text) in [
            ("name", &student.name),
            ("email", &student.email),
            ("programme", &student.programme),
        ] {
            if is_formula(text) {
                let difference = Difference::Formula(what);
                self.import.found(line, &student.sid, difference);
            }
        }
    }

    /// Whether the missing are suspended. A row that is refused may be about one of them.
    fn may_suspend(&self, missing: usize) -> Result<bool, Error> {
        match self.options.missing {
            Missing::Suspend { .. } if self.import.counts.refused > 0 => Ok(false),
            Missing::Suspend { expected }
                if self.deed == Deed::Import
                    && self.import.is_many(missing)
                    && expected != Some(missing) =>
            {
                let active = self.import.active;
                Err(Error::ManyMissing { missing, active })
            }
            Missing::Suspend { .. } => Ok(missing > 0),
            Missing::Keep => Ok(false),
        }
    }

    fn give_code(
        &mut self,
        records: &Records<'_>,
        student: Student,
        is_new: bool,
    ) -> Result<(), Error> {
        let subject = Subject::Student(student.sid.clone());
        let now = self.options.now;
        if !is_new && has_certificate(records, &subject, now)? {
            match records.certificates().hold(&subject, now)? {
                Hold::Undoubted => return Ok(()),
                Hold::Unseen if !self.options.also_certified => {
                    self.import.unseen += 1;
                    return Ok(());
                }
                Hold::Unseen => {}
                Hold::Lost if !(self.options.replace_codes || self.options.also_certified) => {
                    self.import.unseen += 1;
                    return Ok(());
                }
                Hold::Lost => self.import.lost += 1,
            }
        }
        if !is_new && records.codes().has_open(&subject, now)? {
            if !self.options.replace_codes {
                self.import.open_codes += 1;
                return Ok(());
            }
            self.import.replaced += 1;
        }
        self.import.codes += 1;
        if self.deed == Deed::Import {
            self.make_code(&subject, student)?;
        }
        Ok(())
    }

    fn make_code(&mut self, subject: &Subject, student: Student) -> Result<(), Error> {
        let now = self.options.now;
        let IssuedCode { code, expires_at } = new_code(later(now, self.options.code_lifetime))?;
        self.steps.push(Step::Code {
            sid: student.sid.clone(),
            digest: code.digest(&subject.to_string()),
            issued_at: now,
            expires_at,
        });
        self.sheet.push(SheetRow {
            sid: student.sid,
            name: student.name,
            email: student.email,
            code,
            expires_at,
        });
        Ok(())
    }
}

/// Whose name `cuhk prune` has removed. Whether the ID is the same person's nothing here can tell.
fn is_forgotten(known: &Student) -> bool {
    !known.active
        && [&known.name, &known.email, &known.programme]
            .iter()
            .all(|text| text.is_empty())
}

/// To CUHK these would be two students. Where the one on the roster is wrong, it is suspended by hand first.
fn otherwise_spelt(other: &StudentId) -> Difference {
    Difference::Refused(format!(
        "{other} is on the roster, which differs in upper and lower case only: correct this row; if it is the \
         roster that is wrong, first: cuhk roster suspend {other}"
    ))
}

/// Whether somebody who is active has a certificate. What is on hold counts: it comes back with the
/// student.
fn has_certificate(records: &Records<'_>, subject: &Subject, now: UnixTime) -> Result<bool, Error> {
    let certificates = records.certificates().of(subject)?;
    let counts = |record: &CertificateRecord| {
        let ended = now.as_secs() > record.intent.validity.not_after.as_secs();
        !ended && (record.revocation.is_none() || record.is_on_hold())
    };
    Ok(certificates.iter().any(counts))
}
