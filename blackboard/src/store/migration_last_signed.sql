-- Blackboard's signature of the entry `signed` of the last signature, as whoever brought it was given it. Rows of
-- before, and of signatures that were not the last, have none.
ALTER TABLE deliveries ADD COLUMN leaf_signature BLOB;
