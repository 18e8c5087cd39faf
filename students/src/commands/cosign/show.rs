//! What is shown of a proposal before anybody signs it.

use scb_cli::{local_time, printable, rfc3339, say};
use scb_protocol::announcement::{Said as Announced, SignedAnnouncement};
use scb_protocol::message::proposal::{CosignerStanding, ProposalStanding, ProposalState, Said};
use scb_protocol::rules::{Extension, MemberStanding};
use serde_json::{Value, json};

use super::over::Shown;
use super::words::Words;
use super::{OwnFile, Waiting, refused};
use crate::Error;
use crate::commands::rules::lateness;

/// Whether this is one of its files.
pub(super) fn has_file(one: &Waiting, own: &OwnFile) -> bool {
    let mut files = one.told.statement.files.iter();
    files.any(|file| file.sha256 == own.sha256)
}

/// Each proposal, with what signing it means; of what has ended without anybody here, how many there are.
pub(super) fn all(shown: &Shown, own: Option<&OwnFile>, words: Words) -> Result<(), Error> {
    match shown.listed.first() {
        Some(first) => say(&words.clock(&local_time(first.time)))?,
        None => say(words.nothing())?,
    }
    for one in &shown.listed {
        say("")?;
        for line in lines(one, own, words) {
            say(&line)?;
        }
    }
    if shown.over > 0 {
        say("")?;
        say(&words.over_without_us(shown.over))?;
    }
    Ok(())
}

/// One alone, before it is signed.
pub(super) fn one(one: &Waiting, words: Words) -> Result<(), Error> {
    let lines = lines(one, None, words);
    lines.iter().try_for_each(|line| Ok(say(line)?))
}

fn lines(one: &Waiting, own: Option<&OwnFile>, words: Words) -> Vec<String> {
    let (statement, listed) = (&one.told.statement, &one.told.listed);
    let standing = &listed.standing;
    let mut lines = vec![format!(
        "{}  {}",
        statement.submission,
        words.state(standing)
    )];
    let mut row = |label: &str, text: String| lines.push(words.row(label, &text));
    if let Err(Error::ProposalChanged { shown, now, .. }) = one.check_unchanged() {
        row(words.changed(), words.changed_since(&shown, &now));
    }
    row(
        words.work(),
        format!(
            "{} / {}  {}  ({})",
            statement.course,
            statement.assignment,
            printable(&listed.rules.title.to_string()),
            printable(&listed.course_title.to_string())
        ),
    );
    for file in &statement.files {
        row(
            words.file(),
            words.size(&printable(file.name.as_ref()), file.size),
        );
        row("", format!("SHA-256 {}", file.sha256));
    }
    if let Some(own) = own {
        let is_one = has_file(one, own);
        row(words.yours(), words.compared(own, is_one));
        if !is_one {
            row("", words.other_file().to_owned());
        }
    }
    for member in &standing.members {
        let proof = match member.said == Said::Signed && !one.told.proved.contains(&member.sid) {
            true => words.unproved(),
            false => "",
        };
        row(member.sid.as_str(), words.said(member) + proof);
    }
    if standing.state.is_open() && standing.files_at.is_none() {
        row(words.files(), words.without_files(standing));
    }
    if standing.state == ProposalState::Waiting {
        for (label, text) in terms(one, words) {
            row(&label, text);
        }
        row(words.until(), local_time(standing.until));
    }
    if standing.state == ProposalState::Waiting && !one.signers().is_empty() {
        for (label, text) in refused::rows(one, words) {
            row(label, text);
        }
        if !one.asked().is_empty() {
            row(
                words.to_sign(),
                format!("student cosign --yes {}", statement.submission),
            );
        }
        row(
            words.to_refuse(),
            format!("student cosign --refuse {}", statement.submission),
        );
    }
    if standing.state == ProposalState::Signed && standing.files_at.is_some() {
        row(
            words.to_finish(),
            format!("student cosign --yes {}", statement.submission),
        );
    }
    lines
}

/// What holds for it, and what lateness would cost whom: told before anybody signs.
fn terms(one: &Waiting, words: Words) -> Vec<(String, String)> {
    let (rules, told) = (&one.told.listed.rules, words.of_rules());
    let signed = one.told.announced.first();
    let signed = signed.map_or_else(
        || told.nothing_signed(),
        |SignedAnnouncement { announcement, .. }| {
            told.announced(announcement.entry().1, &local_time(announcement.at()))
        },
    );
    let mut rows = vec![
        (told.label(), signed),
        (told.due(), told.deadline(rules)),
        (told.late(), told.late_work(rules)),
        (words.versions().to_owned(), told.counts(rules)),
    ];
    for (label, text) in counting(one, words) {
        rows.push((label.to_owned(), text));
    }
    for own in &one.told.listed.extensions {
        let text = told.extension(rules, own);
        let text = match is_signed(one, own) {
            true => text,
            false => told.unsigned(&text),
        };
        rows.push((own.sid.to_string(), text));
    }
    rows.push((words.counts().to_owned(), words.last_signature()));
    rows.extend(each(one).iter().map(|member| {
        let text = words.would_be(member, is_known(one, member));
        (String::new(), text)
    }));
    rows
}

