-- Commitments that all their members gave up before the files had come, and the entry of the log that
-- says so. A row is never changed.
CREATE TABLE withdrawals (
    submission BLOB NOT NULL PRIMARY KEY CHECK (length(submission) = 16),
    at         INTEGER NOT NULL,
    log_index  INTEGER NOT NULL CHECK (log_index >= 0)
) STRICT;

-- The submission IDs for whose files nobody waits: they have a receipt, or were given up.
CREATE VIEW settled AS
    SELECT submission FROM answered UNION ALL SELECT submission FROM withdrawals;
