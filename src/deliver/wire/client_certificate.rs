//! The certificate that we show to NATS, read from its files whenever a server asks: one that was renewed counts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tracing::warn;

/// PEM files of a chain and its key.
#[derive(Clone, Debug)]
pub(in crate::deliver) struct ClientCertificate {
    pub(in crate::deliver) chain: PathBuf,
    pub(in crate::deliver) key: PathBuf,
}

impl ClientCertificate {
    /// What the files hold now.
    pub(super) fn read(&self) -> Result<CertifiedKey, String> {
        let chain = certificates(&self.chain)?;
        let key = PrivateKeyDer::from_pem_file(&self.key);
        let key = key.map_err(|error| format!("{} cannot be read: {error}", self.key.display()))?;
        let provider = CryptoProvider::get_default().ok_or("no crypto provider is installed")?;
        CertifiedKey::from_der(chain, key, provider).map_err(|error| format!("{}: {error}", self.chain.display()))
    }
}

/// The certificates of a PEM file.
pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    read.map_err(|error| format!("{} cannot be read: {error}", file.display()))
}

impl ResolvesClientCert for ClientCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.read().map(Arc::new).inspect_err(|error| warn!("no client certificate is shown to NATS: {error}")).ok()
    }

    fn has_certs(&self) -> bool {
        true
    }
}
