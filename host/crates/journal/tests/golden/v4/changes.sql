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
INSERT INTO runs VALUES (1, 'changed', 'all kinds', 'sha256:0101010101010101010101010101010101010101010101010101010101010101', 'sha256:0202020202020202020202020202020202020202020202020202020202020202', 'running', 'host-1', 1700000000001, 1700000000001, NULL, '{"team":"docs","a":"first \"a\""}', NULL, NULL, NULL);
INSERT INTO events VALUES (1, 1, 1, 0, 1700000000001, 'run-started', '', '{"v":1,"flow":"all kinds","plan":"sha256:0101010101010101010101010101010101010101010101010101010101010101","program":"sha256:0202020202020202020202020202020202020202020202020202020202020202","input":{"folder":{"value":"/home/me/docs"},"count":{"value":"18446744073709551615"}},"labels":{"team":"docs","a":"first \"a\""},"semantics":1,"permitted":["read /home/me/docs"],"host":"host-1"}', X'CD14B93C40F290353809970E2D4D55880F859F3C53130A6B4C5AF51964C2C823');
INSERT INTO events VALUES (2, 1, 2, 1, 1700000000002, 'changed', 'main/step[3]/kit.work', '{"v":1,"what":"policy","settings":{"retry":3,"backoff":1,"timeout":2,"deadline":18446744073709551615,"priority":-7,"memory":4,"fuel":5,"class":"a \"class\""}}', X'21E3CBE1E9141DBC274BB9029C6488E18BD23266CCBFDB5DA0A3DE2733D382B0');
INSERT INTO events VALUES (3, 1, 3, 2, 1700000000003, 'changed', 'main/step[3]/kit.work', '{"v":1,"what":"policy","settings":{"fuel":1}}', X'F2F697B1EBAB4684164A55EE5AB2D2E2AD604A215055ECED51605D0D6DDAB635');
INSERT INTO events VALUES (4, 1, 4, 3, 1700000000004, 'changed', 'main/step[3]/kit.work', '{"v":1,"what":"result","output":{"value":null}}', X'B9558DF3CC06015D2A86EF1FCA4558FBECAB4A59C6D10C02973B469DA222EAF4');
INSERT INTO events VALUES (5, 1, 5, 4, 1700000000005, 'changed', '', '{"v":1,"what":"input","name":"count","value":{"value":4}}', X'C054B7BF7F88012CA8FAEB26660B68D4A99D72DA87B1EB103F5037C8685FA2EF');
INSERT INTO events VALUES (6, 1, 6, 5, 1700000000006, 'attempt-succeeded', 'main/step[3]/kit.work', '{"v":1,"task":0,"number":1,"output":{"value":null},"bill":{"fuel":0,"peak_memory":0,"wall":0,"host_calls":0,"bytes_in":0,"bytes_out":0},"cache":"supplied"}', X'5792B56C43E8031813D34166F432019D9723F20174A0DBD7B413E4C5A0822E61');
INSERT INTO heads VALUES (1, 6, 6);
