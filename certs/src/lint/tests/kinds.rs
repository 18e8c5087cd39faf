//! Of each kind that is signed at all: what breaks its profile is found, and nothing was signed.

use rcgen::{
    BasicConstraints as Constraints, CertificateParams, CertificateRevocationListParams, IsCa,
    KeyIdMethod, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber,
};

use super::*;
use crate::lint::Listed;
use crate::profile::TOKEN_PURPOSES;
use crate::spiffe::authority_uri;
use crate::validity::issued_now;
use crate::{RevocationReason, RevokedEntry, TrustDomain, Validity};

type Alter = fn(&mut CertificateParams);

/// What is wrong in every kind.
const ALWAYS: [(Alter, Defect); 4] = [
    (|it| it.serial_number = Some(7.into()), Defect::Serial),
    (
        |it| it.not_after += Duration::from_secs(1),
        Defect::Validity,
    ),
    (|it| it.subject_alt_names.clear(), Defect::Name),
    (
        |it| it.use_authority_key_identifier_extension = false,
        Defect::AuthorityKeyId,
    ),
];

/// What is wrong only in a root, also in one that another root certifies.
const OF_ROOTS: [(Alter, Defect); 5] = [
    (leads_to_authorities, Defect::BasicConstraints),
    (becomes_authority, Defect::BasicConstraints),
    (
        |it| it.key_usages.push(KeyUsagePurpose::DigitalSignature),
        Defect::KeyUsage,
    ),
    (
        |it| it.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth],
        Defect::Extension,
    ),
    (add_host, Defect::Name),
];

fn domain() -> TrustDomain {
    "cuhk.example".parse().unwrap()
}

fn refused<T: std::fmt::Debug>(signed: Result<T, Error>, expected: Defect, kind: &str) {
    match signed {
        Err(Error::ProfileBroken(defect)) => assert_eq!(defect, expected, "{kind}"),
        other => panic!("{kind}: {expected:?}: {other:?}"),
    }
}

fn add_host(parameters: &mut CertificateParams) {
    let host = SanType::DnsName("cuhk.example".try_into().unwrap());
    parameters.subject_alt_names.push(host);
}

fn becomes_authority(parameters: &mut CertificateParams) {
    parameters.is_ca = IsCa::Ca(Constraints::Constrained(0));
}

fn leads_to_authorities(parameters: &mut CertificateParams) {
    parameters.is_ca = IsCa::Ca(Constraints::Unconstrained);
}

/// A leaf, with what is wrong only in its kind.
fn leaf(kind: &str, from: IssuerKind, profile: &Profile<'_>, own: &[(Alter, Defect)]) {
    let issuer = issuer(from);
    let authority = Authority::new(issuer.certificate().clone(), issuer.key().clone()).unwrap();
    let id = profile.uri.parse().unwrap();
    let validity = leaf_validity(now(), profile.longest, issuer.certificate());
    let certify = |alter: Alter| {
        let serial = Serial::random().unwrap();
        let made = crate::profile::leaf(&id, profile.purposes, &serial, &validity);
        let mut parameters = made.unwrap();
        alter(&mut parameters);
        let key = SigningKey::generate().unwrap();
        authority.certify(&parameters, key.public_key(), profile)
    };
    certify(|_| ()).unwrap();
    for (alter, defect) in ALWAYS.iter().chain(own) {
        refused(certify(*alter), *defect, kind);
    }
}

#[test]
fn of_students_services_and_token_signers() {
    let urls = DistributionUrls::default();
    let student = Profile {
        urls: &urls,
        ..profile(&urls)
    };
    let service = Profile {
        uri: "spiffe://cuhk.example/service/blackboard".into(),
        purposes: SERVICE_PURPOSES,
        longest: Validities::SERVICE_LIFETIME,
        hosts: true,
        ..profile(&urls)
    };
    let signer = Profile {
        uri: "spiffe://cuhk.example/service/cuhk".into(),
        purposes: TOKEN_PURPOSES,
        longest: Validities::SERVICE_LIFETIME,
        ..profile(&urls)
    };
    let authority: (Alter, Defect) = (becomes_authority, Defect::BasicConstraints);
    let no_purpose: (Alter, Defect) = (
        |it| it.extended_key_usages.clear(),
        Defect::ExtendedKeyUsage,
    );
    let host: (Alter, Defect) = (add_host, Defect::Name);
    leaf(
        "student",
        IssuerKind::Students,
        &student,
        &[authority, no_purpose, host],
    );
    leaf(
        "service",
        IssuerKind::Services,
        &service,
        &[authority, no_purpose],
    );
    leaf(
        "token signer",
        IssuerKind::Services,
        &signer,
        &[authority, no_purpose, host],
    );
}

#[test]
fn of_issuing_authorities() {
    let root = Root::create(&domain(), SigningKey::generate().unwrap(), now()).unwrap();
    let authority = Authority::new(root.certificate().clone(), root.key().clone()).unwrap();
    let urls = DistributionUrls::default();
    for kind in [IssuerKind::Students, IssuerKind::Services] {
        let purposes = crate::profile::issuer_purposes(kind);
        let wanted = Profile {
            uri: authority_uri(&domain()),
            authority: Some(0),
            purposes,
            longest: Validities::ISSUER,
            hosts: false,
            urls: &urls,
        };
        let validity = issued_now(now(), Validities::ISSUER);
        let certify = |alter: Alter| {
            let (key, serial) = (SigningKey::generate().unwrap(), Serial::random().unwrap());
            let key = key.public_key();
            let made = crate::profile::issuer(kind, &domain(), key, &serial, &validity);
            let mut parameters = made.unwrap();
            alter(&mut parameters);
            authority.certify(&parameters, key, &wanted)
        };
        certify(|_| ()).unwrap();
        let own: [(Alter, Defect); 5] = [
            (leads_to_authorities, Defect::BasicConstraints),
            (|it| it.is_ca = IsCa::ExplicitNoCa, Defect::BasicConstraints),
            (
                |it| it.key_usages.push(KeyUsagePurpose::DigitalSignature),
                Defect::KeyUsage,
            ),
            (
                |it| it.extended_key_usages.clear(),
                Defect::ExtendedKeyUsage,
            ),
            (add_host, Defect::Name),
        ];
        for (alter, defect) in ALWAYS.iter().chain(&own) {
            refused(certify(*alter), *defect, kind.as_str());
        }
    }
}

