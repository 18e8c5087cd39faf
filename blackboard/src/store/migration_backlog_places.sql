-- For which assignment, and by whom together (their IDs in order, between commas): who is to choose among
-- what he has signed is found without reading it.
ALTER TABLE backlog ADD COLUMN course TEXT;
ALTER TABLE backlog ADD COLUMN assignment TEXT;
ALTER TABLE backlog ADD COLUMN members TEXT;
UPDATE backlog SET (course, assignment, members) =
    (SELECT json_extract(text, '$.course'), json_extract(text, '$.assignment'),
            (SELECT group_concat(sid, ',') FROM
             (SELECT json_extract(value, '$.sid') AS sid FROM json_each(text, '$.members') ORDER BY sid))
     FROM (SELECT CAST(statement AS TEXT) AS text FROM commitments
           WHERE commitments.submission = backlog.submission AND json_valid(CAST(statement AS TEXT))));
