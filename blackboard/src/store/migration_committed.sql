-- The entry that was made when the signed statement had come, and the proof that the log holds it: in the
-- receipts of proofs that were made since, if it is not lost.
ALTER TABLE proofs ADD COLUMN committed TEXT;
ALTER TABLE proofs ADD COLUMN committed_proof TEXT;
