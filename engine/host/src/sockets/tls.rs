//! TLS on a granted socket: whom to trust, which versions, and the sessions that data connections
//! resume. Sends no byte of its own beyond the handshake.

mod sessions;

use std::{io, sync::Arc, time::Duration};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion,
        client::{
            Resumption,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
        version::{TLS12, TLS13},
    },
};

use self::sessions::Sessions;
use crate::bindings::culvert::connector::{
    tls::{Options, Version},
    types::Error,
};

/// Longest list of authorities in bytes, as the contract has it: Mozilla's whole one is 250 KiB.
const MAX_AUTHORITIES_BYTES: usize = 1 << 20;

/// What a connection's TLS was begun with. Clones share their sessions.
#[derive(Debug, Clone)]
pub(super) struct Session {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    sessions: Arc<Sessions>,
}

/// Takes any certificate, because the pipeline says so.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

// === impl Session ===

impl Session {
    /// # Errors
    /// `invalid-config`.
    pub(super) fn new(options: &Options) -> Result<Self, Error> {
        let name = ServerName::try_from(options.server_name.clone())
            .map_err(|_| error("invalid-config", "the server's name is neither a host name nor an address"))?;
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions(options)?)
            .map_err(|problem| error("invalid-config", &format!("these TLS versions can't be spoken: {problem}")))?;
        let builder = if options.verify {
            builder.with_root_certificates(authorities(options.authorities.as_deref())?)
        } else {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider)))
        };
        let mut config = builder.with_no_client_auth();
        let sessions = Arc::new(Sessions::default());
        config.resumption = Resumption::store(Arc::clone(&sessions) as _);
        Ok(Self { config: Arc::new(config), name, sessions })
    }

    /// Whether there is something to resume.
    pub(super) fn is_resumable(&self) -> bool {
        self.sessions.has_any()
    }

    /// The handshake.
    ///
    /// # Errors
    /// `unauthenticated`, `timeout`, `connection-failed` or `protocol`.
    pub(super) async fn negotiate(&self, stream: TcpStream, patience: Duration) -> Result<TlsStream<TcpStream>, Error> {
        let connecting = TlsConnector::from(Arc::clone(&self.config)).connect(self.name.clone(), stream);
        match tokio::time::timeout(patience, connecting).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(problem)) => Err(refused(&problem)),
            Err(_) => Err(error("timeout", "the server didn't finish the TLS handshake in time")),
        }
    }
}

fn versions(options: &Options) -> Result<&'static [&'static SupportedProtocolVersion], Error> {
    static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    match (options.minimum, options.maximum) {
        (Version::Tls12, Version::Tls13) => Ok(&BOTH),
        (Version::Tls12, Version::Tls12) => Ok(&BOTH[1..]),
        (Version::Tls13, Version::Tls13) => Ok(&BOTH[..1]),
        (Version::Tls13, Version::Tls12) => {
            Err(error("invalid-config", "the oldest TLS version to speak is newer than the newest"))
        }
    }
}

/// The given authorities, else this machine's, else Mozilla's as they were when this was built.
fn authorities(given: Option<&str>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let Some(pem) = given else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        return Ok(roots);
    };
    if pem.len() > MAX_AUTHORITIES_BYTES {
        return Err(error("invalid-config", &format!("the authorities have more than {MAX_AUTHORITIES_BYTES} bytes")));
    }
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let added = certificate.ok().and_then(|certificate| roots.add(certificate).ok());
        added.ok_or_else(|| error("invalid-config", "the authorities hold something that isn't a certificate"))?;
    }
    if roots.is_empty() {
        return Err(error("invalid-config", "the authorities hold no certificate in PEM form"));
    }
    Ok(roots)
}

fn refused(problem: &io::Error) -> Error {
    let cause = problem.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(reason)) => error(
            "unauthenticated",
            &format!("the server's certificate isn't accepted: {reason}; name its authority, or the name it's for"),
        ),
        Some(other) => error("protocol", &format!("the TLS handshake failed: {other}")),
        None if problem.kind() == io::ErrorKind::UnexpectedEof => {
            error("connection-failed", "the server closed the connection during the TLS handshake")
        }
        None => error("connection-failed", &format!("the connection failed during the TLS handshake: {problem}")),
    }
}

/// An error in the contract's words.
pub(super) fn error(code: &str, message: &str) -> Error {
    Error { code: code.to_owned(), message: message.to_owned(), retry_after: None }
}

// === impl Unverified ===

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
