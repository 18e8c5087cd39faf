-- Students who are suspended only because the roster that was imported did not list them.
CREATE TABLE missing_student (
    sid TEXT NOT NULL PRIMARY KEY REFERENCES student (sid),
    noted_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
