//! Grades as the client is told them: its own, signed, and entered in the log.

use scb_certs::{Fingerprint, SpiffeId, StudentId};
use scb_protocol::client::Told;
use scb_protocol::grade::{Given, Grade, Lateness, SignedGrade};
use scb_protocol::log_leaf::{Entry, Grades, Leaf, Released, leaf_commitment};
use scb_protocol::message::blackboard::{
    CarriedGrade, CarriedProof, CarriedRelease, Reply, Request,
};
use scb_protocol::receipt::SignedLeaf;
use scb_protocol::values::Der;
use scb_protocol::{Code, Refusal, Step};
use scb_testkit::{TestCampus, TestIdentity, TestLog};

use crate::support::{self, Group, THREE, Witnessing, refused_in};

/// A grade on its way, and what may be wrong with it.
struct Sent {
    campus: TestCampus,
    grade: Grade,
    /// Who signs, if not Blackboard.
    signer: TestIdentity,
    /// What the log says, if not the truth.
    entry: Option<Entry>,
    log: &'static str,
    /// What the release says, if not the truth.
    release: Option<Entry>,
}

impl Sent {
    fn to(sid: &str) -> Self {
        let campus = TestCampus::new();
        let signer = campus.service("blackboard");
        let service: SpiffeId = signer.leaf().spiffe_id().unwrap();
        let place = ("CSCI3150".parse().unwrap(), "lab-1".parse().unwrap());
        let given = Given {
            sid: sid.parse().unwrap(),
            points: "8.5".parse().unwrap(),
            maximum: "10".parse().unwrap(),
            group: None,
            lateness: None,
            submission: None,
            comment: Some("well argued".to_owned()),
            grader: "Dr Chan".parse().unwrap(),
        };
        Self {
            grade: Grade::new(service, place, given, campus.now()).unwrap(),
            signer,
            campus,
            entry: None,
            release: None,
            log: "campus.test/blackboard/CSCI3150/lab-1",
        }
    }

    fn carried(&self) -> CarriedGrade {
        let by = (&self.signer.key, &self.signer.chain);
        let signed = SignedGrade::sign(&self.grade, by).unwrap();
        let entry = self.entry.clone();
        let entry = entry.unwrap_or_else(|| signed.entry(self.grade.sid.clone()));
        let leaf = Leaf::new(self.log.parse().unwrap(), 7, self.grade.at, entry);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        CarriedGrade {
            grade: text(signed.grade),
            signature: Der::new(signed.signature),
            leaf: text(leaf.unwrap().to_bytes().unwrap()),
            proof: None,
            released: self.released(),
        }
    }

    /// The entry after it, which releases it.
    fn released(&self) -> CarriedRelease {
        let entry = self.release.clone();
        let entry = entry.unwrap_or_else(|| {
            Entry::Released(Released {
                entries: vec![3, 7],
            })
        });
        let leaf = Leaf::new(self.log.parse().unwrap(), 8, self.grade.at, entry);
        let by = (&self.signer.key, &self.signer.chain);
        let signed = SignedLeaf::sign(leaf.unwrap().to_bytes().unwrap(), by, self.grade.at);
        let SignedLeaf { leaf, signature } = signed.unwrap();
        CarriedRelease {
            leaf: String::from_utf8(leaf).unwrap(),
            signature: Der::new(signature),
            proof: None,
        }
    }

    /// What the first two of the three make of it.
    fn told(&self, alter: impl FnOnce(&mut CarriedGrade)) -> Result<Told, Refusal> {
        let mut carried = self.carried();
        alter(&mut carried);
        told(&self.campus, carried)
    }

    fn refused(&self, what: &str, alter: impl FnOnce(&mut CarriedGrade)) {
        let verdict = self.told(alter);
        refused_in(Step::Six, what, verdict, Code::ServerMisbehaved);
    }
}

