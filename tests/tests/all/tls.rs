//! Reports over TLS, to a server whose certificate an authority of the tests has signed.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use e2e::{Site, project};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use crate::failures::{LOGIC, receive, site};

/// A server for `localhost` that answers each report with success, and what it was sent.
fn server() -> (u16, Receiver<Value>) {
    let folder = project().join("tests/tls");
    let certificate = CertificateDer::from_pem_file(folder.join("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream: StreamOwned<_, TcpStream> = StreamOwned::new(connection, stream.unwrap());
            // A client that does not trust the server goes away.
            if let Ok(report) = receive(&mut stream, "200") {
                let _ = sender.send(report);
            }
        }
    });
    (port, receiver)
}

fn configured(webhook: &str, more: &str) -> Site {
    let site = site(LOGIC, &format!("[escalation]\nrun = true\nwebhook = \"{webhook}\"\n{more}"));
    site.write("ca.pem", std::fs::read(project().join("tests/tls/ca.pem")).unwrap());
    site
}

#[test]
fn a_report_is_sent_over_tls_to_whom_the_configured_authority_has_signed() {
    let (port, sent) = server();
    let site = configured(&format!("https://localhost:{port}/hook"), "ca = \"ca.pem\"");
    let run = site.host(["run", "main.flow", "--json"]).expect(6).json();
    let report = sent.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
    assert_eq!((&report["data"]["run"], &report["data"]["kind"]), (&run["run"], &"logic".into()));
    let open = site.host(["escalations", "--json"]).expect(0).json();
    assert!(open[0]["delivery"]["sent"].is_string(), "{open}");
}

#[test]
fn nothing_is_said_to_a_server_that_is_not_trusted() {
    let (port, sent) = server();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let plain = silent.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in silent.incoming() {
            let _ = std::io::Write::write_all(&mut stream.unwrap(), b"HTTP/1.1 200 OK\r\n\r\n");
        }
    });
    for (webhook, more, message) in [
        (format!("https://localhost:{port}/"), "", "nobody that is trusted has signed the certificate of `localhost`"),
        (format!("https://127.0.0.1:{port}/"), "ca = \"ca.pem\"", "the certificate is not for `127.0.0.1`"),
        (format!("https://localhost:{plain}/"), "ca = \"ca.pem\"", "`localhost` does not speak TLS at that port"),
    ] {
        let printed = configured(&webhook, more).host(["run", "main.flow"]).expect(6);
        assert!(printed.err.contains(message) && printed.err.contains("is not delivered"), "{webhook}: {}", printed.err);
    }
    assert!(sent.try_recv().is_err(), "a report was sent");
}

#[test]
fn authorities_that_cannot_be_read_are_refused() {
    for (webhook, ca, message) in [
        ("https://a.b/", "none.pem", "`none.pem` cannot be read"),
        ("https://a.b/", "main.flow", "`main.flow` has no certificate in it"),
        ("http://a.b/", "ca.pem", "is not `https://`"),
    ] {
        let printed = configured(webhook, &format!("ca = \"{ca}\"")).host(["run", "main.flow"]).expect(2);
        assert!(printed.err.contains(message), "{ca}: {}", printed.err);
    }
}
