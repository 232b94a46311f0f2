//! How to connect.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// How to connect to NATS, and what is shared there.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where servers are: `nats://HOST:PORT` or `tls://HOST:PORT`. One is enough; a cluster names the others.
    pub servers: Vec<String>,
    /// Whose streams and subjects these are.
    pub namespace: Namespace,
    /// Who connects.
    pub auth: Auth,
    /// Encryption.
    pub tls: Tls,
    /// How many servers keep each message. Without it three in a cluster, one otherwise.
    pub replicas: Option<usize>,
    /// How long one connection attempt or one request may take.
    pub timeout: Duration,
    /// Whether servers may be used that the first one names, but the settings do not.
    pub discover: bool,
}

impl Settings {
    /// One or more servers, and nothing else of note.
    #[must_use]
    pub fn new(servers: Vec<String>) -> Self {
        Self {
            servers,
            namespace: Namespace::default(),
            auth: Auth::None,
            tls: Tls::default(),
            replicas: None,
            timeout: Duration::from_secs(5),
            discover: true,
        }
    }
}

/// Who connects.
#[derive(Clone, Default)]
pub enum Auth {
    /// Whoever is let in without a name, or named in the server's URL.
    #[default]
    None,
    /// Whoever knows the token.
    Token(String),
    /// A user with a password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A credentials file, with a JWT and the key that signs.
    Credentials(PathBuf),
}

impl fmt::Debug for Auth {
    /// Without what is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Token(_) => "Token",
            Self::Password { .. } => "Password",
            Self::Credentials(_) => "Credentials",
        })
    }
}

/// Encryption.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Whether a server without it is refused.
    pub required: bool,
    /// Certificates of authorities to trust beside those of the system, as PEM.
    pub ca: Option<PathBuf>,
    /// The client's certificate and key, as PEM.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// Whose streams and subjects these are: all names on the server have it in them, so that several can share one account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Namespace(String);

/// So many characters may be in a namespace.
const MAX_NAMESPACE: usize = 32;

impl Namespace {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Namespace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if text.is_empty() || text.len() > MAX_NAMESPACE || !text.chars().all(plain) {
            return Err(format!("`{text}` is no namespace: write 1 to {MAX_NAMESPACE} letters, digits, `-` or `_`"));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Auth, Namespace};

    #[test]
    fn a_namespace_is_one_part_of_a_subject() {
        assert_eq!("team-1_a".parse::<Namespace>().unwrap().as_str(), "team-1_a");
        for bad in ["", "a.b", "a b", "*", ">", "ä", &"x".repeat(33)] {
            assert!(bad.parse::<Namespace>().is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let auth = Auth::Password { user: "me".to_owned(), password: "secret".to_owned() };
        assert!(!format!("{auth:?}").contains("secret"));
    }
}
