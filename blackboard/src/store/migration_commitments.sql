-- Every statement that was committed, whether its files came or not. What counts for the deadline
-- is when it was; a row is never changed.
CREATE TABLE commitments (
    submission   BLOB NOT NULL PRIMARY KEY CHECK (length(submission) = 16),
    committed_at INTEGER NOT NULL,
    upload_until INTEGER NOT NULL,
    statement    BLOB NOT NULL,
    signatures   BLOB NOT NULL,
    mode         TEXT NOT NULL CHECK (mode IN ('verified', 'tokens')),
    assurance    BLOB NOT NULL,
    log_index    INTEGER NOT NULL CHECK (log_index >= 0)
) STRICT;
