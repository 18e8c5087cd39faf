//! Programs of others judge the receipt: `openssl` by the very commands of `VERIFY.md`, and
//! Python's `cryptography`.

mod late;
mod several;
mod trailing;
mod unpacked;

use std::process::Command;

use scb_certs::{Certificate, Crl, Fingerprint};
use scb_protocol::receipt::{Evidence, file};
use scb_testkit::TestCampus;

use self::unpacked::{TOKEN, shell};
pub(crate) use self::unpacked::{Unpacked, Verdict};
use crate::support::{Given, Group, Judge, THREE, Witnessing, judge, repack, retain};

const PYTHON: &str = include_str!("judge.py");

#[test]
fn openssl_confirms_the_receipt_by_the_commands_of_its_instructions() {
    if !judge(Judge::Openssl) {
        return;
    }
    let campus = TestCampus::new();
    let one = Group::of(&campus, &THREE[..1]);
    openssl_confirms(&Unpacked::of(&one), 1);
    let mut three = Group::of(&campus, &THREE);
    openssl_confirms(&Unpacked::of(&three), 3);
    openssl_confirms(&Unpacked::without_cuhk(&mut three), 3);
}

/// Whoever has no key of Blackboard or CUHK can sign a checkpoint with others. Nothing of it may look
/// good to somebody who pastes the commands and reads what they print.
fn keys_of_ones_own_are_seen(receipt: &Unpacked) {
    let forged: &[(&str, &dyn Fn(&str) -> String)] = &[
        (file::LOG_KEY, &|key| key.replace('A', "B")),
        (file::WITNESS_KEY, &|key| key.replace('A', "B")),
        (file::KEYS, &|keys| {
            keys.replace("\"log\":\"", "\"log\":\"other.")
        }),
    ];
    for (name, forge) in forged {
        let genuine = receipt.read(name);
        let other = forge(std::str::from_utf8(&genuine).unwrap());
        assert_ne!(other.as_bytes(), genuine, "{name}");
        receipt.write(name, other.as_bytes());
        let last = receipt.commands_of(8);
        let last = last.rsplit_once("python3 - <<'END'").unwrap().1;
        let said = shell(receipt.folder.path(), &format!("python3 - <<'END'{last}"));
        said.says("CUHK endorsed the keys of this log and of its witness: False");
        said.says("the log holds the entry: False");
        receipt.write(name, &genuine);
    }
}

/// The steps of the instructions, for the first `count` of the three.
fn openssl_confirms(receipt: &Unpacked, count: usize) {
    openssl_confirms_all_but_the_log(receipt, count);
    let log = receipt.step(8);
    log.says("CMS Verification successful");
    log.says("URI:spiffe://campus.test/service/cuhk");
    assert_eq!(
        log.output
            .matches("Signature Verified Successfully")
            .count(),
        2
    );
    log.says("Mon Mar  2 04:00:02");
    log.says("CUHK endorsed the keys of this log and of its witness: True");
    log.says("the log holds the entry: True");
    log.says("the log holds when it was committed: True");
    openssl_dates(receipt);
}

/// Step 9: CUHK was asked when it was committed, or was away.
fn openssl_dates(receipt: &Unpacked) {
    let then = receipt.step(9);
    let mode = receipt.json(file::LEAF)["entry"]["accepted"]["mode"].clone();
    let right = if mode == "verified" { "True" } else { "False" };
    then.says(&format!("of then about the members: {right}"));
    then.says("the entry has its hash: True");
    then.says(&format!("it names this very statement: {right}"));
    then.says("CUHK said it at 2026-03-02T04:00:00Z");
    then.says("Verified OK");
    then.says("then.pem: OK");
    then.says("URI:spiffe://campus.test/service/cuhk");
}

