-- The latest time of a log, whatever the order in which its entries came.
CREATE INDEX log_entries_at ON log_entries (log, at) WHERE at IS NOT NULL;
