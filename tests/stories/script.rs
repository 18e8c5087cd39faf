//! What the scripts in `docs/` say of what they refuse: which file, and why, in words of people.

use std::fs;
use std::path::{Path, PathBuf};

use crate::archive::by_python;
use crate::campus::{Campus, Ran, python, script};

/// A receipt for two files; one has a name in Chinese.
fn receipt(campus: &Campus) -> (PathBuf, PathBuf) {
    let work = campus.outside().join("work");
    fs::create_dir_all(&work).unwrap();
    fs::write(work.join("報告.pdf"), "our report").unwrap();
    fs::write(work.join("note.txt"), "a note").unwrap();
    let submit = [
        "submit",
        "--ids",
        "1155000001",
        "--json",
        work.to_str().unwrap(),
    ];
    let told = campus.student(&submit).succeeded().json();
    (told["receipt"].as_str().unwrap().into(), work)
}

/// Makes the same ZIP file with a file of it empty, cut off, with other words in it, or without it.
const ALTER: &str = "import sys, zipfile
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

def with_another_key(signature):
    'Each certificate in it has a key that cannot sign.'
    for one in pkcs7.load_der_pkcs7_certificates(signature):
        other = x509.CertificateBuilder(one.issuer, one.subject, serial_number=one.serial_number)
        other = other.not_valid_before(one.not_valid_before_utc).not_valid_after(one.not_valid_after_utc)
        other = other.public_key(x25519.X25519PrivateKey.generate().public_key())
        other = other.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        signature = put(signature, *(c.public_bytes(Encoding.DER) for c in (one, other)))
    return signature

def put(data, old, new):
    'One DER value for another, in whatever holds it.'
    done, at = b'', 0
    while at < len(data):
        length, start = data[at + 1], at + 2
        if length & 0x80:
            start += length & 0x7f
            length = int.from_bytes(data[at + 2:start], 'big')
        whole, inner = data[at:start + length], data[start:start + length]
        if whole != old and old in inner:
            inner = put(inner, old, new)
            size = len(inner).to_bytes(4, 'big').lstrip(bytes(1))
            size = bytes([0x80 | len(size)]) + size
            whole = whole[:1] + size + inner
        done, at = done + (new if whole == old else whole), start + length
    return done

source, target, name, how = sys.argv[1:]
with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, 'w') as new:
    for one in old.namelist():
        data = old.read(one)
        if one != name:
            new.writestr(one, data)
        elif how == 'cut':
            new.writestr(one, data[:-40])
        elif how == 'empty':
            new.writestr(one, b'')
        elif how == 'x25519':
            new.writestr(one, with_another_key(data))
        elif how != 'remove':
            was, now = how.encode().split(b'>')
            assert was in data, data
            new.writestr(one, data.replace(was, now))
";

/// Names that Python gives its own errors.
const RAW: [&str; 6] = [
    "StopIteration",
    "IndexError",
    "KeyError",
    "InvalidSignature",
    "ValueError",
    "Wrong",
];

fn altered(receipt: &Path, (name, how): (&str, &str)) -> Option<PathBuf> {
    let target = receipt.with_file_name("altered.zip");
    let mut python = python()?;
    python.arg("-c").arg(ALTER).args([receipt, &target]);
    Ran::of(python.args([name, how])).succeeded();
    Some(target)
}

#[test]
fn the_script_says_which_file_and_why_and_shows_names_as_they_are() {
    let campus = Campus::sandbox();
    let (receipt, _) = receipt(&campus);
    let Some(told) = script(&campus, &receipt) else {
        return;
    };
    let told = told.succeeded().stdout;
    assert!(told.contains("file       報告.pdf, 10 bytes"), "{told}");
    for (name, how, why) in [
        ("leaf.json", "remove", "leaf.json is missing"),
        (
            "leaf.p7s",
            "remove",
            "not the files of a receipt: leaf.p7s is missing",
        ),
        ("leaf.json", "empty", "leaf.json: no JSON"),
        (
            "leaf.p7s",
            "empty",
            "leaf.p7s: not in the form that it must have",
        ),
        (
            "cuhk-ca.pem",
            "empty",
            "cuhk-ca.pem: not in the form that it must have",
        ),
        (
            "statement.p7s",
            "empty",
            "statement.p7s is not what was accepted",
        ),
        (
            "keys.p7s",
            "empty",
            "keys.p7s: not in the form that it must have",
        ),
        (
            "receipt.tlog-proof",
            "empty",
            "receipt.tlog-proof: not in the form",
        ),
        (
            "log.vkey",
            "+>-",
            "log.vkey is not the key that keys.json names",
        ),
        (
            "keys.json",
            "\"service\">\"servant\"",
            "keys.p7s is no signature of keys.json",
        ),
        ("crl.pem", "cut", "no revocation list of CN=root "),
        (
            "keys.p7s",
            "x25519",
            "keys.p7s is no signature of keys.json",
        ),
    ] {
        let altered = altered(&receipt, (name, how)).unwrap();
        let refused = script(&campus, &altered).unwrap();
        assert_eq!(refused.exit, Some(1), "{name}: {refused:#?}");
        let verdict = format!("it does NOT verify: {why}");
        assert!(refused.stdout.contains(&verdict), "{name}: {refused:#?}");
        for raw in RAW {
            assert!(!refused.stdout.contains(raw), "{name}: {refused:#?}");
        }
    }
    let missing = script(&campus, &receipt.with_file_name("S-999.zip")).unwrap();
    assert_eq!(missing.exit, Some(2), "nothing was judged: {missing:#?}");
    assert!(
        missing
            .stderr
            .contains("S-999.zip cannot be read: No such file")
    );
    assert!(!missing.stdout.contains("verdict"), "{missing:#?}");
}

