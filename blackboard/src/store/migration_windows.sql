-- Until when the files may come if these signatures are the last: what `proposals.waits_until` is compared with.
-- Rows of before have none.
ALTER TABLE deliveries ADD COLUMN upload_until INTEGER;
