PRAGMA user_version = 6;
CREATE TABLE taken (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX taken_by_at ON taken (at);
ALTER TABLE fired ADD COLUMN trace TEXT;
