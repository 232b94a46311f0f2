//! A plan from a seed, with every kind of node, and versions of it.
//!
//! What such a run comes to does not depend on the order of completion: a step fails for good only where
//! exactly one does (`racy` regions, whose other steps are not compared), or where failures are collected.

use catalog::{Type, Value};
use lang::plan::{
    Backoff, Breaker, Budget, CallPlan, Expr, FlowId, FolderAccess, FunctionId, Grant, NodeKind, Operator, Pattern, Plan, Rate,
    RegionId, RoleId, Slot, WaitPlan,
};

mod effects;
mod people;

use effects::undone_name;

use super::build::{NodePolicy, PlanBuilder, RegionDraft, call, child, count, number, numbers, remainder_is, slot, step, wait};

/// A step `…_p2` may start twice in so many milliseconds.
pub(super) const RATE_PER: u64 = 400;

/// Versions of the plan of a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As it is.
    Plain = 1,
    /// With a step at the end.
    Tailed,
    /// With a step at the beginning and one at the end.
    Framed,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Tailed, Self::Framed];

    /// The steps that not all versions have.
    #[must_use]
    pub const fn extra(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &[],
            Self::Tailed => &["racytail"],
            Self::Framed => &["racyhead", "racytail"],
        }
    }
}

/// The plan of a seed. It has about so many steps: which branches are taken is not known here.
#[must_use]
pub fn plan(seed: u64, steps: u64, shape: Shape) -> Plan {
    let mut builder = PlanBuilder::default();
    let functions = ["alpha", "beta", "gamma"].map(|name| builder.function(name, Type::U64)).to_vec();
    let mut random = fastrand::Rng::with_seed(seed);
    let prioritized = random.bool();
    let role = builder.role("reviewer", Type::U64);
    let escalates = escalates(seed);
    let mut generator =
        Generator { builder, functions, role, random, prioritized, escalates, names: 0, steps: 0, weight: 1, fate: Fate::Kept };
    let mut draft = RegionDraft::new(2);
    if shape == Shape::Framed {
        draft.add("racyhead", step(FunctionId::from_u32(1), vec![number(1)]));
        generator.short_block(&mut draft);
    }
    let mut slots = vec![Slot(0)];
    while generator.steps < steps {
        let made = generator.form(&mut draft, &slots, 0);
        slots.push(made);
    }
    generator.ending(&mut draft, &slots, shape);
    let region = generator.builder.region(draft, Expr::List(Type::U64, slots.into_iter().map(slot).collect()));
    let entry = generator.builder.flow("main", &["n", "m"], region);
    if generator.random.u32(..3) == 0
        && let Some(flow) = generator.builder.flow_mut(entry)
    {
        flow.parallel = Some(count(generator.random.u32(2..12)));
        flow.deadline = Some(wait(1_000_000_000));
    }
    let hooked = generator.random.u32(..5) == 0;
    let hooks = if hooked { people::hooks(&mut generator.builder) } else { Vec::new() };
    let mut plan = generator.builder.finish(entry);
    plan.hooks = hooks;
    plan
}

/// Every second run has a recovery table, which escalates.
pub(super) const fn escalates(seed: u64) -> bool {
    seed.is_multiple_of(2)
}

struct Generator {
    builder: PlanBuilder,
    functions: Vec<FunctionId>,
    role: RoleId,
    random: fastrand::Rng,
    /// Whether some steps have a priority.
    prioritized: bool,
    /// Whether a step may fail that nothing takes: a human is asked about it.
    escalates: bool,
    names: u32,
    steps: u64,
    /// How often what is generated now runs.
    weight: u64,
    /// Whether what is generated now is in a region that does not come to its end, or in a compensation.
    fate: Fate,
}

/// What becomes of the steps that are generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// They stay done as long as the run does.
    Kept,
    /// Their region fails or is cancelled.
    Lost,
    /// They take something back themselves.
    Final,
}

impl Generator {
    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    fn any(&mut self, slots: &[Slot]) -> Slot {
        // Mostly of late, so that chains grow long.
        let from = if self.random.bool() { slots.len().saturating_sub(4) } else { 0 };
        slots.get(self.random.usize(from..slots.len().max(from + 1))).copied().unwrap_or(Slot(0))
    }

