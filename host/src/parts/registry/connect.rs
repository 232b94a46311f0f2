//! One HTTP request to an address that somebody else chose, over TLS unless it is on this machine.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body as _, Bytes};
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Request, StatusCode};
use lang::ComponentProblem;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use super::super::problem;
use crate::socket::Socket;

/// How long an attempt to connect may take at most.
const CONNECT: Duration = Duration::from_secs(10);

/// How long answers may take.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// Without a byte.
    pub(super) silence: Duration,
    /// Altogether.
    pub(super) whole: Duration,
}

/// An address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    secure: bool,
    host: String,
    port: u16,
    /// With the query.
    path: String,
}

/// What is asked.
pub(super) struct Question<'u> {
    url: &'u Url,
    headers: Vec<(HeaderName, String)>,
    most: u64,
}

/// What was answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Asks.
pub(super) struct Client {
    tls: TlsConnector,
    bounds: Bounds,
}

impl Url {
    /// That of a registry. Only one on this machine is talked to without TLS.
    pub(super) fn of_registry(host: &str, path: &str) -> Result<Self, ComponentProblem> {
        let host = if host == "docker.io" { "registry-1.docker.io" } else { host };
        let url = Self::of_authority(false, host, path)?;
        if url.is_loopback() { Ok(url) } else { Self::of_authority(true, host, path) }
    }

