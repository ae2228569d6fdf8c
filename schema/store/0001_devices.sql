-- Every device with a stable address. Those that change their address by themselves (private, not
-- resolved) are never here. Times are microseconds since 1970, UTC.
CREATE TABLE devices (
    address        INTEGER PRIMARY KEY,  -- 48 bits: AA:BB:CC:DD:EE:FF is 0xAABBCCDDEEFF
    address_type   INTEGER NOT NULL,     -- 0 public, 1 random, 2 and 3 resolved identities
    name           TEXT,                 -- for people who look into the file; details has it too
    first_seen     INTEGER NOT NULL,
    last_seen      INTEGER NOT NULL,
    advertisements INTEGER NOT NULL,
    details        BLOB NOT NULL         -- who heard it, what it said: gateway/store/details.h
) STRICT;
