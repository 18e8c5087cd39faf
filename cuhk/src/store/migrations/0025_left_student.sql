-- Since when students are suspended, or missing from the roster: what is personal about them goes after
-- `left_student_retention_days`, their IDs never. Of those of before it is not known: they count from now.
CREATE TABLE left_student (
    sid TEXT NOT NULL PRIMARY KEY REFERENCES student (sid),
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO left_student (sid, since)
    SELECT sid, coalesce((SELECT noted_at FROM missing_student WHERE missing_student.sid = student.sid), unixepoch())
    FROM student WHERE NOT active;
