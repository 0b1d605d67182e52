-- The first schema: configuration, invocations with their bodies, and the append-only record.
--
-- Times are milliseconds since the Unix epoch. Digests and hashes are 32-byte blobs. Bodies are
-- the JSON of the nouns themselves; the plain columns beside them are for finding, never the truth.

-- One row: how often the configuration changed, and where the log stands. It is written in the
-- same transaction as the records that it counts.
CREATE TABLE head (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    epoch    INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    frontier BLOB    NOT NULL,
    root     BLOB    NOT NULL
) STRICT;

CREATE TABLE agents (
    tenant TEXT NOT NULL,
    id     TEXT NOT NULL,
    body   TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE operators (
    tenant TEXT NOT NULL,
    id     TEXT NOT NULL,
    body   TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE credentials (
    id   TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Kept apart from the credentials, because it changes with every call and is no configuration.
CREATE TABLE credential_uses (
    id TEXT    NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Rows are added and never changed, but for `active`; `seq` is the order in which they came.
CREATE TABLE policy_drafts (
    seq        INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    number     INTEGER NOT NULL,
    digest     BLOB    NOT NULL,
    text       TEXT    NOT NULL,
    author     TEXT    NOT NULL,
    message    TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    active     INTEGER NOT NULL CHECK (active IN (0, 1)),
    UNIQUE (name, number)
) STRICT;

-- Bodies carry arguments and results and may be erased; the records commit to them by digest.
-- The body stands last, so that reading the other columns never touches its pages.
CREATE TABLE invocations (
    id          TEXT    NOT NULL PRIMARY KEY,
    tenant      TEXT    NOT NULL,
    agent       TEXT    NOT NULL,
    tool        TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    correlation TEXT,
    fingerprint BLOB    NOT NULL,
    revision    INTEGER NOT NULL,
    body        TEXT    NOT NULL
) STRICT;

-- In the order of ids, which is that of time: a list walks it backwards and looks at bodies only
-- where the filter fits, and every insertion touches its newest page alone.
CREATE INDEX invocations_listed ON invocations (id, tenant, agent, tool, status);

CREATE INDEX invocations_open ON invocations (id)
    WHERE status NOT IN ('denied', 'succeeded', 'failed', 'rejected', 'expired', 'cancelled');

CREATE INDEX invocations_correlated ON invocations (correlation, id)
    WHERE correlation IS NOT NULL;

CREATE INDEX invocations_identical ON invocations (tenant, agent, fingerprint, id);

-- Every approval request that an invocation ever had, void ones too.
CREATE TABLE approvals (
    id         TEXT NOT NULL PRIMARY KEY,
    invocation TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE claims (
    tenant      TEXT    NOT NULL,
    agent       TEXT    NOT NULL,
    tool        TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL,
    invocation  TEXT    NOT NULL,
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant, agent, tool, key)
) STRICT, WITHOUT ROWID;

-- The log. `bytes` is the canonical JSON that `leaf` hashes; the rest is copied out of it for
-- finding and may be missing in a copy that somebody put together by hand.
CREATE TABLE records (
    idx        INTEGER PRIMARY KEY,
    bytes      TEXT    NOT NULL,
    leaf       BLOB    NOT NULL,
    id         TEXT,
    at         INTEGER,
    kind       TEXT,
    tenant     TEXT,
    invocation TEXT
) STRICT;

-- Not unique, so that a copy with a record in it twice still opens and can be judged. The writer
-- looks before it appends.
CREATE INDEX records_by_id ON records (id);

CREATE INDEX records_of_invocation ON records (invocation, idx)
    WHERE invocation IS NOT NULL;

CREATE TABLE checkpoints (
    size INTEGER PRIMARY KEY,
    note TEXT    NOT NULL,
    at   INTEGER NOT NULL
) STRICT;
