PRAGMA application_id = 1718384488;
PRAGMA user_version = 1;
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
INSERT INTO runs VALUES (1, 'golden', 'main', 'sha256:b620ff57fc7bad647fed067cbdded37ee239aef4bca32f40b616edeba41651f4', 'sha256:0707070707070707070707070707070707070707070707070707070707070707', 'succeeded', 'fourth', 1700000001000, 1700000004100, 1700000004100, '{"kind":"golden"}', NULL, NULL, NULL);
INSERT INTO events VALUES (1, 1, 1, 0, 1700000001000, 'run-started', '', '{"v":1,"flow":"main","plan":"sha256:b620ff57fc7bad647fed067cbdded37ee239aef4bca32f40b616edeba41651f4","program":"sha256:0707070707070707070707070707070707070707070707070707070707070707","input":{"names":{"value":["apple","pear","stone"]}},"labels":{"kind":"golden"},"semantics":1,"permitted":["http mail.example.com"],"host":"first"}', X'5701510B4634F793957DE8B8E70BBA779AEE356D84D78F1377BCC2E26430AECD');
INSERT INTO events VALUES (2, 1, 2, 1, 1700000001000, 'attempt-succeeded', 'main/found[0]/shop.price', '{"v":1,"task":0,"number":1,"output":{"value":3},"bill":{"fuel":1,"peak_memory":0,"wall":0,"host_calls":0,"bytes_in":0,"bytes_out":0}}', X'9BCAF5CFF02D8309470BD7FE06ECD00321865E71FF4AB25F751B74A706ED294B');
INSERT INTO events VALUES (3, 1, 3, 2, 1700000001000, 'attempt-failed', 'main/found[1]/shop.price', '{"v":1,"task":1,"number":1,"failure":{"kind":"network","message":"no route"},"bill":{"fuel":1,"peak_memory":0,"wall":0,"host_calls":0,"bytes_in":0,"bytes_out":0}}', X'F57416857C9975BF459852BAF039B14B3157ED8EECE6E833377DEE0C1587D372');
INSERT INTO events VALUES (4, 1, 4, 3, 1700000001050, 'timer-fired', '', '{"v":1,"timer":0}', X'F65E8604EFC1AA3D820044F06144F6A7BAA085D18960B424BAC8F6C84F59C3AD');
INSERT INTO events VALUES (5, 1, 5, 4, 1700000001050, 'attempt-succeeded', 'main/found[1]/shop.price', '{"v":1,"task":1,"number":2,"output":{"value":5},"bill":{"fuel":1,"peak_memory":0,"wall":0,"host_calls":0,"bytes_in":0,"bytes_out":0}}', X'ACE2FCA5BA3880131A9EDE5F6FAC4F3AC3FC44B6435A6660A3961741AF28CA88');
INSERT INTO events VALUES (6, 1, 6, 5, 1700000001050, 'attempt-failed', 'main/found[2]/shop.price', '{"v":1,"task":2,"number":1,"failure":{"kind":"invalid_input","message":"nobody sells it"},"bill":{"fuel":1,"peak_memory":0,"wall":0,"host_calls":0,"bytes_in":0,"bytes_out":0}}', X'036E85741E73B6F08B2D68CA5A0831E11D5FC5967718D3F1067CE4F75DF1046E');
INSERT INTO events VALUES (7, 1, 7, 6, 1700000001100, 'timer-fired', '', '{"v":1,"timer":1}', X'0DDD8972A65D09509FC7205F30C4758D16F4654EB07AEE0434D3A4389C33902D');
INSERT INTO events VALUES (8, 1, 8, 7, 1700000001100, 'attempt-failed', 'main/found[2]/shop.price', '{"v":1,"task":2,"number":2,"failure":{"kind":"invalid_input","message":"nobody sells it"},"bill":{"fuel":1,"peak_memory":0,"wall":0,"host_calls":0,"bytes_in":0,"bytes_out":0}}', X'08317ED36DF9882850CE907AB804C8C3AE063C58E4D0EECDD8D6B01DBDEA687D');
INSERT INTO events VALUES (9, 1, 9, 8, 1700000001100, 'attempt-succeeded', 'main/sum/reduce[0]/shop.add', '{"v":1,"task":3,"number":1,"output":{"value":3},"bill":{"fuel":1,"peak_memory":0,"wall":0,"host_calls":0,"bytes_in":0,"bytes_out":0}}', X'811EE9B6A917DE0D618030091F3DE82E2490B8DCBA35B359D94E22720F645EC8');
INSERT INTO events VALUES (10, 1, 10, 9, 1700000001100, 'attempt-succeeded', 'main/sum/reduce[1]/shop.add', '{"v":1,"task":4,"number":1,"output":{"value":8},"bill":{"fuel":1,"peak_memory":0,"wall":0,"host_calls":0,"bytes_in":0,"bytes_out":0}}', X'B56680E251677452BBE68EBFCA1158E50E789E77EF0F4FD89FA26AC0B7AE1587');
INSERT INTO events VALUES (11, 1, 11, 10, 1700000001100, 'attempt-started', 'main/sent', '{"v":1,"task":5,"number":1,"host":"first"}', X'2830894D17D9B3B17FDFAC9F88C44F5B617AA658927F928DE31246FD36B0B222');
INSERT INTO events VALUES (12, 1, 12, 11, 1700000002100, 'owner-changed', '', '{"v":1,"host":"second"}', X'448E8F139587459965191F2B5FF976B3D25B64A5F99C59E99C1269148FF9E4A7');
INSERT INTO events VALUES (13, 1, 13, 12, 1700000002100, 'outcome-unknown', 'main/sent', '{"v":1,"task":5,"number":1}', X'B12129FEB553BB62D0B3DDA9B9AB460C902DAB3B71CEF13B55A125ECF29B369D');
INSERT INTO events VALUES (14, 1, 14, 13, 1700000003100, 'owner-changed', '', '{"v":1,"host":"third"}', X'152ED4B4B98F3D972A1B80A7EBEBBA5B437C23B0790F08F6B9180C265D7D1AC1');
INSERT INTO events VALUES (15, 1, 15, 14, 1700000003100, 'operator-decision', '', '{"v":1,"task":5,"decision":"retry"}', X'725A9D3D2A7B8F3CD47415D647B4862362597C05E62BE81C04525BBC9F37EA4D');
INSERT INTO events VALUES (16, 1, 16, 15, 1700000003100, 'attempt-started', 'main/sent', '{"v":1,"task":5,"number":2,"host":"third"}', X'3C1309FD16887EB7CCC39DE9F22A25F1AE79656215022F40136C774D83DF4FF1');
INSERT INTO events VALUES (17, 1, 17, 16, 1700000003100, 'paused', '', '{"v":1,"reason":"a break"}', X'9FB0DE06A59FB24BE0A42183F49D0607A96CE246B31AEF9EED7ED316D762417F');
INSERT INTO events VALUES (18, 1, 18, 17, 1700000003100, 'attempt-succeeded', 'main/sent', '{"v":1,"task":5,"number":2,"output":{"value":"sent: the sum is 8"},"bill":{"fuel":1,"peak_memory":0,"wall":0,"host_calls":0,"bytes_in":0,"bytes_out":0}}', X'EBC7476DB0A541BE3461EF8EA707D8CA2719657050E4376FA86F14D0B8A915DA');
INSERT INTO events VALUES (19, 1, 19, 18, 1700000004100, 'owner-changed', '', '{"v":1,"host":"fourth"}', X'0B8DE63D48C5C4C12FDA42C578C15E7A16FFB723E68CCF29FC26E80518EBA7DB');
INSERT INTO events VALUES (20, 1, 20, 19, 1700000004100, 'resumed', '', '{"v":1}', X'8E3682CA11DC282DA70E4DBA2BEE51472256BB71B59EE81468ED6B482AF9ED77');
INSERT INTO events VALUES (21, 1, 21, 20, 1700000004100, 'attempt-succeeded', 'main/shop.note', '{"v":1,"task":6,"number":1,"output":{"value":"noted: sent: the sum is 8"},"bill":{"fuel":1,"peak_memory":0,"wall":0,"host_calls":0,"bytes_in":0,"bytes_out":0}}', X'8CEB8B35B04F458B9BF48391CB895AF3374E60E85A1581E79A8CFEA4AC572B52');
INSERT INTO events VALUES (22, 1, 22, 21, 1700000004100, 'run-ended', '', '{"v":1,"outcome":"succeeded","output":{"value":"noted: sent: the sum is 8"}}', X'9477DEDA6CC09C3F2B574FE01A66C754A057BC6DB5631598A7CC3AF99D7244A0');
INSERT INTO heads VALUES (1, 22, 22);
