-- What was said of each proposal, by the log's own word: who has signed is not asked again, nor shown as if he had
-- not, because a row says so.
CREATE INDEX log_entries_said ON log_entries (log,
    CASE WHEN json_valid(CAST(leaf AS TEXT))
         THEN json_extract(CAST(leaf AS TEXT), '$.entry.' || kind || '.submission') END)
    WHERE kind IN ('declined', 'signed', 'withdrawn');
