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
INSERT INTO runs VALUES (1, 'all', 'all kinds', 'sha256:0101010101010101010101010101010101010101010101010101010101010101', 'sha256:0202020202020202020202020202020202020202020202020202020202020202', 'failed', 'host-2', 1700000000001, 1700000000026, 1700000000026, '{"team":"docs","a":"first \"a\""}', 'a "quoted"\
text ✓', 'invalid_input', 'main/step[4]');
INSERT INTO runs VALUES (2, 'unfinished', 'all kinds', 'sha256:0101010101010101010101010101010101010101010101010101010101010101', 'sha256:0202020202020202020202020202020202020202020202020202020202020202', 'paused', 'host-1', 1700000000001, 1700000000010, NULL, '{"team":"docs","a":"first \"a\""}', 'the outcome of a step is unknown', NULL, NULL);
INSERT INTO runs VALUES (3, 'cached', 'all kinds', 'sha256:0101010101010101010101010101010101010101010101010101010101010101', 'sha256:0202020202020202020202020202020202020202020202020202020202020202', 'running', 'host-1', 1700000000001, 1700000000001, NULL, '{"team":"docs","a":"first \"a\""}', NULL, NULL, NULL);
INSERT INTO events VALUES (1, 1, 1, 0, 1700000000001, 'run-started', '', '{"v":1,"flow":"all kinds","plan":"sha256:0101010101010101010101010101010101010101010101010101010101010101","program":"sha256:0202020202020202020202020202020202020202020202020202020202020202","input":{"folder":{"value":"/home/me/docs"},"count":{"value":"18446744073709551615"}},"labels":{"team":"docs","a":"first \"a\""},"semantics":1,"permitted":["read /home/me/docs"],"host":"host-1"}', X'46CF9366ECDCFCA81137B280030090402A8C40134E89E1D4BF6AC1FA012D61F0');
INSERT INTO events VALUES (2, 1, 2, 1, 1700000000002, 'attempt-started', 'main/step[0]', '{"v":1,"task":0,"number":1,"host":"host-1"}', X'874F8AB66A832F67E389A0655CD1AD919E82EE6B5752143950CC831F8B7CAA5C');
INSERT INTO events VALUES (3, 1, 3, 2, 1700000000003, 'denied', 'main/step[0]', '{"v":1,"task":0,"number":1,"capability":"files","subject":"/etc/pass wd"}', X'8F04CD56E59F76C57A6067C4C774468D8854FA2D786D1479DA44300953ABE8FC');
INSERT INTO events VALUES (4, 1, 4, 3, 1700000000004, 'attempt-failed', 'main/step[0]', '{"v":1,"task":0,"number":1,"failure":{"kind":"invalid_input","message":"a \"quoted\"\\\n\u0001text ✓","details":{"value":{"code":7,"none":null}},"retry_after":250},"bill":{"fuel":1152921504606846976,"peak_memory":65536,"wall":12,"host_calls":3,"bytes_in":4,"bytes_out":5}}', X'A85A55F2D3F7B12073EB99023B2239317EE1118DBB159A9A8FE6432DBAF1737E');
INSERT INTO events VALUES (5, 1, 5, 4, 1700000000005, 'timer-fired', '', '{"v":1,"timer":0}', X'A5B9674CAC96042735C363E7AF961E0C3B51368D5B09B929DA89891F6D72B54B');
INSERT INTO events VALUES (6, 1, 6, 5, 1700000000006, 'attempt-succeeded', 'main/step[0]', '{"v":1,"task":0,"number":2,"output":{"value":{"none":null,"text":"é😀"}},"bill":{"fuel":1152921504606846976,"peak_memory":65536,"wall":12,"host_calls":3,"bytes_in":4,"bytes_out":5}}', X'94760DC63889427DFEE273C70C429421B02BE7ACA1454A87E82E9C445F1D317B');
INSERT INTO events VALUES (7, 1, 7, 6, 1700000000007, 'attempt-succeeded', 'main/step[1]', '{"v":1,"task":1,"number":1,"output":{"value":null},"bill":{"fuel":0,"peak_memory":0,"wall":0,"host_calls":0,"bytes_in":0,"bytes_out":0}}', X'8F1340FE3C2D8AD99430C01009F4B4E0AB845030D4282CC96A5FC57AC89EF75E');
INSERT INTO events VALUES (8, 1, 8, 7, 1700000000008, 'attempt-cancelled', 'main/step[2]', '{"v":1,"task":2,"number":1}', X'038EF517E196A25C2B1E5EE83B46D21E9FC0E8438F9450ADF09F541AF2F87F53');
INSERT INTO events VALUES (9, 1, 9, 8, 1700000000009, 'outcome-unknown', 'main/step[3]', '{"v":1,"task":3,"number":1}', X'4C4A096452F00BFA256C3C09E876B38121689A53EA1783C7013E293F82C466A5');
INSERT INTO events VALUES (10, 1, 10, 9, 1700000000010, 'paused', '', '{"v":1,"reason":"the outcome of a step is unknown"}', X'040B2FD2D45F5926BA3F53385B12D66317391DC38238B4BAE5D2A5A8C6CF18E1');
INSERT INTO events VALUES (11, 1, 11, 10, 1700000000011, 'operator-decision', '', '{"v":1,"task":3,"decision":"retry"}', X'D4450249FD0F7E64B3A4A16003FB9988C91FDDB5BD332E0C9424D6C9C2471E6A');
INSERT INTO events VALUES (12, 1, 12, 11, 1700000000012, 'operator-decision', '', '{"v":1,"task":3,"decision":"supply","output":{"value":{"none":null,"text":"é😀"}}}', X'EB841EABBF508E63E4CF67BBBFD40E63D6DEFA507DCA674686A22DC5FC182E54');
INSERT INTO events VALUES (13, 1, 13, 12, 1700000000013, 'operator-decision', '', '{"v":1,"task":3,"decision":"fail","message":"no"}', X'346C06CFBC2CA61A57D533F79B5BB7B62E40D61A4294BE9D705DB2266B3C61DD');
INSERT INTO events VALUES (14, 1, 14, 13, 1700000000014, 'owner-changed', '', '{"v":1,"host":"host-2"}', X'29557D220C8D733A948EDE7CC841D14CDC157C1C3E87C284E28D4F45EE24110E');
INSERT INTO events VALUES (15, 1, 15, 14, 1700000000015, 'resumed', '', '{"v":1}', X'77C29CDC49BA2D4C60B8A38798595AD6F37715999BBA235D5224EACCD05BDCDD');
INSERT INTO events VALUES (16, 1, 16, 15, 1700000000016, 'attempt-failed', 'main/step[4]', '{"v":1,"task":4,"number":1,"failure":{"kind":"error","message":""},"bill":{"fuel":1152921504606846976,"peak_memory":65536,"wall":12,"host_calls":3,"bytes_in":4,"bytes_out":5}}', X'513CC98073FA63D9CC692A86039D034B668DC3FDEDCDCCA14B5612845891A67E');
INSERT INTO events VALUES (17, 1, 17, 16, 1700000000017, 'signal-received', '', '{"v":1,"name":"approval","id":"s1","payload":{"value":true}}', X'917CE05F6B3885A3D67DBBBC9B5D3BEACD5AB2B14AB3BE6E2622819D901C17E0');
INSERT INTO events VALUES (18, 1, 18, 17, 1700000000018, 'message-received', '', '{"v":1,"topic":"orders.new","id":"r/main/emit","payload":{"value":null}}', X'3B2D0923348FC9F2261936C8BEC9C42376A10D2C77A8704D9110CC7D279F8D60');
INSERT INTO events VALUES (19, 1, 19, 18, 1700000000019, 'message-sent', 'main/step[5]', '{"v":1,"task":5,"number":1}', X'5C1F08E198F902EA477AD24A7F0D109875E07CCDC2CFB2C7FD5F3C576FE32C83');
INSERT INTO events VALUES (20, 1, 20, 19, 1700000000020, 'control-taken', '', '{"v":1,"id":"c1"}', X'C6F121E80D284614808B4A09F82C38D75BAF7CEE2DD692F1CD448084ED9E3245');
INSERT INTO events VALUES (21, 1, 21, 20, 1700000000021, 'paused', '', '{"v":1,"reason":"a break"}', X'A6A406F9E33BD0EC603ECD2D1FCEDDF8D3AA30500A6E0F9D2237BF09D0FF1051');
INSERT INTO events VALUES (22, 1, 22, 21, 1700000000022, 'advanced', '', '{"v":1,"steps":2}', X'2E397D3CC2E0FBF9D7239AB41B3F487CF5D71A6BB29DC13680D7CFF713D4CCA5');
INSERT INTO events VALUES (23, 1, 23, 22, 1700000000023, 'control-taken', '', '{"v":1,"id":"c2","refusal":"the run is paused already"}', X'8721451D34D06AE907A1E7FB407F0442C92C53740284EB22B87B766742F892E8');
INSERT INTO events VALUES (24, 1, 24, 23, 1700000000024, 'cancel-requested', '', '{"v":1,"reason":"","gently":true}', X'8655C130EDF69FED541B17CB414782B6501928112C57B1F2ACF31DDC4CB081A9');
INSERT INTO events VALUES (25, 1, 25, 24, 1700000000025, 'cancel-requested', '', '{"v":1,"reason":""}', X'ECCDDB0372D0E5E3D78204E22CFE087D36470356C4F441601DE741EF83F1CD87');
INSERT INTO events VALUES (26, 1, 26, 25, 1700000000026, 'run-ended', 'main/step[4]', '{"v":1,"outcome":"failed","failure":{"kind":"invalid_input","message":"a \"quoted\"\\\n\u0001text ✓","details":{"value":{"code":7,"none":null}},"retry_after":250}}', X'B2C372529D9F29976C4E87A9D1F63F7A102409F3AA5A48FFC1DB6D6B0BB26D24');
INSERT INTO events VALUES (27, 2, 1, 0, 1700000000001, 'run-started', '', '{"v":1,"flow":"all kinds","plan":"sha256:0101010101010101010101010101010101010101010101010101010101010101","program":"sha256:0202020202020202020202020202020202020202020202020202020202020202","input":{"folder":{"value":"/home/me/docs"},"count":{"value":"18446744073709551615"}},"labels":{"team":"docs","a":"first \"a\""},"semantics":1,"permitted":["read /home/me/docs"],"host":"host-1"}', X'ADE573EB659D5B7206E2E2F4C188DD45A9ED93BF31EDEB381B0C4ED03209CE1A');
INSERT INTO events VALUES (28, 2, 2, 27, 1700000000002, 'attempt-started', 'main/step[0]', '{"v":1,"task":0,"number":1,"host":"host-1"}', X'51C85A1E227318CD4C5A69896DDF8D3F0BF4527177D9BDAC8D9F7574FA008826');
INSERT INTO events VALUES (29, 2, 3, 28, 1700000000003, 'denied', 'main/step[0]', '{"v":1,"task":0,"number":1,"capability":"files","subject":"/etc/pass wd"}', X'507C4F9E6E7BD026BE387201DBC6D1555CC981EF891EC309037D3A93D2AC027C');
INSERT INTO events VALUES (30, 2, 4, 29, 1700000000004, 'attempt-failed', 'main/step[0]', '{"v":1,"task":0,"number":1,"failure":{"kind":"invalid_input","message":"a \"quoted\"\\\n\u0001text ✓","details":{"value":{"code":7,"none":null}},"retry_after":250},"bill":{"fuel":1152921504606846976,"peak_memory":65536,"wall":12,"host_calls":3,"bytes_in":4,"bytes_out":5}}', X'1FFBCB04782E475FC8D1519667A0BB9D4DC3ED202CC068B6C4346BDB4D979DD2');
INSERT INTO events VALUES (31, 2, 5, 30, 1700000000005, 'timer-fired', '', '{"v":1,"timer":0}', X'BCF5120F11FBDA65AD39E19225A02DACCECF3122378988C0266E5D017542AB5B');
INSERT INTO events VALUES (32, 2, 6, 31, 1700000000006, 'attempt-succeeded', 'main/step[0]', '{"v":1,"task":0,"number":2,"output":{"value":{"none":null,"text":"é😀"}},"bill":{"fuel":1152921504606846976,"peak_memory":65536,"wall":12,"host_calls":3,"bytes_in":4,"bytes_out":5}}', X'47029C4696D3CFB54C996C3768AC5B23E6FB878C111A6319267BF65C98B10E87');
INSERT INTO events VALUES (33, 2, 7, 32, 1700000000007, 'attempt-succeeded', 'main/step[1]', '{"v":1,"task":1,"number":1,"output":{"value":null},"bill":{"fuel":0,"peak_memory":0,"wall":0,"host_calls":0,"bytes_in":0,"bytes_out":0}}', X'B2689A51547560AA36F48788EB91D6EBEF766D5C78AFD2D4C57661141EB76B71');
INSERT INTO events VALUES (34, 2, 8, 33, 1700000000008, 'attempt-cancelled', 'main/step[2]', '{"v":1,"task":2,"number":1}', X'24377AAFCC76F82728DD1BDFDF083C6C58E676F70B538C1E181162179F6C137D');
INSERT INTO events VALUES (35, 2, 9, 34, 1700000000009, 'outcome-unknown', 'main/step[3]', '{"v":1,"task":3,"number":1}', X'E1D19E0E973030FA1852AC04A8E515B69F6010D16D5188F0D5353E01D8FA6147');
INSERT INTO events VALUES (36, 2, 10, 35, 1700000000010, 'paused', '', '{"v":1,"reason":"the outcome of a step is unknown"}', X'D35F1DB3346C961E3306DDAE974640ACCA12BDB56D8ECF539B561C46EE3FB0DA');
INSERT INTO events VALUES (37, 3, 1, 0, 1700000000001, 'run-started', '', '{"v":1,"flow":"all kinds","plan":"sha256:0101010101010101010101010101010101010101010101010101010101010101","program":"sha256:0202020202020202020202020202020202020202020202020202020202020202","input":{"folder":{"value":"/home/me/docs"},"count":{"value":"18446744073709551615"}},"labels":{"team":"docs","a":"first \"a\""},"semantics":1,"permitted":["read /home/me/docs"],"host":"host-1"}', X'B561E4E391593E2DB1E7ED345C988CA40D1BAA99771DDF38C492EC712DB3B2BE');
INSERT INTO events VALUES (38, 3, 2, 37, 1700000000002, 'attempt-succeeded', 'main/step[0]', '{"v":1,"task":0,"number":1,"output":{"value":0},"bill":{"fuel":0,"peak_memory":0,"wall":0,"host_calls":0,"bytes_in":0,"bytes_out":0},"cache":"hit"}', X'92B4FB85676D64FBDAB9F05E408EA97F0B7021A7EF91B12CAD086EFCB46E026A');
INSERT INTO events VALUES (39, 3, 3, 38, 1700000000003, 'attempt-succeeded', 'main/step[1]', '{"v":1,"task":1,"number":1,"output":{"value":1},"bill":{"fuel":0,"peak_memory":0,"wall":0,"host_calls":0,"bytes_in":0,"bytes_out":0},"cache":"no-entry"}', X'5B6E20A4FC39BBBAC2512DCF50EBD29CC6CC37F2FDEE86150B6271D67B1BC36B');
INSERT INTO events VALUES (40, 3, 4, 39, 1700000000004, 'attempt-succeeded', 'main/step[2]', '{"v":1,"task":2,"number":1,"output":{"value":2},"bill":{"fuel":0,"peak_memory":0,"wall":0,"host_calls":0,"bytes_in":0,"bytes_out":0},"cache":"expired"}', X'24A87E8415E56B6BE0395CA1578B6B5534D736FA6E8F1EF5CC7BCAC8F3764FE3');
INSERT INTO heads VALUES (1, 26, 26);
INSERT INTO heads VALUES (2, 36, 10);
INSERT INTO heads VALUES (3, 40, 4);
