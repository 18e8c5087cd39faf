//! What Blackboard signs of the rules that it tells, as a client takes it before it shows anything, and as it
//! is verified later.

use scb_protocol::announcement::{Said, VerifiedAnnouncement, is_announcement};
use scb_protocol::client::Proposals;
use scb_protocol::commitment::is_commitment;
use scb_protocol::log_leaf::{Closed, Entry, Leaf, LogName};
use scb_protocol::message;
use scb_protocol::message::blackboard::{ListedAssignment, Reply};
use scb_protocol::message::proposal::{
    CosignerStanding, ListedProposal, ProposalStanding, ProposalState, UnjudgedProposal,
};
use scb_protocol::receipt::{SignedEntry, file};
use scb_protocol::rejection::is_rejection;
use scb_protocol::rules::{Extended, Extension, ExtensionChange, Rules, Terms};
use scb_protocol::{Code, from_seconds};
use scb_testkit::{TestCampus, TestIdentity};

use crate::desk::{answered_to, told};
use crate::support::{Group, THREE, messages, other_fingerprint, part, unpack, with_part};

/// The number of the entry of the rules, after the last change of them.
const RULES: u64 = 7;

fn log(group: &Group<'_>, listed: &ListedAssignment) -> LogName {
    let domain = group.policy.service.trust_domain();
    LogName::new(domain, &listed.course, &listed.assignment).unwrap()
}

fn of_rules(rules: &Rules) -> Entry {
    let rules = serde_json::to_value(rules).unwrap();
    Entry::Rules(rules.as_object().unwrap().clone())
}

fn of_extensions(given: &[Extension]) -> Entry {
    let extended = Extended {
        given: given.to_vec(),
        taken_back: Vec::new(),
    };
    let extended = serde_json::to_value(extended).unwrap();
    Entry::Extension(extended.as_object().unwrap().clone())
}

/// An entry, made and signed so many seconds from now, by this service.
fn signed(
    by: &TestIdentity,
    (log, index): (LogName, u64),
    entry: Entry,
    (made, signed): (u64, u64),
) -> SignedEntry {
    let leaf = Leaf::new(log, index, from_seconds(made), entry).unwrap();
    let by = (&by.key, &by.chain);
    SignedEntry::sign(leaf.to_bytes().unwrap(), by, from_seconds(signed)).unwrap()
}

fn now(group: &Group<'_>) -> (u64, u64) {
    let now = group.campus.now().as_secs();
    (now - 600, now)
}

/// The assignment, with what Blackboard signs of it.
pub(crate) fn announced(group: &Group<'_>, mut listed: ListedAssignment) -> ListedAssignment {
    let place = |index| (log(group, &listed), index);
    let entry = |index, entry| signed(&group.blackboard, place(index), entry, now(group));
    let rules = entry(RULES, of_rules(&listed.rules));
    let extended = entry(RULES + 1, of_extensions(&listed.extensions));
    (listed.entry, listed.extended) = (rules, vec![extended]);
    listed
}

#[test]
fn what_is_told_of_rules_is_signed_and_verifies_offline() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let listed = announced(&group, messages::listed());
    let answer = answered_to(&group, told(1, vec![listed.clone()])).unwrap();
    let [rules, extension] = &answer.announced[..] else {
        panic!("{:?}", answer.announced);
    };
    assert_eq!(rules.announcement.entry(), (&log(&group, &listed), RULES));
    assert_eq!(
        *rules.announcement.said(),
        Said::Rules(Box::new(listed.rules))
    );
    let Said::Extended(extended) = extension.announcement.said() else {
        panic!();
    };
    assert_eq!(extended.given, listed.extensions);
    let root = [campus.root_fingerprint()];
    for one in &answer.announced {
        assert!(is_announcement(&one.zip));
        assert!(!is_commitment(&one.zip) && !is_rejection(&one.zip));
        let verified = VerifiedAnnouncement::verify(&one.zip, &root).unwrap();
        assert_eq!(verified.leaf_sha256(), one.announcement.leaf_sha256());
        assert_eq!(verified.signed_at(), campus.now());
        let said: Vec<_> = verified.checks().iter().map(|check| check.what).collect();
        assert_eq!((said[0], said[1]), ("root", "announced"));
        let files = unpack(&one.zip);
        let mut leaf = part(&files, file::LEAF).to_vec();
        leaf[40] ^= 1;
        let altered = with_part(&files, file::LEAF, leaf);
        for (zip, root) in [(&altered, root[0]), (&one.zip, other_fingerprint())] {
            let refused = VerifiedAnnouncement::verify(zip, &[root]).unwrap_err();
            assert_eq!(refused.code, Code::ReceiptInvalid);
        }
    }
}

