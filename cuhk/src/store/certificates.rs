//! Certificates: the intent first, then the certificate, then perhaps its revocation.

mod restoration;

use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Fingerprint, RevocationReason, Serial, Validity};

use super::{Log, Revocations, convert, seal};
use crate::{Error, Subject};

pub(crate) use restoration::Hold;

const COLUMNS: &str = "serial, subject, profile, public_key, not_before, not_after, \
                       sha256, der, revoked_at, reason, invalid_since";

/// What kind of certificate it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// A student's.
    Student,
    /// A service's, for TLS on both sides.
    Service,
    /// CUHK's signer of tokens.
    TokenSigner,
}

impl Profile {
    /// The word in the database and in listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Student => "student",
            Self::Service => "service",
            Self::TokenSigner => "token_signer",
        }
    }
}

/// A certificate that is going to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The serial number it will have.
    pub serial: Serial,
    /// Whom it will name.
    pub subject: Subject,
    /// What kind it will be.
    pub profile: Profile,
    /// SHA-256 of the public key (SubjectPublicKeyInfo).
    pub public_key: Fingerprint,
    /// When it will begin and end.
    pub validity: Validity,
}

/// When and why a certificate was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// The time.
    pub at: UnixTime,
    /// The reason.
    pub reason: RevocationReason,
    /// Since when the key is not to be believed, where that is known.
    pub invalid_since: Option<UnixTime>,
}

impl Revocation {
    /// Whether this stands, although there is another one now. The first one does, except that a key
    /// may turn out to be compromised later, or since another time, and that a hold becomes a
    /// revocation for good.
    pub(super) fn stands(&self, other: &Self) -> bool {
        let for_good = self.reason != RevocationReason::CertificateHold;
        let worse = match other.reason {
            RevocationReason::KeyCompromise => true,
            RevocationReason::CaCompromise => self.reason != RevocationReason::KeyCompromise,
            _ => false,
        };
        let known = [None, self.invalid_since].contains(&other.invalid_since);
        self.reason == other.reason && known || for_good && !worse
    }
}

/// A certificate, or the intent to sign one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRecord {
    /// What was intended.
    pub intent: Intent,
    /// The certificate, once it is signed.
    pub certificate: Option<Certificate>,
    /// Its revocation, if it is revoked.
    pub revocation: Option<Revocation>,
}

impl CertificateRecord {
    /// Whether it is neither revoked nor past its end; the intent alone counts.
    pub(crate) fn is_live(&self, now: UnixTime) -> bool {
        self.revocation.is_none() && now.as_secs() <= self.intent.validity.not_after.as_secs()
    }

    /// Whether it is on hold because its student is suspended.
    pub fn is_on_hold(&self) -> bool {
        self.revocation
            .is_some_and(|revocation| revocation.reason == RevocationReason::CertificateHold)
    }
}

/// The certificates.
#[derive(Debug)]
pub struct Certificates<'a> {
    connection: &'a Connection,
}