/// What the first two of the three make of it.
fn told(campus: &TestCampus, carried: CarriedGrade) -> Result<Told, Refusal> {
    let group = Group::of(campus, &THREE[..2]);
    let (expect, request) = group.run().session().ask_grades(None, 0);
    assert_eq!(
        request,
        Request::Grades {
            course: None,
            from: 0
        }
    );
    let reply = Reply::Grades {
        count: 2,
        grades: vec![carried],
    };
    let members: Vec<StudentId> = THREE[..2].iter().map(|sid| sid.parse().unwrap()).collect();
    expect.handle(reply, &members).map(|(_, told)| told)
}

#[test]
fn a_member_s_grade_is_verified_and_told() {
    let sent = Sent::to(THREE[1]);
    let told = sent.told(|_| {}).unwrap();
    assert_eq!(told.grades[0].grade(), &sent.grade);
    assert_eq!(told.grades[0].entry().1, 7);
    assert!(told.grades[0].witnessed().is_none());
    let released = told.grades[0].released();
    assert_eq!((released.at(), released.index()), (sent.grade.at, 8));
    assert_eq!(told.next, Some(1));
}

#[test]
fn a_grade_of_somebody_else_is_refused() {
    Sent::to(THREE[2]).refused("not a member of this connection", |_| {});
}

#[test]
fn an_altered_grade_and_one_signed_by_another_are_refused() {
    let sent = Sent::to(THREE[0]);
    for (from, to) in [("8.5", "9.5"), ("Dr Chan", "Dr Lee"), ("lab-1", "lab-2")] {
        sent.refused(to, |carried| {
            carried.grade = carried.grade.replace(from, to)
        });
    }
    let signers = |campus: &TestCampus| {
        [
            campus.service("other"),
            campus.token_signer(),
            campus.student(THREE[0]),
        ]
    };
    for signer in signers(&sent.campus) {
        let mut sent = Sent::to(THREE[0]);
        sent.signer = signer;
        sent.refused("another's signature", |_| {});
    }
}

#[test]
fn a_grade_that_the_log_does_not_hold_is_refused() {
    let about = |sid: &str, grade_sha256| {
        let mut sent = Sent::to(THREE[0]);
        sent.entry = Some(Entry::Grades(Grades {
            sid: sid.parse().unwrap(),
            grade_sha256,
        }));
        sent
    };
    let other = Fingerprint::of(b"another grade");
    about(THREE[0], other).refused("of another grade", |_| {});
    let sent = Sent::to(THREE[0]);
    let right = Fingerprint::of(sent.carried().grade.as_bytes());
    about(THREE[1], right).refused("of another student", |_| {});
    let mut elsewhere = Sent::to(THREE[0]);
    elsewhere.log = "campus.test/blackboard/CSCI3150/lab-2";
    elsewhere.refused("another assignment's log", |_| {});
    let mut closed = Sent::to(THREE[0]);
    closed.entry = Some(Entry::Closed(scb_protocol::log_leaf::Closed {
        accepted: 1,
    }));
    closed.refused("no grade", |_| {});
}

#[test]
fn a_grade_whose_release_is_not_entered_or_not_signed_is_refused() {
    for entries in [vec![], vec![6, 8]] {
        let mut sent = Sent::to(THREE[0]);
        sent.release = Some(Entry::Released(Released { entries }));
        sent.refused("the release of others", |_| {});
    }
    let mut sent = Sent::to(THREE[0]);
    sent.release = Some(Entry::Closed(scb_protocol::log_leaf::Closed {
        accepted: 1,
    }));
    sent.refused("no release", |_| {});
    let sent = Sent::to(THREE[0]);
    sent.refused("an altered release", |carried| {
        carried.released.leaf = carried.released.leaf.replace("[3,7]", "[3,7,9]");
    });
    let other = TestCampus::new();
    let mut forged = Sent::to(THREE[0]);
    forged.signer = other.service("blackboard");
    let release = forged.released();
    sent.refused("a release that another signed", |carried| {
        carried.released = release;
    });
    sent.refused("a release in another log", |carried| {
        let mut elsewhere = Sent::to(THREE[0]);
        elsewhere.log = "campus.test/blackboard/CSCI3150/lab-2";
        elsewhere.signer = sent.signer.clone();
        carried.released = elsewhere.released();
    });
}

