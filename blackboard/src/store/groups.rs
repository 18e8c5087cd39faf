//! Who is in a student's group, where an assignment keeps groups: the members of the student's last version,
//! and those with whom the student has signed something that may still come.
//!
//! A statement that merely names a student binds nobody, and nobody is bound to a member who is
//! [gone](super::gone).

use std::collections::BTreeMap;

use rusqlite::{Connection, Params, params};
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::log_leaf::LogName;
use scb_protocol::message::cuhk::MemberQuestion;
use scb_protocol::receipt::CommittedAt;
use scb_protocol::rfc3339;
use scb_protocol::rules::{self, Detachments, Groups, Part, Work};
use scb_protocol::statement::{Statement, SubmissionId, SubmissionNumber};

use super::gone::Gone;
use super::proposals::{UNANSWERED, WAITS_FOR_CUHK};
use super::{Draft, Error, as_integer, assignments, by_number, detachments, number, rulebook};

/// What binds the members of a statement to others at this moment.
pub(super) fn parts(
    connection: &Connection,
    statement: &Statement,
    now: UnixTime,
) -> Result<Vec<Part>, Error> {
    let mut versions = Versions::new(connection, statement, now)?;
    let mut parts = Vec::new();
    for member in &statement.members {
        parts.extend(versions.last_part(&member.sid)?);
        let unfinished = unfinished(connection, statement, &member.sid, now)?;
        for mut part in unfinished {
            part.members = versions.gone.without(part.members, &part.work)?;
            parts.push(part);
        }
    }
    Ok(parts)
}

/// With whom each member has worked here before, and who is gone: by versions that they have not handed in
/// without each other since, by what may still come, and by the teacher's word.
pub(super) fn gone(
    connection: &Connection,
    statement: &Statement,
    now: UnixTime,
) -> Result<Vec<rules::Gone>, Error> {
    let mut versions = Versions::new(connection, statement, now)?;
    let mut found = Vec::new();
    for member in &statement.members {
        let mut gone = versions.taken_out_beside(&member.sid)?;
        for (others, work) in worked_with(&mut versions, &member.sid, now)? {
            let others = versions.gone.absent(&others);
            let of_work = versions.gone.of(&others, &work)?;
            gone.extend(others.into_iter().filter(|sid| of_work.contains(sid)));
        }
        let sid = &member.sid;
        found.extend(gone.into_iter().map(|partner| rules::Gone {
            sid: sid.clone(),
            partner,
        }));
    }
    Ok(found)
}

/// Most students about whom CUHK is asked at a time as others wait for them.
const MOST_ASKED: usize = 8;

/// With whom members of these statements have worked and who are not here, by their certificates of that work;
/// each once, and one of each statement in turn: those of the first keep nobody from those of another. Nobody who
/// was asked about.
pub(super) fn waited_for(
    connection: &Connection,
    (statements, asked): (&[Statement], &[StudentId]),
    now: UnixTime,
) -> Result<Vec<MemberQuestion>, Error> {
    let mut left = Vec::new();
    for statement in statements {
        left.push(waited_for_by(connection, statement, now)?.into_iter());
    }
    let mut found: Vec<MemberQuestion> = Vec::new();
    while !left.is_empty() && found.len() < MOST_ASKED {
        left.retain_mut(|of_one| {
            let is_new = |one: &MemberQuestion| {
                !asked.contains(&one.sid) && found.iter().all(|known| known.sid != one.sid)
            };
            let next = of_one.find(is_new);
            let is_left = next.is_some();
            found.extend(next);
            is_left
        });
    }
    found.truncate(MOST_ASKED);
    Ok(found)
}

fn waited_for_by(
    connection: &Connection,
    statement: &Statement,
    now: UnixTime,
) -> Result<Vec<MemberQuestion>, Error> {
    let mut versions = Versions::new(connection, statement, now)?;
    let mut found = Vec::new();
    for member in &statement.members {
        for (others, work) in worked_with(&mut versions, &member.sid, now)? {
            found.extend(versions.gone.questions(&others, &work)?);
        }
    }
    Ok(found)
}

