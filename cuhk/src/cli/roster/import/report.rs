//! What `cuhk roster import` says.

use std::collections::BTreeMap;

use scb_cli::{Failure, counted, printable, say};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::Arguments;
use crate::roster_import::{Counts, Difference, Earlier, Finding, Import};
use crate::store::Student;

/// So many of each kind of difference are named, unless all are wanted.
const SHOWN: usize = 20;

/// For people: a line for each difference, up to twenty of a kind, then the numbers.
pub(super) fn text(arguments: &Arguments, import: &Import) -> Result<(), Failure> {
    if let Some(earlier) = import.earlier {
        say(&of_earlier(earlier))?;
    }
    say(&format!("read as {}", import.layout))?;
    let shown = import.findings.iter().filter(|finding| {
        // Of a roster of one course nearly everybody is missing.
        let kept =
            matches!(finding.difference, Difference::Missing { suspended, .. } if !suspended);
        !kept || arguments.dry_run
    });
    let mut of_kind = BTreeMap::<&str, usize>::new();
    for finding in shown {
        let so_far = of_kind.entry(word(&finding.difference)).or_default();
        *so_far += 1;
        if arguments.all || *so_far <= SHOWN {
            say(&line(finding, arguments.dry_run))?;
        }
    }
    for (kind, total) in of_kind {
        if !arguments.all && total > SHOWN {
            let more = total - SHOWN;
            say(&format!(
                "… and {more} more: {} (--all names them)",
                kind.replace('_', " ")
            ))?;
        }
    }
    say(&summary(&import.counts, arguments.dry_run))?;
    codes(arguments, import)?;
    if arguments.dry_run {
        dry_run(import)?;
    }
    Ok(())
}

fn of_earlier(earlier: Earlier) -> String {
    match earlier {
        Earlier::Forgotten => {
            "an earlier import was interrupted before anything had changed, and is \
                               forgotten; a code sheet that it left is void"
                .to_owned()
        }
        Earlier::Finished(left) => format!(
            "an earlier import was interrupted: {} that were left are made now",
            counted(left, "change")
        ),
        Earlier::Unfinished(left) => format!(
            "an earlier import was interrupted: {} are left, which the next import makes first",
            counted(left, "change")
        ),
    }
}

fn codes(arguments: &Arguments, import: &Import) -> Result<(), Failure> {
    let Some(path) = &arguments.codes_out else {
        return Ok(());
    };
    let path = printable(&path.to_string_lossy());
    let codes = counted(import.codes, "code");
    match (import.codes, arguments.dry_run) {
        (0, _) => say("nobody needs a code: no file was written"),
        (_, true) => say(&format!("{codes} would be written to {path}")),
        (_, false) => say(&format!(
            "{codes} written to {path}; keep it safe: no code can be shown again"
        )),
    }?;
    if import.replaced > 0 {
        let ended = counted(import.replaced, "unused code");
        say(&match arguments.dry_run {
            true => format!("{ended} of the same students would end"),
            false => format!("{ended} of the same students ended: those of an earlier sheet"),
        })?;
    }
    if import.open_codes > 0 {
        say(&format!(
            "{} without a certificate that counts: a code is out that was not used, and stays good. If that sheet is lost, or \
             CUHK was restored since: the same with --replace-codes ends it and writes another",
            counted(import.open_codes, "student")
        ))?;
    }
    if import.lost > 0 {
        say(&format!(
            "{} shown a certificate that CUHK does not know since it was restored, so that the one of before is no \
             help to them",
            match import.lost {
                1 => "1 of these students has".to_owned(),
                many => format!("{many} of these students have"),
            }
        ))?;
    }
    if import.unseen > 0 {
        say(&format!(
            "{} with a certificate of before CUHK was restored, which no service has seen at work since: who renewed it \
             between the backup and that has no key for it any more. For all of these as well: --also-certified",
            counted(import.unseen, "student")
        ))?;
    }
    Ok(())
}

fn dry_run(import: &Import) -> Result<(), Failure> {
    if import.counts.suspended > 0 && import.many_missing() {
        say(&format!(
            "the import will ask, or want --suspend-many {}: more than a third of {}",
            import.counts.missing,
            counted(import.active, "active student")
        ))?;
    }
    Ok(say("nothing was changed (--dry-run)")?)
}

fn line(finding: &Finding, dry_run: bool) -> String {
    let place = match finding.line {
        Some(line) => format!("line {line:<5}"),
        None => format!("{:<10}", ""),
    };
    let sid: String = finding.sid.chars().take(40).collect();
    let difference = told(&finding.difference, dry_run);
    format!("{place} {:<12} {difference}", printable(&sid))
}

