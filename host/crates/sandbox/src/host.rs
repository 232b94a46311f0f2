//! What the host offers to guests, linked once for all of them.

use wasmtime::component::Linker;

use crate::state::State;

pub(crate) mod http;
pub(crate) mod mail;
mod plugin;
mod wasi;

/// Packages that are offered, with the versions that fit.
const OFFERED: [(&str, &str, &[&str]); 8] = [
    (
        "wasi:cli",
        "0.2",
        &[
            "environment",
            "exit",
            "stdin",
            "stdout",
            "stderr",
            "terminal-input",
            "terminal-output",
            "terminal-stdin",
            "terminal-stdout",
            "terminal-stderr",
        ],
    ),
    ("wasi:clocks", "0.2", &["wall-clock", "monotonic-clock"]),
    ("wasi:filesystem", "0.2", &["types", "preopens"]),
    ("wasi:http", "0.2", &["types", "outgoing-handler"]),
    ("wasi:io", "0.2", &["error", "poll", "streams"]),
    ("wasi:random", "0.2", &["random", "insecure", "insecure-seed"]),
    (
        "wasi:sockets",
        "0.2",
        &["network", "instance-network", "ip-name-lookup", "tcp", "tcp-create-socket", "udp", "udp-create-socket"],
    ),
    ("flowhost:plugin", "0.1", &["attempt", "failure", "log", "mail", "progress"]),
];

/// Links everything that guests may import.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasi::link(linker)?;
    http::link(linker)?;
    plugin::link(linker)?;
    mail::link(linker)
}

/// What is offered, for messages.
pub(crate) fn offers() -> String {
    OFFERED.map(|(package, version, _)| format!("`{package}@{version}`")).join(", ")
}

/// Why an import cannot be satisfied; none when it can.
pub(crate) fn missing(import: &str) -> Option<String> {
    let (path, version) = import.split_once('@').unwrap_or((import, ""));
    let Some((package, interface)) = path.split_once('/') else {
        return Some(format!("`{import}`, which is not an interface of the host"));
    };
    let Some((_, offered, interfaces)) = OFFERED.iter().find(|(name, ..)| *name == package) else {
        return Some(format!("`{import}`"));
    };
    if !interfaces.contains(&interface) {
        return Some(format!("`{import}`, which the host does not have in `{package}`"));
    }
    let fits = version.strip_prefix(offered).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    // Before 0.2.0 there were release candidates, which differ.
    (!fits || version.contains("-rc")).then(|| format!("`{import}`, which the host has as version {offered}"))
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn imports_are_checked_by_package_interface_and_version() {
        assert_eq!(missing("wasi:cli/environment@0.2.3"), None);
        assert_eq!(missing("flowhost:plugin/log@0.1.0"), None);
        assert_eq!(missing("acme:kv/store@1.0.0").as_deref(), Some("`acme:kv/store@1.0.0`"));
        assert!(missing("wasi:cli/environment@0.3.0").is_some_and(|text| text.contains("version 0.2")));
        assert!(missing("wasi:http/incoming-handler@0.2.0").is_some_and(|text| text.contains("does not have")));
        assert!(missing("wasi:cli/exit@0.2.0-rc-2023-11-10").is_some());
        assert!(missing("top-level").is_some());
    }
}
