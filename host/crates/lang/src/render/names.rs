//! Words for what is in a plan.

use catalog::{Type, Value};
use cranelift_entity::SecondaryMap;

use super::critical::successors;
use crate::lower::invariants::bound_by;
use crate::plan::{
    Backoff, Breaker, Budget, Cache, CallPlan, Child, Expr, FolderAccess, Grant, LibraryFunction, Node, NodeId, NodeKind,
    Operator, PLAN_SOURCE, Pattern, Plan, Rate, RegionId, Rules, Slot, Target, WaitPlan,
};
use crate::policy;
use crate::quote::quoted;

/// Expressions longer than this are cut.
const MOST_CHARS: usize = 60;

/// What the slots of a region's frame are called.
pub(super) type Frame = Vec<String>;

/// The child regions of a node, each with its role and the names of its parameters.
pub(super) fn children(node: &Node) -> Vec<(&Child, String, Vec<String>)> {
    let mut children = own_children(&node.kind);
    children.extend(node.undo.iter().map(|undo| {
        let (role, params) = if undo.always { ("undo always", Vec::new()) } else { ("undo", vec!["result".to_owned()]) };
        (&undo.child, role.to_owned(), params)
    }));
    children
}

fn own_children(kind: &NodeKind) -> Vec<(&Child, String, Vec<String>)> {
    let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    match kind {
        NodeKind::If { then, otherwise, .. } => {
            let otherwise = otherwise.iter().map(|child| (child, "else".to_owned(), Vec::new()));
            std::iter::once((then, "then".to_owned(), Vec::new())).chain(otherwise).collect()
        }
        NodeKind::Match { arms, .. } => {
            let arms = arms.iter().enumerate();
            let bound = |pattern: &Pattern| (1..=bound_by(pattern)).map(|n| format!("_{n}")).collect();
            arms.map(|(index, arm)| (&arm.body, format!("arm {}", index + 1), bound(&arm.pattern))).collect()
        }
        NodeKind::Map { body, .. } => vec![(body, "each".to_owned(), own(&["item"]))],
        NodeKind::Fold { body, .. } => vec![(body, "each".to_owned(), own(&["acc", "item"]))],
        NodeKind::Tree { body, .. } => vec![(body, "pair".to_owned(), own(&["left", "right"]))],
        NodeKind::Loop { until, body, exhausted, .. } => {
            let exhausted = exhausted.iter().map(|child| (child, "exhausted".to_owned(), own(&["value"])));
            let fixed = [(until, "until".to_owned(), own(&["value"])), (body, "each".to_owned(), own(&["value"]))];
            fixed.into_iter().chain(exhausted).collect()
        }
        NodeKind::Try { body, handler } => {
            vec![(body, "try".to_owned(), Vec::new()), (handler, "catch".to_owned(), own(&["failure"]))]
        }
        NodeKind::Race { arms, .. } => {
            arms.iter().enumerate().map(|(index, arm)| (arm, format!("arm [{index}]"), Vec::new())).collect()
        }
        NodeKind::Block { body } => vec![(body, "body".to_owned(), Vec::new())],
        NodeKind::Call(_) | NodeKind::Flow { .. } | NodeKind::Value(_) | NodeKind::Require { .. } | NodeKind::Return(_) => {
            Vec::new()
        }
        NodeKind::Wait(_) | NodeKind::Emit { .. } => Vec::new(),
    }
}

/// The path of a child of the node at `path`.
pub(super) fn path(path: &str, role: &str) -> String {
    match role {
        "each" | "pair" | "until" => format!("{path}[]"),
        "undo" | "undo always" => format!("{path}.undo"),
        _ => match role.strip_prefix("arm [") {
            Some(index) => format!("{path}[{index}"),
            None => path.to_owned(),
        },
    }
}

/// The frame of a region from the names of its inputs.
pub(super) fn frame(plan: &Plan, region: RegionId, inputs: Vec<String>) -> Frame {
    let nodes = plan.nodes_of(region).map(|(node, _)| plan.nodes[node].name.to_string());
    inputs.into_iter().chain(nodes).collect()
}

/// The names of a child's inputs.
pub(super) fn inputs(child: &Child, params: Vec<String>, around: &Frame) -> Vec<String> {
    let captured = child.captures.iter().map(|slot| slot_name(*slot, around));
    params.into_iter().chain(captured).collect()
}

fn slot_name(slot: Slot, frame: &Frame) -> String {
    frame.get(slot.0 as usize).cloned().unwrap_or_else(|| format!("slot{}", slot.0))
}

