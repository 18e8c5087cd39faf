-- Logs of which CUHK has not said, since it was last connected, that it has seen what it has cosigned of them, and
-- since when that is so: for whoever looks after it.
CREATE TABLE unseen_logs (
    log   TEXT NOT NULL PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
