-- Students, as the registry lists them.
CREATE TABLE student (
    sid TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    programme TEXT NOT NULL,
    active INTEGER NOT NULL CHECK (active IN (0, 1)),
    added_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Services that may hold a certificate. Names in JSON arrays.
CREATE TABLE service (
    name TEXT NOT NULL PRIMARY KEY,
    dns_names TEXT NOT NULL CHECK (json_valid(dns_names)),
    ip_addresses TEXT NOT NULL CHECK (json_valid(ip_addresses)),
    added_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Every certificate: its intent first (sha256 and der are null), then the certificate itself.
-- The subject is a student ID or `service/<name>`; times are seconds since 1970-01-01 UTC.
CREATE TABLE certificate (
    serial BLOB NOT NULL PRIMARY KEY CHECK (length(serial) = 16),
    subject TEXT NOT NULL,
    profile TEXT NOT NULL CHECK (profile IN ('student', 'service', 'token_signer')),
    public_key BLOB NOT NULL CHECK (length(public_key) = 32),
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL CHECK (not_after > not_before),
    recorded_at INTEGER NOT NULL,
    sha256 BLOB UNIQUE CHECK (length(sha256) = 32),
    der BLOB,
    revoked_at INTEGER,
    reason TEXT,
    CHECK ((sha256 IS NULL) = (der IS NULL)),
    CHECK ((revoked_at IS NULL) = (reason IS NULL))
) STRICT;

CREATE INDEX certificate_by_subject ON certificate (subject, not_after);
CREATE INDEX certificate_by_public_key ON certificate (public_key);
CREATE INDEX certificate_revoked ON certificate (profile, not_after) WHERE revoked_at IS NOT NULL;

-- One-time codes, as digests only. `serial` is the one certificate that a code led to.
CREATE TABLE enrolment_code (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    subject TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    serial BLOB UNIQUE REFERENCES certificate (serial)
) STRICT, WITHOUT ROWID;

CREATE INDEX enrolment_code_by_subject ON enrolment_code (subject);

-- The keys of the authorities themselves, which are never certified for anybody.
CREATE TABLE authority_key (
    public_key BLOB NOT NULL PRIMARY KEY CHECK (length(public_key) = 32),
    authority TEXT NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;

-- The current revocation list of each authority, and the epoch that it covers.
CREATE TABLE revocation_list (
    authority TEXT NOT NULL PRIMARY KEY CHECK (authority IN ('root', 'students', 'services')),
    number INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    next_update INTEGER NOT NULL,
    der BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The number of the last change of anybody's status.
CREATE TABLE status (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL
) STRICT;

INSERT INTO status (id, epoch) VALUES (1, 0);