/// What kind of node it is, as a user would say.
pub(super) fn kind(plan: &Plan, node: &Node) -> String {
    match &node.kind {
        NodeKind::Call(call) => {
            let name = match call.target {
                Target::Function(function) => plan.functions.get(function).map(|function| format!("step {}", function.wit_name)),
                Target::Role(role) => plan.roles.get(role).map(|role| format!("ask {}", role.name)),
                Target::Plan(_) => Some(PLAN_SOURCE.to_owned()),
            };
            name.unwrap_or_else(|| "step".to_owned())
        }
        NodeKind::Flow { flow, .. } => {
            plan.flows.get(*flow).map_or_else(|| "flow".to_owned(), |flow| format!("flow {}", flow.name))
        }
        other => word(other).to_owned(),
    }
}

/// The word for a kind of node.
pub(super) const fn word(kind: &NodeKind) -> &'static str {
    match kind {
        NodeKind::Call(_) => "step",
        NodeKind::Flow { .. } => "flow",
        NodeKind::Value(_) => "value",
        NodeKind::If { .. } => "if",
        NodeKind::Match { .. } => "match",
        NodeKind::Map { collect: false, .. } => "map",
        NodeKind::Map { collect: true, .. } => "map collect",
        NodeKind::Fold { .. } => "fold",
        NodeKind::Tree { .. } => "tree",
        NodeKind::Loop { .. } => "loop",
        NodeKind::Try { .. } => "try",
        NodeKind::Race { wanted: None, .. } => "race",
        NodeKind::Race { wanted: Some(_), .. } => "any",
        NodeKind::Block { .. } => "block",
        NodeKind::Require { .. } => "require",
        NodeKind::Return(_) => "return",
        NodeKind::Wait(WaitPlan::Time(_)) => "wait",
        NodeKind::Wait(WaitPlan::Signal { .. }) => "wait signal",
        NodeKind::Wait(WaitPlan::Message { .. }) => "wait message",
        NodeKind::Emit { .. } => "emit",
    }
}

/// What a wait or an `emit` is about, and how many arms of an `any` are wanted.
pub(super) fn about(kind: &NodeKind, frame: &Frame) -> Option<String> {
    Some(match kind {
        NodeKind::Wait(WaitPlan::Time(time)) => expr(time, frame),
        NodeKind::Wait(WaitPlan::Signal { name, ty: Type::Unit }) => name.to_string(),
        NodeKind::Wait(WaitPlan::Signal { name, ty }) => format!("{name}: {ty}"),
        NodeKind::Wait(WaitPlan::Message { topic, ty: Type::Unit }) => expr(topic, frame),
        NodeKind::Wait(WaitPlan::Message { topic, ty }) => format!("{}: {ty}", expr(topic, frame)),
        NodeKind::Race { wanted: Some(wanted), .. } => expr(wanted, frame),
        NodeKind::Emit { topic, value } => format!("{} {}", expr(topic, frame), expr(value, frame)),
        _ => return None,
    })
}

/// For each node those that it waits for.
pub(super) fn predecessors(plan: &Plan) -> SecondaryMap<NodeId, Vec<NodeId>> {
    let mut before: SecondaryMap<NodeId, Vec<NodeId>> = SecondaryMap::with_capacity(plan.nodes.len());
    for (id, node) in &plan.nodes {
        for later in successors(plan, node) {
            before[*later].push(id);
        }
    }
    before
}

/// What a step is granted, as it is written in an `allow`.
pub(super) fn grants(call: &CallPlan, frame: &Frame) -> Vec<String> {
    let show = |grant: &Grant| match grant {
        Grant::Folder(FolderAccess::Read, folder) => format!("read {}", expr(folder, frame)),
        Grant::Folder(FolderAccess::ReadWrite, folder) => format!("read_write {}", expr(folder, frame)),
        Grant::Http(host) => format!("http {}", quoted(host)),
        Grant::Env(name) => format!("env {}", quoted(name)),
        Grant::Clock => "clock".to_owned(),
        Grant::Random => "random".to_owned(),
        Grant::Mail(of, subject) => of.written(subject),
    };
    call.grants.iter().map(show).collect()
}