#[test]
fn an_extension_that_is_not_signed_is_told_and_not_taken_for_evidence() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let mut listed = announced(&group, messages::listed());
    listed.extended.clear();
    let answer = answered_to(&group, told(1, vec![listed])).unwrap();
    assert_eq!(answer.announced.len(), 1);
    assert_eq!(answer.listed[0].extensions.len(), 1);
}

#[test]
fn what_is_told_otherwise_than_it_is_signed_is_refused() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let good = announced(&group, messages::listed());
    let (made, at) = now(&group);
    let place = || (log(&group, &good), RULES);
    let of_other = || (format!("{}-2", log(&group, &good)).parse().unwrap(), RULES);
    let by = |who: &TestIdentity, place, times| signed(who, place, of_rules(&good.rules), times);
    let longer = |one: &Extension| Extension {
        due: from_seconds(one.due.as_secs() + 1),
        ..one.clone()
    };
    let alterations: Vec<(&str, Box<dyn Fn(&mut ListedAssignment)>)> = vec![
        ("other rules", Box::new(|one| one.rules = other(&one.rules))),
        (
            "another assignment",
            Box::new(|one| one.entry = by(&group.blackboard, of_other(), (made, at))),
        ),
        (
            "another signer",
            Box::new(|one| one.entry = by(&group.cuhk, place(), (made, at))),
        ),
        (
            "signed too early",
            Box::new(|one| one.entry = by(&group.blackboard, place(), (at, at - 121))),
        ),
        (
            "signed too late",
            Box::new(|one| one.entry = by(&group.blackboard, place(), (made, at + 121))),
        ),
        (
            "no rules",
            Box::new(|one| one.entry = one.extended[0].clone()),
        ),
        (
            "something else",
            Box::new(|one| {
                let closed = Entry::Closed(Closed { accepted: 0 });
                one.entry = signed(&group.blackboard, place(), closed, (made, at));
            }),
        ),
        (
            "another change",
            Box::new(|one| one.changes[0].is = "2026-03-05T04:53:20Z".to_owned()),
        ),
        (
            "a later change",
            Box::new(|one| one.changes[0].entry = Some(RULES + 1)),
        ),
        (
            "another extension",
            Box::new(|one| one.extensions[0] = longer(&one.extensions[0])),
        ),
        (
            "an extension of nobody",
            Box::new(|one| one.extensions.clear()),
        ),
        (
            "rules for an extension",
            Box::new(|one| one.extended[0] = one.entry.clone()),
        ),
    ];
    for (what, alter) in alterations {
        let mut listed = good.clone();
        alter(&mut listed);
        // That one is not told; the others are.
        let both = vec![listed, good.clone()];
        let answer = answered_to(&group, told(2, both)).unwrap();
        assert_eq!(answer.listed, std::slice::from_ref(&good), "{what}");
        assert_eq!(answer.announced.len(), 2, "{what}");
        let [refused] = &answer.unsigned[..] else {
            panic!("{what}: {answer:?}");
        };
        assert_eq!(refused.code, Code::RulesUnsigned, "{what}: {refused:?}");
        assert_eq!(refused.params["assignment"], "CSCI3150/lab-1");
    }
    assert!(
        answered_to(&group, told(1, vec![good]))
            .unwrap()
            .unsigned
            .is_empty()
    );
}

#[test]
fn what_became_of_an_extension_leads_to_the_one_that_is_told() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let listed = announced(&group, messages::listed());
    let own = listed.extensions[0].clone();
    let before = Extension {
        due: from_seconds(own.due.as_secs() - 1),
        ..own.clone()
    };
    let change = |was: &Extension, is: Option<&Extension>| ExtensionChange {
        at: 1_772_100_000,
        sid: own.sid.clone(),
        was: Some(was.clone()),
        is: is.cloned(),
        entry: RULES + 1,
    };
    let given = change(&before, Some(&own));
    let removed = ExtensionChange {
        entry: RULES,
        ..change(&own, None)
    };
    let of_later = ExtensionChange {
        entry: RULES + 2,
        ..given.clone()
    };
    for (changes, is_right) in [
        (vec![of_later], false),
        (vec![given.clone(), given.clone()], false),
        (vec![given.clone()], true),
        (vec![given.clone(), removed.clone()], true),
        (vec![removed.clone()], false),
        (vec![removed, given], false),
    ] {
        let one = ListedAssignment {
            extension_changes: changes,
            ..listed.clone()
        };
        let wire = serde_json::to_string(&one).unwrap();
        assert_eq!(
            serde_json::from_str::<ListedAssignment>(&wire).unwrap(),
            one
        );
        let answer = answered_to(&group, told(1, vec![one.clone()])).unwrap();
        match is_right {
            true => assert_eq!(answer.listed, [one]),
            false => assert_eq!(answer.unsigned[0].code, Code::RulesUnsigned),
        }
    }
}

fn other(rules: &Rules) -> Rules {
    let mut terms = Terms::from(rules.clone());
    terms.grace += 1;
    terms.check().unwrap()
}

