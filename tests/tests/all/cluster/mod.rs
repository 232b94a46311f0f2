//! Hosts that share their runs over NATS: real servers, real processes, and each host with a folder and a store of its own.

mod servers;

use e2e::Site;

use crate::service::Service;

/// `host serve` in a site of its own, on these servers.
pub(crate) fn serve<'a>(site: &'a Site, servers: &str) -> Service<'a> {
    Service::start(site, &["--nats", servers])
}
