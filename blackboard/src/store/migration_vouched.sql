-- From which entry on a log's times are compared: somebody vouched for the clock when there were so many,
-- which were made under one that was ahead.
CREATE TABLE clock_vouched (
    log    INTEGER NOT NULL PRIMARY KEY REFERENCES logs (id),
    number INTEGER NOT NULL CHECK (number >= 0)
) STRICT;
