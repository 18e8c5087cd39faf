-- When students could see their grades is an entry of the assignment's log, which Blackboard signed:
-- here are the signatures, and each grade names its entry. What was released before there were such
-- entries is to be released once more.
CREATE TABLE releases (
    log       INTEGER NOT NULL REFERENCES logs (id),
    number    INTEGER NOT NULL CHECK (number >= 0),
    signature BLOB NOT NULL,
    PRIMARY KEY (log, number)
) STRICT, WITHOUT ROWID;
ALTER TABLE grades ADD COLUMN release_index INTEGER CHECK (release_index >= 0);
UPDATE grades SET released_at = NULL;
