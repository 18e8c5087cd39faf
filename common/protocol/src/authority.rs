//! CUHK's side of the protocol: who may ask for what, on one connection.

use rustls_pki_types::UnixTime;
use scb_certs::{
    Chain, Error as CertsError, ServiceName, StudentId, TrustStore, VerifiedPeer, VerifiedRequest,
    VerifiedService, VerifiedStudent,
};
use scb_tlog::VerifierKey;

use crate::certificate::certificate_refusal;
use crate::message::Message;
use crate::message::cuhk::{Reply, Request};
use crate::renewal::{self, AuthorityChannel, CertificateHolder};
use crate::values::Der;
use crate::verification::{MAX_QUESTION, Question};
use crate::witness::{self, MAX_ENTRIES, OfferedCheckpoint, ServiceLog, name_of_witness};
use crate::{Code, EnrolmentCode, Refusal, Step};

/// After how many wrong enrolment codes a connection is closed.
pub const MAX_WRONG_CODES: u8 = 5;

/// Who is at the other end, by the TLS client certificate.
#[derive(Debug, Clone)]
pub enum Caller {
    /// Nobody in particular: no client certificate.
    Anonymous,
    /// A student.
    Student(VerifiedStudent),
    /// A service.
    Service(VerifiedService),
}

impl Caller {
    /// Judges the certificate chain that the TLS client presented, if any.
    ///
    /// # Errors
    ///
    /// A `certificate_…` code.
    pub fn from_chain(
        chain: Option<&Chain>,
        trust: &TrustStore,
        now: UnixTime,
    ) -> Result<Self, Refusal> {
        let Some(chain) = chain else {
            return Ok(Self::Anonymous);
        };
        match trust.verify_any_client(chain, now) {
            Ok(VerifiedPeer::Student(student)) => Ok(Self::Student(student)),
            Ok(VerifiedPeer::Service(service)) => Ok(Self::Service(service)),
            Err(error) => Err(certificate_refusal(&error, Step::One)),
        }
    }

    /// The service that asks for something that only services may ask for, by its name.
    ///
    /// # Errors
    ///
    /// `certificate_missing`, `not_permitted`.
    pub fn service(&self, what: &str) -> Result<&VerifiedService, Refusal> {
        match self {
            Self::Service(service) => Ok(service),
            _ => Err(self.denied(what, Step::Three)),
        }
    }

    fn denied(&self, what: &str, step: Step) -> Refusal {
        let code = match self {
            Self::Anonymous => Code::CertificateMissing,
            Self::Student(_) | Self::Service(_) => Code::NotPermitted,
        };
        Refusal::new(code, step)
            .with("message", what)
            .with("role", self.role())
    }

    fn role(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Student(_) => "student",
            Self::Service(_) => "service",
        }
    }
}

/// A request that its caller may make, with everything checked that needs no store.
#[derive(Debug)]
pub enum Admitted {
    /// Issue a student's first certificate, if the code is right.
    Enrol {
        /// The student ID asked for.
        sid: StudentId,
        /// The code shown.
        code: EnrolmentCode,
        /// The public key, whose owner signed the request.
        request: VerifiedRequest,
    },
    /// Issue a fresh identity token to this student.
    RefreshToken {
        /// Who asks.
        student: VerifiedStudent,
    },
    /// Issue the next certificate of this student.
    Renew {
        /// Who asks.
        student: VerifiedStudent,
        /// The public key, whose owner signed the request.
        request: VerifiedRequest,
    },
    /// Issue the next certificate after this one, if CUHK issued it and it ended not long ago.
    RenewExpired {
        /// Who holds the key of the old certificate.
        holder: CertificateHolder,
        /// The public key, whose owner signed the request.
        request: VerifiedRequest,
    },
    /// Issue a service's first certificate, if the code is right.
    EnrolService {
        /// The service asked for.
        name: ServiceName,
        /// The code shown.
        code: EnrolmentCode,
        /// The public key, whose owner signed the request.
        request: VerifiedRequest,
    },
    /// Issue the next certificate of this service.
    RenewService {
        /// Who asks.
        service: VerifiedService,
        /// The public key, whose owner signed the request.
        request: VerifiedRequest,
    },
    /// Tell this service whether these members are active.
    Verify {
        /// Who asks.
        asker: VerifiedService,
        /// What is asked.
        question: Question,
    },
    /// Tell this service the number of the last change of any status.
    Status {
        /// Who asks.
        asker: VerifiedService,
    },
    /// Hand out the revocation lists; they are public.
    Crls,
    /// Show the issuance log's checkpoint.
    Checkpoint {
        /// Entries that the asker knows of.
        old: u64,
    },
    /// Show this student the entries about them.
    Audit {
        /// Who asks.
        student: VerifiedStudent,
        /// The size of the checkpoint to prove them against.
        size: u64,
        /// Which entry to begin with, from 1.
        from: u64,
    },
    /// Keep what this service says about a checkpoint.
    Cosign {
        /// The witness.
        witness: VerifiedService,
        /// Its key.
        verifier_key: String,
        /// The checkpoint with its cosignature.
        checkpoint: String,
    },
    /// Hand out a trust bundle; they are public.
    TrustBundle {
        /// Its number; 0 for the latest.
        sequence: u64,
    },
    /// Endorse the key of this service's log.
    Endorse {
        /// Who asks.
        asker: VerifiedService,
        /// Its log.
        log: ServiceLog,
        /// The log's key.
        key: VerifierKey,
    },
    /// Cosign a checkpoint of this service's log, if it extends what was seen.
    Witness {
        /// Who asks.
        asker: VerifiedService,
        /// What is to be judged.
        offered: OfferedCheckpoint,
    },
    /// Tell this service what was seen of its log.
    Witnessed {
        /// Who asks.
        asker: VerifiedService,
        /// Its log.
        log: ServiceLog,
    },
    /// Give this service back what was kept of its log.
    WitnessedEntries {
        /// Who asks.
        asker: VerifiedService,
        /// Its log.
        log: ServiceLog,
        /// The number of the first entry, from 0.
        from: u64,
        /// How many entries, at most 512.
        count: usize,
    },
    /// Tell this service which of its logs are known.
    WitnessedLogs {
        /// Who asks.
        asker: VerifiedService,
        /// The name after which to begin.
        after: String,
    },
}

