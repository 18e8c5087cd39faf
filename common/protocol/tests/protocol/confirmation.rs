//! Steps 4 and 5: the shares, and the proof on both sides that all of them were opened.

use scb_protocol::message::blackboard::{Reply, Request, SealedShare};
use scb_protocol::values::{Ciphertext, Encapsulation, Mac, SessionPublicKey};
use scb_protocol::{Code, Step};
use scb_testkit::TestCampus;

use crate::support::{Group, Hand, Side, THREE, refused_in};

/// Points of low order (RFC 7748, section 6.1), canonical and not.
const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

fn point(hex: &str) -> [u8; 32] {
    let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
    bytes.try_into().unwrap()
}

fn flip(mac: &Mac, index: usize) -> Mac {
    let mut bytes = *mac.as_bytes();
    bytes[index] ^= 1;
    Mac::from_bytes(bytes)
}

/// The first message of a kind that an honest run of the group sends.
fn recorded<T>(group: &Group<'_>, pick: impl Fn(&Request, &Reply) -> Option<T>) -> T {
    let found = std::cell::RefCell::new(None);
    let last = std::cell::RefCell::new(Request::End {});
    let run = group.run().requests(|request| {
        last.replace(request.clone());
    });
    let run = run.replies(|reply| {
        let mut found = found.borrow_mut();
        *found = found.take().or_else(|| pick(&last.borrow(), reply));
    });
    run.go().unwrap();
    found.take().unwrap()
}

fn shares(reply: &Reply) -> Option<Vec<SealedShare>> {
    match reply {
        Reply::Shares { shares, .. } => Some(shares.clone()),
        _ => None,
    }
}

#[test]
fn the_client_refuses_shares_that_are_not_its_members() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let earlier = recorded(&group, |_, reply| shares(reply));
    type Alter<'a> = &'a dyn Fn(&mut Vec<SealedShare>);
    let cases: [(&str, Alter<'_>); 10] = [
        ("swapped", &|shares| shares.swap(0, 1)),
        ("rotated", &|shares| shares.rotate_left(1)),
        ("one for all", &|shares| shares[1] = shares[0].clone()),
        ("none", &Vec::clear),
        ("one missing", &|shares| shares.truncate(2)),
        ("one more", &|shares| shares.push(shares[0].clone())),
        ("of an earlier connection", &|shares| {
            shares.clone_from(&earlier);
        }),
        ("last of an earlier connection", &|shares| {
            shares[2] = earlier[2].clone();
        }),
        ("ciphertexts swapped", &|shares| {
            let first = shares[0].ciphertext;
            shares[0].ciphertext = std::mem::replace(&mut shares[1].ciphertext, first);
        }),
        ("encapsulations swapped", &|shares| {
            let first = shares[0].encapsulation;
            shares[0].encapsulation = std::mem::replace(&mut shares[1].encapsulation, first);
        }),
    ];
    for (what, alter) in cases {
        refuses_shares(&group, what, alter);
    }
    for index in [0, 31, 32, 47] {
        refuses_shares(&group, "altered ciphertext", &|shares| {
            let mut bytes = *shares[2].ciphertext.as_bytes();
            bytes[index] ^= 1;
            shares[2].ciphertext = Ciphertext::from_bytes(bytes);
        });
    }
    for hex in LOW_ORDER {
        refuses_shares(&group, hex, &|shares| {
            shares[1].encapsulation = Encapsulation::from_bytes(point(hex));
        });
    }
}

fn refuses_shares(group: &Group<'_>, what: &str, alter: &dyn Fn(&mut Vec<SealedShare>)) {
    let run = group.run().replies(|reply| {
        if let Reply::Shares { shares, .. } = reply {
            alter(shares);
        }
    });
    let refused = run.refused(what);
    refused.is(what, Side::Client, Step::Four, Code::ShareInvalid);
}

