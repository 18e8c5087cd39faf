-- CUHK's issuance log as this server has cosigned it last, or was about to.
CREATE TABLE known_log (
    id           INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    verifier_key TEXT NOT NULL,
    size         INTEGER NOT NULL CHECK (size >= 0),
    checkpoint   TEXT NOT NULL
) STRICT;
