//! The engine's tests over hand-made plans: the core step by step (`core_*`), the shell on tokio (`shell`), tests of flows (`trial`).

#[cfg(test)]
mod core_change;
#[cfg(test)]
mod core_control;
#[cfg(test)]
mod core_escalation;
#[cfg(test)]
mod core_failure;
#[cfg(test)]
mod core_forms;
#[cfg(test)]
mod core_hooks;
#[cfg(test)]
mod core_migrate;
#[cfg(test)]
mod core_outbox;
#[cfg(test)]
mod core_race;
#[cfg(test)]
mod core_recovery;
#[cfg(test)]
mod core_retry;
#[cfg(test)]
mod core_rules;
#[cfg(test)]
mod core_timing;
#[cfg(test)]
mod core_undo;
#[cfg(test)]
mod core_wait;
#[cfg(test)]
mod flows;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod script;
#[cfg(test)]
mod shell;
#[cfg(test)]
mod shell_ask;
#[cfg(test)]
mod shell_clock;
#[cfg(test)]
mod shell_control;
#[cfg(test)]
mod shell_elsewhere;
#[cfg(test)]
mod shell_gates;
#[cfg(test)]
mod shell_mail;
#[cfg(test)]
mod shell_plan;
#[cfg(test)]
mod shell_vault;
#[cfg(test)]
mod trial;
#[cfg(test)]
mod trial_crash;
