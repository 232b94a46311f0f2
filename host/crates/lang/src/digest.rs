//! The content digest of a plan.
//!
//! It covers all that decides how a run goes: components, types, nodes with their names (they are in
//! paths), order, expressions and policies. Places in the source, documentation, file paths and what
//! types are called do not count. Each part is written with a tag and its length, so that no two
//! different plans give the same bytes.

mod types;

use catalog::{Digest, Name, Type, Value};
use cranelift_entity::EntityRef;
use sha2::{Digest as _, Sha256};

use crate::lower::walk;
use crate::plan::{
    Backoff, Breaker, Budget, CallPlan, Child, Class, Expr, FlowPlan, FolderAccess, FunctionRef, Grant, HookPhase, HookPlan,
    HookTarget, MailUse, Node, NodeKind, Pattern, Plan, Rate, RoleRef, Rules, SEMANTICS_VERSION, Target, WaitPlan,
};
use types::Types;

/// Raised when the bytes that are digested change, so that old digests are not mistaken for new ones.
const FORMAT: u64 = 1;

/// Stands where a flag would, before what plans of the first version do not have.
const LATER: u8 = 2;

/// The digest of a plan.
pub(crate) fn of(plan: &Plan) -> Digest {
    let mut writer = Writer { sink: Sha256::new(), types: Types::default() };
    writer.plan(plan);
    Digest(writer.sink.finalize().into())
}

struct Writer {
    sink: Sha256,
    types: Types,
}

impl Writer {
    fn tag(&mut self, tag: u8) {
        self.sink.update([tag]);
    }

    fn number(&mut self, number: u64) {
        self.sink.update(number.to_le_bytes());
    }

    fn id(&mut self, id: impl EntityRef) {
        self.number(id.index() as u64);
    }

    fn flag(&mut self, flag: bool) {
        self.tag(u8::from(flag));
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.sink.update(text.as_bytes());
    }

    fn option<T>(&mut self, option: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(option.is_some());
        if let Some(value) = option {
            write(self, value);
        }
    }

    fn all<T>(&mut self, items: impl ExactSizeIterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        self.number(items.len() as u64);
        for item in items {
            write(self, item);
        }
    }

    fn ty(&mut self, ty: &Type) {
        let digest = self.types.digest(ty);
        self.sink.update(digest);
    }

    fn plan(&mut self, plan: &Plan) {
        self.number(FORMAT);
        self.number(u64::from(SEMANTICS_VERSION));
        self.id(plan.entry);
        self.all(plan.components.values(), |w, component| w.sink.update(component.digest.0));
        self.all(plan.functions.values(), Self::function);
        // A plan without roles has the digest that it had before there were any.
        if !plan.roles.is_empty() {
            self.all(plan.roles.values(), Self::role);
        }
        if !plan.plans.is_empty() {
            self.number(u64::MAX);
            self.all(plan.plans.values(), |w, of| w.named_types(&of.params));
        }
        self.all(plan.flows.values(), Self::flow);
        self.number(plan.regions.len() as u64);
        for region in plan.regions.values() {
            self.number(u64::from(region.inputs));
            self.number(u64::from(region.nodes.end));
            self.expr(&region.result);
        }
        self.number(plan.nodes.len() as u64);
        for node in plan.nodes.values() {
            self.node(plan, node);
        }
        self.all(plan.classes.iter(), Self::class);
        // Without hooks nothing is written, so that the digests of such plans stay what they were.
        for hook in &plan.hooks {
            self.hook(hook);
        }
    }

    fn hook(&mut self, hook: &HookPlan) {
        self.text("hook");
        self.flag(hook.phase == HookPhase::Before);
        self.number(hook.event as u64);
        match &hook.target {
            HookTarget::All => self.tag(0),
            HookTarget::Component(component) => {
                self.tag(1);
                self.id(*component);
            }
            HookTarget::Function(function) => {
                self.tag(2);
                self.id(*function);
            }
            HookTarget::Topic(topic) => {
                self.tag(3);
                self.text(topic);
            }
            HookTarget::Flow(flow) => {
                self.tag(4);
                self.text(flow);
            }
            HookTarget::Step(step) => {
                self.tag(5);
                self.text(step);
            }
        }
        let call = NodeKind::Call(Box::new(hook.call.clone()));
        self.kind(&call);
        walk::node_exprs(&call, [], &mut |expr| self.expr(expr));
        self.all(hook.inputs.iter(), |w, input| w.number(*input as u64));
        self.number(hook.verdict as u64);
    }

