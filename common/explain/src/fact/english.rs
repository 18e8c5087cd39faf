//! Facts in English.

use scb_protocol::message::proposal::ProposalState;
use scb_protocol::{Fact, Proved, StepEvent, counted};

use super::{Label, refused};
use crate::Language;

pub(super) fn text(event: &StepEvent) -> String {
    let who = match &event.sid {
        Some(sid) => sid.to_string(),
        None => "The student".to_owned(),
    };
    match &event.fact {
        Fact::Listening { .. } => {
            "The server is ready. It proves itself to everybody who connects \
            with its certificate; whoever knows the fingerprint of CUHK's root can check that."
                .to_owned()
        }
        Fact::AlreadyCertified { certificates } => format!(
            "{} and the keys for them are on this machine already: steps 1 and 2 are not needed \
             again.",
            counted(*certificates, "certificate")
        ),
        Fact::NotRenewedYet { until } => format!(
            "The certificate of {who} is good until {} and in the first half of its life: until \
             that is over, the same key gets the same certificate. Nothing was changed.",
            scb_protocol::rfc3339(*until)
        ),
        Fact::RequestsSent {
            fresh, requests, ..
        } => format!(
            "New P-256 key pairs made here: {fresh}; private keys never leave this machine. CUHK \
             proved itself under the known root first, and only then {} went out, with the \
             one-time enrolment code, which is shown nowhere.",
            counted(requests.len(), "certificate request")
        ),
        Fact::RequestVerified { .. } => format!(
            "The request for {who} is signed by the private key that belongs to the public key in \
             it. Only that public key is taken from it: the name comes from the roster."
        ),
        Fact::StudentCertified { before: true, .. } => format!(
            "{who} had asked for this before, with the same code and the same key, and gets the \
             same certificate again, with a fresh identity token. Nothing is issued twice."
        ),
        Fact::StudentCertified { .. } => format!(
            "The enrolment code is right for {who}. The serial number was recorded before the \
             certificate was signed. The identity token is bound to this certificate, so that it \
             is worth nothing without the private key."
        ),
        Fact::StudentRenewed { before: true, .. } => format!(
            "{who} had asked for the next certificate before, with the same new key, and gets the \
             same certificate again. Nothing is issued twice."
        ),
        Fact::StudentRenewed { .. } => format!(
            "{who} proved possession of the certified key and got the next certificate, for a new \
             key. The roster lists {who} still. The old certificate stays good until its end, so \
             that a lost answer locks nobody out."
        ),
        Fact::ServiceCertified {
            name, before: true, ..
        } => format!(
            "The service {name} had asked for this before, with the same code and the same key, \
             and gets the same certificate again. Nothing is issued twice."
        ),
        Fact::ServiceCertified { name, .. } => format!(
            "The service {name} showed its one-time code and got its first certificate, by which \
             everybody recognises it from now on."
        ),
        Fact::ServiceRenewed { name, .. } => format!(
            "The service {name} proved itself with its present certificate and got the next one, \
             before the present one expires."
        ),
        Fact::TokenIssued { .. } => format!(
            "{who} proved possession of the certified key in the TLS handshake and got a fresh \
             identity token, bound to that certificate."
        ),
        Fact::CertificateKept { .. } => format!(
            "CUHK certified the key of {who}. The certificate was verified here against CUHK's \
             root, for this student and this key, and was saved with the identity token."
        ),
        Fact::CertificateRenewed { .. } => format!(
            "A new key of {who} was saved here first; then the old key vouched for it and CUHK \
             certified it. The new key, its certificate and its token have taken the place of the \
             old ones, all three at once. No code was needed."
        ),
        Fact::TokenRefreshed { .. } => format!(
            "The identity token of {who} was about to expire. CUHK gave a fresh one over a \
             connection that {who} opened with the certified key."
        ),
        Fact::Presented { members, .. } => format!(
            "{} presented certificate, identity token, a session public key that lives \
             only as long as this connection, and a proof of possession: a signature over T1, \
             which covers this very TLS connection and the server's challenge. A proof that is \
             replayed elsewhere fits nothing.",
            counted(members.len(), "member")
        ),
        Fact::GroupVerified { members, .. } => format!(
            "Certificate, token and proof are in order for {}. CUHK was asked about all at once; its signed answer repeats the nonce, so that an old answer \
             cannot be used.",
            counted(members.len(), "member")
        ),
        Fact::MembersAnswered { asker, answers, .. } => format!(
            "{asker} asked about {}: active, and with these certificates? The signed \
             answer is for this asker and this nonce only, and good for 60 seconds.",
            counted(answers.len(), "member")
        ),
        Fact::TokenIntrospected { asker, inactive } => match inactive {
            None => format!(
                "{asker} showed an identity token of {who} and asked whether it counts (RFC 7662). \
                 It was issued for {asker}, which alone is told what it says; the certificate to \
                 which it is bound and the student are active."
            ),
            Some(_) => format!(
                "{asker} asked about an identity token that does not count, or that was issued for \
                 another service. It is told just that the token is not active: every such answer \
                 is the same."
            ),
        },
        Fact::AnswerVerified { members, .. } => format!(
            "Blackboard passed on CUHK's signed answer about {}. It was verified here as \
             well: the student's side believes no more than Blackboard does.",
            counted(members.len(), "member")
        ),
        Fact::TokensCount { members, .. } => format!(
            "CUHK is away. By this server's configuration the identity tokens of {}, which CUHK \
             signed earlier, count instead while the revocation lists are fresh; the receipt will \
             say so.",
            counted(*members, "member")
        ),
        Fact::SharesSealed { shares, .. } => format!(
            "{}, one per member, sealed with HPKE to the session public keys and bound to T2, that \
             is to everything shown in step 3. Nobody but that member can open a share.",
            counted(*shares, "random share")
        ),
        Fact::SharesOpened { shares, .. } => format!(
            "{} opened with the members' session keys. The session key is derived from all of them \
             and from T2: without one of them it is another key.",
            counted(*shares, "share")
        ),
        Fact::KeyConfirmed { .. } => {
            "Both sides derived the same session key and showed it with a \
            MAC, each under a key of its own. The session key itself was never sent and dies with \
            this connection."
                .to_owned()
        }
        Fact::StatementSent(statement) => format!(
            "{} signed the statement, which names members, assignment, files, sizes and \
             hashes. The MAC ties it to this session. The content follows.",
            counted(statement.signatures, "member")
        ),
        Fact::AssignmentChosen { .. } => "It was not said what is handed in. Blackboard was asked \
            what is open to these members: there is one assignment."
            .to_owned(),
        Fact::ProposalsTold { proposals } => format!(
            "The members were told of {}: what is to be signed, byte by byte, who has signed, and \
             the rules by which it will be judged. Proposals that name others are not told.",
            counted(*proposals, "proposal")
        ),
        Fact::ProposalRecorded { state, missing, .. } => proposal(*state, *missing),
        Fact::ReceiptTold { number } => format!(
            "A member of the group asked for the receipt of {number} and was given it. Others are \
             told that there is no such submission of theirs."
        ),
        Fact::ProofTold { proved, .. } => match proved {
            Proved::Yes => {
                "The members were given the proof that the assignment's log holds their \
                 submission and that CUHK has seen it. It makes their receipt complete."
                    .to_owned()
            }
            Proved::NotYet => {
                "The members asked for the proof that belongs into a receipt. There is \
                 none yet: CUHK has not cosigned the log that far, or no such submission is theirs."
                    .to_owned()
            }
        },
        Fact::RefusalProofTold { proved, .. } => match proved {
            Proved::Yes => {
                "The members were given the proof that the assignment's log holds their \
                 refusal and that CUHK has seen it. It makes what they keep of it complete."
                    .to_owned()
            }
            Proved::NotYet => {
                "The members asked for the proof that the log holds their refusal. There is \
                 none yet: CUHK has not cosigned the log that far, or no such refusal is theirs."
                    .to_owned()
            }
        },
        Fact::GradesTold { grades } => format!(
            "The members, who have proved who they are, were told {} of their own that {} \
             released, with the signature and the log's proof. Nobody is told those of others.",
            counted(grades, "grade"),
            if *grades == 1 { "was" } else { "were" }
        ),
        Fact::HistoryTold { versions } => format!(
            "The members, who have proved who they are, were told of {} of their own. Of those of \
             others nobody learns even that they exist.",
            counted(*versions, "version")
        ),
        Fact::Downloaded { bytes, .. } => format!(
            "The members got back {} of what they handed in. It was read from the disk and compared \
             with its hash before the first byte went out.",
            counted(*bytes, "byte")
        ),
        Fact::AssignmentsTold { assignments } => format!(
            "The members, who have proved who they are, were told of {}: the rules, \
             their own extensions, and what was changed. Others are told of their own.",
            counted(assignments, "assignment")
        ),
        Fact::StatementAccepted(statement) => format!(
            "The MAC fits the session key, and there is a good signature of every member: \
             {}. Now the content may come.",
            statement.signatures
        ),
        Fact::Committed { .. } => "The signed statement is recorded. That moment counts for the \
            deadline, if the files are here by the time named; what is there already is not sent \
            again."
            .to_owned(),
        Fact::VerifiedAgain { .. } => "All content came, with the hash that the members signed. \
            CUHK was asked a second time, under a new nonce: whoever was revoked meanwhile would \
            be refused now."
            .to_owned(),
        Fact::Stored { .. } => "The report was safe on disk, and read back from it, before one transaction gave it its \
            number. Only then is the signed receipt sent."
            .to_owned(),
        Fact::ReceiptKept {
            signatures, before, ..
        } => {
            let again = if *before {
                "An earlier attempt had been stored, so that nothing is stored twice. "
            } else {
                ""
            };
            let signed = counted(*signatures, "signature");
            format!(
                "{again}The receipt holds the statement with {signed} and \
                 Blackboard's signed acceptance. It was verified here before it was kept; anybody \
                 can check it with openssl and the fingerprint of CUHK's root."
            )
        }
        Fact::Refused(refusal) => {
            let (sentence, remedy) = refused(refusal, Language::English);
            format!("Refused: {sentence}. Nothing was changed. What to do: {remedy}.")
        }
    }
}

