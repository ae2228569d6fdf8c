-- How often the device is heard, as it was learned, in microseconds; 0: nothing was learned.
ALTER TABLE devices ADD COLUMN interval INTEGER NOT NULL DEFAULT 0;
