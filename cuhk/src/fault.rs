//! Faults on purpose: what a CUHK that was taken over, or somebody in its place, would do, shown
//! in a sandbox.
//!
//! [`Faults`] stands where something leaves CUHK: an honest one passes everything unaltered, a
//! fault alters one kind of thing. Never outside a sandbox.

mod forge;

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Crl, Fingerprint, SpiffeId};
use scb_cli::faults;
use scb_protocol::values::Nonce;
use scb_protocol::{MemberAnswer, TokenRequest, issue_token, issue_verification};
use tokio::sync::OnceCell;
use tokio::time::sleep;

use crate::Error;
use crate::issuers::Issuers;
use crate::own_identity::OwnIdentity;
use crate::signing::Signing;

/// How long a silent CUHK keeps its peer waiting.
const SILENCE: Duration = Duration::from_secs(60);

faults! {
    /// Something that must be refused; its code is what the students' program ends with.
    pub(crate) enum Fault;
    WrongRoot = "wrong-root", "student", ServerIdentity,
        "presents a certificate of the right name from a root of its own",
        "clients know the root by its certificate or its full fingerprint, not by its name";
    ExpiredServerCertificate = "expired-server-certificate", "student", ServerIdentity,
        "presents a TLS certificate of its own that ended an hour ago",
        "the client judges the server's whole chain by its own clock";
    ExpiredToken = "expired-token", "student", ServerMisbehaved,
        "issues identity tokens as it would have 13 hours ago",
        "a token lives for 12 hours, and its end is signed with it";
    TokenForAnotherService = "token-for-another-service", "student", ServerMisbehaved,
        "issues identity tokens for a service called library",
        "a token names the one service that may accept it";
    TokenOfAnotherCertificate = "token-of-another-certificate", "student", ServerMisbehaved,
        "binds identity tokens to a certificate that is not the student's",
        "the token's thumbprint must be that of the certificate presented (RFC 8705)";
    AlteredToken = "altered-token", "student", ServerMisbehaved,
        "alters the signature of identity tokens",
        "the signature is verified with the certificate that the token carries";
    TokenAlgNone = "token-alg-none", "student", ServerMisbehaved,
        "issues identity tokens whose header says that they need no signature",
        "one algorithm is accepted, ES256; a token's header does not choose";
    ReplayedVerification = "replayed-verification", "blackboard", VerificationInvalid,
        "answers every question with its first answer (a group is asked about twice: when it presents itself and before anything is stored)",
        "each question has a fresh nonce, and the signed answer must hold it";
    VerificationForAnotherNonce = "verification-for-another-nonce", "blackboard", VerificationInvalid,
        "signs its answers over a nonce that nobody asked with",
        "Blackboard compares the nonce with that of its own question";
    VerificationOfOtherMembers = "verification-of-other-members", "blackboard", VerificationInvalid,
        "answers about certificates that were not asked for",
        "the answer must speak of exactly the members and certificates asked, in order";
    AllInactive = "all-inactive", "blackboard", StudentInactive,
        "says of every member that the student is suspended",
        "nobody hands in whom CUHK does not confirm, whatever the certificate says";
    Silent = "silent", "blackboard", CuhkUnavailable,
        "says nothing when it is asked about members",
        "every question has a total deadline: no answer is no permission";
    StaleCrl = "stale-crl", "blackboard", CuhkUnavailable,
        "hands out revocation lists that ended yesterday",
        "the end of a list is enforced: without fresh lists nobody is let in";
}

/// The argument of `--fault`.
pub(crate) type FaultChoice = scb_cli::fault::FaultChoice<Fault>;

/// What leaves CUHK, and how it is altered, if it is. Clones share what they remember.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    fault: Option<Fault>,
    first: Arc<OnceCell<String>>,
    presented: Arc<OnceCell<Presented>>,
}

/// A TLS identity and the root certificate that is sent after its chain.
type Presented = (OwnIdentity, Certificate);

