//! Frames of `scb/1`: 4-byte big-endian length, 1-byte kind, payload.
//!
//! The length counts the kind and the payload, so that 0 is never valid.

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::{Code, Refusal, Step};

/// Largest payload of a frame, in bytes.
pub const MAX_PAYLOAD: usize = 64 * 1024;

/// Bytes of the length field.
const LENGTH: usize = 4;
/// Bytes of the kind field.
const KIND: usize = 1;
/// The kind of a JSON message.
const MESSAGE: u8 = 1;
/// The kind of a chunk of content.
const CHUNK: u8 = 2;

/// One frame. `Debug` prints kind and size: the payload may be an enrolment code or content.
#[derive(Clone, PartialEq, Eq)]
pub enum Frame {
    /// Kind 1: a JSON message, UTF-8.
    Message(Bytes),
    /// Kind 2: raw bytes of content, never none.
    Chunk(Bytes),
}

impl Frame {
    /// Takes one frame off the front of `buffer`; `None` if it is not complete yet.
    ///
    /// # Errors
    ///
    /// `frame_empty` (also a chunk without content), `frame_too_large` or `malformed_message`
    /// (unknown kind). All are known from the first five bytes; no memory is reserved for a
    /// refused length.
    pub fn decode(buffer: &mut BytesMut, step: Step) -> Result<Option<Self>, Refusal> {
        let Some(length) = declared_length(buffer, step)? else {
            return Ok(None);
        };
        let Some(&kind) = buffer.get(LENGTH) else {
            return Ok(None);
        };
        if !matches!(kind, MESSAGE | CHUNK) {
            return Err(Refusal::new(Code::MalformedMessage, step).with("kind", kind));
        }
        // Nothing would ever add up: a peer could send them for as long as it likes.
        if kind == CHUNK && length == KIND {
            return Err(empty_chunk(step));
        }
        if buffer.len() < LENGTH + length {
            buffer.reserve(LENGTH + length - buffer.len());
            return Ok(None);
        }
        buffer.advance(LENGTH + KIND);
        let payload = buffer.split_to(length - KIND).freeze();
        Ok(Some(match kind {
            MESSAGE => Self::Message(payload),
            _ => Self::Chunk(payload),
        }))
    }

    /// Appends the frame to `buffer`.
    ///
    /// # Errors
    ///
    /// `frame_too_large` if the payload is over [`MAX_PAYLOAD`], `frame_empty` for a chunk
    /// without content.
    pub fn encode(&self, buffer: &mut BytesMut, step: Step) -> Result<(), Refusal> {
        let (kind, payload) = match self {
            Self::Message(payload) => (MESSAGE, payload),
            Self::Chunk(payload) if payload.is_empty() => return Err(empty_chunk(step)),
            Self::Chunk(payload) => (CHUNK, payload),
        };
        let length = payload.len() + KIND;
        if payload.len() > MAX_PAYLOAD {
            return Err(too_large(length, step));
        }
        buffer.reserve(LENGTH + length);
        buffer.put_u32(length as u32);
        buffer.put_u8(kind);
        buffer.put_slice(payload);
        Ok(())
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(payload) => write!(f, "Message({} bytes)", payload.len()),
            Self::Chunk(payload) => write!(f, "Chunk({} bytes)", payload.len()),
        }
    }
}

fn declared_length(buffer: &BytesMut, step: Step) -> Result<Option<usize>, Refusal> {
    let Some(field) = buffer.first_chunk::<LENGTH>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*field) as usize;
    match length {
        0 => Err(Refusal::new(Code::FrameEmpty, step)),
        length if length > MAX_PAYLOAD + KIND => Err(too_large(length, step)),
        length => Ok(Some(length)),
    }
}

fn empty_chunk(step: Step) -> Refusal {
    Refusal::new(Code::FrameEmpty, step).with("expected", "a chunk of at least 1 byte")
}

fn too_large(length: usize, step: Step) -> Refusal {
    Refusal::new(Code::FrameTooLarge, step)
        .with("bytes", length)
        .with("limit", MAX_PAYLOAD + KIND)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<Option<Frame>, Code> {
        Frame::decode(&mut BytesMut::from(bytes), Step::Three).map_err(|refusal| refusal.code)
    }

    #[test]
    fn returns_what_was_encoded() {
        let frames = [
            Frame::Message(Bytes::from_static(b"{}")),
            Frame::Chunk(Bytes::from(vec![7; MAX_PAYLOAD])),
        ];
        let mut buffer = BytesMut::new();
        for frame in &frames {
            frame.encode(&mut buffer, Step::Six).unwrap();
        }
        for frame in &frames {
            let decoded = Frame::decode(&mut buffer, Step::Six).unwrap();
            assert_eq!(decoded.as_ref(), Some(frame));
        }
        assert!(buffer.is_empty());
    }

    #[test]
    fn waits_for_the_rest() {
        let whole = [0, 0, 0, 3, 1, b'{', b'}'];
        for cut in 0..whole.len() {
            assert_eq!(decode(&whole[..cut]), Ok(None), "cut at {cut}");
        }
        assert!(decode(&whole).unwrap().is_some());
    }

    #[test]
    fn refuses_lengths_out_of_range_without_reserving_memory() {
        assert_eq!(decode(&[0, 0, 0, 0]), Err(Code::FrameEmpty));
        for length in [MAX_PAYLOAD as u32 + 2, 1 << 31, u32::MAX] {
            let mut buffer = BytesMut::from(&length.to_be_bytes()[..]);
            let refusal = Frame::decode(&mut buffer, Step::Three).unwrap_err();
            assert_eq!(refusal.code, Code::FrameTooLarge);
            assert!(buffer.capacity() < 1024);
        }
    }

    #[test]
    fn refuses_a_chunk_without_content_both_ways() {
        assert_eq!(decode(&[0, 0, 0, 1, 2]), Err(Code::FrameEmpty));
        assert!(decode(&[0, 0, 0, 2, 2, 0]).unwrap().is_some(), "one byte");
        let empty = Frame::Chunk(Bytes::new());
        let refusal = empty.encode(&mut BytesMut::new(), Step::Six).unwrap_err();
        assert_eq!(refusal.code, Code::FrameEmpty);
    }

    #[test]
    fn refuses_an_unknown_kind() {
        assert_eq!(decode(&[0, 0, 0, 2, 3, 0]), Err(Code::MalformedMessage));
    }

    #[test]
    fn refuses_to_encode_too_large_a_payload() {
        let frame = Frame::Chunk(Bytes::from(vec![0; MAX_PAYLOAD + 1]));
        let refusal = frame.encode(&mut BytesMut::new(), Step::Six).unwrap_err();
        assert_eq!(refusal.code, Code::FrameTooLarge);
    }
}
