//! One HTTP POST to a fixed address: all that a webhook needs.
//!
//! The far side may be anything: every wait is bounded, and no more is read than the status line.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use crate::exit::Problem;

/// How long a connection, and then the answer, may take.
const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(5);

/// A status line is not longer than this.
const MOST_STATUS: usize = 1024;

/// Where reports are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    host: String,
    port: u16,
    path: String,
}

impl Target {
    /// Reads `http://host[:port][/path]`.
    pub(crate) fn parse(url: &str) -> Result<Self, Problem> {
        let wrong = |what: &str| Problem::usage(format!("`[escalation] webhook`: `{url}` {what}"));
        if url.starts_with("https://") {
            return Err(wrong("asks for TLS, which this version does not speak")
                .help("name an `http://` address, for instance that of a relay on this machine that speaks TLS to the outside"));
        }
        let rest = url.strip_prefix("http://").ok_or_else(|| wrong("is not an address").help("write `http://host:port/path`"))?;
        if rest.chars().any(|c| c.is_whitespace() || c.is_control()) || rest.contains('#') {
            return Err(wrong("has a space, a control character or a fragment in it"));
        }
        let (authority, path) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
        if authority.contains('@') {
            return Err(wrong("has a name or password in it").help("put a secret into the path, or let a relay add it"));
        }
        let (host, port) = match authority.rsplit_once(':') {
            // The last colon of a bare `[::1]` is inside the brackets.
            Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| wrong("has no proper port"))?),
            _ => (authority, 80),
        };
        if host.is_empty() {
            return Err(wrong("has no host"));
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { host: host.to_owned(), port, path })
    }

    /// Sends a document. Ok means that the far side has taken it: a status of 200 to 299.
    pub(super) fn post(&self, body: &str) -> Result<(), String> {
        let mut stream = self.connect()?;
        let write = |error: std::io::Error| format!("sending failed: {error}");
        stream.set_write_timeout(Some(ANSWER)).map_err(write)?;
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {}:{}\r\nUser-Agent: flowhost/{}\r\nContent-Type: application/cloudevents+json; charset=utf-8\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.path,
            self.host,
            self.port,
            env!("CARGO_PKG_VERSION"),
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).map_err(write)?;
        judge(&status_line(&mut stream)?)
    }

    fn connect(&self) -> Result<TcpStream, String> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let addresses =
            (host, self.port).to_socket_addrs().map_err(|error| format!("`{}` has no address: {error}", self.host))?;
        let mut last = format!("`{}` has no address", self.host);
        for address in addresses {
            match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = format!("{address} does not answer: {error}"),
            }
        }
        Err(last)
    }
}

/// Reads up to the first end of a line.
fn status_line(stream: &mut TcpStream) -> Result<String, String> {
    let until = Instant::now() + ANSWER;
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < MOST_STATUS {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err("there was no answer in time".to_owned());
        }
        let read = stream.set_read_timeout(Some(left)).and_then(|()| stream.read(&mut byte));
        match read.map_err(|error| format!("there was no answer: {error}"))? {
            0 => break,
            _ if byte == [b'\n'] => break,
            _ => line.extend(byte),
        }
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

fn judge(line: &str) -> Result<(), String> {
    let mut words = line.split(' ');
    let speaks_http = words.next().is_some_and(|word| word.starts_with("HTTP/1."));
    match words.next().and_then(|status| status.parse::<u16>().ok()) {
        Some(200..=299) if speaks_http => Ok(()),
        Some(status) if speaks_http => Err(format!("the answer was status {status}")),
        _ => Err("the answer was not HTTP".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::Target;

    #[test]
    fn addresses() {
        let parsed = |url| Target::parse(url).map(|of| (of.host, of.port, of.path)).map_err(|problem| problem.message);
        let part = |host: &str, port, path: &str| Ok((host.to_owned(), port, path.to_owned()));
        assert_eq!(parsed("http://a.b/c?d=e"), part("a.b", 80, "/c?d=e"));
        assert_eq!(parsed("http://a:8080"), part("a", 8080, "/"));
        assert_eq!(parsed("http://a?x"), part("a", 80, "/?x"));
        assert_eq!(parsed("http://[::1]:9/x"), part("[::1]", 9, "/x"));
        assert_eq!(parsed("http://[::1]/x"), part("[::1]", 80, "/x"));
        for (url, what) in [
            ("https://a", "asks for TLS"),
            ("a.b/c", "is not an address"),
            ("http://", "has no host"),
            ("http://:80/", "has no host"),
            ("http://a:b/", "has no proper port"),
            ("http://a:99999/", "has no proper port"),
            ("http://me:pw@a/", "has a name or password"),
            ("http://a/\r\nX: y", "has a space"),
        ] {
            assert!(parsed(url).unwrap_err().contains(what), "{url}");
        }
    }

    /// Answers one request with this, and gives what was asked.
    fn answer(with: &'static [u8]) -> (Result<(), String>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target::parse(&format!("http://{}/hook", listener.local_addr().unwrap())).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut buffer = [0; 256];
            while !asked.ends_with(b"{\"a\":1}") {
                let count = stream.read(&mut buffer).unwrap();
                asked.extend_from_slice(&buffer[..count]);
            }
            let _ = stream.write_all(with);
            String::from_utf8(asked).unwrap()
        });
        let result = target.post("{\"a\":1}");
        (result, server.join().unwrap())
    }

    #[test]
    fn only_a_status_of_success_counts() {
        let (result, asked) = answer(b"HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(result, Ok(()));
        assert!(asked.starts_with("POST /hook HTTP/1.1\r\nHost: 127.0.0.1:"), "{asked}");
        assert!(asked.contains("\r\nContent-Length: 7\r\n"), "{asked}");
        assert_eq!(answer(b"HTTP/1.0 503 Busy\r\n").0.unwrap_err(), "the answer was status 503");
        assert_eq!(answer(b"SSH-2.0-x\r\n").0.unwrap_err(), "the answer was not HTTP");
        assert_eq!(answer(b"").0.unwrap_err(), "the answer was not HTTP");
    }

    #[test]
    fn an_endless_answer_is_not_read_on() {
        let endless = vec![b'x'; 1 << 16].leak();
        assert!(answer(endless).0.is_err());
    }

    #[test]
    fn nobody_there_is_an_error() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let error = Target::parse(&format!("http://127.0.0.1:{port}")).unwrap().post("{}").unwrap_err();
        assert!(error.contains("does not answer"), "{error}");
    }
}
