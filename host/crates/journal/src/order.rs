//! The stored form of orders: a verb and a JSON object.

use engine::event::{Amounts, Decision, Payload, TaskId};
use engine::ports::Order;
use serde_json::{Value, json};

/// An order's verb and its fields.
pub(crate) fn encode(order: &Order) -> (&'static str, String) {
    let (verb, fields) = match order {
        Order::Pause { reason } => ("pause", json!({ "reason": reason })),
        Order::Resume => ("resume", json!({})),
        Order::Cancel { reason, gently } => ("cancel", json!({ "reason": reason, "gently": gently })),
        Order::Advance { steps } => ("advance", json!({ "steps": steps })),
        Order::Decide { task, decision } => match decision {
            Decision::Retry(limits) => {
                let Amounts { timeout, memory, fuel } = limits;
                ("retry", json!({ "task": task.0, "timeout": timeout, "memory": memory, "fuel": fuel }))
            }
            Decision::Supply(payload) => ("supply", json!({ "task": task.0, "output": payload.json() })),
            Decision::Fail(message) => ("fail", json!({ "task": task.0, "message": message })),
        },
    };
    (verb, fields.to_string())
}

/// The order back; none when it cannot be read.
pub(crate) fn decode(verb: &str, fields: &str) -> Option<Order> {
    let fields: Value = serde_json::from_str(fields).ok()?;
    let text = |name: &str| fields.get(name)?.as_str().map(str::to_owned);
    let decide = |decision| Some(Order::Decide { task: TaskId(fields.get("task")?.as_u64()?), decision });
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
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use engine::event::{Amounts, Decision, Payload, TaskId};
    use engine::ports::Order;

    #[test]
    fn an_order_comes_back_as_it_was() {
        let decide = |decision| Order::Decide { task: TaskId(7), decision };
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
        ] {
            let (verb, fields) = encode(&order);
            assert_eq!(decode(verb, &fields), Some(order));
        }
        for (verb, fields) in [("pause", "{}"), ("advance", "{\"steps\": -1}"), ("dance", "{}"), ("fail", "[")] {
            assert_eq!(decode(verb, fields), None, "{verb} {fields}");
        }
    }
}
