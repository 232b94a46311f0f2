//! Pulls a component out of an OCI registry.
//!
//! # Steps
//!
//! 1. The manifest is asked for by digest or tag. A registry that wants to know who asks says so, and [`login`] answers.
//! 2. The manifest must be that of a component: a configuration of `application/vnd.wasm.config.v0+json` and one layer
//!    of `application/wasm`.
//! 3. The layer is pulled, through redirects, up to the size that the manifest states, and must have its digest.
//!
//! Every wait and every size is bounded: the far side may be anything.

mod challenge;
mod connect;
mod credentials;
mod login;
mod manifest;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use catalog::Digest;
use hyper::StatusCode;
use hyper::header::{ACCEPT, AUTHORIZATION, LOCATION, WWW_AUTHENTICATE};
use lang::ComponentProblem;
use sha2::Digest as _;

use super::cache::Cache;
use super::problem;
use super::reference::Image;
use super::wire::Refusal;
use crate::config::{CatalogConfig, parse_duration};
use crate::exit::Problem;
use connect::{Answer, Bounds, Client, Question, Url};
use credentials::{Credentials, Known};

/// The longest manifest in bytes, as registries have it.
const MAX_MANIFEST: u64 = 4 << 20;

/// The longest answer of a token service in bytes.
const MAX_TOKEN: u64 = 256 << 10;

/// So many redirects are followed.
const MAX_REDIRECTS: u32 = 5;

/// The longest silence of a registry, unless the configuration says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most that a whole answer may take.
const MAX_TIME: Duration = Duration::from_secs(600);

/// What the configuration says of registries.
pub(super) struct Registries {
    configured: BTreeMap<String, Credentials>,
    /// Hosts whose password is not in the environment, with the name of the variable.
    unset: BTreeMap<String, String>,
    bounds: Bounds,
}

/// An image that was pulled.
pub(super) struct Pulled {
    /// Of the manifest.
    pub(super) manifest: Digest,
    pub(super) bytes: Arc<[u8]>,
}

impl Registries {
    pub(super) fn configured(config: &CatalogConfig) -> Result<Self, Problem> {
        let silence = config.timeout.as_deref().map(parse_duration).transpose()?.unwrap_or(PATIENCE);
        let (mut configured, mut unset) = (BTreeMap::new(), BTreeMap::new());
        for (host, entry) in &config.registry {
            match std::env::var(&entry.password_env) {
                Ok(password) => {
                    configured.insert(host.clone(), Credentials { name: entry.username.clone(), password });
                }
                Err(_) => {
                    unset.insert(host.clone(), entry.password_env.clone());
                }
            }
        }
        Ok(Self { configured, unset, bounds: Bounds { silence, whole: MAX_TIME } })
    }

    /// Pulls an image; one that is pinned by its manifest is asked for by that.
    pub(super) fn pull(&self, image: &Image, pinned: Option<Digest>, cache: &Cache) -> Result<Pulled, ComponentProblem> {
        let credentials = self.credentials(&image.host)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| problem(format!("no runtime: {error}"), ""))?;
        let client = Client::new(self.bounds)?;
        let mut pull = Pull { client, image, credentials, authorization: None };
        runtime.block_on(pull.run(pinned, cache))
    }

    fn credentials(&self, host: &str) -> Result<Known, ComponentProblem> {
        if let Some(variable) = self.unset.get(host) {
            let help = format!("`[catalog.registry.\"{host}\"]` names it in `flowhost.toml`");
            return Err(problem(format!("the environment has no `{variable}`, the password for `{host}`"), help));
        }
        match self.configured.get(host) {
            Some(found) => Ok(Known { credentials: Some(found.clone()), helper: None }),
            None => credentials::of_docker(host),
        }
    }
}

/// One pull.
struct Pull<'p> {
    client: Client,
    image: &'p Image,
    credentials: Known,
    /// What the registry wants in each request, once it has said so.
    authorization: Option<String>,
}

