//! Something that there is only so much of: who has it, who waits for it, and in which order they get it.
//!
//! Whoever has the earliest turn goes first. The first one waits until there is enough for it, and all behind it wait as
//! well: so nobody who needs much is passed for ever by those who need little.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use catalog::Name;
use tokio::sync::oneshot;

use super::{Asker, lock};

/// So many of those who have something are named.
const MOST_NAMED: usize = 3;

/// An amount of what a pool has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Units {
    /// Attempts.
    pub(super) places: u32,
    /// Bytes of memory.
    pub(super) memory: u64,
    /// Units of cpu.
    pub(super) cpu: u64,
}

impl Units {
    /// One attempt.
    pub(super) const PLACE: Self = Self { places: 1, memory: 0, cpu: 0 };

    pub(super) const fn within(self, other: Self) -> bool {
        self.places <= other.places && self.memory <= other.memory && self.cpu <= other.cpu
    }

    const fn less(self, other: Self) -> Self {
        Self {
            places: self.places.saturating_sub(other.places),
            memory: self.memory.saturating_sub(other.memory),
            cpu: self.cpu.saturating_sub(other.cpu),
        }
    }

    const fn and(self, other: Self) -> Self {
        Self {
            places: self.places.saturating_add(other.places),
            memory: self.memory.saturating_add(other.memory),
            cpu: self.cpu.saturating_add(other.cpu),
        }
    }
}

/// What there is so much of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A key, which one attempt has.
    Key(Arc<str>),
    /// Places of the process.
    Process,
    /// Places of a class.
    Class(Name),
    /// Memory and cpu of the host. Whether each is bounded.
    Host { memory: bool, cpu: bool },
    /// Places of other hosts.
    Away,
}

impl Kind {
    /// For people.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Key(key) => format!("key `{key}`"),
            Self::Process => "places of this process".to_owned(),
            Self::Class(name) => format!("class `{name}`"),
            Self::Host { .. } => "memory and cpu of this host".to_owned(),
            Self::Away => "places of other hosts".to_owned(),
        }
    }
}

/// The pool.
pub(super) struct Pool {
    pub(super) kind: Kind,
    state: Mutex<State>,
}

struct State {
    total: Units,
    /// What somebody has; more than there is, where that has become less.
    taken: Units,
    asked: u64,
    /// Who has something, by a number.
    held: BTreeMap<u64, (Arc<str>, Units)>,
    waiting: BTreeMap<(i64, u64), Waiter>,
}

struct Waiter {
    sender: oneshot::Sender<Held>,
    who: Arc<str>,
    units: Units,
}

/// What somebody has of a pool, with its number there; gives itself back.
pub(in crate::shell) struct Held {
    pool: Arc<Pool>,
    number: u64,
}

/// A place in the line of a pool, or what came of it.
pub(super) struct Ticket {
    pub(super) pool: Arc<Pool>,
    pub(super) units: Units,
    held: Option<Held>,
    waits: Option<((i64, u64), oneshot::Receiver<Held>)>,
}

impl State {
    const fn free(&self) -> Units {
        self.total.less(self.taken)
    }
}

