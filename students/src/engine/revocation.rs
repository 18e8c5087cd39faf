//! Whether CUHK has revoked a certificate that is here. Its lists are public and signed: they are
//! asked for as nobody in particular, since whoever is revoked is let in no more.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Chain, Crl, RevocationReason, Serial};
use scb_cli::local_time;
use scb_protocol::client::Member;
use scb_protocol::message::cuhk::Request;
use scb_protocol::{Code, ExpectLists, Refusal, Step};
use scb_transport::Clock;
use tokio::time::Instant;

use super::links::{self, REPLY, about};
use crate::{Error, Setup};

const STEP: Step = Step::Zero;
/// Total time for all lists: those of a university have megabytes.
const LISTS: Duration = Duration::from_secs(60);

/// A certificate that counts no more, by a list that counts now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Revoked {
    pub(crate) serial: Serial,
    pub(crate) at: UnixTime,
    pub(crate) reason: RevocationReason,
}

impl Revoked {
    /// Whether the student is suspended only, and a new certificate would not help.
    pub(crate) fn is_on_hold(&self) -> bool {
        self.reason == RevocationReason::CertificateHold
    }

    /// By the list of its issuer; else by that of a root, with everything that the issuer has issued.
    fn of(chain: &Chain, (roots, lists): (&[Certificate], &[Crl]), now: UnixTime) -> Option<Self> {
        let (leaf, issuer) = (chain.leaf(), chain.certificates().get(1)?);
        let listed = |one: &Certificate, by: &Certificate| {
            let own = |list: &&Crl| list.verify(by).is_ok() && now <= list.next_update();
            let newest = lists.iter().filter(own).max_by_key(|list| list.number())?;
            newest.revocation(&one.serial())
        };
        let mut by_roots = roots.iter().filter_map(|root| listed(issuer, root));
        let (at, reason) = listed(leaf, issuer).or_else(|| by_roots.next())?;
        Some(Self {
            serial: leaf.serial(),
            at,
            reason,
        })
    }
}

/// Looks these chains up, each in the newest list of its issuer that counts now.
pub(super) async fn look(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    chains: &[Chain],
) -> Result<Vec<Option<Revoked>>, Error> {
    let mut connection = links::cuhk(setup, clock, None, STEP).await?;
    let deadline = Instant::now() + LISTS;
    connection.send(&Request::Crls {}).await?;
    let reply = connection.receive_reply(STEP, REPLY).await?;
    let mut expect = ExpectLists::new(reply, STEP)?;
    while expect.is_waiting() {
        expect.chunk(&connection.receive_chunk(STEP, deadline).await?)?;
    }
    connection.close().await;
    let (lists, now) = (expect.lists()?, clock.now());
    let trust = setup.require_trust()?;
    let one = |chain| Revoked::of(chain, (trust.roots(), &lists), now);
    Ok(chains.iter().map(one).collect())
}

/// A handshake in which a revoked certificate is refused says no more than that: whose it is,
/// which one, since when and why is looked up.
pub(super) async fn explain(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &[Member],
    error: Error,
) -> Error {
    let refusal = match error {
        Error::Refused(refusal) if refusal.code == Code::CertificateRevoked => refusal,
        other => return other,
    };
    // The first one's certificate opens the connection.
    let named = |member: &&Member| refusal.sid.as_ref().is_none_or(|sid| *sid == member.sid);
    let Some(member) = members.iter().find(named) else {
        return refusal.into();
    };
    let refusal = about(refusal, &member.sid);
    let refusal = refusal.with("certificate", member.chain.leaf().serial());
    let looked = look(setup, clock, std::slice::from_ref(&member.chain)).await;
    // The refusal stands, also if nothing more can be learned about it.
    let Ok(Some(revoked)) = looked.map(|found| found.into_iter().flatten().next()) else {
        return refusal.into();
    };
    let refusal = match revoked.is_on_hold() {
        true => Refusal {
            code: Code::CertificateOnHold,
            ..refusal
        },
        false => refusal.with("reason", revoked.reason),
    };
    refusal.with("since", local_time(revoked.at)).into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_certs::{IssuerKind, RevokedEntry};
    use scb_testkit::TestCampus;

    use super::*;

    fn judged(campus: &TestCampus, chain: &Chain, lists: &[Crl], now: UnixTime) -> Option<Revoked> {
        let root = campus.root().certificate().clone();
        Revoked::of(chain, (&[root], lists), now)
    }

    #[test]
    fn what_the_roots_list_says_of_the_issuer_is_said_of_all_that_it_issued() {
        let (campus, forger) = (TestCampus::new(), TestCampus::new());
        let one = campus.student("1155000001");
        let issuer = |kind| campus.issuer(kind).certificate().serial();
        let (at, end) = (campus.now(), campus.crls(1, &[])[0].next_update());
        let list = |by: &TestCampus, kind| {
            let entry = RevokedEntry {
                serial: issuer(kind),
                revoked_at: at,
                reason: RevocationReason::CaCompromise,
                invalid_since: None,
            };
            let of_root = by.root().sign_crl(2, at, end, &[entry]).unwrap();
            // The issuer's own is handed out no more.
            vec![of_root, by.crls(1, &[])[2].clone()]
        };
        let lists = list(&campus, IssuerKind::Students);
        let revoked = judged(&campus, &one.chain, &lists, at).unwrap();
        assert_eq!(revoked.serial, one.chain.leaf().serial());
        assert_eq!(revoked.reason, RevocationReason::CaCompromise);
        for lists in [
            list(&forger, IssuerKind::Students),
            list(&campus, IssuerKind::Services),
        ] {
            assert_eq!(judged(&campus, &one.chain, &lists, at), None);
        }
    }

    #[test]
    fn what_is_listed_is_told_with_time_and_reason() {
        let campus = TestCampus::new();
        let (one, other) = (campus.student("1155000001"), campus.student("1155000002"));
        let lists = campus.crls(1, &[one.chain.leaf()]);
        let revoked = judged(&campus, &one.chain, &lists, campus.now()).unwrap();
        assert_eq!(revoked.serial, one.chain.leaf().serial());
        assert_eq!(revoked.at, campus.now());
        assert!(!revoked.is_on_hold());
        assert_eq!(judged(&campus, &other.chain, &lists, campus.now()), None);
    }

    #[test]
    fn a_list_of_somebody_else_or_one_that_has_ended_says_nothing() {
        let (campus, forger) = (TestCampus::new(), TestCampus::new());
        let one = campus.student("1155000001");
        let revoked = [one.chain.leaf()];
        let forged = forger.crls(9, &revoked);
        assert_eq!(judged(&campus, &one.chain, &forged, campus.now()), None);
        let lists = campus.crls(1, &revoked);
        let later = campus.now().as_secs() + 2 * 24 * 60 * 60;
        let later = UnixTime::since_unix_epoch(Duration::from_secs(later));
        assert_eq!(judged(&campus, &one.chain, &lists, later), None);
    }

    #[test]
    fn the_newest_list_counts() {
        let campus = TestCampus::new();
        let one = campus.student("1155000001");
        let mut lists = campus.crls(1, &[one.chain.leaf()]);
        lists.extend(campus.crls(2, &[]));
        assert_eq!(judged(&campus, &one.chain, &lists, campus.now()), None);
    }
}