    /// A pure step.
    fn step(&mut self, args: Vec<Expr>) -> NodeKind {
        self.steps += self.weight;
        let function = self.random.choice(&self.functions).copied().unwrap_or_else(|| FunctionId::from_u32(0));
        step(function, args)
    }

    /// A step of any kind, with retries that are enough.
    fn any_step(&mut self, draft: &mut RegionDraft, args: Vec<Expr>, after: &[Slot]) -> Slot {
        self.steps += self.weight;
        let function = self.random.choice(&self.functions).copied().unwrap_or_else(|| FunctionId::from_u32(0));
        let mut plan: CallPlan = call(function, args);
        let mut name = self.name("s");
        match self.random.u32(..20) {
            0..=2 => {
                plan.grants = vec![Grant::Http("api.example.com".into())];
                name.push_str("_e");
            }
            3 => {
                plan.grants = vec![Grant::Http("*.example.com".into()), Grant::Clock];
                plan.idempotent = true;
                name.push_str("_i");
            }
            4 => {
                plan.grants = vec![Grant::Env("HOME".into())];
                name.push_str("_o");
            }
            5 => {
                plan.grants =
                    vec![Grant::Env("SECRET".into()), Grant::Folder(FolderAccess::Read, Expr::Const(Value::Dir("/no".into())))];
                name.push_str("denied_o");
            }
            6 => effects::send(&mut plan, &mut name),
            _ => {}
        }
        self.rules(&mut plan, &mut name);
        let retries = if self.random.bool() { self.random.u32(1..4) } else { 0 };
        if retries > 0 {
            plan.retry = Some(count(retries));
            plan.backoff = match self.random.u32(..3) {
                0 => Backoff::None,
                1 => Backoff::Constant(wait(self.random.u64(..30))),
                _ => Backoff::Exponential { first: wait(8), max: if self.random.bool() { Some(wait(20)) } else { None } },
            };
            name.push_str(&format!("_r{retries}"));
        }
        let deadline = if self.random.u32(..8) == 0 { Some(wait(1_000_000_000)) } else { None };
        let undo = if self.fate != Fate::Final && self.random.u32(..5) == 0 { Some(self.undo(draft, false)) } else { None };
        if undo.is_some() {
            name = undone_name(self.fate, &name);
        }
        draft.node(&name, NodeKind::Call(Box::new(plan)), after, NodePolicy { deadline, undo, ..NodePolicy::default() })
    }

    /// Rules that change the order of steps and nothing else; the name tells the simulator what to look at.
    fn rules(&mut self, plan: &mut CallPlan, name: &mut String) {
        if self.prioritized && self.random.bool() {
            plan.rules.priority = Some(Expr::Const(Value::S32(self.random.i32(-2..3))));
        }
        if self.random.u32(..8) == 0 {
            let key = self.random.u32(..3);
            plan.rules.key = Some(Expr::Const(Value::string(format!("k{key}").as_str())));
            name.push_str(&format!("_k{key}"));
        }
        // Steps with effects may wait for room after they were let through.
        if plan.grants.is_empty() && self.random.u32(..8) == 0 {
            let count = self.random.u32(1..4);
            plan.rules.rate = Some(Rate { count, per: RATE_PER * 1_000_000 });
            name.push_str(&format!("_p{count}"));
        }
        if self.random.u32(..8) == 0 {
            plan.rules.breaker = Some(Breaker { failures: 1_000_000, within: 1_000_000, cooldown: 1 });
        }
    }