#[test]
fn what_lateness_cost_must_be_what_the_rule_says() {
    let mut sent = Sent::to(THREE[0]);
    let raw = sent.grade.points;
    let two_days = 2 * 86_400;
    let lateness = Lateness::of(raw, two_days, "10%/day".parse().unwrap()).unwrap();
    assert_eq!(lateness.left(sent.grade.maximum).to_string(), "6.5");
    assert!(Lateness::of(raw, two_days, "mark".parse().unwrap()).is_none());
    sent.grade.lateness = Some(lateness);
    sent.refused("nothing was taken off", |_| {});
    sent.grade.points = lateness.left(sent.grade.maximum);
    let told = sent.told(|_| {}).unwrap();
    assert_eq!(told.grades[0].grade().lateness, Some(lateness));
    sent.grade.lateness = Some(Lateness {
        percent: 10,
        ..lateness
    });
    sent.grade.points = "7.5".parse().unwrap();
    sent.refused("less than the rule says", |_| {});
}

#[test]
fn of_what_came_when_it_was_closed_nothing_is_left_whatever_the_rule_says() {
    let mut sent = Sent::to(THREE[0]);
    let raw = "8.5".parse().unwrap();
    let closed = Lateness::closed(raw, 4, "none".parse().unwrap());
    sent.grade.lateness = Some(closed);
    sent.refused("something is left", |_| {});
    sent.grade.points = "0".parse().unwrap();
    let told = sent.told(|_| {}).unwrap();
    assert_eq!(told.grades[0].grade().lateness, Some(closed));
    sent.grade.lateness = Some(Lateness {
        closed: false,
        ..closed
    });
    sent.refused("the rule takes nothing off", |_| {});
}

#[test]
fn what_lies_outside_the_form_is_refused() {
    let sent = Sent::to(THREE[0]);
    let good = sent.carried().grade;
    assert!(Grade::parse(good.as_bytes()).is_ok());
    for (from, to) in [
        ("\"8.5\"", "8.5"),
        ("\"8.5\"", "\"-8.5\""),
        ("scb-grade", "scb-entry"),
        ("\"v\":1", "\"v\":2"),
        ("\"sid\"", "\"more\":1,\"sid\""),
        ("well argued", &"x".repeat(4001)),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        assert!(Grade::parse(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn a_proof_that_comes_along_must_be_that_of_the_entry() {
    let sent = Sent::to(THREE[0]);
    let carried = sent.carried();
    let group = Group::of(&sent.campus, &THREE);
    let given = support::Given::to(&group);
    let mut log = TestLog::of(sent.log, 7);
    for leaf in [&carried.leaf, &carried.released.leaf] {
        log.push(leaf_commitment(leaf.as_bytes()));
    }
    let witnessing = Witnessing {
        log,
        ..Witnessing::of(&given)
    };
    let proof = CarriedProof::from(&witnessing.proof());
    let judged = |alter: &dyn Fn(&mut CarriedGrade)| {
        let mut carried = carried.clone();
        alter(&mut carried);
        told(&sent.campus, carried)
    };
    let proved = judged(&|carried| carried.proof = Some(proof.clone())).unwrap();
    let proved = &proved.grades[0];
    assert_eq!(proved.witnessed().unwrap().by.len(), 1);
    assert!(proved.released().witnessed().is_none(), "still to come");
    let swapped = judged(&|carried| carried.released.proof = Some(proof.clone()));
    refused_in(
        Step::Six,
        "of another entry",
        swapped,
        Code::ServerMisbehaved,
    );
    let altered = judged(&|carried| {
        let mut proof = proof.clone();
        proof.witness_key = proof.log_key.clone();
        carried.proof = Some(proof);
    });
    refused_in(
        Step::Six,
        "another witness",
        altered,
        Code::ServerMisbehaved,
    );
}
