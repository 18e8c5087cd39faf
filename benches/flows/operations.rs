//! The cryptographic operations one by one, and how many of each a hand-in of three takes.

use std::hint::black_box;

use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::{agreement, digest, hmac, rand};
use scb_certs::{Chain, DetachedSignature, Fingerprint, SigningKey, TrustStore, sign_detached};
use scb_protocol::session::{SessionSecret, Share, open_share, seal_share};
use scb_protocol::values::Challenge;
use scb_protocol::{Channel, Transcript1, Transcript2, UnverifiedToken};
use scb_testkit::{TestCampus, TestIdentity};

use crate::handshake;
use crate::measure::{Effort, Spread, time, time_with};
use crate::protocol::{Group, THREE, name};

const MIB: usize = 1024 * 1024;

/// How often Blackboard, CUHK and the group's program do something in steps 3 to 6.
struct Count {
    blackboard: f64,
    cuhk: f64,
    student: f64,
}

/// An operation, its time in microseconds, and how often it is done.
pub struct Cost {
    what: &'static str,
    time: Spread,
    count: Count,
}

/// What one hand-in's operations sum up to, in microseconds.
pub struct Sum {
    pub blackboard: f64,
    pub cuhk: f64,
    pub student: f64,
}

impl Sum {
    pub fn servers(&self) -> f64 {
        self.blackboard + self.cuhk
    }

    pub fn all(&self) -> f64 {
        self.servers() + self.student
    }
}

fn cost(what: &'static str, time: Spread, blackboard: f64, cuhk: f64, student: f64) -> Cost {
    let count = Count {
        blackboard,
        cuhk,
        student,
    };
    Cost { what, time, count }
}

/// Measures them. What stands inside a later operation is counted there, not alone.
pub fn all(effort: &Effort) -> Vec<Cost> {
    let campus = TestCampus::new();
    let mut costs = primitives(effort);
    let (client, server) = handshake::measure(effort, &campus);
    costs.push(cost("TLS handshake, server's side", server, 1.0, 0.0, 0.0));
    costs.push(cost("TLS handshake, client's side", client, 0.0, 0.0, 1.0));
    costs.extend(chains(effort, &campus));
    costs.extend(tokens(effort, &campus));
    costs.extend(shares(effort));
    costs.extend(signatures(effort, &campus));
    costs
}

fn primitives(effort: &Effort) -> Vec<Cost> {
    let key = SigningKey::generate().unwrap();
    let message = [7; 64];
    let signature = key.sign_raw(&message).unwrap();
    let sign = time(effort, || key.sign_raw(&message));
    let verify = time(effort, || key.public_key().verify_raw(&message, &signature));
    let random = rand::SystemRandom::new();
    let keypair = || agreement::EphemeralPrivateKey::generate(&agreement::X25519, &random).unwrap();
    let peer = keypair().compute_public_key().unwrap();
    let peer = agreement::UnparsedPublicKey::new(&agreement::X25519, peer);
    let x25519 = time_with(effort, keypair, |mine| {
        agreement::agree_ephemeral(mine, &peer, |secret| black_box(secret[0]))
    });
    let hkdf = time(effort, hkdf_once);
    let mac_key = hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]);
    let mac = time(effort, || hmac::sign(&mac_key, &[2; 600]));
    let content = vec![3; MIB];
    let sha256 = time(effort, || digest::digest(&digest::SHA256, &content));
    vec![
        cost("P-256 sign", sign, 0.0, 0.0, 0.0),
        cost("P-256 verify", verify, 0.0, 0.0, 0.0),
        cost("X25519 agreement", x25519, 0.0, 0.0, 0.0),
        cost("HKDF extract, 3 × expand", hkdf, 1.0, 0.0, 1.0),
        cost("HMAC-SHA-256, 600 bytes", mac, 3.0, 0.0, 3.0),
        // The receipt's files, about 20 KB, and the receipt; Blackboard hashes the files twice.
        cost("SHA-256, 1 MiB", sha256, 0.06, 0.0, 0.04),
    ]
}

fn hkdf_once() -> [[u8; 32]; 3] {
    struct Length;
    impl KeyType for Length {
        fn len(&self) -> usize {
            32
        }
    }
    let secret = Salt::new(HKDF_SHA256, &[1; 32]).extract(&[2; 96]);
    [b"a", b"b", b"c"].map(|label| {
        let mut key = [0; 32];
        let info = [label.as_slice()];
        secret
            .expand(&info, Length)
            .unwrap()
            .fill(&mut key)
            .unwrap();
        key
    })
}

fn chains(effort: &Effort, campus: &TestCampus) -> Vec<Cost> {
    let (student, now) = (campus.student("1155000001"), campus.now());
    let trust = || campus.trust();
    let verify = |trust: &TrustStore| trust.verify_student(&student.chain, now).unwrap();
    let first = time_with(effort, trust, |trust| verify(&trust));
    let without = time_with(
        effort,
        || campus.trust_without_crls(),
        |trust| verify(&trust),
    );
    let known = campus.trust();
    let again = time(effort, || verify(&known));
    vec![
        // The second and third member; the first one's is in the handshake. A receipt has five.
        cost("chain with CRLs, first time", first, 2.0, 0.0, 5.0),
        cost("chain without CRLs, first time", without, 0.0, 0.0, 1.0),
        // Member 1 in step 3, all three twice in step 6; they and Blackboard in the receipt.
        cost("chain that is known", again, 11.0, 0.0, 0.0),
    ]
}

