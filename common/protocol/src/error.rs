//! What can go wrong on our own side, and when parsing values.

/// An error of this crate that is not yet a [`crate::Refusal`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The system's random number generator failed.
    #[error("the system has no randomness to give")]
    Random,
    /// Not lower-case hexadecimal.
    #[error("not lower-case hexadecimal")]
    Hex,
    /// Not canonical base64.
    #[error("not canonical base64")]
    Base64,
    /// Not an enrolment code.
    #[error("an enrolment code has 25 letters and digits, such as 7K3QX-9M2BD-…")]
    EnrolmentCode,
    /// Of the wrong length.
    #[error("wrong length, expected {expected} bytes")]
    Length {
        /// Bytes expected (or allowed at most).
        expected: usize,
    },
    /// A name or a number that is not in the required form.
    #[error("{what} is not in the required form: {reason}")]
    Form {
        /// What it is.
        what: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Not an entry of an assignment's log.
    #[error("not an entry of an assignment's log: {0}")]
    Leaf(String),
    /// Signing failed.
    #[error("signing failed")]
    Sign,
    /// Writing JSON or ZIP failed.
    #[error("encoding failed: {0}")]
    Encode(String),
}
