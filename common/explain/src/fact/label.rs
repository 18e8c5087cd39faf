//! What the values of facts are called, apart from the language.

use scb_certs::StudentId;

/// The name of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Label {
    Address,
    Root,
    Server,
    Asker,
    PublicKey,
    Serial,
    Certificate,
    ValidUntil,
    TokenUntil,
    Challenge,
    T1,
    T2,
    Nonce,
    SignedAt,
    ClientMac,
    ServerMac,
    Assignment,
    Due,
    Submission,
    FileName,
    Size,
    Content,
    /// How many files are not shown.
    MoreFiles,
    CommittedAt,
    UploadUntil,
    /// What came of the files.
    Received,
    Mac,
    Number,
    Receipt,
    Code,
    /// A member, by the student ID.
    Member(StudentId),
    /// A detail of a refusal, by its name there.
    Detail(String),
}
