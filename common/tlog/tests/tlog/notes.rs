//! Signed notes and checkpoints; the note is the one of Go's `sumdb/note`.

use data_encoding::BASE64;
use scb_tlog::{
    Algorithm, Checkpoint, Error, InclusionProof, NoteKey, SignedNote, TlogProof, TreeHead,
    UnverifiedCheckpoint, VerifierKey,
};

use crate::{log_key, name};

const SECRET: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n\
                    \n\
                    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

#[test]
fn a_note_of_another_implementation_is_verified_and_made() {
    let key: VerifierKey = PUBLIC.parse().unwrap();
    let note: SignedNote = NOTE.parse().unwrap();
    note.verify(&key).unwrap();
    assert_eq!(note.text(), TEXT);
    let secret = BASE64.decode(SECRET.as_bytes()).unwrap();
    let key = NoteKey::from_seed(name("PeterNeumann"), Algorithm::Ed25519, &secret[1..]).unwrap();
    assert_eq!(key.verifier().to_string(), PUBLIC);
    let mut note = SignedNote::new(TEXT.to_owned()).unwrap();
    note.sign(&key);
    assert_eq!(note.to_string(), NOTE);
    assert!(!format!("{key:?}").contains(&SECRET[2..40]));
}

#[test]
fn an_altered_note_is_refused() {
    let key: VerifierKey = PUBLIC.parse().unwrap();
    let altered: SignedNote = NOTE
        .replace("your problem is", "our problem is")
        .parse()
        .unwrap();
    assert!(matches!(
        altered.verify(&key),
        Err(Error::SignatureInvalid { .. })
    ));
    let other: SignedNote = NOTE.replace("— Peter", "— Jeter").parse().unwrap();
    assert!(matches!(
        other.verify(&key),
        Err(Error::SignatureMissing { .. })
    ));
    let cosigner = VerifierKey::new(
        name("PeterNeumann"),
        Algorithm::CosignatureV1,
        *key.public_key(),
    );
    let note: SignedNote = NOTE.parse().unwrap();
    assert!(note.verify(&cosigner).is_err(), "a key for another purpose");
}

#[test]
fn what_is_no_note_is_refused() {
    for note in [
        "",
        "\n",
        "text\n",
        "text\n\n",
        "text\n\n— name\n",
        "text\n\n— name AAAA\n",
        "text\n\n— na me AAAAAAAA\n",
        "text\n\n— na+me AAAAAAAA\n",
        "text\n\n— name AAAAAAAA",
        "text\n\n- name AAAAAAAA\n",
        "text\n\n— name AAAAAAA\n",
        "te\rxt\n\n— name AAAAAAAA\n",
        "text\n\n— name AAAAAAAA\nmore\n",
    ] {
        assert!(note.parse::<SignedNote>().is_err(), "{note:?}");
    }
    let line = "— name AAAAAAAA\n";
    let note = |lines: usize| format!("text\n\n{}", line.repeat(lines));
    assert!(note(64).parse::<SignedNote>().is_ok());
    assert!(note(65).parse::<SignedNote>().is_err(), "too many");
}

#[test]
fn a_verifier_key_with_a_wrong_id_is_refused() {
    for key in [
        PUBLIC.replace("c74f20a3", "c74f20a4"),
        PUBLIC.replace("c74f20a3", "C74F20A3"),
        PUBLIC.replace("+AR", "+Ax"),
        PUBLIC.replace("Peter", "Jeter"),
        PUBLIC.replace('+', ":"),
        "a+b+c".to_owned(),
    ] {
        assert!(key.parse::<VerifierKey>().is_err(), "{key}");
    }
}

fn signed(origin: &str, key: &NoteKey) -> String {
    let checkpoint = Checkpoint {
        origin: name(origin),
        head: TreeHead::empty(),
    };
    checkpoint.sign(key).unwrap().to_string()
}

#[test]
fn a_checkpoint_is_believed_from_its_own_log_only() {
    let key = log_key();
    let text = signed("example.com/log", &key);
    let checkpoint: UnverifiedCheckpoint = text.parse().unwrap();
    let verified = checkpoint.clone().verify(key.verifier()).unwrap();
    assert_eq!(verified.head(), TreeHead::empty());
    let other =
        NoteKey::from_seed(name("example.com/other"), Algorithm::Ed25519, &[1; 32]).unwrap();
    assert!(matches!(
        checkpoint.verify(other.verifier()),
        Err(Error::OtherOrigin { .. })
    ));
    let origin = name("example.com/log");
    let head = TreeHead::empty();
    assert!(Checkpoint { origin, head }.sign(&other).is_err());
    let grown: UnverifiedCheckpoint = text.replace("\n0\n", "\n1\n").parse().unwrap();
    assert!(matches!(
        grown.verify(key.verifier()),
        Err(Error::SignatureInvalid { .. })
    ));
}

#[test]
fn a_text_that_is_no_checkpoint_is_refused() {
    let key = log_key();
    let root = TreeHead::empty().root.to_string();
    for text in [
        format!("example.com/log\n{root}\n"),
        format!("example.com/log\n0\n{root}\nextension\n"),
        format!("example.com/log\n00\n{root}\n"),
        format!("example.com/log\n+1\n{root}\n"),
        format!("example.com/log\n-1\n{root}\n"),
        format!("example.com/log\n72057594037927937\n{root}\n"),
        format!("example.com/log\n0\n{}\n", &root[4..]),
        format!("\n0\n{root}\n"),
    ] {
        let mut note = SignedNote::new(text.clone()).unwrap();
        note.sign(&key);
        let parsed = note.to_string().parse::<UnverifiedCheckpoint>();
        assert!(parsed.is_err(), "{text:?}");
    }
}

#[test]
fn a_proof_is_read_as_it_was_written() {
    let key = log_key();
    let head = TreeHead {
        size: 1,
        root: scb_tlog::Hash::of_entry(b"entry"),
    };
    let origin = name("example.com/log");
    let checkpoint = Checkpoint { origin, head }.sign(&key).unwrap().to_string();
    for extra in [None, Some(b"salt".to_vec())] {
        let proof = TlogProof {
            index: 0,
            inclusion: InclusionProof::default(),
            checkpoint: checkpoint.parse().unwrap(),
            extra,
        };
        let text = proof.to_string();
        assert!(text.starts_with("c2sp.org/tlog-proof@v1\n"));
        let read: TlogProof = text.parse().unwrap();
        assert_eq!(read, proof);
        let verified = read.clone().verify(b"entry", key.verifier()).unwrap();
        assert_eq!((verified.index(), verified.checkpoint().head()), (0, head));
        assert!(read.verify(b"another", key.verifier()).is_err());
        for bad in [
            text.replace("@v1", "@v2"),
            text.replace("index 0", "index 00"),
            text.replace("index 0\n", ""),
            text.replace("index 0", "index 1")
                .replace("\n\n", "\nx\n\n"),
            text.replace("\n\n", "\n"),
        ] {
            assert!(bad.parse::<TlogProof>().is_err(), "{bad}");
        }
    }
}
