-- The rules by which lateness is judged, and members' extensions, each with the proof that the log holds it
-- (JSON): in the receipts of proofs that were made since.
ALTER TABLE proofs ADD COLUMN judged TEXT;