/// CUHK's state on one connection: any admitted request, as long as codes are not guessed.
#[derive(Debug, Default)]
pub struct ExpectRequest {
    channel: Option<AuthorityChannel>,
    wrong_codes: u8,
}

impl ExpectRequest {
    /// A connection on which nothing was asked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// On this connection, for which alone a certificate that has expired may be renewed.
    #[must_use]
    pub fn on(mut self, channel: AuthorityChannel) -> Self {
        self.channel = Some(channel);
        self
    }

    /// The first message on every connection.
    pub fn greeting(service: scb_certs::SpiffeId, now: UnixTime) -> Reply {
        Reply::Greeting {
            v: 1,
            service,
            time: now.as_secs(),
        }
    }

    /// Admits a request or refuses it: every operation is denied to every role unless it is
    /// listed here.
    ///
    /// # Errors
    ///
    /// `certificate_missing`, `not_permitted`, `request_invalid`, `key_unsupported`,
    /// `proof_invalid`, `member_count`, `duplicate_member` or `checkpoint_invalid`.
    pub fn handle(&self, request: Request, caller: &Caller) -> Result<Admitted, Refusal> {
        match caller {
            Caller::Anonymous => self.without_certificate(request),
            Caller::Student(student) => from_student(request, student),
            Caller::Service(service) => from_service(request, service),
        }
    }

    /// What may be asked without a certificate.
    fn without_certificate(&self, request: Request) -> Result<Admitted, Refusal> {
        match request {
            Request::Enrol { sid, code, request } => {
                let request = verify_request(&request).map_err(|refusal| refusal.about(&sid))?;
                Ok(Admitted::Enrol { sid, code, request })
            }
            Request::EnrolService {
                name,
                code,
                request,
            } => {
                let request = verify_request(&request)?;
                Ok(Admitted::EnrolService {
                    name,
                    code,
                    request,
                })
            }
            Request::RenewExpired {
                sid,
                request,
                proof,
            } => {
                let verified = verify_request(&request).map_err(|refusal| refusal.about(&sid))?;
                Ok(Admitted::RenewExpired {
                    holder: renewal::verify(&proof, self.channel.as_ref(), &request, &sid)?,
                    request: verified,
                })
            }
            request => public(request, &Caller::Anonymous),
        }
    }

    /// Counts a wrong code. The refusal in `Ok` is sent and the connection goes on.
    ///
    /// # Errors
    ///
    /// `too_many_codes` at the fifth: it is sent and the connection is closed.
    pub fn wrong_code(&mut self, refusal: Refusal) -> Result<Refusal, Refusal> {
        self.wrong_codes = self.wrong_codes.saturating_add(1);
        if self.wrong_codes < MAX_WRONG_CODES {
            return Ok(refusal);
        }
        Err(Refusal {
            code: Code::TooManyCodes,
            ..refusal
        })
    }
}

/// What a student may ask, about himself alone.
fn from_student(request: Request, student: &VerifiedStudent) -> Result<Admitted, Refusal> {
    let who = student.clone();
    match request {
        Request::RefreshToken {} => Ok(Admitted::RefreshToken { student: who }),
        Request::Renew { request } => {
            let verified = verify_request(&request);
            Ok(Admitted::Renew {
                request: verified.map_err(|refusal| refusal.about(student.sid()))?,
                student: who,
            })
        }
        Request::Checkpoint { old } => Ok(Admitted::Checkpoint { old }),
        Request::Audit { size, from } => Ok(Admitted::Audit {
            student: who,
            size,
            from,
        }),
        request => public(request, &Caller::Student(who)),
    }
}

