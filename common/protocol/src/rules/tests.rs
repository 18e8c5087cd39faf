//! What is in time, late and too late, to the second, and what an extension or a new due time makes of it.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const OPENS: u64 = 1_000;
const DUE: u64 = 10_000_000;
const GRACE: u64 = 600;
const CUTOFF: u64 = DUE + 5 * 24 * 60 * 60;

fn at(seconds: u64) -> UnixTime {
    from_seconds(seconds)
}

fn terms(late: &str) -> Terms {
    Terms {
        title: "Lab 1".parse().unwrap(),
        opens: Some(at(OPENS)),
        due: Some(at(DUE)),
        grace: GRACE,
        cutoff: (late != "none").then_some(at(CUTOFF)),
        late: late.parse().unwrap(),
        counts: Counts::Latest,
        group: GroupSize::new(1, 3).unwrap(),
        max_bytes: 1 << 20,
        groups: Groups::Kept,
        accept: vec!["pdf".parse().unwrap()],
    }
}

fn rules(late: &str) -> Rules {
    terms(late).check().unwrap()
}

fn extension(sid: &str, due: u64, cutoff: Option<u64>) -> Extension {
    Extension {
        sid: sid.parse().unwrap(),
        due: at(due),
        cutoff: cutoff.map(at),
    }
}

#[test]
fn every_moment_belongs_to_what_comes_before_it() {
    let rules = rules("mark");
    let late = |by| Standing::Late { by, costs: 0 };
    let opens = at(OPENS);
    for (moment, standing) in [
        (OPENS - 1, Standing::NotYetOpen { opens }),
        (OPENS, Standing::OnTime),
        (DUE, Standing::OnTime),
        (DUE + 1, Standing::WithinGrace),
        (DUE + GRACE, Standing::WithinGrace),
        (DUE + GRACE + 1, late(GRACE + 1)),
        (CUTOFF, late(CUTOFF - DUE)),
        (CUTOFF + 1, Standing::Closed { since: at(CUTOFF) }),
    ] {
        assert_eq!(rules.judge(at(moment), None), standing, "{moment}");
    }
}

#[test]
fn without_late_work_it_closes_when_the_grace_is_over() {
    let rules = rules("none");
    let since = at(DUE + GRACE);
    assert_eq!(rules.judge(since, None), Standing::WithinGrace);
    let closed = Standing::Closed { since };
    assert_eq!(rules.judge(at(DUE + GRACE + 1), None), closed);
}

#[test]
fn without_a_cutoff_late_work_is_always_taken() {
    let endless = Terms {
        cutoff: None,
        ..terms("mark")
    };
    let standing = endless.check().unwrap().judge(at(LATEST), None);
    assert!(standing.is_open(), "{standing:?}");
}

#[test]
fn what_is_never_due_is_always_open() {
    let group = GroupSize::new(1, 3).unwrap();
    let terms = Terms::always_open("Lab".parse().unwrap(), group, 1);
    let rules = terms.check().unwrap();
    for moment in [0, DUE, LATEST] {
        assert_eq!(rules.judge(at(moment), None), Standing::OnTime);
    }
    let own = extension("1155000001", DUE, None);
    assert_eq!(rules.check_extension(&own), Err(RulesError::NoExtension));
}

#[test]
fn a_penalty_is_counted_by_the_period_begun() {
    let day = 24 * 60 * 60;
    for (rule, by, costs) in [
        ("10%/day", 1, 10),
        ("10%/day", day, 10),
        ("10%/day", day + 1, 20),
        ("10%/day", 400 * day, 100),
        ("10%/day to 35%", 4 * day, 35),
        ("1%/hour", 3601, 2),
        ("mark", day, 0),
        ("none", day, 0),
    ] {
        let rule: LateRule = rule.parse().unwrap();
        assert_eq!(rule.costs(by), costs, "{rule} {by}");
    }
}