    /// Adds something that gives a `u64`.
    fn form(&mut self, draft: &mut RegionDraft, slots: &[Slot], depth: u32) -> Slot {
        let (a, b) = (self.any(slots), self.any(slots));
        let deep = depth < 3 && self.weight < 24;
        match self.random.u32(..if deep { 36 } else { 7 }) {
            0..=3 => self.any_step(draft, vec![slot(a)], &[]),
            4..=5 => {
                let after = [self.any(slots)];
                self.any_step(draft, vec![slot(a), slot(b)], &after)
            }
            6 => {
                let name = self.name("value");
                let sum = Expr::Binary(Operator::Add, Box::new(slot(a)), Box::new(slot(b)));
                draft.add(&name, NodeKind::Value(remainder(sum)))
            }
            7..=8 => self.condition(draft, a, b, depth),
            9 => self.choice(draft, a, b, depth),
            10..=12 => self.map(draft, a, depth),
            13 => self.collecting_map(draft, a),
            14 => self.fold(draft, a, depth),
            15..=16 => self.tree(draft, a),
            17 => self.repeat(draft, a, depth),
            18 => self.block(draft, a, b, depth),
            19 => self.call_flow(draft, a, b, depth),
            20 => self.racy(draft, a),
            22 => self.nap(draft, a),
            23 => self.echo(draft, a, depth),
            24 | 25 => self.post(draft, a, depth),
            26 => self.fused(draft, a),
            27..=28 => self.race(draft, a, b),
            29..=30 => self.saga(draft, a),
            31 => self.recursion(draft, a),
            32 => self.question(draft, a),
            33..=34 => self.planned(draft, a),
            35 => self.escalated(draft, a),
            _ => self.attempt(draft, a, b, depth),
        }
    }

    /// A region of `u64`s that gives one of them.
    fn region(&mut self, inputs: u32, depth: u32) -> RegionId {
        let mut draft = RegionDraft::new(inputs);
        let mut slots: Vec<Slot> = (0..inputs).map(Slot).collect();
        for _ in 0..self.random.u32(1..4) {
            let made = self.form(&mut draft, &slots, depth + 1);
            slots.push(made);
        }
        let last = slots.last().copied().unwrap_or(Slot(0));
        self.builder.region(draft, slot(last))
    }

    /// A region that runs so many times.
    fn repeated(&mut self, times: u64, inputs: u32, depth: u32) -> RegionId {
        let before = self.weight;
        self.weight *= times;
        let region = self.region(inputs, depth);
        self.weight = before;
        region
    }

    fn condition(&mut self, draft: &mut RegionDraft, a: Slot, b: Slot, depth: u32) -> Slot {
        let before = self.steps;
        let (then, otherwise) = (self.region(2, depth), self.region(2, depth));
        self.steps = before + (self.steps - before) / 3;
        let condition = remainder_is(slot(a), 2, 0);
        let name = self.name("if");
        draft.add(&name, NodeKind::If { condition, then: child(then, &[a, b]), otherwise: Some(child(otherwise, &[b, a])) })
    }

    fn choice(&mut self, draft: &mut RegionDraft, a: Slot, b: Slot, depth: u32) -> Slot {
        let before = self.steps;
        let (some, none) = (self.region(2, depth), self.region(1, depth));
        self.steps = before + (self.steps - before) / 3;
        let subject = Expr::If(
            Box::new(remainder_is(slot(a), 3, 0)),
            Box::new(Expr::Some(Box::new(slot(a)))),
            Box::new(Expr::Const(Value::none())),
        );
        let guard = remainder_is(Expr::Local(0), 2, 0);
        let arms = vec![
            lang::plan::Arm { pattern: Pattern::Some(Box::new(Pattern::Bind)), guard: Some(guard), body: child(some, &[b]) },
            lang::plan::Arm { pattern: Pattern::Any, guard: None, body: child(none, &[b]) },
        ];
        let name = self.name("match");
        draft.add(&name, NodeKind::Match { subject, arms })
    }

    fn items(&mut self) -> (u64, Expr) {
        let length = self.random.u64(2..8);
        (length, numbers((0..length).map(|_| self.random.u64(..1000))))
    }

    /// A step over a list, so that the order of its items counts.
    fn join(&mut self, draft: &mut RegionDraft, list: Slot) -> Slot {
        let kind = self.step(vec![slot(list)]);
        let name = self.name("s");
        draft.add(&name, kind)
    }

    fn map(&mut self, draft: &mut RegionDraft, a: Slot, depth: u32) -> Slot {
        let (length, list) = self.items();
        let body = self.repeated(length, 2, depth);
        let parallel = if self.random.bool() { Some(count(self.random.u32(1..5))) } else { None };
        let policy = NodePolicy { parallel, ty: Type::list(Type::U64), ..NodePolicy::default() };
        let name = self.name("map");
        let mapped = draft.node(&name, NodeKind::Map { list, body: child(body, &[a]), collect: false }, &[], policy);
        self.join(draft, mapped)
    }

