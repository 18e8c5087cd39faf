-- What this database knew when it was last restored from a backup: certificates up to this row, and so many
-- entries of the log. What was renewed between backup and restoration is not known here.
CREATE TABLE restoration (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    certificates INTEGER NOT NULL CHECK (certificates >= 0),
    entries INTEGER NOT NULL CHECK (entries >= 0)
) STRICT;
