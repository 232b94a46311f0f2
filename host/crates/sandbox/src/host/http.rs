//! HTTP requests, to granted hosts only.

use std::future::Future;
use std::sync::Arc;

use catalog::Name;
use wasmtime::component::Linker;
use wasmtime_wasi_http::p2::bindings;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttp, WasiHttpHooks, WasiHttpView as _};

use crate::denials::{Asked, Denials};
use crate::state::State;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let options = bindings::LinkOptions::default();
    bindings::http::outgoing_handler::add_to_linker::<_, WasiHttp>(linker, |state: &mut State| state.called().http())?;
    bindings::http::types::add_to_linker::<_, WasiHttp>(linker, &(&options).into(), |state: &mut State| state.called().http())
}

/// Lets requests to granted hosts through.
pub(crate) struct Gate {
    hosts: Arc<[Name]>,
    denials: Denials,
}

type Response = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl Gate {
    pub(crate) fn new(hosts: Arc<[Name]>, denials: Denials) -> Self {
        Self { hosts, denials }
    }
}

impl WasiHttpHooks for Gate {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _sent: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Response, Error>> + Send> {
        let host = request.uri().host().unwrap_or_default().to_ascii_lowercase();
        let default_port = if request.uri().scheme() == Some(&http::uri::Scheme::HTTP) { 80 } else { 443 };
        let port = request.uri().port_u16().unwrap_or(default_port);
        if !self.hosts.iter().any(|granted| permits(granted, &host, port)) {
            self.denials.add(Asked::Http, &host);
            return Box::new(async { Err(Error::HttpRequestDenied) });
        }
        Box::new(async move {
            let (response, transfer) = wasmtime_wasi_http::default_send_request(request, options).await?;
            let response = response.map(http_body_util::BodyExt::boxed_unsync);
            Ok((response, Box::new(transfer) as Box<dyn Future<Output = Result<(), Error>> + Send>))
        })
    }
}

/// Whether a grant (`name`, `name:port` or `*.domain`) covers a host.
fn permits(granted: &str, host: &str, port: u16) -> bool {
    let granted = granted.to_ascii_lowercase();
    // The colons of an IPv6 address stand in brackets.
    let (name, granted_port) = match granted.rsplit_once(':') {
        Some((name, digits)) if !digits.contains(']') => (name, Some(digits)),
        _ => (granted.as_str(), None),
    };
    if granted_port.is_some_and(|digits| digits.parse() != Ok(port)) {
        return false;
    }
    match name.strip_prefix("*.") {
        Some(domain) => host.strip_suffix(domain).is_some_and(|sub| sub.len() > 1 && sub.ends_with('.')),
        None => name == host,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use http_body_util::BodyExt as _;
    use wasmtime_wasi_http::{Error, WasiBody, WasiHttpHooks as _};

    use super::{Gate, permits};
    use crate::denials::{Asked, Denials};

    /// Sends a request through a gate and gives the status.
    fn get(gate: &mut Gate, uri: &str) -> Result<u16, Error> {
        let body: WasiBody = http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync();
        let request = http::Request::get(uri).body(body).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let sending = gate.send_request(request, None, Box::new(async { Ok(()) }));
            let (response, _transfer) = std::pin::Pin::from(sending).await?;
            Ok(response.status().as_u16())
        })
    }

    #[test]
    fn requests_go_to_granted_hosts_only() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let read = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
            read
        });
        let denials = Denials::default();
        let mut gate = Gate::new([host.as_str().into()].into(), denials.clone());
        assert_eq!(get(&mut gate, &format!("http://{host}/")).unwrap(), 204);
        assert!(server.join().unwrap() > 0);
        assert!(matches!(get(&mut gate, "http://127.0.0.1:1/"), Err(Error::HttpRequestDenied)));
        assert!(matches!(get(&mut gate, "https://example.com/x"), Err(Error::HttpRequestDenied)));
        let denied: Vec<_> = denials.take().into_iter().map(|denied| (denied.asked, denied.subject)).collect();
        assert_eq!(denied, [(Asked::Http, "127.0.0.1".to_owned()), (Asked::Http, "example.com".to_owned())]);
    }

    #[test]
    fn a_grant_covers_its_hosts() {
        assert!(permits("api.example.com", "api.example.com", 443));
        assert!(permits("API.example.com", "api.example.com", 8080));
        assert!(!permits("example.com", "api.example.com", 443));
        assert!(permits("*.example.com", "a.b.example.com", 443));
        assert!(!permits("*.example.com", "example.com", 443));
        assert!(!permits("*.example.com", "evilexample.com", 443));
        assert!(permits("localhost:8080", "localhost", 8080));
        assert!(!permits("localhost:8080", "localhost", 80));
        assert!(permits("[::1]:8080", "[::1]", 8080));
        assert!(permits("[::1]", "[::1]", 8080));
    }
}
