-- Format 1. Never edit: a change is a new step with a new `user_version`.

-- What is filtered on stands before the body, so that a scan need not read the body's pages.
CREATE TABLE records (
    site TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    -- Unix seconds; NULL: until deleted.
    expires_at INTEGER,
    -- 1: used up, a tombstone.
    taken INTEGER NOT NULL,
    -- The unique names, each as "length in bytes:name,".
    names TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (site, kind, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX records_by_expiry ON records (expires_at) WHERE expires_at IS NOT NULL;

-- Who has which unique name. A row may still name a record that has expired.
CREATE TABLE names (
    site TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (site, kind, name)
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: a number is never used twice, and sqlite_sequence remembers the end of a feed
-- that was swept empty.
CREATE TABLE feed (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Unix seconds by the database's clock.
    at INTEGER NOT NULL DEFAULT (unixepoch()),
    subject TEXT NOT NULL
) STRICT;
