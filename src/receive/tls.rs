//! The certificate of the public port: read from files, read again when they change, never lost to a bad pair.
//!
//! The files are polled: a mounted Secret changes by a symbolic link beside them, which file notifications miss.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use arc_swap::ArcSwap;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, crypto};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path} holds no {wanted} in PEM: {error}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
        /// Why it does not.
        error: pem::Error,
    },
    /// The two do not belong together, or are of an algorithm that nobody speaks.
    #[error("the certificate and the key do not work together: {0}")]
    Pair(rustls::Error),
    /// The TLS library refuses its own defaults.
    #[error("cannot set up TLS: {0}")]
    Setup(rustls::Error),
}

/// The files of a certificate chain and its key, and the pair in force.
#[derive(Debug)]
pub struct Certificate {
    chain_path: PathBuf,
    key_path: PathBuf,
    current: Arc<Current>,
    /// The bytes of both files as last read, good or bad.
    seen: (Vec<u8>, Vec<u8>),
}

#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl Certificate {
    /// Reads a certificate chain and its key, both in PEM.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub fn load(chain_path: PathBuf, key_path: PathBuf) -> Result<Self, TlsError> {
        let seen = (read(&chain_path)?, read(&key_path)?);
        let pair = pair(&seen, &chain_path, &key_path)?;
        let current = Arc::new(Current(ArcSwap::from_pointee(pair)));
        Ok(Self { chain_path, key_path, current, seen })
    }

    /// Accepts TLS 1.2 and 1.3 with the pair in force, and offers HTTP/2 and HTTP/1.1.
    ///
    /// # Errors
    /// When the TLS library refuses its own defaults.
    pub fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(self.current.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Looks at the files again and again until the stop. A pair that does not work is logged, and the old one stays.
    pub async fn watch(mut self, every: Duration, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(every);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => match self.reload() {
                    Ok(true) => tracing::info!(path = %self.chain_path.display(), "the certificate changed and is in use"),
                    Ok(false) => {}
                    Err(error) => tracing::warn!(%error, "the certificate changed and does not work: the old one stays in use"),
                },
            }
        }
    }

    /// True where the files changed and the new pair is in force. Files of a few KiB: read in place.
    fn reload(&mut self) -> Result<bool, TlsError> {
        let seen = (read(&self.chain_path)?, read(&self.key_path)?);
        if seen == self.seen {
            return Ok(false);
        }
        // A bad pair is told once, not at every look.
        self.seen = seen;
        self.current.0.store(Arc::new(pair(&self.seen, &self.chain_path, &self.key_path)?));
        Ok(true)
    }
}

fn read(path: &PathBuf) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| TlsError::Read { path: path.clone(), error })
}

fn pair((chain, key): &(Vec<u8>, Vec<u8>), chain_path: &PathBuf, key_path: &PathBuf) -> Result<CertifiedKey, TlsError> {
    let wrong = |path: &PathBuf, wanted| {
        let path = path.clone();
        move |error| TlsError::Pem { path, wanted, error }
    };
    let chain = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<Vec<_>, _>>()
        .and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
        .map_err(wrong(chain_path, "certificate"))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(wrong(key_path, "private key"))?;
    CertifiedKey::from_der(chain, key, &crypto::aws_lc_rs::default_provider()).map_err(TlsError::Pair)
}
