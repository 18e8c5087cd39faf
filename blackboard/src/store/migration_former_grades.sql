-- Grades that students could see, in the place of which others came: who was shown a grade can see
-- later what it was, and until when. What took the place of one before there was this table is in
-- the log only.
CREATE TABLE former_grades (
    course        TEXT NOT NULL,
    assignment    TEXT NOT NULL,
    sid           TEXT NOT NULL,
    grade         BLOB NOT NULL,
    signature     BLOB NOT NULL,
    log           INTEGER NOT NULL REFERENCES logs (id),
    log_index     INTEGER NOT NULL CHECK (log_index >= 0),
    released_at   INTEGER NOT NULL,
    release_index INTEGER NOT NULL CHECK (release_index >= 0),
    PRIMARY KEY (course, assignment, sid, log_index)
) STRICT, WITHOUT ROWID;
CREATE INDEX former_grades_by_student ON former_grades (sid, course, assignment);