pub(super) fn name(label: &Label) -> String {
    match label {
        Label::Address => "address",
        Label::Root => "root SHA-256",
        Label::Server => "server",
        Label::Asker => "asked by",
        Label::PublicKey => "public key SHA-256",
        Label::Serial => "serial number",
        Label::Certificate => "certificate SHA-256",
        Label::ValidUntil => "valid until",
        Label::TokenUntil => "token until",
        Label::Challenge => "challenge",
        Label::T1 => "T1",
        Label::T2 => "T2",
        Label::Nonce => "nonce",
        Label::SignedAt => "signed at",
        Label::ClientMac => "student's MAC",
        Label::ServerMac => "Blackboard's MAC",
        Label::Assignment => "assignment",
        Label::Due => "due",
        Label::Submission => "submission ID",
        Label::FileName => "file",
        Label::Size => "size",
        Label::Content => "content SHA-256",
        Label::Mac => "MAC",
        Label::MoreFiles => "more files",
        Label::CommittedAt => "committed at",
        Label::UploadUntil => "files may come until",
        Label::Received => "there already",
        Label::Number => "number",
        Label::Receipt => "receipt SHA-256",
        Label::Code => "code",
        Label::Member(sid) => return sid.to_string(),
        Label::Detail(name) => return name.clone(),
    }
    .to_owned()
}

fn proposal(state: ProposalState, missing: usize) -> String {
    match state {
        ProposalState::Waiting => format!(
            "Signatures over this connection are recorded, with the connection. {} still to sign, \
             each from their own machine. It becomes a submission when the last signature is \
             recorded, and that moment counts for lateness.",
            match missing {
                1 => "One member has".to_owned(),
                more => format!("{more} members have"),
            }
        ),
        ProposalState::Signed => {
            "Everybody has signed: the moment of the last signature counts for \
            lateness. What is missing are files, or CUHK's last word."
                .to_owned()
        }
        ProposalState::Accepted => "Everybody has signed, and it is a submission.".to_owned(),
        ProposalState::Declined => "A member who was to sign has said no. It is recorded in the \
            assignment's log, and nobody can sign this any more."
            .to_owned(),
        ProposalState::Withdrawn => "A member who had signed has taken it back. It is recorded in \
            the assignment's log, and nobody can sign this any more."
            .to_owned(),
        ProposalState::Lapsed => {
            "Not everybody had signed in time: nothing was handed in.".to_owned()
        }
    }
}
