-- What came last of asking each witness besides CUHK to cosign each log: for whoever looks after it.
CREATE TABLE asked_witnesses (
    log     TEXT NOT NULL,
    witness TEXT NOT NULL,
    outcome TEXT NOT NULL,
    seen    INTEGER NOT NULL CHECK (seen >= 0),
    at      INTEGER NOT NULL,
    PRIMARY KEY (log, witness)
) STRICT, WITHOUT ROWID;
