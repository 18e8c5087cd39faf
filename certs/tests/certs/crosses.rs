//! What one root says of another: whoever knows the one alone goes on to what is under the other.

use scb_certs::{
    Certificate, CertificateError, Chain, DistributionUrls, Error, Issuer, IssuerKind, Root,
    Serial, TrustStore, all_from_pem, certs_only, check_cross, leaf_validity, may_certify_root,
};

use crate::campus::{Campus, days_ago, in_days, new_key, no_urls, now, sid};
use crate::judge::{Judge, attime};
use crate::refusal::authority_parameters;

fn root_since(days: u64) -> Root {
    let domain = "cuhk.example".parse().unwrap();
    Root::create(&domain, new_key(), days_ago(days)).unwrap()
}

/// A campus whose root another one follows, with somebody under that.
struct Change {
    campus: Campus,
    newer: Root,
    students: Issuer,
    student: Chain,
    new_with_old: Certificate,
    old_with_new: Certificate,
}

impl Change {
    fn new() -> Self {
        let (campus, newer) = (Campus::new(), root_since(0));
        let students = newer
            .issue_issuer(IssuerKind::Students, new_key(), now(), &no_urls())
            .unwrap();
        let validity = leaf_validity(
            now(),
            scb_certs::Validities::STUDENT_LIFETIME,
            students.certificate(),
        );
        let (key, serial) = (new_key(), Serial::random().unwrap());
        let student = students
            .issue_student(
                &sid("1155000001"),
                key.public_key(),
                &serial,
                &validity,
                &no_urls(),
            )
            .unwrap();
        let cross = |by: &Root, of: &Root| {
            by.cross_certify(of.certificate(), now(), &no_urls())
                .unwrap()
        };
        Self {
            new_with_old: cross(&campus.root, &newer),
            old_with_new: cross(&newer, &campus.root),
            campus,
            newer,
            students,
            student,
        }
    }

    /// What EST hands out, as it comes out of a certs-only message.
    fn authorities(&self, judge: &Judge, with_crosses: bool) {
        let mut all = vec![
            self.campus.root.certificate(),
            self.newer.certificate(),
            self.campus.students.certificate(),
            self.students.certificate(),
        ];
        if with_crosses {
            all.splice(0..0, [&self.new_with_old, &self.old_with_new]);
        }
        judge.write("cas.p7", certs_only(&all).unwrap());
        judge.accepts("pkcs7 -inform DER -in cas.p7 -print_certs -out cas.pem");
        let read = String::from_utf8(judge.read("cas.pem")).unwrap();
        let read = all_from_pem(&read).unwrap();
        assert_eq!(read.iter().collect::<Vec<_>>(), all, "in their order");
    }

    fn write(&self, judge: &Judge) {
        let list = |root: &Root| root.sign_crl(1, now(), in_days(400), &[]).unwrap().to_pem();
        let students = self.students.sign_crl(1, now(), in_days(1), &[]).unwrap();
        let lists = [
            list(&self.campus.root),
            list(&self.newer),
            students.to_pem(),
            self.campus.students_crl(&[]).to_pem(),
        ];
        judge.write("lists.pem", lists.concat());
        let (old, new) = (self.campus.root.certificate(), self.newer.certificate());
        judge.write("old.pem", old.to_pem());
        judge.write("new.pem", new.to_pem());
        judge.write("both.pem", new.to_pem() + &old.to_pem());
        judge.write("after.pem", self.student.leaf().to_pem());
        judge.write(
            "before.pem",
            self.campus.student("1155000002").leaf().to_pem(),
        );
    }
}

fn verify_line(knows: &str, leaf: &str) -> String {
    format!(
        "verify -x509_strict -crl_check_all -CAfile {knows}.pem -untrusted cas.pem -CRLfile lists.pem \
         -purpose sslclient {} {leaf}.pem",
        attime(now())
    )
}

#[test]
fn openssl_goes_on_from_either_root_to_what_is_under_the_other() {
    let Some(judge) = Judge::openssl() else {
        return;
    };
    let change = Change::new();
    change.write(&judge);
    change.authorities(&judge, true);
    for knows in ["old", "new", "both"] {
        for leaf in ["before", "after"] {
            judge.accepts(&verify_line(knows, leaf));
        }
    }
    // The twin: without what they say of each other.
    change.authorities(&judge, false);
    for (knows, leaf) in [("old", "after"), ("new", "before")] {
        judge.refuses(&verify_line(knows, leaf));
    }
    judge.accepts(&verify_line("both", "after"));
}

