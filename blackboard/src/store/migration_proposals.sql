-- Statements that wait for signatures made on other connections.
CREATE TABLE proposals (
    submission   BLOB NOT NULL PRIMARY KEY CHECK (length(submission) = 16),
    course       TEXT NOT NULL,
    assignment   TEXT NOT NULL,
    proposed_at  INTEGER NOT NULL,
    waits_until  INTEGER NOT NULL,
    statement    BLOB NOT NULL,
    -- When all files were here.
    files_at     INTEGER,
    -- When the last member signed, and the number of that entry: what counts for lateness.
    signed_at    INTEGER,
    signed_index INTEGER CHECK (signed_index >= 0),
    -- Why nobody can sign any more.
    ended        TEXT CHECK (ended IN ('declined', 'withdrawn', 'lapsed')),
    ended_at     INTEGER
) STRICT;
CREATE INDEX proposals_by_assignment ON proposals (course, assignment);

-- What came over one connection about a proposal: signatures, or that somebody ended it. A row is
-- never changed.
CREATE TABLE deliveries (
    id         INTEGER NOT NULL PRIMARY KEY,
    submission BLOB NOT NULL REFERENCES proposals (submission),
    at         INTEGER NOT NULL,
    connection BLOB NOT NULL CHECK (length(connection) = 32),
    -- Who was verified on it, separated by commas, the one who opened it first.
    members    TEXT NOT NULL,
    signatures BLOB,
    mode       TEXT CHECK (mode IN ('verified', 'tokens')),
    assurance  BLOB,
    reason     TEXT,
    log_index  INTEGER NOT NULL CHECK (log_index >= 0)
) STRICT;

-- Who is to sign, and what he has said.
CREATE TABLE cosigners (
    submission  BLOB NOT NULL REFERENCES proposals (submission),
    nth         INTEGER NOT NULL,
    sid         TEXT NOT NULL,
    said        TEXT NOT NULL CHECK (said IN ('nothing', 'signed', 'declined', 'withdrawn')),
    certificate BLOB CHECK (length(certificate) = 32),
    delivery    INTEGER REFERENCES deliveries (id),
    PRIMARY KEY (submission, nth),
    UNIQUE (submission, sid)
) STRICT, WITHOUT ROWID;
CREATE INDEX cosigners_by_student ON cosigners (sid);
