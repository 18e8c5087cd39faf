CREATE INDEX deliveries_by_submission ON deliveries (submission, log_index);
-- What of a proposal no entry of the log says, a second time: nobody's files are refused, or left out of what
-- was handed in, for one row.
CREATE TABLE kept_windows (
    submission   BLOB NOT NULL PRIMARY KEY CHECK (length(submission) = 16),
    -- Until when the files may come after the last signature, as with that signature (`deliveries`).
    upload_until INTEGER,
    -- When all files were here.
    files_at     INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO kept_windows SELECT submission,
    (SELECT max(upload_until) FROM deliveries
     WHERE deliveries.submission = proposals.submission AND log_index = signed_index),
    files_at FROM proposals;
