-- One log per assignment, by the origin of its checkpoints.
CREATE TABLE logs (
    id     INTEGER NOT NULL PRIMARY KEY,
    origin TEXT NOT NULL UNIQUE
) STRICT;

-- What is entered in the logs, numbered without gaps from 0 in the same transaction as what it
-- records. The leaf is missing where only its commitment came from the tiles.
CREATE TABLE log_entries (
    log        INTEGER NOT NULL REFERENCES logs (id),
    number     INTEGER NOT NULL CHECK (number >= 0),
    commitment BLOB NOT NULL CHECK (length(commitment) = 32),
    kind       TEXT,
    at         INTEGER,
    leaf       BLOB,
    PRIMARY KEY (log, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX log_entries_by_kind ON log_entries (log, kind, at);
