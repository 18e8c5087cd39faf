-- When a code was withdrawn. Before, its end was set to 0 instead.
ALTER TABLE enrolment_code ADD COLUMN withdrawn_at INTEGER;

UPDATE enrolment_code SET withdrawn_at = issued_at WHERE serial IS NULL AND expires_at = 0;