fn told(difference: &Difference, dry_run: bool) -> String {
    match difference {
        Difference::Changed { before, after } => {
            let changes = changes(before, after).into_iter();
            let changes = changes.map(|(what, old, new)| {
                format!("{what} \"{}\" → \"{}\"", printable(old), printable(new))
            });
            format!("changed: {}", changes.collect::<Vec<_>>().join(", "))
        }
        Difference::StaysSuspended => {
            "is suspended by hand and stays so: cuhk roster restore".to_owned()
        }
        Difference::Forgotten => {
            "left so long ago that the name was removed, and stays suspended: if this is the \
                                  same person, cuhk roster restore, then import again"
                .to_owned()
        }
        Difference::Missing { says, suspended } => {
            let fate = match (suspended, dry_run) {
                (false, _) => "missing, stays active",
                (true, true) => "missing, would be suspended",
                (true, false) => "missing, suspended",
            };
            match says {
                Some(says) => format!("{fate} ({})", printable(says)),
                None => fate.to_owned(),
            }
        }
        Difference::Left(says) => format!("not imported ({})", printable(says)),
        Difference::WithoutId(reason) => {
            format!("no student: {}", printable(reason))
        }
        Difference::Refused(reason) => format!("refused: {}", printable(reason)),
        Difference::Formula(what) => format!(
            "the {what} begins like a spreadsheet's formula: kept as it is, written to CSV with an \
             apostrophe"
        ),
        Difference::Added | Difference::Restored => word(difference).to_owned(),
    }
}

fn summary(counts: &Counts, dry_run: bool) -> String {
    let suspended = if dry_run { "to suspend" } else { "suspended" };
    let always = [
        (counts.added, "added"),
        (counts.changed, "changed"),
        (counts.unchanged, "unchanged"),
        (counts.refused, "refused"),
    ];
    let sometimes = [
        (counts.restored, "restored"),
        (counts.missing, "missing"),
        (counts.suspended, suspended),
    ];
    let sometimes = sometimes.into_iter().filter(|(count, _)| *count > 0);
    let parts = always.into_iter().chain(sometimes);
    let parts = parts.map(|(count, word)| format!("{count} {word}"));
    let nobody = format!("{} without a student ID", counted(counts.without_id, "row"));
    let parts = parts.chain(Some(nobody).filter(|_| counts.without_id > 0));
    parts.collect::<Vec<_>>().join(", ")
}

/// What is different: its name, as it was, as it is.
fn changes<'a>(before: &'a Student, after: &'a Student) -> Vec<(&'static str, &'a str, &'a str)> {
    let mut changes = vec![
        ("name", before.name.as_str(), after.name.as_str()),
        ("email", &before.email, &after.email),
        ("programme", &before.programme, &after.programme),
    ];
    changes.retain(|(_, old, new)| old != new);
    changes
}

fn word(difference: &Difference) -> &'static str {
    match difference {
        Difference::Added => "added",
        Difference::Changed { .. } => "changed",
        Difference::Restored => "restored",
        Difference::StaysSuspended => "stays_suspended",
        Difference::Forgotten => "name_removed",
        Difference::Missing { .. } => "missing",
        Difference::Left(_) => "left",
        Difference::WithoutId(_) => "without_id",
        Difference::Refused(_) => "refused",
        Difference::Formula(_) => "formula",
    }
}

#[derive(Serialize)]
struct Report<'a> {
    dry_run: bool,
    read_as: &'a str,
    counts: &'a Counts,
    active_before: usize,
    codes: usize,
    open_codes: usize,
    replaced_codes: usize,
    lost_certificates: usize,
    unseen_since_restored: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    earlier_import: Option<Earlier>,
    differences: Differences<'a>,
}

/// Made one by one, as there may be a million.
struct Differences<'a>(&'a [Finding]);

impl Serialize for Differences<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(value))
    }
}

/// For scripts.
pub(super) fn json(arguments: &Arguments, import: &Import) -> Result<(), Failure> {
    let report = Report {
        dry_run: arguments.dry_run,
        read_as: &import.layout,
        counts: &import.counts,
        active_before: import.active,
        codes: import.codes,
        open_codes: import.open_codes,
        replaced_codes: import.replaced,
        lost_certificates: import.lost,
        unseen_since_restored: import.unseen,
        earlier_import: import.earlier,
        differences: Differences(&import.findings),
    };
    let text = serde_json::to_string_pretty(&report);
    Ok(say(
        &text.map_err(|error| Failure::fault(error.to_string()))?
    )?)
}

fn value(finding: &Finding) -> Value {
    let mut value = json!({"sid": finding.sid, "outcome": word(&finding.difference)});
    if let Some(line) = finding.line {
        value["line"] = line.into();
    }
    match &finding.difference {
        Difference::Changed { before, after } => {
            let changes = changes(before, after).into_iter();
            let changes =
                changes.map(|(what, old, new)| (what.to_owned(), json!({"old": old, "new": new})));
            value["changes"] = Value::Object(changes.collect::<Map<_, _>>());
        }
        Difference::Missing { says, suspended } => {
            value["says"] = says.clone().into();
            value["suspended"] = (*suspended).into();
        }
        Difference::Left(says) => value["says"] = says.clone().into(),
        Difference::WithoutId(reason) | Difference::Refused(reason) => {
            value["reason"] = reason.clone().into()
        }
        Difference::Formula(what) => value["column"] = (*what).into(),
        _ => {}
    }
    value
}