#[test]
fn a_late_rule_has_one_spelling() {
    for text in [
        "none",
        "mark",
        "10%/day",
        "2%/hour",
        "10%/day to 50%",
        "100%/day",
    ] {
        assert_eq!(text.parse::<LateRule>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "None",
        "0%/day",
        "101%/day",
        "-1%/day",
        "+1%/day",
        "010%/day",
        "10/day",
        "10%/week",
        "10%",
        "10%/day to 0%",
        "10%/day to 9%",
        "10%/day to 101%",
        "10%/day  to 50%",
    ] {
        assert!(text.parse::<LateRule>().is_err(), "{text}");
    }
}

#[test]
fn an_extension_is_the_students_alone() {
    let rules = rules("10%/day");
    let sids = ["1155000001", "1155000002"].map(|sid| sid.parse().unwrap());
    let own = extension("1155000001", DUE + 86_400, None);
    rules.check_extension(&own).unwrap();
    let standings = |moment| {
        let each = rules.judge_each(at(moment), &sids, std::slice::from_ref(&own));
        [each[0].standing, each[1].standing]
    };
    let late = |by, costs| Standing::Late { by, costs };
    assert_eq!(
        standings(DUE + 86_400),
        [Standing::OnTime, late(86_400, 10)]
    );
    let at_own_grace = DUE + 86_400 + GRACE;
    let other = late(86_400 + GRACE, 20);
    assert_eq!(standings(at_own_grace), [Standing::WithinGrace, other]);
    assert_eq!(standings(at_own_grace + 1)[0], late(GRACE + 1, 10));
}

#[test]
fn a_group_may_hand_in_as_long_as_one_of_it_may() {
    let rules = rules("none");
    let later = DUE + 86_400;
    let own = [extension("1155000001", later, None)];
    assert_eq!(rules.judge_group(at(later), &own), Standing::OnTime);
    let since = at(later + GRACE);
    assert_eq!(rules.judge_group(since, &own), Standing::WithinGrace);
    let closed = rules.judge_group(at(later + GRACE + 1), &own);
    assert_eq!(closed, Standing::Closed { since });
    assert!(!rules.judge_group(at(later), &[]).is_open());
    assert!(!rules.judge_group(at(OPENS - 1), &own).is_open());
}

#[test]
fn an_extension_moves_the_cutoff_only_as_far_as_it_must() {
    let rules = rules("mark");
    let closes = |own: &Extension| rules.closes_for(Some(own)).unwrap().as_secs();
    assert_eq!(closes(&extension("a", DUE + 1, None)), CUTOFF);
    assert_eq!(closes(&extension("a", CUTOFF, None)), CUTOFF + GRACE);
    let with_own = extension("a", CUTOFF, Some(CUTOFF + 9_000));
    assert_eq!(closes(&with_own), CUTOFF + 9_000);
    // The common cut-off was moved beyond the student's own since.
    let early = extension("a", DUE + 1, Some(DUE + 1 + GRACE));
    assert_eq!(closes(&early), CUTOFF);
}

#[test]
fn an_extension_that_came_to_be_earlier_than_the_common_due_time_takes_nothing_away() {
    let own = extension("a", DUE - 5, None);
    let rules = rules("mark");
    assert_eq!(rules.check_extension(&own), Err(RulesError::NoExtension));
    assert_eq!(rules.due_for(Some(&own)), Some(at(DUE)));
    assert!(!rules.gives_time(&own));
    let cutoff = extension("a", DUE - 5, Some(CUTOFF + 1));
    assert!(rules.gives_time(&cutoff), "he may be late for longer");
    assert!(rules.gives_time(&extension("a", DUE + 5, None)));
}

#[test]
fn refuses_extensions_that_are_none() {
    let refused = |late: &str, due, cutoff| {
        let own = extension("a", due, cutoff);
        rules(late).check_extension(&own).unwrap_err()
    };
    assert_eq!(refused("mark", DUE, None), RulesError::NoExtension);
    let early = Some(DUE + GRACE);
    assert_eq!(refused("mark", DUE + 1, early), RulesError::ExtensionCutoff);
    let besides = Some(DUE + GRACE + 2);
    let error = RulesError::CutoffWithoutLateWork;
    assert_eq!(refused("none", DUE + 1, besides), error);
}

#[test]
fn refuses_terms_that_contradict_themselves() {
    type Spoil = fn(&mut Terms);
    let cases: [(Spoil, RulesError); 12] = [
        (|it| it.opens = it.due, RulesError::OpensTooLate),
        (
            |it| it.cutoff = Some(at(DUE + GRACE - 1)),
            RulesError::CutoffTooEarly,
        ),
        (
            |it| it.late = LateRule::None,
            RulesError::CutoffWithoutLateWork,
        ),
        (|it| it.due = None, RulesError::NothingIsDue),
        (
            |it| (it.due, it.cutoff, it.late) = (None, None, LateRule::None),
            RulesError::NothingIsDue,
        ),
        (|it| it.grace = MAX_GRACE + 1, RulesError::GraceTooLong),
        (|it| it.cutoff = Some(at(LATEST + 1)), RulesError::TooFarOff),
        (|it| it.opens = Some(at(u64::MAX)), RulesError::TooFarOff),
        (|it| it.due = Some(at(u64::MAX)), RulesError::TooFarOff),
        (|it| it.max_bytes = 0, RulesError::NoBytes),
        (
            |it| it.accept.push("pdf".parse().unwrap()),
            RulesError::Kinds,
        ),
        (
            |it| it.accept = (0..33).map(|n| n.to_string().parse().unwrap()).collect(),
            RulesError::Kinds,
        ),
    ];
    for (spoil, error) in cases {
        let mut terms = terms("mark");
        spoil(&mut terms);
        assert_eq!(terms.check(), Err(error));
    }
}

#[test]
fn accepts_terms_whose_moments_only_just_follow_each_other() {
    let tight = Terms {
        opens: Some(at(DUE - 1)),
        grace: 0,
        cutoff: Some(at(DUE)),
        ..terms("mark")
    };
    tight.clone().check().unwrap();
    let without = Terms {
        late: LateRule::None,
        ..tight
    };
    without.check().unwrap();
}

#[test]
fn a_group_has_one_to_eight_members() {
    for (text, least, most) in [("3", 3, 3), ("1..3", 1, 3), ("8", 8, 8), ("1..8", 1, 8)] {
        let size: GroupSize = text.parse().unwrap();
        assert_eq!((size.least(), size.most()), (least, most));
        assert_eq!(size.to_string(), text);
        assert!(size.allows(least.into()) && size.allows(most.into()));
        assert!(!size.allows(usize::from(least) - 1) && !size.allows(usize::from(most) + 1));
    }
    for text in [
        "", "0", "9", "0..3", "3..1", "1..9", "..3", "1..", "1...3", "two",
    ] {
        assert!(text.parse::<GroupSize>().is_err(), "{text}");
    }
}

#[test]
fn a_kind_is_told_by_the_end_of_the_name() {
    let kind: FileKind = ".TAR.gz".parse().unwrap();
    assert_eq!(kind.to_string(), "tar.gz");
    assert!(kind.is_of("a.tar.gz") && kind.is_of("報告.TAR.GZ"));
    for name in ["tar.gz", ".tar.gz", "a.gz", "a.tar.gz.exe", "atar.gz", ""] {
        assert!(!kind.is_of(name), "{name}");
    }
    for bad in ["", ".", "p df", "../pdf", "seventeen-letters", "文"] {
        assert!(bad.parse::<FileKind>().is_err(), "{bad}");
    }
}

#[test]
fn a_title_is_one_line() {
    let title: Title = " 實驗一: Lab 1 ".parse().unwrap();
    assert_eq!(title.to_string(), "實驗一: Lab 1");
    for bad in ["", "  ", "a\nb", "a\u{1b}[31mb", &"x".repeat(201)] {
        assert!(bad.parse::<Title>().is_err(), "{bad:?}");
    }
}

#[test]
fn rules_look_like_this() {
    let mut open = Terms::always_open(
        "Lab".parse().unwrap(),
        GroupSize::new(2, 2).unwrap(),
        1 << 29,
    );
    open.counts = Counts::First;
    let rules = [rules("10%/day to 50%"), open.check().unwrap()];
    let text = rules
        .clone()
        .map(|one| serde_json::to_string(&one).unwrap());
    insta::assert_snapshot!(text.join("\n"));
    for (one, text) in rules.iter().zip(&text) {
        assert_eq!(serde_json::from_str::<Rules>(text).unwrap(), *one);
    }
}

#[test]
fn refuses_rules_that_are_written_otherwise() {
    let good = serde_json::to_string(&rules("mark")).unwrap();
    for (from, to) in [
        ("\"grace\":600", "\"grace\":600,\"more\":1"),
        ("\"grace\":600,", ""),
        ("\"grace\":600", "\"grace\":432001"),
        ("\"least\":1", "\"least\":0"),
        ("\"least\":1", "\"least\":1,\"some\":1"),
        ("{\"least\":1,\"most\":3}", "[1,3]"),
        ("\"late\":\"mark\"", "\"late\":\"marked\""),
        ("\"late\":\"mark\"", "\"late\":\"none\""),
        ("\"latest\"", "\"best\""),
        ("\"opens\":\"", "\"opens\":\"2"),
        ("40Z", "40+00:00"),
        ("[\"pdf\"]", "[\"\"]"),
        ("\"Lab 1\"", "\"\""),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        assert!(serde_json::from_str::<Rules>(&bad).is_err(), "{bad}");
    }
}

#[test]
fn a_change_is_told_by_value() {
    let before = rules("mark");
    let mut after = Terms::from(before.clone());
    after.due = Some(at(DUE + 60));
    after.cutoff = None;
    let told = changes(&before, &after.check().unwrap(), at(77));
    let told: Vec<_> = told
        .iter()
        .map(|it| (it.at, it.field.as_str(), it.was.as_str(), it.is.as_str()))
        .collect();
    let due = (77, "due", "1970-04-26T17:46:40Z", "1970-04-26T17:47:40Z");
    assert_eq!(told, [due, (77, "cutoff", "1970-05-01T17:46:40Z", "")]);
    assert!(changes(&before, &before, at(77)).is_empty());
}

proptest! {
    /// Later is never better, and what an extension gives it gives from the first second on.
    #[test]
    fn time_and_extensions_go_one_way(moment in OPENS..CUTOFF * 2, step in 0..CUTOFF, more in 1..CUTOFF) {
        let order = |standing: Standing| match standing {
            Standing::OnTime => (0, 0),
            Standing::WithinGrace => (1, 0),
            Standing::Late { by, costs } => (2, by + u64::from(costs)),
            Standing::Closed { .. } => (3, 0),
            Standing::NotYetOpen { .. } => (4, 0),
        };
        for rules in [rules("none"), rules("mark"), rules("10%/day")] {
            let own = extension("a", DUE + more, None);
            let [now, later] = [moment, moment + step].map(|it| order(rules.judge(at(it), None)));
            prop_assert!(now <= later);
            prop_assert!(order(rules.judge(at(moment), Some(&own))) <= now);
        }
    }
}
