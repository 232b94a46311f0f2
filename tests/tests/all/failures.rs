//! What is done about failures that flows do not take, seen from outside: retries with more, escalation, the webhook.

use std::io::{Read, Write};
use std::net::TcpListener;

use e2e::Site;
use serde_json::Value;

const USES: &str = r#"
use "{plugins}/witness.wasm" as witness
use "{plugins}/kit.wasm" as kit
"#;

pub(crate) fn site(flow: &str, configuration: &str) -> Site {
    let site = Site::new();
    site.flow("main.flow", &format!("{USES}\n{flow}"));
    site.write("folder/.keep", "");
    site.write("flowhost.toml", configuration);
    site
}

pub(crate) const LOGIC: &str = r#"flow main() -> string with { deadline: 2h } {
    let wrong = kit.fail(kit.failure_kind.logic, "it makes no sense")
    let right = kit.echo("beside")
    "${wrong} ${right}"
}"#;

fn steps(site: &Site, run: &str) -> Vec<Value> {
    site.host(["show", run, "--json"]).expect(0).json()["steps"].as_array().unwrap().clone()
}

#[test]
fn a_timeout_is_tried_again_with_half_as_much_time_again() {
    let flow = "flow main() -> u64 { kit.slow(2_500) with { timeout: 2s, allow: [clock] } }";
    let site = site(flow, "");
    let run = site.host(["run", "main.flow", "--json"]).expect(0).json();
    let steps = steps(&site, run["run"].as_str().unwrap());
    let limits: Vec<&Value> = steps.iter().map(|step| &step["limits"]["timeout_ms"]).collect();
    assert_eq!(limits, [&Value::Null, &Value::from(3_000)]);
}

#[test]
fn a_network_failure_is_tried_again_and_nobody_is_asked() {
    let flow = r#"flow main() -> string { kit.fail_times(2, kit.failure_kind.network, "done") }"#;
    let quick = "[recovery.network.agent]\nbackoff = \"1ms\"";
    let run = site(flow, quick).host(["run", "main.flow", "--json"]).expect(0).json();
    assert_eq!((&run["result"], &run["attempts"]), (&Value::from("done"), &Value::from(3)));
    let failed = site(LOGIC, "").host(["run", "main.flow", "--json"]).expect(1).json();
    assert_eq!(failed["failure"]["kind"], "logic");
}

#[test]
fn an_escalated_step_waits_for_a_decision_while_others_go_on() {
    let site = site(LOGIC, "[escalation]\nrun = true");
    let run = site.host(["run", "main.flow", "--json"]).expect(6).json();
    let id = run["run"].as_str().unwrap();
    assert_eq!(run["blocked"][0]["because"]["reason"], "escalated");
    assert_eq!(run["steps"], 1, "the one beside it is done");
    let open = site.host(["escalations", "--json"]).expect(0).json();
    assert_eq!(
        (&open[0]["kind"], &open[0]["severity"], &open[0]["delivery"]),
        (&"logic".into(), &"critical".into(), &Value::Null)
    );
    let task = open[0]["task"].to_string();
    let text = site.host(["escalations"]).expect(0).out;
    assert!(text.contains("it makes no sense") && text.contains(&format!("host resume {id} --supply {task}=JSON")), "{text}");
    let supplied = site.host(["resume", id, "--json", "--supply", &format!("{task}=\"sense\"")]).expect(0).json();
    assert_eq!(supplied["result"], "sense beside");
    assert_eq!(site.host(["escalations"]).expect(0).out.trim(), "nothing is escalated");
}

/// Takes one request, answers it with this status, and gives its body.
pub(crate) fn receive(stream: &mut (impl Read + Write), status: &str) -> std::io::Result<Value> {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let head = text.windows(4).position(|window| window == b"\r\n\r\n");
        let length = head.map(|end| {
            let head = String::from_utf8_lossy(&text[..end]).into_owned();
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap().parse::<usize>().unwrap();
            (end + 4, length)
        });
        if let Some((start, length)) = length
            && text.len() >= start + length
        {
            write!(stream, "HTTP/1.1 {status} x\r\n\r\n")?;
            stream.flush()?;
            return Ok(serde_json::from_slice(&text[start..start + length]).unwrap());
        }
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        text.extend_from_slice(&buffer[..count]);
    }
}

#[test]
fn a_report_is_sent_until_it_is_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let webhook = format!("[escalation]\nrun = true\nwebhook = \"http://{}/hook\"", listener.local_addr().unwrap());
    let site = site(LOGIC, &webhook);
    let server = std::thread::spawn(move || {
        let refused = receive(&mut listener.accept().unwrap().0, "503").unwrap();
        let taken = receive(&mut listener.accept().unwrap().0, "200").unwrap();
        (refused, taken)
    });
    let run = site.host(["run", "main.flow"]).expect(6);
    assert!(run.err.contains("is escalated"), "{}", run.err);
    let open = site.host(["escalations", "--json"]).expect(0).json();
    let (id, task) = (open[0]["run"].as_str().unwrap().to_owned(), open[0]["task"].to_string());
    // Whoever drives runs on the store sends it again.
    for _ in 0..40 {
        if server.is_finished() {
            break;
        }
        site.host(["resume", &id]).expect(6);
    }
    let (refused, taken) = server.join().unwrap();
    assert_eq!(refused["id"], taken["id"], "receivers can tell");
    assert_eq!((&taken["specversion"], &taken["type"]), (&"1.0".into(), &"flowhost.escalated".into()));
    assert_eq!((&taken["data"]["kind"], &taken["data"]["run"]), (&"logic".into(), &Value::from(id.as_str())));
    site.host(["resume", &id, "--fail", &format!("{task}=no")]).expect(1);
}

#[test]
fn wrong_settings_are_refused() {
    for (configuration, message) in [
        ("[recovery.netwerk]", "`netwerk` is not a kind of failure"),
        ("[recovery.network.boss]", "unknown field `boss`"),
        ("[escalation]\nwebhook = \"ftp://a.b/c\"", "is not an address"),
    ] {
        let printed = site(LOGIC, configuration).host(["run", "main.flow"]).expect(2);
        assert!(printed.err.contains(message), "{configuration}: {}", printed.err);
    }
}

#[test]
fn what_could_not_be_taken_back_is_said() {
    let flow = r#"flow main(folder: dir) with { allow: [read_write folder] } {
    let first = witness.mark(folder, "first") undo kit.fail(kit.failure_kind.error, "stuck")
    require first == "" else "not in the end"
}"#;
    let site = site(flow, "");
    let run = site.host(["run", "main.flow", "--json", "--input", "folder=folder"]).expect(1).json();
    assert_eq!(run["not_undone"][0]["message"], "stuck");
    let shown = site.host(["show", run["run"].as_str().unwrap(), "--json"]).expect(0).json();
    assert_eq!(shown["undone"][0]["outcome"], "failed");
}