/// Whether Blackboard has signed that it gave this extension.
fn is_signed(one: &Waiting, own: &Extension) -> bool {
    let mut announced = one.told.announced.iter();
    announced.any(|signed| match signed.announcement.said() {
        Announced::Extended(extended) => extended.given.contains(own),
        Announced::Rules(_) => false,
    })
}

/// Which version counts now, and which would then.
fn counting(one: &Waiting, words: Words) -> Vec<(&'static str, String)> {
    let counts = one.told.listed.rules.counts;
    let now = one.counting.iter().map(|it| words.counting(it));
    let then = one.counting.iter().map(|it| words.would_count(it, counts));
    let now = std::iter::once(words.counts_now())
        .chain(std::iter::repeat(""))
        .zip(now);
    let then = std::iter::once(words.counts_then())
        .chain(std::iter::repeat(""))
        .zip(then);
    now.chain(then).collect()
}

/// How each member would stand if it were complete now.
pub(super) fn each(one: &Waiting) -> Vec<MemberStanding> {
    let listed = &one.told.listed;
    let sids = listed.standing.members.iter().map(|member| &member.sid);
    listed.rules.judge_each(one.time, sids, &listed.extensions)
}

/// An extension is told of those who asked, and of those who have signed.
fn is_known(one: &Waiting, member: &MemberStanding) -> bool {
    let said = one.told.listed.standing.said_by(&member.sid);
    said == Some(Said::Signed) || one.here.contains(&member.sid)
}

pub(super) fn as_json(shown: &Shown, own: Option<&OwnFile>, words: Words) -> Value {
    let listed = shown.listed.iter();
    let proposals = listed.map(|one| one_as_json(one, own, words));
    json!({
        "time": shown.listed.first().map(|one| rfc3339(one.time)),
        "proposals": proposals.collect::<Vec<_>>(),
        "not_shown": shown.over,
    })
}

fn one_as_json(one: &Waiting, own: Option<&OwnFile>, words: Words) -> Value {
    let (statement, listed) = (&one.told.statement, &one.told.listed);
    let mut value = proposal_as_json(&listed.standing);
    value["course"] = json!(statement.course);
    value["assignment"] = json!(statement.assignment);
    value["files"] = json!(statement.files);
    value["rules"] = json!(listed.rules);
    let signed = one.told.announced.iter().map(|signed| {
        let announcement = &signed.announcement;
        json!({
            "entry": announcement.entry().1,
            "at": rfc3339(announcement.at()),
            "leaf_sha256": announcement.leaf_sha256(),
        })
    });
    value["signed"] = signed.collect();
    value["to_sign"] = json!(one.asked());
    value["statement_sha256"] = json!(one.statement());
    value["changed_since_shown"] = json!(one.check_unchanged().is_err());
    value["refused"] = refused::as_json(one, words);
    let counts = listed.rules.counts;
    let counting = one.counting.iter().map(|it| {
        json!({"sid": it.sid, "counts_now": it.number(), "would_count": it.is_replaced(counts)})
    });
    value["counting"] = counting.collect();
    if let Some(own) = own {
        value["file_matches"] = json!(has_file(one, own));
        value["file_sha256"] = json!(own.sha256);
    }
    for (member, standing) in value["members"]
        .as_array_mut()
        .into_iter()
        .flatten()
        .zip(each(one))
    {
        let (late, costs) = lateness(standing.standing);
        member["signature_verified"] = json!(one.told.proved.contains(&standing.sid));
        member["would_be"] = json!(standing.standing.as_str());
        member["late_seconds"] = json!(late);
        member["costs_percent"] = json!(costs);
        member["extension_known"] = json!(is_known(one, &standing));
    }
    value
}

/// How it stands after a signature here, and what was signed.
pub(super) fn signed_as_json(one: &Waiting, standing: &ProposalStanding) -> Value {
    let mut value = proposal_as_json(standing);
    value["files"] = json!(one.told.statement.files);
    value["statement_sha256"] = json!(one.statement());
    value
}