/// Step 7: each member is named, with the certificate that has signed, by CUHK's answer or token.
fn openssl_hears_cuhk(receipt: &Unpacked, count: usize) {
    let heard = receipt.step(7);
    let mode = receipt.json(file::LEAF)["entry"]["accepted"]["mode"].clone();
    let (kind, jwts, word) = match mode.as_str().unwrap() {
        "verified" => ("scb-verification+jwt", 1, "True"),
        _ => ("scb-identity+jwt", count, "'by token'"),
    };
    for (what, times) in [
        (format!(" {kind} {{"), jwts),
        ("Verified OK".to_owned(), jwts),
        (".pem: OK".to_owned(), jwts),
        ("URI:spiffe://campus.test/service/cuhk".to_owned(), jwts),
        (format!(", {word}]"), count),
    ] {
        assert_eq!(heard.output.matches(&what).count(), times, "{what}");
    }
    let signers = receipt.step(5).output;
    for sid in &THREE[..count] {
        let member = format!("['spiffe://campus.test/student/{sid}', '");
        let (_, certificate) = heard.output.split_once(&member).unwrap();
        assert!(signers.contains(&certificate[..64]), "{}", heard.output);
    }
}

/// Steps 1 to 7.
fn openssl_confirms_all_but_the_log(receipt: &Unpacked, count: usize) {
    let root = receipt.step(1).output;
    let (_, fingerprint) = root.trim().split_once('=').unwrap();
    assert_eq!(fingerprint.parse::<Fingerprint>().unwrap(), receipt.root);

    let accepted = receipt.step(2);
    accepted.says("CMS Verification successful");
    accepted.says("URI:spiffe://campus.test/service/blackboard");

    let hashes = receipt.step(3);
    let leaf = receipt.json(file::LEAF);
    let files = leaf["entry"]["accepted"]["files"].as_object().unwrap();
    let named = hashes.output.lines().filter(|line| !line.ends_with('-'));
    assert_eq!(named.count(), files.len());
    for (name, hash) in files {
        // Of the lists it may be the hash of the first ones.
        let name = if name == file::CRLS { "" } else { name };
        hashes.says(&format!("{}  {name}", hash.as_str().unwrap()));
    }

    receipt.step(4).says("CMS Verification successful");
    let members = receipt.step(5);
    members.says("signers are the members, by name: True");
    for sid in &THREE[..count] {
        members.says(&format!("URI:spiffe://campus.test/student/{sid}\n"));
    }

    let stated = receipt.json(file::STATEMENT)["files"][0]["sha256"].clone();
    receipt.step(6).says(stated.as_str().unwrap());
    openssl_hears_cuhk(receipt, count);
}

#[test]
fn openssl_refuses_altered_receipts() {
    if !judge(Judge::Openssl) {
        return;
    }
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let fresh = || {
        let receipt = Unpacked::of(&group);
        receipt.step(2).says("CMS Verification successful");
        receipt
    };
    for (step, name) in [
        (2, file::LEAF),
        (2, file::LEAF_SIGNATURE),
        (4, file::STATEMENT),
        (4, file::SIGNATURES),
    ] {
        let receipt = fresh();
        let last = receipt.read(name).len() - 1;
        let time = receipt.json(file::LEAF)["at"].clone();
        receipt.flip(name, last / 2);
        receipt.step_at(step, time.as_str().unwrap()).fails(name);
    }

    for name in [
        file::KEYS,
        file::KEYS_SIGNATURE,
        file::LOG_KEY,
        file::WITNESS_KEY,
    ] {
        let receipt = fresh();
        receipt.flip(name, receipt.read(name).len() / 2);
        receipt.step(8).refuses_log(name);
    }
    keys_of_ones_own_are_seen(&fresh());
    let receipt = fresh();
    receipt.step(7).says("Verified OK");
    let last = receipt.read(file::VERIFICATION).len() - 10;
    for place in [last, last / 2] {
        receipt.flip(file::VERIFICATION, place);
        receipt.step(7).fails(file::VERIFICATION);
        receipt.flip(file::VERIFICATION, place);
    }
    let proof = String::from_utf8(fresh().read(file::PROOF)).unwrap();
    for place in [
        proof.find("\n\n").unwrap() - 5,
        proof.len() - 200,
        proof.len() - 20,
    ] {
        let receipt = fresh();
        receipt.flip(file::PROOF, place);
        receipt.step(8).refuses_log(file::PROOF);
    }
    let receipt = fresh();
    let other = String::from_utf8(receipt.read(file::LEAF)).unwrap();
    receipt.write(
        file::LEAF,
        other.replace("\"salt\":\"", "\"salt\": \"").as_bytes(),
    );
    receipt.step(8).refuses_log(file::LEAF);

    let receipt = fresh();
    receipt.flip("report.txt", 0);
    let stated = receipt.json(file::STATEMENT)["files"][0]["sha256"].clone();
    let output = receipt.step(6).output;
    assert!(!output.contains(stated.as_str().unwrap()), "{output}");

    let receipt = fresh();
    let two = retain(&receipt.read(file::SIGNATURES), 2);
    receipt.write(file::SIGNATURES, &two);
    // `openssl` is content with a signature fewer: hence step 5.
    receipt.step(4).says("CMS Verification successful");
    receipt
        .step(5)
        .says("signers are the members, by name: False");
}

