-- Token signers that have a successor: they sign no more, what they signed counts until it expires.
CREATE TABLE signer_retirement (
    serial BLOB NOT NULL PRIMARY KEY REFERENCES certificate (serial),
    retired_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
