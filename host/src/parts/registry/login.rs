//! Answers a registry that wants to know who asks.

use hyper::StatusCode;
use hyper::header::AUTHORIZATION;
use lang::ComponentProblem;

use super::super::problem;
use super::super::wire::Token;
use super::MAX_TOKEN;
use super::challenge::{self, Challenge};
use super::connect::{Client, Question, Url};
use super::credentials::Credentials;

/// What to send as `Authorization`; none when that needs credentials, and there are none that are right.
pub(super) async fn authorization(
    client: &Client,
    registry: &Url,
    challenge: &str,
    scope: &str,
    credentials: Option<&Credentials>,
) -> Result<Option<String>, ComponentProblem> {
    match challenge::parse(challenge) {
        None => Err(problem(format!("`{}` wants to know who asks in a way that is not known", registry.authority()), "")),
        Some(Challenge::Basic) => Ok(credentials.map(Credentials::basic)),
        Some(Challenge::Bearer { realm, service, scope: wanted }) => {
            let mut url = registry.join(&realm)?;
            if let Some(service) = &service {
                url = url.with_query("service", service);
            }
            url = url.with_query("scope", wanted.as_deref().unwrap_or(scope));
            token(client, &url, credentials).await
        }
    }
}

async fn token(client: &Client, url: &Url, credentials: Option<&Credentials>) -> Result<Option<String>, ComponentProblem> {
    let mut question = Question::get(url, MAX_TOKEN);
    if let Some(credentials) = credentials {
        question = question.with(AUTHORIZATION, &credentials.basic());
    }
    let answer = client.ask(&question).await?;
    match answer.status {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Ok(None),
        status => {
            let message =
                format!("`{}`, which gives the registry's tokens, answered with status {}", url.authority(), status.as_u16());
            return Err(problem(message, ""));
        }
    }
    let given: Option<Token> = serde_json::from_slice(&answer.body).ok();
    let token = given.and_then(|given| given.token.or(given.access_token)).filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| problem(format!("`{}` gave no token", url.authority()), ""))?;
    Ok(Some(format!("Bearer {token}")))
}
