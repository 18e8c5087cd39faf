-- Whom CUHK called suspended when it was asked about him, as somebody who is here waited for him.
CREATE TABLE suspended (
    sid TEXT    NOT NULL PRIMARY KEY,
    at  INTEGER NOT NULL CHECK (at >= 0)
) STRICT, WITHOUT ROWID;
