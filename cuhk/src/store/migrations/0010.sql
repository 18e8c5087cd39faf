-- The trust bundles that were handed out, by their number; the last one counts.
CREATE TABLE trust_bundle (
    sequence INTEGER NOT NULL PRIMARY KEY,
    bundle TEXT NOT NULL,
    -- Each by one root: base64, one a line.
    signatures TEXT NOT NULL
) STRICT;
