//! What is signed and kept, as it looks; keys and random values have their names instead.

use scb_protocol::log_leaf::Leaf;
use scb_protocol::receipt::file;
use scb_testkit::TestCampus;
use serde_json::Value;

use crate::support::{Group, Jws, THREE, part, unpack};

/// JSON in which every text that differs from run to run has a name instead.
fn with_names(mut value: Value, names: &[(String, String)]) -> String {
    rename(&mut value, names);
    serde_json::to_string_pretty(&value).unwrap()
}

fn rename(value: &mut Value, names: &[(String, String)]) {
    match value {
        Value::String(text) => {
            if let Some((_, name)) = names.iter().find(|(known, _)| known == text) {
                text.clone_from(name);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| rename(value, names)),
        Value::Object(fields) => fields.values_mut().for_each(|value| rename(value, names)),
        _ => {}
    }
}

/// The hashes and certificates of a group, and what to call them.
fn names(group: &Group<'_>) -> Vec<(String, String)> {
    let mut names = Vec::new();
    let members = group.members.iter();
    let members = members.map(|member| (member.sid.to_string(), &member.chain));
    let services = [
        ("cuhk", &group.cuhk.chain),
        ("blackboard", &group.blackboard.chain),
    ];
    let services = services.map(|(name, chain)| (name.to_owned(), chain));
    for (who, chain) in members.chain(services) {
        let hash = chain.leaf().fingerprint();
        names.push((hash.to_string(), format!("<hex SHA-256 of {who}>")));
        let base64url = hash.to_base64url();
        names.push((base64url, format!("<base64url SHA-256 of {who}>")));
        let key_id = scb_protocol::key_id(&chain.leaf().public_key().unwrap());
        names.push((
            key_id,
            format!("<base64url thumbprint of the key of {who}>"),
        ));
        let ders = chain.to_base64().into_iter();
        for (der, what) in ders.zip(["leaf", "issuer"]) {
            names.push((der, format!("<DER of {who}: {what}>")));
        }
    }
    names
}

fn jws(token: &str, names: &[(String, String)]) -> String {
    let Jws { header, claims } = Jws::read(token);
    let part = |part| with_names(Value::Object(part), names);
    format!("{}\n.\n{}", part(header), part(claims))
}

fn named(value: &Value, name: &str) -> (String, String) {
    (value.as_str().unwrap().to_owned(), name.to_owned())
}

#[test]
fn tokens_proofs_and_verifications_look_like_this() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let mut names = names(&group);

    let token = &group.members[0].token;
    names.push(named(&Jws::read(token).claims["jti"], "<32 hex digits>"));
    insta::assert_snapshot!("identity_token", jws(token, &names));

    let stored = group.run().go().unwrap();
    let answer = stored.submission.assurance().verification().unwrap();
    names.push((answer.nonce().to_string(), "<nonce>".to_owned()));
    let statement = answer.statement_sha256().unwrap().to_string();
    names.push((statement, "<hex SHA-256 of the statement>".to_owned()));
    insta::assert_snapshot!("verification", jws(answer.token(), &names));

    let mut proof = String::new();
    let run = group.run().requests(|request| {
        if let scb_protocol::message::blackboard::Request::Present { members } = request {
            proof.clone_from(&members[0].proof);
        }
    });
    run.go().unwrap();
    names.push(named(&Jws::read(&proof).claims["t1"], "<base64url T1>"));
    insta::assert_snapshot!("proof", jws(&proof, &names));
}

#[test]
fn statement_and_entry_look_like_this() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let names = names(&group);
    // The field order of the bytes, too, which `Value` would sort.
    let mut statement = String::from_utf8(group.statement().to_bytes().unwrap()).unwrap();
    for (value, name) in &names {
        statement = statement.replace(value, name);
    }
    insta::assert_snapshot!("statement", statement);

    let files = unpack(&group.run().go().unwrap().zip);
    let text = |name| String::from_utf8(part(&files, name)).unwrap();
    let mut leaf = text(file::LEAF);
    for (name, bytes) in &files {
        let hash = scb_certs::Fingerprint::of(bytes).to_string();
        leaf = leaf.replace(&hash, &format!("<hex SHA-256 of {name}>"));
    }
    let salt = Leaf::parse(&part(&files, file::LEAF)).unwrap().salt;
    leaf = leaf.replace(&salt.to_string(), "<hex of 16 bytes>");
    insta::assert_snapshot!("leaf", leaf);
    insta::assert_snapshot!("pending", text(file::PENDING));
}
