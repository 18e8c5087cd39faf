-- Blackboard's signature of the entry `committed`, made with the row: what members are given before a
-- byte of their files comes, the same however often they ask. Rows of before have none until somebody
-- asks.
ALTER TABLE commitments ADD COLUMN leaf_signature BLOB;