    fn function(&mut self, function: &FunctionRef) {
        self.id(function.component);
        self.option(function.interface.as_deref(), Self::text);
        self.text(&function.wit_name);
        self.all(function.params.iter(), |w, (name, ty)| {
            w.text(name);
            w.ty(ty);
        });
        self.ty(&function.result);
        self.ty(&function.output);
    }

    fn role(&mut self, role: &RoleRef) {
        self.text(&role.name);
        self.named_types(&role.params);
        self.ty(&role.result);
    }

    fn named_types(&mut self, params: &[(Name, Type)]) {
        self.all(params.iter(), |w, (name, ty)| {
            w.text(name);
            w.ty(ty);
        });
    }

    fn flow(&mut self, flow: &FlowPlan) {
        self.text(&flow.name);
        self.all(flow.params.iter(), |w, param| {
            w.text(&param.name);
            w.ty(&param.ty);
            w.option(param.default.as_ref(), Self::expr);
            w.option(param.access, Self::access);
        });
        self.ty(&flow.result);
        self.id(flow.body);
        // No option begins like this.
        if let Some(bound) = flow.recursion {
            self.tag(2);
            self.number(u64::from(bound));
        }
        self.budget(&flow.budget);
        self.option(flow.deadline.as_ref(), Self::expr);
        self.option(flow.parallel.as_ref(), Self::expr);
    }

    fn class(&mut self, class: &Class) {
        self.text(&class.name);
        self.option(class.parallel, |w, parallel| w.number(u64::from(parallel)));
        self.option(class.memory, Self::number);
        self.option(class.fuel, Self::number);
        self.option(class.timeout, Self::number);
    }

    fn access(&mut self, access: FolderAccess) {
        self.tag(match access {
            FolderAccess::Read => 0,
            FolderAccess::ReadWrite => 1,
        });
    }

    fn node(&mut self, plan: &Plan, node: &Node) {
        self.text(&node.name);
        self.ty(&node.ty);
        let range = node.successors.start as usize..node.successors.end as usize;
        self.all(plan.successors.get(range).unwrap_or(&[]).iter(), |w, later| w.id(*later));
        self.budget(&node.budget);
        self.option(node.deadline.as_ref(), Self::expr);
        self.option(node.parallel.as_ref(), Self::expr);
        // No kind has such a tag, so that a node without a compensation is written as before there were any.
        if let Some(undo) = &node.undo {
            self.tag(if undo.always { 129 } else { 128 });
        }
        self.kind(&node.kind);
        let mut children: Vec<&Child> = Vec::new();
        children.extend(node.kind.children());
        children.extend(node.undo.iter().map(|undo| &undo.child));
        self.all(children.into_iter(), |w, child| {
            w.id(child.region);
            w.all(child.captures.iter(), |w, slot| w.number(u64::from(slot.0)));
        });
        walk::node_exprs(&node.kind, [], &mut |expr| self.expr(expr));
    }

    /// What a node is, without its children and expressions.
    fn kind(&mut self, kind: &NodeKind) {
        match kind {
            NodeKind::Call(call) => {
                self.tag(match call.target {
                    Target::Function(_) => 1,
                    Target::Role(_) => 24,
                    Target::Plan(_) => 25,
                });
                self.call(call);
            }
            NodeKind::Flow { flow, args } => {
                self.tag(2);
                self.id(*flow);
                self.number(args.len() as u64);
            }
            NodeKind::Value(_) => self.tag(3),
            NodeKind::If { otherwise, .. } => {
                self.tag(4);
                self.flag(otherwise.is_some());
            }
            NodeKind::Match { arms, .. } => {
                self.tag(5);
                self.all(arms.iter(), |w, arm| {
                    w.pattern(&arm.pattern);
                    w.flag(arm.guard.is_some());
                });
            }
            NodeKind::Map { collect, .. } => {
                self.tag(6);
                self.flag(*collect);
            }
            NodeKind::Fold { .. } => self.tag(7),
            NodeKind::Tree { .. } => self.tag(8),
            NodeKind::Loop { exhausted, .. } => {
                self.tag(9);
                self.flag(exhausted.is_some());
            }
            NodeKind::Try { .. } => self.tag(10),
            NodeKind::Block { .. } => self.tag(11),
            NodeKind::Require { details: None, .. } => self.tag(12),
            NodeKind::Require { details: Some(_), .. } => self.tag(64),
            NodeKind::Return(_) => self.tag(13),
            NodeKind::Race { wanted, .. } => {
                self.tag(24);
                self.flag(wanted.is_some());
            }
            NodeKind::Wait(wait) => self.wait(wait),
            NodeKind::Emit { .. } => self.tag(23),
        }
    }

