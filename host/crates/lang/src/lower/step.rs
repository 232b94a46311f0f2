//! Calls of functions and flows, with the policy that applies to them.

use catalog::{Name, Type, Value};
use grammar::Span;

use crate::graph::Facts;
use crate::ir::{self, GrantKind, Policy};
use crate::lower::flow::{FlowLowering, GrantKey, same_folder};
use crate::lower::form::Built;
use crate::lower::{diagnostics, facts};
use crate::plan::{
    Backoff, Budget, Cache, CallPlan, Effect, Expr, FlowId, FunctionId, Grant, LibraryFunction, NodeKind, Rules, Target,
};
use crate::policy::{self, StepPolicy};

/// Lines for people, which a component can write without any grant.
const LOG: &str = "flowhost:plugin/log";

/// What is written there goes to the log too; a function without a result may be called for nothing else.
const STREAMS: [&str; 2] = ["wasi:cli/stdout", "wasi:cli/stderr"];

/// How the interfaces begin that a component needs in order to use a grant.
const fn interface_of(grant: &GrantKind) -> &'static str {
    match grant {
        GrantKind::Folder(..) => "wasi:filesystem/",
        GrantKind::Http(_) => "wasi:http/",
        GrantKind::Env(_) => "wasi:cli/environment",
        GrantKind::Clock => "wasi:clocks/",
        GrantKind::Random => "wasi:random/",
        GrantKind::Mail(..) => "flowhost:plugin/mail",
    }
}

