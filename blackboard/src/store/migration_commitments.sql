-- Every statement that was committed, whether its files came or not. What counts for the deadline
-- is when it was; a row is never changed.
CREATE TABLE commitments (
    submission   BLOB NOT NULL PRIMARY KEY CHECK (length(submission) = 16),
    committed_at INTEGER NOT NULL,
    upload_until INTEGER NOT NULL,
    statement    BLOB NOT NULL,
    signatures   BLOB NOT NULL,
    mode         TEXT NOT NULL CHECK (mode IN ('verified', 'tokens')),
    assurance    BLOB NOT NULL,
    log_index    INTEGER NOT NULL CHECK (log_index >= 0)
) STRICT;

-- Who has a part in which version, so that the last one of a student is found at once.
CREATE TABLE parts (
    course     TEXT NOT NULL,
    assignment TEXT NOT NULL,
    sid        TEXT NOT NULL,
    number     INTEGER NOT NULL,
    PRIMARY KEY (course, assignment, sid, number)
) STRICT, WITHOUT ROWID;
INSERT INTO parts (course, assignment, sid, number)
    SELECT DISTINCT json_extract(text, '$.course'), json_extract(text, '$.assignment'),
           json_extract(member.value, '$.sid'), number
    FROM (SELECT number, CAST(statement AS TEXT) AS text FROM submissions
          WHERE json_valid(CAST(statement AS TEXT))), json_each(text, '$.members') AS member
    WHERE json_extract(text, '$.course') IS NOT NULL
      AND json_extract(text, '$.assignment') IS NOT NULL
      AND json_extract(member.value, '$.sid') IS NOT NULL;
