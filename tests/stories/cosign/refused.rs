//! A last signature that is refused: the others and the teacher are told whose, when and as what.

use std::time::Instant;

use serde_json::json;

use super::{Machines, SIDS, id, overview};
use crate::campus::LONG;

#[test]
fn what_is_refused_for_a_suspended_partner_is_signed_and_the_others_see_who_tried() {
    let machines = Machines::new();
    let id = id(&machines.propose("our report"));
    machines.on(SIDS[1], &["cosign", "--yes", &id]).succeeded();
    let suspend = ["roster", "suspend", SIDS[1]];
    machines.campus.administer_cuhk(&suspend).succeeded();
    let began = Instant::now();
    while !machines
        .on(SIDS[1], &["cosign", "--json"])
        .stderr
        .contains("certificate_on_hold")
    {
        assert!(began.elapsed() < LONG, "the list has not come");
    }
    let yes = ["cosign", "--yes", &id, "--json"];
    let refused = machines.on(SIDS[2], &yes);
    refused.refused(3, "certificate_on_hold");
    assert!(
        machines.home(SIDS[2]).join("receipts/refused").is_dir(),
        "signed"
    );

    let proposal = machines.listed(SIDS[0])["proposals"][0].clone();
    let told = &proposal["members"][2];
    assert_eq!(told["said"], "nothing");
    assert_eq!(told["refused"]["code"], "certificate_on_hold");
    assert_eq!(proposal["members"][1]["refused"], json!(null));
    for command in ["cosign", "history"] {
        let shown = machines.on(SIDS[0], &[command]).succeeded().stdout;
        assert!(shown.contains("waits for 1155000003 (tried on "), "{shown}");
        let told = ": refused, certificate_on_hold, for him or for somebody who has signed it)";
        assert!(shown.contains(told), "{shown}");
    }
    let chinese = machines.on(SIDS[0], &["cosign", "--lang", "zh-Hant"]);
    let chinese = chinese.succeeded().stdout;
    assert!(
        chinese.contains("，遭拒：certificate_on_hold，屬其本人或已簽署的組員）"),
        "{chinese}"
    );

    let shown = overview(&machines, &[]).stdout;
    assert!(shown.contains("; 1155000003 tried to sign on "), "{shown}");
    let told = "REFUSED (certificate_on_hold, for him or for somebody who has signed it)";
    assert!(shown.contains(told), "{shown}");
    let lines = overview(&machines, &["--json"]).json();
    let tried = &lines["students"][0]["tried"][0];
    assert_eq!(tried["sid"], SIDS[2]);
    assert_eq!(tried["code"], "certificate_on_hold");
    let csv = overview(&machines, &["--csv"]).stdout;
    let cell = format!(
        "1155000003 certificate_on_hold {}",
        tried["at"].as_str().unwrap()
    );
    assert!(csv.contains(&cell), "{csv}");

    let restore = ["roster", "restore", SIDS[1]];
    machines.campus.administer_cuhk(&restore).succeeded();
    let began = Instant::now();
    while machines.on(SIDS[2], &yes).exit != Some(0) {
        assert!(began.elapsed() < LONG, "it is not taken");
    }
    assert_eq!(machines.campus.submissions().len(), 1);
}