fn tokens(effort: &Effort, campus: &TestCampus) -> Vec<Cost> {
    let group = Group::of(campus, &THREE);
    let question = group.question();
    let issue = time(effort, || group.answer(&question));
    let (trust, now) = (campus.trust(), campus.now());
    let member = &group.members[0];
    let student = trust.verify_student(&member.chain, now).unwrap();
    let audience = name("service/blackboard");
    let verify = time(effort, || {
        UnverifiedToken(&member.token)
            .verify(&trust, &audience, &student, now)
            .unwrap()
    });
    vec![
        cost("JWS sign", issue, 0.0, 2.0, 3.0),
        // Three tokens, three proofs, two answers of CUHK, one of them again in the receipt; the
        // group: the answer, and again in the receipt.
        cost("JWS verify, signer's chain known", verify, 9.0, 0.0, 2.0),
    ]
}

fn shares(effort: &Effort) -> Vec<Cost> {
    let channel = Channel {
        exporter: [0; 32],
        service: name("service/blackboard"),
        client_certificate: Fingerprint::of(b""),
    };
    let t1 = Transcript1::new(&channel, &Challenge::random().unwrap(), &[]);
    let t2 = Transcript2::new(&t1, [], [], Default::default());
    let sid = THREE[0].parse().unwrap();
    let generate = time(effort, SessionSecret::generate);
    let secret = SessionSecret::generate().unwrap();
    let (share, to) = (Share::random().unwrap(), secret.public_key());
    let seal = time(effort, || seal_share(&share, &to, &t2, &sid, 0).unwrap());
    let sealed = seal_share(&share, &to, &t2, &sid, 0).unwrap();
    let open = time(effort, || {
        open_share(&sealed, &secret, &t2, &sid, 0).unwrap()
    });
    vec![
        cost("HPKE key pair", generate, 0.0, 0.0, 3.0),
        cost("HPKE seal", seal, 3.0, 0.0, 0.0),
        cost("HPKE open", open, 0.0, 0.0, 3.0),
    ]
}

fn signatures(effort: &Effort, campus: &TestCampus) -> Vec<Cost> {
    let students = THREE.map(|sid| campus.student(sid));
    let blackboard = campus.service("blackboard");
    let pairs = |who: &'_ [TestIdentity]| -> Vec<(SigningKey, Chain)> {
        who.iter()
            .map(|one| (one.key.clone(), one.chain.clone()))
            .collect()
    };
    let (three, one) = (pairs(&students), pairs(std::slice::from_ref(&blackboard)));
    let statement = [5; 700];
    let sign = |who: &[(SigningKey, Chain)]| {
        let signers: Vec<_> = who.iter().map(|(key, chain)| (key, chain)).collect();
        sign_detached(&statement, &signers, campus.now()).unwrap()
    };
    let verify = |signature: &[u8]| {
        let parsed = DetachedSignature::parse(signature).unwrap();
        parsed.verify(&statement).unwrap()
    };
    let (of_three, of_one) = (sign(&three), sign(&one));
    vec![
        cost(
            "CMS sign, 3 signers",
            time(effort, || sign(&three)),
            0.0,
            0.0,
            1.0,
        ),
        cost(
            "CMS verify, 3 signers",
            time(effort, || verify(&of_three)),
            2.0,
            0.0,
            1.0,
        ),
        cost(
            "CMS sign, 1 signer",
            time(effort, || sign(&one)),
            1.0,
            0.0,
            0.0,
        ),
        cost(
            "CMS verify, 1 signer",
            time(effort, || verify(&of_one)),
            1.0,
            0.0,
            1.0,
        ),
    ]
}

/// Prints the table and returns its sums.
pub fn print_sum(costs: &[Cost]) -> Sum {
    println!("\ncryptographic operations, and how many a group of three takes in steps 3 to 6");
    println!("(B Blackboard, C CUHK, S the students' program; 0 where another row contains it)\n");
    println!(
        "{:34} {:>9} {:^21} {:>5} {:>3} {:>5}",
        "operation", "µs", "quartiles", "B", "C", "S"
    );
    for Cost { what, time, count } in costs {
        let (low, high) = time.quartiles;
        let quartiles = format!("({low:.1} – {high:.1})");
        println!(
            "{what:34} {:9.1} {quartiles:^21} {:>5} {:>3} {:>5}",
            time.median, count.blackboard, count.cuhk, count.student
        );
    }
    let total = |count: fn(&Count) -> f64| -> f64 {
        let part = |cost: &Cost| cost.time.median * count(&cost.count);
        costs.iter().map(part).sum()
    };
    let sum = Sum {
        blackboard: total(|count| count.blackboard),
        cuhk: total(|count| count.cuhk),
        student: total(|count| count.student),
    };
    println!(
        "\nsum: Blackboard {:.0} µs + CUHK {:.0} µs = servers {:.0} µs; students {:.0} µs; all {:.0} µs",
        sum.blackboard,
        sum.cuhk,
        sum.servers(),
        sum.student,
        sum.all()
    );
    sum
}
