-- Until when this machine's clock was believed, and since when it is doubted: it was found far ahead of all
-- that was recorded. Nothing is removed by a clock in doubt, also where a server has recorded by it since.
CREATE TABLE clock_trust (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    trusted INTEGER NOT NULL,
    doubted_at INTEGER
) STRICT;