impl<'a> Certificates<'a> {
    pub(super) fn on(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// Records that a certificate is going to be signed.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], also if the serial number is taken.
    pub fn intend(&self, intent: &Intent, now: UnixTime) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "INSERT INTO certificate
                     (serial, subject, profile, public_key, not_before, not_after, recorded_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                intent.serial.as_bytes(),
                intent.subject.to_string(),
                intent.profile.as_str(),
                intent.public_key.as_bytes(),
                convert::seconds(intent.validity.not_before),
                convert::seconds(intent.validity.not_after),
                convert::seconds(now),
            ])?;
        self.seal(&intent.serial)
    }

    /// Records the signed certificate and enters it in the issuance log, unless there is one
    /// already, and answers the record as it then is: of two that were signed at once only the
    /// first one counts. There is no other way for a certificate into the records.
    ///
    /// # Errors
    ///
    /// [`Error::RecordInvalid`] if nothing of the kind was intended.
    pub fn record(&self, certificate: &Certificate) -> Result<CertificateRecord, Error> {
        let serial = certificate.serial();
        let invalid = || Error::RecordInvalid {
            what: "certificate",
        };
        let intended = self.find(&serial)?.ok_or_else(invalid)?;
        if intended.certificate.is_some() {
            return Ok(intended);
        }
        self.alter(
            &serial,
            "sha256 = ?2, der = ?3",
            params![
                serial.as_bytes(),
                certificate.fingerprint().as_bytes(),
                certificate.der(),
            ],
        )?;
        let record = self.find(&serial)?.ok_or_else(invalid)?;
        Log::on(self.connection).append_certificate(&record)?;
        Ok(record)
    }

    /// Those that the issuance log lacks, oldest first: of a home from before there was one.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn unlogged(&self) -> Result<Vec<CertificateRecord>, Error> {
        self.many(
            "der IS NOT NULL AND NOT EXISTS (SELECT 1 FROM log_entry
                 WHERE log_entry.serial = certificate.serial) ORDER BY rowid",
            [],
        )
    }

    /// By serial number.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn find(&self, serial: &Serial) -> Result<Option<CertificateRecord>, Error> {
        self.one("serial = ?1", [serial.as_bytes()])
    }

    /// By SHA-256 of the certificate.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn find_by_sha256(
        &self,
        sha256: &Fingerprint,
    ) -> Result<Option<CertificateRecord>, Error> {
        self.one("sha256 = ?1", [sha256.as_bytes()])
    }

    /// All of one subject that are neither revoked nor past their end, oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn live(&self, subject: &Subject, now: UnixTime) -> Result<Vec<CertificateRecord>, Error> {
        self.many(
            "subject = ?1 AND not_after >= ?2 AND revoked_at IS NULL ORDER BY rowid",
            params![subject.to_string(), convert::seconds(now)],
        )
    }

    /// All of one subject, oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn of(&self, subject: &Subject) -> Result<Vec<CertificateRecord>, Error> {
        self.many("subject = ?1 ORDER BY rowid", [subject.to_string()])
    }

    /// All with this public key, of whomever, oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn with_key(&self, public_key: &Fingerprint) -> Result<Vec<CertificateRecord>, Error> {
        self.many("public_key = ?1 ORDER BY rowid", [public_key.as_bytes()])
    }

    /// Each there ever was, or each of one subject, oldest first, one after another as they are read.
    ///
    /// # Errors
    ///
    /// [`Error::RecordInvalid`], [`Error::Storage`], and what `visit` returns.
    pub fn each(
        &self,
        subject: Option<&Subject>,
        mut visit: impl FnMut(CertificateRecord) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (filter, subject) = match subject {
            Some(subject) => ("subject = ?1", Some(subject.to_string())),
            None => ("?1 IS NULL", None),
        };
        let sql = format!("SELECT {COLUMNS} FROM certificate WHERE {filter} ORDER BY rowid");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query_map([subject], Raw::read)?;
        rows.try_for_each(|raw| visit(self.intact(raw?)?))
    }

    /// Revokes one certificate; answers whether that changed anything: see [`Revocation::stands`].
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn revoke(&self, serial: &Serial, revocation: &Revocation) -> Result<bool, Error> {
        let Some(record) = self.find(serial)? else {
            return Ok(false);
        };
        if record
            .revocation
            .is_some_and(|before| before.stands(revocation))
        {
            return Ok(false);
        }
        self.alter(
            serial,
            "revoked_at = coalesce(revoked_at, ?2), reason = ?3,
             invalid_since = coalesce(?4, invalid_since)",
            params![
                serial.as_bytes(),
                convert::seconds(revocation.at),
                revocation.reason.as_str(),
                revocation.invalid_since.map(convert::seconds),
            ],
        )?;
        Ok(true)
    }

    /// Takes the certificates of one subject off hold; answers how many. Nothing else that was
    /// revoked comes back.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn release(&self, subject: &Subject) -> Result<usize, Error> {
        let mut held = self.of(subject)?;
        held.retain(CertificateRecord::is_on_hold);
        for record in &held {
            let serial = &record.intent.serial;
            let free = "revoked_at = NULL, reason = NULL";
            self.alter(serial, free, [serial.as_bytes()])?;
        }
        Ok(held.len())
    }

    /// Looks whether every certificate's row is what was stored, and no revocation was lost.
    ///
    /// # Errors
    ///
    /// [`Error::RecordInvalid`], [`Error::Storage`].
    pub fn check(&self) -> Result<(), Error> {
        seal::CERTIFICATE.check_all(self.connection)?;
        Revocations::on(self.connection).check()
    }

    /// Changes the row `?1` that was looked at before, seals it, and notes whether that changes who
    /// is revoked.
    fn alter(&self, serial: &Serial, change: &str, params: impl Params) -> Result<(), Error> {
        let revocations = Revocations::on(self.connection);
        let before = revocations.checksum(serial)?;
        let sql = format!("UPDATE certificate SET {change} WHERE serial = ?1");
        self.connection.prepare_cached(&sql)?.execute(params)?;
        self.seal(serial)?;
        let after = revocations.checksum(serial)?;
        revocations.note(serial, (before, after))
    }

    fn seal(&self, serial: &Serial) -> Result<(), Error> {
        seal::CERTIFICATE.seal(self.connection, &serial.as_bytes())
    }

    /// Reserves the key of an authority, so that it is never certified for anybody.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn reserve_key(
        &self,
        public_key: &Fingerprint,
        authority: &str,
    ) -> Result<(), Error> {
        self.connection
            .prepare_cached("INSERT INTO authority_key (public_key, authority) VALUES (?1, ?2)")?
            .execute(params![public_key.as_bytes(), authority])?;
        Ok(())
    }

    /// Whether the key is an authority's own.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn is_reserved_key(&self, public_key: &Fingerprint) -> Result<bool, Error> {
        Ok(self.holder_of_key(public_key)?.is_some())
    }

    /// The authority whose own key this is.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn holder_of_key(&self, public_key: &Fingerprint) -> Result<Option<String>, Error> {
        Ok(self
            .connection
            .prepare_cached("SELECT authority FROM authority_key WHERE public_key = ?1")?
            .query_row([public_key.as_bytes()], |row| row.get(0))
            .optional()?)
    }

    fn one(&self, filter: &str, params: impl Params) -> Result<Option<CertificateRecord>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM certificate WHERE {filter}");
        let raw = self
            .connection
            .prepare_cached(&sql)?
            .query_row(params, Raw::read)
            .optional()?;
        raw.map(|raw| self.intact(raw)).transpose()
    }

    fn many(&self, filter: &str, params: impl Params) -> Result<Vec<CertificateRecord>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM certificate WHERE {filter}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params, Raw::read)?;
        rows.map(|raw| self.intact(raw?)).collect()
    }

    fn intact(&self, raw: Raw) -> Result<CertificateRecord, Error> {
        seal::CERTIFICATE.check(self.connection, &raw.serial)?;
        raw.record()
    }
}

