PRAGMA application_id = 1718384488;
PRAGMA user_version = 2;
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
) WITHOUT ROWID;
INSERT INTO runs VALUES (1, 'golden', 'main', 'sha256:36bfde7b64d86a91f94add7c1b1e9bad07ee79bd0b4a7f0bd8ef770b941645df', 'sha256:0707070707070707070707070707070707070707070707070707070707070707', 'succeeded', 'second', 1700000001000, 1700000002060, 1700000002060, '{}', NULL, NULL, NULL);
INSERT INTO events VALUES (1, 1, 1, 0, 1700000001000, 'run-started', '', '{"v":1,"flow":"main","plan":"sha256:36bfde7b64d86a91f94add7c1b1e9bad07ee79bd0b4a7f0bd8ef770b941645df","program":"sha256:0707070707070707070707070707070707070707070707070707070707070707","input":{"name":{"value":"apple"}},"labels":{},"semantics":1,"permitted":[],"host":"first"}', X'29870DDB2BDC6CABD64FD356B363233B07DD6F51CF606133E8DD88D0F0603942');
INSERT INTO events VALUES (2, 1, 2, 1, 1700000001000, 'attempt-succeeded', 'main/price', '{"v":1,"task":0,"number":1,"output":{"value":3},"bill":{"fuel":1,"peak_memory":0,"wall":0,"host_calls":0,"bytes_in":0,"bytes_out":0}}', X'234282C6BE6B118081A730D67AD730C625D861EFD3E5B4C724BF4CA26B4BB87E');
INSERT INTO events VALUES (3, 1, 3, 2, 1700000001050, 'timer-fired', '', '{"v":1,"timer":0}', X'95FF242F4F154DB3065DB2EEBEB4AEFC3FB6C01D968FDF75D67502AC292F373D');
INSERT INTO events VALUES (4, 1, 4, 3, 1700000002050, 'owner-changed', '', '{"v":1,"host":"second"}', X'B7D891AD8CE46E4194281DFF191FA12721A5F428100FD8442C8A4715FC82FC2B');
INSERT INTO events VALUES (5, 1, 5, 4, 1700000002050, 'signal-received', '', '{"v":1,"name":"approval","id":"from outside","payload":{"value":true}}', X'B125DD857D4908C8491A26E891A7D8E05F68635C806E0CA967AC75F87F61A011');
INSERT INTO events VALUES (6, 1, 6, 5, 1700000002050, 'message-sent', 'main/emit', '{"v":1,"task":1,"number":1}', X'ECD4A5643A29438DB6CBEA96C2B9DAD525E631243E081C23B712755898D8E3C6');
INSERT INTO events VALUES (7, 1, 7, 6, 1700000002050, 'message-received', '', '{"v":1,"topic":"prices.apple","id":"golden/main/emit","payload":{"value":3}}', X'029FD16F3CC511F7E0043CDA92F24D288CFD89C8210116370B1D09F845DABABD');
INSERT INTO events VALUES (8, 1, 8, 7, 1700000002060, 'timer-fired', '', '{"v":1,"timer":2}', X'E69D57AC930E980A0D58D159D9957604E9EEA3EB4E2F585EA13F3B015D3E2AB2');
INSERT INTO events VALUES (9, 1, 9, 8, 1700000002060, 'attempt-succeeded', 'main/shop.note', '{"v":1,"task":2,"number":1,"output":{"value":"noted: true, 3, nothing"},"bill":{"fuel":1,"peak_memory":0,"wall":0,"host_calls":0,"bytes_in":0,"bytes_out":0}}', X'BC371AF3B5716C69970652922C8974C46032451EF24A58EAA7B854F0DCFFEED4');
INSERT INTO events VALUES (10, 1, 10, 9, 1700000002060, 'run-ended', '', '{"v":1,"outcome":"succeeded","output":{"value":"noted: true, 3, nothing"}}', X'2E9416D95048986B3C861CDD6369E7A5C591510813262BF1FE0188A040F78E6A');
INSERT INTO heads VALUES (1, 10, 10);
