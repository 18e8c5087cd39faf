//! CUHK is away: identity tokens count if Blackboard is configured so, and never otherwise.

use std::sync::Arc;
use std::time::Duration;

use scb_protocol::message::blackboard::Reply;
use scb_protocol::receipt::Evidence;
use scb_protocol::server::{Outage, Policy};
use scb_protocol::{Code, Mode, Step, TOKEN_LIFETIME};
use scb_testkit::TestCampus;

use crate::support::{Given, Group, Run, Side, THREE, token};

/// A group before a Blackboard with `outage = "tokens"`.
fn group<'a>(campus: &'a TestCampus, sids: &[&str]) -> Group<'a> {
    let mut group = Group::of(campus, sids);
    group.policy = Arc::new(Policy {
        outage: Outage::Tokens,
        ..Policy::clone(&group.policy)
    });
    group
}

/// A run in which CUHK is away all the time.
fn without_cuhk<'a>(group: &'a Group<'a>) -> Run<'a> {
    let mut run = group.run();
    run.away = vec![Step::Three, Step::Six];
    run
}

#[test]
fn tokens_count_and_the_receipt_says_so() {
    let campus = TestCampus::new();
    for (members, told) in [
        (
            &THREE[..],
            "CUHK was away; 3 identity tokens were in force, the first until 2",
        ),
        (
            &THREE[..1],
            "CUHK was away; 1 identity token was in force, until 2",
        ),
    ] {
        let group = group(&campus, members);
        let stored = without_cuhk(&group).go().unwrap();
        assert_eq!(stored.receipt.mode(), Mode::Tokens);
        let checks = stored.receipt.checks();
        let said = checks.iter().find(|check| check.what == "tokens").unwrap();
        assert!(said.found.to_string().starts_with(told), "{said:?}");
        assert!(checks.iter().all(|check| check.what != "confirmed"));
    }
}

#[test]
fn the_receipt_says_how_it_was_immediately_before_it_was_stored() {
    let campus = TestCampus::new();
    let group = group(&campus, &THREE);
    for (away, mode) in [
        (vec![], Mode::Verified),
        (vec![Step::Three], Mode::Verified),
        (vec![Step::Six], Mode::Tokens),
    ] {
        let mut run = group.run();
        run.away = away;
        assert_eq!(run.go().unwrap().receipt.mode(), mode);
    }
}

#[test]
fn by_default_nobody_is_accepted_without_cuhk() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    for step in [Step::Three, Step::Six] {
        let mut run = group.run();
        run.away = vec![step];
        let refused = run.refused("without CUHK");
        refused.is("without CUHK", Side::Server, step, Code::CuhkUnavailable);
        assert!(refused.refusal.retry_after.is_some());
    }
}

#[test]
fn cuhks_answer_counts_more_than_any_token() {
    let campus = TestCampus::new();
    let group = group(&campus, &THREE);
    for (what, answer, code) in [
        ("garbage", "a.b.c".to_owned(), Code::VerificationInvalid),
        ("nothing", String::new(), Code::VerificationInvalid),
    ] {
        let run = group.run().cuhk(move |_| answer.clone());
        run.refused(what).is(what, Side::Server, Step::Three, code);
    }
    let run = group.run().cuhk(|question| {
        let reason = scb_protocol::InactiveReason::Suspended;
        group.answer_with(question, |sid| (sid.as_str() == THREE[1]).then_some(reason))
    });
    let refused = run.refused("a suspended member");
    refused.is(
        "suspended",
        Side::Server,
        Step::Three,
        Code::StudentInactive,
    );
}

#[test]
fn an_expired_token_does_not_count() {
    let campus = TestCampus::new();
    let mut group = group(&campus, &THREE);
    campus
        .clock()
        .advance(TOKEN_LIFETIME + Duration::from_secs(61));
    for member in 0..2 {
        group.members[member].token = retoken(&group, member);
    }
    let refused = without_cuhk(&group).refused("an expired token");
    let refusal = refused.is("expired", Side::Server, Step::Three, Code::TokenExpired);
    assert_eq!(refusal.sid.as_ref().unwrap().as_str(), THREE[2]);
    group.members[2].token = retoken(&group, 2);
    without_cuhk(&group).go().unwrap();
}

fn retoken(group: &Group<'_>, member: usize) -> String {
    let member = &group.members[member];
    let student = scb_testkit::TestIdentity {
        key: member.key.clone(),
        chain: member.chain.clone(),
    };
    token(group.campus, &group.cuhk, &student)
}

