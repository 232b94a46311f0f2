//! `[nats]`: the cluster that a store is shared over.

use std::path::{Path, PathBuf};

use bus::nats::{Auth, Namespace, Settings, Tls};
use serde::Deserialize;

use crate::exit::Problem;

/// `[nats]`. Without a URL, here or on the command line, nothing is shared.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NatsConfig {
    /// Where servers are; one is enough, a cluster names the others.
    pub(crate) url: Option<Urls>,
    /// Whose streams these are.
    pub(crate) namespace: Option<String>,
    /// A file with a JWT and its key, relative to the configuration file.
    pub(crate) credentials: Option<PathBuf>,
    pub(crate) user: Option<String>,
    /// The environment variable that holds the password.
    pub(crate) password_env: Option<String>,
    /// The environment variable that holds a token.
    pub(crate) token_env: Option<String>,
    /// How many servers keep each message.
    pub(crate) replicas: Option<usize>,
    pub(crate) tls: TlsConfig,
    /// Whether the URL is that of `--nats` or FLOWHOST_NATS, not that of the configuration.
    #[serde(skip)]
    pub(crate) asked_for: bool,
}

/// One or more.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Urls {
    One(String),
    Many(Vec<String>),
}

/// `[nats.tls]`; files are relative to the configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TlsConfig {
    /// Whether a server without encryption is refused.
    pub(crate) required: bool,
    /// Certificates of authorities to trust.
    pub(crate) ca: Option<PathBuf>,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

impl Urls {
    /// As the command line writes them: with commas between them.
    pub(crate) fn split(text: &str) -> Self {
        Self::Many(text.split(',').map(|url| url.trim().to_owned()).filter(|url| !url.is_empty()).collect())
    }

    fn list(&self) -> Vec<String> {
        match self {
            Self::One(text) => match Self::split(text) {
                Self::Many(all) => all,
                Self::One(one) => vec![one],
            },
            Self::Many(all) => all.clone(),
        }
    }
}

impl NatsConfig {
    /// How to connect; none where nothing is shared.
    ///
    /// # Errors
    /// What is configured does not fit together, or a variable that is named is not set.
    pub(crate) fn settings(&self, folder: &Path) -> Result<Option<Settings>, Problem> {
        let servers = self.url.as_ref().map(Urls::list).unwrap_or_default();
        if servers.is_empty() {
            return Ok(None);
        }
        let namespace = self.namespace.as_deref().map(str::parse::<Namespace>).transpose();
        let namespace = namespace.map_err(|why| Problem::usage(format!("`[nats] namespace`: {why}")))?.unwrap_or_default();
        if self.replicas.is_some_and(|replicas| !(1..=5).contains(&replicas)) {
            return Err(Problem::usage("`[nats] replicas` must be between 1 and 5").help("1, 3 or 5 servers keep each message"));
        }
        let (auth, tls) = (self.auth(folder)?, self.tls.settings(folder)?);
        Ok(Some(Settings { namespace, auth, tls, replicas: self.replicas, ..Settings::new(servers) }))
    }

    fn auth(&self, folder: &Path) -> Result<Auth, Problem> {
        match (&self.credentials, &self.user, &self.password_env, &self.token_env) {
            (None, None, None, None) => Ok(Auth::None),
            (Some(file), None, None, None) => Ok(Auth::Credentials(folder.join(file))),
            (None, Some(user), Some(name), None) => {
                Ok(Auth::Password { user: user.clone(), password: variable("password_env", name)? })
            }
            (None, None, None, Some(name)) => Ok(Auth::Token(variable("token_env", name)?)),
            _ => Err(Problem::usage("`[nats]` says in more than one way, or only in part, who connects")
                .help("write `credentials`, or `user` and `password_env`, or `token_env`")),
        }
    }
}

impl TlsConfig {
    fn settings(&self, folder: &Path) -> Result<Tls, Problem> {
        let client = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some((folder.join(certificate), folder.join(key))),
            (None, None) => None,
            _ => return Err(Problem::usage("`[nats.tls]` has a `certificate` or a `key`, and needs both or none")),
        };
        Ok(Tls { required: self.required, ca: self.ca.as_ref().map(|ca| folder.join(ca)), client })
    }
}

fn variable(key: &str, name: &str) -> Result<String, Problem> {
    std::env::var(name).map_err(|_| {
        Problem::usage(format!("`[nats] {key}` names the environment variable `{name}`, which is not set"))
            .help("set it, or name another one")
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bus::nats::Auth;

    use super::NatsConfig;

    fn read(text: &str) -> NatsConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn servers_are_a_list_or_a_text() {
        assert!(read("").settings(Path::new("")).unwrap().is_none());
        for text in ["url = \"nats://a:1, nats://b:2\"", "url = [\"nats://a:1\", \"nats://b:2\"]"] {
            let settings = read(text).settings(Path::new("")).unwrap().unwrap();
            assert_eq!(settings.servers, ["nats://a:1", "nats://b:2"]);
        }
    }

    #[test]
    fn who_connects_is_said_in_one_way() {
        let of = |text: &str| read(&format!("url = \"nats://a\"\n{text}")).settings(Path::new("conf"));
        assert!(
            matches!(of("credentials = \"a.creds\"").unwrap().unwrap().auth, Auth::Credentials(path) if path == Path::new("conf/a.creds"))
        );
        let wrong = [
            "user = \"me\"",
            "user = \"me\"\ntoken_env = \"X\"",
            "token_env = \"FLOWHOST_NO_SUCH_VARIABLE\"",
            "namespace = \"a.b\"",
        ];
        for text in wrong.into_iter().chain(["replicas = 0", "[tls]\nkey = \"k\""]) {
            assert!(of(text).is_err(), "{text}");
        }
    }
}
