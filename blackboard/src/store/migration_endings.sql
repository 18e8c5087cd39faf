-- How each hand-in has ended, by the log's own word: nothing about it is entered after that. What is no
-- leaf any more says nothing.
CREATE INDEX log_entries_ending ON log_entries (log,
    CASE WHEN json_valid(CAST(leaf AS TEXT))
         THEN json_extract(CAST(leaf AS TEXT), '$.entry.' || kind || '.submission') END)
    WHERE kind IN ('accepted', 'declined', 'lapsed', 'withdrawn');
