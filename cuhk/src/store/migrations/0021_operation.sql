-- What operators did by the command line, and who. Records are added at the end and never changed; the oldest
-- go after `operation_retention_days`. `chain` is the SHA-256 over the one before and all of the record.
CREATE TABLE operation (
    number INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    operation TEXT NOT NULL,
    subject TEXT NOT NULL,
    result TEXT NOT NULL,
    uid INTEGER NOT NULL,
    user TEXT,
    login_uid INTEGER,
    login TEXT,
    sudo_user TEXT,
    chain BLOB NOT NULL CHECK (length(chain) = 32)
) STRICT;

CREATE INDEX operation_subject ON operation (subject);

-- Up to which number they were removed, and the chain of that one: the first that is left follows it.
CREATE TABLE operation_removed (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL,
    chain BLOB NOT NULL CHECK (length(chain) = 32)
) STRICT;

INSERT INTO operation_removed (id, number, chain) VALUES (1, 0, zeroblob(32));

CREATE TRIGGER operation_follows BEFORE INSERT ON operation
WHEN NEW.number <> 1 + coalesce(
    (SELECT max(number) FROM operation), (SELECT number FROM operation_removed))
BEGIN
    SELECT RAISE(ABORT, 'operations are added at the end');
END;

CREATE TRIGGER operation_stays BEFORE UPDATE ON operation
BEGIN
    SELECT RAISE(ABORT, 'operations are not changed');
END;

CREATE TRIGGER operation_is_kept BEFORE DELETE ON operation
WHEN OLD.number > (SELECT number FROM operation_removed)
BEGIN
    SELECT RAISE(ABORT, 'operations are kept');
END;

CREATE TRIGGER operation_removed_goes_on BEFORE UPDATE ON operation_removed
WHEN NEW.number < OLD.number
BEGIN
    SELECT RAISE(ABORT, 'what was removed stays removed');
END;

CREATE TRIGGER operation_removed_stays BEFORE DELETE ON operation_removed
BEGIN
    SELECT RAISE(ABORT, 'what was removed stays removed');
END;
