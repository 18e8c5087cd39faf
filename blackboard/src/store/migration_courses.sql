-- Courses. Members are those in course_members, or, if `listed` is 0, everybody whom CUHK knows.
CREATE TABLE courses (
    course   TEXT NOT NULL PRIMARY KEY,
    title    TEXT NOT NULL,
    listed   INTEGER NOT NULL CHECK (listed IN (0, 1)),
    added_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE course_members (
    course TEXT NOT NULL REFERENCES courses (course),
    sid    TEXT NOT NULL,
    PRIMARY KEY (course, sid)
) STRICT, WITHOUT ROWID;

-- The rules of assignments (JSON), all there ever were: the last ones count.
CREATE TABLE rules (
    course     TEXT NOT NULL REFERENCES courses (course),
    assignment TEXT NOT NULL,
    nth        INTEGER NOT NULL CHECK (nth > 0),
    at         INTEGER NOT NULL,
    rules      TEXT NOT NULL,
    PRIMARY KEY (course, assignment, nth)
) STRICT, WITHOUT ROWID;

-- More time for one student; what was given and taken back before is in the assignment's log.
CREATE TABLE extensions (
    course     TEXT NOT NULL,
    assignment TEXT NOT NULL,
    sid        TEXT NOT NULL,
    given_at   INTEGER NOT NULL,
    extension  TEXT NOT NULL,
    PRIMARY KEY (course, assignment, sid)
) STRICT, WITHOUT ROWID;
