-- What a roster's import is going to do, in order, so that it takes effect as a whole though no
-- transaction is long: collected first, then decided upon, then done and removed step by step.
CREATE TABLE roster_import (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    decided INTEGER NOT NULL CHECK (decided IN (0, 1))
) STRICT;

CREATE TABLE roster_import_step (
    number INTEGER NOT NULL PRIMARY KEY,
    deed TEXT NOT NULL CHECK (deed IN ('correct', 'restore', 'suspend', 'code')),
    sid TEXT NOT NULL,
    -- Of a student who is added or corrected.
    name TEXT,
    email TEXT,
    programme TEXT,
    -- Of a code.
    digest BLOB CHECK (length(digest) = 32),
    issued_at INTEGER,
    expires_at INTEGER,
    CHECK ((deed = 'correct')
        = (name IS NOT NULL AND email IS NOT NULL AND programme IS NOT NULL)),
    CHECK ((deed = 'code')
        = (digest IS NOT NULL AND issued_at IS NOT NULL AND expires_at IS NOT NULL))
) STRICT;
