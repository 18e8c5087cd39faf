-- Assignments and courses that were added by mistake. Rules up to this one count no longer; that they
-- were there stays in the assignment's log.
CREATE TABLE removals (
    course     TEXT NOT NULL,
    assignment TEXT NOT NULL,
    nth        INTEGER NOT NULL CHECK (nth > 0),
    at         INTEGER NOT NULL,
    PRIMARY KEY (course, assignment, nth)
) STRICT, WITHOUT ROWID;
ALTER TABLE courses ADD COLUMN removed_at INTEGER;