    fn wait(&mut self, wait: &WaitPlan) {
        match wait {
            WaitPlan::Time(_) => self.tag(20),
            WaitPlan::Signal { name, ty } => {
                self.tagged(21, name);
                self.ty(ty);
            }
            WaitPlan::Message { ty, .. } => {
                self.tag(22);
                self.ty(ty);
            }
        }
    }

    fn call(&mut self, call: &CallPlan) {
        match call.target {
            Target::Function(function) => self.id(function),
            Target::Role(role) => self.id(role),
            Target::Plan(plan) => self.id(plan),
        }
        self.number(call.args.len() as u64);
        self.all(call.grants.iter(), Self::grant);
        self.rules(&call.rules);
        self.flag(call.idempotent);
        for own in [&call.retry, &call.timeout, &call.memory, &call.fuel] {
            self.flag(own.is_some());
        }
        self.tag(match &call.backoff {
            Backoff::None => 0,
            Backoff::Constant(_) => 1,
            Backoff::Exponential { max: None, .. } => 2,
            Backoff::Exponential { max: Some(_), .. } => 3,
        });
        self.option(call.class.as_deref(), Self::text);
    }

    /// Written only where there is one, with a tag that no flag has: plans without it keep the digests that they had before.
    fn budget(&mut self, budget: &Budget) {
        if !budget.is_empty() {
            self.tag(LATER);
            for expr in budget.exprs() {
                self.option(expr.as_ref(), Self::expr);
            }
        }
    }

    /// Likewise.
    fn rules(&mut self, rules: &Rules) {
        if rules.is_empty() {
            return;
        }
        let Rules { priority, key, rate, breaker, cache, pauses, artifact, fails: _ } = rules;
        self.tag(LATER);
        self.flag(priority.is_some());
        self.flag(key.is_some());
        self.option(rate.as_ref(), |w, Rate { count, per }| {
            w.number(u64::from(*count));
            w.number(*per);
        });
        self.option(breaker.as_ref(), |w, Breaker { failures, within, cooldown }| {
            [u64::from(*failures), *within, *cooldown].into_iter().for_each(|part| w.number(part));
        });
        self.option(cache.as_ref(), |w, cache| w.flag(cache.ttl.is_some()));
        self.flag(*pauses);
        if artifact.is_some() {
            self.tag(LATER);
        }
    }

    fn grant(&mut self, grant: &Grant) {
        match grant {
            Grant::Folder(access, _) => {
                self.tag(0);
                self.access(*access);
            }
            Grant::Http(host) => self.tagged(1, host),
            Grant::Env(name) => self.tagged(2, name),
            Grant::Clock => self.tag(3),
            Grant::Random => self.tag(4),
            Grant::Mail(MailUse::Send, topic) => self.tagged(5, topic),
            Grant::Mail(MailUse::Ask, role) => self.tagged(6, role),
            Grant::Mail(MailUse::Receive, topic) => self.tagged(7, topic),
        }
    }

    fn tagged(&mut self, tag: u8, text: &str) {
        self.tag(tag);
        self.text(text);
    }

