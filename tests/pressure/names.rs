//! A client that checks no name signs for files whose names are paths: Blackboard refuses them and writes nothing.

use scb_protocol::Code;
use scb_protocol::message::blackboard::Reply;
use serde_json::Value;
use tokio::task::block_in_place;

use crate::campus::Campus;
use crate::class::Class;
use crate::process::files_below;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_with_path_parts_are_refused_of_a_client_that_sends_them() {
    let campus = Campus::sandbox();
    let class = Class::of(&campus, 1);
    let members = class.enrol(class.next(1)).await.unwrap();
    let content = campus.path().join("blackboard/content");
    let before = files_below(&content);
    for name in [
        "../report.txt",
        "../../../../../../../../tmp/report.txt",
        "src/../../report.txt",
        "src/..",
        "..",
        ".",
        "./report.txt",
        "src//report.txt",
        "/etc/cron.d/report",
        "src/",
        "..\\report.txt",
        "C:\\report.txt",
        "report\n.txt",
        "report\u{0}.txt",
        "report\u{202e}fdp.txt",
        "",
    ] {
        let work = class.work_named(&members, name);
        let answer = class.answer_to(&members, &work).await;
        match answer {
            Err(refusal) => assert_eq!(refusal.code, Code::StatementInvalid, "{name:?}"),
            Ok(answer) => panic!("{name:?}: {answer:?}"),
        }
    }
    block_in_place(|| {
        assert_eq!(campus.submissions(), Vec::<Value>::new());
        let uploads = ["submissions", "uploads", "--json"];
        let uploads = campus.administer_blackboard(&uploads).succeeded().json();
        assert_eq!(uploads, Value::Array(Vec::new()), "nothing was recorded");
    });
    assert_eq!(files_below(&content), before);

    // The same client and its way of signing are believed with a name that is one.
    for name in ["src/report.txt", "報告.txt"] {
        let work = class.work_named(&members, name);
        let answer = class.answer_to(&members, &work).await.unwrap();
        assert!(matches!(answer, Reply::Committed { .. }), "{answer:?}");
    }
}
