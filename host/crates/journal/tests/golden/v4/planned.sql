PRAGMA application_id = 1718384488;
PRAGMA user_version = 4;
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
INSERT INTO runs VALUES (1, 'bounded', 'all kinds', 'sha256:0101010101010101010101010101010101010101010101010101010101010101', 'sha256:0202020202020202020202020202020202020202020202020202020202020202', 'running', 'host-1', 1700000000001, 1700000000001, NULL, '{"team":"docs","a":"first \"a\""}', NULL, NULL, NULL);
INSERT INTO runs VALUES (2, 'unbounded', 'all kinds', 'sha256:0101010101010101010101010101010101010101010101010101010101010101', 'sha256:0202020202020202020202020202020202020202020202020202020202020202', 'running', 'host-1', 1700000000001, 1700000000001, NULL, '{"team":"docs","a":"first \"a\""}', NULL, NULL, NULL);
INSERT INTO events VALUES (1, 1, 1, 0, 1700000000001, 'run-started', '', '{"v":1,"flow":"all kinds","plan":"sha256:0101010101010101010101010101010101010101010101010101010101010101","program":"sha256:0202020202020202020202020202020202020202020202020202020202020202","input":{"folder":{"value":"/home/me/docs"},"count":{"value":"18446744073709551615"}},"labels":{"team":"docs","a":"first \"a\""},"semantics":1,"permitted":["read /home/me/docs"],"host":"host-1","within":{"depth":2,"steps":1000,"fuel":2000,"time":3000,"deadline":4000,"attempt_memory":5000,"attempt_fuel":6000}}', X'78A30DBE0B1E380608C3A133D640225CC4982D3D87CF8FF19076C10DD714A3CB');
INSERT INTO events VALUES (2, 1, 2, 1, 1700000000002, 'attempt-succeeded', 'main/plan', '{"v":1,"task":0,"number":1,"output":{"value":{"done":true}},"bill":{"fuel":5,"peak_memory":0,"wall":0,"host_calls":0,"bytes_in":0,"bytes_out":0,"attempts":7}}', X'608A09F89BAE6272488669983A38771E2A7B9C95AA93C795F2AE80D41D232BF9');
INSERT INTO events VALUES (3, 2, 1, 0, 1700000000001, 'run-started', '', '{"v":1,"flow":"all kinds","plan":"sha256:0101010101010101010101010101010101010101010101010101010101010101","program":"sha256:0202020202020202020202020202020202020202020202020202020202020202","input":{"folder":{"value":"/home/me/docs"},"count":{"value":"18446744073709551615"}},"labels":{"team":"docs","a":"first \"a\""},"semantics":1,"permitted":["read /home/me/docs"],"host":"host-1","within":{"depth":1}}', X'C4486A30C866F3C20BB6279A3E38F37C8C72C87414C75A42AE868ADBF61532C6');
INSERT INTO events VALUES (4, 2, 2, 3, 1700000000002, 'attempt-succeeded', 'main/plan', '{"v":1,"task":0,"number":1,"output":{"value":{"done":true}},"bill":{"fuel":5,"peak_memory":0,"wall":0,"host_calls":0,"bytes_in":0,"bytes_out":0,"attempts":7}}', X'CF36ADE6E9D2B29E984FDC6FA3119676DF9D0FF0247A5F507F5E9322B7DD4528');
INSERT INTO heads VALUES (1, 2, 2);
INSERT INTO heads VALUES (2, 4, 2);
