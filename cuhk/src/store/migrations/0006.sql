-- The authorities there are, by name: `root`, `students`, `services`, and those that took their
-- place, `students-2` and so on. One begins to issue (`active_from`) some time after its first
-- revocation list was published; before that there is no such time.
CREATE TABLE authority (
    name TEXT NOT NULL PRIMARY KEY,
    active_from INTEGER
) STRICT, WITHOUT ROWID;

INSERT INTO authority (name, active_from) VALUES ('root', 0), ('students', 0), ('services', 0);

-- As before, for authorities of any name.
CREATE TABLE revocation_list_of_any (
    authority TEXT NOT NULL PRIMARY KEY,
    number INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    next_update INTEGER NOT NULL,
    der BLOB NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO revocation_list_of_any SELECT authority, number, epoch, next_update, der
    FROM revocation_list;
DROP TABLE revocation_list;
ALTER TABLE revocation_list_of_any RENAME TO revocation_list;
