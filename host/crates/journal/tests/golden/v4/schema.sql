PRAGMA user_version = 4;
ALTER TABLE waiting ADD COLUMN live TEXT;
ALTER TABLE waiting ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX runs_by_flow ON runs (flow, no);
CREATE INDEX runs_by_created ON runs (created, no);
CREATE TABLE node_stats (
    flow TEXT NOT NULL,
    node TEXT NOT NULL,
    hour INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    unknown INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    hits INTEGER NOT NULL,
    fuel INTEGER NOT NULL,
    memory INTEGER NOT NULL,
    wall INTEGER NOT NULL,
    longest INTEGER NOT NULL,
    walls TEXT NOT NULL,
    PRIMARY KEY (flow, node, hour)
) WITHOUT ROWID;
CREATE TABLE purge (
    run INTEGER PRIMARY KEY,
    event INTEGER NOT NULL
);
CREATE TABLE about (
    key TEXT PRIMARY KEY,
    value NOT NULL
) WITHOUT ROWID;
CREATE TABLE deployments (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (name, version)
) WITHOUT ROWID;
CREATE TABLE deployment_topics (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    item TEXT NOT NULL,
    pattern TEXT NOT NULL
);
CREATE INDEX deployment_topics_by_version ON deployment_topics (name, version);
CREATE TABLE deployed (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    paused INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE trigger_marks (
    name TEXT NOT NULL,
    item TEXT NOT NULL,
    mark INTEGER NOT NULL,
    run TEXT,
    PRIMARY KEY (name, item)
) WITHOUT ROWID;
CREATE TABLE fired (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    item TEXT NOT NULL,
    id TEXT NOT NULL,
    payload TEXT NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (name, item, id)
);
CREATE INDEX fired_by_item ON fired (name, item, no);
CREATE TABLE escalations (
    run INTEGER NOT NULL,
    task INTEGER NOT NULL,
    event INTEGER NOT NULL,
    PRIMARY KEY (run, task)
) WITHOUT ROWID;
CREATE TABLE outbox (
    event INTEGER PRIMARY KEY,
    attempts INTEGER NOT NULL,
    due INTEGER NOT NULL,
    error TEXT,
    sent INTEGER
);