impl Pool {
    pub(super) fn new(kind: Kind, total: Units) -> Arc<Self> {
        let taken = Units::default();
        let state = State { total, taken, asked: 0, held: BTreeMap::new(), waiting: BTreeMap::new() };
        Arc::new(Self { kind, state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Whether there is so much at all.
    pub(super) fn can_ever(&self, units: Units) -> bool {
        units.within(self.total())
    }

    /// All that there is.
    pub(super) fn total(&self) -> Units {
        self.lock().total
    }

    /// What nobody has and nobody waits for.
    pub(super) fn free(&self) -> Units {
        let state = self.lock();
        if state.waiting.is_empty() { state.free() } else { Units::default() }
    }

    /// From now on there is so much.
    pub(super) fn resize(self: &Arc<Self>, total: Units) {
        let mut state = self.lock();
        let changes = state.total != total;
        state.total = total;
        drop(state);
        if changes {
            self.serve();
        }
    }

    /// Nobody has anything and nobody waits.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.lock();
        state.held.is_empty() && state.waiting.is_empty()
    }

    /// Stands in line.
    pub(super) fn ask(self: &Arc<Self>, units: Units, who: &Asker) -> Ticket {
        self.ask_in(self.lock(), units, who)
    }

    /// The same, unless so many stand in line already.
    pub(super) fn ask_if_short(self: &Arc<Self>, units: Units, who: &Asker, longest: u32) -> Option<Ticket> {
        let state = self.lock();
        let waits = !units.within(state.free()) || !state.waiting.is_empty();
        (!waits || state.waiting.len() < longest as usize).then(|| self.ask_in(state, units, who))
    }

    fn ask_in(self: &Arc<Self>, mut state: MutexGuard<'_, State>, units: Units, who: &Asker) -> Ticket {
        let place = (who.turn, state.asked);
        state.asked += 1;
        let is_first = state.waiting.first_key_value().is_none_or(|(first, _)| place < *first);
        let (held, waits) = if is_first && units.within(state.free()) {
            (Some(self.give(&mut state, place.1, Arc::clone(&who.key), units)), None)
        } else {
            let (sender, receiver) = oneshot::channel();
            state.waiting.insert(place, Waiter { sender, who: Arc::clone(&who.key), units });
            (None, Some((place, receiver)))
        };
        Ticket { pool: Arc::clone(self), units, held, waits }
    }

    fn give(self: &Arc<Self>, state: &mut State, number: u64, who: Arc<str>, units: Units) -> Held {
        state.taken = state.taken.and(units);
        state.held.insert(number, (who, units));
        Held { pool: Arc::clone(self), number }
    }

    /// Gives to the first ones, as far as there is enough.
    fn serve(self: &Arc<Self>) {
        while let Some((sender, held)) = self.next() {
            // One who goes away in this moment drops what it was sent, which brings it back here.
            drop(sender.send(held));
        }
    }

    fn next(self: &Arc<Self>) -> Option<(oneshot::Sender<Held>, Held)> {
        let mut state = self.lock();
        let fits = state.waiting.first_key_value().is_some_and(|(_, first)| first.units.within(state.free()));
        let ((_, number), Waiter { sender, who, units }) = if fits { state.waiting.pop_first()? } else { return None };
        let held = self.give(&mut state, number, who, units);
        Some((sender, held))
    }

    /// For people: what somebody waits for who wants so much.
    pub(super) fn describe(&self, units: Units) -> String {
        let state = self.lock();
        let holders = self.named_holders(&state);
        let pool = match &self.kind {
            Kind::Key(key) => return format!("waits for the key `{key}`, which {holders} has"),
            Kind::Host { .. } => return self.describe_host(&state, units, &holders),
            Kind::Process => "this process".to_owned(),
            Kind::Class(name) => format!("class `{name}`"),
            Kind::Away => "other hosts".to_owned(),
        };
        match state.total.places {
            1 => format!("waits for the only place of {pool}, which {holders} has"),
            places => format!("waits for one of the {places} places of {pool}, which {holders} have"),
        }
    }

    /// For people: who has the places.
    pub(super) fn holders(&self) -> String {
        let state = self.lock();
        let holders = self.named_holders(&state);
        match state.total.places {
            1 => format!("{holders} has its only place"),
            places => format!("{holders} have its {places} places"),
        }
    }

    fn named_holders(&self, state: &State) -> String {
        let names: Vec<String> = state.held.values().take(MOST_NAMED).map(|(who, units)| self.named(who, *units)).collect();
        let more = state.held.len().saturating_sub(MOST_NAMED);
        let others = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{others}", names.join(", "))
    }

    fn describe_host(&self, state: &State, units: Units, holders: &str) -> String {
        let (needs, free) = (self.amount(units), self.free_of(state));
        let start = format!("waits for {} of this host: it needs {needs}, and {free} are free", self.bounded());
        let first = state.waiting.first_key_value().map(|(_, first)| first);
        match (first.filter(|_| units.within(state.free())), state.held.len()) {
            (Some(first), _) => format!("{start}, but `{}` comes first, which needs {}", first.who, self.amount(first.units)),
            (None, 0) => start,
            (None, 1) => format!("{start}; {holders} has the rest"),
            (None, _) => format!("{start}; {holders} have the rest"),
        }
    }

    /// One who has something, for people.
    fn named(&self, who: &str, units: Units) -> String {
        match self.kind {
            Kind::Host { .. } => format!("`{who}` ({})", self.amount(units)),
            _ => format!("`{who}`"),
        }
    }

    /// What there is only so much of on the host.
    const fn bounded(&self) -> &'static str {
        match self.kind {
            Kind::Host { memory: true, cpu: true } => "memory and cpu",
            Kind::Host { memory: false, .. } => "cpu",
            _ => "memory",
        }
    }

    /// An amount of the host, for people.
    pub(super) fn amount(&self, units: Units) -> String {
        self.both(size(units.memory), format!("{} cpu", units.cpu))
    }

    /// So much of all, for people.
    fn free_of(&self, state: &State) -> String {
        let (total, free) = (state.total, state.free());
        self.both(format!("{} of {}", size(free.memory), size(total.memory)), format!("{} of {} cpu", free.cpu, total.cpu))
    }

    fn both(&self, memory: String, cpu: String) -> String {
        match self.kind {
            Kind::Host { memory: true, cpu: true } => format!("{memory} and {cpu}"),
            Kind::Host { memory: false, .. } => cpu,
            _ => memory,
        }
    }
}

/// Bytes, for people.
fn size(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 20) { format!("{} MiB", bytes >> 20) } else { format!("{} KiB", bytes.div_ceil(1 << 10)) }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        if let Some((_, units)) = state.held.remove(&self.number) {
            state.taken = state.taken.less(units);
        }
        drop(state);
        self.pool.serve();
    }
}

