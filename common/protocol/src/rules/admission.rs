//! Whether a statement is taken: the last look at it before it is committed.

use std::collections::BTreeSet;

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;

use super::{Extension, FileKind, Groups, MemberStanding, Rules, Standing};
use crate::statement::{FilePath, Label, Statement, SubmissionId, SubmissionNumber};
use crate::{Code, Refusal, Step, rfc3339};

/// What is known of the course and the assignment that a statement names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// There is no such course.
    NoCourse,
    /// There is no such assignment in the course.
    NoAssignment,
    /// There is one.
    Assigned(Box<Assigned>),
}

/// An assignment as it stands for the members of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// The rules of this moment.
    pub rules: Rules,
    /// Members who are not in the course.
    pub outsiders: Vec<StudentId>,
    /// The members' extensions.
    pub extensions: Vec<Extension>,
    /// Where the rules keep groups together, what each member has handed in last, and what he has signed
    /// with everybody whose files may still come.
    pub parts: Vec<Part>,
    /// With whom members have worked here before, and who is gone. Asked only where members are fewer
    /// than a group has.
    pub gone: Vec<Gone>,
}

/// Somebody with whom a member has worked, and who cannot hand in with him any more: he has left the course, is
/// suspended, or was taken out of that work. He counts for the size of the group that goes on without him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// The member.
    pub sid: StudentId,
    /// Who is gone.
    pub partner: StudentId,
}

/// A member's part in what he has handed in or signed before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The member.
    pub sid: StudentId,
    /// What it is.
    pub work: Work,
    /// Everybody who has a part in it and has not handed in with others since.
    pub members: Vec<StudentId>,
}

/// What a member has a part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A version that was accepted.
    Version(SubmissionNumber),
    /// What all its members have signed, and whose files may still come.
    Unfinished(SubmissionId),
}

impl Part {
    /// That this statement leaves somebody of it behind: who has a part, in what, and with whom.
    pub fn refusal(&self, statement: &Statement) -> Refusal {
        let refusal = about(statement, Code::OtherGroup).about(&self.sid);
        let others = self.members.iter().filter(|sid| **sid != self.sid);
        let mut others: Vec<_> = others.map(StudentId::as_str).collect();
        others.sort_unstable();
        let refusal = match others.is_empty() {
            true => refusal,
            false => refusal.with("with", others.join(", ")),
        };
        match self.work {
            Work::Version(number) => refusal.with("submission", number),
            Work::Unfinished(submission) => refusal.with("unfinished", submission),
        }
    }
}

/// How each member stands, if a statement that is committed at this moment is taken.
///
/// # Errors
///
/// `course_unknown`, `assignment_unknown`, `not_course_member`, `assignment_not_open`,
/// `assignment_closed`, `group_size`, `other_group`, `file_type` or `content_too_large`: the first of
/// them in this order.
pub fn admit(
    statement: &Statement,
    found: &Found,
    at: UnixTime,
) -> Result<Vec<MemberStanding>, Refusal> {
    let Assigned {
        rules,
        outsiders,
        extensions,
        parts,
        gone,
    } = match found {
        Found::NoCourse => return Err(about(statement, Code::CourseUnknown)),
        Found::NoAssignment => return Err(about(statement, Code::AssignmentUnknown)),
        Found::Assigned(assigned) => assigned.as_ref(),
    };
    if let Some(outsider) = outsiders.first() {
        return Err(about(statement, Code::NotCourseMember).about(outsider));
    }
    rules
        .check_open(at, extensions)
        .map_err(|refusal| within(refusal, &statement.course, &statement.assignment))?;
    check_group(statement, rules, gone)?;
    check_parts(statement, rules, parts)?;
    let files = statement.files.iter().map(|file| (&file.name, file.size));
    rules
        .check_files(files)
        .map_err(|refusal| within(refusal, &statement.course, &statement.assignment))?;
    let members = statement.members.iter().map(|member| &member.sid);
    Ok(rules.judge_each(at, members, extensions))
}

fn is_member(statement: &Statement, sid: &StudentId) -> bool {
    statement.members.iter().any(|member| member.sid == *sid)
}

/// Whoever is gone counts as if he were here: those who stay are not to find others for his sake.
fn check_group(statement: &Statement, rules: &Rules, gone: &[Gone]) -> Result<(), Refusal> {
    let members = statement.members.len();
    let gone = gone.iter().map(|one| &one.partner);
    let gone: BTreeSet<_> = gone.filter(|sid| !is_member(statement, sid)).collect();
    let least = usize::from(rules.group.least());
    if rules.group.allows(members) || (members < least && members + gone.len() >= least) {
        return Ok(());
    }
    let refusal = about(statement, Code::GroupSize).with("got", members);
    Err(refusal.with("expected", rules.group))
}

