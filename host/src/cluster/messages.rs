//! What a process of a cluster sends beyond its store, and what comes from there.

use std::sync::Arc;

use bus::LocalBus;
use bus::nats::{Delivery, NatsOutside};

use super::{Cluster, hooks};
use crate::config::Config;
use crate::exit::Problem;

/// As long as it is held, messages come in, and handlers of hooks are told.
#[derive(Debug)]
pub(crate) struct Deliveries {
    _messages: Delivery,
    _hooks: Option<Delivery>,
}

/// The bus of a process: in a cluster its questions and messages go there, and messages come from there as long as what is given
/// beside it is held. `refused` is told the subject of a message that is none, and why.
///
/// # Errors
/// The servers do not answer, or do not let this client make what is missing.
pub(crate) fn connect(
    config: &Config,
    bus: LocalBus,
    refused: impl Fn(&str, &str) + Send + Sync + 'static,
) -> Result<(LocalBus, Option<Deliveries>), Problem> {
    let Some(cluster) = Cluster::join(config)? else { return Ok((bus, None)) };
    let outside = NatsOutside::open(&cluster.connection)?;
    let bus = bus.with_outside(Arc::new(outside.clone()));
    let delivery = outside.messages().deliver(&cluster.connection, bus.clone(), Arc::new(refused));
    let hooks = hooks::tell(config)?;
    Ok((bus, Some(Deliveries { _messages: delivery, _hooks: hooks })))
}
