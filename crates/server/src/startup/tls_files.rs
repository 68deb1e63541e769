//! The files of a listener's TLS: its certificate and key, and what client certificates are held
//! against.

use std::{
    fs::Metadata,
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use castellan_proto::Timestamp;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{
        CertificateDer, CertificateRevocationListDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use x509_parser::{
    certificate::X509Certificate, prelude::FromDer as _, revocation_list::CertificateRevocationList,
};
use zeroize::Zeroizing;

use crate::{config::TlsConfig, files};

/// Bytes of a file with certificates or a key.
const LONGEST: u64 = 1024 * 1024;
/// Bytes of a revocation list: public CAs have long ones.
const LONGEST_CRL: u64 = 64 * 1024 * 1024;

/// Where the files of one listener are.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    /// The listener, for whoever reads the log.
    pub(crate) listener: String,
    config: TlsConfig,
}

/// What is in them.
pub(crate) struct Material {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    clients: Option<Clients>,
    /// Others on this machine can read the key.
    pub(crate) key_is_exposed: bool,
}

/// What client certificates are held against.
struct Clients {
    cas: Vec<CertificateDer<'static>>,
    crls: Vec<CertificateRevocationListDer<'static>>,
    require: bool,
}

/// Why TLS cannot be had from the files.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file cannot be read.
    #[error("{0}: {1}")]
    Unreadable(String, io::Error),
    /// There is no such thing in a file, or it is damaged.
    #[error("{0}: there is no {1} in PEM in it")]
    Missing(String, &'static str),
    /// What is in the files does not go together, or is not accepted.
    #[error("{0}: {1}")]
    Refused(String, rustls::Error),
    /// The CAs of client certificates, or their revocation lists, are not accepted.
    #[error("{0}: {1}")]
    Clients(String, rustls::server::VerifierBuilderError),
}

/// What tells whether a file has changed.
pub(crate) type Stamp = Vec<Option<(u64, u64, u64, i64, i64)>>;

/// The end of something that a listener uses.
pub(crate) struct End {
    /// What ends.
    pub(crate) what: &'static str,
    /// In which file.
    pub(crate) file: String,
    /// When; `None` if it does not say.
    pub(crate) at: Option<Timestamp>,
}

impl TlsFiles {
    /// Those of `config`, in which paths are relative to `folder`.
    pub(crate) fn new(listener: &str, config: &TlsConfig, folder: &Path) -> Self {
        let mut config = config.clone();
        let in_folder = |path: &mut PathBuf| *path = folder.join(&*path);
        in_folder(&mut config.certificate);
        in_folder(&mut config.key);
        if let Some(clients) = &mut config.client_certificates {
            in_folder(&mut clients.ca);
            clients.crl.iter_mut().for_each(in_folder);
        }
        Self { listener: listener.to_owned(), config }
    }

    /// Whether client certificates are asked for.
    pub(crate) const fn asks_clients(&self) -> bool {
        self.config.client_certificates.is_some()
    }

    /// The state of all files.
    pub(crate) fn stamp(&self) -> Stamp {
        let clients = self.config.client_certificates.as_ref();
        let clients = clients.map(|one| std::iter::once(&one.ca).chain(&one.crl));
        let files = [&self.config.certificate, &self.config.key];
        let files = files.into_iter().chain(clients.into_iter().flatten());
        let stamp = |of: Metadata| (of.dev(), of.ino(), of.size(), of.mtime(), of.mtime_nsec());
        files.map(|path| std::fs::metadata(path).ok().map(stamp)).collect()
    }

    /// Reads all files.
    ///
    /// # Errors
    /// [`TlsError`] naming the file.
    pub(crate) fn read(&self) -> Result<Material, TlsError> {
        let text = |path: &Path, longest| {
            let text = files::read_text(path, longest).map(Zeroizing::new);
            text.map_err(|error| TlsError::Unreadable(path.display().to_string(), error))
        };
        let TlsConfig { certificate, key, client_certificates } = &self.config;
        let chain = all(certificate, &text(certificate, LONGEST)?, "certificate")?;
        let key_text = text(key, LONGEST)?;
        let missing = |_: pem::Error| TlsError::Missing(key.display().to_string(), "private key");
        let clients = match client_certificates {
            None => None,
            Some(asked) => {
                let cas = all(&asked.ca, &text(&asked.ca, LONGEST)?, "certificate")?;
                let mut crls = Vec::new();
                for path in &asked.crl {
                    crls.extend(all(path, &text(path, LONGEST_CRL)?, "revocation list")?);
                }
                Some(Clients { cas, crls, require: asked.require })
            }
        };
        Ok(Material {
            chain,
            key: PrivateKeyDer::from_pem_slice(key_text.as_bytes()).map_err(missing)?,
            clients,
            key_is_exposed: std::fs::metadata(key).is_ok_and(|file| file.mode() & 0o004 != 0),
        })
    }

    /// When what is in the files ends.
    ///
    /// # Errors
    /// [`TlsError`] if they cannot be read.
    pub(crate) fn ends(&self) -> Result<Vec<End>, TlsError> {
        let material = self.read()?;
        let file = |path: &Path| path.display().to_string();
        let end = |what, path: &Path, at| End { what, file: file(path), at };
        let certificate = &self.config.certificate;
        let chain = material.chain.iter().map(|one| end("certificate", certificate, ends(one)));
        let mut found: Vec<_> = chain.collect();
        if let (Some(asked), Some(clients)) = (&self.config.client_certificates, &material.clients)
        {
            found.extend(clients.cas.iter().map(|one| end("CA of clients", &asked.ca, ends(one))));
            let lists = clients.crls.iter().zip(asked.crl.iter().cycle());
            found.extend(lists.map(|(one, path)| end("revocation list", path, next_update(one))));
        }
        Ok(found)
    }

    /// What a listener does with these files.
    ///
    /// # Errors
    /// [`TlsError`] if they do not go together.
    pub(crate) fn server_config(&self, material: Material) -> Result<ServerConfig, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let certificate = self.config.certificate.display().to_string();
        let refused = |error| TlsError::Refused(certificate, error);
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = match builder.with_safe_default_protocol_versions() {
            Ok(builder) => builder,
            Err(error) => return Err(refused(error)),
        };
        let asks = material.clients.is_some();
        let builder = match material.clients {
            None => builder.with_no_client_auth(),
            Some(clients) => builder.with_client_cert_verifier(self.verifier(clients, provider)?),
        };
        let mut config = builder.with_single_cert(material.chain, material.key).map_err(refused)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        if asks {
            // A session that is resumed would not be held against revocation lists again, nor against
            // the end of its certificate.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        } else if let Ok(ticketer) = aws_lc_rs::Ticketer::new() {
            config.ticketer = ticketer;
        }
        Ok(config)
    }

    fn verifier(
        &self,
        clients: Clients,
        provider: Arc<rustls::crypto::CryptoProvider>,
    ) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, TlsError> {
        let asked = self.config.client_certificates.as_ref();
        let file = asked.map(|asked| asked.ca.display().to_string()).unwrap_or_default();
        let mut roots = RootCertStore::empty();
        for ca in clients.cas {
            roots.add(ca).map_err(|error| TlsError::Refused(file.clone(), error))?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        // A list that is out of date says nothing of what was revoked since.
        let builder = builder.with_crls(clients.crls).enforce_revocation_expiration();
        let builder = if clients.require { builder } else { builder.allow_unauthenticated() };
        builder.build().map_err(|error| TlsError::Clients(file, error))
    }
}

/// Everything of the type `T` that is in `text`, the content of the file at `path`; there is some.
fn all<T: PemObject>(path: &Path, text: &str, what: &'static str) -> Result<Vec<T>, TlsError> {
    let found: Result<Vec<T>, _> = T::pem_slice_iter(text.as_bytes()).collect();
    let found = found.ok().filter(|found| !found.is_empty());
    found.ok_or_else(|| TlsError::Missing(path.display().to_string(), what))
}

fn ends(certificate: &[u8]) -> Option<Timestamp> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    u64::try_from(certificate.validity().not_after.timestamp()).ok().map(Timestamp)
}

fn next_update(list: &[u8]) -> Option<Timestamp> {
    let (_, list) = CertificateRevocationList::from_der(list).ok()?;
    u64::try_from(list.next_update()?.timestamp()).ok().map(Timestamp)
}
