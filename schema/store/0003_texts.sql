-- Single values that were made up once and are kept, such as the client id for a broker.
CREATE TABLE texts (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
