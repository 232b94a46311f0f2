//! What can be done to a cluster.

use async_nats::jetstream::{self, stream};
use testkit::nats::{Proxy, Server, Way};

use super::rig::{Rig, now};
use crate::service::eventually;

/// The stream of the journal.
const EVENTS: &str = "FLOW_EVENTS_default";

/// The stream of steps that wait for a host with room.
const TASKS: &str = "FLOW_TASKS_default";

/// How much is said at once to hosts of which one reads slowly: so many messages with so many bytes.
const NOISE: (usize, usize) = (8, 200_000);

/// What happens to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A host is killed and started again.
    HostKilled,
    /// A host is stopped until the others have its runs, and goes on.
    HostStopped,
    /// A host reaches no server until the others have its runs.
    HostCut,
    /// The connections of a host break.
    ConnectionLost,
    /// A host gets no answers for a while, but its requests arrive.
    AnswersHeld,
    /// A host reads so slowly that its server cuts it off.
    SlowReader,
    /// A worker is killed and started again.
    WorkerKilled,
    /// A worker is stopped until the hosts do not count on it any more, and goes on.
    WorkerStopped,
    /// A worker reaches no server until the hosts do not count on it any more.
    WorkerCut,
    /// The server that leads the journal's stream is killed and started again.
    LeaderKilled,
    /// The same one is stopped for a while.
    LeaderStopped,
    /// The server that leads the stream of waiting steps is killed and started again.
    QueueKilled,
    /// Another server than the journal's leader is killed and started again.
    ServerKilled,
    /// All servers are killed at once and started again.
    AllServersKilled,
    /// The journal's stream takes nothing for a while.
    StreamFull,
}

impl Fault {
    /// Whether a process is lost with the steps that it runs.
    pub(super) fn loses_steps(self) -> bool {
        match self {
            Self::HostKilled | Self::HostStopped | Self::HostCut => true,
            Self::WorkerKilled | Self::WorkerStopped | Self::WorkerCut => true,
            Self::ConnectionLost | Self::AnswersHeld | Self::SlowReader | Self::StreamFull => false,
            Self::LeaderKilled | Self::LeaderStopped | Self::QueueKilled | Self::ServerKilled | Self::AllServersKilled => false,
        }
    }
}

impl Rig<'_> {
    pub(super) fn suffer(&mut self, fault: Fault, host: usize) {
        let worker = host % self.workers.len();
        match fault {
            Fault::HostKilled => {
                self.hosts[host].take().unwrap().kill();
                self.outside.hold(false);
                self.start_host(host);
            }
            Fault::HostStopped => {
                let begin = now();
                self.host(host).signal("-STOP");
                self.outside.hold(false);
                self.is_missed(host);
                self.stops.push((begin, now()));
                self.host(host).signal("-CONT");
            }
            Fault::HostCut => self.cut_off(host, |rig| rig.is_missed(host)),
            Fault::ConnectionLost => self.proxies[host].iter().for_each(Proxy::cut),
            Fault::AnswersHeld => self.answers(host, Way::Held, Rig::goes_on),
            Fault::SlowReader => self.answers(host, Way::Slow, Rig::make_noise),
            Fault::WorkerKilled => {
                drop(self.workers[worker].take());
                self.outside.hold(false);
                self.start_worker(worker);
            }
            Fault::WorkerStopped => {
                let begin = now();
                self.worker(worker, "-STOP");
                self.outside.hold(false);
                self.a_worker_is_missed();
                self.stops.push((begin, now()));
                self.worker(worker, "-CONT");
            }
            Fault::WorkerCut => self.cut_off(self.sites.len() + worker, Rig::a_worker_is_missed),
            Fault::LeaderKilled => self.kill_server(self.leader(EVENTS)),
            Fault::QueueKilled => self.kill_server(self.leader(TASKS)),
            Fault::ServerKilled => self.kill_server((self.leader(EVENTS) + 1) % self.servers.servers.len()),
            Fault::LeaderStopped => {
                let leader = self.leader(EVENTS);
                self.servers.servers[leader].hang(true);
                self.goes_on();
                self.servers.servers[leader].hang(false);
                self.servers.wait_until_whole();
            }
            Fault::AllServersKilled => {
                self.servers.servers.iter_mut().for_each(Server::kill);
                self.servers.servers.iter_mut().for_each(Server::restart);
                self.servers.wait_until_whole();
            }
            Fault::StreamFull => {
                let before = self.refusals();
                self.fill(true);
                eventually("a host is refused", || (self.refusals() > before).then_some(()));
                self.fill(false);
            }
        }
    }

    fn worker(&self, number: usize, signal: &str) {
        self.workers[number].as_ref().unwrap().signal(signal);
    }

    /// Lets a process reach no server until something is seen.
    fn cut_off(&self, process: usize, until: impl FnOnce(&Self)) {
        self.proxies[process].iter().for_each(|proxy| proxy.close(true));
        self.outside.hold(false);
        until(self);
        self.proxies[process].iter().for_each(|proxy| proxy.close(false));
    }

    /// Lets a host get answers in another way until something is seen.
    fn answers(&self, host: usize, way: Way, until: impl FnOnce(&Self)) {
        self.proxies[host].iter().for_each(|proxy| proxy.set(Way::Open, way));
        until(self);
        self.proxies[host].iter().for_each(|proxy| proxy.set(Way::Open, Way::Open));
    }

    fn kill_server(&mut self, number: usize) {
        self.servers.servers[number].kill();
        self.goes_on();
        self.servers.servers[number].restart();
        self.servers.wait_until_whole();
    }

    /// The number of the server that leads a stream.
    fn leader(&self, stream: &str) -> usize {
        eventually("the stream has a leader", || self.servers.leader(stream))
    }

    /// Lets the journal's stream take no byte more than it has, or as many as there are.
    fn fill(&self, full: bool) {
        let urls = self.servers.urls();
        eventually("the stream is changed", || {
            self.runtime.block_on(async {
                let context = jetstream::new(async_nats::connect(&urls).await.ok()?);
                let info = context.get_stream(EVENTS).await.ok()?.info().await.ok()?.clone();
                let max_bytes = if full { info.state.bytes.try_into().ok()? } else { -1 };
                context.update_stream(stream::Config { max_bytes, ..info.config }).await.ok()
            })
        });
    }

    /// Sends messages, of which each host gets a copy, until a server has cut off somebody who did not read them.
    fn make_noise(&self) {
        let (urls, before, mut said) = (self.servers.urls(), self.cut_off_as_slow(), 0);
        eventually("a slow reader is cut off", || {
            self.runtime.block_on(async {
                let client = async_nats::connect(&urls).await.ok()?;
                let context = jetstream::new(client);
                for _ in 0..NOISE.0 {
                    said += 1;
                    let noise = "x".repeat(NOISE.1);
                    let event = format!(
                        r#"{{"specversion":"1.0","id":"{before}-{said}","source":"/tests","type":"noise","data":"{noise}"}}"#
                    );
                    context.publish("flow.default.event.noise", event.into()).await.ok()?.await.ok()?;
                }
                Some(())
            });
            (self.cut_off_as_slow() > before).then_some(())
        });
    }

    /// How many clients the servers have cut off because they did not read what they were sent.
    fn cut_off_as_slow(&self) -> u64 {
        let count = |server: &Server| server.monitor("/varz")?["slow_consumers"].as_u64();
        self.servers.servers.iter().filter_map(count).sum()
    }
}
