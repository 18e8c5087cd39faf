-- What Blackboard signs of a submission is its entry in the assignment's log.
ALTER TABLE submissions RENAME COLUMN acceptance TO leaf;
ALTER TABLE submissions RENAME COLUMN acceptance_signature TO leaf_signature;