    fn collecting_map(&mut self, draft: &mut RegionDraft, a: Slot) -> Slot {
        let (length, list) = self.items();
        let mut inner = RegionDraft::new(2);
        self.weight *= length;
        let kind = self.step(vec![slot(Slot(0)), slot(Slot(1))]);
        self.weight /= length;
        let name = self.name("c");
        let made = inner.add(&name, kind);
        let body = self.builder.region(inner, slot(made));
        let name = self.name("collect");
        let policy = NodePolicy { ty: Type::list(Type::Result(Some(Type::U64.into()), None)), ..NodePolicy::default() };
        let mapped = draft.node(&name, NodeKind::Map { list, body: child(body, &[a]), collect: true }, &[], policy);
        self.join(draft, mapped)
    }

    fn fold(&mut self, draft: &mut RegionDraft, a: Slot, depth: u32) -> Slot {
        let (length, list) = self.items();
        let body = self.repeated(length, 3, depth);
        let name = self.name("fold");
        draft.add(&name, NodeKind::Fold { init: slot(a), list, body: child(body, &[a]) })
    }

    fn tree(&mut self, draft: &mut RegionDraft, a: Slot) -> Slot {
        let (length, list) = self.items();
        let mut inner = RegionDraft::new(3);
        let before = self.weight;
        self.weight *= length;
        let joined = self.any_step(&mut inner, vec![slot(Slot(0)), slot(Slot(1)), slot(Slot(2))], &[]);
        self.weight = before;
        let body = self.builder.region(inner, slot(joined));
        let name = self.name("tree");
        let parallel = if self.random.bool() { Some(count(self.random.u32(1..4))) } else { None };
        draft.node(&name, NodeKind::Tree { list, body: child(body, &[a]) }, &[], NodePolicy { parallel, ..NodePolicy::default() })
    }

    fn repeat(&mut self, draft: &mut RegionDraft, a: Slot, depth: u32) -> Slot {
        let mut test = RegionDraft::new(2);
        self.weight *= 2;
        let kind = self.step(vec![slot(Slot(0))]);
        self.weight /= 2;
        let name = self.name("s");
        let tested = test.add(&name, kind);
        let until = self.builder.region(test, remainder_is(slot(tested), 4, 0));
        let body = self.repeated(2, 2, depth);
        let exhausted = if self.random.bool() { Some(child(self.region(2, depth), &[a])) } else { None };
        let name = self.name("loop");
        let (until, body, max) = (child(until, &[a]), child(body, &[a]), count(self.random.u32(1..5)));
        draft.add(&name, NodeKind::Loop { init: slot(a), until, body, max, exhausted })
    }

    fn block(&mut self, draft: &mut RegionDraft, a: Slot, b: Slot, depth: u32) -> Slot {
        let body = self.region(2, depth);
        let name = self.name("block");
        let parallel = Some(count(self.random.u32(1..4)));
        let deadline = if self.random.bool() { Some(wait(1_000_000_000)) } else { None };
        draft.node(
            &name,
            NodeKind::Block { body: child(body, &[a, b]) },
            &[],
            NodePolicy { parallel, deadline, ..NodePolicy::default() },
        )
    }

    /// A flow that may return early. What runs beside the `return` may or may not come to its end.
    fn call_flow(&mut self, draft: &mut RegionDraft, a: Slot, b: Slot, depth: u32) -> Slot {
        let returns = self.random.bool();
        let flow = if returns { self.returning_flow() } else { self.plain_flow(depth) };
        let name = self.name(if returns { "racyflow" } else { "flow" });
        draft.add(&name, NodeKind::Flow { flow, args: vec![slot(a), slot(b)] })
    }

    fn plain_flow(&mut self, depth: u32) -> FlowId {
        let body = self.region(2, depth);
        let name = self.name("sub");
        self.builder.flow(&name, &["a", "b"], body)
    }

    fn returning_flow(&mut self) -> FlowId {
        let mut body = RegionDraft::new(2);
        let first = self.any_step(&mut body, vec![slot(Slot(0))], &[]);
        for _ in 0..self.random.u32(1..4) {
            self.any_step(&mut body, vec![slot(Slot(1))], &[]);
        }
        let mut early = RegionDraft::new(1);
        early.add("return", NodeKind::Return(slot(Slot(0))));
        let early = self.builder.region(early, Expr::Const(Value::Unit));
        let condition = remainder_is(slot(first), 2, 0);
        let gate = body.add("gate", NodeKind::If { condition, then: child(early, &[first]), otherwise: None });
        let last = self.any_step(&mut body, vec![slot(first)], &[gate]);
        let body = self.builder.region(body, slot(last));
        let name = self.name("early");
        self.builder.flow(&name, &["a", "b"], body)
    }

