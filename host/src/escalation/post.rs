//! One HTTP POST to a fixed address: all that a webhook needs.
//!
//! The far side may be anything: every wait is bounded, and no more is read than the status line.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::{Duration, Instant};

use super::tls::Tls;
use crate::exit::Problem;

/// How long a connection, and then all that is said over it, may take.
const CONNECT: Duration = Duration::from_secs(2);
const EXCHANGE: Duration = Duration::from_secs(6);

/// A status line is not longer than this.
const MOST_STATUS: usize = 1024;

/// Where reports are sent.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    host: String,
    port: u16,
    path: String,
    /// None for `http://`.
    tls: Option<Tls>,
}

impl Target {
    /// Reads `http://host[:port][/path]`, or the same with `https`. `ca` is a file with the authorities that are trusted
    /// in place of the public ones.
    pub(crate) fn parse(url: &str, ca: Option<&Path>) -> Result<Self, Problem> {
        let wrong = |what: &str| Problem::usage(format!("`[escalation] webhook`: `{url}` {what}"));
        let (secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(wrong("is not an address").help("write `https://host:port/path`, or `http://…`")),
        };
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
            _ => (authority, if secure { 443 } else { 80 }),
        };
        if host.is_empty() {
            return Err(wrong("has no host"));
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let tls = match (secure, ca) {
            (true, ca) => Some(Tls::new(bare(host), ca)?),
            (false, None) => None,
            (false, Some(_)) => {
                return Err(wrong("is not `https://`, so nobody is trusted by `[escalation] ca`").help("leave out `ca`"));
            }
        };
        Ok(Self { host: host.to_owned(), port, path, tls })
    }

    /// Sends a document. Ok means that the far side has taken it: a status of 200 to 299.
    pub(super) fn post(&self, body: &str) -> Result<(), String> {
        let stream = Bounded { stream: self.connect()?, until: Instant::now() + EXCHANGE };
        match &self.tls {
            None => self.exchange(stream, body),
            Some(tls) => self.exchange(tls.connect(stream)?, body),
        }
    }

    fn exchange(&self, mut stream: impl Read + Write, body: &str) -> Result<(), String> {
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {}:{}\r\nUser-Agent: flowhost/{}\r\nContent-Type: application/cloudevents+json; charset=utf-8\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.path,
            self.host,
            self.port,
            env!("CARGO_PKG_VERSION"),
            body.len()
        );
        let sent =
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).and_then(|()| stream.flush());
        sent.map_err(|error| format!("sending failed: {error}"))?;
        judge(&status_line(&mut stream)?)
    }

    fn connect(&self) -> Result<TcpStream, String> {
        let addresses = (bare(&self.host), self.port)
            .to_socket_addrs()
            .map_err(|error| format!("`{}` has no address: {error}", self.host))?;
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

/// A host without the brackets of an address of IPv6.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// A connection that is given up at a time, however slowly the far side goes on.
#[derive(Debug)]
pub(super) struct Bounded {
    stream: TcpStream,
    until: Instant,
}

impl Bounded {
    fn left(&self) -> std::io::Result<Option<Duration>> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(std::io::Error::new(ErrorKind::TimedOut, "it took too long")) } else { Ok(Some(left)) }
    }
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer).map_err(late)
    }
}

impl Write for Bounded {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(buffer).map_err(late)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}

/// What a wait that was too long is called.
fn late(error: std::io::Error) -> std::io::Error {
    if error.kind() == ErrorKind::WouldBlock { std::io::Error::new(ErrorKind::TimedOut, "it took too long") } else { error }
}

/// Reads up to the first end of a line.
fn status_line(stream: &mut impl Read) -> Result<String, String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < MOST_STATUS {
        match stream.read(&mut byte).map_err(|error| format!("there was no answer: {error}"))? {
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
        let parsed = |url| Target::parse(url, None).map(|of| (of.host, of.port, of.path)).map_err(|problem| problem.message);
        let part = |host: &str, port, path: &str| Ok((host.to_owned(), port, path.to_owned()));
        assert_eq!(parsed("http://a.b/c?d=e"), part("a.b", 80, "/c?d=e"));
        assert_eq!(parsed("http://a:8080"), part("a", 8080, "/"));
        assert_eq!(parsed("http://a?x"), part("a", 80, "/?x"));
        assert_eq!(parsed("http://[::1]:9/x"), part("[::1]", 9, "/x"));
        assert_eq!(parsed("http://[::1]/x"), part("[::1]", 80, "/x"));
        assert_eq!(parsed("https://a.b"), part("a.b", 443, "/"));
        assert_eq!(parsed("https://[::1]:9/x"), part("[::1]", 9, "/x"));
        for (url, what) in [
            ("https://", "has no host"),
            ("https://a_b c/", "has a space"),
            ("https://a..b/", "is no name that a certificate can be for"),
            ("ftp://a.b/c", "is not an address"),
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
        let target = Target::parse(&format!("http://{}/hook", listener.local_addr().unwrap()), None).unwrap();
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
        let error = Target::parse(&format!("http://127.0.0.1:{port}"), None).unwrap().post("{}").unwrap_err();
        assert!(error.contains("does not answer"), "{error}");
    }
}