impl Ticket {
    /// Whether there is nothing to wait for.
    pub(super) const fn is_served(&self) -> bool {
        self.held.is_some()
    }

    /// What it is for, unless it has to wait.
    pub(super) fn taken(mut self) -> Option<Held> {
        self.held.take()
    }

    /// Waits for its turn. Waiting may be given up and taken up again.
    pub(super) async fn wait(&mut self) -> Option<Held> {
        if let Some((_, receiver)) = &mut self.waits {
            self.held = receiver.await.ok();
            self.waits = None;
        }
        self.held.take()
    }
}

impl Drop for Ticket {
    /// Leaves the line, so that nobody waits behind one who does not want anything any more.
    fn drop(&mut self) {
        let Some((place, _)) = &self.waits else { return };
        let left = self.pool.lock().waiting.remove(place);
        if left.is_some() {
            drop(left);
            self.pool.serve();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Asker, Kind, Pool, Ticket, Units};

    const fn memory(memory: u64) -> Units {
        Units { places: 0, memory: memory << 20, cpu: 1 }
    }

    fn host() -> Arc<Pool> {
        Pool::new(Kind::Host { memory: true, cpu: true }, Units { cpu: 10, ..memory(10) })
    }

    fn asker(who: &str, turn: i64) -> Asker {
        Asker { turn, key: who.into() }
    }

    /// Whether one who waited does not wait any more.
    fn has(ticket: &mut Ticket) -> bool {
        ticket.is_served() || ticket.waits.as_mut().is_some_and(|(_, receiver)| !receiver.is_empty())
    }

    #[tokio::test]
    async fn who_needs_much_is_not_passed_by_those_behind() {
        let pool = host();
        let small = pool.ask(memory(4), &asker("small", 0)).wait().await.unwrap();
        let mut large = pool.ask(memory(8), &asker("large", 1));
        let mut next = pool.ask(memory(4), &asker("next", 2));
        let mut urgent = pool.ask(memory(5), &asker("urgent", 0));
        assert!(has(&mut urgent), "it fits, and its turn comes first");
        assert!(!has(&mut large) && !has(&mut next));
        drop(urgent);
        assert!(!has(&mut next), "there is room, but it is not its turn");
        let told =
            "waits for memory and cpu of this host: it needs 4 MiB and 1 cpu, and 6 MiB of 10 MiB and 9 of 10 cpu are free";
        assert_eq!(pool.describe(memory(4)), format!("{told}, but `large` comes first, which needs 8 MiB and 1 cpu"));
        let told = told.replace("needs 4", "needs 8");
        assert_eq!(pool.describe(memory(8)), format!("{told}; `small` (4 MiB and 1 cpu) has the rest"));
        drop(small);
        assert!(has(&mut large) && !has(&mut next));
        drop(large);
        assert!(has(&mut next));
        assert!(pool.can_ever(memory(10)) && !pool.can_ever(memory(11)));
    }

    #[tokio::test]
    async fn one_who_goes_away_holds_nobody_up() {
        let pool = host();
        let small = pool.ask(memory(4), &asker("small", 0)).wait().await.unwrap();
        let large = pool.ask(memory(8), &asker("large", 1));
        let mut next = pool.ask(memory(4), &asker("next", 2));
        assert!(!has(&mut next));
        drop(large);
        assert!(has(&mut next), "nothing had to be given back for that");
        let mut last = pool.ask(memory(6), &asker("last", 3));
        drop(next);
        assert!(has(&mut last), "one who never took what it was given gave it back");
        drop((small, last));
        assert!(pool.is_idle());
    }

    #[tokio::test]
    async fn a_line_is_as_long_as_it_may_be() {
        let pool = Pool::new(Kind::Class("small".into()), Units::PLACE);
        let ask = |who| pool.ask_if_short(Units::PLACE, &asker(who, 0), 1);
        let (first, second) = (ask("first").unwrap(), ask("second").unwrap());
        assert!(first.is_served() && !second.is_served());
        assert!(ask("third").is_none());
        drop(second);
        assert!(ask("fourth").is_some());
    }
}
