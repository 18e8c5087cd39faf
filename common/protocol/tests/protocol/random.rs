//! Random bytes and random cuts: nothing panics, and what was sent is what arrives.

use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;
use scb_protocol::message::{blackboard, cuhk};
use scb_protocol::{Frame, MAX_PAYLOAD, Step};

use crate::malformed::code;
use crate::support::messages;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_bytes_never_panic_and_grow_no_buffer(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let mut buffer = BytesMut::from(&bytes[..]);
        while let Ok(Some(_)) = Frame::decode(&mut buffer, Step::Three) {}
        prop_assert!(buffer.capacity() <= MAX_PAYLOAD * 2 + 1024);
        let _ = code::<cuhk::Request>(&bytes);
        let _ = code::<cuhk::Reply>(&bytes);
        let _ = code::<blackboard::Request>(&bytes);
        let _ = code::<blackboard::Reply>(&bytes);
    }

    #[test]
    fn messages_altered_anywhere_never_panic(
        which in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        with in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let messages = messages::blackboard_requests();
        let mut line = messages::json(&messages[which.index(messages.len())]).into_bytes();
        let place = place.index(line.len());
        line.splice(place..=place, with);
        let _ = code::<blackboard::Request>(&line);
        let _ = code::<cuhk::Request>(&line);
    }

    #[test]
    fn frames_come_out_as_they_went_in_however_they_are_split(
        payloads in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..300)), 0..6),
        cuts in prop::collection::vec(1_usize..64, 1..64),
    ) {
        let frames: Vec<_> = payloads
            .into_iter()
            .map(|(is_chunk, payload)| match is_chunk {
                true if !payload.is_empty() => Frame::Chunk(Bytes::from(payload)),
                _ => Frame::Message(Bytes::from(payload)),
            })
            .collect();
        let mut wire = BytesMut::new();
        for frame in &frames {
            frame.encode(&mut wire, Step::Three).unwrap();
        }
        let mut buffer = BytesMut::new();
        let mut received = Vec::new();
        let mut cuts = cuts.into_iter().cycle();
        while !wire.is_empty() {
            let cut = cuts.next().unwrap_or(1).min(wire.len());
            buffer.put(wire.split_to(cut));
            while let Some(frame) = Frame::decode(&mut buffer, Step::Three).unwrap() {
                received.push(frame);
            }
        }
        prop_assert_eq!(received, frames);
        prop_assert!(buffer.is_empty());
    }
}