/// Nobody who has handed in with one of them, or has signed with him what may still come, is left behind.
fn check_parts(statement: &Statement, rules: &Rules, parts: &[Part]) -> Result<(), Refusal> {
    if rules.groups == Groups::Free {
        return Ok(());
    }
    let is_here = |sid: &StudentId| is_member(statement, sid);
    match parts.iter().find(|part| !part.members.iter().all(is_here)) {
        None => Ok(()),
        Some(part) => Err(part.refusal(statement)),
    }
}

impl Rules {
    /// Whether anything is taken at this moment of a group with these extensions: it may hand in as
    /// long as any of its members may.
    ///
    /// # Errors
    ///
    /// `assignment_not_open` or `assignment_closed`, with the moment.
    pub fn check_open(&self, at: UnixTime, extensions: &[Extension]) -> Result<(), Refusal> {
        let (code, name, moment) = match self.judge_group(at, extensions) {
            Standing::NotYetOpen { opens } => (Code::AssignmentNotOpen, "opens", opens),
            Standing::Closed { since } => (Code::AssignmentClosed, "closed", since),
            Standing::OnTime | Standing::WithinGrace | Standing::Late { .. } => return Ok(()),
        };
        let refusal = Refusal::new(code, Step::Six).with(name, rfc3339(moment));
        Err(refusal.with("now", rfc3339(at)))
    }

    /// Whether files of these names and sizes, in bytes, are taken. Whoever hands them in can ask
    /// before he reads them.
    ///
    /// # Errors
    ///
    /// `file_type` or `content_too_large`, with the file that it is about.
    pub fn check_files<'f>(
        &self,
        files: impl Iterator<Item = (&'f FilePath, u64)> + Clone,
    ) -> Result<(), Refusal> {
        for (name, _) in files.clone() {
            self.check_kind(name)?;
        }
        check_size(files, self.max_bytes)
    }

    fn check_kind(&self, name: &FilePath) -> Result<(), Refusal> {
        let is_of = |kind: &FileKind| kind.is_of(name.as_ref());
        if self.accept.is_empty() || self.accept.iter().any(is_of) {
            return Ok(());
        }
        let kinds: Vec<_> = self.accept.iter().map(ToString::to_string).collect();
        let refusal = Refusal::new(Code::FileType, Step::Six).with("file", name);
        Err(refusal.with("expected", kinds.join(", ")))
    }
}

/// Whether files of these names and sizes, in bytes, have no more than `limit` bytes together.
///
/// # Errors
///
/// `content_too_large`, with the largest of them.
pub fn check_size<'f>(
    files: impl Iterator<Item = (&'f FilePath, u64)> + Clone,
    limit: u64,
) -> Result<(), Refusal> {
    let sizes = files.clone().map(|(_, size)| size);
    let bytes = sizes.fold(0, u64::saturating_add);
    if bytes <= limit {
        return Ok(());
    }
    let mut refusal = Refusal::new(Code::ContentTooLarge, Step::Six)
        .with("bytes", bytes)
        .with("limit", limit);
    let count = files.clone().count();
    if let Some((name, size)) = files.max_by_key(|(_, size)| *size) {
        refusal = refusal.with("file", name);
        if count > 1 {
            refusal = refusal.with("file_bytes", size).with("files", count);
        }
    }
    Err(refusal)
}

/// Says for what it was to be handed in.
pub fn within(refusal: Refusal, course: &Label, assignment: &Label) -> Refusal {
    refusal
        .with("course", course)
        .with("assignment", assignment)
}

