//! Breakers between runs: after so many failures attempts fail without being invoked, until one is tried again.
//!
//! As in the core: closed, failures are counted; open, attempts are refused; when the cooldown is over, one attempt is the
//! trial, and others wait for what becomes of it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use catalog::FailureKind;
use lang::plan::Breaker;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::lock;
use crate::event::Failure;

/// What a breaker protects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Protected {
    /// For people.
    pub(super) name: String,
    /// Whether only `network` and `timeout` say something about it.
    pub(super) only_network: bool,
}

/// A breaker.
pub(super) struct Fuse {
    protected: Protected,
    settings: Breaker,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// While it is closed, oldest first.
    failures: VecDeque<Instant>,
    /// Until then attempts are refused; from then on one is the trial. None: closed.
    open_until: Option<Instant>,
    /// Who is the trial.
    trial: Option<Arc<str>>,
}

/// How a breaker stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerState {
    /// What it protects.
    pub name: String,
    /// Failures that count while it is closed.
    pub failures: usize,
    /// For how long it is still open; zero while a trial decides, or is awaited; none: it is closed.
    pub open_for: Option<Duration>,
}

/// An attempt that has passed a breaker and owes it a verdict.
pub(super) struct Trial {
    fuse: Arc<Fuse>,
    /// Whether it decides about an open breaker.
    decides: bool,
}

impl Fuse {
    pub(super) fn new(protected: Protected, settings: Breaker) -> Arc<Self> {
        Arc::new(Self { protected, settings, state: Mutex::default(), changed: Notify::new() })
    }

    /// Lets an attempt pass: at once, or after the trial of another. Refuses it while the breaker is open.
    pub(super) async fn pass(self: &Arc<Self>, who: &Arc<str>) -> Result<Trial, Failure> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            match self.ask(who) {
                Some(passed) => return passed,
                None => changed.await,
            }
        }
    }

    /// The same; none while the trial of another runs.
    pub(super) fn ask(self: &Arc<Self>, who: &Arc<str>) -> Option<Result<Trial, Failure>> {
        let mut state = lock(&self.state);
        let trial = |decides| Some(Ok(Trial { fuse: Arc::clone(self), decides }));
        let Some(open) = state.open_until else { return trial(false) };
        let left = open.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            return Some(Err(self.refusal(left)));
        }
        if state.trial.is_some() {
            return None;
        }
        state.trial = Some(Arc::clone(who));
        trial(true)
    }

    /// An attempt has ended; none: without saying anything about what is protected.
    fn verdict(&self, decides: bool, fails: Option<bool>) {
        let mut state = lock(&self.state);
        let (now, Breaker { failures, within, cooldown }) = (Instant::now(), self.settings);
        let opened = now + Duration::from_nanos(cooldown);
        match fails {
            Some(true) if decides => state.open_until = Some(opened),
            Some(false) if decides => state.open_until = None,
            Some(true) if state.open_until.is_none() => {
                state.failures.push_back(now);
                state.forget(now, within);
                if state.failures.len() >= failures.max(1) as usize {
                    state.failures.clear();
                    state.open_until = Some(opened);
                }
            }
            _ => {}
        }
        if decides {
            state.trial = None;
        }
        drop(state);
        self.changed.notify_waiters();
    }

    fn refusal(&self, left: Duration) -> Failure {
        // Rounded up: an attempt that waits for so long is not refused again.
        let milliseconds = u64::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        let time = catalog::duration::display(milliseconds.saturating_mul(1_000_000));
        let name = &self.protected.name;
        let message = format!("{name} failed too often in the runs of this host: its breaker is open for another {time}");
        let refusal = Failure::refused(FailureKind::Dependency, "breaker", message);
        Failure { retry_after: Some(milliseconds), ..refusal }
    }

    /// For people: what those wait for that wait for its trial.
    pub(super) fn describe(&self) -> String {
        match &lock(&self.state).trial {
            Some(who) => format!("waits for `{who}`: the breaker of {} is open, and that is the trial", self.protected.name),
            None => format!("waits for the trial of the breaker of {}, which is open", self.protected.name),
        }
    }

    /// For people.
    pub(super) fn name(&self) -> String {
        format!("breaker of {}", self.protected.name)
    }

    /// How it stands, unless there is nothing to say.
    pub(super) fn report(&self) -> Option<BreakerState> {
        let mut state = lock(&self.state);
        state.forget(Instant::now(), self.settings.within);
        let open_for = state.open_until.map(|open| open.saturating_duration_since(Instant::now()));
        let failures = state.failures.len();
        (failures > 0 || open_for.is_some()).then(|| BreakerState { name: self.protected.name.clone(), failures, open_for })
    }
}

