-- Since when the key of a compromised certificate is not to be believed, where that is known.
ALTER TABLE certificate ADD COLUMN invalid_since INTEGER;
