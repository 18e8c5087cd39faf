-- The logs of services of which CUHK is the witness: what was seen last of each, written here
-- before it is cosigned.
CREATE TABLE witnessed_log (
    id INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    service TEXT NOT NULL,
    verifier_key TEXT NOT NULL,
    size INTEGER NOT NULL CHECK (size >= 0),
    root TEXT NOT NULL,
    -- As the log signed it; absent as long as none was seen under this key.
    checkpoint TEXT,
    seen_at INTEGER NOT NULL
) STRICT;
CREATE INDEX witnessed_log_of_service ON witnessed_log (service);

-- The entries of those logs, 32 bytes each, so that a service that lost its newest ones can go on
-- after them.
CREATE TABLE witnessed_entry (
    log INTEGER NOT NULL REFERENCES witnessed_log (id),
    number INTEGER NOT NULL CHECK (number >= 0),
    entry BLOB NOT NULL CHECK (length(entry) = 32),
    PRIMARY KEY (log, number)
) STRICT, WITHOUT ROWID;