impl Pull<'_> {
    async fn run(&mut self, pinned: Option<Digest>, cache: &Cache) -> Result<Pulled, ComponentProblem> {
        let version = pinned.map_or_else(|| self.image.version(), |digest| digest.to_string());
        let url = self.url(&format!("manifests/{version}"))?;
        let answer = self.ask(&url, Some(manifest::ACCEPTED), MAX_MANIFEST).await?;
        let digest = Digest(sha2::Sha256::digest(&answer.body).into());
        if let Some(wanted) = pinned.or(self.image.digest)
            && wanted != digest
        {
            return Err(problem(format!("the registry gave a manifest with {digest} where {wanted} was asked for"), ""));
        }
        let layer = manifest::layer(&answer.body)?;
        if let Some(bytes) = cache.get(layer.digest) {
            return Ok(Pulled { manifest: digest, bytes });
        }
        let url = self.url(&format!("blobs/{}", layer.digest))?;
        let answer = self.ask(&url, None, layer.size).await?;
        let found = Digest(sha2::Sha256::digest(&answer.body).into());
        if found != layer.digest {
            let message = format!("the registry gave bytes with {found} where {} was asked for", layer.digest);
            return Err(problem(message, "try again; when that does not help, the registry or a proxy before it is broken"));
        }
        Ok(Pulled { manifest: digest, bytes: answer.body.into() })
    }

    fn url(&self, rest: &str) -> Result<Url, ComponentProblem> {
        Url::of_registry(&self.image.host, &format!("/v2/{}/{rest}", self.image.repository))
    }

    /// An answer of status 200, after the registry was told who asks, where it wants to know.
    async fn ask(&mut self, url: &Url, accept: Option<&'static str>, most: u64) -> Result<Answer, ComponentProblem> {
        let mut answer = self.follow(url, accept, most).await?;
        if answer.status == StatusCode::UNAUTHORIZED && self.authorization.is_none() {
            let challenge = answer.header(WWW_AUTHENTICATE).unwrap_or_default().to_owned();
            let scope = format!("repository:{}:pull", self.image.repository);
            let authorization =
                login::authorization(&self.client, url, &challenge, &scope, self.credentials.credentials.as_ref()).await?;
            let Some(authorization) = authorization else { return Err(self.refused(&answer)) };
            self.authorization = Some(authorization);
            answer = self.follow(url, accept, most).await?;
        }
        match answer.status {
            StatusCode::OK => Ok(answer),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.refused(&answer)),
            StatusCode::NOT_FOUND => Err(problem(
                format!("`{}` has no such image{}", self.image.host, reasons(&answer)),
                "look at the repository and the tag; some registries also say so of what one may not see",
            )),
            status => {
                Err(problem(format!("`{}` answered with status {}{}", self.image.host, status.as_u16(), reasons(&answer)), ""))
            }
        }
    }

    /// Follows redirects. Only the registry itself is told who asks.
    async fn follow(&self, url: &Url, accept: Option<&'static str>, most: u64) -> Result<Answer, ComponentProblem> {
        let mut at = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut question = Question::get(&at, most);
            if let Some(accept) = accept {
                question = question.with(ACCEPT, accept);
            }
            if let Some(authorization) = self.authorization.as_deref().filter(|_| at.is_at(url)) {
                question = question.with(AUTHORIZATION, authorization);
            }
            let answer = self.client.ask(&question).await?;
            if !answer.status.is_redirection() {
                return Ok(answer);
            }
            let to = answer.header(LOCATION).unwrap_or_default();
            at = at.join(to)?;
        }
        Err(problem(format!("`{}` redirected more than {MAX_REDIRECTS} times", self.image.host), ""))
    }

    fn refused(&self, answer: &Answer) -> ComponentProblem {
        let host = &self.image.host;
        let help = match (&self.credentials.credentials, &self.credentials.helper) {
            (Some(credentials), _) => format!("`{}` may not pull it, or the password is wrong", credentials.name),
            (None, Some(helper)) => format!(
                "Docker's configuration keeps the password for `{host}` in `{helper}`, which is not asked; write `[catalog.registry.\"{host}\"]` with `username` and `password_env` into `flowhost.toml`"
            ),
            (None, None) => format!(
                "log in with `docker login {host}`, or write `[catalog.registry.\"{host}\"]` with `username` and `password_env` into `flowhost.toml`"
            ),
        };
        problem(format!("`{host}` does not let it be pulled{}", reasons(answer)), help)
    }
}

/// What the body of a refusal says, if it says something.
fn reasons(answer: &Answer) -> String {
    let Ok(refusal) = serde_json::from_slice::<Refusal>(&answer.body) else { return String::new() };
    let Some(first) = refusal.errors.into_iter().next() else { return String::new() };
    let text = if first.message.is_empty() { first.code } else { first.message };
    let text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    if text.is_empty() { text } else { format!(": {text}") }
}