/// The policy of a node, as it is written in a `with`.
pub(super) fn policy(node: &Node, frame: &Frame) -> Vec<(&'static str, String)> {
    let mut policy = Vec::new();
    let mut limit = |key: &'static str, value: &Option<Expr>| {
        if let Some(value) = value {
            let text = match value {
                Expr::Const(Value::U64(bytes)) if key == "memory" => policy::size(*bytes),
                value => expr(value, frame),
            };
            policy.push((key, text));
        }
    };
    limit("deadline", &node.deadline);
    limit("parallel", &node.parallel);
    if let NodeKind::Call(call) = &node.kind {
        limit("retry", &call.retry);
        limit("timeout", &call.timeout);
        limit("memory", &call.memory);
        limit("fuel", &call.fuel);
        match &call.backoff {
            Backoff::None => {}
            Backoff::Constant(wait) => policy.push(("backoff", expr(wait, frame))),
            Backoff::Exponential { first, max: None } => policy.push(("backoff", format!("exponential({})", expr(first, frame)))),
            Backoff::Exponential { first, max: Some(max) } => {
                policy.push(("backoff", format!("exponential({}, max: {})", expr(first, frame), expr(max, frame))));
            }
        }
        policy.extend(call.class.as_ref().map(|class| ("class", class.to_string())));
        policy.extend(call.idempotent.then(|| ("idempotent", "true".to_owned())));
        policy.extend(rules(&call.rules, frame));
    }
    policy.extend(budget(&node.budget, frame).map(|budget| ("budget", budget)));
    policy
}

/// A budget, as it is written.
pub(super) fn budget(budget: &Budget, frame: &Frame) -> Option<String> {
    let parts = [("steps", &budget.steps), ("fuel", &budget.fuel), ("time", &budget.time)];
    let parts: Vec<String> =
        parts.into_iter().filter_map(|(key, value)| Some(format!("{key}: {}", expr(value.as_ref()?, frame)))).collect();
    (!parts.is_empty()).then(|| format!("{{ {} }}", parts.join(", ")))
}

fn rules<'r>(rules: &'r Rules, frame: &'r Frame) -> impl Iterator<Item = (&'static str, String)> {
    let time = policy::duration;
    let cache = |cache: &Cache| cache.ttl.as_ref().map_or_else(|| "true".to_owned(), |ttl| expr(ttl, frame));
    let words = [
        ("priority", rules.priority.as_ref().map(|priority| expr(priority, frame))),
        ("key", rules.key.as_ref().map(|key| expr(key, frame))),
        ("artifact", rules.artifact.as_ref().map(|name| expr(name, frame))),
        ("rate", rules.rate.map(|Rate { count, per }| format!("at_most({count}, per: {})", time(per)))),
        (
            "breaker",
            rules.breaker.map(|Breaker { failures, within, cooldown }| {
                format!("trip({failures}, within: {}, cooldown: {})", time(within), time(cooldown))
            }),
        ),
        ("cache", rules.cache.as_ref().map(cache)),
        ("on_exhausted", rules.pauses.then(|| "pause".to_owned()).or_else(|| rules.fails.then(|| "fail".to_owned()))),
    ];
    words.into_iter().filter_map(|(key, word)| Some((key, word?)))
}

/// An expression as it might be written, cut when it is long.
pub(super) fn expr(expr: &Expr, frame: &Frame) -> String {
    let mut writer = Writer { text: String::new(), frame };
    writer.expr(expr);
    let text = writer.text;
    match text.char_indices().nth(MOST_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(&text)),
        None => text,
    }
}

struct Writer<'f> {
    text: String,
    frame: &'f Frame,
}

