-- What stood behind the members: CUHK's answer ('verified') or, while CUHK was away, their
-- identity tokens ('tokens').
ALTER TABLE submissions RENAME COLUMN verification TO assurance;
ALTER TABLE submissions ADD COLUMN mode TEXT NOT NULL DEFAULT 'verified'
    CHECK (mode IN ('verified', 'tokens'));