impl<'p> FlowLowering<'p, '_> {
    /// A call of a component's function, a question to a role, or a plan to be run; the policies from `own` on are its own.
    pub(crate) fn call(
        &mut self,
        target: Target,
        args: Vec<Expr>,
        through: &'p Policy,
        own: usize,
        written: (&Name, Span),
    ) -> Built {
        let origins = &self.origins;
        let mut policy = self.layers.step(own, through, &|a, b| same_folder(origins, a, b), self.report);
        if matches!(target, Target::Role(_)) {
            // What an agent may do is for its operator to say, and another one may answer next time.
            policy.grants.clear();
            policy.cache = None;
        }
        if matches!(target, Target::Plan(_)) {
            // What is a default for calls of components means nothing here: each run of a plan is a run of its own.
            (policy.class, policy.cache, policy.idempotent) = (None, None, false);
        }
        self.note_grants(&policy.grants, written.1);
        let call = CallPlan {
            name: written.0.clone(),
            target,
            args,
            grants: policy.grants.iter().map(|grant| self.grant(grant)).collect(),
            idempotent: policy.idempotent,
            retry: policy.retry.map(|retry| self.expr(retry, None)),
            backoff: self.backoff(policy.backoff),
            timeout: policy.timeout.map(|timeout| self.expr(timeout, None)),
            class: policy.class.cloned(),
            memory: self.least(policy.memory.iter().copied()),
            fuel: self.least(policy.fuel.iter().copied()),
            rules: self.rules(&policy),
        };
        if let Some(cache) = policy.cache
            && !call.cacheable()
        {
            let say = if call.moves_mail() { diagnostics::cache_mail } else { diagnostics::cache_effects };
            self.report.push(say(written.0, written.1, cache.span));
        }
        self.warn_of_retry(&call, &policy, written);
        match target {
            Target::Function(function) => {
                self.warn_of_grants(function, own, written.0);
                self.warn_of_idle(function, &call, written);
            }
            // An agent may have done something all the same, so that only what it says is lost.
            Target::Role(role) => {
                let answers = self.program.roles.get(role).is_some_and(|role| role.output != Type::Unit);
                if answers && self.idle.contains(&written.1) {
                    self.report.push(diagnostics::unused_answer(written.0, written.1));
                }
            }
            Target::Plan(_) => {}
        }
        let facts = Facts { effect: call.effect(), ..Facts::NONE };
        let deadline = self.least(policy.deadline.iter().copied());
        let name = written.0.clone();
        Built { kind: NodeKind::Call(Box::new(call)), name, facts, after: Vec::new(), deadline }
    }

    fn rules(&mut self, policy: &StepPolicy<'p>) -> Rules {
        Rules {
            priority: policy.priority.map(|priority| self.expr(priority, None)),
            key: policy.key.map(|key| self.expr(key, None)),
            rate: policy.rate,
            breaker: policy.breaker,
            cache: policy.cache.map(|cache| Cache { ttl: cache.ttl.as_ref().map(|ttl| self.expr(ttl, None)) }),
            pauses: policy.exhausted == Some(true),
            fails: policy.exhausted == Some(false),
            artifact: policy.artifact.map(|name| self.expr(name, None)),
        }
    }

    /// The budget of a structured node or flow with these policies of its own.
    pub(crate) fn budget(&mut self, policies: &[&'p Policy]) -> Budget {
        let of = |part: fn(&ir::Budget) -> Option<&ir::Expr>| policies.iter().filter_map(move |policy| part(&policy.budget));
        Budget {
            steps: self.least(of(|budget| budget.steps.as_ref())),
            fuel: self.least(of(|budget| budget.fuel.as_ref())),
            time: self.least(of(|budget| budget.time.as_ref())),
        }
    }

    fn warn_of_retry(&mut self, call: &CallPlan, policy: &StepPolicy<'_>, (name, at): (&Name, Span)) {
        let Some(retry) = policy.retry else { return };
        if policy::literal(retry) != Some(0) && !call.retryable() {
            self.report.push(diagnostics::retry_not_idempotent(name, at, retry.span));
        }
    }

    /// What the component of a function imports, where that is known.
    fn imports(&self, function: FunctionId) -> Option<&'p [String]> {
        let component = self.program.functions.get(function)?.component;
        self.program.imports.get(&component).map(Vec::as_slice)
    }

    /// Warns of grants on the step itself that its component imports nothing for.
    fn warn_of_grants(&mut self, function: FunctionId, own: usize, name: &Name) {
        let Some(imports) = self.imports(function) else { return };
        let own = self.layers.from(own);
        let grants = own.iter().filter_map(|policy| policy.allow.as_deref()).flatten();
        let unneeded = grants.filter_map(|grant| {
            let interface = interface_of(&grant.kind);
            let used = imports.iter().any(|import| import.starts_with(interface));
            let interface = interface.trim_end_matches('/');
            (!used).then(|| diagnostics::unneeded_grant(&self.layers.show(&grant.kind), name, interface, grant.span))
        });
        let found: Vec<_> = unneeded.collect();
        self.report.extend(found);
    }

    /// Warns of a folder that is passed to a step which may not open it.
    pub(crate) fn warn_of_folders(&mut self, function: FunctionId, args: &[ir::Expr], built: &Built, name: &Name) {
        let NodeKind::Call(call) = &built.kind else { return };
        let granted = call.grants.iter().any(|grant| matches!(grant, Grant::Folder(..)));
        let files = |import: &String| import.starts_with("wasi:filesystem/");
        let opens = self.imports(function).is_some_and(|imports| imports.iter().any(files));
        if let Some(folder) = args.iter().find(|arg| arg.ty == Type::Dir).filter(|_| opens && !granted) {
            self.report.push(diagnostics::ungranted_folder(name, folder.span));
        }
    }

    /// Warns of a step of which nothing comes. One that may fail is a check, and one that logs is read by people.
    fn warn_of_idle(&mut self, function: FunctionId, call: &CallPlan, (name, at): (&Name, Span)) {
        let called = self.program.functions.get(function);
        let fails = called.is_none_or(|function| matches!(function.result, Type::Result(..)));
        let silent = called.is_some_and(|function| function.output == Type::Unit);
        let speaks = |import: &String| import.starts_with(LOG) || (silent && STREAMS.iter().any(|name| import.starts_with(name)));
        let logs = self.imports(function).is_none_or(|imports| imports.iter().any(speaks));
        if call.grants.is_empty() && !fails && !logs && self.idle.contains(&at) {
            self.report.push(diagnostics::unused_step(name, at));
        }
    }

    fn grant(&mut self, grant: &GrantKind) -> Grant {
        match grant {
            GrantKind::Folder(access, Some(folder)) => Grant::Folder(*access, self.resolve(*folder)),
            // Only a `use` or `import` has a folder without a name, and these grant nothing.
            GrantKind::Folder(access, None) => Grant::Folder(*access, Expr::Const(Value::Unit)),
            GrantKind::Http(host) => Grant::Http(host.clone()),
            GrantKind::Env(name) => Grant::Env(name.clone()),
            GrantKind::Clock => Grant::Clock,
            GrantKind::Random => Grant::Random,
            GrantKind::Mail(of, subject) => Grant::Mail(*of, subject.clone()),
        }
    }

    fn backoff(&mut self, backoff: Option<&'p ir::Backoff>) -> Backoff {
        match backoff {
            None => Backoff::None,
            Some(ir::Backoff::Constant(wait)) => Backoff::Constant(self.expr(wait, None)),
            Some(ir::Backoff::Exponential(first, max)) => {
                Backoff::Exponential { first: self.expr(first, None), max: max.as_ref().map(|max| self.expr(max, None)) }
            }
        }
    }

    /// The least of several limits: of the literal ones now, of computed ones when the node runs.
    pub(crate) fn least<'e>(&mut self, limits: impl Iterator<Item = &'e ir::Expr>) -> Option<Expr>
    where
        'e: 'p,
        'p: 'e,
    {
        let mut least: Option<(u64, Value)> = None;
        let mut computed = Vec::new();
        for limit in limits {
            match self.expr(limit, None) {
                Expr::Const(value) => {
                    let amount = policy::amount(&value).unwrap_or(u64::MAX);
                    if least.as_ref().is_none_or(|(before, _)| amount < *before) {
                        least = Some((amount, value));
                    }
                }
                expr => computed.push(expr),
            }
        }
        let literal = least.map(|(_, value)| Expr::Const(value));
        literal.into_iter().chain(computed).reduce(|a, b| Expr::Library(LibraryFunction::Min, vec![a, b]))
    }

    fn note_grants(&mut self, grants: &[GrantKind], at: Span) {
        for grant in grants {
            let key = match grant {
                GrantKind::Folder(access, folder) => {
                    let params = folder.map(|folder| self.origins[folder].clone()).unwrap_or_default();
                    for param in params {
                        self.note_grant(GrantKey::Folder(*access, param), at);
                    }
                    continue;
                }
                GrantKind::Http(host) => GrantKey::Http(host.clone()),
                GrantKind::Env(name) => GrantKey::Env(name.clone()),
                GrantKind::Clock => GrantKey::Clock,
                GrantKind::Random => GrantKey::Random,
                GrantKind::Mail(of, subject) => GrantKey::Mail(*of, subject.clone()),
            };
            self.note_grant(key, at);
        }
    }

    fn note_grant(&mut self, key: GrantKey, at: Span) {
        if let GrantKey::Folder(access, param) = key
            && let Some(widest) = self.summary.access.get_mut(param as usize)
        {
            *widest = (*widest).max(Some(access));
        }
        self.summary.grants.entry(key).or_insert(at);
    }

    /// A call of a flow.
    pub(crate) fn flow_call(&mut self, flow: FlowId, args: Vec<Expr>, written: &'p [ir::Expr], at: Span) -> Built {
        let callee = &self.summaries[flow];
        let (effect, risky, gate) = (callee.effect.unwrap_or(Effect::Effectful), callee.risky, callee.gate);
        for (key, granted) in &callee.grants {
            self.take_over(key, *granted, written, at);
        }
        let name = self.program.flows.get(flow).map_or_else(|| "flow".into(), |flow| flow.name.clone());
        let facts = Facts { effect, risky, gate, ..Facts::NONE };
        Built { kind: NodeKind::Flow { flow, args }, name, facts, after: Vec::new(), deadline: None }
    }

    /// What a called flow grants is also what this one does, and must be within what is allowed here.
    fn take_over(&mut self, key: &GrantKey, granted: Span, args: &'p [ir::Expr], at: Span) {
        let mut grants: Vec<GrantKind> = Vec::new();
        match key {
            GrantKey::Folder(access, param) => {
                if let Some(arg) = args.get(*param as usize) {
                    for param in self.folders_of(arg) {
                        self.note_grant(GrantKey::Folder(*access, param), at);
                    }
                    facts::bindings(arg, &mut |binding| grants.push(GrantKind::Folder(*access, Some(binding))));
                    grants.retain(|grant| match grant {
                        GrantKind::Folder(_, Some(binding)) => facts::holds_folder(&self.type_of(*binding)),
                        _ => true,
                    });
                }
            }
            GrantKey::Http(host) => grants.push(GrantKind::Http(host.clone())),
            GrantKey::Env(name) => grants.push(GrantKind::Env(name.clone())),
            GrantKey::Clock => grants.push(GrantKind::Clock),
            GrantKey::Random => grants.push(GrantKind::Random),
            GrantKey::Mail(of, subject) => grants.push(GrantKind::Mail(*of, subject.clone())),
        }
        if !matches!(key, GrantKey::Folder(..)) {
            self.note_grant(key.clone(), at);
        }
        let Some(bound) = self.layers.bound() else { return };
        let origins = &self.origins;
        let same = |a, b| same_folder(origins, a, b);
        let outside = grants.iter().filter(|grant| !policy::within(grant, bound.grants, &same));
        let found: Vec<_> =
            outside.map(|grant| diagnostics::callee_widens_grant(&self.layers.show(grant), at, granted, bound.span)).collect();
        self.report.extend(found);
    }
}