/// What a service may ask.
fn from_service(request: Request, service: &VerifiedService) -> Result<Admitted, Refusal> {
    let who = service.clone();
    match request {
        Request::RenewService { request } => Ok(Admitted::RenewService {
            service: who,
            request: verify_request(&request)?,
        }),
        Request::Verify {
            nonce,
            members,
            statement_sha256,
        } => Ok(Admitted::Verify {
            asker: who,
            question: question(Question {
                nonce,
                members,
                statement_sha256,
            })?,
        }),
        Request::Status {} => Ok(Admitted::Status { asker: who }),
        Request::Checkpoint { old } => Ok(Admitted::Checkpoint { old }),
        Request::Cosign {
            verifier_key,
            checkpoint,
        } => Ok(Admitted::Cosign {
            witness: with_own_key(service, &verifier_key)?,
            verifier_key,
            checkpoint,
        }),
        request => about_log(request, service),
    }
}

/// What everybody may ask, whoever it is; and the end of every list of what somebody may.
fn public(request: Request, caller: &Caller) -> Result<Admitted, Refusal> {
    match request {
        Request::Crls {} => Ok(Admitted::Crls),
        Request::TrustBundle { sequence } => Ok(Admitted::TrustBundle { sequence }),
        request => Err(denied(&request, caller)),
    }
}

/// What a service may ask about a log: only about its own.
fn about_log(request: Request, asker: &VerifiedService) -> Result<Admitted, Refusal> {
    let own = |name: &str| ServiceLog::of(asker, name);
    let who = asker.clone();
    match request {
        Request::Endorse { log } => {
            let (log, key) = ServiceLog::of_key(asker, &log)?;
            Ok(Admitted::Endorse {
                asker: who,
                log,
                key,
            })
        }
        Request::Witness {
            checkpoint,
            old,
            growth,
            entries,
        } => Ok(Admitted::Witness {
            offered: OfferedCheckpoint::read(asker, &checkpoint, (old, &growth), entries)?,
            asker: who,
        }),
        Request::Witnessed { log } => Ok(Admitted::Witnessed {
            log: own(&log)?,
            asker: who,
        }),
        Request::WitnessedEntries { log, from, end } => Ok(Admitted::WitnessedEntries {
            log: own(&log)?,
            asker: who,
            from,
            count: usize::try_from(end.saturating_sub(from))
                .unwrap_or(MAX_ENTRIES)
                .min(MAX_ENTRIES),
        }),
        Request::WitnessedLogs { after } => Ok(Admitted::WitnessedLogs { asker: who, after }),
        request => public(request, &Caller::Service(who)),
    }
}

/// A service cosigns under its own name, so that no key of somebody else's is handed on as its.
///
/// # Errors
///
/// `log_invalid` if it is no key; `not_permitted` if it has another name.
fn with_own_key(witness: &VerifiedService, key: &str) -> Result<VerifiedService, Refusal> {
    let key: VerifierKey = key.parse().map_err(|error: scb_tlog::Error| {
        Refusal::new(Code::LogInvalid, Step::Two).with("reason", error)
    })?;
    let domain = witness.spiffe_id().trust_domain();
    match key.name().as_str() == name_of_witness(domain, witness.name()) {
        true => Ok(witness.clone()),
        false => Err(Refusal::new(Code::NotPermitted, Step::Two)
            .with("key", key.name())
            .with("service", witness.name())),
    }
}

fn denied(request: &Request, caller: &Caller) -> Refusal {
    let step = match request {
        Request::Verify { .. } => Step::Three,
        Request::Endorse { .. }
        | Request::Witness { .. }
        | Request::Witnessed { .. }
        | Request::WitnessedEntries { .. }
        | Request::WitnessedLogs { .. } => witness::STEP,
        _ => Step::One,
    };
    caller.denied(request.name(), step)
}

/// Verifies a PKCS#10 request that its own key must have signed.
///
/// # Errors
///
/// `request_invalid`, `key_unsupported`.
pub fn verify_request(request: &Der) -> Result<VerifiedRequest, Refusal> {
    VerifiedRequest::verify(request.as_bytes()).map_err(|error| {
        let code = match error {
            CertsError::KeyUnsupported => Code::KeyUnsupported,
            _ => Code::RequestInvalid,
        };
        Refusal::new(code, Step::One).with("reason", error)
    })
}

fn question(question: Question) -> Result<Question, Refusal> {
    let members = &question.members;
    if members.is_empty() || members.len() > MAX_QUESTION {
        return Err(Refusal::new(Code::MemberCount, Step::Three)
            .with("got", members.len())
            .with("limit", MAX_QUESTION));
    }
    if let Some(sid) = first_repeated(members.iter().map(|member| &member.sid)) {
        return Err(Refusal::new(Code::DuplicateMember, Step::Three).about(sid));
    }
    Ok(question)
}

/// The first student ID that stands twice.
pub(crate) fn first_repeated<'a>(
    sids: impl Iterator<Item = &'a StudentId>,
) -> Option<&'a StudentId> {
    let mut seen = std::collections::BTreeSet::new();
    sids.into_iter().find(|sid| !seen.insert(*sid))
}