    fn of_authority(secure: bool, authority: &str, path: &str) -> Result<Self, ComponentProblem> {
        let wrong = || problem(format!("`{authority}` is not the host of a registry"), "");
        let usual = if secure { 443 } else { 80 };
        let (host, port) = match authority.rsplit_once(':') {
            // The last colon of a bare `[::1]` is inside the brackets.
            Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| wrong())?),
            _ => (authority, usual),
        };
        let odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '@' | '/' | '?' | '#');
        if host.is_empty() || host.contains(odd) || path.chars().any(|c| c.is_control() || c.is_whitespace() || !c.is_ascii()) {
            return Err(wrong());
        }
        Ok(Self { secure, host: host.to_owned(), port, path: path.to_owned() })
    }

    /// Where an answer points to. Nothing points from a registry that is elsewhere to this machine, or away from TLS.
    pub(super) fn join(&self, to: &str) -> Result<Self, ComponentProblem> {
        let wrong = |what: &str| problem(format!("`{}` sends to an address that {what}", self.host), "");
        let to = to.split('#').next().unwrap_or_default();
        let (secure, rest) = match (to.strip_prefix("https://"), to.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ if to.starts_with('/') && !to.starts_with("//") => return Ok(Self { path: to.to_owned(), ..self.clone() }),
            _ => return Err(wrong("is not one")),
        };
        let (authority, path) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let url = Self::of_authority(secure, authority, &path).map_err(|_| wrong("is not one"))?;
        if !self.is_loopback() && url.is_loopback() {
            return Err(wrong("is on this machine"));
        }
        if !url.secure && !url.is_loopback() {
            return Err(wrong("has no TLS"));
        }
        Ok(url)
    }

    pub(super) fn with_query(mut self, key: &str, value: &str) -> Self {
        self.path.push(if self.path.contains('?') { '&' } else { '?' });
        self.path.push_str(key);
        self.path.push('=');
        for byte in value.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b',' => {
                    self.path.push(char::from(byte))
                }
                _ => self.path.push_str(&format!("%{byte:02X}")),
            }
        }
        self
    }

    /// Whether another one is of the same server.
    pub(super) fn is_at(&self, other: &Self) -> bool {
        (self.secure, &self.host, self.port) == (other.secure, &other.host, other.port)
    }

    /// Host and port.
    pub(super) fn authority(&self) -> String {
        match (self.secure, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }

    /// The host without the brackets of an IPv6 address.
    fn name(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    fn is_loopback(&self) -> bool {
        let address = self.name().parse::<std::net::IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

impl<'u> Question<'u> {
    /// A GET whose answer may have so many bytes.
    pub(super) fn get(url: &'u Url, most: u64) -> Self {
        Self { url, headers: Vec::new(), most }
    }

    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn request(&self) -> Result<Request<Empty<Bytes>>, ComponentProblem> {
        let agent = concat!("flowhost/", env!("CARGO_PKG_VERSION"));
        let mut request = Request::get(&self.url.path).header(HOST, self.url.authority()).header(USER_AGENT, agent);
        for (name, value) in &self.headers {
            let mut value = HeaderValue::from_str(value)
                .map_err(|_| problem(format!("the header `{name}` for `{}` would not be proper", self.url.host), ""))?;
            value.set_sensitive(*name == hyper::header::AUTHORIZATION);
            request = request.header(name, value);
        }
        request.body(Empty::new()).map_err(|error| problem(format!("`{}` cannot be asked: {error}", self.url.host), ""))
    }
}

impl Answer {
    /// A header, if it is text.
    pub(super) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Client {
    pub(super) fn new(bounds: Bounds) -> Result<Self, ComponentProblem> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            // A machine without certificates of its own, such as a small container.
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        Self::trusting(roots, bounds)
    }

    fn trusting(roots: RootCertStore, bounds: Bounds) -> Result<Self, ComponentProblem> {
        let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| problem(format!("TLS is not possible: {error}"), ""))?;
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), bounds })
    }

    /// Asks once, on a connection of its own.
    pub(super) async fn ask(&self, question: &Question<'_>) -> Result<Answer, ComponentProblem> {
        let asked = tokio::time::timeout(self.bounds.whole, self.connect(question)).await;
        asked.unwrap_or_else(|_| Err(question.url.silent("did not end its answer", self.bounds.whole)))
    }

    async fn connect(&self, question: &Question<'_>) -> Result<Answer, ComponentProblem> {
        let url = question.url;
        let patience = CONNECT.min(self.bounds.silence);
        let connected = tokio::time::timeout(patience, TcpStream::connect((url.name(), url.port))).await;
        let stream = connected
            .map_err(|_| url.silent("did not take the connection", patience))?
            .map_err(|error| url.unreachable(&error))?;
        if !url.secure {
            return self.exchange(question, stream).await;
        }
        let name = ServerName::try_from(url.name().to_owned()).map_err(|error| url.unreachable(&error))?;
        let secured = tokio::time::timeout(patience, self.tls.connect(name, stream)).await;
        let stream =
            secured.map_err(|_| url.silent("did not agree on TLS", patience))?.map_err(|error| url.unreachable(&error))?;
        self.exchange(question, stream).await
    }

    async fn exchange(
        &self,
        question: &Question<'_>,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Answer, ComponentProblem> {
        let url = question.url;
        let request = question.request()?;
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_buf_size(64 << 10)
            .handshake(Socket(stream))
            .await
            .map_err(|error| url.unreachable(&error))?;
        let exchange = pin!(async {
            let head = tokio::time::timeout(self.bounds.silence, sender.send_request(request)).await;
            let response =
                head.map_err(|_| url.silent("did not answer", self.bounds.silence))?.map_err(|error| url.garbled(&error))?;
            self.collect(question, response).await
        });
        // What is left of the answer when the connection has ended is still to be read.
        match select(exchange, pin!(connection)).await {
            Either::Left((answer, _)) => answer,
            Either::Right((_, exchange)) => exchange.await,
        }
    }

    async fn collect(
        &self,
        question: &Question<'_>,
        response: hyper::Response<hyper::body::Incoming>,
    ) -> Result<Answer, ComponentProblem> {
        let url = question.url;
        let too_long = || problem(format!("`{}` gave more than the {} bytes that were to come", url.host, question.most), "");
        let (head, mut body) = response.into_parts();
        // What a refusal says may be longer than what was asked for, but need not be read to its end.
        let wanted = head.status == StatusCode::OK;
        if wanted && body.size_hint().lower() > question.most {
            return Err(too_long());
        }
        let mut bytes = Vec::new();
        loop {
            let next = tokio::time::timeout(self.bounds.silence, body.frame()).await;
            let Some(frame) = next.map_err(|_| url.silent("did not go on with its answer", self.bounds.silence))? else { break };
            let Ok(data) = frame.map_err(|error| url.garbled(&error))?.into_data() else { continue };
            bytes.extend_from_slice(&data);
            if wanted && bytes.len() as u64 > question.most {
                return Err(too_long());
            }
            if !wanted && bytes.len() > 64 << 10 {
                break;
            }
        }
        Ok(Answer { status: head.status, headers: head.headers, body: bytes })
    }
}

impl Url {
    fn unreachable(&self, error: &dyn std::error::Error) -> ComponentProblem {
        let help = "without a network only what is pinned in `flow.lock` and was pulled before can be used";
        problem(format!("`{}` cannot be reached: {}", self.authority(), chain(error)), help)
    }

