-- Which statements were refused, by the log's own word: whose signature of a proposal was, is told to the others
-- and to the teacher.
CREATE INDEX log_entries_refused ON log_entries (log,
    CASE WHEN json_valid(CAST(leaf AS TEXT))
         THEN json_extract(CAST(leaf AS TEXT), '$.entry.refused.statement_sha256') END)
    WHERE kind = 'refused';
