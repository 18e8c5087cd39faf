-- Large things that many records share (certificates, revocation lists), by their SHA-256.
CREATE TABLE blobs (
    sha256 BLOB NOT NULL PRIMARY KEY CHECK (length(sha256) = 32),
    bytes  BLOB NOT NULL
) STRICT;

-- Everything that a receipt is made of. AUTOINCREMENT: a number is never given twice.
CREATE TABLE submissions (
    number      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CHECK (number > 0),
    submission  BLOB NOT NULL UNIQUE CHECK (length(submission) = 16),
    accepted_at INTEGER NOT NULL,
    statement   BLOB NOT NULL,
    signatures  BLOB NOT NULL,
    verification BLOB NOT NULL,
    chains      BLOB NOT NULL REFERENCES blobs (sha256),
    crls        BLOB NOT NULL REFERENCES blobs (sha256),
    root        BLOB NOT NULL REFERENCES blobs (sha256),
    acceptance  BLOB NOT NULL,
    acceptance_signature BLOB NOT NULL
) STRICT;

-- The highest number seen of each issuer's revocation list, by the issuer's key identifier.
CREATE TABLE crl_numbers (
    issuer BLOB NOT NULL PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT;
