//! The IDs, one by one.

use std::path::Path;

use scb_certs::StudentId;
use scb_cli::printable;
use scb_protocol::EnrolmentCode;

use super::prompt::ask_until;
use crate::words::Words;
use crate::{Error, Group};

/// The IDs, up to `most`; the samples are what Enter stands for, and without a sample Enter ends
/// the list. None if input ended before the first.
pub(crate) fn ask_group(
    samples: &[StudentId],
    most: u8,
    words: Words,
) -> Result<Option<Group>, Error> {
    let mut ids: Vec<StudentId> = Vec::new();
    while ids.len() < usize::from(most) {
        let sample = samples
            .get(ids.len())
            .filter(|sample| !ids.contains(sample));
        let question = words.student_id(ids.len() + 1, sample);
        let answer = ask_until(&question, |typed| read_id(typed, sample, &ids, words))?;
        match answer {
            Some(Answer::Id(sid)) => ids.push(sid),
            Some(Answer::Done) => break,
            Some(Answer::Quit) => return Ok(None),
            None if ids.is_empty() => return Ok(None),
            None => break,
        }
    }
    Group::new(ids).map(Some)
}

enum Answer {
    Id(StudentId),
    Done,
    Quit,
}

/// `-` ends the list where Enter stands for a sample.
fn read_id(
    typed: &str,
    sample: Option<&StudentId>,
    ids: &[StudentId],
    words: Words,
) -> Result<Answer, String> {
    match (typed, sample) {
        ("", Some(sample)) => return Ok(Answer::Id(sample.clone())),
        ("" | "-", _) if !ids.is_empty() => return Ok(Answer::Done),
        ("", None) => return Err(words.at_least_one().to_owned()),
        ("q" | "Q", _) => return Ok(Answer::Quit),
        ("1" | "2" | "3" | "4", _) => return Err(words.menu_comes_later().to_owned()),
        _ => {}
    }
    if typed.parse::<EnrolmentCode>().is_ok() {
        return Err(words.code_comes_later().to_owned());
    }
    if Path::new(typed).is_file() {
        return Err(words.file_comes_later(&printable(typed)));
    }
    if typed.contains([',', ' ']) {
        return Err(words.one_at_a_time().to_owned());
    }
    let sid: StudentId = typed
        .parse()
        .map_err(|_| words.no_student_id(&printable(typed)))?;
    if ids.contains(&sid) {
        return Err(words.in_the_group(&sid));
    }
    Ok(Answer::Id(sid))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sid(text: &str) -> StudentId {
        text.parse().unwrap()
    }

    fn read(typed: &str, sample: Option<&StudentId>, ids: &[StudentId]) -> String {
        match read_id(typed, sample, ids, Words::default()) {
            Ok(Answer::Id(sid)) => sid.to_string(),
            Ok(Answer::Done) => "done".to_owned(),
            Ok(Answer::Quit) => "quit".to_owned(),
            Err(reason) => reason,
        }
    }

    #[test]
    fn enter_takes_the_sample_or_ends_the_list() {
        let (a, b) = (sid("A"), sid("B"));
        assert_eq!(read("", Some(&a), &[]), "A");
        assert_eq!(read("B", Some(&a), &[]), "B");
        assert_eq!(read("", None, std::slice::from_ref(&a)), "done");
        assert_eq!(read("-", Some(&b), &[a]), "done");
        assert!(read("", None, &[]).starts_with("Type at least one"));
    }

    #[test]
    fn what_belongs_elsewhere_is_no_id_and_no_code_is_repeated() {
        assert_eq!(read("q", None, &[]), "quit");
        assert!(read("2", None, &[]).contains("menu"));
        for several in ["A,B", "A B"] {
            assert!(read(several, None, &[]).starts_with("One student ID"));
        }
        // A file that lies here would be an ID by its letters.
        let said = read("Cargo.toml", None, &[]);
        assert!(said.contains("file here"), "{said}");
        assert_eq!(read("Cargo.tom", None, &[]), "Cargo.tom");
        let code = EnrolmentCode::generate().unwrap();
        let said = read(&code.reveal(), None, &[sid("A")]);
        assert!(said.contains("enrolment code"), "{said}");
        assert!(!said.contains(code.reveal().as_str()), "{said}");
    }

    #[test]
    fn refuses_a_duplicate_and_what_is_no_id() {
        let a = sid("A");
        assert!(read("A", None, &[a]).contains("already"));
        let said = read("\u{1b}[2J", None, &[]);
        assert!(
            said.contains("not a student ID") && !said.contains('\u{1b}'),
            "{said}"
        );
        assert!(read("-", None, &[]).contains("not a student ID"));
    }
}
