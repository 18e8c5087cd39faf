//! Which certificates `cuhk certs list` shows.

use std::time::Duration;

use clap::ValueEnum;
use rustls_pki_types::UnixTime;
use scb_cli::parse_date;

use crate::Subject;
use crate::store::{CertificateRecord, CrlSigner};
use crate::time::later;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What is asked for; all of it at once.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Filter {
    /// Only those of this student, or of a service: service/NAME
    #[arg(value_name = "SUBJECT")]
    pub(super) subject: Option<Subject>,
    /// Only those with this status
    #[arg(long, value_name = "STATUS")]
    status: Option<Status>,
    /// Only those that this authority issued, such as students-2; see `cuhk keys list`
    #[arg(long, value_name = "NAME", value_parser = authority)]
    pub(super) issuer: Option<CrlSigner>,
    /// Only those that end before this time: 2027-01-31 (UTC) or 2027-01-31T12:00:00Z
    #[arg(long, value_name = "DATE", value_parser = parse_date, conflicts_with = "expires_within")]
    expires_before: Option<UnixTime>,
    /// Only those that are not past their end, but will be in so many days
    #[arg(long, value_name = "DAYS", value_parser = days)]
    expires_within: Option<u32>,
}

/// A status that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Status {
    /// Counts now; also one that is about to be signed.
    Live,
    /// Renewed: another one has taken its place, and it counts beside it until its end.
    Replaced,
    /// Past its end.
    Expired,
    /// Revoked for good.
    Revoked,
    /// On hold until the student is restored.
    Suspended,
}

impl Filter {
    /// Whether anything is asked for.
    pub(super) fn narrows(&self) -> bool {
        self.issuer.is_some()
            || self.status.is_some()
            || self.expires_before.is_some()
            || self.expires_within.is_some()
    }

    /// Whether the record is asked for.
    pub(super) fn wants(&self, record: &CertificateRecord, state: State, now: UnixTime) -> bool {
        let end = record.intent.validity.not_after;
        let of_subject = |subject: &Subject| *subject == record.intent.subject;
        let ends_soon = |days: u32| end >= now && end <= later(now, DAY.saturating_mul(days));
        self.subject.as_ref().is_none_or(of_subject)
            && self.status.is_none_or(|status| status.is_that_of(state))
            && self.expires_before.is_none_or(|moment| end < moment)
            && self.expires_within.is_none_or(ends_soon)
    }
}

fn authority(text: &str) -> Result<CrlSigner, String> {
    let parsed = text.parse();
    parsed.map_err(|_| "write students, services or such as students-2".to_owned())
}

/// A number of days, with or without `d`.
fn days(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('d').unwrap_or(text).parse();
    let days = number.ok().filter(|days| (1..=36_500).contains(days));
    days.ok_or_else(|| "write a number of days, such as 30 (1 to 36500)".to_owned())
}

impl Status {
    fn is_that_of(self, state: State) -> bool {
        match self {
            Self::Live => matches!(state, State::Live | State::Intended),
            Self::Replaced => state == State::Replaced,
            Self::Expired => state == State::Expired,
            Self::Revoked => state == State::Revoked,
            Self::Suspended => state == State::Suspended,
        }
    }
}

/// How a certificate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// On hold: its student is suspended.
    Suspended,
    /// Revoked for good.
    Revoked,
    /// Past its end.
    Expired,
    /// Its record is there and it is not signed yet.
    Intended,
    /// It counts.
    Live,
    /// It counts, and so does another one that took its place.
    Replaced,
}

impl State {
    /// Of this certificate at this time. Whether it is replaced is known to others.
    pub(super) fn of(record: &CertificateRecord, now: UnixTime) -> Self {
        match (&record.revocation, &record.certificate) {
            _ if record.is_on_hold() => Self::Suspended,
            (Some(_), _) => Self::Revoked,
            _ if !record.is_live(now) => Self::Expired,
            (None, None) => Self::Intended,
            (None, Some(_)) => Self::Live,
        }
    }

    /// The word in listings.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Intended => "intended",
            Self::Live => "live",
            Self::Replaced => "replaced",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_certs::{Fingerprint, RevocationReason, Serial, Validity};

    use super::*;
    use crate::store::{Intent, Profile, Revocation};

    fn at(day: u64) -> UnixTime {
        later(
            UnixTime::since_unix_epoch(Duration::ZERO),
            DAY * 1000 + DAY * day as u32,
        )
    }

    fn record(subject: &str, end: u64, reason: Option<RevocationReason>) -> CertificateRecord {
        CertificateRecord {
            intent: Intent {
                serial: Serial::random().unwrap(),
                subject: subject.parse().unwrap(),
                profile: Profile::Student,
                public_key: Fingerprint::of(b"key"),
                validity: Validity {
                    not_before: at(0),
                    not_after: at(end),
                },
            },
            certificate: None,
            revocation: reason.map(|reason| Revocation {
                at: at(1),
                reason,
                invalid_since: None,
            }),
        }
    }

    fn all() -> Vec<CertificateRecord> {
        use RevocationReason::{CertificateHold, KeyCompromise};
        vec![
            record("1155000001", 30, None),
            record("1155000001", 5, None),
            record("1155000002", 30, Some(KeyCompromise)),
            record("1155000003", 12, Some(CertificateHold)),
        ]
    }

    /// The places of those that are asked for on the tenth day.
    fn wanted(filter: &Filter) -> Vec<usize> {
        let records = all();
        let wanted = records
            .iter()
            .enumerate()
            .filter(|(_, record)| filter.wants(record, State::of(record, at(10)), at(10)));
        wanted.map(|(place, _)| place).collect()
    }

    #[test]
    fn without_a_filter_all_are_listed() {
        assert_eq!(wanted(&Filter::default()), [0, 1, 2, 3]);
    }

    #[test]
    fn each_status_has_its_own() {
        for (status, places) in [
            (Status::Live, [0]),
            (Status::Expired, [1]),
            (Status::Revoked, [2]),
            (Status::Suspended, [3]),
        ] {
            let status = Some(status);
            let filter = Filter {
                status,
                ..Filter::default()
            };
            assert_eq!(wanted(&filter), places, "{status:?}");
        }
    }

    #[test]
    fn what_was_replaced_is_not_live() {
        let (record, now) = (record("1155000001", 30, None), at(10));
        for (status, state, wanted) in [
            (Status::Live, State::Replaced, false),
            (Status::Replaced, State::Replaced, true),
            (Status::Replaced, State::Live, false),
        ] {
            let status = Some(status);
            let filter = Filter {
                status,
                ..Filter::default()
            };
            assert_eq!(filter.wants(&record, state, now), wanted, "{status:?}");
        }
    }

    #[test]
    fn filters_by_subject_and_by_end_together() {
        let subject = Some("1155000001".parse().unwrap());
        let expires_before = Some(at(30));
        let filter = Filter {
            subject,
            ..Filter::default()
        };
        assert_eq!(wanted(&filter), [0, 1]);
        let filter = Filter {
            expires_before,
            ..filter
        };
        assert_eq!(wanted(&filter), [1]);
        let expires_within = Some(2);
        let filter = Filter {
            expires_within,
            ..Filter::default()
        };
        assert_eq!(wanted(&filter), [3], "what has ended does not end soon");
    }

    #[test]
    fn days_are_a_number_with_or_without_their_letter() {
        assert_eq!([days("30"), days("30d")], [Ok(30), Ok(30)]);
        for wrong in ["", "d", "0", "36501", "30h", "a week"] {
            assert!(days(wrong).unwrap_err().contains("a number of days"));
        }
    }
}