    /// A form by its tag, what is not an expression in it, and its parts.
    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Const(value) => {
                self.tag(1);
                self.value(value);
            }
            Expr::Slot(slot) => self.indexed(2, slot.0),
            Expr::Local(local) => self.indexed(3, *local),
            Expr::Field(_, name) => self.tagged(4, name),
            Expr::TupleField(_, index) => self.indexed(5, *index),
            Expr::Index(..) => self.tag(6),
            Expr::Not(_) => self.tag(7),
            Expr::Neg(_) => self.tag(8),
            Expr::Binary(operator, ..) => self.indexed(9, *operator as u32),
            Expr::And(..) => self.tag(10),
            Expr::Or(..) => self.tag(11),
            Expr::Coalesce(..) => self.tag(12),
            Expr::If(..) => self.tag(13),
            Expr::Match(_, arms) => {
                self.tag(14);
                self.all(arms.iter(), |w, (pattern, guard, _)| {
                    w.pattern(pattern);
                    w.flag(guard.is_some());
                });
            }
            Expr::List(ty, items) => {
                self.tag(15);
                self.ty(ty);
                self.number(items.len() as u64);
            }
            Expr::Tuple(items) => self.indexed(16, items.len() as u32),
            Expr::Record(fields) => {
                self.tag(17);
                self.all(fields.iter(), |w, (name, _)| w.text(name));
            }
            Expr::Variant(name, payload) => {
                self.tagged(18, name);
                self.flag(payload.is_some());
            }
            Expr::Some(_) => self.tag(19),
            Expr::Ok(payload) => self.indexed(20, u32::from(payload.is_some())),
            Expr::Err(payload) => self.indexed(21, u32::from(payload.is_some())),
            Expr::Text(parts) => self.indexed(22, parts.len() as u32),
            Expr::Convert(_, ty) => {
                self.tag(23);
                self.ty(ty);
            }
            Expr::Comprehension { condition, ty, .. } => {
                self.tag(24);
                self.flag(condition.is_some());
                self.ty(ty);
            }
            Expr::SortBy(..) => self.tag(25),
            Expr::Library(function, args) => {
                self.indexed(26, *function as u32);
                self.number(args.len() as u64);
            }
        }
        walk::parts(expr, &mut |part| self.expr(part));
    }

    fn indexed(&mut self, tag: u8, index: u32) {
        self.tag(tag);
        self.number(u64::from(index));
    }

    fn pattern(&mut self, pattern: &Pattern) {
        match pattern {
            Pattern::Any => self.tag(1),
            Pattern::Bind => self.tag(2),
            Pattern::Literal(value) => {
                self.tag(3);
                self.value(value);
            }
            Pattern::Variant(name, inner) => {
                self.tagged(4, name);
                self.option(inner.as_deref(), Self::pattern);
            }
            Pattern::Enum(name) => self.tagged(5, name),
            Pattern::None => self.tag(6),
            Pattern::Some(inner) => {
                self.tag(7);
                self.pattern(inner);
            }
            Pattern::Ok(inner) => {
                self.tag(8);
                self.option(inner.as_deref(), Self::pattern);
            }
            Pattern::Err(inner) => {
                self.tag(9);
                self.option(inner.as_deref(), Self::pattern);
            }
            Pattern::Tuple(members) => {
                self.tag(10);
                self.all(members.iter(), Self::pattern);
            }
            Pattern::Record(fields) => {
                self.tag(11);
                self.all(fields.iter(), |w, (name, field)| {
                    w.text(name);
                    w.pattern(field);
                });
            }
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Bool(value) => self.scalar(1, u64::from(*value)),
            Value::S8(value) => self.scalar(2, i64::from(*value).cast_unsigned()),
            Value::S16(value) => self.scalar(3, i64::from(*value).cast_unsigned()),
            Value::S32(value) => self.scalar(4, i64::from(*value).cast_unsigned()),
            Value::S64(value) => self.scalar(5, value.cast_unsigned()),
            Value::U8(value) => self.scalar(6, u64::from(*value)),
            Value::U16(value) => self.scalar(7, u64::from(*value)),
            Value::U32(value) => self.scalar(8, u64::from(*value)),
            Value::U64(value) => self.scalar(9, *value),
            Value::F32(value) => self.scalar(10, u64::from(value.to_bits())),
            Value::F64(value) => self.scalar(11, value.to_bits()),
            Value::Char(value) => self.scalar(12, u64::from(u32::from(*value))),
            Value::String(text) => self.tagged(13, text),
            Value::Bytes(bytes) => {
                self.scalar(14, bytes.len() as u64);
                self.sink.update(bytes);
            }
            Value::List(items) => self.values(15, items),
            Value::Tuple(items) => self.values(16, items),
            Value::Record(fields) => {
                self.tag(17);
                self.all(fields.iter(), |w, (name, value)| {
                    w.text(name);
                    w.value(value);
                });
            }
            Value::Variant(name, payload) => {
                self.tagged(18, name);
                self.option(payload.as_deref(), Self::value);
            }
            Value::Enum(name) => self.tagged(19, name),
            Value::Flags(names) => {
                self.tag(20);
                self.all(names.iter(), |w, name: &Name| w.text(name));
            }
            Value::Option(some) => {
                self.tag(21);
                self.option(some.as_deref(), Self::value);
            }
            Value::Result(result) => {
                let (tag, payload) = match result {
                    Ok(payload) => (22, payload),
                    Err(payload) => (23, payload),
                };
                self.tag(tag);
                self.option(payload.as_deref(), Self::value);
            }
            Value::Json(document) => self.tagged(24, &document.to_string()),
            Value::Dir(path) => self.tagged(25, path),
            Value::Duration(nanoseconds) => self.scalar(26, *nanoseconds),
            Value::Unit => self.tag(27),
            Value::Held(held) => self.value(&held.open()),
        }
    }

    fn scalar(&mut self, tag: u8, bits: u64) {
        self.tag(tag);
        self.number(bits);
    }

    fn values(&mut self, tag: u8, values: &[Value]) {
        self.tag(tag);
        self.all(values.iter(), Self::value);
    }
}