    /// A body that fails in one way, among steps that do not, and what takes the failure.
    fn racy(&mut self, draft: &mut RegionDraft, a: Slot) -> Slot {
        let mut body = RegionDraft::new(1);
        let fate = std::mem::replace(&mut self.fate, Fate::Lost);
        for _ in 0..self.random.u32(1..5) {
            self.any_step(&mut body, vec![slot(Slot(0))], &[]);
        }
        match self.random.u32(..4) {
            0 => {
                let mut plan = call(FunctionId::from_u32(0), vec![slot(Slot(0))]);
                plan.retry = Some(count(self.random.u32(..3)));
                plan.rules.pauses = self.random.u32(..4) == 0;
                let name = self.name("x");
                body.add(&name, NodeKind::Call(Box::new(plan)));
            }
            1 => {
                let kind = self.step(vec![slot(Slot(0))]);
                let name = self.name("h");
                let policy = NodePolicy { deadline: Some(wait(self.random.u64(1..300))), ..NodePolicy::default() };
                body.node(&name, kind, &[], policy);
            }
            2 => self.bounded(&mut body),
            _ => {
                let mut inner = RegionDraft::new(1);
                let kind = self.step(vec![slot(Slot(0))]);
                inner.add("q", kind);
                let inner = self.builder.region(inner, slot(Slot(1)));
                let list = numbers([3, 2, 1, 0, 4, 5]);
                let policy = NodePolicy { ty: Type::list(Type::U64), ..NodePolicy::default() };
                body.node("some", NodeKind::Map { list, body: child(inner, &[]), collect: false }, &[], policy);
            }
        }
        self.fate = fate;
        let body = self.builder.region(body, number(1));
        let mut handler = RegionDraft::new(2);
        let kind = Expr::Field(Box::new(slot(Slot(0))), "kind".into());
        let handled = self.any_step(&mut handler, vec![kind, slot(Slot(1))], &[]);
        let handler = self.builder.region(handler, slot(handled));
        let name = self.name("racy");
        draft.add(&name, NodeKind::Try { body: child(body, &[a]), handler: child(handler, &[a]) })
    }

    /// A block whose budget is too small for the steps in it.
    fn bounded(&mut self, body: &mut RegionDraft) {
        let mut each = RegionDraft::new(1);
        let before = (self.steps, self.weight);
        self.weight *= 6;
        let made = self.any_step(&mut each, vec![slot(Slot(0))], &[]);
        (self.steps, self.weight) = before;
        let each = self.builder.region(each, slot(made));
        let mut inner = RegionDraft::new(0);
        let policy = NodePolicy { ty: Type::list(Type::U64), ..NodePolicy::default() };
        let parallel = if self.random.bool() { Some(count(self.random.u32(1..3))) } else { None };
        let kind = NodeKind::Map { list: numbers(0..6), body: child(each, &[]), collect: false };
        inner.node("all", kind, &[], NodePolicy { parallel, ..policy });
        let inner = self.builder.region(inner, number(1));
        let steps = self.random.u64(1..5);
        let budget = Budget { steps: Some(number(steps)), fuel: Some(number(1_000_000)), time: Some(wait(1_000_000_000)) };
        let policy = NodePolicy { budget, ..NodePolicy::default() };
        body.node(&format!("budget{steps}"), NodeKind::Block { body: child(inner, &[]) }, &[], policy);
    }

    /// A step that fails until its breaker opens and it is refused; what is done then does not depend on how it failed.
    fn fused(&mut self, draft: &mut RegionDraft, a: Slot) -> Slot {
        let mut body = RegionDraft::new(1);
        let mut plan = call(FunctionId::from_u32(0), vec![slot(Slot(0))]);
        let failures = self.random.u32(1..4);
        plan.retry = Some(count(3));
        plan.rules.breaker = Some(Breaker { failures, within: 1_000_000_000, cooldown: self.random.u64(1..50) * 1_000_000 });
        let name = self.name("x");
        body.add(&name, NodeKind::Call(Box::new(plan)));
        let body = self.builder.region(body, number(1));
        let handler = self.builder.region(RegionDraft::new(2), slot(Slot(1)));
        let name = self.name("racyfuse");
        draft.add(&name, NodeKind::Try { body: child(body, &[a]), handler: child(handler, &[a]) })
    }