#[test]
fn tokens_do_not_count_once_a_revocation_list_has_expired() {
    let campus = TestCampus::new();
    let mut group = group(&campus, &THREE[..1]);
    campus.clock().rewind(Duration::from_secs(25 * 3600));
    let stale = campus.crls(1, &[]);
    campus.clock().advance(Duration::from_secs(25 * 3600));
    let fresh = campus.crls(1, &[]);
    // That of the root lives for more than a year.
    for place in [1, 2] {
        let mut lists = fresh.clone();
        lists[place] = stale[place].clone();
        let trust = campus.trust_without_crls();
        let trust = scb_certs::TrustStore::new(trust.root().clone()).unwrap();
        group.trust = Arc::new(trust.with_crls(lists).unwrap());
        let refused = without_cuhk(&group).refused("an expired list");
        let code = refused.refusal.code;
        // The list of services does not concern a student's chain: it is looked at all the same.
        let codes = [
            Code::StatusUnavailable,
            Code::TokenInvalid,
            Code::CuhkUnavailable,
        ];
        assert!(codes.contains(&code), "list {place}: {}", refused.refusal);
    }
    group.trust = campus.trust_without_crls();
    let refused = without_cuhk(&group).refused("no list at all");
    refused.is("no list", Side::Server, Step::Three, Code::CuhkUnavailable);
}

#[test]
fn the_mode_cannot_be_changed_on_the_way() {
    let campus = TestCampus::new();
    let group = group(&campus, &THREE);
    let answer = group.run().go().unwrap();
    let answer = answer
        .submission
        .assurance()
        .verification()
        .unwrap()
        .token()
        .to_owned();
    // To the client, CUHK was asked or was not; the key is bound to which of them it was.
    let run = group.run().replies(|reply| {
        if let Reply::Shares {
            mode, verification, ..
        } = reply
        {
            (*mode, *verification) = (Mode::Tokens, None);
        }
    });
    let what = "CUHK said to be away";
    run.refused(what)
        .is(what, Side::Client, Step::Four, Code::ShareInvalid);
    let run = without_cuhk(&group).replies(|reply| {
        if let Reply::Shares {
            mode, verification, ..
        } = reply
        {
            (*mode, *verification) = (Mode::Verified, Some(answer.clone()));
        }
    });
    let what = "CUHK said to have answered";
    run.refused(what)
        .is(what, Side::Client, Step::Four, Code::ShareInvalid);
}

#[test]
fn a_mode_that_contradicts_the_verification_is_refused() {
    let campus = TestCampus::new();
    let group = group(&campus, &THREE[..1]);
    let run = group.run().replies(|reply| {
        if let Reply::Shares { mode, .. } = reply {
            *mode = Mode::Tokens;
        }
    });
    let what = "tokens beside a verification";
    run.refused(what)
        .is(what, Side::Client, Step::Three, Code::ServerMisbehaved);
    let run = without_cuhk(&group).replies(|reply| {
        if let Reply::Shares { mode, .. } = reply {
            *mode = Mode::Verified;
        }
    });
    let what = "no verification";
    run.refused(what)
        .is(what, Side::Client, Step::Three, Code::VerificationInvalid);
}

#[test]
fn receipts_with_other_tokens_are_refused() {
    let campus = TestCampus::new();
    let group = group(&campus, &THREE);
    let given = Given::after(without_cuhk(&group), &group);
    let right = given.evidence();
    let lines: Vec<&str> = right.assurance.lines().collect();
    let of = |lines: &[&str]| {
        lines
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    let outsider = group.outsider().token;
    let answer = Given::to(&group).evidence().assurance;
    for (what, mode, assurance) in [
        ("swapped", Mode::Tokens, of(&[lines[1], lines[0], lines[2]])),
        (
            "one twice",
            Mode::Tokens,
            of(&[lines[0], lines[0], lines[2]]),
        ),
        ("one missing", Mode::Tokens, of(&lines[..2])),
        (
            "one too many",
            Mode::Tokens,
            of(&[lines[0], lines[1], lines[2], lines[2]]),
        ),
        (
            "an outsider's",
            Mode::Tokens,
            of(&[lines[0], lines[1], &outsider]),
        ),
        ("none", Mode::Tokens, String::new()),
        ("CUHK's answer as tokens", Mode::Tokens, answer),
        (
            "tokens as CUHK's answer",
            Mode::Verified,
            right.assurance.clone(),
        ),
    ] {
        let evidence = Evidence {
            mode,
            assurance,
            ..right.clone()
        };
        given.refuses(what, &given.accepted(&evidence));
    }
    given.verify(&given.accepted(&right)).unwrap();
    let other = given.with_leaf(|leaf| {
        leaf["entry"]["accepted"]["mode"] = "verified".into();
    });
    let reason = given.refuses("another mode", &other);
    assert!(reason.contains("another mode"), "{reason}");
}

#[test]
fn a_receipt_with_tokens_is_judged_at_its_time() {
    let campus = TestCampus::new();
    let group = group(&campus, &THREE);
    let given = Given::after(without_cuhk(&group), &group);
    campus.clock().advance(Duration::from_secs(365 * 24 * 3600));
    given.verify(&given.zip).unwrap();
    campus.clock().rewind(Duration::from_secs(365 * 24 * 3600));
    campus
        .clock()
        .advance(TOKEN_LIFETIME + Duration::from_secs(61));
    let reason = given.refuses("accepted too late", &given.accepted(&given.evidence()));
    assert!(reason.contains("expired"), "{reason}");
}
