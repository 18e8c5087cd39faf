-- An issuing authority that counts no more, with everything that it issued: since when, why and, where
-- that is known, since when its key is not to be believed. `key_id` is the identifier of its key, which
-- the certificates that it issued name.
ALTER TABLE authority ADD COLUMN withdrawn_at INTEGER;
ALTER TABLE authority ADD COLUMN reason TEXT;
ALTER TABLE authority ADD COLUMN invalid_since INTEGER;
ALTER TABLE authority ADD COLUMN key_id BLOB;

CREATE UNIQUE INDEX authority_withdrawn ON authority (key_id) WHERE withdrawn_at IS NOT NULL;
