PRAGMA application_id = 1718384488;
PRAGMA user_version = 5;
CREATE TABLE runs (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    flow TEXT NOT NULL,
    plan TEXT NOT NULL,
    program TEXT NOT NULL,
    status TEXT NOT NULL,
    owner TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    ended INTEGER,
    labels TEXT NOT NULL,
    reason TEXT,
    failure_kind TEXT,
    failure_path TEXT
);
CREATE INDEX runs_by_status ON runs (status, no);
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    prev INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    path TEXT NOT NULL,
    body TEXT NOT NULL,
    hash BLOB NOT NULL
);
CREATE TABLE heads (
    run INTEGER PRIMARY KEY,
    event INTEGER NOT NULL,
    seq INTEGER NOT NULL
);
CREATE TABLE blobs (
    digest TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    at INTEGER NOT NULL,
    data BLOB NOT NULL
);
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
, live TEXT, at INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE cache (
    key TEXT NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    data BLOB NOT NULL
);
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