pub(crate) fn proposal_as_json(standing: &ProposalStanding) -> Value {
    let member = |one: &CosignerStanding| {
        json!({
            "sid": one.sid,
            "said": one.said,
            "at": one.at.map(rfc3339),
            "with": one.with,
            "reason": one.reason,
            "refused": one.refused,
        })
    };
    json!({
        "submission_id": standing.submission,
        "state": standing.state,
        "submission": standing.number,
        "proposed_at": rfc3339(standing.proposed_at),
        "until": rfc3339(standing.until),
        "files_at": standing.files_at.map(rfc3339),
        "members": standing.members.iter().map(member).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_explain::Language;
    use scb_protocol::client::ToldProposal;
    use scb_protocol::from_seconds;
    use scb_protocol::message::proposal::ListedProposal;
    use scb_protocol::rules::{GroupSize, Terms};
    use scb_protocol::statement::{FileEntry, StatedMember, Statement, SubmissionId};

    use super::*;

    const ONE: &str = "1155000001";

    /// A proposal as servers of before tell it: with rules and an extension that nobody signed.
    fn waiting() -> Waiting {
        let file = FileEntry {
            name: "report.pdf".parse().unwrap(),
            size: 1,
            sha256: scb_certs::Fingerprint::of(b"x"),
        };
        let service = "spiffe://campus.test/service/blackboard".parse().unwrap();
        let place = ("SANDBOX".parse().unwrap(), "lab".parse().unwrap());
        let id = SubmissionId::random().unwrap();
        let statement = Statement::new(service, place, Vec::<StatedMember>::new(), file, id);
        let group = GroupSize::new(1, 3).unwrap();
        let now = from_seconds(1_795_262_401);
        let mut rules = Terms::always_open("Lab".parse().unwrap(), group, 1 << 20);
        rules.due = Some(now);
        let standing = ProposalStanding {
            submission: id,
            state: ProposalState::Waiting,
            proposed_at: now,
            until: now,
            files_at: None,
            number: None,
            members: Vec::new(),
        };
        let listed = ListedProposal {
            statement: String::from_utf8(statement.to_bytes().unwrap()).unwrap(),
            standing,
            course_title: "Operating Systems".parse().unwrap(),
            rules: rules.check().unwrap(),
            entry: None,
            extensions: vec![Extension {
                sid: ONE.parse().unwrap(),
                due: from_seconds(now.as_secs() + 60),
                cutoff: None,
            }],
            extended: Vec::new(),
            refused: None,
            signatures: None,
        };
        let told = ToldProposal {
            statement,
            listed,
            proved: Vec::new(),
            announced: Vec::new(),
        };
        Waiting {
            told,
            time: now,
            here: vec![ONE.parse().unwrap()],
            counting: Vec::new(),
            refused: Vec::new(),
            shown: None,
        }
    }

    /// The same with the student as its member, due 61 s ago and not taken later; he has handed in
    /// nothing.
    fn closed(more_time: bool) -> Waiting {
        let mut one = waiting();
        let sid: scb_certs::StudentId = ONE.parse().unwrap();
        one.time = from_seconds(one.time.as_secs() + 61);
        let listed = &mut one.told.listed;
        listed.standing.members = vec![CosignerStanding {
            sid,
            said: Said::Nothing,
            at: None,
            with: Vec::new(),
            reason: None,
            refused: None,
        }];
        match more_time {
            true => listed.extensions[0].due = one.time,
            false => listed.extensions.clear(),
        }
        let nothing = crate::engine::ToldHistory {
            time: one.time,
            versions: Vec::new(),
            unfinished: Vec::new(),
            more_unfinished: 0,
            lost: Vec::new(),
            acknowledged: Vec::new(),
        };
        let own = super::super::counting::Counting::of(&ONE.parse().unwrap(), &one, &nothing);
        one.counting = vec![own];
        one
    }

    #[test]
    fn what_another_student_here_is_told_takes_away_nobodys_extension() {
        let mut one = closed(true);
        let mut others = one.told.clone();
        others.listed.extensions.clear();
        one.is_told_again(others);
        assert_eq!(each(&one)[0].standing.as_str(), "on_time");
        let [mut later, now] = [one.told.clone(), one.told.clone()];
        later.listed.extensions[0].due = from_seconds(one.time.as_secs() + 60);
        one.is_told_again(later.clone());
        assert_eq!(one.told, later, "what is told now holds, once");
        one.is_told_again(now.clone());
        assert_eq!(one.told, now);
    }

    #[test]
    fn what_is_closed_for_a_student_is_not_told_to_count_for_him() {
        for (language, in_time, too_late) in [
            (
                Language::English,
                "this one",
                "nothing: this one does not count for this student",
            ),
            (
                Language::Chinese,
                "此版本",
                "沒有版本計算在內：此版本不計入此學生",
            ),
        ] {
            let words = Words::of(language);
            for (more_time, then) in [(true, in_time), (false, too_late)] {
                let one = closed(more_time);
                let told = counting(&one, words);
                assert_eq!(told[1], (words.counts_then(), format!("{ONE} {then}")));
                let json = one_as_json(&one, None, words);
                assert_eq!(json["counting"][0]["would_count"], more_time);
            }
        }
    }

    #[test]
    fn what_a_server_of_before_says_of_rules_is_told_as_its_word_alone() {
        let one = waiting();
        for (language, unsigned) in [
            (Language::English, "NOT signed: Blackboard's word alone"),
            (Language::Chinese, "未經簽署：只憑 Blackboard 之言"),
        ] {
            let told = terms(&one, Words::of(language));
            assert!(told[0].1.starts_with(unsigned), "{told:?}");
            let own: Vec<_> = told.iter().filter(|(label, _)| label == ONE).collect();
            let is_unsigned = |(_, text): &&(String, String)| text.contains(unsigned);
            assert!(
                !own.is_empty() && own.iter().copied().all(|one| is_unsigned(&one)),
                "{told:?}"
            );
            let json = one_as_json(&one, None, Words::of(language));
            assert_eq!(json["signed"], json!([]));
        }
    }
}
