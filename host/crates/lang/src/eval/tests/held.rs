//! Values that are held elsewhere: an expression gives the same with them, and fails in the same way.

use std::sync::Arc;

use catalog::Value;

use crate::plan::Expr;

/// The value, held elsewhere; the items of a list each for themselves.
pub(super) fn held(value: &Value) -> Value {
    match value {
        Value::List(items) => Value::list(items.iter().map(held)),
        _ => testkit::fake::held(value.clone()),
    }
}

/// The same expression with constants that are held elsewhere.
pub(super) fn over_held(expr: &Expr) -> Expr {
    let mut expr = expr.clone();
    hold(&mut expr);
    expr
}

fn hold(expr: &mut Expr) {
    match expr {
        Expr::Const(value) => *value = held(value),
        Expr::Slot(_) | Expr::Local(_) => {}
        Expr::Field(x, _) | Expr::TupleField(x, _) | Expr::Not(x) | Expr::Neg(x) | Expr::Some(x) | Expr::Convert(x, _) => hold(x),
        Expr::Index(a, b)
        | Expr::Binary(_, a, b)
        | Expr::And(a, b)
        | Expr::Or(a, b)
        | Expr::Coalesce(a, b)
        | Expr::SortBy(a, b) => {
            hold(a);
            hold(b);
        }
        Expr::If(a, b, c) => [a, b, c].into_iter().for_each(|x| hold(x)),
        Expr::Match(subject, arms) => {
            hold(subject);
            for (_, guard, value) in arms {
                guard.iter_mut().for_each(hold);
                hold(value);
            }
        }
        Expr::List(_, items) | Expr::Tuple(items) | Expr::Text(items) | Expr::Library(_, items) => {
            items.iter_mut().for_each(hold)
        }
        Expr::Record(fields) => fields.iter_mut().for_each(|(_, value)| hold(value)),
        Expr::Variant(_, payload) | Expr::Ok(payload) | Expr::Err(payload) => payload.iter_mut().for_each(|x| hold(x)),
        Expr::Comprehension { list, condition, element, .. } => {
            hold(list);
            condition.iter_mut().for_each(|x| hold(x));
            hold(element);
        }
    }
}

#[test]
fn a_held_value_stands_for_what_it_holds() {
    let text = Value::string("x".repeat(300));
    let list = Value::list([text.clone(), Value::some(text.clone()), Value::Json(Arc::new(serde_json::json!({ "a": 1 })))]);
    let record = Value::record([("list", list.clone()), ("n", Value::U8(1))]);
    let away = Value::record([("list", held(&list)), ("n", Value::U8(1))]);
    assert!(away.has_held() && !record.has_held());
    assert_eq!((away.size(), away.clone()), (record.size(), record.clone()));
    assert_eq!(format!("{away:?}"), format!("{record:?}"));
    assert_eq!(catalog::json::to_json(&away), catalog::json::to_json(&record));
    let (mut one, mut other) = (String::new(), String::new());
    catalog::json::write_json(&away, &mut one);
    catalog::json::write_json(&record, &mut other);
    assert_eq!(one, other);
    let whole = away.whole();
    assert!(!whole.has_held());
    assert_eq!(whole, record);
    assert_ne!(held(&text), held(&Value::string("y")));
}