/// CUHK's answer to a service, before it is signed.
pub(crate) struct Answer<'a> {
    pub(crate) issuer: &'a SpiffeId,
    pub(crate) asker: &'a SpiffeId,
    /// What it repeats of the question: its nonce, and which statement it is about.
    pub(crate) repeated: (Nonce, Option<Fingerprint>),
    pub(crate) members: Vec<MemberAnswer>,
    pub(crate) now: UnixTime,
}

impl Faults {
    /// Commits this fault from now on.
    pub(crate) fn of(fault: Fault) -> Self {
        Self {
            fault: Some(fault),
            ..Self::default()
        }
    }

    /// An identity token.
    pub(crate) fn token(
        &self,
        request: TokenRequest<'_>,
        signer: &OwnIdentity,
    ) -> Result<String, Error> {
        let library;
        let request = match self.fault {
            Some(Fault::ExpiredToken) => TokenRequest {
                now: forge::hours_before(request.now, 13),
                ..request
            },
            Some(Fault::TokenForAnotherService) => {
                library = forge::another_service(request.issuer)?;
                TokenRequest {
                    audience: &library,
                    ..request
                }
            }
            Some(Fault::TokenOfAnotherCertificate) => TokenRequest {
                certificate: signer.chain.leaf(),
                ..request
            },
            _ => request,
        };
        let token = issue_token(&request, &signer.key, &signer.chain)?;
        Ok(match self.fault {
            Some(Fault::AlteredToken) => forge::altered_signature(token),
            Some(Fault::TokenAlgNone) => forge::unsigned(&token),
            _ => token,
        })
    }

    /// A verification.
    pub(crate) async fn verification(
        &self,
        mut answer: Answer<'_>,
        signer: &OwnIdentity,
    ) -> Result<String, Error> {
        match self.fault {
            Some(Fault::Silent) => sleep(SILENCE).await,
            Some(Fault::VerificationForAnotherNonce) => answer.repeated.0 = Nonce::random()?,
            Some(Fault::VerificationOfOtherMembers) => forge::other_members(&mut answer.members),
            Some(Fault::AllInactive) => forge::inactive(&mut answer.members),
            _ => {}
        }
        let verification = issue_verification(
            answer.issuer,
            answer.asker,
            answer.repeated,
            &answer.members,
            answer.now,
            &signer.key,
            &signer.chain,
        )?;
        match self.fault {
            Some(Fault::ReplayedVerification) => {
                let first = self.first.get_or_init(|| async { verification });
                Ok(first.await.clone())
            }
            _ => Ok(verification),
        }
    }

    /// The revocation lists as they are handed out.
    pub(crate) fn lists(
        &self,
        lists: &[Crl],
        issuers: &Issuers,
        now: UnixTime,
    ) -> Result<Vec<Crl>, Error> {
        match self.fault {
            Some(Fault::StaleCrl) => forge::stale(lists, issuers, now),
            _ => Ok(lists.to_vec()),
        }
    }

    /// What CUHK presents in TLS, and the root that it sends along.
    pub(crate) async fn identity(
        &self,
        honest: &OwnIdentity,
        signing: &Signing,
        now: UnixTime,
    ) -> Result<Presented, Error> {
        let issuers = signing.issuers.current();
        let issuer = honest.chain.certificates().get(1);
        let root = issuer.and_then(|issuer| issuers.root_of(issuer));
        let root = || root.clone().ok_or(Error::RecordInvalid { what: "root" });
        match self.fault {
            Some(Fault::WrongRoot) => {
                let make = || async { forge::of_another_root(signing, now) };
                self.presented.get_or_try_init(make).await.cloned()
            }
            Some(Fault::ExpiredServerCertificate) => {
                let make = || async { Ok((forge::ended(honest, signing, now).await?, root()?)) };
                self.presented.get_or_try_init(make).await.cloned()
            }
            _ => Ok((honest.clone(), root()?)),
        }
    }
}
