//! What CUHK's clock shows of the moment that counts for lateness, and that nobody puts that back.

use std::sync::Arc;
use std::time::Duration;

use scb_certs::Fingerprint;
use scb_protocol::log_leaf::{Entry, Leaf};
use scb_protocol::message::cuhk::MemberQuestion;
use scb_protocol::receipt::{Evidence, LogProof, VerifiedReceipt, contradicted, file};
use scb_protocol::server::{Outage, Policy};
use scb_protocol::values::Nonce;
use scb_protocol::{MemberAnswer, Mode, Question, Step, issue_verification, rfc3339};
use scb_testkit::TestCampus;

use crate::committed::{entry, told_of, with_entry};
use crate::judges::{Unpacked, script};
use crate::support::{
    Given, Group, Judge, THREE, Witnessing, judge, name, part, unpack, with_part,
};

const DATED: &str = "that entry was made after CUHK's answer of 2026-03-02T04:00:00Z about these \
                     members, whose hash it has";
const NAMED: &str = "that entry was made after CUHK's answer of 2026-03-02T04:00:00Z about these \
                     members and this very statement, whose hash it has: that there was such a one by \
                     then is CUHK's word";
const WORD: &str = "that it had come by then is Blackboard's word alone";

/// CUHK's answer about these, as of now by its clock.
fn answer(group: &Group<'_>, members: Vec<MemberQuestion>) -> String {
    answer_about(group, members, None)
}

/// The same, and about this statement.
fn answer_about(
    group: &Group<'_>,
    members: Vec<MemberQuestion>,
    statement: Option<&[u8]>,
) -> String {
    group.answer(&Question {
        nonce: Nonce::random().unwrap(),
        members,
        statement_sha256: statement.map(Fingerprint::of),
    })
}

/// A receipt whose entry of the moment that counts names this answer, and that carries it.
fn naming<'a>(given: &'a Given<'a>, said: &str) -> Vec<u8> {
    let mut leaf = entry(given);
    if let Entry::Committed(committed) = &mut leaf.entry {
        committed.verification_sha256 = Fingerprint::of(said.as_bytes());
    }
    let witnessing = Witnessing {
        said: Some(said.to_owned()),
        ..with_entry(given, &leaf)
    };
    witnessing.with(&witnessing.proof())
}

/// The receipt of a Blackboard that says it was committed so many seconds before it was.
fn put_back(given: &mut Given<'_>, seconds: u64) {
    let now = given.group.campus.now().as_secs() - seconds;
    let time = rfc3339(scb_protocol::from_seconds(now));
    given.zip = given.with_leaf(|leaf| {
        leaf["entry"]["accepted"]["committed_at"] = time.clone().into();
    });
}

fn complete(given: &Given<'_>) -> Vec<u8> {
    let right = Witnessing::of(given);
    right.with(&right.proof())
}

/// Our program, the script and the instructions refuse it, ours for this reason.
#[track_caller]
fn all_refuse(given: &Given<'_>, (what, zip): (&str, &[u8]), reason: &str) {
    let found = given.refuses(what, zip);
    assert!(found.contains(reason), "{what}: {found}");
    if judge(Judge::Cryptography) {
        script(&Unpacked::from(zip, given.group), &[]).fails(what);
    }
    if judge(Judge::Openssl) {
        let receipt = Unpacked::from(zip, given.group);
        receipt.step(2).says("CMS Verification successful");
        let then = receipt.step(9);
        let text = "of then about the members: True";
        then.lacks(&(text.to_owned() + "\nVerified OK"), what);
    }
}

#[track_caller]
fn script_says(given: &Given<'_>, zip: &[u8], lines: &[&str]) {
    if !judge(Judge::Cryptography) {
        return;
    }
    let verdict = script(&Unpacked::from(zip, given.group), &[]);
    lines.iter().for_each(|line| verdict.says(line));
}

#[test]
fn cuhks_answer_of_then_shows_when_the_entry_was_made() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let given = Given::to(&group);
    let zip = Witnessing::of(&given).zip();
    let receipt = given.verify(&zip).unwrap();
    assert_eq!(told_of(&receipt, "dated"), NAMED);
    assert_eq!(receipt.dated(), Some(campus.now()));
    assert!(!receipt.is_word_alone());
    let ends = "complete at 2026-03-02T04:00:00Z\n";
    script_says(&given, &zip, &[&format!("dated      {NAMED}\n"), ends]);
    // Years later it shows the same.
    campus
        .clock()
        .advance(Duration::from_secs(10 * 365 * 86_400));
    let root = campus.root_fingerprint();
    let receipt = VerifiedReceipt::verify(&zip, &root).unwrap();
    assert_eq!(told_of(&receipt, "dated"), NAMED);
}

