//! What a `with` means where several apply.
//!
//! From outside in: `use`, flow, blocks, the step itself. `allow`, `memory`, `fuel`, `deadline` and
//! `parallel` only narrow; of all other keys the innermost decides. The `allow` of a `use` or `import`
//! caps what others grant and grants nothing itself.

use catalog::{Name, Value};
use cranelift_entity::PrimaryMap;
use grammar::{Diagnostic, Span};

use crate::ir::{Backoff, Binding, BindingId, Cache, Expr, ExprKind, Grant, GrantKind, Policy};
use crate::lower::diagnostics::{self, Cap};
use crate::plan::{Breaker, FolderAccess, Rate, topics_within};

/// The keys that only narrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Memory,
    Fuel,
    Deadline,
    Parallel,
}

impl Limit {
    pub(crate) const ALL: [Self; 4] = [Self::Memory, Self::Fuel, Self::Deadline, Self::Parallel];

    const fn key(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Fuel => "fuel",
            Self::Deadline => "deadline",
            Self::Parallel => "parallel",
        }
    }

    pub(crate) const fn of(self, policy: &Policy) -> Option<&Expr> {
        match self {
            Self::Memory => policy.memory.as_ref(),
            Self::Fuel => policy.fuel.as_ref(),
            Self::Deadline => policy.deadline.as_ref(),
            Self::Parallel => policy.parallel.as_ref(),
        }
    }

    fn show(self, amount: u64) -> String {
        match self {
            Self::Memory => size(amount),
            Self::Deadline => duration(amount),
            Self::Fuel | Self::Parallel => amount.to_string(),
        }
    }
}

/// The amount of a literal limit.
pub(crate) fn literal(expr: &Expr) -> Option<u64> {
    match &expr.kind {
        ExprKind::Const(value) => amount(value),
        _ => None,
    }
}

/// The amount of a limit's value.
pub(crate) fn amount(value: &Value) -> Option<u64> {
    match value {
        Value::U32(amount) => Some(u64::from(*amount)),
        Value::U64(amount) | Value::Duration(amount) => Some(*amount),
        _ => None,
    }
}

/// Whether two bindings hold the same folder.
pub(crate) type SameFolder<'s> = &'s dyn Fn(BindingId, BindingId) -> bool;

/// The policies around a place in a flow, outermost first.
#[derive(Debug)]
pub(crate) struct Layers<'p> {
    bindings: &'p PrimaryMap<BindingId, Binding>,
    cap: Option<&'p [Grant]>,
    policies: Vec<&'p Policy>,
}

/// Grants that something within must keep to, and where they were written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound<'p> {
    pub(crate) grants: &'p [Grant],
    pub(crate) cap: Cap,
    pub(crate) span: Option<Span>,
}

impl<'p> Layers<'p> {
    /// Those of a flow whose `import` allows it what `cap` says.
    pub(crate) fn new(bindings: &'p PrimaryMap<BindingId, Binding>, cap: Option<&'p [Grant]>) -> Self {
        Self { bindings, cap, policies: Vec::new() }
    }

    /// How many there are, to be given to [`Self::truncate`].
    pub(crate) fn len(&self) -> usize {
        self.policies.len()
    }

