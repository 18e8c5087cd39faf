-- What changed who is revoked, in order: which certificate, or null for those that were removed after
-- their end. With each change how many certificates are revoked since, and the sum of the checksums
-- of their rows modulo 2^256: a revocation that was lost on disk is noticed without a look at the
-- others.
CREATE TABLE revocation_change (
    number INTEGER NOT NULL PRIMARY KEY,
    serial BLOB CHECK (length(serial) = 16),
    count INTEGER NOT NULL CHECK (count >= 0),
    sum BLOB NOT NULL CHECK (length(sum) = 32)
) STRICT;
