-- What a proxy has of a device: the keys of a bond, and attributes that it has read once, so that
-- a link may be opened with cache. Bonds live in the proxy; this says where they are.
CREATE TABLE pairs (
    device INTEGER NOT NULL,  -- address, as in devices
    proxy  INTEGER NOT NULL,  -- its MAC, in the same form
    mtu    INTEGER NOT NULL,  -- of the last link that was opened without cache; 0: none was
    bonded INTEGER NOT NULL,  -- 1: they are
    PRIMARY KEY (device, proxy)
) STRICT, WITHOUT ROWID;