impl State {
    fn forget(&mut self, now: Instant, within: u64) {
        while self.failures.front().is_some_and(|at| *at + Duration::from_nanos(within) <= now) {
            self.failures.pop_front();
        }
    }
}

impl Trial {
    /// A breaker that opened meanwhile refuses the attempt, unless it is the trial.
    pub(super) fn look_again(&self) -> Result<(), Failure> {
        let open = lock(&self.fuse.state).open_until.filter(|_| !self.decides);
        let left = open.map(|open| open.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero());
        left.map_or(Ok(()), |left| Err(self.fuse.refusal(left)))
    }

    /// How the attempt failed; none: it did not.
    pub(super) fn judge(mut self, kind: Option<FailureKind>) {
        let counts = |kind: FailureKind| match kind {
            FailureKind::Network | FailureKind::Timeout => true,
            FailureKind::Resource | FailureKind::Dependency | FailureKind::Internal | FailureKind::Error => {
                !self.fuse.protected.only_network
            }
            // These lie in the arguments, the flow or its permissions.
            FailureKind::InvalidInput | FailureKind::Calculation | FailureKind::Logic | FailureKind::Permission => false,
        };
        self.fuse.verdict(self.decides, Some(kind.is_some_and(counts)));
        self.decides = false;
    }
}

impl Drop for Trial {
    /// Stopped without a verdict: another one is tried.
    fn drop(&mut self) {
        if self.decides {
            self.fuse.verdict(true, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use catalog::FailureKind;
    use futures::FutureExt;
    use lang::plan::Breaker;

    use super::{Fuse, Protected};

    const MINUTE: u64 = 60_000_000_000;

    fn fuse(failures: u32, only_network: bool) -> Arc<Fuse> {
        Fuse::new(Protected { name: "`f`".into(), only_network }, Breaker { failures, within: MINUTE, cooldown: MINUTE })
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_breaker_refuses_and_one_trial_decides() {
        let (fuse, who): (_, Arc<str>) = (fuse(1, false), "run/step".into());
        fuse.pass(&who).await.unwrap().judge(Some(FailureKind::Logic));
        assert!(fuse.report().is_none(), "what lies in the arguments does not count");
        let waited = fuse.pass(&who).await.unwrap();
        fuse.pass(&who).await.unwrap().judge(Some(FailureKind::Network));
        let refused = fuse.pass(&who).await.err().unwrap();
        assert_eq!((refused.kind, refused.retry_after), (FailureKind::Dependency, Some(60_000)));
        assert!(waited.look_again().is_err(), "it passed before, and has not begun");
        tokio::time::advance(Duration::from_secs(60)).await;
        let trial = fuse.pass(&who).await.unwrap();
        assert!(trial.look_again().is_ok());
        let mut other = Box::pin(fuse.pass(&who));
        assert!((&mut other).now_or_never().is_none(), "it waits for what becomes of the trial");
        assert_eq!(fuse.describe(), "waits for `run/step`: the breaker of `f` is open, and that is the trial");
        drop(trial);
        let second = other.await.unwrap();
        let mut other = Box::pin(fuse.pass(&who));
        assert!((&mut other).now_or_never().is_none());
        second.judge(None);
        assert!(other.await.is_ok() && fuse.report().is_none(), "closed again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_trial_opens_it_again_and_old_failures_do_not_count() {
        let (fuse, who): (_, Arc<str>) = (fuse(2, false), "run/step".into());
        let fail = async || fuse.pass(&who).await.unwrap().judge(Some(FailureKind::Error));
        fail().await;
        tokio::time::advance(Duration::from_secs(61)).await;
        fail().await;
        assert_eq!(fuse.report().unwrap().open_for, None);
        fail().await;
        assert_eq!(fuse.report().unwrap().open_for, Some(Duration::from_secs(60)));
        tokio::time::advance(Duration::from_secs(60)).await;
        fail().await;
        assert_eq!(fuse.report().unwrap().open_for, Some(Duration::from_secs(60)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_destination_is_judged_by_its_network_only() {
        let (fuse, who): (_, Arc<str>) = (fuse(1, true), "run/step".into());
        fuse.pass(&who).await.unwrap().judge(Some(FailureKind::Error));
        assert!(fuse.report().is_none());
        fuse.pass(&who).await.unwrap().judge(Some(FailureKind::Timeout));
        assert_eq!(fuse.report().unwrap().open_for, Some(Duration::from_secs(60)));
    }
}
