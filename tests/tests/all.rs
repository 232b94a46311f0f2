//! End-to-end tests: the real binary, real components, real files.

#[cfg(test)]
#[path = "all/bad_input.rs"]
mod bad_input;
#[cfg(test)]
#[path = "all/cashcow.rs"]
mod cashcow;
#[cfg(test)]
#[path = "all/chaos.rs"]
mod chaos;
#[cfg(test)]
#[path = "all/cluster/mod.rs"]
mod cluster;
#[cfg(test)]
#[path = "all/commands.rs"]
mod commands;
#[cfg(test)]
#[path = "all/control.rs"]
mod control;
#[cfg(test)]
#[path = "all/copies.rs"]
mod copies;
#[cfg(test)]
#[path = "all/crash.rs"]
mod crash;
#[cfg(test)]
#[path = "all/deploy.rs"]
mod deploy;
#[cfg(test)]
#[path = "all/dev.rs"]
mod dev;
#[cfg(test)]
#[path = "all/digest.rs"]
mod digest;
#[cfg(test)]
#[path = "all/docs.rs"]
mod docs;
#[cfg(test)]
#[path = "all/driven.rs"]
mod driven;
#[cfg(test)]
#[path = "all/failures.rs"]
mod failures;
#[cfg(test)]
#[path = "all/gates.rs"]
mod gates;
#[cfg(test)]
#[path = "all/history.rs"]
mod history;
#[cfg(test)]
#[path = "all/hooks.rs"]
mod hooks;
#[cfg(test)]
#[path = "all/large_results.rs"]
mod large_results;
#[cfg(test)]
#[path = "all/machine.rs"]
mod machine;
#[cfg(test)]
#[path = "all/mail.rs"]
mod mail;
#[cfg(test)]
#[path = "all/messages.rs"]
mod messages;
#[cfg(test)]
#[path = "all/owners.rs"]
mod owners;
#[cfg(test)]
#[path = "all/parts.rs"]
mod parts;
#[cfg(test)]
#[path = "all/patterns.rs"]
mod patterns;
#[cfg(test)]
#[path = "all/planned.rs"]
mod planned;
#[cfg(test)]
#[path = "all/plugins.rs"]
mod plugins;
#[cfg(test)]
#[path = "all/ports.rs"]
mod ports;
#[cfg(test)]
#[path = "all/pulled.rs"]
mod pulled;
#[cfg(test)]
#[path = "all/recovery.rs"]
mod recovery;
#[cfg(test)]
#[path = "all/registry.rs"]
mod registry;
#[cfg(test)]
#[path = "all/roles.rs"]
mod roles;
#[cfg(test)]
#[path = "all/rules.rs"]
mod rules;
#[cfg(test)]
#[path = "all/serve.rs"]
mod serve;
#[cfg(test)]
#[path = "all/service.rs"]
mod service;
#[cfg(test)]
#[path = "all/sessions.rs"]
mod sessions;
#[cfg(test)]
#[path = "all/store.rs"]
mod store;
#[cfg(test)]
#[path = "all/tls.rs"]
mod tls;
#[cfg(test)]
#[path = "all/trials.rs"]
mod trials;
#[cfg(test)]
#[path = "all/undo.rs"]
mod undo;
#[cfg(test)]
#[path = "all/versions.rs"]
mod versions;
#[cfg(test)]
#[path = "all/why.rs"]
mod why;
#[cfg(test)]
#[path = "all/witness.rs"]
mod witness;
