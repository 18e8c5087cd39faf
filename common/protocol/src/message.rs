//! JSON messages. They are read in two steps, so that an unknown type and a bad field differ.

pub mod blackboard;
mod carried;
pub mod cuhk;
mod fit;
mod history;
mod proof;
pub mod proposal;
mod read;

use std::fmt;

use bytes::Bytes;
use serde::de::Error as _;
use serde::{Deserializer, Serialize};

use crate::frame::{Frame, MAX_PAYLOAD};
use crate::{Code, Refusal, Step};

pub use read::decode;

/// One direction of one conversation: a closed set of messages.
pub trait Message: Serialize + Sized {
    /// The `type` of every message of this direction.
    const NAMES: &'static [&'static str];

    /// The `type` of this message.
    fn name(&self) -> &'static str;

    /// Reads the message of this `type`, one of [`Message::NAMES`], with all its fields.
    /// Without an implementation the direction can only be written.
    ///
    /// # Errors
    ///
    /// A field is missing, unknown, repeated or of the wrong form.
    fn read<'de, D: Deserializer<'de>>(name: &str, from: D) -> Result<Self, D::Error> {
        let _ = from;
        Err(D::Error::unknown_variant(name, Self::NAMES))
    }
}

/// A direction in which the other side may answer with a refusal.
pub trait Reply: Message {
    /// Wraps a refusal.
    fn refusal(refusal: Refusal) -> Self;

    /// Takes a refusal out as an error.
    ///
    /// # Errors
    ///
    /// The refusal that the other side sent.
    fn accepted(self) -> Result<Self, Refusal>;
}

/// The frame that carries `message`.
///
/// # Errors
///
/// `frame_too_large` if it is over 64 KiB of JSON.
pub fn encode(message: &impl Message, step: Step) -> Result<Frame, Refusal> {
    let json = serde_json::to_vec(message)
        .map_err(|error| Refusal::new(Code::Internal, step).with("message", error))?;
    if json.len() > MAX_PAYLOAD {
        return Err(Refusal::new(Code::FrameTooLarge, step).with("bytes", json.len()));
    }
    Ok(Frame::Message(Bytes::from(json)))
}

/// The refusal of a message that is known but out of order.
pub fn unexpected(expected: &str, got: &impl Message, step: Step) -> Refusal {
    Refusal::new(Code::UnexpectedMessage, step)
        .with("expected", expected)
        .with("got", got.name())
}

/// A field as `Debug` shows it: identity tokens are credentials and never printed.
fn shown<'a>(field: &str, value: &'a dyn fmt::Debug) -> &'a dyn fmt::Debug {
    match field {
        "token" => &Hidden,
        _ => value,
    }
}

/// Stands in `Debug` for what is not printed.
struct Hidden;

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// Declares the messages of one direction: the enum, its wire names and `Message`.
macro_rules! messages {
    (
        $(#[$doc:meta])* $direction:ident {
            $($(#[$variant_doc:meta])* $name:literal $variant:ident {
                $($(#[$field_doc:meta])* $field:ident: $kind:ty,)*
            })*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, serde::Serialize)]
        #[serde(tag = "type")]
        pub enum $direction {
            $($(#[$variant_doc])* #[serde(rename = $name)] $variant {
                $($(#[$field_doc])* $field: $kind,)*
            },)*
        }

        impl crate::message::Message for $direction {
            const NAMES: &'static [&'static str] = &[$($name),*];

            fn name(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $name),* }
            }

            fn read<'de, D: serde::Deserializer<'de>>(
                name: &str,
                from: D,
            ) -> Result<Self, D::Error> {
                match name {
                    $($name => {
                        #[derive(serde::Deserialize)]
                        #[serde(deny_unknown_fields, expecting = "a JSON object")]
                        struct Fields {
                            #[serde(rename = "type")]
                            _name: serde::de::IgnoredAny,
                            $($(#[$field_doc])* $field: $kind,)*
                        }
                        let object = crate::object::ObjectOnly(from);
                        let Fields { $($field,)* .. } = serde::Deserialize::deserialize(object)?;
                        Ok(Self::$variant { $($field),* })
                    })*
                    _ => Err(serde::de::Error::unknown_variant(name, Self::NAMES)),
                }
            }
        }

        impl std::fmt::Debug for $direction {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$variant { $($field),* } => f
                        .debug_struct($name)
                        $(.field(stringify!($field), crate::message::shown(stringify!($field), $field)))*
                        .finish(),)*
                }
            }
        }
    };
}

/// Declares a reply direction: its messages and, besides, `refusal`.
macro_rules! replies {
    ($(#[$doc:meta])* $reply:ident { $($messages:tt)* }) => {
        crate::message::messages! {
            $(#[$doc])* $reply {
                $($messages)*
                /// Refused; nothing has changed.
                "refusal" Refusal {
                    /// The stable code.
                    code: crate::Code,
                    /// The step that was refused.
                    step: crate::Step,
                    /// The student whom it concerns.
                    #[serde(default, skip_serializing_if = "Option::is_none")]
                    sid: Option<scb_certs::StudentId>,
                    /// Named details.
                    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
                    params: std::collections::BTreeMap<String, String>,
                    /// Seconds after which the same request may succeed.
                    #[serde(default, skip_serializing_if = "Option::is_none")]
                    retry_after: Option<u32>,
                    /// Of verified members: the signed log entry that says so.
                    #[serde(default, skip_serializing_if = "Option::is_none")]
                    rejection: Option<Box<crate::receipt::SignedEntry>>,
                }
            }
        }

        impl crate::message::Reply for $reply {
            fn refusal(refusal: crate::Refusal) -> Self {
                Self::Refusal {
                    code: refusal.code,
                    step: refusal.step,
                    sid: refusal.sid,
                    params: refusal.params,
                    retry_after: refusal.retry_after,
                    rejection: refusal.rejection,
                }
            }

            fn accepted(self) -> Result<Self, crate::Refusal> {
                match self {
                    Self::Refusal {
                        code,
                        step,
                        sid,
                        params,
                        retry_after,
                        rejection,
                    } => Err(crate::Refusal {
                        code,
                        step,
                        sid,
                        params,
                        retry_after,
                        rejection,
                    }),
                    reply => Ok(reply),
                }
            }
        }
    };
}

pub(crate) use {messages, replies};
