-- Notifications: how far each endpoint has got in the record, and what was sent.
--
-- The record is the outbox, so nothing that is to be told stands here.

CREATE TABLE endpoints (
    name     TEXT    NOT NULL PRIMARY KEY,
    next     INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    refusals INTEGER NOT NULL,
    due_at   INTEGER,
    disabled TEXT
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: a number is never given again, also when the newest rows are gone.
CREATE TABLE deliveries (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant   TEXT    NOT NULL,
    endpoint TEXT    NOT NULL,
    body     TEXT    NOT NULL
) STRICT;
