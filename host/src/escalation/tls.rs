//! TLS for the webhook: whom it trusts, and what is said when it does not.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::post::Bounded;
use crate::exit::Problem;

/// How a target is spoken to over TLS.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    /// What its certificate must be for.
    name: ServerName<'static>,
}

impl Tls {
    /// Trusts the authorities in a PEM file, or those that browsers trust when there is none. `host` is a name or an address
    /// without brackets.
    pub(super) fn new(host: &str, ca: Option<&Path>) -> Result<Self, Problem> {
        let wrong = |error: &dyn std::fmt::Display| Problem::usage(format!("`[escalation] webhook`: {error}"));
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| wrong(&format!("`{host}` is no name that a certificate can be for")))?;
        let roots = match ca {
            Some(path) => read(path)?,
            None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
        };
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { config: Arc::new(config), name })
    }

    /// Agrees on keys with the far side, and sees that it is the right one.
    pub(super) fn connect(&self, mut stream: Bounded) -> Result<StreamOwned<ClientConnection, Bounded>, String> {
        let mut connection = ClientConnection::new(Arc::clone(&self.config), self.name.clone())
            .map_err(|error| format!("TLS cannot begin: {error}"))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream).map_err(|error| self.explain(&error))?;
        }
        Ok(StreamOwned::new(connection, stream))
    }

    /// Why the far side is not spoken to.
    fn explain(&self, error: &io::Error) -> String {
        let name = self.name.to_str();
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
        match cause {
            Some(rustls::Error::InvalidCertificate(certificate)) => match certificate {
                CertificateError::UnknownIssuer => {
                    format!(
                        "nobody that is trusted has signed the certificate of `{name}`; `[escalation] ca` names whom to trust"
                    )
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    format!("the certificate of `{name}` has expired")
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    format!("the certificate is not for `{name}`")
                }
                other => format!("the certificate of `{name}` is not accepted: {other}"),
            },
            Some(rustls::Error::InvalidMessage(_)) => format!("`{name}` does not speak TLS at that port"),
            Some(other) => format!("TLS with `{name}` failed: {other}"),
            None => format!("TLS with `{name}` failed: {error}"),
        }
    }
}

/// The authorities in a PEM file.
fn read(path: &Path) -> Result<RootCertStore, Problem> {
    let wrong = |what: String| {
        Problem::usage(format!("`[escalation] ca`: `{}` {what}", path.display()))
            .help("it is a PEM file with the certificates of the authorities to trust, relative to the configuration file")
    };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| wrong(format!("is not PEM: {error}")))?;
        roots.add(certificate).map_err(|error| wrong(format!("has a certificate that cannot be used: {error}")))?;
    }
    if roots.is_empty() {
        return Err(wrong("has no certificate in it".to_owned()));
    }
    Ok(roots)
}