    /// Leaves all but the first `len`.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.policies.truncate(len);
    }

    /// All but the first `len`.
    pub(crate) fn from(&self, len: usize) -> Vec<&'p Policy> {
        self.policies.get(len..).unwrap_or(&[]).to_vec()
    }

    /// Enters `policy` and reports where it is wider than those around it.
    pub(crate) fn enter(&mut self, policy: &'p Policy, same: SameFolder<'_>, report: &mut Vec<Diagnostic>) {
        for limit in Limit::ALL {
            if let Some(inner) = limit.of(policy) {
                let outer = self.policies.iter().filter_map(|outer| limit.of(outer));
                report.extend(widened(limit, inner, outer));
            }
        }
        if let (Some(allow), Some(bound)) = (&policy.allow, self.bound()) {
            report.extend(self.uncovered(allow, bound, same));
        }
        self.policies.push(policy);
    }

    /// What an `allow` at this place must keep to; none when nothing around says.
    pub(crate) fn bound(&self) -> Option<Bound<'p>> {
        let around = self.policies.iter().rev().find_map(|policy| Some((policy.allow.as_deref()?, policy.span)));
        match around {
            Some((grants, span)) => {
                let span = grants.first().zip(grants.last()).map(|(first, last)| first.span.to(last.span)).or(span);
                Some(Bound { grants, cap: Cap::Around, span })
            }
            None => self.cap.map(|grants| Bound { grants, cap: Cap::Import, span: grants.first().map(|grant| grant.span) }),
        }
    }

    /// The policy of a step that goes through `through`; the policies from `own` on are its own.
    pub(crate) fn step(
        &self,
        own: usize,
        through: &'p Policy,
        same: SameFolder<'_>,
        report: &mut Vec<Diagnostic>,
    ) -> StepPolicy<'p> {
        let own = self.policies.get(own..).unwrap_or(&[]);
        for limit in [Limit::Memory, Limit::Fuel, Limit::Deadline] {
            for inner in own.iter().filter_map(|policy| limit.of(policy)) {
                report.extend(widened(limit, inner, limit.of(through).into_iter()));
            }
        }
        let cap = through.allow.as_deref();
        if let Some(grants) = cap {
            let bound = Bound { grants, cap: Cap::Use, span: grants.first().map(|grant| grant.span).or(through.span) };
            for allow in own.iter().filter_map(|policy| policy.allow.as_deref()) {
                report.extend(self.uncovered(allow, bound, same));
            }
        }
        let granted = self.innermost(|policy| policy.allow.as_ref());
        let granted = granted.into_iter().flatten().map(|grant| grant.kind.clone()).collect();
        let deadlines = own.iter().copied().chain([through]).filter_map(|policy| policy.deadline.as_ref());
        StepPolicy {
            retry: self.decided(through, |policy| policy.retry.as_ref()),
            backoff: self.decided(through, |policy| policy.backoff.as_ref()),
            timeout: self.decided(through, |policy| policy.timeout.as_ref()),
            class: self.decided(through, |policy| policy.class.as_ref()).map(|(name, _)| name),
            idempotent: self.decided(through, |policy| policy.idempotent.as_ref()).copied().unwrap_or(false),
            memory: self.limits(Limit::Memory, through),
            fuel: self.limits(Limit::Fuel, through),
            deadline: deadlines.collect(),
            priority: self.decided(through, |policy| policy.priority.as_ref()),
            key: self.decided(through, |policy| policy.key.as_ref()),
            rate: self.decided(through, |policy| policy.rate).map(|(rate, _)| rate),
            breaker: self.decided(through, |policy| policy.breaker).map(|(breaker, _)| breaker),
            cache: self.decided(through, |policy| policy.cache.as_ref()).filter(|cache| cache.on),
            exhausted: self.decided(through, |policy| policy.pauses).map(|(pauses, _)| pauses),
            artifact: self.decided(through, |policy| policy.artifact.as_ref()),
            grants: match cap {
                Some(cap) => meet(granted, cap, same),
                None => granted,
            },
        }
    }

    fn uncovered(&self, allow: &[Grant], bound: Bound<'_>, same: SameFolder<'_>) -> Vec<Diagnostic> {
        let outside = allow.iter().filter(|grant| !within(&grant.kind, bound.grants, same));
        outside.map(|grant| diagnostics::widens_grant(&self.show(&grant.kind), grant.span, bound.cap, bound.span)).collect()
    }

    /// A grant as it is written.
    pub(crate) fn show(&self, grant: &GrantKind) -> String {
        let folder = |binding: &Option<BindingId>| {
            let name = binding.and_then(|binding| self.bindings.get(binding));
            name.map_or_else(String::new, |binding| format!(" {}", binding.name))
        };
        match grant {
            GrantKind::Folder(FolderAccess::Read, binding) => format!("read{}", folder(binding)),
            GrantKind::Folder(FolderAccess::ReadWrite, binding) => format!("read_write{}", folder(binding)),
            GrantKind::Http(host) => format!("http \"{host}\""),
            GrantKind::Env(name) => format!("env \"{name}\""),
            GrantKind::Clock => "clock".to_owned(),
            GrantKind::Random => "random".to_owned(),
            GrantKind::Mail(of, subject) => of.written(subject),
        }
    }

    fn innermost<T>(&self, key: impl Fn(&'p Policy) -> Option<T>) -> Option<T> {
        self.policies.iter().rev().find_map(|policy| key(policy))
    }

    fn decided<T>(&self, through: &'p Policy, key: impl Fn(&'p Policy) -> Option<T>) -> Option<T> {
        self.innermost(&key).or_else(|| key(through))
    }

    fn limits(&self, limit: Limit, through: &'p Policy) -> Vec<&'p Expr> {
        self.policies.iter().copied().chain([through]).filter_map(|policy| limit.of(policy)).collect()
    }
}

/// What applies to one step. Of the lists, the least counts.
#[derive(Debug)]
pub(crate) struct StepPolicy<'p> {
    pub(crate) retry: Option<&'p Expr>,
    pub(crate) backoff: Option<&'p Backoff>,
    pub(crate) timeout: Option<&'p Expr>,
    pub(crate) class: Option<&'p Name>,
    pub(crate) idempotent: bool,
    pub(crate) memory: Vec<&'p Expr>,
    pub(crate) fuel: Vec<&'p Expr>,
    pub(crate) deadline: Vec<&'p Expr>,
    pub(crate) grants: Vec<GrantKind>,
    pub(crate) priority: Option<&'p Expr>,
    pub(crate) key: Option<&'p Expr>,
    pub(crate) rate: Option<Rate>,
    pub(crate) breaker: Option<Breaker>,
    pub(crate) cache: Option<&'p Cache>,
    /// Whether it pauses when its attempts are used up, or fails whatever the host says.
    pub(crate) exhausted: Option<bool>,
    pub(crate) artifact: Option<&'p Expr>,
}

