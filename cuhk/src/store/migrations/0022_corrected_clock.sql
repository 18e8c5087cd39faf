-- When somebody said that this machine's clock is right and the records are of one that was ahead: until they
-- are overtaken only `trusted` says how late it was.
ALTER TABLE clock_trust ADD COLUMN corrected_at INTEGER;

-- When each list was signed, so that nobody has to decode it for that.
ALTER TABLE revocation_list ADD COLUMN this_update INTEGER NOT NULL DEFAULT 0;
