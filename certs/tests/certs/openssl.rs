//! `openssl` as the judge of what we write, and we as the judge of what it writes.

use scb_certs::{
    Chain, DetachedSignature, Error, Passphrase, ServiceName, SigningKey, VerifiedRequest,
    create_request, sign_detached,
};

use crate::campus::{Campus, days_ago, in_days, new_key, now};
use crate::judge::{Judge, attime};

const CONTENT: &[u8] = b"{\"type\":\"statement\"}\n";

fn write_campus(judge: &Judge, campus: &Campus) {
    judge.write("root.pem", campus.root.certificate().to_pem());
    judge.write("students.pem", campus.students.certificate().to_pem());
    judge.write("services.pem", campus.services.certificate().to_pem());
    judge.write("root.crl", campus.root_crl(&[]).to_pem());
    judge.write("students.crl", campus.students_crl(&[]).to_pem());
    judge.write("services.crl", campus.services_crl(&[]).to_pem());
}

fn verify_line(issuer: &str, purpose: &str, leaf: &str) -> String {
    format!(
        "verify -x509_strict -crl_check_all -CAfile root.pem -untrusted {issuer}.pem \
         -CRLfile root.crl -CRLfile {issuer}.crl -purpose {purpose} {} {leaf}",
        attime(now())
    )
}

#[test]
fn openssl_verifies_every_chain_strictly() {
    let Some(judge) = Judge::openssl() else {
        return;
    };
    let campus = Campus::new();
    write_campus(&judge, &campus);
    judge.write("student.pem", campus.student("1155000001").leaf().to_pem());
    judge.write(
        "service.pem",
        campus.service(&ServiceName::blackboard()).leaf().to_pem(),
    );
    judge.write("token.pem", campus.token_signer().leaf().to_pem());
    judge.accepts(&verify_line("students", "sslclient", "student.pem"));
    judge.accepts(&verify_line("services", "sslserver", "service.pem"));
    judge.accepts(&verify_line("services", "sslclient", "service.pem"));
    judge.accepts(&verify_line("services", "any", "token.pem"));
    judge.refuses(&verify_line("students", "sslserver", "student.pem"));
    judge.refuses(&verify_line("services", "sslclient", "token.pem"));
}

#[test]
fn openssl_checks_host_names() {
    let Some(judge) = Judge::openssl() else {
        return;
    };
    let campus = Campus::new();
    write_campus(&judge, &campus);
    judge.write(
        "service.pem",
        campus.service(&ServiceName::blackboard()).leaf().to_pem(),
    );
    let line = verify_line("services", "sslserver", "service.pem");
    judge.accepts(&line.replace("-purpose", "-verify_hostname localhost -purpose"));
    judge.accepts(&line.replace("-purpose", "-verify_ip ::1 -purpose"));
    judge.refuses(&line.replace("-purpose", "-verify_hostname cuhk.example -purpose"));
}

#[test]
fn openssl_sees_what_is_revoked_and_what_has_expired() {
    let Some(judge) = Judge::openssl() else {
        return;
    };
    let campus = Campus::new();
    write_campus(&judge, &campus);
    let holder = campus.student("1155000001");
    judge.write("student.pem", holder.leaf().to_pem());
    let line = verify_line("students", "sslclient", "student.pem");
    judge.write(
        "students.crl",
        campus.students_crl(&[holder.leaf()]).to_pem(),
    );
    assert!(judge.refuses(&line).contains("certificate revoked"));
    let old = campus
        .students
        .sign_crl(1, days_ago(2), days_ago(1), &[])
        .unwrap();
    judge.write("students.crl", old.to_pem());
    assert!(judge.refuses(&line).contains("CRL has expired"));
    judge.write("students.crl", campus.students_crl(&[]).to_pem());
    let late = line.replace(&attime(now()), &attime(in_days(31)));
    assert!(judge.refuses(&late).contains("certificate has expired"));
}