impl Writer<'_> {
    /// Whether enough is written already.
    fn full(&self) -> bool {
        self.text.len() > 4 * MOST_CHARS
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn expr(&mut self, expr: &Expr) {
        if self.full() {
            return;
        }
        match expr {
            Expr::Const(value) => self.value(value),
            Expr::Slot(slot) => self.push(&slot_name(*slot, self.frame)),
            Expr::Local(local) => self.push(&format!("_{local}")),
            Expr::Field(base, name) => self.suffix(base, &format!(".{name}")),
            Expr::TupleField(base, index) => self.suffix(base, &format!(".{index}")),
            Expr::Index(base, index) => {
                self.expr(base);
                self.list("[", [&**index], "]");
            }
            Expr::Not(operand) => self.list("not ", [&**operand], ""),
            Expr::Neg(operand) => self.list("-", [&**operand], ""),
            Expr::Binary(operator, a, b) => self.infix(a, symbol(*operator), b),
            Expr::And(a, b) => self.infix(a, "and", b),
            Expr::Or(a, b) => self.infix(a, "or", b),
            Expr::Coalesce(a, b) => self.infix(a, "??", b),
            Expr::If(condition, then, otherwise) => {
                self.list("if ", [&**condition], " { ");
                self.expr(then);
                self.list(" } else { ", [&**otherwise], " }");
            }
            Expr::Match(subject, arms) => {
                self.list("match ", [&**subject], " { ");
                self.list("", arms.iter().map(|(_, _, value)| value), " }");
            }
            Expr::List(_, items) => self.list("[", items, "]"),
            Expr::Tuple(items) => self.list("(", items, ")"),
            Expr::Record(fields) => {
                self.push("{ ");
                for (index, (name, value)) in fields.iter().enumerate() {
                    self.push(if index > 0 { ", " } else { "" });
                    self.push(name);
                    self.list(": ", [value], "");
                }
                self.push(" }");
            }
            Expr::Variant(name, payload) => self.case(name, payload.as_deref()),
            Expr::Some(value) => self.case("some", Some(value)),
            Expr::Ok(payload) => self.case("ok", payload.as_deref()),
            Expr::Err(payload) => self.case("err", payload.as_deref()),
            Expr::Text(parts) => self.list("text(", parts, ")"),
            Expr::Convert(value, ty) => {
                self.expr(value);
                self.push(&format!(" as {ty}"));
            }
            Expr::Comprehension { list, condition, element, .. } => {
                self.list("[", [&**element], " for … in ");
                self.expr(list);
                if let Some(condition) = condition {
                    self.list(" if ", [&**condition], "");
                }
                self.push("]");
            }
            Expr::SortBy(list, key) => self.list("sort_by(", [&**list, key], ")"),
            Expr::Library(function, args) => {
                self.push(library(*function));
                self.list("(", args, ")");
            }
        }
    }

    fn suffix(&mut self, base: &Expr, suffix: &str) {
        self.expr(base);
        self.push(suffix);
    }

    fn infix(&mut self, a: &Expr, symbol: &str, b: &Expr) {
        self.expr(a);
        self.push(" ");
        self.push(symbol);
        self.push(" ");
        self.expr(b);
    }

    fn list<'e>(&mut self, open: &str, items: impl IntoIterator<Item = &'e Expr>, close: &str) {
        self.push(open);
        for (index, item) in items.into_iter().enumerate() {
            if self.full() {
                return;
            }
            self.push(if index > 0 { ", " } else { "" });
            self.expr(item);
        }
        self.push(close);
    }

    fn case(&mut self, name: &str, payload: Option<&Expr>) {
        self.push(name);
        if let Some(payload) = payload {
            self.list("(", [payload], ")");
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Bool(value) => self.push(&value.to_string()),
            Value::S8(value) => self.push(&value.to_string()),
            Value::S16(value) => self.push(&value.to_string()),
            Value::S32(value) => self.push(&value.to_string()),
            Value::S64(value) => self.push(&value.to_string()),
            Value::U8(value) => self.push(&value.to_string()),
            Value::U16(value) => self.push(&value.to_string()),
            Value::U32(value) => self.push(&value.to_string()),
            Value::U64(value) => self.push(&value.to_string()),
            Value::F32(value) => self.push(&value.to_string()),
            Value::F64(value) => self.push(&value.to_string()),
            Value::Char(value) => self.push(&format!("{value:?}")),
            Value::String(text) => {
                let start: String = text.chars().take(MOST_CHARS).collect();
                self.push(&quoted(&start));
            }
            Value::Duration(nanoseconds) => self.push(&policy::duration(*nanoseconds)),
            Value::Enum(name) => self.push(name),
            Value::Option(None) => self.push("none"),
            Value::Unit => self.push("nothing"),
            Value::List(items) if items.is_empty() => self.push("[]"),
            _ => self.push("…"),
        }
    }
}

const fn symbol(operator: Operator) -> &'static str {
    match operator {
        Operator::Eq => "==",
        Operator::Ne => "!=",
        Operator::Lt => "<",
        Operator::Le => "<=",
        Operator::Gt => ">",
        Operator::Ge => ">=",
        Operator::Add => "+",
        Operator::Sub => "-",
        Operator::Mul => "*",
        Operator::Div => "/",
        Operator::Rem => "%",
    }
}

const fn library(function: LibraryFunction) -> &'static str {
    match function {
        LibraryFunction::Len => "len",
        LibraryFunction::Keys => "keys",
        LibraryFunction::Join => "join",
        LibraryFunction::Split => "split",
        LibraryFunction::Contains => "contains",
        LibraryFunction::Min => "min",
        LibraryFunction::Max => "max",
        LibraryFunction::Sum => "sum",
        LibraryFunction::Zip => "zip",
        LibraryFunction::Range => "range",
        LibraryFunction::Json => "json",
        LibraryFunction::String => "string",
        LibraryFunction::Lower => "lower",
        LibraryFunction::Upper => "upper",
        LibraryFunction::Trim => "trim",
        LibraryFunction::Take => "take",
        LibraryFunction::Concat => "concat",
        LibraryFunction::Reverse => "reverse",
        LibraryFunction::ToF64 => "f64",
        LibraryFunction::StartsWith => "starts_with",
        LibraryFunction::EndsWith => "ends_with",
    }
}
