//! What is wrong with a connection or a server, in words that say how to mend it.

use std::error::Error as _;
use std::fmt::Display;

use async_nats::ConnectErrorKind;
use engine::ports::JournalError;

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// An address cannot be read, or a file that is named is not there.
    #[error("{0}")]
    Settings(String),
    /// Nobody answers.
    #[error("no NATS server answers at {servers}: {why}; start one with `nats-server -js`, or check the address")]
    Unreachable {
        /// The addresses.
        servers: String,
        /// What the client says.
        why: String,
    },
    /// The server does not let this client in.
    #[error("the NATS server at {servers} refuses this client ({why}); check user and password, token, or credentials file")]
    Refused {
        /// The addresses.
        servers: String,
        /// What the server says.
        why: String,
    },
    /// Encryption does not come about.
    #[error("no encrypted connection to the NATS server at {servers}: {why}; check the authority's and the client's certificate")]
    Tls {
        /// The addresses.
        servers: String,
        /// What the client says.
        why: String,
    },
    /// The server is of an older version.
    #[error("the NATS server `{server}` has version {found}, and {oldest} is the oldest that is supported; upgrade it")]
    TooOld {
        /// Its name.
        server: String,
        /// Its version.
        found: String,
        /// The oldest one.
        oldest: String,
    },
    /// The server or the account has no JetStream.
    #[error("{0}")]
    NoJetStream(String),
    /// Another problem.
    #[error("the NATS server at {servers} cannot be used: {why}")]
    Other {
        /// The addresses.
        servers: String,
        /// What is wrong.
        why: String,
    },
}

impl From<ConnectError> for JournalError {
    fn from(error: ConnectError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// What the client says of a connection that it did not get.
pub(super) fn from_connect(servers: &str, error: &async_nats::ConnectError) -> ConnectError {
    let why = innermost(error);
    let servers = servers.to_owned();
    match error.kind() {
        ConnectErrorKind::ServerParse => {
            ConnectError::Settings(format!("`{servers}` is no address of a NATS server ({why}); write it as `nats://HOST:PORT`"))
        }
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => ConnectError::Refused { servers, why },
        ConnectErrorKind::Tls => ConnectError::Tls { servers, why },
        _ if is_of_tls(error) => ConnectError::Tls { servers, why },
        _ => ConnectError::Unreachable { servers, why },
    }
}

/// Whether the cause of an error is one of encryption, which the client hands on as one of reading or writing.
fn is_of_tls(error: &async_nats::ConnectError) -> bool {
    let mut cause = error.source();
    while let Some(next) = cause {
        let inner = next.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<async_nats::rustls::Error>) {
            return true;
        }
        cause = next.source();
    }
    false
}

/// The cause of all causes.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// The error that the server itself gave, where it is among the causes.
pub(super) fn of_the_server<K>(error: &async_nats::error::Error<K>) -> Option<&async_nats::jetstream::Error>
where
    K: Clone + std::fmt::Debug + Display + PartialEq,
{
    let mut cause = error.source();
    while let Some(next) = cause {
        if let Some(found) = next.downcast_ref() {
            return Some(found);
        }
        cause = next.source();
    }
    None
}

/// A problem with what is stored on NATS.
pub(super) fn unavailable(what: impl Display) -> JournalError {
    JournalError::Unavailable(format!("the store on NATS {what}"))
}
