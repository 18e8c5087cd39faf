-- Which hand-ins were begun, by the log's own word: nothing that is in it is recorded anew because a row of it
-- is gone.
CREATE INDEX log_entries_begun ON log_entries (log,
    CASE WHEN json_valid(CAST(leaf AS TEXT))
         THEN json_extract(CAST(leaf AS TEXT), '$.entry.' || kind || '.submission') END)
    WHERE kind IN ('committed', 'proposed');
