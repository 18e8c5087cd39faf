-- What a witness holds against the issuance log: a checkpoint that the log's own key has signed, of a tree with
-- which the log does not begin. The newest of each witness; settled once it has cosigned the log again.
CREATE TABLE log_contradiction (
    service TEXT NOT NULL PRIMARY KEY,
    size INTEGER NOT NULL CHECK (size >= 0),
    checkpoint TEXT NOT NULL,
    told_at INTEGER NOT NULL,
    settled_at INTEGER
) STRICT, WITHOUT ROWID;

-- Whether an ID is on the roster that differs in upper and lower case only.
CREATE INDEX student_in_any_case ON student (sid COLLATE NOCASE);
