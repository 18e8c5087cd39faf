-- The revocation lists (PEM) that were in force when CUHK cosigned: of each log's newest checkpoint, and
-- of a proof whose receipt needs them, as its own had ended by then. None of what was there before.
ALTER TABLE cosigned_checkpoints ADD COLUMN lists BLOB REFERENCES blobs (sha256);
ALTER TABLE proofs ADD COLUMN lists BLOB REFERENCES blobs (sha256);
