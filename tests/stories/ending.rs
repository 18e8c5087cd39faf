//! A service's certificates are revoked: who is without service then is said before, and what to type after.

use expectrl::session::Session;
use expectrl::{Eof, Expect};
use serde_json::Value;

use crate::campus::{ByHand, LONG};

fn campus() -> ByHand {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus
        .roster("sid,name,email,programme\n1155000001,One,,CSCI\n1155000002,Two,,CSCI\n")
        .succeeded();
    campus
}

/// The certificates of a service that count.
fn counting(campus: &ByHand, service: &str) -> Vec<Value> {
    let of = format!("service/{service}");
    let list = ["certs", "list", &of, "--status", "live", "--json"];
    let listed = campus.cuhk(&list).succeeded().json();
    listed.as_array().unwrap().clone()
}

/// What a terminal shows of this command, of whose question this is the answer.
fn answered(campus: &ByHand, line: &[&str], answer: &str) -> String {
    let mut terminal = Session::spawn(campus.command("cuhk", line)).unwrap();
    terminal.set_expect_timeout(Some(LONG));
    let asked = terminal.expect("Type its name").unwrap();
    let before = String::from_utf8_lossy(asked.before()).into_owned();
    terminal.send_line(answer).unwrap();
    let rest = terminal.expect(Eof).unwrap();
    before + &String::from_utf8_lossy(rest.as_bytes())
}

#[test]
fn a_service_is_cut_off_only_if_somebody_agrees_who_was_told_what_follows() {
    let campus = campus();
    let cuhk = campus.serve_cuhk();
    campus.add_blackboard();
    campus.init_blackboard(&cuhk, &[]);
    let serial = counting(&campus, "blackboard")[0]["serial"].clone();
    for target in ["service/blackboard", serial.as_str().unwrap()] {
        let nobody = campus.cuhk(&["revoke", target, "--json"]);
        let refusal = nobody.refused(2, "not_confirmed");
        assert!(refusal["remedy"].as_str().unwrap().contains("--yes"));
        let left = answered(&campus, &["revoke", target], "yes");
        assert!(left.contains("no group can hand in there"), "{left}");
        assert!(left.contains("not_confirmed"), "{left}");
        assert_eq!(counting(&campus, "blackboard").len(), 1);
    }
    let done = answered(&campus, &["revoke", "service/blackboard"], "blackboard");
    assert!(done.contains("1 certificate revoked"), "{done}");
    let next = "cuhk code issue service/blackboard --replace --out";
    assert!(done.contains(next), "{done}");
    assert!(counting(&campus, "blackboard").is_empty());
    // What to type is what helps.
    let issue = ["code", "issue", "service/blackboard", "--replace"];
    let out = ["--out", "again.code"];
    campus.cuhk(&[&issue[..], &out].concat()).succeeded();
    let init = ["init", "--replace", "--code-file", "again.code"];
    campus.blackboard(&init).succeeded();
    assert_eq!(counting(&campus, "blackboard").len(), 1);
    // Nothing counts of which nothing is left: nobody is asked.
    let yes = ["revoke", "service/blackboard", "--yes", "--json"];
    let said = campus.cuhk(&yes).succeeded().json();
    let told = said["next"].as_str().unwrap();
    let init = "blackboard init --replace --code-file FILE";
    assert!(told.contains(next) && told.contains(init), "{said}");
    let again = ["revoke", "service/blackboard", "--json"];
    campus.cuhk(&again).refused(3, "nothing_to_revoke");
}

#[test]
fn the_authority_itself_is_asked_for_as_well_and_goes_on_with_new_keys() {
    let campus = campus();
    let cuhk = campus.serve_cuhk();
    let before = counting(&campus, "cuhk");
    assert!(before.len() >= 2, "{before:?}");
    let revoke = ["revoke", "service/cuhk", "--json"];
    campus.cuhk(&revoke).refused(2, "not_confirmed");
    assert_eq!(counting(&campus, "cuhk"), before);

    let said = answered(&campus, &["revoke", "service/cuhk"], "cuhk");
    for told in ["nobody can hand in", "no token", "cuhk serve"] {
        assert!(said.contains(told), "{said}");
    }
    let deadline = std::time::Instant::now() + LONG;
    let mut after = counting(&campus, "cuhk");
    while after.len() < 2 {
        assert!(std::time::Instant::now() < deadline, "{after:?}");
        after = counting(&campus, "cuhk");
    }
    assert!(after.iter().all(|one| !before.contains(one)));
    let (at, ca) = (cuhk.address(), ["--ca", "cuhk.home/ca.pem"]);
    let enrol = ["enrol", "--ids", "1155000001", "--codes", "codes.csv"];
    let enrol = [&enrol[..], &["--cuhk", &at], &ca].concat();
    campus.student(&enrol).succeeded();
    // Of a student nothing is asked.
    campus.cuhk(&["revoke", "1155000001"]).succeeded();
}