fn widened<'e>(limit: Limit, inner: &Expr, outer: impl Iterator<Item = &'e Expr>) -> Option<Diagnostic> {
    let wanted = literal(inner)?;
    let (least, at) = outer.filter_map(|outer| Some((literal(outer)?, outer.span))).min_by_key(|(amount, _)| *amount)?;
    let (wanted_text, least_text) = (limit.show(wanted), limit.show(least));
    (wanted > least).then(|| diagnostics::widens_limit(limit.key(), (&wanted_text, inner.span), (&least_text, at)))
}

/// Whether a grant is within one of `outer`.
pub(crate) fn within(grant: &GrantKind, outer: &[Grant], same: SameFolder<'_>) -> bool {
    outer.iter().any(|outer| covers(&outer.kind, grant, same))
}

fn covers(outer: &GrantKind, inner: &GrantKind, same: SameFolder<'_>) -> bool {
    match (outer, inner) {
        (GrantKind::Folder(most, whole), GrantKind::Folder(access, folder)) => {
            access <= most
                && match (whole, folder) {
                    (None, _) => true,
                    (Some(whole), Some(folder)) => same(*whole, *folder),
                    (Some(_), None) => false,
                }
        }
        (GrantKind::Http(pattern), GrantKind::Http(host)) => covers_host(pattern, host),
        (GrantKind::Env(outer), GrantKind::Env(inner)) => outer == inner,
        (GrantKind::Mail(outer, whole), GrantKind::Mail(inner, part)) => outer == inner && topics_within(whole, part),
        (GrantKind::Clock, GrantKind::Clock) | (GrantKind::Random, GrantKind::Random) => true,
        _ => false,
    }
}

/// Whether all that `host` names is within `pattern`; both are a host, `*.domain`, each perhaps with a port.
fn covers_host(pattern: &str, host: &str) -> bool {
    let (pattern_name, pattern_port) = split_port(pattern);
    let (name, port) = split_port(host);
    let names = match pattern_name.strip_prefix("*.") {
        Some(domain) => name.len() > domain.len() + 1 && is_below(name, domain),
        None => pattern_name.eq_ignore_ascii_case(name),
    };
    names && (pattern_port.is_none() || pattern_port == port)
}

fn is_below(name: &str, domain: &str) -> bool {
    let Some(at) = name.len().checked_sub(domain.len()) else { return false };
    let (front, end) = (name.get(..at), name.get(at..));
    front.is_some_and(|front| front.ends_with('.')) && end.is_some_and(|end| end.eq_ignore_ascii_case(domain))
}

fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => (name, Some(port)),
        _ => (host, None),
    }
}

/// What is both granted and within the cap.
fn meet(granted: Vec<GrantKind>, cap: &[Grant], same: SameFolder<'_>) -> Vec<GrantKind> {
    let mut both: Vec<GrantKind> = Vec::new();
    for grant in granted {
        for cap in cap {
            if let Some(grant) = narrower(&grant, &cap.kind, same)
                && !both.iter().any(|other| covers(other, &grant, same))
            {
                both.push(grant);
            }
        }
    }
    both
}

fn narrower(grant: &GrantKind, cap: &GrantKind, same: SameFolder<'_>) -> Option<GrantKind> {
    if covers(cap, grant, same) {
        return Some(grant.clone());
    }
    match (grant, cap) {
        (GrantKind::Folder(access, folder), GrantKind::Folder(most, None)) => Some(GrantKind::Folder(*access.min(most), *folder)),
        _ => covers(grant, cap, same).then(|| cap.clone()),
    }
}

/// A duration as it is written.
pub(crate) fn duration(nanoseconds: u64) -> String {
    const UNITS: [(u64, &str); 5] =
        [(86_400_000_000_000, "d"), (3_600_000_000_000, "h"), (60_000_000_000, "m"), (1_000_000_000, "s"), (1_000_000, "ms")];
    let unit = UNITS.into_iter().find(|(unit, _)| nanoseconds >= *unit && nanoseconds.is_multiple_of(*unit));
    match unit {
        Some((unit, name)) => format!("{}{name}", nanoseconds / unit),
        None if nanoseconds == 0 => "0s".to_owned(),
        None => format!("{}ms", nanoseconds as f64 / 1_000_000.0),
    }
}

/// A number of bytes as it is written.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = UNITS.into_iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit));
    unit.map_or_else(|| bytes.to_string(), |(unit, name)| format!("{}{name}", bytes / unit))
}
