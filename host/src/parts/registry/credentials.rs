//! Who asks a registry: from Docker's configuration, which `docker login` and other tools write.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lang::ComponentProblem;

use super::super::problem;
use super::super::wire::DockerConfig;

/// A name and its password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) name: String,
    pub(super) password: String,
}

/// What is known of who asks.
#[derive(Default)]
pub(super) struct Known {
    pub(super) credentials: Option<Credentials>,
    /// A program that keeps the password. Programs that a file names are not started.
    pub(super) helper: Option<String>,
}

impl Credentials {
    /// The value of the header `Authorization` that says so.
    pub(super) fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.name, self.password)))
    }
}

/// What Docker's configuration says of a registry; nothing when there is none.
pub(super) fn of_docker(host: &str) -> Result<Known, ComponentProblem> {
    let folder = std::env::var_os("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker")));
    let Some(path) = folder.map(|folder| folder.join("config.json")) else { return Ok(Known::default()) };
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(Known::default()) };
    read(&text, host).map_err(|reason| problem(format!("`{}` cannot be used: {reason}", path.display()), ""))
}

fn read(text: &str, host: &str) -> Result<Known, String> {
    let config: DockerConfig = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let names = names(host);
    let entry = names.iter().find_map(|name| config.auths.get(name)?.auth.as_deref().filter(|auth| !auth.is_empty()));
    let Some(auth) = entry else {
        let helper = names.iter().find_map(|name| config.cred_helpers.get(name)).or(config.creds_store.as_ref());
        return Ok(Known { credentials: None, helper: helper.map(|helper| format!("docker-credential-{helper}")) });
    };
    // The reason of a decoder could show parts of the password.
    let unreadable = || format!("the `auth` of `{host}` is not a name and a password in base64");
    let text = STANDARD.decode(auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(unreadable)?;
    let (name, password) = text.split_once(':').ok_or_else(unreadable)?;
    Ok(Known { credentials: Some(Credentials { name: name.to_owned(), password: password.to_owned() }), helper: None })
}

/// What a registry is called there.
fn names(host: &str) -> Vec<String> {
    let mut names = vec![host.to_owned(), format!("https://{host}"), format!("https://{host}/")];
    if host == "docker.io" {
        names.push("https://index.docker.io/v1/".to_owned());
    }
    names
}

#[cfg(test)]
mod tests {
    use super::read;

    fn known(text: &str, host: &str) -> (Option<(String, String)>, Option<String>) {
        let found = read(text, host).unwrap();
        (found.credentials.map(|found| (found.name, found.password)), found.helper)
    }

    #[test]
    fn what_docker_keeps() {
        let text = r#"{"auths": {"a.b:5000": {"auth": "bWU6cDp3"}, "https://index.docker.io/v1/": {"auth": "bWU6cHc="}, "kept": {}},
            "credsStore": "desktop", "credHelpers": {"gcr.io": "gcloud"}, "HttpHeaders": {}}"#;
        assert_eq!(known(text, "a.b:5000").0, Some(("me".to_owned(), "p:w".to_owned())));
        assert_eq!(known(text, "docker.io").0, Some(("me".to_owned(), "pw".to_owned())));
        assert_eq!(known(text, "gcr.io"), (None, Some("docker-credential-gcloud".to_owned())));
        assert_eq!(known(text, "kept"), (None, Some("docker-credential-desktop".to_owned())));
        assert_eq!(known("{}", "a"), (None, None));
    }

    #[test]
    fn a_password_is_never_shown() {
        let error = read(r#"{"auths": {"a": {"auth": "c2VjcmV0"}}}"#, "a").err().unwrap();
        assert_eq!(error, "the `auth` of `a` is not a name and a password in base64");
    }
}
