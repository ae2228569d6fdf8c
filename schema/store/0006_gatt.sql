-- GATT databases: what services, characteristics and descriptors a device has, so that a link to it
-- needs no discovery. Each different one is here once, however many devices have it.
CREATE TABLE gatt_layouts (
    id          INTEGER PRIMARY KEY,
    fingerprint INTEGER NOT NULL,     -- of packed, to find it by; different ones may have the same
    packed      BLOB NOT NULL         -- gateway/ble/gatt_tree.h
) STRICT;
CREATE INDEX gatt_layouts_by_fingerprint ON gatt_layouts(fingerprint);

-- Which device has which, without those whose address changes by itself.
CREATE TABLE gatt_devices (
    address INTEGER PRIMARY KEY,      -- as in devices
    layout  INTEGER NOT NULL,         -- id of a layout
    hash    BLOB,                     -- the characteristic Database Hash; NULL: not read
    updated INTEGER NOT NULL          -- when it was discovered: microseconds since 1970, UTC
) STRICT;
CREATE INDEX gatt_devices_by_layout ON gatt_devices(layout);
