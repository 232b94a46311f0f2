//! What competes, what is taken back, and what calls itself.
//!
//! The name of a step with a compensation says what is to become of it: `u7` is taken back when the run does not
//! succeed, `ulost7` always, because its region fails or is cancelled.

use catalog::Type;
use lang::plan::{CallPlan, Child, Expr, Grant, MailUse, NodeKind, Operator, RegionId, Slot, UndoPlan};

use super::{Fate, Generator};
use crate::simulator::build::{NodePolicy, RegionDraft, child, count, number, remainder_is, slot, wait};

/// The name of a step with a compensation.
pub(super) fn undone_name(fate: Fate, name: &str) -> String {
    let rest = name.strip_prefix('s').unwrap_or(name);
    if fate == Fate::Lost { format!("ulost{rest}") } else { format!("u{rest}") }
}

/// Has a step send messages.
pub(super) fn send(call: &mut CallPlan, name: &mut String) {
    call.grants = vec![Grant::Mail(MailUse::Send, "out.>".into())];
    name.push_str("_m");
}

impl Generator {
    /// A compensation of one step, which now and then fails where nothing depends on it.
    pub(super) fn undo(&mut self, draft: &RegionDraft, always: bool) -> UndoPlan {
        let lost = self.fate == Fate::Lost;
        let fate = std::mem::replace(&mut self.fate, Fate::Final);
        let captures: Vec<Slot> = if draft.inputs() > 0 { vec![Slot(0)] } else { Vec::new() };
        let params = u32::from(!always);
        let mut body = RegionDraft::new(params + u32::try_from(captures.len()).unwrap_or(0));
        let args = (0..body.inputs()).map(|input| slot(Slot(input))).collect();
        if lost && self.random.u32(..6) == 0 {
            let kind = self.step(args);
            let name = self.name("x");
            body.add(&name, kind);
        } else {
            self.any_step(&mut body, args, &[]);
        }
        self.fate = fate;
        UndoPlan { child: Child { region: self.builder.region(body, number(0)), captures }, always }
    }

    /// A step that certainly has a compensation.
    fn undone(&mut self, draft: &mut RegionDraft, after: &[Slot]) -> Slot {
        let undo = Some(self.undo(draft, false));
        let mut kind = self.step(vec![slot(Slot(0))]);
        let mut name = self.name("s");
        if let NodeKind::Call(call) = &mut kind
            && self.random.u32(..3) == 0
        {
            send(call, &mut name);
        }
        draft.node(&undone_name(self.fate, &name), kind, after, NodePolicy { undo, ..NodePolicy::default() })
    }

    /// Arms of which just as many succeed as are wanted; the others fail or never end.
    pub(super) fn race(&mut self, draft: &mut RegionDraft, a: Slot, b: Slot) -> Slot {
        let arms = self.random.u32(2..5);
        let wanted = self.random.u32(1..=arms);
        let winners = self.random.u32(..2) == 0 || wanted > 1;
        let mut order: Vec<bool> = (0..arms).map(|arm| arm < wanted).collect();
        self.random.shuffle(&mut order);
        let arms = order.into_iter().map(|wins| child(self.arm(wins), &[a, b])).collect();
        let name = self.name("racy");
        let (wanted, ty) = if winners { (Some(count(wanted)), Type::list(Type::U64)) } else { (None, Type::U64) };
        let raced = draft.node(&name, NodeKind::Race { arms, wanted }, &[], NodePolicy { ty, ..NodePolicy::default() });
        let kind = self.step(vec![slot(raced)]);
        let past = self.name("s");
        draft.add(&format!("{past}past{name}"), kind)
    }

    fn arm(&mut self, wins: bool) -> RegionId {
        let mut arm = RegionDraft::new(2);
        let fate = self.fate;
        if !wins {
            self.fate = Fate::Lost;
        }
        let mut last = Slot(0);
        for _ in 0..self.random.u32(1..4) {
            last =
                if self.random.bool() { self.undone(&mut arm, &[last]) } else { self.any_step(&mut arm, vec![slot(last)], &[]) };
        }
        self.fate = fate;
        if !wins {
            let kind = self.step(vec![slot(last)]);
            let hangs = self.random.bool();
            let name = self.name(if hangs { "h" } else { "x" });
            // One that hangs may hold the only place that a winner needs.
            let deadline = hangs.then(|| wait(self.random.u64(100..2000)));
            arm.node(&name, kind, &[], NodePolicy { deadline, ..NodePolicy::default() });
        }
        self.builder.region(arm, slot(last))
    }