#[test]
fn the_client_refuses_all_that_was_said_on_an_earlier_connection() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let earlier = recorded(&group, |_, reply| {
        matches!(reply, Reply::Shares { .. }).then(|| reply.clone())
    });
    let run = group.run().replies(|reply| {
        if matches!(reply, Reply::Shares { .. }) {
            *reply = earlier.clone();
        }
    });
    let refused = run.refused("replayed");
    refused.is("replayed", Side::Client, Step::Four, Code::ShareInvalid);
}

#[test]
fn the_server_refuses_a_session_key_of_low_order() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    for hex in LOW_ORDER {
        let mut hand = Hand::of(&group);
        hand.session_keys[1] = SessionPublicKey::from_bytes(point(hex));
        let (server, challenge) = hand.server();
        let members = hand.present(&challenge).members;
        let server = server.handle(Request::Present { members }, &group.trust, campus.now());
        let server = server.unwrap();
        let answer = group.answer(server.question());
        let verdict = server.handle(&answer, &group.trust, campus.now());
        refused_in(Step::Four, hex, verdict, Code::ShareInvalid);
    }
}

#[test]
fn the_server_refuses_every_other_confirmation() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..2]);
    let (earlier, of_server) = recorded(&group, |request, reply| match (request, reply) {
        (Request::Confirm { mac }, Reply::Confirmed { mac: of_server }) => Some((*mac, *of_server)),
        _ => None,
    });
    let mut cases: Vec<(String, Box<dyn Fn(&Mac) -> Mac>)> = vec![
        ("zero".to_owned(), Box::new(|_| Mac::from_bytes([0; 32]))),
        ("of another session".to_owned(), Box::new(move |_| earlier)),
        (
            "the server's of another session".to_owned(),
            Box::new(move |_| of_server),
        ),
    ];
    for index in 0..32 {
        let alter = move |mac: &Mac| flip(mac, index);
        cases.push((format!("byte {index}"), Box::new(alter)));
    }
    for (what, alter) in cases {
        let run = group.run().requests(|request| {
            if let Request::Confirm { mac } = request {
                *mac = alter(mac);
            }
        });
        let refused = run.refused(&what);
        refused.is(&what, Side::Server, Step::Five, Code::ConfirmationFailed);
    }
}

#[test]
fn the_server_refuses_its_own_confirmation() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let hand = Hand::of(&group);
    let (server, key) = hand.confirm();
    let mac = key.server_confirmation();
    let verdict = server.handle(Request::Confirm { mac });
    refused_in(Step::Five, "reflected", verdict, Code::ConfirmationFailed);
    let (server, key) = hand.confirm();
    let mac = key.client_confirmation();
    server.handle(Request::Confirm { mac }).unwrap();
}

#[test]
fn the_client_refuses_every_other_confirmation() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..2]);
    let earlier = recorded(&group, |_, reply| match reply {
        Reply::Confirmed { mac } => Some(*mac),
        _ => None,
    });
    let own = std::cell::Cell::new(earlier);
    let mut cases: Vec<(String, Box<dyn Fn(&Mac) -> Mac + '_>)> = vec![
        ("zero".to_owned(), Box::new(|_| Mac::from_bytes([0; 32]))),
        ("of another session".to_owned(), Box::new(move |_| earlier)),
        ("its own, reflected".to_owned(), Box::new(|_| own.get())),
    ];
    for index in 0..32 {
        let alter = move |mac: &Mac| flip(mac, index);
        cases.push((format!("byte {index}"), Box::new(alter)));
    }
    for (what, alter) in cases {
        let run = group.run().requests(|request| {
            if let Request::Confirm { mac } = request {
                own.set(*mac);
            }
        });
        let run = run.replies(|reply| {
            if let Reply::Confirmed { mac } = reply {
                *mac = alter(mac);
            }
        });
        let refused = run.refused(&what);
        refused.is(&what, Side::Client, Step::Five, Code::ConfirmationFailed);
    }
}
