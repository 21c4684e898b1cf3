//! Whom TLS trusts where no flag names an authority: what `SSL_CERT_FILE` holds, else the system's certificates, else those that
//! were built in. Knows no connection; must never add to what the environment names.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::load_certs_from_paths;

/// The variables that name certificates, as OpenSSL reads them.
const VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Where authorities come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
pub enum Origin {
    /// `SSL_CERT_FILE` or `SSL_CERT_DIR`: they and no others.
    #[strum(to_string = "SSL_CERT_FILE or SSL_CERT_DIR")]
    Environment,
    /// Where Linux distributions keep them.
    #[strum(to_string = "the system")]
    System,
    /// Mozilla's list, as it was when this version was built.
    #[strum(to_string = "this version of Hookgate, since the system has none")]
    BuiltIn,
}

/// Certificate authorities, each parsed.
#[derive(Clone, Debug)]
pub struct Authorities {
    /// Where they come from.
    pub origin: Origin,
    certificates: Vec<CertificateDer<'static>>,
    roots: RootCertStore,
}

/// The environment names certificates, and there are none. Others are not taken instead: whoever names them wants no others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{named} holds no CA certificate that can be read{problem}: correct it, or unset it for the system's")]
pub struct NoAuthorities {
    named: String,
    problem: String,
}

impl Authorities {
    /// Reads them: what was renewed meanwhile counts.
    ///
    /// # Errors
    /// Where the environment names certificates and none can be read.
    pub fn read() -> Result<Self, NoAuthorities> {
        let [file, folders] = VARIABLES.map(|name| std::env::var_os(name).filter(|value| !value.is_empty()));
        if file.is_none() && folders.is_none() {
            let system = Self::of(Origin::System, rustls_native_certs::load_native_certs().certs);
            return Ok(system.unwrap_or_else(Self::built_in));
        }
        let mut read = load_certs_from_paths(file.as_deref().map(Path::new), None);
        for folder in folders.iter().flat_map(std::env::split_paths) {
            let more = load_certs_from_paths(None, Some(&folder));
            read.certs.extend(more.certs);
            read.errors.extend(more.errors);
        }
        // A bundle is often in such a folder.
        read.certs.sort_unstable_by(|one, other| one.cmp(other));
        read.certs.dedup();
        Self::of(Origin::Environment, read.certs).ok_or_else(|| {
            let told = VARIABLES.iter().zip([&file, &folders]);
            let told = told.filter_map(|(name, path)| Some(format!("{name}={}", path.as_ref()?.display())));
            let problem = read.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
            NoAuthorities { named: told.collect::<Vec<_>>().join(" "), problem }
        })
    }

    /// Those of them that can be parsed; `None` where there are none.
    fn of(origin: Origin, certificates: Vec<CertificateDer<'static>>) -> Option<Self> {
        let mut roots = RootCertStore::empty();
        let certificates: Vec<_> =
            certificates.into_iter().filter(|certificate| roots.add(certificate.clone()).is_ok()).collect();
        (!certificates.is_empty()).then_some(Self { origin, certificates, roots })
    }

    fn built_in() -> Self {
        let certificates = webpki_root_certs::TLS_SERVER_ROOT_CERTS.to_vec();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.iter().cloned());
        Self { origin: Origin::BuiltIn, certificates, roots }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.certificates.len()
    }

    /// Each as DER.
    pub fn der(&self) -> impl Iterator<Item = &[u8]> {
        self.certificates.iter().map(AsRef::as_ref)
    }

    /// For verifying servers.
    #[must_use]
    pub fn into_roots(self) -> RootCertStore {
        self.roots
    }

    /// A client that trusts them, and shows no certificate.
    #[must_use]
    pub fn into_client(self) -> ClientConfig {
        ClientConfig::builder().with_root_certificates(self.roots).with_no_client_auth()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_authority_that_is_built_in_can_be_parsed() {
        let built_in = Authorities::built_in();
        assert!(built_in.count() > 100, "{}", built_in.count());
        assert_eq!(built_in.roots.len(), built_in.count());
    }

    #[test]
    fn certificates_that_cannot_be_parsed_are_no_authorities() {
        assert!(Authorities::of(Origin::System, vec![CertificateDer::from(vec![0x30, 0x00])]).is_none());
        assert!(Authorities::of(Origin::System, Vec::new()).is_none());
    }
}