#[test]
fn of_roots() {
    let create = |alter: Alter| {
        let (key, serial) = (SigningKey::generate().unwrap(), Serial::random().unwrap());
        let validity = issued_now(now(), Validities::ROOT);
        let made = crate::profile::root(&domain(), key.public_key(), &serial, &validity);
        let mut parameters = made.unwrap();
        alter(&mut parameters);
        Root::self_signed(&parameters, &domain(), key)
    };
    create(|_| ()).unwrap();
    for (alter, defect) in ALWAYS.iter().chain(&OF_ROOTS) {
        refused(create(*alter), *defect, "root");
    }
}

#[test]
fn of_cross_certificates() {
    let root = || Root::create(&domain(), SigningKey::generate().unwrap(), now()).unwrap();
    let (older, newer, urls) = (root(), root(), DistributionUrls::default());
    let validity = issued_now(now(), Validities::CROSS);
    let certify = |alter: Alter| {
        let (key, serial) = (newer.key().public_key(), Serial::random().unwrap());
        let made = crate::profile::cross(&domain(), key, &serial, &validity);
        let mut parameters = made.unwrap();
        alter(&mut parameters);
        older.certify_cross(&parameters, key, &urls)
    };
    certify(|_| ()).unwrap();
    for (alter, defect) in ALWAYS.iter().chain(&OF_ROOTS) {
        refused(certify(*alter), *defect, "cross");
    }
}

const NUMBER: u64 = 0x0123_4567_89ab;

/// Three that are revoked: with a reason, with a date besides, without either.
fn revoked() -> Vec<RevokedEntry> {
    let entry = |reason, invalid_since| RevokedEntry {
        serial: Serial::random().unwrap(),
        revoked_at: now(),
        reason,
        invalid_since,
    };
    vec![
        entry(RevocationReason::CertificateHold, None),
        entry(RevocationReason::KeyCompromise, Some(now())),
        entry(RevocationReason::Unspecified, None),
    ]
}

type AlterList = fn(&mut CertificateRevocationListParams);

fn drop_one(list: &mut CertificateRevocationListParams) {
    list.revoked_certs.pop();
}

fn name_another(list: &mut CertificateRevocationListParams) {
    list.revoked_certs.push(RevokedCertParams {
        serial_number: SerialNumber::from(7_u64),
        revocation_time: list.this_update,
        reason_code: None,
        invalidity_date: None,
    });
}

#[test]
fn of_revocation_lists() {
    let (issuer, day) = (issuer(IssuerKind::Students), Duration::from_secs(86_400));
    let authority = Authority::new(issuer.certificate().clone(), issuer.key().clone()).unwrap();
    let Validity {
        not_before,
        not_after,
    } = issued_now(now(), day);
    let revoked = revoked();
    let listed = Listed {
        number: NUMBER,
        this_update: not_before,
        next_update: not_after,
        revoked: &revoked,
    };
    let sign = |alter: AlterList| {
        let mut list = authority.list(&listed).unwrap();
        alter(&mut list);
        authority.sign_list(&list, &listed)
    };
    let honest = sign(|_| ()).unwrap();
    honest.verify(issuer.certificate()).unwrap();
    assert_eq!(honest.number(), NUMBER);
    let cases: [(AlterList, Defect); 10] = [
        (
            |it| it.crl_number = SerialNumber::from(NUMBER - 1),
            Defect::ListNumber,
        ),
        (
            |it| it.next_update += Duration::from_secs(1),
            Defect::ListTimes,
        ),
        (
            |it| it.this_update -= Duration::from_secs(1),
            Defect::ListTimes,
        ),
        (drop_one, Defect::ListEntries),
        (name_another, Defect::ListEntries),
        (|it| it.revoked_certs.clear(), Defect::ListEntries),
        (|it| it.revoked_certs.swap(0, 1), Defect::ListEntries),
        (
            |it| it.revoked_certs[0].reason_code = None,
            Defect::ListEntries,
        ),
        (
            |it| it.revoked_certs[1].invalidity_date = None,
            Defect::ListEntries,
        ),
        (
            |it| it.key_identifier_method = KeyIdMethod::PreSpecified(vec![7; 20]),
            Defect::AuthorityKeyId,
        ),
    ];
    for (alter, defect) in cases {
        refused(sign(alter), defect, "list");
    }
    let partial = |it: &mut CertificateRevocationListParams| {
        let uris = vec!["http://cuhk.example/a.crl".to_owned()];
        it.issuing_distribution_point = Some(rcgen::CrlIssuingDistributionPoint {
            distribution_point: rcgen::CrlDistributionPoint { uris },
            scope: None,
        });
    };
    refused(sign(partial), Defect::Extension, "list");
    let empty = Listed {
        revoked: &[],
        ..listed
    };
    let list = authority.list(&empty).unwrap();
    authority.sign_list(&list, &empty).unwrap();
    refused(
        authority.sign_list(&list, &listed),
        Defect::ListEntries,
        "list",
    );
}
