PRAGMA user_version = 5;
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    status TEXT NOT NULL,
    document TEXT NOT NULL,
    labels TEXT NOT NULL,
    starting INTEGER NOT NULL,
    ending INTEGER NOT NULL,
    opened INTEGER NOT NULL,
    closed INTEGER
) WITHOUT ROWID;
CREATE INDEX sessions_pending ON sessions (opened, id) WHERE starting OR ending;
