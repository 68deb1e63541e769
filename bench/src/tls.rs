//! TLS between the driver and servers: one certificate, which Castellan makes, for all of them.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{ClientConfig, RootCertStore, client::Resumption, crypto::aws_lc_rs, version::TLS13};
use tokio_rustls::{
    TlsConnector,
    rustls::pki_types::{CertificateDer, pem::PemObject as _},
};

use crate::fault::Fault;

/// A listener that speaks TLS 1.3.
#[derive(Clone)]
pub struct Tls {
    /// Where it listens.
    pub address: SocketAddr,
    /// The folder of the certificate, its key, and the CA.
    folder: PathBuf,
}

impl Tls {
    /// A listener at `address` with the certificate in `folder`.
    #[must_use]
    pub const fn new(address: SocketAddr, folder: PathBuf) -> Self {
        Self { address, folder }
    }

    /// The same certificate at another address.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { address, folder: self.folder.clone() }
    }

    /// The certificate and its key, as PEM files.
    #[must_use]
    pub fn files(&self) -> [PathBuf; 2] {
        ["server.pem", "server.key"].map(|name| self.folder.join(name))
    }

    /// What connections are opened with: each makes a full handshake.
    ///
    /// # Errors
    /// [`Fault::Failed`] if the CA cannot be read.
    pub fn connector(&self) -> Result<TlsConnector, Fault> {
        let failed = |error: &dyn std::error::Error| Fault::failed(format!("TLS: {error}"));
        let mut roots = RootCertStore::empty();
        roots.add(authority(&self.folder)?).map_err(|error| failed(&error))?;
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_protocol_versions(&[&TLS13])
                .map_err(|error| failed(&error))?
                .with_root_certificates(roots)
                .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

fn authority(folder: &Path) -> Result<CertificateDer<'static>, Fault> {
    let path = folder.join("ca.pem");
    CertificateDer::from_pem_file(&path)
        .map_err(|error| Fault::failed(format!("{}: {error}", path.display())))
}
