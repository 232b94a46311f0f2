//! Workers that come and go with the load that the hosts tell: one more when most places are taken, one less when few are.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::part::Part;
use crate::config::{Config, StoreConfig};
use crate::serve::client::Client;
use crate::serve::protocol::Request;

/// From this part of all places on, one more worker is started.
const UP: f64 = 0.8;

/// Down to this part of them, one is ended.
const DOWN: f64 = 0.3;

/// How long a change is given to show in what the hosts tell: they look every five seconds.
const SETTLE: Duration = Duration::from_secs(11);

/// How many workers there may be, and those that are there.
pub(super) struct Elastic {
    least: usize,
    most: usize,
    pub(super) workers: Vec<Part>,
    /// They end what they run.
    pub(super) leaving: Vec<Part>,
    started: usize,
    again: Instant,
}

/// How busy the cluster is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Load {
    /// The part of all places that is taken, from 0 to 1.
    utilisation: f64,
    /// Steps that no host has.
    queue: u64,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    More,
    Fewer,
    Nothing,
}

impl Elastic {
    /// None yet.
    pub(super) fn new(least: usize, most: usize) -> Self {
        Self { least, most, workers: Vec::new(), leaving: Vec::new(), started: 0, again: Instant::now() }
    }

    /// Whether there is to be any worker at all, and the last change has shown.
    pub(super) fn wants_to_know(&self) -> bool {
        self.most > 0 && Instant::now() >= self.again
    }

    /// The name of the next worker.
    pub(super) fn next_name(&mut self) -> String {
        self.started += 1;
        format!("worker {}", self.started)
    }

    /// What the load asks for. None is known of a cluster in which nobody answers.
    pub(super) fn change(&self, load: Option<Load>) -> Change {
        change(load, self.workers.len(), self.least, self.most)
    }

    /// The number of workers has changed.
    pub(super) fn changed(&mut self) {
        // The least are started at once.
        self.again = Instant::now() + if self.workers.len() < self.least { Duration::ZERO } else { SETTLE };
    }

    /// Takes out those that have ended, with what they said last.
    pub(super) fn fallen(&mut self) -> Vec<String> {
        self.leaving.retain_mut(|worker| worker.ended().is_none());
        let mut words = Vec::new();
        self.workers.retain_mut(|worker| match worker.ended() {
            Some(status) => {
                words.push(worker.last_words(status));
                false
            }
            None => true,
        });
        if !words.is_empty() {
            self.again = Instant::now() + SETTLE;
        }
        words
    }

    /// All of them, to be ended.
    pub(super) fn all(self) -> impl Iterator<Item = Part> {
        self.workers.into_iter().chain(self.leaving)
    }
}

fn change(load: Option<Load>, running: usize, least: usize, most: usize) -> Change {
    if running < least {
        return Change::More;
    }
    match load {
        Some(load) if running < most && (load.utilisation >= UP || load.queue > 0) => Change::More,
        Some(load) if running > least && load.utilisation <= DOWN && load.queue == 0 => Change::Fewer,
        _ => Change::Nothing,
    }
}

/// Asks the host of a store how busy the cluster is.
pub(super) async fn load(store: PathBuf) -> Option<Load> {
    let ask = move || {
        let config = Config { store: StoreConfig { path: store, ..StoreConfig::default() }, ..Config::default() };
        Client::connect(&config, None).ok()?.ask(&Request::Status).ok()
    };
    read(&tokio::task::spawn_blocking(ask).await.ok()??)
}

fn read(status: &Value) -> Option<Load> {
    let scale = status.get("cluster")?.get("scale")?;
    Some(Load { utilisation: scale.get("utilisation")?.as_f64()?, queue: scale.get("queue")?.as_u64()? })
}

#[cfg(test)]
mod tests {
    use super::{Change, Load, change, read};

    fn at(utilisation: f64, queue: u64) -> Option<Load> {
        Some(Load { utilisation, queue })
    }

    #[test]
    fn workers_come_and_go_between_the_least_and_the_most() {
        assert_eq!(change(None, 0, 2, 4), Change::More);
        assert_eq!(change(None, 2, 2, 4), Change::Nothing);
        assert_eq!((change(at(0.8, 0), 2, 2, 4), change(at(0.1, 1), 2, 2, 4)), (Change::More, Change::More));
        assert_eq!((change(at(1.0, 9), 4, 2, 4), change(at(0.5, 0), 3, 2, 4)), (Change::Nothing, Change::Nothing));
        assert_eq!((change(at(0.3, 0), 3, 2, 4), change(at(0.0, 0), 2, 2, 4)), (Change::Fewer, Change::Nothing));
    }

    #[test]
    fn the_load_is_read_from_what_a_host_says_of_itself() {
        let status = serde_json::json!({ "cluster": { "scale": { "utilisation": 0.25, "queue": 3 } } });
        assert_eq!(read(&status), at(0.25, 3));
        assert_eq!((read(&serde_json::json!({ "cluster": null })), read(&serde_json::json!({}))), (None, None));
    }
}