/// A proposal of this group's statement, which waits, as Blackboard tells it with these rules.
fn proposed(group: &Group<'_>, listed: &ListedAssignment) -> ListedProposal {
    let mut statement = group.statement();
    (statement.course, statement.assignment) = (listed.course.clone(), listed.assignment.clone());
    let members = statement.members.iter().map(|one| CosignerStanding {
        sid: one.sid.clone(),
        said: message::proposal::Said::Nothing,
        at: None,
        with: Vec::new(),
        reason: None,
        refused: None,
    });
    let standing = ProposalStanding {
        submission: statement.submission,
        state: ProposalState::Waiting,
        proposed_at: group.campus.now(),
        until: group.campus.now(),
        files_at: None,
        number: None,
        members: members.collect(),
    };
    ListedProposal {
        statement: String::from_utf8(statement.to_bytes().unwrap()).unwrap(),
        standing,
        course_title: listed.course_title.clone(),
        rules: listed.rules.clone(),
        entry: Some(listed.entry.clone()),
        extensions: listed.extensions.clone(),
        extended: listed.extended.clone(),
        refused: None,
        signatures: None,
    }
}

/// What the client makes of them.
fn offered(group: &Group<'_>, proposals: Vec<ListedProposal>) -> Proposals {
    let (expect, _) = group.run().session().ask_proposals(0);
    let reply = Reply::Proposals {
        time: group.campus.now().as_secs(),
        count: 2,
        proposals,
        left_out: Vec::new(),
        unjudged: Vec::new(),
    };
    let answer = expect.handle(reply, group.campus.now());
    answer.unwrap().1
}

#[test]
fn who_is_to_sign_is_shown_no_rules_but_those_that_were_signed() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let listed = announced(&group, messages::listed());
    let good = proposed(&group, &listed);
    let told = offered(&group, vec![good.clone()]).told.remove(0);
    let said: Vec<_> = told.announced.iter().collect();
    assert_eq!(said.len(), 2);
    assert_eq!(
        *said[0].announcement.said(),
        Said::Rules(Box::new(listed.rules.clone()))
    );
    let later = from_seconds(listed.extensions[0].due.as_secs() + 1);
    let alterations: [(&str, &dyn Fn(&mut ListedProposal)); 5] = [
        ("other rules", &|one| one.rules = other(&one.rules)),
        ("another extension", &|one| one.extensions[0].due = later),
        ("no rules", &|one| one.entry = one.extended.first().cloned()),
        ("another assignment's", &|one| {
            one.statement = one.statement.replace("lab-1", "lab-2");
        }),
        ("signed by another", &|one| {
            let place = (log(&group, &listed), RULES);
            let entry = of_rules(&listed.rules);
            one.entry = Some(signed(&group.cuhk, place, entry, now(&group)));
        }),
    ];
    for (what, alter) in alterations {
        let mut proposal = good.clone();
        alter(&mut proposal);
        // The others are shown, and whoever says no to this one needs no rules.
        let answer = offered(&group, vec![proposal.clone(), good.clone()]);
        assert_eq!(answer.told, std::slice::from_ref(&told), "{what}");
        let [left_out] = &answer.left_out[..] else {
            panic!("{what}: {answer:?}");
        };
        assert_eq!(left_out.why.code, Code::RulesUnsigned, "{what}");
        assert_eq!(left_out.standing.as_ref(), Some(&proposal.standing));
    }
    // A server of before signs nothing: that is told as what it is.
    let before = ListedProposal {
        entry: None,
        extended: Vec::new(),
        ..good
    };
    assert!(offered(&group, vec![before]).told[0].announced.is_empty());
}

#[test]
fn whoever_says_no_to_a_proposal_needs_no_rules_of_it() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let good = proposed(&group, &announced(&group, messages::listed()));
    let (expect, _) = group.run().session().ask_proposals(0);
    let unjudged = UnjudgedProposal {
        course: "CSCI3150".parse().unwrap(),
        assignment: "lab-2".parse().unwrap(),
        standing: good.standing.clone(),
    };
    let reply = Reply::Proposals {
        time: group.campus.now().as_secs(),
        count: 3,
        proposals: vec![good],
        left_out: vec![unjudged.standing.submission],
        unjudged: vec![unjudged.clone()],
    };
    let (_, answer) = expect.handle(reply, group.campus.now()).unwrap();
    assert_eq!((answer.told.len(), answer.next), (1, None));
    let [damaged, altered] = &answer.left_out[..] else {
        panic!("{answer:?}");
    };
    assert_eq!(damaged.why.code, Code::StoredDamaged);
    assert_eq!(damaged.standing, None);
    assert_eq!(altered.why.code, Code::RulesAltered);
    assert_eq!(altered.why.params["assignment"], "CSCI3150/lab-2");
    assert_eq!(altered.standing, Some(unjudged.standing));
}
