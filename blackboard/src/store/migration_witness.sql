-- What CUHK, the witness of these logs, said of each: its endorsement of the log's key and its own,
-- and the newest checkpoint that it cosigned.
CREATE TABLE log_endorsements (
    log       TEXT NOT NULL PRIMARY KEY,
    keys      TEXT NOT NULL,
    signature BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE cosigned_checkpoints (
    log  TEXT NOT NULL PRIMARY KEY,
    note TEXT NOT NULL
) STRICT, WITHOUT ROWID;
