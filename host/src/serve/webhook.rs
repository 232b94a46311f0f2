//! `on webhook`: an HTTP listener that starts runs. It answers when the run is in the store, not when it has ended.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::event::Trace;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use super::Parts;
use super::accept::{self, Door};
use super::deployment::When;
use super::triggers::{self, Current, Firing};
use crate::commands::run;
use crate::exit::{Exit, Problem};
use crate::socket::Socket;

/// The longest body in bytes.
const MAX_BODY: usize = 1 << 20;

/// Connections at the same time; further ones wait.
const CONNECTIONS: usize = 256;

/// How long a request may take from its first byte to the answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Requests with the same value of this header start one run.
const KEY: &str = "idempotency-key";

/// Opens the listener. Gives where it is, for a port that was left to be chosen.
pub(super) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Problem> {
    let failed = |error: std::io::Error| Problem::usage(format!("`--listen {address}` is not possible: {error}"));
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Answers until the service ends.
pub(super) async fn listen(parts: Arc<Parts>, listener: TcpListener) {
    accept::listen(parts, listener, Door { failed: "http-failed", connections: CONNECTIONS }, serve).await;
}

async fn serve(parts: Arc<Parts>, stream: TcpStream) {
    let service = service_fn(move |request| {
        let parts = Arc::clone(&parts);
        async move { Ok::<_, Infallible>(respond(&parts, request).await) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    // Without a timer of hyper's own the whole exchange is bounded instead.
    let connection = http.keep_alive(false).max_buf_size(64 << 10).serve_connection(Socket(stream), service);
    // A peer that goes away in the middle is its own affair.
    drop(tokio::time::timeout(PATIENCE, connection).await);
}

async fn respond(parts: &Arc<Parts>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    match take(parts, request).await {
        Ok(run) => response(StatusCode::ACCEPTED, &json!({ "run": run })),
        Err((status, problem)) => response(status, &json!({ "error": problem.message, "help": problem.help })),
    }
}

fn response(status: StatusCode, document: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{document}\n"))));
    *response.status_mut() = status;
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, json);
    response
}

/// Starts the run of a request.
async fn take(parts: &Arc<Parts>, request: Request<Incoming>) -> Result<String, (StatusCode, Problem)> {
    let path = request.uri().path().to_owned();
    let (deployment, place) = find(parts, &path)?;
    let trigger = deployment.document.triggers.get(place).ok_or_else(|| unknown(&path))?;
    if request.method() != Method::POST {
        return Err((StatusCode::METHOD_NOT_ALLOWED, Problem::usage(format!("`{path}` takes POST requests only"))));
    }
    let key = match request.headers().get(KEY) {
        Some(value) => value.to_str().map(str::to_owned).map_err(|_| bad(format!("`{KEY}` is not text")))?,
        None => run::new_id().0.to_string(),
    };
    let trace = request.headers().get("traceparent").and_then(|value| Trace::parse(value.to_str().ok()?));
    let body = Limited::new(request.into_body(), MAX_BODY).collect().await.map_err(|error| {
        let what = format!("the body could not be read, or is longer than {MAX_BODY} bytes: {error}");
        (StatusCode::PAYLOAD_TOO_LARGE, Problem::usage(what))
    })?;
    let event = std::str::from_utf8(&body.to_bytes()).map_err(|error| error.to_string()).and_then(|text| {
        let parsed = catalog::json::parse_document(text).map_err(|error| error.to_string());
        parsed.map(Arc::unwrap_or_clone)
    });
    let event = event.map_err(|error| bad(format!("the body is not JSON: {error}")))?;
    let label = Some(("request", key.clone()));
    let firing = Firing { deployment: &deployment, trigger, key: &key, label, event: Some(event), trace };
    match triggers::start(parts, firing).await {
        Ok(run) => {
            parts.log.note("triggered", &[("deployment", &deployment.name), ("trigger", &trigger.item), ("run", &run.0)]);
            Ok(run.0.to_string())
        }
        Err(problem) if problem.exit == Exit::Store => Err((StatusCode::SERVICE_UNAVAILABLE, problem)),
        Err(problem) if problem.exit == Exit::Input => Err((StatusCode::BAD_REQUEST, problem)),
        Err(problem) => Err((StatusCode::INTERNAL_SERVER_ERROR, problem)),
    }
}

/// The deployment that has this path, and which of its triggers it is.
fn find(parts: &Parts, path: &str) -> Result<(Current, usize), (StatusCode, Problem)> {
    let stored = parts.reader.deployments().map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, error.into()))?;
    let current = stored.iter().filter_map(|stored| Current::read(stored)?.ok());
    for deployment in current {
        let fits = |when: &When| matches!(when, When::Webhook { path: wanted } if wanted == path);
        if let Some(place) = deployment.document.triggers.iter().position(|trigger| fits(&trigger.when)) {
            return Ok((deployment, place));
        }
    }
    Err(unknown(path))
}

fn unknown(path: &str) -> (StatusCode, Problem) {
    let problem = Problem::usage(format!("nothing is deployed for `{path}`")).help("`host deploy list` prints all triggers");
    (StatusCode::NOT_FOUND, problem)
}

fn bad(what: String) -> (StatusCode, Problem) {
    (StatusCode::BAD_REQUEST, Problem::usage(what))
}