#[test]
fn openssl_refuses_another_time_another_root_and_who_was_revoked() {
    if !judge(Judge::Openssl) {
        return;
    }
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let receipt = Unpacked::of(&group);
    for time in ["2026-03-02T03:00:00Z", "2026-05-02T04:00:00Z"] {
        receipt.step_at(2, time).fails(time);
        receipt.step_at(4, time).fails(time);
    }
    receipt.step(2).says("CMS Verification successful");

    let right = receipt.read(file::CRLS);
    for revoked in group.members[1].chain.certificates() {
        let crls: String = campus.crls(2, &[revoked]).iter().map(Crl::to_pem).collect();
        receipt.write(file::CRLS, crls.as_bytes());
        receipt.step(2).says("CMS Verification successful");
        receipt.step(4).fails("revoked");
    }
    receipt.write(file::CRLS, &right);

    let impostor = TestCampus::new();
    let root = impostor.root().certificate().to_pem();
    receipt.write(file::ROOT, root.as_bytes());
    receipt.step(2).fails("another root");
    receipt.step(4).fails("another root");
}

fn python(receipt: &Unpacked) -> Verdict {
    let mut python = Command::new("python3");
    python.args(["-c", PYTHON, "spiffe://campus.test"]);
    let output = python.current_dir(receipt.folder.path()).output();
    output.unwrap().into()
}