/// With whom a student has worked, himself among them: each of these works once.
fn worked_with(
    versions: &mut Versions<'_>,
    sid: &StudentId,
    now: UnixTime,
) -> Result<Vec<(Vec<StudentId>, Work)>, Error> {
    let mut found = versions.partners(sid)?;
    let unfinished = unfinished(versions.connection, versions.statement, sid, now)?;
    found.extend(unfinished.into_iter().map(|part| (part.members, part.work)));
    Ok(found)
}

/// Refuses what would leave somebody behind with whom a member has handed in meanwhile: nobody ends in
/// two groups, whatever was committed when. Of what was committed while groups were free nothing is asked.
///
/// # Errors
///
/// [`Error::NotAdmitted`] with `other_group`; [`Error::Storage`].
pub(super) fn check_kept(connection: &Connection, draft: &Draft) -> Result<(), Error> {
    let statement = &draft.statement;
    let log = LogName::of(statement).map_err(Error::Leaf)?;
    let found = assignments::find(connection, &log)?;
    if found.is_none_or(|found| found.rules().groups == Groups::Free) {
        return Ok(());
    }
    let mut versions = Versions::new(connection, statement, draft.accepted_at)?;
    for member in &statement.members {
        let Some(part) = versions.left_behind(&member.sid, draft.committed)? else {
            continue;
        };
        let book = rulebook::of_statement(connection, statement)?;
        if book.is_some_and(|book| book.keeps_groups(draft.committed.index)) {
            return Err(Error::NotAdmitted(Box::new(part.refusal(statement))));
        }
    }
    Ok(())
}

/// When a version was committed, by the text in its entry, and where.
pub(super) type Moment = (String, Option<i64>);

/// The versions of an assignment by those who have a part in them, in the order of their commitments. Who
/// was taken out of one has no part in it.
struct Versions<'a> {
    connection: &'a Connection,
    statement: &'a Statement,
    detachments: Detachments,
    gone: Gone<'a>,
    known: BTreeMap<StudentId, Vec<(Moment, SubmissionNumber)>>,
}

impl<'a> Versions<'a> {
    fn new(
        connection: &'a Connection,
        statement: &'a Statement,
        now: UnixTime,
    ) -> Result<Self, Error> {
        let log = LogName::of(statement).map_err(Error::Leaf)?;
        Ok(Self {
            connection,
            statement,
            detachments: detachments::of(connection, &log)?,
            gone: Gone::new(connection, statement, now),
            known: BTreeMap::new(),
        })
    }

    fn of(&mut self, sid: &StudentId) -> Result<&[(Moment, SubmissionNumber)], Error> {
        if !self.known.contains_key(sid) {
            let (connection, statement) = (self.connection, self.statement);
            let found = versions_of(connection, statement, (sid, &self.detachments))?;
            self.known.insert(sid.clone(), found);
        }
        Ok(self.known.get(sid).map_or(&[], Vec::as_slice))
    }

    /// A student's last version, with everybody whose last one is not without him. If the others have all
    /// handed in with somebody else since, as they may where groups are not kept, it binds him no longer.
    fn last_part(&mut self, sid: &StudentId) -> Result<Option<Part>, Error> {
        let last = self.of(sid)?.last().map(|(_, number)| *number);
        match last {
            Some(number) => self.part(sid, number),
            None => Ok(None),
        }
    }

    fn part(&mut self, sid: &StudentId, number: SubmissionNumber) -> Result<Option<Part>, Error> {
        let mut members = Vec::new();
        for other in self.members(number)? {
            let last = self.of(&other)?.last().map(|(_, last)| *last);
            let is_with_him = match last {
                Some(last) if last != number => self.members(last)?.contains(sid),
                _ => true,
            };
            if is_with_him {
                members.push(other);
            }
        }
        let (sid, work) = (sid.clone(), Work::Version(number));
        let members = self.gone.without(members, &work)?;
        Ok((!members.is_empty()).then_some(Part { sid, work, members }))
    }

