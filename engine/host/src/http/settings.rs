//! How a pipeline's end reaches its endpoints: roots, proxies, the local address, bounds. Read once;
//! never shows a proxy's password.

use std::{fmt, net::IpAddr, num::NonZeroUsize, path::PathBuf, sync::Arc, time::Duration};

use hyper_util::client::proxy::matcher::Matcher;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// Longest name of a network interface in bytes (`IFNAMSIZ` without its NUL).
const MAX_INTERFACE_BYTES: usize = 15;

/// Settings of one end.
#[derive(Clone)]
pub struct Settings {
    /// Whether an endpoint is reached over TLS: without one no roots are needed.
    pub tls: bool,
    /// Certificates (PEM) that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// A proxy's URL; empty for none; without it `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` count.
    pub proxy: Option<String>,
    /// Where connections start.
    pub bind: Option<Bind>,
    /// Longest that a connection may take.
    pub connect_timeout: Duration,
    /// Longest until an answer begins, once the request has been sent.
    pub response_timeout: Duration,
    /// Longest without a byte of an answer that has begun.
    pub idle_timeout: Duration,
    /// Requests under way at one time, each on a connection of its own.
    pub max_connections: NonZeroUsize,
    /// Bytes of an answer that one connection may take before they are asked for: below a limit what
    /// lies in buffers has been over the wire without credit. None: as many as the system likes.
    pub read_ahead: Option<usize>,
}

/// Where connections start: a leased line or a VPN has its own address or interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bind {
    Address(IpAddr),
    Interface(String),
}

// === impl Settings ===

impl Settings {
    pub(super) fn tls(&self) -> Result<ClientConfig, String> {
        let mut roots = RootCertStore::empty();
        if self.tls {
            let system = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(system.certs);
            if let Some(file) = &self.ca_file {
                let failed = |error: &dyn fmt::Display| {
                    format!("ca_file: {} has no certificate in PEM that can be read: {error}", file.display())
                };
                let certificates = CertificateDer::pem_file_iter(file).map_err(|error| failed(&error))?;
                let mut count = 0;
                for certificate in certificates {
                    let certificate = certificate.map_err(|error| failed(&error))?;
                    roots.add(certificate).map_err(|error| failed(&error))?;
                    count += 1;
                }
                if count == 0 {
                    return Err(failed(&"there is none in it"));
                }
            }
            if roots.is_empty() {
                return Err("the system has no root certificates: install ca-certificates, or set ca_file".to_owned());
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| format!("TLS can't be set up: {error}"))?;
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }

    pub(super) fn proxies(&self) -> Result<Matcher, String> {
        let Some(proxy) = &self.proxy else { return Ok(Matcher::from_env()) };
        if proxy.is_empty() {
            return Ok(Matcher::builder().build());
        }
        // What the matcher can't read it drops without a word, and the traffic would go around it.
        let is_http = proxy.parse::<http::Uri>().is_ok_and(|uri| uri.scheme_str() == Some("http"));
        if !is_http {
            return Err("proxy: isn't of the form http://host:port".to_owned());
        }
        Ok(Matcher::builder().all(proxy.clone()).build())
    }
}

/// All but the proxy's URL, which may have a password.
impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Settings")
            .field("ca_file", &self.ca_file)
            .field("proxy", &self.proxy.as_ref().map(|_| "..."))
            .field("bind", &self.bind)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}

// === impl Bind ===

impl Bind {
    /// An address, or else the name of an interface.
    ///
    /// # Errors
    /// It's neither.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let is_name = (1..=MAX_INTERFACE_BYTES).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
        if is_name {
            return Ok(Self::Interface(text.to_owned()));
        }
        Err("is neither an address of this machine nor the name of an interface".to_owned())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that can't unwrap has failed")]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            tls: false,
            ca_file: None,
            proxy: None,
            bind: None,
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(1),
            max_connections: NonZeroUsize::MIN,
            read_ahead: None,
        }
    }

    #[test]
    fn an_address_or_an_interface() {
        assert_eq!(Bind::parse("10.0.0.1"), Ok(Bind::Address([10, 0, 0, 1].into())));
        assert_eq!(Bind::parse("::1").unwrap(), Bind::Address("::1".parse().unwrap()));
        assert_eq!(Bind::parse("tun0"), Ok(Bind::Interface("tun0".into())));
        assert!(Bind::parse("").is_err() && Bind::parse("a name with spaces").is_err());
    }

    #[test]
    fn a_proxy_that_cannot_be_read_is_refused_and_its_password_never_shown() {
        let mut it = settings();
        it.proxy = Some("http://user:hunter2@proxy.internal:3128".into());
        assert!(it.proxies().unwrap().intercept(&"https://store.internal/".parse().unwrap()).is_some());
        assert!(!format!("{it:?}").contains("hunter2"));
        it.proxy = Some("hunter2 nonsense".into());
        assert!(!it.proxies().unwrap_err().contains("hunter2"));
        it.proxy = Some(String::new());
        assert!(it.proxies().unwrap().intercept(&"http://store.internal/".parse().unwrap()).is_none());
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let it = Settings { tls: true, ca_file: Some(file.path().to_owned()), ..settings() };
        assert!(it.tls().unwrap_err().starts_with("ca_file: "));
    }
}
