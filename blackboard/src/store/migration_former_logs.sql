-- CUHK's issuance log as it was seen before this server went on with another one: evidence, never removed.
-- `reason` is by whose word: `other_root` (certified under a root that was not known) or `operator`.
CREATE TABLE former_known_logs (
    id           INTEGER NOT NULL PRIMARY KEY,
    verifier_key TEXT NOT NULL,
    size         INTEGER NOT NULL CHECK (size >= 0),
    checkpoint   TEXT NOT NULL,
    set_aside    INTEGER NOT NULL,
    reason       TEXT NOT NULL
) STRICT;