    /// A try that does not fail.
    fn attempt(&mut self, draft: &mut RegionDraft, a: Slot, b: Slot, depth: u32) -> Slot {
        // What a `try` takes is not escalated.
        let escalates = std::mem::replace(&mut self.escalates, false);
        let (body, handler) = (self.region(2, depth), self.builder.region(RegionDraft::new(1), number(0)));
        self.escalates = escalates;
        let name = self.name("try");
        draft.add(&name, NodeKind::Try { body: child(body, &[a, b]), handler: child(handler, &[]) })
    }

    /// A `wait` between two steps: the second must not begin too early.
    fn nap(&mut self, draft: &mut RegionDraft, a: Slot) -> Slot {
        self.names += 1;
        let (number, time) = (self.names, self.random.u64(1..60));
        let kind = self.step(vec![slot(a)]);
        let slept = draft.add(&format!("slept{number}"), kind);
        let policy = NodePolicy { ty: Type::Unit, ..NodePolicy::default() };
        let nap = draft.node(&format!("nap{number}"), NodeKind::Wait(WaitPlan::Time(wait(time))), &[slept], policy);
        let kind = self.step(vec![slot(slept)]);
        draft.node(&format!("woken{number}_{time}"), kind, &[nap], NodePolicy::default())
    }

    /// Sends a message and, where it is the only one on its topic, waits for it.
    fn echo(&mut self, draft: &mut RegionDraft, a: Slot, depth: u32) -> Slot {
        let topic = Expr::Const(Value::string(self.name("echo.")));
        let name = self.name("emit");
        let policy = || NodePolicy { ty: Type::Unit, ..NodePolicy::default() };
        let sent = draft.node(&name, NodeKind::Emit { topic: topic.clone(), value: slot(a) }, &[], policy());
        if depth > 0 {
            return a;
        }
        let name = self.name("heard");
        draft.node(&name, NodeKind::Wait(WaitPlan::Message { topic, ty: Type::U64 }), &[sent], NodePolicy::default())
    }

    /// Waits twice for a signal or message of one name, which comes with another value each time.
    fn post(&mut self, draft: &mut RegionDraft, a: Slot, depth: u32) -> Slot {
        if depth > 0 {
            return self.nap(draft, a);
        }
        let name = self.name("mail");
        let signal = self.random.bool();
        let mut before = a;
        for turn in ["a", "b"] {
            let wait = if signal {
                WaitPlan::Signal { name: name.as_str().into(), ty: Type::U64 }
            } else {
                WaitPlan::Message { topic: Expr::Const(Value::string(name.as_str())), ty: Type::U64 }
            };
            let got = draft.node(&format!("{name}{turn}"), NodeKind::Wait(wait), &[before], NodePolicy::default());
            let kind = self.step(vec![slot(got), slot(before)]);
            let step = self.name("s");
            before = draft.add(&step, kind);
        }
        before
    }

    /// A gate at the end that sometimes does not hold.
    fn ending(&mut self, draft: &mut RegionDraft, slots: &[Slot], shape: Shape) {
        let last = slots.last().copied().unwrap_or(Slot(0));
        let of_input = step(FunctionId::from_u32(0), vec![slot(Slot(1))]);
        let mut before = vec![draft.node("racylate", of_input, &[last], NodePolicy::default())];
        before.extend(slots);
        if shape != Shape::Plain {
            let tail = step(FunctionId::from_u32(2), vec![slot(last)]);
            before.push(draft.node("racytail", tail, &[last], NodePolicy::default()));
        }
        let condition = Expr::Not(Box::new(remainder_is(slot(last), 7, 0)));
        let message = Expr::Const(Value::string("seven divides it"));
        draft.node("gate", NodeKind::Require { condition, message, details: None }, &before, NodePolicy::default());
    }
}

fn remainder(value: Expr) -> Expr {
    Expr::Binary(Operator::Rem, Box::new(value), Box::new(number(1000)))
}