#[test]
fn openssl_prints_the_same_serial_and_fingerprint() {
    let Some(judge) = Judge::openssl() else {
        return;
    };
    let campus = Campus::new();
    for _ in 0..8 {
        let holder = campus.student("1155000001");
        judge.write("leaf.pem", holder.leaf().to_pem());
        let printed = judge.accepts("x509 -in leaf.pem -noout -serial -fingerprint -sha256");
        assert!(
            printed.contains(&format!("serial={}\n", holder.leaf().serial())),
            "{printed}"
        );
        let printed = printed
            .lines()
            .find_map(|line| line.split_once("ingerprint="))
            .unwrap()
            .1;
        assert_eq!(printed.parse().ok(), Some(holder.leaf().fingerprint()));
    }
}

#[test]
fn openssl_verifies_revocation_lists() {
    let Some(judge) = Judge::openssl() else {
        return;
    };
    let campus = Campus::new();
    write_campus(&judge, &campus);
    let holder = campus.student("1155000001");
    judge.write(
        "students.crl",
        campus.students_crl(&[holder.leaf()]).to_pem(),
    );
    let printed = judge.accepts("crl -in students.crl -CAfile students.pem -noout -verify -text");
    assert!(printed.contains("verify OK"), "{printed}");
    assert!(
        printed.contains(&holder.leaf().serial().to_string()),
        "{printed}"
    );
    assert!(printed.contains("Key Compromise"), "{printed}");
    judge.accepts("crl -in root.crl -CAfile root.pem -noout -verify");
    let other = Campus::new().students.certificate().to_pem();
    judge.write("other.pem", other);
    let printed = judge.run("crl -in students.crl -CAfile other.pem -noout -verify".split(' '));
    assert!(!crate::judge::everything(&printed).contains("verify OK"));
}

#[test]
fn openssl_reads_our_encrypted_keys() {
    let Some(judge) = Judge::openssl() else {
        return;
    };
    let key = new_key();
    let chosen = Passphrase::from("correct-horse".to_owned());
    for passphrase in [chosen.clone(), chosen.known_random()] {
        judge.write("key.pem", key.to_pem(Some(&passphrase)).unwrap().as_bytes());
        let public = "pkey -in key.pem -passin pass:correct-horse -pubout -outform DER";
        judge.accepts(&format!("{public} -out pub.der"));
        assert_eq!(judge.read("pub.der"), key.public_key().spki_der());
        judge.refuses("pkey -in key.pem -passin pass:battery-staple -noout");
    }
    judge.write("plain.pem", key.to_pem(None).unwrap().as_bytes());
    judge.accepts("pkey -in plain.pem -noout -check");
}

#[test]
fn we_read_openssl_s_keys() {
    let Some(judge) = Judge::openssl() else {
        return;
    };
    let generate = "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256";
    judge.accepts(&format!("{generate} -out plain.pem"));
    judge.accepts(&format!(
        "{generate} -aes-256-cbc -pass pass:secret -out encrypted.pem"
    ));
    judge.accepts(&format!(
        "{generate} -pkeyopt ec_param_enc:explicit -out explicit.pem"
    ));
    judge.accepts("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem");
    let read = |name, passphrase: Option<&Passphrase>| {
        SigningKey::from_pem(&String::from_utf8(judge.read(name)).unwrap(), passphrase)
    };
    let (right, wrong) = ("secret".to_owned().into(), "other".to_owned().into());
    assert!(read("plain.pem", None).is_ok());
    assert!(read("encrypted.pem", Some(&right)).is_ok());
    assert!(matches!(
        read("encrypted.pem", Some(&wrong)),
        Err(Error::WrongPassphrase)
    ));
    assert!(matches!(
        read("encrypted.pem", None),
        Err(Error::PassphraseNeeded)
    ));
    assert!(matches!(
        read("explicit.pem", None),
        Err(Error::KeyUnsupported)
    ));
    assert!(matches!(read("rsa.pem", None), Err(Error::KeyUnsupported)));
}

#[test]
fn openssl_verifies_our_requests() {
    let Some(judge) = Judge::openssl() else {
        return;
    };
    judge.write("request.der", create_request(&new_key()).unwrap());
    let printed = judge.accepts("req -inform DER -in request.der -noout -verify");
    assert!(printed.contains("OK"), "{printed}");
}

