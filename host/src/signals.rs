//! What the operating system asks of a process that drives runs: to stop.

use std::future::pending;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::{Exit, Problem};

/// Signals that ask a process to stop. The first one lets what runs end; who sends a second does not want to wait.
pub(crate) struct Stops {
    interrupts: Signal,
    terminations: Signal,
    /// None where whoever started the process does not want it to end with the terminal, as `nohup` does.
    hangups: Option<Signal>,
}

impl Stops {
    /// From now on these signals do not end the process by themselves. Needs a runtime.
    pub(crate) fn listen() -> Result<Self, Problem> {
        let on = |kind| signal(kind).map_err(|error| Problem::new(Exit::Store, format!("signals cannot be received: {error}")));
        let hangups = if ignores_hangups() { None } else { Some(on(SignalKind::hangup())?) };
        Ok(Self { interrupts: on(SignalKind::interrupt())?, terminations: on(SignalKind::terminate())?, hangups })
    }

    /// The next one: what it means.
    pub(crate) async fn next(&mut self) -> &'static str {
        let hangups = &mut self.hangups;
        let hangup = async {
            match hangups {
                Some(hangups) => hangups.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupts.recv() => "interrupted",
            _ = self.terminations.recv() => "terminated",
            _ = hangup => "its terminal was closed",
        }
    }
}

/// Whether the process was started with hang-ups ignored. Where that cannot be told, it was not.
fn ignores_hangups() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&status) & 1 != 0
}

/// The set of ignored signals in the text of a process's status; the first signal is the lowest bit.
fn ignored(status: &str) -> u64 {
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::ignored;

    #[test]
    fn the_set_of_ignored_signals_is_read() {
        let status = "Name:\thost\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0000000100000440\n";
        assert_eq!(ignored(status), 0x1001);
        assert_eq!((ignored(""), ignored("SigIgn:\tnumber\n")), (0, 0));
    }
}
