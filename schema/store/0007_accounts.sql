-- Who may do what. Of secrets there are BLAKE2b hashes alone (32 octets); times are microseconds
-- since 1970, UTC.
CREATE TABLE tokens (
    name      TEXT PRIMARY KEY,
    role      INTEGER NOT NULL,       -- 1 read, 2 control, 3 admin
    hash      BLOB NOT NULL,
    created   INTEGER NOT NULL,
    last_used INTEGER NOT NULL        -- to the hour; 0: never
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id      BLOB PRIMARY KEY,         -- hash of what the cookie holds
    token   BLOB NOT NULL,            -- hash of the token that signed in
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who changed what.
CREATE TABLE audit (
    id      INTEGER PRIMARY KEY,      -- grows
    class   INTEGER NOT NULL,         -- 0 needs admin, 1 needs control, 2 refused
    time    INTEGER NOT NULL,
    role    INTEGER NOT NULL,         -- as in tokens
    status  INTEGER NOT NULL,         -- of HTTP
    actor   TEXT NOT NULL,
    remote  TEXT,
    action  TEXT NOT NULL,
    changed TEXT NOT NULL             -- JSON Pointers, a line each
) STRICT;
CREATE INDEX audit_by_class ON audit(class, id);
