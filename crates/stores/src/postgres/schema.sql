-- Format 1. Never edit: a change is a new step with a new format.

-- Ids and names are bytes: any text may be one, U+0000 included, which `text` cannot hold, and
-- bytes sort as the port asks whatever the collation of the database is.
CREATE TABLE castellan_records (
    site text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    id bytea NOT NULL,
    version bigint NOT NULL,
    -- Unix seconds; NULL: until deleted.
    expires_at bigint,
    -- Used up: a tombstone.
    taken boolean NOT NULL,
    names bytea[] NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (site, kind, id)
);

CREATE INDEX castellan_records_by_expiry ON castellan_records (expires_at)
    WHERE expires_at IS NOT NULL;

-- Who has which unique name, and until when: what decides stands in the row that is locked.
CREATE TABLE castellan_names (
    site text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    name bytea NOT NULL,
    id bytea NOT NULL,
    expires_at bigint,
    PRIMARY KEY (site, kind, name)
);

CREATE INDEX castellan_names_by_id ON castellan_names (site, kind, id);

-- Each notice with the transaction that wrote it: a reader asks for what its last snapshot could
-- not see, so that a transaction that commits late is not missed.
CREATE TABLE castellan_feed (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    -- Unix seconds by the database's clock.
    at bigint NOT NULL DEFAULT extract(epoch FROM clock_timestamp())::bigint,
    subject bytea NOT NULL
);

CREATE INDEX castellan_feed_by_xid ON castellan_feed (xid);

-- One row.
CREATE TABLE castellan_meta (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    format bigint NOT NULL,
    -- Tells this database from every other: a cursor of another one is worth nothing here.
    database text NOT NULL,
    -- The newest transaction of which a notice was swept.
    swept xid8 NOT NULL DEFAULT '0'
);