#[test]
fn a_moment_that_was_put_back_is_refused_by_all_judges() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..2]);
    for (seconds, is_taken) in [(60, true), (61, false), (24 * 3600, false)] {
        let mut given = Given::to(&group);
        put_back(&mut given, seconds);
        let zip = complete(&given);
        match is_taken {
            true => assert_eq!(told_of(&given.verify(&zip).unwrap(), "dated"), NAMED),
            false => all_refuse(
                &given,
                ("put back", &zip),
                "and the entry that names it says",
            ),
        }
    }
}

#[test]
fn cuhks_answer_of_then_is_about_this_very_statement_or_shows_less() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..2]);
    let given = Given::to(&group);
    let statement = part(&given.files(), file::STATEMENT);
    for (about, told) in [(None, DATED), (Some(&statement[..]), NAMED)] {
        let zip = naming(&given, &answer_about(&group, group.named(), about));
        let receipt = given.verify(&zip).unwrap();
        assert_eq!(told_of(&receipt, "dated"), told);
        assert_eq!(receipt.is_dated_by_name(), about.is_some());
        assert!(!receipt.is_word_alone());
        script_says(&given, &zip, &[&format!("dated      {told}\n")]);
        if judge(Judge::Openssl) {
            let named = if about.is_some() { "True" } else { "False" };
            let receipt = Unpacked::from(&zip, &group);
            receipt.step(2).says("CMS Verification successful");
            let then = receipt.step(9);
            then.says(&format!("it names this very statement: {named}"));
            then.says("of then about the members: True");
        }
    }
    // What Blackboard had CUHK confirm in time for another statement stands behind none that came later.
    let other = [&statement[..], b" "].concat();
    let of_other = answer_about(&group, group.named(), Some(&other));
    let zip = naming(&given, &of_other);
    all_refuse(&given, ("another", &zip), "it speaks of another statement");
    let files = unpack(&zip);
    let leaf = Leaf::parse(&part(&files, file::COMMITTED)).unwrap();
    let why = |said: &str| contradicted(&leaf, (said, None), std::slice::from_ref(&group.trust));
    assert!(
        why(&of_other)
            .unwrap()
            .contains("CUHK's word to this server")
    );
    // Nor does its answer immediately before it was stored.
    let evidence = Evidence {
        assurance: of_other,
        ..given.evidence()
    };
    let zip = given.accepted(&evidence);
    let reason = given.refuses("stored", &zip);
    assert!(reason.contains("asked about another statement"), "{reason}");
    if judge(Judge::Cryptography) {
        script(&Unpacked::from(&zip, &group), &[]).fails("stored");
    }
}

#[test]
fn an_answer_of_long_before_shows_nothing_and_is_refused() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..2]);
    let old = answer(&group, group.named());
    campus.clock().advance(Duration::from_secs(120));
    let given = Given::to(&group);
    given.verify(&naming(&given, &old)).unwrap();
    campus.clock().advance(Duration::from_secs(1));
    let given = Given::to(&group);
    let zip = naming(&given, &old);
    all_refuse(&given, ("old", &zip), "it is not in force at this time");
}

#[test]
fn without_it_the_verdict_is_the_weaker_one() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..2]);
    let mut given = Given::to(&group);
    // However far back.
    put_back(&mut given, 3600);
    let right = Witnessing::of(&given);
    let mut proof = right.proof();
    proof.committed.as_mut().unwrap().assurance = None;
    let zip = right.with(&proof);
    let receipt = given.verify(&zip).unwrap();
    let told = format!("what CUHK said then is NOT in it: {WORD}");
    assert_eq!(told_of(&receipt, "dated"), told);
    assert_eq!((receipt.dated(), receipt.is_word_alone()), (None, true));
    let verdict = format!("complete at 2026-03-02T04:00:00Z; {WORD}\n");
    script_says(&given, &zip, &[&told, &verdict]);
    // So it is without the entry.
    let proof = LogProof {
        committed: None,
        ..proof
    };
    let zip = right.with(&proof);
    assert!(given.verify(&zip).unwrap().is_word_alone());
    script_says(&given, &zip, &[&verdict]);
}

