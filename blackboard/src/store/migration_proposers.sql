-- When a student proposed it himself, over the connection on which it came: what he may propose in a day is
-- bounded, and so is what of one proposer is told to others.
ALTER TABLE cosigners ADD COLUMN made_at INTEGER;
UPDATE cosigners SET made_at =
    (SELECT proposals.proposed_at FROM proposals JOIN deliveries USING (submission)
     WHERE submission = cosigners.submission AND signatures IS NOT NULL
     AND instr(',' || deliveries.members || ',', ',' || cosigners.sid || ',') > 0
     AND deliveries.id = (SELECT min(id) FROM deliveries AS first WHERE first.submission = cosigners.submission));
CREATE INDEX cosigners_by_proposer ON cosigners (sid, made_at) WHERE made_at IS NOT NULL;
