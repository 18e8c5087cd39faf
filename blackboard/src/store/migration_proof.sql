-- The proof that the log holds a submission's entry and that it was witnessed: kept once it is
-- there, so that a receipt is complete once and for all.
CREATE TABLE proofs (
    number      INTEGER NOT NULL PRIMARY KEY,
    proof       TEXT NOT NULL,
    log_key     TEXT NOT NULL,
    witness_key TEXT NOT NULL,
    keys        BLOB NOT NULL REFERENCES blobs (sha256),
    signature   BLOB NOT NULL REFERENCES blobs (sha256)
) STRICT;