#[test]
fn while_cuhk_was_away_it_is_blackboards_word_and_no_earlier_than_the_tokens() {
    let campus = TestCampus::new();
    let mut group = Group::of(&campus, &THREE[..2]);
    group.policy = Arc::new(Policy {
        outage: Outage::Tokens,
        ..Policy::clone(&group.policy)
    });
    campus.clock().advance(Duration::from_secs(600));
    let run = || {
        let mut run = group.run();
        run.away = vec![Step::Three, Step::Six];
        run
    };
    let given = Given::after(run(), &group);
    let zip = complete(&given);
    let receipt = given.verify(&zip).unwrap();
    assert_eq!(receipt.mode(), Mode::Tokens);
    let told = format!(
        "CUHK was away then: {WORD}; the entry was made after 2026-03-02T04:00:00Z, when CUHK gave \
         the last of the tokens whose hash it has"
    );
    assert_eq!(told_of(&receipt, "dated"), told);
    assert!(receipt.is_word_alone());
    let verdict = format!("complete at 2026-03-02T04:10:00Z; {WORD}\n");
    script_says(&given, &zip, &[&told, &verdict]);
    for (seconds, is_taken) in [(660, true), (661, false)] {
        let mut given = Given::after(run(), &group);
        put_back(&mut given, seconds);
        let zip = complete(&given);
        match is_taken {
            true => drop(given.verify(&zip).unwrap()),
            false => all_refuse(
                &given,
                ("put back", &zip),
                "and the entry that names it says",
            ),
        }
    }
}

#[test]
fn refuses_what_is_not_cuhks_word_about_these_members_then() {
    let (campus, impostor) = (TestCampus::new(), TestCampus::new());
    let group = Group::of(&campus, &THREE[..2]);
    let given = Given::to(&group);
    let outsider = group.outsider().chain.leaf().fingerprint();
    let mut exchanged = group.named();
    exchanged[1].cert_sha256 = outsider;
    let more = Group::of(&campus, &THREE).named();
    let more = [&group.named()[..], &more[2..]].concat();
    let other_service = issue_verification(
        &name("service/cuhk"),
        &name("service/library"),
        (Nonce::random().unwrap(), None),
        &active(&group),
        campus.now(),
        &group.cuhk.key,
        &group.cuhk.chain,
    );
    let stranger = Group {
        cuhk: impostor.token_signer(),
        ..Group::of(&campus, &[])
    };
    for (what, reason, said) in [
        (
            "fewer members",
            "other members",
            answer(&group, group.named()[..1].to_vec()),
        ),
        ("more members", "other members", answer(&group, more)),
        (
            "another certificate",
            "other members",
            answer(&group, exchanged),
        ),
        ("another service", "another service", other_service.unwrap()),
        (
            "another CUHK",
            "certificate",
            answer(&stranger, group.named()),
        ),
        ("no token", "it says no time", "not.a.token".to_owned()),
    ] {
        all_refuse(&given, (what, &naming(&given, &said)), reason);
    }
    // Another one than the entry names, and one that was altered.
    let files = unpack(&complete(&given));
    let other = answer(&group, group.named()).into_bytes();
    let mut altered = part(&files, file::COMMITTED_ASSURANCE);
    altered.pop();
    for bytes in [other, altered] {
        let zip = with_part(&files, file::COMMITTED_ASSURANCE, bytes);
        all_refuse(
            &given,
            ("not named", &zip),
            "it is not what the entry names",
        );
    }
}

fn active(group: &Group<'_>) -> Vec<MemberAnswer> {
    let active = |one: MemberQuestion| MemberAnswer {
        sid: one.sid,
        cert_sha256: one.cert_sha256,
        inactive: None,
        checked_at: group.campus.now(),
    };
    group.named().into_iter().map(active).collect()
}

#[test]
fn of_a_group_on_several_machines_it_is_about_whoever_had_signed() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let given = Given::to(&group);
    let signed = |said: &str| {
        let mut leaf = entry(&given);
        let Entry::Committed(committed) = &leaf.entry else {
            panic!("{leaf:?}");
        };
        leaf.entry = Entry::Signed(scb_protocol::log_leaf::Signed {
            submission: committed.submission,
            members: vec![committed.members[2].clone()],
            connection: Fingerprint::of(b"connection"),
            p7s_sha256: Fingerprint::of(b"signatures"),
            mode: Mode::Verified,
            verification_sha256: Fingerprint::of(said.as_bytes()),
        });
        let witnessing = Witnessing {
            said: Some(said.to_owned()),
            ..with_entry(&given, &leaf)
        };
        witnessing.with(&witnessing.proof())
    };
    let members = group.named();
    for asked in [members.clone(), members[2..].to_vec()] {
        let zip = signed(&answer(&group, asked));
        assert_eq!(told_of(&given.verify(&zip).unwrap(), "dated"), DATED);
        script_says(&given, &zip, &[DATED]);
    }
    let zip = signed(&answer(&group, members[..2].to_vec()));
    all_refuse(&given, ("not about who signed", &zip), "other members");
}
