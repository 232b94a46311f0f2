//! Places for attempts, shared by all runs: of each class, of the process, and of the host's memory and cpu.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use catalog::{FailureKind, Name};
use lang::plan::Class;

use super::line::{Stage, waits};
use super::pool::{Held, Kind, Pool, Ticket, Units};
use super::{Asker, Want, lock};
use crate::event::Failure;
use crate::ports::Limits;
use crate::shell::{ClassLimits, EngineConfig, Parts};

/// The places.
pub(super) struct Places {
    process: Arc<Pool>,
    classes: BTreeMap<Name, Configured>,
    /// Of classes that only flows declare, by name and number: two flows may declare the same name differently.
    declared: Mutex<BTreeMap<(Name, u32), Arc<Pool>>>,
    pub(super) host: Option<Arc<Pool>>,
}

/// A class of the configuration.
struct Configured {
    pool: Option<Arc<Pool>>,
    /// Longest line; none: of any length.
    queue: Option<u32>,
    fallback: Option<Name>,
    cpu: u32,
}

/// Where an attempt has to wait for a place. It has what it need not wait for, and waits in the first line already.
pub(in crate::shell) struct Queue {
    /// Those that it has.
    pub(super) held: Vec<Held>,
    /// The last one may have to wait.
    pub(super) tickets: VecDeque<Ticket>,
    pub(super) rest: std::vec::IntoIter<(Arc<Pool>, Units)>,
    /// What the attempt is bounded by, in the class that took it.
    pub(super) limits: Limits,
}

/// What an attempt of another host's run needs.
#[derive(Clone, Debug)]
pub(in crate::shell) struct Loan {
    pub(in crate::shell) class: Option<Name>,
    /// How many of the class may run at once, where the flow says so.
    pub(in crate::shell) class_parallel: Option<u32>,
    /// Bytes.
    pub(in crate::shell) memory: u64,
}

const fn places(places: u32) -> Units {
    Units { places: if places == 0 { 1 } else { places }, memory: 0, cpu: 0 }
}

impl Queue {
    /// Waits for all of them. Waiting may be given up and taken up again. None when the engine is being dropped.
    pub(super) async fn wait(&mut self, parts: &Parts, stage: &Stage, who: &Asker) -> Option<()> {
        loop {
            while let Some(ticket) = self.tickets.front_mut() {
                let held = waits(parts, stage, ticket).await?;
                self.tickets.pop_front();
                self.held.push(held);
            }
            let Some((pool, units)) = self.rest.next() else { return Some(()) };
            self.tickets.push_back(pool.ask(units, who));
        }
    }

    /// What it has by now.
    pub(super) fn take(&mut self) -> Vec<Held> {
        std::mem::take(&mut self.held)
    }

    /// Leaves all lines, and gives back what it has.
    pub(super) fn give_up(&mut self) {
        self.rest = Vec::new().into_iter();
        self.tickets.clear();
        self.held.clear();
    }
}

impl Places {
    pub(super) fn new(config: &EngineConfig) -> Self {
        let class = |(name, class): (&Name, &ClassLimits)| {
            let pool = class.parallel.map(|parallel| Pool::new(Kind::Class(Arc::clone(name)), places(parallel)));
            // Without a word about the line, whoever finds no place goes to the class that stands in at once.
            let queue = class.queue.or_else(|| class.fallback.as_ref().map(|_| 0));
            let configured = Configured { pool, queue, fallback: class.fallback.clone(), cpu: class.cpu.unwrap_or(1) };
            (Arc::clone(name), configured)
        };
        let (memory, cpu) = (config.budget.memory, config.budget.cpu);
        let total = Units { places: 0, memory: memory.unwrap_or(0), cpu: u64::from(cpu.unwrap_or(0)) };
        let bounded = memory.is_some() || cpu.is_some();
        Self {
            process: Pool::new(Kind::Process, places(config.parallel)),
            classes: config.classes.iter().map(class).collect(),
            declared: Mutex::default(),
            host: bounded.then(|| Pool::new(Kind::Host { memory: memory.is_some(), cpu: cpu.is_some() }, total)),
        }
    }

    /// Stands in line for all places that an attempt needs: those of its class first, the host's memory last.
    pub(super) fn stand(&self, config: &EngineConfig, want: &Want, who: &Asker) -> Result<Queue, Failure> {
        let (class, ticket) = match &want.class {
            Some(class) => self.enter(class, who)?,
            None => (None, None),
        };
        let mut rest = Vec::new();
        if let Some(name) = class {
            rest.extend(self.declared(name, &want.plan.classes).map(|pool| (pool, Units::PLACE)));
        }
        rest.push((Arc::clone(&self.process), Units::PLACE));
        let limits = config.limits_of(want.wishes, class);
        if let Some(host) = &self.host {
            let units = self.share(limits.memory, class);
            if !host.can_ever(units) {
                return Err(Failure::refused(FailureKind::Resource, "host", never(host, units)));
            }
            rest.push((Arc::clone(host), units));
        }
        let (mut tickets, mut rest) = (VecDeque::from_iter(ticket), rest.into_iter());
        // So attempts get places in the order in which they begin, whichever of their tasks runs first.
        while tickets.back().is_none_or(Ticket::is_served)
            && let Some((pool, units)) = rest.next()
        {
            tickets.push_back(pool.ask(units, who));
        }
        Ok(Queue { held: Vec::new(), tickets, rest, limits })
    }