/// Each alters a part of an archive; and what the verdict names.
const OF_ARCHIVE: [(&str, &str, &str); 12] = [
    ("keys.p7s", "empty", "keys.p7s: "),
    ("keys.p7s", "cut", "keys.p7s: "),
    ("export.p7s", "empty", "export.p7s: "),
    ("export.p7s", "cut", "export.p7s: "),
    ("export.p7s", "remove", "export.p7s is missing"),
    (
        "export.json",
        "\"lost\":0>\"lost\":1",
        "export.p7s is no signature of export.json",
    ),
    (
        "leaves.jsonl",
        "cut",
        "leaves.jsonl: the last line is cut off",
    ),
    (
        "leaves.jsonl",
        "\"index\":1>\"index\":9",
        "leaves.jsonl: entry 1",
    ),
    ("keys.json", "+>-", "keys.json: "),
    ("checkpoint", "cut", "checkpoint"),
    ("crl.pem", "empty", "in crl.pem"),
    (
        "submissions.csv",
        "empty",
        "submissions.csv is not what was exported",
    ),
];

#[test]
fn of_an_archive_the_script_says_which_of_its_files_as_well() {
    let campus = Campus::sandbox();
    let (receipt, _) = receipt(&campus);
    let archive = receipt.with_file_name("lab.zip");
    let write = [
        "submissions",
        "archive",
        archive.to_str().unwrap(),
        "--course",
        "SANDBOX",
        "--assignment",
        "lab",
    ];
    campus.administer_blackboard(&write).succeeded();
    let Some(whole) = by_python(&campus, &archive) else {
        return;
    };
    whole.succeeded();
    let refused = |file: &Path, why: &str| {
        let refused = by_python(&campus, file).unwrap();
        assert_eq!(refused.exit, Some(1), "{why}: {refused:#?}");
        let verdict = refused.stdout.lines().last().unwrap();
        assert!(verdict.contains("it does NOT verify: "), "{verdict}");
        assert!(verdict.contains(why), "{why}: {verdict}");
    };
    for (name, how, why) in OF_ARCHIVE {
        refused(&altered(&archive, (name, how)).unwrap(), why);
    }
    let number = "submissions/S-000001/receipt.zip";
    let once = format!("verify: {number}: no ZIP file");
    refused(&altered(&archive, (number, "empty")).unwrap(), &once);
    let other = receipt.with_file_name("other.zip");
    fs::write(&other, "not a ZIP file").unwrap();
    refused(&other, "other.zip: no ZIP file");
    let of_receipt = script(&campus, &other).unwrap();
    let told = "it does NOT verify: other.zip: no ZIP file";
    assert!(of_receipt.stdout.contains(told), "{of_receipt:#?}");
}

#[test]
fn of_a_file_that_is_another_the_hash_of_what_was_handed_in_under_that_name_is_told() {
    let campus = Campus::sandbox();
    let (receipt, work) = receipt(&campus);
    let note = work.join("note.txt");
    fs::write(&note, "another note").unwrap();
    let [receipt_path, note_path] = [&receipt, &note].map(|path| path.to_str().unwrap());
    let verify = ["verify", receipt_path, note_path];
    let told = campus.student(&verify);
    assert_eq!(told.exit, Some(3), "{told:#?}");
    // SHA-256 of `a note`.
    let own = "f63e34a034f19a24438f2d74b242bc96682abd843ecc4ea63fefed4006d860a3";
    let said = format!(
        "{} is not what was handed in under that name",
        note.display()
    );
    assert!(
        told.stderr.contains(&said) && told.stderr.contains(own),
        "{told:#?}"
    );
    let zh = campus.student(&["verify", receipt_path, note_path, "--lang", "zh-Hant"]);
    assert!(
        zh.stderr.contains("並非以此名提交的檔案") && zh.stderr.contains(own),
        "{zh:#?}"
    );
}
