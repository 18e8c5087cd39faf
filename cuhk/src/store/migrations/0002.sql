-- SHA-256 over the other columns of the row, so that what was altered on disk is noticed.
ALTER TABLE student ADD COLUMN checksum BLOB CHECK (length(checksum) = 32);
ALTER TABLE certificate ADD COLUMN checksum BLOB CHECK (length(checksum) = 32);