#[test]
fn we_judge_openssl_s_requests() {
    let Some(judge) = Judge::openssl() else {
        return;
    };
    let p256 = "ec -pkeyopt ec_paramgen_curve:P-256";
    let request = |key: &str| {
        judge.accepts(&format!(
            "req -new -newkey {key} -nodes -subj /CN=anybody -addext subjectAltName=DNS:a.b \
             -addext basicConstraints=critical,CA:TRUE -keyout key.pem -outform DER -out r.der"
        ));
        VerifiedRequest::verify(&judge.read("r.der"))
    };
    assert!(request(&format!("{p256} -sha256")).is_ok());
    let sha384 = request(&format!("{p256} -sha384"));
    assert!(matches!(sha384, Err(Error::RequestAlgorithm)));
    let explicit = request(&format!("{p256} -pkeyopt ec_param_enc:explicit"));
    assert!(matches!(explicit, Err(Error::KeyUnsupported)));
    let p192 = request("ec -pkeyopt ec_paramgen_curve:P-192");
    assert!(matches!(p192, Err(Error::KeyUnsupported)));
    let p384 = request("ec -pkeyopt ec_paramgen_curve:P-384");
    assert!(matches!(p384, Err(Error::KeyUnsupported)));
    assert!(matches!(request("rsa:2048"), Err(Error::KeyUnsupported)));
}

#[test]
fn openssl_verifies_our_signatures() {
    let Some(judge) = Judge::openssl() else {
        return;
    };
    let campus = Campus::new();
    write_campus(&judge, &campus);
    let members = ["1155000001", "1155000002", "1155000003"].map(|id| campus.student(id));
    let signers: Vec<_> = members
        .iter()
        .map(|member| (&member.key, &member.chain))
        .collect();
    judge.write(
        "statement.p7s",
        sign_detached(CONTENT, &signers, now()).unwrap(),
    );
    judge.write("statement.json", CONTENT);
    judge.write("altered.json", [CONTENT, b" "].concat());
    let line = format!(
        "cms -verify -cades -binary -purpose any -inform DER -in statement.p7s -CAfile root.pem \
         -out verified -signer signers.pem {} -content statement.json",
        attime(now())
    );
    judge.accepts(&line);
    assert_eq!(judge.read("verified"), CONTENT);
    let found = String::from_utf8(judge.read("signers.pem")).unwrap();
    let found = Chain::from_pem(&found).unwrap();
    assert_eq!(found.certificates().len(), 3);
    assert!(
        members
            .iter()
            .all(|member| found.certificates().contains(member.leaf()))
    );
    judge.refuses(&line.replace("statement.json", "altered.json"));
    judge.write("root.pem", Campus::new().root.certificate().to_pem());
    judge.refuses(&line);
}

#[test]
fn we_verify_openssl_s_signatures() {
    let Some(judge) = Judge::openssl() else {
        return;
    };
    let campus = Campus::new();
    write_campus(&judge, &campus);
    let members = [campus.student("1155000001"), campus.student("1155000002")];
    for (index, member) in members.iter().enumerate() {
        judge.write(&format!("{index}.pem"), member.leaf().to_pem());
        judge.write(
            &format!("{index}.key"),
            member.key.to_pem(None).unwrap().as_bytes(),
        );
    }
    judge.write("statement.json", CONTENT);
    let line = "cms -sign -binary -md sha256 -nosmimecap -outform DER -certfile students.pem \
                -signer 0.pem -inkey 0.key -signer 1.pem -inkey 1.key -in statement.json";
    judge.accepts(&format!("{line} -cades -out cades.p7s"));
    judge.accepts(&format!("{line} -out plain.p7s"));
    let verify = |name| DetachedSignature::parse(&judge.read(name))?.verify(CONTENT);
    let signers = verify("cades.p7s").unwrap();
    for member in &members {
        assert!(signers.iter().any(|signer| signer.chain == member.chain));
    }
    assert!(matches!(verify("plain.p7s"), Err(Error::CmsMalformed(_))));
}
