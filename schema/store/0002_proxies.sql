-- Which device answered under the name of a configured proxy: its identity, so that another one at
-- that address is noticed after a restart too.
CREATE TABLE proxies (
    name TEXT PRIMARY KEY,
    mac  TEXT NOT NULL     -- AA:BB:CC:DD:EE:FF
) STRICT, WITHOUT ROWID;
