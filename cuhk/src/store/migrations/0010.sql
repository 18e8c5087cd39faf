-- The trust bundles that were handed out, by their number; the last one counts.
CREATE TABLE trust_bundle (
    sequence INTEGER NOT NULL PRIMARY KEY,
    bundle TEXT NOT NULL,
    signature BLOB NOT NULL
) STRICT;
