-- Statements that were committed or proposed when the very same was not yet accepted: what answers
-- them is the receipt of that version. A row is never changed.
CREATE TABLE repeats (
    submission BLOB NOT NULL PRIMARY KEY CHECK (length(submission) = 16),
    number     INTEGER NOT NULL REFERENCES submissions (number)
) STRICT;

-- The submission IDs that have a receipt, of their own or of the same version.
CREATE VIEW answered AS
    SELECT submission FROM submissions UNION ALL SELECT submission FROM repeats;
