-- The number of the trust bundle with which this database was restored from a backup: roots may have
-- signed later ones since, of which nothing is known here.
CREATE TABLE restored (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    bundle INTEGER NOT NULL
) STRICT;
