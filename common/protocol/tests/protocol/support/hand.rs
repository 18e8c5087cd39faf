//! A client written by hand from the protocol's description: it can say what ours never would.

use data_encoding::BASE64URL_NOPAD;
use scb_protocol::client::Member;
use scb_protocol::message::blackboard::{Presented, Reply, Request};
use scb_protocol::server::{ExpectConfirmation, ExpectPresentation, ExpectRequest};
use scb_protocol::session::{SessionKey, SessionSecret, Share, open_share};
use scb_protocol::values::{Challenge, Der, SessionPublicKey};
use scb_protocol::{Channel, Transcript1, Transcript2, TranscriptMember};
use serde_json::json;

use super::run::EXPORTER;
use super::{Group, Jws, name};

/// A client that holds everything in the open.
pub(crate) struct Hand<'a> {
    pub(crate) group: &'a Group<'a>,
    pub(crate) channel: Channel,
    /// What the members present as their session keys.
    pub(crate) session_keys: Vec<SessionPublicKey>,
    secrets: Vec<SessionSecret>,
}

/// What the client by hand sends first, and what it must remember.
pub(crate) struct Shown {
    pub(crate) members: Vec<Presented>,
    pub(crate) t1: Transcript1,
}

impl<'a> Hand<'a> {
    /// On an honest connection of the group's first member.
    pub(crate) fn of(group: &'a Group<'a>) -> Self {
        let members = group.members.iter();
        let secrets: Vec<_> = members
            .map(|_| SessionSecret::generate().unwrap())
            .collect();
        Self {
            group,
            channel: Channel {
                exporter: EXPORTER,
                service: group.policy.service.clone(),
                client_certificate: group.members[0].chain.leaf().fingerprint(),
            },
            session_keys: secrets.iter().map(SessionSecret::public_key).collect(),
            secrets,
        }
    }

    /// Blackboard's end of the same connection.
    pub(crate) fn server(&self) -> (ExpectPresentation, Challenge) {
        let server = ExpectPresentation::new(self.group.policy.clone(), self.channel.clone());
        let server = server.unwrap();
        let Reply::Greeting { challenge, .. } = server.greeting(self.group.campus.now()) else {
            panic!("no greeting");
        };
        (server, challenge)
    }

    /// All members, with proofs over this connection and challenge.
    pub(crate) fn present(&self, challenge: &Challenge) -> Shown {
        let t1 = Transcript1::new(&self.channel, challenge, &self.transcript());
        let members = self.group.members.iter().zip(&self.session_keys);
        let members = members
            .map(|(member, session_key)| Presented {
                sid: member.sid.clone(),
                chain: member.chain.clone(),
                token: member.token.clone(),
                session_key: *session_key,
                proof: proof(member, &t1).sign(&member.key),
            })
            .collect();
        Shown { members, t1 }
    }

    /// The members as they present themselves on some connection.
    pub(crate) fn shown(&self) -> Vec<Presented> {
        self.present(&Challenge::from_bytes([0; 32])).members
    }

    /// Steps 3 to 5: the server that expects a request, and the session key.
    pub(crate) fn open(&self) -> (ExpectRequest, SessionKey) {
        let (server, key) = self.confirm();
        let mac = key.client_confirmation();
        let (server, reply) = server.handle(Request::Confirm { mac }).unwrap();
        let mac = key.server_confirmation();
        assert_eq!(reply, Reply::Confirmed { mac });
        (server, key)
    }

    /// Steps 3 and 4: the server that expects a confirmation, and the session key.
    pub(crate) fn confirm(&self) -> (ExpectConfirmation, SessionKey) {
        let (group, now) = (self.group, self.group.campus.now());
        let (server, challenge) = self.server();
        let shown = self.present(&challenge);
        let present = Request::Present {
            members: shown.members.clone(),
        };
        let server = server.handle(present, &group.trust, now).unwrap();
        let answer = group.answer(server.question());
        let (server, reply) = server.handle(&answer, &group.trust, now).unwrap();
        (server, self.derive(&shown, &reply))
    }

    /// The session key from the server's shares.
    pub(crate) fn derive(&self, shown: &Shown, reply: &Reply) -> SessionKey {
        let Reply::Shares {
            verification,
            shares,
            ..
        } = reply
        else {
            panic!("no shares: {reply:?}");
        };
        let proofs = shown.members.iter().map(|member| member.proof.as_str());
        let tokens = shown.members.iter().map(|member| member.token.as_str());
        let t2 = Transcript2::new(&shown.t1, proofs, tokens, verification.as_deref());
        let opened: Vec<Share> = (0..)
            .zip(shares)
            .zip(self.group.members.iter().zip(&self.secrets))
            .map(|((index, share), (member, secret))| {
                open_share(share, secret, &t2, &member.sid, index).unwrap()
            })
            .collect();
        SessionKey::derive(&t2, shares, &opened).unwrap()
    }

    /// `submit` with these statement bytes, rightly signed by all and with the right MAC.
    pub(crate) fn submit(&self, key: &SessionKey, statement: &str) -> Request {
        Request::Submit {
            statement: statement.to_owned(),
            mac: key.statement_mac(statement.as_bytes()),
            signatures: Der::new(self.group.sign(statement.as_bytes())),
        }
    }

    fn transcript(&self) -> Vec<TranscriptMember> {
        let named = self.group.named().into_iter().zip(&self.session_keys);
        named
            .map(|(member, session_key)| TranscriptMember {
                sid: member.sid,
                certificate: member.cert_sha256,
                session_key: *session_key,
            })
            .collect()
    }
}

/// A member's proof of possession, not yet signed.
pub(crate) fn proof(member: &Member, t1: &Transcript1) -> Jws {
    let claims = json!({
        "v": 1,
        "sub": name(&format!("student/{}", member.sid)),
        "t1": BASE64URL_NOPAD.encode(t1.as_bytes()),
    });
    Jws::new("scb-proof+jwt", &member.chain, claims)
}