    /// Stands in the line of a class, or where that is as long as it may be in that of the class that stands in for it.
    /// Gives the class that took the attempt.
    fn enter<'a>(&'a self, wanted: &'a Name, who: &Asker) -> Result<(Option<&'a Name>, Option<Ticket>), Failure> {
        let mut name = wanted;
        // A chain of fallbacks is no longer than there are classes, also when it is a circle.
        for _ in 0..=self.classes.len() {
            let Some(class) = self.classes.get(name) else { return Ok((Some(name), None)) };
            let Some(pool) = &class.pool else { return Ok((Some(name), None)) };
            let ticket = match class.queue {
                Some(longest) => pool.ask_if_short(Units::PLACE, who, longest),
                None => Some(pool.ask(Units::PLACE, who)),
            };
            if ticket.is_some() {
                return Ok((Some(name), ticket));
            }
            match &class.fallback {
                Some(fallback) => name = fallback,
                None => break,
            }
        }
        let full = self.classes.get(wanted).and_then(|class| Some((class.pool.as_ref()?, class.queue.unwrap_or(0))));
        let why = full.map(|(pool, queue)| format!("{}, and its queue ({queue}) is full", pool.holders()));
        let message = format!("class `{wanted}` is full: {}", why.unwrap_or_default());
        Err(Failure::refused(FailureKind::Resource, "class", message))
    }

    fn declared(&self, name: &Name, declared: &[Class]) -> Option<Arc<Pool>> {
        self.declared_so(name, declared.iter().find(|class| class.name == *name)?.parallel?)
    }

    fn declared_so(&self, name: &Name, parallel: u32) -> Option<Arc<Pool>> {
        let mut known = lock(&self.declared);
        let pool = || Pool::new(Kind::Class(Arc::clone(name)), places(parallel));
        Some(Arc::clone(known.entry((Arc::clone(name), parallel)).or_insert_with(pool)))
    }

    /// What an attempt takes of the host.
    fn share(&self, memory: u64, class: Option<&Name>) -> Units {
        let cpu = class.and_then(|name| self.classes.get(name)).map_or(1, |class| class.cpu);
        let total = self.host.as_ref().map_or(Units::default(), |host| host.total());
        let bounded = |total: u64, wanted: u64| if total == 0 { 0 } else { wanted };
        Units { places: 0, memory: bounded(total.memory, memory), cpu: bounded(total.cpu, u64::from(cpu)) }
    }

    /// All places for an attempt of another host's run, if they are free.
    pub(super) fn lend(&self, want: &Loan, who: &Asker) -> Option<Vec<Held>> {
        let mut held = Vec::new();
        for (pool, units) in self.asked_for(want) {
            held.push(pool.ask(units, who).taken()?);
        }
        Some(held)
    }

    fn asked_for(&self, want: &Loan) -> Vec<(Arc<Pool>, Units)> {
        let class = want.class.as_ref();
        let configured = class.and_then(|name| self.classes.get(name)?.pool.clone());
        let declared = class.zip(want.class_parallel).and_then(|(name, parallel)| self.declared_so(name, parallel));
        let places = [configured, declared, Some(Arc::clone(&self.process))];
        let mut all: Vec<_> = places.into_iter().flatten().map(|pool| (pool, Units::PLACE)).collect();
        all.extend(self.host.as_ref().map(|host| (Arc::clone(host), self.share(want.memory, class))));
        all
    }

    /// Waits behind everybody else until there is a place in the process and in the class.
    pub(super) async fn room(&self, class: Option<&Name>, who: &Asker) {
        let configured = class.and_then(|name| self.classes.get(name)?.pool.clone());
        for pool in [Some(Arc::clone(&self.process)), configured].into_iter().flatten() {
            // It is given back at once: this only waits.
            drop(pool.ask(Units::PLACE, who).wait().await);
        }
    }

    /// How many attempts of a class there are places for now, and altogether.
    pub(super) fn room_of(&self, class: Option<&Name>) -> (u32, u32) {
        let configured = class.and_then(|name| self.classes.get(name)?.pool.as_ref());
        let each = |of: fn(&Pool) -> Units| {
            let process = of(&self.process).places;
            configured.map_or(process, |pool| of(pool).places.min(process))
        };
        (each(Pool::free), each(Pool::total))
    }

    /// Why an attempt with so much memory in this class can never run here.
    pub(super) fn never_fits(&self, memory: u64, class: Option<&Name>) -> Option<String> {
        let (host, units) = (self.host.as_ref()?, self.share(memory, class));
        (!host.can_ever(units)).then(|| never(host, units))
    }
}

fn never(host: &Pool, units: Units) -> String {
    let (wanted, all) = (host.amount(units), host.amount(host.total()));
    format!("it needs {wanted}, and this host has {all} for all steps together")
}
