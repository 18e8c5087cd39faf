-- Nor does anything follow what was lost, had ended, and was entered again from a receipt.
DROP INDEX log_entries_ending;
CREATE INDEX log_entries_ending ON log_entries (log,
    CASE WHEN json_valid(CAST(leaf AS TEXT))
         THEN json_extract(CAST(leaf AS TEXT), '$.entry.' || kind || '.submission') END)
    WHERE kind IN ('accepted', 'declined', 'lapsed', 'restored', 'withdrawn');

-- What CUHK said then, of what came back from a receipt and was recorded nowhere else.
ALTER TABLE proofs ADD COLUMN said_then TEXT;
