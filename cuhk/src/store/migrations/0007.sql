-- The issuance log's entries, in order. The tiles hold the commitments only. Salt and content are
-- null for an entry of which only the commitment was left after an old backup was restored.
CREATE TABLE log_entry (
    number INTEGER NOT NULL PRIMARY KEY CHECK (number >= 0),
    commitment BLOB NOT NULL CHECK (length(commitment) = 32),
    subject TEXT,
    nth INTEGER CHECK (nth > 0),
    salt BLOB CHECK (length(salt) = 32),
    content TEXT CHECK (json_valid(content)),
    serial BLOB UNIQUE,
    CHECK ((subject IS NULL) = (nth IS NULL)),
    CHECK ((subject IS NULL) = (salt IS NULL)),
    CHECK ((subject IS NULL) = (content IS NULL))
) STRICT;

CREATE INDEX log_entry_by_subject ON log_entry (subject, nth);

-- Who cosigns checkpoints of the log: the key, and the last checkpoint with its cosignature.
CREATE TABLE witness (
    service TEXT NOT NULL PRIMARY KEY,
    verifier_key TEXT NOT NULL,
    size INTEGER NOT NULL CHECK (size >= 0),
    checkpoint TEXT NOT NULL
) STRICT, WITHOUT ROWID;
