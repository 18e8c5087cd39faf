-- When a witnessed log grew last, which is not when it was offered last: the entries of one that has
-- not grown for long are no longer kept.
ALTER TABLE witnessed_log ADD COLUMN grown_at INTEGER NOT NULL DEFAULT 0;
UPDATE witnessed_log SET grown_at = seen_at;
