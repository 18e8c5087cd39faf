//! Reading what was handed in before: what the client takes for an answer, and what it does not.

use scb_certs::Fingerprint;
use scb_protocol::client::{Downloading, History};
use scb_protocol::message::blackboard::{ListedFile, ListedVersion, Reply, Request, that_fit};
use scb_protocol::message::encode;
use scb_protocol::receipt::MAX_RECEIPT;
use scb_protocol::server::{Inquiry, Wanted};
use scb_protocol::statement::{FileEntry, Files, SubmissionNumber};
use scb_protocol::{Code, Refusal, Step};
use scb_testkit::TestCampus;

use crate::support::{Group, Hand, THREE, messages, refused_in};

fn number() -> SubmissionNumber {
    "S-000001".parse().unwrap()
}

fn entry() -> FileEntry {
    FileEntry {
        name: "src/報告.pdf".parse().unwrap(),
        size: 1000,
        sha256: Fingerprint::of(b"report"),
    }
}

fn told(more: bool, versions: Vec<ListedVersion>) -> Reply {
    Reply::History {
        time: 1_772_424_000,
        more,
        versions,
        unfinished: Vec::new(),
        more_unfinished: 0,
    }
}

/// What the client makes of an answer to its question for the history.
fn history(reply: Reply) -> Result<History, Refusal> {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let course = Some("CSCI3150".parse().unwrap());
    let after = Some(number());
    let session = group.run().session();
    let (expect, request) = session.ask_history((course.clone(), None), after);
    let expected = Request::History {
        course,
        assignment: None,
        after,
    };
    assert_eq!(request, expected);
    expect.handle(reply).map(|(_, history)| history)
}

#[test]
fn the_server_takes_these_questions_from_members_only_in_an_open_session() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let (server, _) = Hand::of(&group).open();
    let (file, from) = (Some(2), 7);
    let download = Request::Download {
        number: number(),
        file,
        from,
    };
    let Wanted::Know(asked, server) = server.handle(download).unwrap() else {
        panic!("not a question");
    };
    let number = number();
    assert_eq!(asked, Inquiry::Download { number, file, from });
    let history = Request::History {
        course: None,
        assignment: None,
        after: None,
    };
    assert!(matches!(
        server.handle(history),
        Ok(Wanted::Know(Inquiry::History { .. }, _))
    ));
}

#[test]
fn the_client_asks_for_versions_until_it_has_been_told_all() {
    let later = ListedVersion {
        number: "S-000004".parse().unwrap(),
        ..messages::version()
    };
    for (more, next) in [(false, None), (true, Some(later.number))] {
        let answer = history(told(more, vec![later.clone()])).unwrap();
        assert_eq!((answer.next, answer.versions.len()), (next, 1));
    }
    let again = ListedVersion {
        number: number(),
        ..later
    };
    for (what, versions) in [("none", vec![]), ("again", vec![again])] {
        let without_end = history(told(true, versions));
        refused_in(Step::Six, what, without_end, Code::ServerMisbehaved);
    }
    let (size, sha256) = (1, Fingerprint::of(b""));
    let other = history(Reply::Download { size, sha256 });
    refused_in(Step::Six, "download", other, Code::UnexpectedMessage);
}

fn file(reply: Reply, from: u64) -> Result<Downloading, Refusal> {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let asked = group
        .run()
        .session()
        .ask_file(number(), (0, &entry()), from);
    asked.0.handle(reply)
}

fn receipt(size: u64) -> Result<Downloading, Refusal> {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let (expect, _) = group.run().session().ask_receipt_of(number());
    let sha256 = Fingerprint::of(b"receipt");
    expect.handle(Reply::Download { size, sha256 })
}

#[test]
fn the_client_takes_the_file_that_was_signed_and_no_other() {
    let FileEntry { size, sha256, .. } = entry();
    let good = || Reply::Download { size, sha256 };
    assert_eq!(file(good(), 0).unwrap().left(), 1000);
    assert_eq!(file(good(), 400).unwrap().left(), 600);
    let other = Fingerprint::of(b"another");
    for (what, size, sha256) in [("size", 999, sha256), ("hash", size, other)] {
        let verdict = file(Reply::Download { size, sha256 }, 0);
        refused_in(Step::Six, what, verdict, Code::ServerMisbehaved);
    }
    assert_eq!(
        receipt(MAX_RECEIPT as u64).unwrap().left(),
        MAX_RECEIPT as u64
    );
    let large = receipt(MAX_RECEIPT as u64 + 1);
    refused_in(Step::Six, "too large", large, Code::ServerMisbehaved);
    let unknown = Refusal::new(Code::SubmissionUnknown, Step::Six);
    let unknown = file(scb_protocol::Reply::refusal(unknown), 0);
    refused_in(Step::Six, "unknown", unknown, Code::SubmissionUnknown);
}

#[test]
fn the_client_takes_exactly_as_many_bytes_as_were_announced() {
    let mut downloading = receipt(10).unwrap();
    downloading.chunk(&[0; 9]).unwrap();
    let many = downloading.chunk(&[0; 2]);
    refused_in(Step::Six, "one too many", many, Code::ServerMisbehaved);
    let mut short = receipt(10).unwrap();
    short.chunk(&[0; 9]).unwrap();
    refused_in(Step::Six, "one too few", short.end(), Code::ContentShort);
    let mut whole = receipt(10).unwrap();
    whole.chunk(&[0; 10]).unwrap();
    whole.end().unwrap();
}

#[test]
fn the_longest_names_fit_into_a_message() {
    let name = |index: usize| format!("{}/{index:03}{}", "\"".repeat(250), "x".repeat(240));
    let file = |index| FileEntry {
        name: name(index).parse().unwrap(),
        ..entry()
    };
    let files = Files::new((0..100).map(file).collect()).unwrap();
    let version = ListedVersion {
        files: ListedFile::first_of(&files),
        ..messages::version()
    };
    assert!((5..100).contains(&version.files.len()));
    let many = std::iter::repeat_n(version, 100);
    let fit = that_fit(many);
    assert!(!fit.is_empty());
    encode(&told(true, fit), Step::Six).unwrap();
}