fn about(statement: &Statement, code: Code) -> Refusal {
    let refusal = Refusal::new(code, Step::Six);
    within(refusal, &statement.course, &statement.assignment)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::rules::{Counts, Terms};
    use crate::time::from_seconds;

    const OPENS: u64 = 1_000;
    const DUE: u64 = 2_000;
    const CUTOFF: u64 = 3_000;
    const THREE: [&str; 3] = ["1155000001", "1155000002", "1155000003"];

    fn statement(sids: &[&str], name: &str, size: u64) -> Statement {
        let hash = "0".repeat(64);
        let member = |sid: &&str| serde_json::json!({"sid": sid, "cert_sha256": hash});
        let members: Vec<_> = sids.iter().map(member).collect();
        let statement = serde_json::json!({
            "type": "scb-statement",
            "v": 1,
            "service": "spiffe://campus.test/service/blackboard",
            "course": "CSCI3150",
            "assignment": "lab-1",
            "members": members,
            "files": [{"name": name, "size": size, "sha256": hash}],
            "submission": "0".repeat(32),
        });
        Statement::parse(statement.to_string().as_bytes()).unwrap()
    }

    fn assigned() -> Assigned {
        let terms = Terms {
            title: "Lab 1".parse().unwrap(),
            opens: Some(from_seconds(OPENS)),
            due: Some(from_seconds(DUE)),
            grace: 0,
            cutoff: Some(from_seconds(CUTOFF)),
            late: "mark".parse().unwrap(),
            counts: Counts::Latest,
            group: "2..3".parse().unwrap(),
            groups: Groups::Kept,
            max_bytes: 100,
            accept: vec!["pdf".parse().unwrap(), "tar.gz".parse().unwrap()],
        };
        Assigned {
            rules: terms.check().unwrap(),
            outsiders: Vec::new(),
            extensions: Vec::new(),
            parts: Vec::new(),
            gone: Vec::new(),
        }
    }

    #[test]
    fn a_group_may_grow_and_nobody_is_left_behind() {
        let mut assigned = assigned();
        assigned.parts.push(Part {
            sid: THREE[0].parse().unwrap(),
            work: Work::Version(SubmissionNumber::new(7).unwrap()),
            members: THREE[..2].iter().map(|sid| sid.parse().unwrap()).collect(),
        });
        for sids in [&THREE[..2], &THREE[..]] {
            let found = Found::Assigned(Box::new(assigned.clone()));
            admit(&statement(sids, "a.pdf", 1), &found, from_seconds(DUE)).unwrap();
        }
        let others = statement(&[THREE[0], THREE[2]], "a.pdf", 1);
        let refusal = refused(&others, assigned.clone(), DUE);
        assert_eq!(refusal.code, Code::OtherGroup);
        assert_eq!(refusal.sid.unwrap().as_str(), THREE[0]);
        assert_eq!(refusal.params["submission"], "S-000007");
        assert_eq!(refusal.params["with"], THREE[1]);
        assigned.parts[0].work = Work::Unfinished(SubmissionId::from_bytes([7; 16]));
        let refusal = refused(&others, assigned.clone(), DUE);
        assert_eq!(refusal.params["unfinished"], "07".repeat(16));
        assert!(!refusal.params.contains_key("submission"));
        let mut terms = Terms::from(assigned.rules.clone());
        terms.groups = Groups::Free;
        assigned.rules = terms.check().unwrap();
        admit(
            &others,
            &Found::Assigned(Box::new(assigned)),
            from_seconds(DUE),
        )
        .unwrap();
    }

    fn refused(statement: &Statement, assigned: Assigned, at: u64) -> Refusal {
        admit(
            statement,
            &Found::Assigned(Box::new(assigned)),
            from_seconds(at),
        )
        .unwrap_err()
    }

    #[test]
    fn takes_what_the_rules_allow_and_says_how_each_stands() {
        let mut assigned = assigned();
        assigned.extensions.push(Extension {
            sid: THREE[1].parse().unwrap(),
            due: from_seconds(DUE + 500),
            cutoff: None,
        });
        let found = Found::Assigned(Box::new(assigned));
        for (sids, name, size, at) in [
            (&THREE[..], "report.pdf", 100, OPENS),
            (&THREE[..2], "報告.PDF", 0, DUE),
            (&THREE[1..], "all.tar.gz", 1, CUTOFF),
        ] {
            let statement = statement(sids, name, size);
            let standings = admit(&statement, &found, from_seconds(at)).unwrap();
            let sids_told: Vec<_> = standings.iter().map(|one| one.sid.as_str()).collect();
            assert_eq!(sids_told, sids);
        }
        let statement = statement(&THREE, "a.pdf", 1);
        let standings = admit(&statement, &found, from_seconds(DUE + 1)).unwrap();
        let told: Vec<_> = standings.iter().map(|one| one.standing.as_str()).collect();
        assert_eq!(told, ["late", "on_time", "late"]);
    }

    #[test]
    fn refuses_what_is_not_there() {
        let statement = statement(&THREE, "a.pdf", 1);
        for (found, code) in [
            (Found::NoCourse, Code::CourseUnknown),
            (Found::NoAssignment, Code::AssignmentUnknown),
        ] {
            let refusal = admit(&statement, &found, from_seconds(DUE)).unwrap_err();
            assert_eq!((refusal.code, refusal.step), (code, Step::Six));
            assert_eq!(refusal.params["course"], "CSCI3150");
            assert_eq!(refusal.params["assignment"], "lab-1");
        }
    }

    #[test]
    fn refuses_what_comes_too_early_or_too_late() {
        let statement = statement(&THREE, "a.pdf", 1);
        let early = refused(&statement, assigned(), OPENS - 1);
        assert_eq!(early.code, Code::AssignmentNotOpen);
        assert_eq!(early.params["opens"], "1970-01-01T00:16:40Z");
        assert_eq!(early.params["now"], "1970-01-01T00:16:39Z");
        let late = refused(&statement, assigned(), CUTOFF + 1);
        assert_eq!(late.code, Code::AssignmentClosed);
        assert_eq!(late.params["closed"], "1970-01-01T00:50:00Z");
    }

    #[test]
    fn an_extension_of_one_member_lets_the_group_in_and_no_other_group() {
        let mut extended = assigned();
        extended.extensions.push(Extension {
            sid: THREE[2].parse().unwrap(),
            due: from_seconds(CUTOFF + 10),
            cutoff: None,
        });
        let (at, found) = (
            from_seconds(CUTOFF + 10),
            Found::Assigned(Box::new(extended.clone())),
        );
        let group = statement(&THREE, "a.pdf", 1);
        let standings = admit(&group, &found, at).unwrap();
        let told: Vec<_> = standings.iter().map(|one| one.standing.as_str()).collect();
        assert_eq!(told, ["closed", "closed", "on_time"]);
        let late = refused(&group, extended, CUTOFF + 11);
        assert_eq!(late.params["closed"], "1970-01-01T00:50:10Z");
        let others = refused(&statement(&THREE[..2], "a.pdf", 1), assigned(), CUTOFF + 1);
        assert_eq!(others.code, Code::AssignmentClosed);
    }

    #[test]
    fn refuses_who_is_not_in_the_course() {
        let mut assigned = assigned();
        assigned.outsiders.push(THREE[1].parse().unwrap());
        let refusal = refused(&statement(&THREE, "a.pdf", 1), assigned, DUE);
        assert_eq!(refusal.code, Code::NotCourseMember);
        assert_eq!(refusal.sid.unwrap().as_str(), THREE[1]);
    }

    #[test]
    fn refuses_groups_of_another_size() {
        let refusal = refused(&statement(&THREE[..1], "a.pdf", 1), assigned(), DUE);
        assert_eq!(refusal.code, Code::GroupSize);
        assert_eq!(
            (&*refusal.params["got"], &*refusal.params["expected"]),
            ("1", "2..3")
        );
        let four = ["1", "2", "3", "4"];
        let refusal = refused(&statement(&four, "a.pdf", 1), assigned(), DUE);
        assert_eq!(refusal.code, Code::GroupSize);
    }

    #[test]
    fn whoever_is_gone_counts_for_the_size_of_the_group_that_stays() {
        let mut assigned = assigned();
        let gone = |partner: &str| Gone {
            sid: THREE[0].parse().unwrap(),
            partner: partner.parse().unwrap(),
        };
        let admit_one = |assigned: &Assigned| {
            let found = Found::Assigned(Box::new(assigned.clone()));
            admit(
                &statement(&THREE[..1], "a.pdf", 1),
                &found,
                from_seconds(DUE),
            )
        };
        assigned.gone.push(gone(THREE[1]));
        admit_one(&assigned).unwrap();
        let mut terms = Terms::from(assigned.rules.clone());
        terms.group = "3".parse().unwrap();
        assigned.rules = terms.check().unwrap();
        // The same one twice is one.
        assigned.gone.push(gone(THREE[1]));
        assert_eq!(admit_one(&assigned).unwrap_err().code, Code::GroupSize);
        assigned.gone.push(gone(THREE[2]));
        admit_one(&assigned).unwrap();
        let four = statement(&["1", "2", "3", "4"], "a.pdf", 1);
        assert_eq!(refused(&four, assigned, DUE).code, Code::GroupSize);
    }

    #[test]
    fn refuses_other_kinds_of_files_and_too_many_bytes() {
        for name in ["report.docx", "pdf", "report.pdf.exe", "report.gz"] {
            let refusal = refused(&statement(&THREE, name, 1), assigned(), DUE);
            assert_eq!(refusal.code, Code::FileType, "{name}");
            assert_eq!(refusal.params["expected"], "pdf, tar.gz");
        }
        let refusal = refused(&statement(&THREE, "a.pdf", 101), assigned(), DUE);
        assert_eq!(refusal.code, Code::ContentTooLarge);
        assert_eq!(refusal.params["limit"], "100");
    }
}
