//! A certificate that no longer counts is replaced in the menu.

use expectrl::{Eof, Expect};

use super::{Newcomer, SEEN, answer, terminal};
use crate::campus::Campus;

/// The certificates of this student are revoked, and there is a new code.
fn revoke(campus: &Campus, sid: &str) -> String {
    campus.administer_cuhk(&["revoke", sid]).succeeded();
    let issued = campus.administer_cuhk(&["code", "issue", sid]).succeeded();
    let mut words = issued.stdout.split_whitespace();
    words.find(|word| word.len() == 29).unwrap().to_owned()
}

#[test]
fn a_certificate_is_replaced_in_the_menu_when_it_is_refused_and_when_somebody_asks() {
    let newcomer = Newcomer::new();
    let sid = "1155000010";
    let (cuhk, blackboard) = (
        newcomer.campus.cuhk.address(),
        newcomer.campus.blackboard.address(),
    );
    let known = ["--cuhk", &cuhk, "--blackboard", &blackboard];
    let root = ["--ca-fingerprint", &newcomer.root];
    let mut first =
        terminal(newcomer.command(&[known, [root[0], root[1], "--lang", "en"]].concat()));
    answer(
        &mut first,
        &[
            ("Student ID 1", sid),
            ("Student ID 2", ""),
            ("Q quit", "2"),
            ("File or folder", &newcomer.campus.report()),
            ("Enrolment code of 1155000010", &newcomer.code(sid)),
            ("(Enter: none):", ""),
            ("S-000001.zip", SEEN),
        ],
    );
    let code = revoke(&newcomer.campus, sid);
    answer(
        &mut first,
        &[
            ("Q quit", "2"),
            ("File or folder", &newcomer.campus.report()),
            // By Blackboard's lists, or by CUHK's answer if those are a moment older.
            ("Refused [", SEEN),
            (
                "With a new code, 1 in this menu replaces the certificate of 1155000010.",
                SEEN,
            ),
            ("Q quit", "1"),
            ("Enrolment code of 1155000010", &code),
            ("(Enter: none):", ""),
            ("1155000010 sign finished", SEEN),
            ("Q quit", "q"),
        ],
    );
    first.expect(Eof).unwrap();
    // Another session knows nothing of a refusal.
    let code = revoke(&newcomer.campus, sid);
    let mut second = terminal(newcomer.command(&["--lang", "zh-Hant"]));
    answer(
        &mut second,
        &[
            ("學生編號 1 [1155000010]：", sid),
            ("學生編號 2", ""),
            ("Q 離開", "1"),
            ("更換誰的證書？", "1155000011"),
            ("1155000011 不在組內", SEEN),
            ("更換誰的證書？", sid),
            ("1155000010 的註冊碼", &code),
            ("（Enter：不設）：", ""),
            ("1155000010 簽發完成", SEEN),
            ("Q 離開", "2"),
            ("檔案或資料夾", &newcomer.campus.report()),
            // The same version as before, whatever the certificate.
            ("S-000001.zip", SEEN),
            ("Q 離開", "1"),
            ("更換誰的證書？", ""),
            ("Q 離開", "q"),
        ],
    );
    second.expect(Eof).unwrap();
}
