//! An OCI registry in this process, which answers as a test tells it to.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What a path is answered with.
#[derive(Clone)]
pub(crate) struct Answer {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Only these requests get it; others are told to say who they are.
    wants: Option<(String, String)>,
    /// Whether the answer stops in the middle, with the connection open.
    hangs: bool,
    /// Bytes that are sent as they are, instead of HTTP.
    raw: bool,
}

impl Answer {
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status("200 OK", body)
    }

    pub(crate) fn status(status: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), wants: None, hangs: false, raw: false }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Only for requests with this header `Authorization`; others get this challenge.
    pub(crate) fn for_those_with(mut self, authorization: &str, challenge: &str) -> Self {
        self.wants = Some((authorization.to_owned(), challenge.to_owned()));
        self
    }

    pub(crate) fn that_hangs(mut self) -> Self {
        self.hangs = true;
        self
    }

    pub(crate) fn garbage(bytes: &[u8]) -> Self {
        Self { raw: true, ..Self::ok(bytes) }
    }
}

#[derive(Default)]
struct Shared {
    answers: BTreeMap<String, Answer>,
    /// Path and authorization of each request.
    asked: Vec<(String, Option<String>)>,
    held: Vec<TcpStream>,
}

/// The registry. It ends with the process.
pub(crate) struct Registry {
    at: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

pub(crate) const CONFIG: &str = "application/vnd.wasm.config.v0+json";
pub(crate) const LAYER: &str = "application/wasm";

impl Registry {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let registry = Self { at: listener.local_addr().unwrap(), shared: Arc::default() };
        let shared = Arc::clone(&registry.shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || answer(&shared, stream.unwrap()));
            }
        });
        registry
    }

    /// Host and port.
    pub(crate) fn host(&self) -> String {
        self.at.to_string()
    }

    pub(crate) fn put(&self, path: &str, answer: Answer) {
        self.shared.lock().unwrap().answers.insert(path.to_owned(), answer);
    }

    /// Puts a component as an image under a tag; gives the digest of its manifest.
    pub(crate) fn push(&self, repository: &str, tag: &str, bytes: &[u8]) -> String {
        self.put(&format!("/v2/{repository}/blobs/{}", digest(bytes)), Answer::ok(bytes));
        self.put_manifest(repository, tag, &manifest(CONFIG, LAYER, &digest(bytes), bytes.len()))
    }

    pub(crate) fn put_manifest(&self, repository: &str, tag: &str, manifest: &str) -> String {
        let digest = digest(manifest.as_bytes());
        for version in [tag, &digest] {
            self.put(&format!("/v2/{repository}/manifests/{version}"), Answer::ok(manifest));
        }
        digest
    }

    /// The paths that were asked for since the last time.
    pub(crate) fn asked(&self) -> Vec<(String, Option<String>)> {
        std::mem::take(&mut self.shared.lock().unwrap().asked)
    }
}

pub(crate) fn manifest(config: &str, layer: &str, digest: &str, size: usize) -> String {
    let none = self::digest(b"{}");
    serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": config, "digest": none, "size": 2 },
        "layers": [{ "mediaType": layer, "digest": digest, "size": size }],
    })
    .to_string()
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    format!("sha256:{}", hex::encode(sha2::Sha256::digest(bytes)))
}

/// Answers one request; nobody here asks twice on a connection.
fn answer(shared: &Mutex<Shared>, mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    if reader.read_line(&mut line).is_err() {
        return;
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut authorization = None;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header).is_err() || header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("authorization: ") {
            authorization = Some(value.trim().to_owned());
        }
    }
    let mut shared = shared.lock().unwrap();
    let missing = Answer::status("404 Not Found", r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#);
    let mut found = shared.answers.get(&path).cloned().unwrap_or(missing);
    shared.asked.push((path, authorization.clone()));
    if let Some((wanted, challenge)) = found.wants.take()
        && authorization.as_deref() != Some(wanted.as_str())
    {
        let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
        found = Answer::status("401 Unauthorized", body).with("WWW-Authenticate", challenge);
    }
    // Whoever asks may be gone already.
    let _ = stream.write_all(&text(&found));
    if found.hangs {
        shared.held.push(stream);
    }
}

fn text(answer: &Answer) -> Vec<u8> {
    if answer.raw {
        return answer.body.clone();
    }
    let length = answer.body.len() + usize::from(answer.hangs);
    let mut text = format!("HTTP/1.1 {}\r\nContent-Length: {length}\r\nConnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut bytes = format!("{text}\r\n").into_bytes();
    bytes.extend_from_slice(&answer.body);
    bytes
}
