//! What is shared over NATS, against real servers, in one binary.

#[cfg(test)]
#[path = "all/agents.rs"]
mod agents;
#[cfg(test)]
#[path = "all/ambiguous.rs"]
mod ambiguous;
#[cfg(test)]
#[path = "all/cluster.rs"]
mod cluster;
#[cfg(test)]
#[path = "all/connection.rs"]
mod connection;
#[cfg(test)]
#[path = "all/hooks.rs"]
mod hooks;
#[cfg(test)]
#[path = "all/journal.rs"]
mod journal;
#[cfg(test)]
#[path = "all/messages.rs"]
mod messages;
#[cfg(test)]
#[path = "all/replica.rs"]
mod replica;
#[cfg(test)]
#[path = "all/site.rs"]
mod site;
#[cfg(test)]
#[path = "all/tasks.rs"]
mod tasks;
