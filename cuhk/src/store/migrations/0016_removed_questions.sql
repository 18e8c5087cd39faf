-- Questions of the issuance log that are no longer kept: all of them have a number below this one and
-- were answered before this time. The tiles keep their commitments, and are the only ones that do.
CREATE TABLE removed_questions (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    below INTEGER NOT NULL CHECK (below > 0),
    before INTEGER NOT NULL
) STRICT;