/// What the script in `docs/` says of the files, put into an archive again.
pub(crate) fn script(receipt: &Unpacked, more: &[&str]) -> Verdict {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(receipt.folder.path()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name != "report.txt" && name != TOKEN {
            files.push((name.clone(), receipt.read(&name)));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let zip = folder.path().join("receipt.zip");
    std::fs::write(&zip, repack(&files)).unwrap();
    let mut python = Command::new("python3");
    python.arg(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/verify_receipt.py"
    ));
    python.arg(&zip).arg(receipt.root.to_string()).args(more);
    let output = python.current_dir(receipt.folder.path()).output();
    output.unwrap().into()
}

#[test]
fn python_confirms_an_identity_token_and_refuses_another() {
    if !judge(Judge::Cryptography) {
        return;
    }
    let (campus, impostor) = (TestCampus::new(), TestCampus::new());
    let group = Group::of(&campus, &THREE);
    let receipt = Unpacked::of(&group);
    python(&receipt).says("token: 1155000001 for spiffe://campus.test/service/blackboard");
    let forged = Unpacked::of(&Group::of(&impostor, &THREE));
    for (what, bytes) in [
        ("impostor's token", forged.read(TOKEN)),
        ("CUHK's answer", receipt.read(file::VERIFICATION)),
    ] {
        let receipt = Unpacked::of(&group);
        receipt.write(TOKEN, &bytes);
        python(&receipt).fails(what);
    }
    receipt.flip(TOKEN, receipt.read(TOKEN).len() - 10);
    python(&receipt).fails(TOKEN);
}

#[test]
fn the_script_confirms_what_a_receipt_proves() {
    if !judge(Judge::Cryptography) {
        return;
    }
    let campus = TestCampus::new();
    let mut group = Group::of(&campus, &THREE);
    let verdict = script(&Unpacked::of(&group), &["report.txt"]);
    for line in [
        "accepted   S-000001 at 2026-03-02T04:00:00Z by spiffe://campus.test/service/blackboard",
        "signed     1155000003 with certificate ",
        "confirmed  3 active, by spiffe://campus.test/service/cuhk",
        "compared   report.txt was handed in",
        "logged     entry 7 of campus.test/blackboard/SANDBOX/lab, in a tree of 10",
        "entered    entry 6, committed at 2026-03-02T04:00:00Z, in the same tree",
        "witnessed  by campus.test/witness/cuhk at 2026-03-02T04:00:02Z",
        "committed  at 2026-03-02T04:00:00Z, which counts for lateness: ",
        "verdict    it verifies: committed at 2026-03-02T04:00:00Z, which counts for lateness, and \
         complete at 2026-03-02T04:00:00Z\n",
    ] {
        verdict.says(line);
    }
    script(&Unpacked::without_cuhk(&mut group), &[]).says("tokens     CUHK was away; 3 tokens");
    let pending = Given::to(&group);
    script(&Unpacked::from(&pending.zip, &group), &[]).says("it verifies, but is PENDING");
    // Whoever was revoked or has expired since changes nothing.
    let receipt = Unpacked::of(&group);
    campus
        .clock()
        .advance(std::time::Duration::from_secs(10 * 365 * 24 * 3600));
    script(&receipt, &[]).says("it verifies: committed at");
}

#[test]
fn the_script_refuses_who_was_revoked_at_the_time_or_whose_authority_was() {
    if !judge(Judge::Cryptography) {
        return;
    }
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let given = Given::to(&group);
    let by = |revoked: &[&Certificate]| {
        let crls = campus.crls(1, revoked).iter().map(Crl::to_pem).collect();
        let evidence = Evidence {
            crls,
            ..given.evidence()
        };
        script(&Unpacked::from(&given.accepted(&evidence), &group), &[])
    };
    by(&[]).says("it verifies, but is PENDING");
    for revoked in group.members[1].chain.certificates() {
        by(&[revoked]).fails("revoked");
    }
}

#[test]
fn the_script_refuses_what_is_altered() {
    if !judge(Judge::Cryptography) {
        return;
    }
    let (campus, impostor) = (TestCampus::new(), TestCampus::new());
    let group = Group::of(&campus, &THREE);
    let given = Given::to(&group);
    let right = Unpacked::from(&Witnessing::of(&given).zip(), &group);
    script(&right, &["report.txt"]).says("it verifies: committed at");
    let forged = Unpacked::of(&Group::of(&impostor, &THREE));
    let names: Vec<String> = given.files().into_iter().map(|(name, _)| name).collect();
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.retain(|name| ![file::INSTRUCTIONS, file::PENDING].contains(name));
    names.extend([
        file::PROOF,
        file::LOG_KEY,
        file::WITNESS_KEY,
        file::KEYS,
        file::KEYS_SIGNATURE,
        file::COMMITTED,
        file::COMMITTED_PROOF,
    ]);
    for name in names {
        let bytes = right.read(name);
        let mut middle = bytes.clone();
        middle[bytes.len() / 2] ^= 1;
        for other in [middle, forged.read(name)] {
            if other == bytes {
                continue;
            }
            right.write(name, &other);
            script(&right, &[]).fails(name);
        }
        right.write(name, &bytes);
    }
    let two = retain(&right.read(file::SIGNATURES), 2);
    let all = right.read(file::SIGNATURES);
    right.write(file::SIGNATURES, &two);
    script(&right, &[]).fails("a signature fewer");
    right.write(file::SIGNATURES, &all);
    script(&right, &["VERIFY.md"]).fails("another file");
    let library = "library.example/witness+8fd8a4f5+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
    script(&right, &["--quorum", "2", "--witness", library])
        .has_said("1 of 2 witnesses cosigned, 2 must");
    script(&right, &["report.txt"]).says("it verifies: committed at");
}