    fn members(&self, number: SubmissionNumber) -> Result<Vec<StudentId>, Error> {
        let record = by_number(self.connection, number)?;
        let statement = record.as_ref().map(|record| record.statement());
        let members = statement.into_iter().flat_map(|found| &found.members);
        let members = members.map(|member| &member.sid);
        let members = members.filter(|sid| self.detachments.of(number, sid).is_none());
        Ok(members.cloned().collect())
    }

    /// With whom he has a part in a version and who has not handed in without him since, by the version
    /// that is the last one of each of them.
    fn partners(&mut self, sid: &StudentId) -> Result<Vec<(Vec<StudentId>, Work)>, Error> {
        let mut found: BTreeMap<SubmissionNumber, Vec<StudentId>> = BTreeMap::new();
        for (number, other) in self.beside(sid)? {
            if self.detachments.of(number, &other).is_some() {
                continue;
            }
            let Some(last) = self.of(&other)?.last().map(|(_, last)| *last) else {
                continue;
            };
            let of_last = found.entry(last).or_default();
            if !of_last.contains(&other) && self.members(last)?.contains(sid) {
                of_last.push(other);
            }
        }
        let found = found.into_iter();
        Ok(found
            .map(|(number, others)| (others, Work::Version(number)))
            .collect())
    }

    /// Who was taken out of a version in which this student has a part.
    fn taken_out_beside(&self, sid: &StudentId) -> Result<Vec<StudentId>, Error> {
        let beside = self.beside(sid)?.into_iter();
        let taken_out =
            beside.filter(|(number, other)| self.detachments.of(*number, other).is_some());
        Ok(taken_out.map(|(_, other)| other).collect())
    }

    /// The others of every version in which he has a part, as they have signed it.
    fn beside(&self, sid: &StudentId) -> Result<Vec<(SubmissionNumber, StudentId)>, Error> {
        let sql = "SELECT number, others.sid FROM parts AS own JOIN parts AS others USING (number) \
                   WHERE own.course = ?1 AND own.assignment = ?2 AND own.sid = ?3 \
                   AND others.sid <> ?3 ORDER BY number, others.sid";
        let mut query = self.connection.prepare_cached(sql)?;
        let [course, assignment] = place(self.statement);
        let rows = query.query_map(params![course, assignment, sid.as_str()], |row| {
            Ok((number(row.get(0)?), row.get::<_, String>(1)?))
        })?;
        let mut found = Vec::new();
        for row in rows {
            let (number, other) = row?;
            let other = other.parse().map_err(|_| Error::Altered { number })?;
            if self.detachments.of(number, sid).is_none() {
                found.push((number, other));
            }
        }
        Ok(found)
    }

    /// The version before this moment, or the next one after it, that has others than the statement has:
    /// of the one before it nobody is missing, and nobody of it in the next one.
    fn left_behind(
        &mut self,
        sid: &StudentId,
        committed: CommittedAt,
    ) -> Result<Option<Part>, Error> {
        let moment = (rfc3339(committed.at), committed.index.map(as_integer));
        let all = self.of(sid)?;
        let (before, after) = all.split_at(all.partition_point(|(at, _)| *at <= moment));
        let (before, after) = (before.last().cloned(), after.first().cloned());
        let members = &self.statement.members;
        let is_here = |sid: &StudentId| members.iter().any(|member| member.sid == *sid);
        if let Some((_, number)) = before
            && !self.was_asked(number, committed)?
        {
            let part = self.part(sid, number)?;
            let part = part.filter(|part| !part.members.iter().all(is_here));
            if part.is_some() {
                return Ok(part);
            }
        }
        let Some((_, number)) = after else {
            return Ok(None);
        };
        let later = self.members(number)?;
        let is_there = members.iter().all(|member| later.contains(&member.sid));
        let (sid, work) = (sid.clone(), Work::Version(number));
        Ok((!is_there).then_some(Part {
            sid,
            work,
            members: later,
        }))
    }
}

