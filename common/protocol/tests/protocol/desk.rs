//! Questions after step 5, before a statement comes.

use scb_protocol::client::Assignments;
use scb_protocol::message::blackboard::{CarriedProof, ListedAssignment, Reply, Request, that_fit};
use scb_protocol::message::encode;
use scb_protocol::receipt::{LogProof, VerifiedReceipt};
use scb_protocol::server::{ExpectRequest, Inquiry, MAX_QUESTIONS, Wanted};
use scb_protocol::{Code, Refusal, Step, from_seconds};
use scb_testkit::TestCampus;

use crate::announcement::announced;
use crate::support::{Given, Group, Hand, THREE, Witnessing, messages, refused_in, text};

fn ask(from: u32) -> Request {
    let course = Some("CSCI3150".parse().unwrap());
    Request::Assignments { course, from }
}

fn asked(server: ExpectRequest, request: Request) -> Result<(Inquiry, ExpectRequest), Refusal> {
    match server.handle(request)? {
        Wanted::Know(inquiry, next) => Ok((inquiry, *next)),
        other => panic!("not a question: {other:?}"),
    }
}

#[test]
fn questions_are_answered_before_a_statement() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let hand = Hand::of(&group);
    let (mut server, key) = hand.open();
    for from in [0, 16] {
        let (inquiry, next) = asked(server, ask(from)).unwrap();
        let course = Some("CSCI3150".parse().unwrap());
        assert_eq!(inquiry, Inquiry::Assignments { course, from });
        assert_eq!(next.members().len(), 3);
        server = next;
    }
    let submit = hand.submit(&key, &text(&group));
    let handed_in = server.handle(submit).unwrap();
    assert!(matches!(handed_in, Wanted::HandIn(_)));
}

#[test]
fn members_ask_for_the_proof_of_their_receipt() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let given = Given::to(&group);
    let witnessing = Witnessing::of(&given);
    let submission = group.statement().submission;
    let (server, _) = Hand::of(&group).open();
    let (inquiry, _) = asked(server, Request::Proof { submission }).unwrap();
    assert_eq!(inquiry, Inquiry::Proof { submission });
    let told = |proof: Option<&LogProof>| {
        let (expect, request) = group.run().session().ask_proof(submission);
        assert_eq!(request, Request::Proof { submission });
        let lists = proof.map_or(&[][..], |proof| proof.lists.as_bytes());
        let reply = Reply::Proof {
            proof: proof.map(CarriedProof::from),
            lists: lists.len() as u64,
        };
        let mut receiving = expect.handle(reply).unwrap();
        if !receiving.is_complete() {
            receiving.chunk(lists).unwrap();
        }
        receiving.finish().unwrap().1
    };
    let proof = witnessing.proof();
    assert_eq!(told(Some(&proof)).as_ref(), Some(&proof));
    assert_eq!(told(None), None);
    let lists = LogProof {
        lists: "lists\n".to_owned(),
        ..proof.clone()
    };
    assert_eq!(told(Some(&lists)).as_ref(), Some(&lists));
    let root = campus.root_fingerprint();
    let complete = |receipt: &[u8], proof| VerifiedReceipt::complete(receipt, proof, &[root]);
    let (zip, receipt) = complete(&given.zip, &proof).unwrap();
    assert!(receipt.witnessed().is_some());
    given.verify(&zip).unwrap();
    let others = Given::to(&group);
    let verdict = complete(&others.zip, &proof);
    refused_in(Step::Six, "another's proof", verdict, Code::ReceiptInvalid);
}

#[test]
fn refuses_the_question_that_is_one_too_many_and_still_takes_a_statement() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let hand = Hand::of(&group);
    let after_all = || {
        let (mut server, key) = hand.open();
        for _ in 0..MAX_QUESTIONS {
            server = asked(server, ask(0)).unwrap().1;
        }
        (server, key)
    };
    let (server, key) = after_all();
    let submit = hand.submit(&key, &text(&group));
    assert!(matches!(server.handle(submit), Ok(Wanted::HandIn(_))));
    let verdict = asked(after_all().0, ask(0));
    refused_in(Step::Six, "one more", verdict, Code::TooManyQuestions);
}

/// What the client makes of this answer, having asked from the first on.
fn answered(reply: Reply) -> Result<Assignments, Refusal> {
    let campus = TestCampus::new();
    answered_to(&Group::of(&campus, &THREE[..1]), reply)
}

/// The same of this group.
pub(crate) fn answered_to(group: &Group<'_>, reply: Reply) -> Result<Assignments, Refusal> {
    let (expect, request) = group.run().session().ask_assignments(None, 0);
    let (course, from) = (None, 0);
    assert_eq!(request, Request::Assignments { course, from });
    let answer = expect.handle(reply, group.campus.now());
    answer.map(|(_, answer)| answer)
}

pub(crate) fn told(count: u32, assignments: Vec<ListedAssignment>) -> Reply {
    Reply::Assignments {
        time: 1_772_424_000,
        count,
        assignments,
        altered: Vec::new(),
    }
}

#[test]
fn the_client_asks_on_until_it_has_been_told_all() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let listed = announced(&group, messages::listed());
    for (count, next) in [(1, None), (2, Some(1))] {
        let answer = answered_to(&group, told(count, vec![listed.clone()])).unwrap();
        assert_eq!(answer.next, next);
        assert_eq!(answer.time, from_seconds(1_772_424_000));
        assert_eq!(answer.listed, std::slice::from_ref(&listed));
    }
    assert_eq!(answered(told(0, vec![])).unwrap().next, None);
}

#[test]
fn the_client_refuses_another_answer_and_one_without_an_end() {
    let six = |what: &str, reply, code| refused_in(Step::Six, what, answered(reply), code);
    let mac = scb_protocol::values::Mac::from_bytes([0; 32]);
    six(
        "confirmed",
        Reply::Confirmed { mac },
        Code::UnexpectedMessage,
    );
    six("none of one", told(1, vec![]), Code::ServerMisbehaved);
    let refusal = Refusal::new(Code::Busy, Step::Six);
    six("busy", scb_protocol::Reply::refusal(refusal), Code::Busy);
}

#[test]
fn no_more_assignments_are_told_than_fit_into_a_message() {
    let many = std::iter::repeat_with(messages::listed).take(1000);
    let fit = that_fit(many);
    assert!((50..500).contains(&fit.len()), "{}", fit.len());
    encode(&told(1000, fit), Step::Six).unwrap();
    let one = that_fit([messages::listed()]);
    assert_eq!(one.len(), 1);
}
