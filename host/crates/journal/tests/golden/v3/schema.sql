PRAGMA user_version = 3;
CREATE TABLE cache (
    key TEXT NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    data BLOB NOT NULL
);
