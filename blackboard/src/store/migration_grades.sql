-- The grade of each student that counts now. All there ever were are entries of the assignment's
-- log; a grade that was not released yet is not shown to the student.
CREATE TABLE grades (
    course      TEXT NOT NULL,
    assignment  TEXT NOT NULL,
    sid         TEXT NOT NULL,
    grade       BLOB NOT NULL,
    signature   BLOB NOT NULL,
    log         INTEGER NOT NULL REFERENCES logs (id),
    log_index   INTEGER NOT NULL CHECK (log_index >= 0),
    released_at INTEGER,
    PRIMARY KEY (course, assignment, sid)
) STRICT, WITHOUT ROWID;
CREATE INDEX grades_by_student ON grades (sid, course, assignment);
