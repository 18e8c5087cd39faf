-- The last revocation lists that were accepted, DER: for a start while CUHK is away.
CREATE TABLE crls (
    issuer BLOB NOT NULL PRIMARY KEY,
    der    BLOB NOT NULL
) STRICT;