    fn garbled(&self, error: &dyn std::error::Error) -> ComponentProblem {
        problem(format!("`{}` gave no proper answer: {}", self.authority(), chain(error)), "is it the address of a registry?")
    }

    fn silent(&self, what: &str, within: Duration) -> ComponentProblem {
        let help = "try again, or give it longer with `[catalog] timeout`";
        problem(format!("`{}` {what} within {within:?}", self.authority()), help)
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};

    use super::{Bounds, Client, Question, Url};

    /// For 127.0.0.1, signed by itself.
    const CERTIFICATE: &[u8] = include_bytes!("fixtures/certificate.pem");
    const KEY: &[u8] = include_bytes!("fixtures/key.pem");

    /// Takes one connection, and answers one request when the other side agrees on TLS.
    async fn answer(listener: &TcpListener) {
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], PrivateKeyDer::from_pem_slice(KEY).unwrap())
            .unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else { return };
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await.unwrap();
        stream.shutdown().await.unwrap();
    }

    #[tokio::test]
    async fn a_certificate_must_be_trusted() {
        let bounds = Bounds { silence: Duration::from_secs(60), whole: Duration::from_secs(60) };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let url = Url::of_authority(true, &authority, "/").unwrap();
        let question = Question::get(&url, 100);
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(CERTIFICATE).unwrap()).unwrap();
        let trusting = Client::trusting(roots, bounds).unwrap();
        let (answered, ()) = tokio::join!(trusting.ask(&question), answer(&listener));
        assert_eq!(answered.unwrap().body, b"hello");
        let strict = Client::new(bounds).unwrap();
        let (answered, ()) = tokio::join!(strict.ask(&question), answer(&listener));
        let message = answered.err().unwrap().message;
        assert!(message.contains("cannot be reached") && message.contains("certificate"), "{message}");
    }

    fn shown(url: &Url) -> String {
        format!("{}://{}{}", if url.secure { "https" } else { "http" }, url.authority(), url.path)
    }

    #[test]
    fn only_this_machine_is_talked_to_without_tls() {
        for (host, expected) in [
            ("ghcr.io", "https://ghcr.io/v2/"),
            ("docker.io", "https://registry-1.docker.io/v2/"),
            ("a.b:5000", "https://a.b:5000/v2/"),
            ("localhost:5000", "http://localhost:5000/v2/"),
            ("127.0.0.1", "http://127.0.0.1/v2/"),
            ("[::1]:5000", "http://[::1]:5000/v2/"),
            ("localhost.evil.example", "https://localhost.evil.example/v2/"),
        ] {
            assert_eq!(shown(&Url::of_registry(host, "/v2/").unwrap()), expected);
        }
        assert!(Url::of_registry("a:b", "/").is_err());
    }

    #[test]
    fn redirects_lead_nowhere_else() {
        let there = Url::of_registry("a.b:5000", "/v2/x").unwrap();
        let here = Url::of_registry("localhost:5000", "/v2/x").unwrap();
        assert_eq!(shown(&there.join("/y?z").unwrap()), "https://a.b:5000/y?z");
        assert_eq!(shown(&there.join("https://c.d?x=1#f").unwrap()), "https://c.d/?x=1");
        assert_eq!(shown(&here.join("http://127.0.0.1:1/b").unwrap()), "http://127.0.0.1:1/b");
        for (from, to, what) in [
            (&there, "http://c.d/x", "has no TLS"),
            (&there, "https://127.0.0.1/x", "is on this machine"),
            (&there, "http://localhost/x", "is on this machine"),
            (&here, "http://c.d/x", "has no TLS"),
            (&there, "ftp://c.d/x", "is not one"),
            (&there, "//c.d/x", "is not one"),
            (&there, "https://me:pw@c.d/x", "is not one"),
            (&there, "", "is not one"),
        ] {
            assert!(from.join(to).unwrap_err().message.contains(what), "{to}");
        }
        assert!(!there.is_at(&here) && there.is_at(&there.join("/other").unwrap()));
    }

    #[test]
    fn a_query_is_encoded() {
        let url =
            Url::of_registry("a.b", "/token").unwrap().with_query("service", "a b&c").with_query("scope", "repository:x/y:pull");
        assert_eq!(url.path, "/token?service=a%20b%26c&scope=repository:x/y:pull");
    }
}