struct Raw {
    serial: Vec<u8>,
    subject: String,
    profile: String,
    public_key: Vec<u8>,
    not_before: i64,
    not_after: i64,
    sha256: Option<Vec<u8>>,
    der: Option<Vec<u8>>,
    revoked_at: Option<i64>,
    reason: Option<String>,
    invalid_since: Option<i64>,
}

impl Raw {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            serial: row.get(0)?,
            subject: row.get(1)?,
            profile: row.get(2)?,
            public_key: row.get(3)?,
            not_before: row.get(4)?,
            not_after: row.get(5)?,
            sha256: row.get(6)?,
            der: row.get(7)?,
            revoked_at: row.get(8)?,
            reason: row.get(9)?,
            invalid_since: row.get(10)?,
        })
    }

    fn record(self) -> Result<CertificateRecord, Error> {
        let intent = Intent {
            serial: convert::serial(&self.serial)?,
            subject: convert::subject(&self.subject)?,
            profile: profile(&self.profile)?,
            public_key: convert::fingerprint(&self.public_key)?,
            validity: Validity {
                not_before: convert::time(self.not_before)?,
                not_after: convert::time(self.not_after)?,
            },
        };
        let certificate = match (self.sha256, self.der) {
            (Some(sha256), Some(der)) => Some(certificate(&sha256, &der, &intent)?),
            _ => None,
        };
        let revocation = match (self.revoked_at, self.reason) {
            (Some(at), Some(reason)) => Some(revocation(at, &reason, self.invalid_since)?),
            _ => None,
        };
        Ok(CertificateRecord {
            intent,
            certificate,
            revocation,
        })
    }
}

/// The certificate, if it is still the one that was stored, and the record is still its own.
fn certificate(sha256: &[u8], der: &[u8], intent: &Intent) -> Result<Certificate, Error> {
    let altered = || Error::RecordInvalid {
        what: "certificate",
    };
    let certificate = Certificate::from_der(der).map_err(|_| altered())?;
    let name = certificate.spiffe_id().map_err(|_| altered())?;
    let key = certificate.public_key().map_err(|_| altered())?;
    let intact = certificate.fingerprint() == convert::fingerprint(sha256)?
        && certificate.serial() == intent.serial
        && key.fingerprint() == intent.public_key
        && intent.subject.spiffe_id(name.trust_domain()) == name;
    if !intact {
        return Err(altered());
    }
    Ok(certificate)
}

pub(super) fn revocation(at: i64, reason: &str, since: Option<i64>) -> Result<Revocation, Error> {
    let at = convert::time(at)?;
    let invalid_since = since.map(convert::time).transpose()?;
    let reason = reason
        .parse()
        .map_err(|_| Error::RecordInvalid { what: "reason" })?;
    Ok(Revocation {
        at,
        reason,
        invalid_since,
    })
}

fn profile(text: &str) -> Result<Profile, Error> {
    [Profile::Student, Profile::Service, Profile::TokenSigner]
        .into_iter()
        .find(|profile| profile.as_str() == text)
        .ok_or(Error::RecordInvalid { what: "profile" })
}

#[cfg(test)]
mod tests;
