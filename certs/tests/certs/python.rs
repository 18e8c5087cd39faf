//! Python's `cryptography` as the judge of chains, lists, requests and keys.

use scb_certs::{Passphrase, ServiceName, create_request};

use crate::campus::{Campus, new_key, now};
use crate::judge::{Judge, everything};

const SCRIPT: &str = include_str!("judge.py");

#[test]
fn python_agrees() {
    let Some(judge) = Judge::python() else { return };
    let campus = Campus::new();
    let (student, key) = (campus.student("1155000001"), new_key());
    let passphrase = Passphrase::from("correct horse".to_owned());
    judge.write("root.pem", campus.root.certificate().to_pem());
    judge.write("students.pem", campus.students.certificate().to_pem());
    judge.write("services.pem", campus.services.certificate().to_pem());
    judge.write("student.pem", student.leaf().to_pem());
    judge.write(
        "service.pem",
        campus.service(&ServiceName::blackboard()).leaf().to_pem(),
    );
    judge.write(
        "students.crl",
        campus.students_crl(&[student.leaf()]).to_pem(),
    );
    judge.write("request.der", create_request(&key).unwrap());
    judge.write("key.pem", key.to_pem(Some(&passphrase)).unwrap().as_bytes());
    judge.write("signature", key.sign_raw(b"message").unwrap());
    let output = judge.run(["-c", SCRIPT, &now().as_secs().to_string()]);
    assert!(output.status.success(), "{}", everything(&output));
    assert_eq!(everything(&output), "agreed\n");
}