impl Versions<'_> {
    /// Whether this version was there when the statement was committed: then nobody of it is left behind
    /// who was not gone at that moment, and to come back later takes nobody's work from him.
    fn was_asked(&self, number: SubmissionNumber, committed: CommittedAt) -> Result<bool, Error> {
        let Some(index) = committed.index else {
            return Ok(false);
        };
        let record = by_number(self.connection, number)?;
        let entry = record.map(|record| record.entry()).transpose()?;
        Ok(entry.is_some_and(|(_, accepted)| accepted < index))
    }
}

/// What a student has a part in, in the order in which it was committed; nothing out of which he was
/// taken.
pub(super) fn versions_of(
    connection: &Connection,
    statement: &Statement,
    (sid, detachments): (&StudentId, &Detachments),
) -> Result<Vec<(Moment, SubmissionNumber)>, Error> {
    let sql = "SELECT coalesce(json_extract(entry, '$.committed_at'), ''), \
               json_extract(entry, '$.committed_index'), number FROM \
               (SELECT submissions.number, CASE WHEN json_valid(CAST(leaf AS TEXT)) \
                THEN json_extract(CAST(leaf AS TEXT), '$.entry.accepted') END AS entry \
                FROM parts JOIN submissions USING (number) \
                WHERE course = ? AND assignment = ? AND sid = ?) ORDER BY 1, 2, 3";
    let mut query = connection.prepare_cached(sql)?;
    let [course, assignment] = place(statement);
    let rows = query.query_map(params![course, assignment, sid.as_str()], |row| {
        Ok(((row.get(0)?, row.get(1)?), number(row.get(2)?)))
    })?;
    let mut found: Vec<(Moment, SubmissionNumber)> = rows.collect::<Result<_, _>>()?;
    found.retain(|(_, number)| detachments.of(*number, sid).is_none());
    Ok(found)
}

/// What a student has signed with others, all of whom have signed it too, and whose files may still come.
fn unfinished(
    connection: &Connection,
    statement: &Statement,
    sid: &StudentId,
    now: UnixTime,
) -> Result<Vec<Part>, Error> {
    let [course, assignment] = place(statement);
    let (submission, now) = (statement.submission.as_bytes(), as_integer(now.as_secs()));
    let key = params![course, assignment, sid.as_str(), submission, now];
    let mut found = signed(connection, sid, COMMITTED, key)?;
    let proposed = format!(
        "SELECT submission, (SELECT group_concat(sid, ',') FROM cosigners AS named \
         WHERE named.submission = proposals.submission) FROM proposals \
         WHERE course = ?1 AND assignment = ?2 AND submission <> ?4 \
         AND submission IN (SELECT submission FROM cosigners WHERE sid = ?3) \
         AND signed_at IS NOT NULL AND ended IS NULL AND (waits_until >= ?5 OR {WAITS_FOR_CUHK}) \
         AND {UNANSWERED}"
    );
    found.extend(signed(connection, sid, &proposed, key)?);
    Ok(found)
}

const COMMITTED: &str = "SELECT submission, members FROM backlog \
    WHERE course = ?1 AND assignment = ?2 AND sid = ?3 AND submission <> ?4 AND upload_until >= ?5 \
    AND NOT EXISTS (SELECT 1 FROM settled WHERE settled.submission = backlog.submission)";

fn signed(
    connection: &Connection,
    sid: &StudentId,
    sql: &str,
    key: impl Params,
) -> Result<Vec<Part>, Error> {
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map(key, |row| {
        let submission = SubmissionId::from_bytes(row.get(0)?);
        Ok((submission, row.get::<_, String>(1)?))
    })?;
    let part = |row: rusqlite::Result<(SubmissionId, String)>| {
        let (submission, members) = row?;
        let members = members.split(',').map(str::parse);
        let altered = |_| Error::ProposalAltered { submission };
        Ok(Part {
            sid: sid.clone(),
            work: Work::Unfinished(submission),
            members: members.collect::<Result<_, _>>().map_err(altered)?,
        })
    };
    rows.map(part).collect()
}

fn place(statement: &Statement) -> [String; 2] {
    [&statement.course, &statement.assignment].map(ToString::to_string)
}
