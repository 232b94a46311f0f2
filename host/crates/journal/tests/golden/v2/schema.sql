PRAGMA user_version = 2;
CREATE TABLE inbox (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    payload TEXT NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (run, id)
);
CREATE INDEX inbox_by_run ON inbox (run, no);
CREATE TABLE listens (
    topic TEXT NOT NULL,
    run TEXT NOT NULL,
    PRIMARY KEY (topic, run)
) WITHOUT ROWID;
CREATE INDEX listens_by_run ON listens (run);
CREATE TABLE waiting (
    run TEXT PRIMARY KEY,
    what TEXT NOT NULL
) WITHOUT ROWID;
