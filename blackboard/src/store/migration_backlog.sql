-- What each student has signed whose files may still come, in bytes as they were signed. A row counts
-- until its time is over or its submission is answered, and is removed some time after.
CREATE TABLE backlog (
    sid          TEXT NOT NULL,
    submission   BLOB NOT NULL CHECK (length(submission) = 16),
    bytes        INTEGER NOT NULL CHECK (bytes >= 0),
    upload_until INTEGER NOT NULL,
    PRIMARY KEY (sid, submission)
) STRICT, WITHOUT ROWID;
INSERT INTO backlog (sid, submission, bytes, upload_until)
    SELECT DISTINCT json_extract(member.value, '$.sid'), submission,
           (SELECT CAST(total(json_extract(file.value, '$.size')) AS INTEGER) FROM json_each(text, '$.files') AS file),
           upload_until
    FROM (SELECT submission, upload_until, CAST(statement AS TEXT) AS text FROM commitments
          WHERE submission NOT IN (SELECT submission FROM answered)
            AND json_valid(CAST(statement AS TEXT))), json_each(text, '$.members') AS member
    WHERE json_extract(member.value, '$.sid') IS NOT NULL;