/// Our own programs follow the trust bundle, and nothing else.
#[test]
fn a_chain_over_another_root_is_none_of_ours() {
    let change = Change::new();
    let [leaf, issuer] = change.student.certificates() else {
        panic!("two");
    };
    let longer = vec![leaf.clone(), issuer.clone(), change.new_with_old.clone()];
    let longer = Chain::new(longer).unwrap();
    let refused = change.campus.trust().verify_student(&longer, now());
    assert!(
        matches!(
            refused,
            Err(CertificateError::UnknownIssuer | CertificateError::IssuerNamesake)
        ),
        "{refused:?}"
    );
    let knows_newer = TrustStore::new(change.newer.certificate().clone()).unwrap();
    knows_newer.verify_student(&change.student, now()).unwrap();
    // No root by itself either.
    assert!(TrustStore::new(change.new_with_old).is_err());
}

#[test]
fn it_is_the_roots_key_and_name_for_thirteen_months_and_no_longer_than_either_root() {
    let urls = DistributionUrls {
        crl: Some("http://crl.cuhk.example/crl/root.crl".into()),
        ca: Some("http://crl.cuhk.example/ca/root.cer".into()),
    };
    let (older, newer) = (root_since(0), root_since(0));
    let cross = older
        .cross_certify(newer.certificate(), now(), &urls)
        .unwrap();
    check_cross(&cross, newer.certificate(), older.certificate()).unwrap();
    assert_eq!(cross.not_after(), in_days(400));
    assert_eq!(cross.path_length(), Some(1));
    assert_eq!(cross.subject_key_id(), newer.certificate().subject_key_id());
    assert_eq!(
        cross.authority_key_id(),
        older.certificate().subject_key_id()
    );
    assert_eq!(cross.revocation_list_urls(), [urls.crl.unwrap()]);
    assert_eq!(cross.issuer_urls(), [urls.ca.unwrap()]);
    let aged = root_since(3600);
    for (by, of) in [(&older, &aged), (&aged, &older)] {
        let cross = by.cross_certify(of.certificate(), now(), &no_urls());
        assert_eq!(cross.unwrap().not_after(), aged.certificate().not_after());
    }
}

#[test]
fn nothing_but_another_root_of_the_same_campus_is_certified() {
    let change = Change::new();
    let root = &change.campus.root;
    let refused = |what: &Certificate| root.cross_certify(what, now(), &no_urls()).unwrap_err();
    let own = refused(root.certificate());
    assert!(matches!(own, Error::KeyOfAuthority), "{own:?}");
    let elsewhere = Campus::of("elsewhere.example");
    let elsewhere = refused(elsewhere.root.certificate());
    assert!(
        matches!(elsewhere, Error::IssuerInvalid(_)),
        "{elsewhere:?}"
    );
    for no_root in [
        change.students.certificate(),
        change.student.leaf(),
        &change.new_with_old,
    ] {
        let refused = refused(no_root);
        assert!(matches!(refused, Error::RootInvalid(_)), "{refused:?}");
    }
}

/// A root that was made before there were such certificates says that one authority may follow it.
#[test]
fn a_root_that_one_authority_may_follow_certifies_no_other() {
    let campus = Campus::new();
    let key = new_key();
    let parameters = authority_parameters(&campus, 1).self_signed(&key).unwrap();
    let earlier = Certificate::from_der(parameters.der()).unwrap();
    let earlier = Root::from_parts(earlier, key).unwrap();
    assert!(!may_certify_root(earlier.certificate()));
    assert!(may_certify_root(campus.root.certificate()));
    let refused = earlier.cross_certify(campus.root.certificate(), now(), &no_urls());
    assert!(
        matches!(refused, Err(Error::IssuerInvalid(_))),
        "{refused:?}"
    );
}

#[test]
fn each_is_of_these_two_roots_in_this_order() {
    let change = Change::new();
    let (old, new) = (change.campus.root.certificate(), change.newer.certificate());
    let stranger = root_since(0);
    check_cross(&change.new_with_old, new, old).unwrap();
    check_cross(&change.old_with_new, old, new).unwrap();
    for (cross, subject, issuer) in [
        (&change.new_with_old, old, new),
        (&change.new_with_old, stranger.certificate(), old),
        (&change.new_with_old, new, stranger.certificate()),
        (&change.new_with_old, new, new),
        (new, new, old),
        (change.students.certificate(), new, old),
    ] {
        let refused = check_cross(cross, subject, issuer);
        assert!(matches!(refused, Err(Error::IssuerInvalid(_))));
    }
    // One bit of the signature.
    let mut der = change.new_with_old.der().to_vec();
    *der.last_mut().unwrap() ^= 1;
    let altered = Certificate::from_der(&der).unwrap();
    assert!(check_cross(&altered, new, old).is_err());
}