    /// Steps with compensations, in regions of their own as well, then one that fails, and what takes the failure.
    pub(super) fn saga(&mut self, draft: &mut RegionDraft, a: Slot) -> Slot {
        let fate = std::mem::replace(&mut self.fate, Fate::Lost);
        let mut body = RegionDraft::new(1);
        let mut done = vec![Slot(0)];
        for _ in 0..self.random.u32(1..5) {
            let made = if self.random.u32(..3) == 0 {
                let mut inner = RegionDraft::new(1);
                let (one, two) = (self.undone(&mut inner, &[]), self.undone(&mut inner, &[]));
                let sum = Expr::Binary(Operator::Add, Box::new(slot(one)), Box::new(slot(two)));
                let inner = self.builder.region(inner, sum);
                let name = self.name("block");
                body.add(&name, NodeKind::Block { body: child(inner, &[Slot(0)]) })
            } else {
                self.undone(&mut body, &[])
            };
            done.push(made);
        }
        let kind = self.step(vec![slot(Slot(0))]);
        let (name, policy) = if self.random.bool() {
            let undo = Some(self.undo(&body, true));
            ("xulostalways", NodePolicy { undo, ..NodePolicy::default() })
        } else {
            ("x", NodePolicy { deadline: Some(wait(1_000_000_000)), ..NodePolicy::default() })
        };
        let name = self.name(name);
        body.node(&name, kind, &done, policy);
        self.fate = fate;
        let body = self.builder.region(body, number(1));
        let mut handler = RegionDraft::new(2);
        let kind = Expr::Field(Box::new(slot(Slot(0))), "kind".into());
        let handled = self.any_step(&mut handler, vec![kind, slot(Slot(1))], &[]);
        let handler = self.builder.region(handler, slot(handled));
        let name = self.name("racy");
        draft.add(&name, NodeKind::Try { body: child(body, &[a]), handler: child(handler, &[a]) })
    }

    /// A flow that calls itself, now and then more often than its bound allows.
    pub(super) fn recursion(&mut self, draft: &mut RegionDraft, a: Slot) -> Slot {
        let (depth, bound) = (self.random.u32(1..6), self.random.u32(3..7));
        let fails = depth >= bound;
        let fate = if fails { std::mem::replace(&mut self.fate, Fate::Lost) } else { self.fate };
        self.weight *= u64::from(depth);
        let mut body = RegionDraft::new(2);
        let first = self.any_step(&mut body, vec![slot(Slot(0)), slot(Slot(1))], &[]);
        let mut again = RegionDraft::new(2);
        let less = Expr::Binary(Operator::Sub, Box::new(slot(Slot(1))), Box::new(number(1)));
        let flow = self.builder.next_flow();
        let called = again.add("again", NodeKind::Flow { flow, args: vec![slot(Slot(0)), less] });
        let again = self.builder.region(again, slot(called));
        let stop = self.builder.region(RegionDraft::new(1), slot(Slot(0)));
        let condition = Expr::Not(Box::new(remainder_is(slot(Slot(1)), 1000, 0)));
        let (then, otherwise) = (child(again, &[first, Slot(1)]), Some(child(stop, &[first])));
        let deeper = body.add("deeper", NodeKind::If { condition, then, otherwise });
        let body = self.builder.region(body, slot(deeper));
        self.weight /= u64::from(depth);
        self.fate = fate;
        let name = self.name("self");
        let flow = self.builder.flow(&name, &["a", "b"], body);
        if let Some(flow) = self.builder.flow_mut(flow) {
            flow.recursion = Some(bound);
        }
        let call = |a: Slot| NodeKind::Flow { flow, args: vec![slot(a), number(u64::from(depth))] };
        if !fails {
            let name = self.name("recursion");
            return draft.add(&name, call(a));
        }
        let mut tried = RegionDraft::new(1);
        let called = tried.add("called", call(Slot(0)));
        let tried = self.builder.region(tried, slot(called));
        let handler = self.builder.region(RegionDraft::new(1), number(7));
        let name = self.name("racy");
        draft.add(&name, NodeKind::Try { body: child(tried, &[a]), handler: child(handler, &[]) })
    }
}
