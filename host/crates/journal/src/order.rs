//! The stored form of orders: a verb and a JSON object.

use engine::event::{Amounts, Change, Decision, Payload, Settings, TaskId, Version};
use engine::ports::Order;
use serde_json::{Value, json};

use crate::wire::parse_digest;

/// An order's verb and its fields.
pub(crate) fn encode(order: &Order) -> (&'static str, String) {
    let (verb, fields) = match order {
        Order::Pause { reason } => ("pause", json!({ "reason": reason })),
        Order::Resume => ("resume", json!({})),
        Order::Cancel { reason, gently } => ("cancel", json!({ "reason": reason, "gently": gently })),
        Order::Advance { steps } => ("advance", json!({ "steps": steps })),
        Order::Decide { task, migrations, decision } => match decision {
            Decision::Retry(limits) => {
                let Amounts { timeout, memory, fuel } = limits;
                ("retry", json!({ "task": task.0, "migrations": migrations, "timeout": timeout, "memory": memory, "fuel": fuel }))
            }
            Decision::Supply(payload) => {
                ("supply", json!({ "task": task.0, "migrations": migrations, "output": payload.json() }))
            }
            Decision::Fail(message) => ("fail", json!({ "task": task.0, "migrations": migrations, "message": message })),
        },
        Order::Migrate(Version { plan, program }) => {
            ("migrate", json!({ "plan": plan.to_string(), "program": program.to_string() }))
        }
        Order::Change(changes) => ("change", json!({ "changes": changes.iter().map(stored).collect::<Vec<Value>>() })),
    };
    (verb, fields.to_string())
}

fn stored(change: &Change) -> Value {
    match change {
        Change::Policy { path, settings } => {
            let Settings { retry, backoff, timeout, deadline, priority, class, memory, fuel } = settings;
            json!({
                "what": "policy", "path": &**path, "retry": retry, "backoff": backoff, "timeout": timeout, "deadline": deadline,
                "priority": priority, "class": class.as_deref(), "memory": memory, "fuel": fuel,
            })
        }
        Change::Result { path, output } => json!({ "what": "result", "path": &**path, "output": output.json() }),
        Change::Input { name, value } => json!({ "what": "input", "name": name, "value": value.json() }),
    }
}

/// The order back; none when it cannot be read.
pub(crate) fn decode(verb: &str, fields: &str) -> Option<Order> {
    let fields: Value = serde_json::from_str(fields).ok()?;
    let text = |name: &str| fields.get(name)?.as_str().map(str::to_owned);
    let decide = |decision| {
        let migrations = fields.get("migrations").and_then(Value::as_u64);
        Some(Order::Decide { task: TaskId(fields.get("task")?.as_u64()?), migrations, decision })
    };
    match verb {
        "pause" => Some(Order::Pause { reason: text("reason")? }),
        "resume" => Some(Order::Resume),
        "cancel" => Some(Order::Cancel { reason: text("reason")?, gently: fields.get("gently")?.as_bool()? }),
        "advance" => Some(Order::Advance { steps: u32::try_from(fields.get("steps")?.as_u64()?).ok()? }),
        "retry" => {
            let amount = |name: &str| fields.get(name).and_then(Value::as_u64);
            decide(Decision::Retry(Amounts { timeout: amount("timeout"), memory: amount("memory"), fuel: amount("fuel") }))
        }
        "supply" => decide(Decision::Supply(Payload::Text(text("output")?.into()))),
        "fail" => decide(Decision::Fail(text("message")?)),
        "migrate" => {
            Some(Order::Migrate(Version { plan: parse_digest(&text("plan")?)?, program: parse_digest(&text("program")?)? }))
        }
        "change" => Some(Order::Change(fields.get("changes")?.as_array()?.iter().map(change).collect::<Option<_>>()?)),
        _ => None,
    }
}

fn change(fields: &Value) -> Option<Change> {
    let text = |name: &str| fields.get(name)?.as_str().map(str::to_owned);
    match fields.get("what")?.as_str()? {
        "policy" => Some(Change::Policy { path: text("path")?.into(), settings: settings(fields)? }),
        "result" => Some(Change::Result { path: text("path")?.into(), output: Payload::Text(text("output")?.into()) }),
        "input" => Some(Change::Input { name: text("name")?, value: Payload::Text(text("value")?.into()) }),
        _ => None,
    }
}

/// What is null is not said; what is neither null nor fits cannot be read.
fn settings(fields: &Value) -> Option<Settings> {
    let number = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => Some(None),
        Some(value) => value.as_u64().map(Some),
    };
    let priority = fields.get("priority").filter(|value| !value.is_null());
    let class = fields.get("class").filter(|value| !value.is_null());
    Some(Settings {
        retry: number("retry")?.map(u32::try_from).transpose().ok()?,
        backoff: number("backoff")?,
        timeout: number("timeout")?,
        deadline: number("deadline")?,
        priority: priority.map(|value| value.as_i64().and_then(|value| i32::try_from(value).ok()).ok_or(())).transpose().ok()?,
        class: class.map(|value| value.as_str().map(Into::into).ok_or(())).transpose().ok()?,
        memory: number("memory")?,
        fuel: number("fuel")?,
    })
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use catalog::Digest;
    use engine::event::{Amounts, Change, Decision, Payload, Settings, TaskId, Version};
    use engine::ports::Order;

    #[test]
    fn an_order_comes_back_as_it_was() {
        let decide = |decision| Order::Decide { task: TaskId(7), migrations: Some(2), decision };
        let all = Settings {
            retry: Some(u32::MAX),
            backoff: Some(0),
            timeout: Some(1),
            deadline: Some(u64::MAX),
            priority: Some(-3),
            class: Some("small".into()),
            memory: Some(2),
            fuel: Some(3),
        };
        for order in [
            Order::Pause { reason: "a \"break\"".into() },
            Order::Resume,
            Order::Cancel { reason: String::new(), gently: true },
            Order::Cancel { reason: "now".into(), gently: false },
            Order::Advance { steps: u32::MAX },
            decide(Decision::Retry(Amounts::default())),
            decide(Decision::Retry(Amounts { timeout: None, memory: Some(u64::MAX), fuel: Some(0) })),
            decide(Decision::Supply(Payload::Text("18446744073709551615".into()))),
            decide(Decision::Fail("no".into())),
            Order::Decide { task: TaskId(7), migrations: None, decision: Decision::Fail("no".into()) },
            Order::Migrate(Version { plan: Digest([1; 32]), program: Digest([0xf2; 32]) }),
            Order::Change(vec![
                Change::Policy { path: "main/a[0]".into(), settings: Settings::default() },
                Change::Policy { path: "main/a".into(), settings: all },
                Change::Result { path: "main/a".into(), output: Payload::Text("\"x\"".into()) },
                Change::Input { name: "n".into(), value: Payload::Text("1".into()) },
            ]),
        ] {
            let (verb, fields) = encode(&order);
            assert_eq!(decode(verb, &fields), Some(order));
        }
        for (verb, fields) in [("pause", "{}"), ("advance", "{\"steps\": -1}"), ("dance", "{}"), ("fail", "["), ("change", "{}")]
        {
            assert_eq!(decode(verb, fields), None, "{verb} {fields}");
        }
        for change in [r#"{"what": "policy", "path": "a", "retry": -1}"#, r#"{"what": "result", "path": "a"}"#, "{}"] {
            assert_eq!(decode("change", &format!(r#"{{"changes": [{change}]}}"#)), None, "{change}");
        }
    }
}
