-- Which certificate took the place of which: a student renews each one once.
CREATE TABLE renewal (
    serial BLOB NOT NULL PRIMARY KEY REFERENCES certificate (serial) ON DELETE CASCADE,
    successor BLOB NOT NULL UNIQUE REFERENCES certificate (serial) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Terms: no student's certificate goes beyond the end of the current one.
CREATE TABLE term (
    name TEXT NOT NULL PRIMARY KEY,
    ends_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
