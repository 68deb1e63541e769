//! The certificate authorities that connections of ours trust besides the public ones: those of
//! `tls.roots`, and those in the file that the variable `SSL_CERT_FILE` names.
//!
//! Whatever Castellan connects to by TLS is verified against them: APIs behind guards, what their
//! schemas are fetched from, `apply --server`, apps that are told of sign-outs, services for text
//! messages, mail servers, what documents name, and data sources.

use std::{fmt, path::Path, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use crate::files;

/// The variable that OpenSSL has the name of: a file with authorities, in PEM.
pub(crate) const VARIABLE: &str = "SSL_CERT_FILE";

/// Bytes of a file with authorities. The bundle of a distribution has a quarter of a megabyte.
const LONGEST: u64 = 4 * 1024 * 1024;

/// The authorities that are trusted besides the public ones. Cheap to clone.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct TrustedRoots(Arc<Vec<CertificateDer<'static>>>);

impl fmt::Debug for TrustedRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustedRoots({} besides the public ones)", self.0.len())
    }
}

/// Why a file with authorities cannot be used, in words for the operator.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootsError {
    /// It cannot be read.
    #[error("{path}: cannot be read: {cause}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// There is none in it.
    #[error("{path}: there is no certificate in PEM in it")]
    Empty {
        /// The file.
        path: String,
    },
    /// One of them is damaged, or of a kind that nothing can be verified against.
    #[error("{path}: certificate {number} cannot be used: {cause}")]
    Refused {
        /// The file.
        path: String,
        /// Which one, from 1.
        number: usize,
        /// Why.
        cause: String,
    },
}

impl TrustedRoots {
    /// These and those in the file at `path`, each of which must be usable.
    ///
    /// # Errors
    /// [`RootsError`] naming the file.
    pub(crate) fn with_file(self, path: &Path) -> Result<Self, RootsError> {
        let (mut all, name) = ((*self.0).clone(), path.display().to_string());
        let text = files::read_text(path, LONGEST)
            .map_err(|cause| RootsError::Unreadable { path: name.clone(), cause })?;
        let before = all.len();
        for (at, certificate) in CertificateDer::pem_slice_iter(text.as_bytes()).enumerate() {
            let refused = |cause| RootsError::Refused { path: name.clone(), number: at + 1, cause };
            let certificate = certificate.map_err(|error| refused(error.to_string()))?;
            let added = RootCertStore::empty().add(certificate.clone());
            added.map_err(|error| refused(error.to_string()))?;
            all.push(certificate);
        }
        if all.len() == before {
            return Err(RootsError::Empty { path: name });
        }
        Ok(Self(Arc::new(all)))
    }

    /// These and those in the file that [`VARIABLE`] names, if it is set to `path`.
    ///
    /// # Errors
    /// What is wrong with it and what to do.
    pub(crate) fn with_variable(self, path: Option<&str>) -> Result<Self, String> {
        let Some(path) = path else { return Ok(self) };
        self.with_file(Path::new(path)).map_err(|error| {
            format!("{VARIABLE}: {error}; name a readable PEM file, or unset the variable")
        })
    }

    /// How connections by TLS are made: whoever answers shows a certificate of one of these
    /// authorities, or of a public one.
    pub(crate) fn client_config(&self) -> ClientConfig {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        // Each was added to a store when it was read.
        roots.add_parsable_certificates(self.0.iter().cloned());
        ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
    }

    /// The certificates, in PEM.
    pub(crate) fn pem(&self) -> String {
        let block = |der: &[u8]| {
            let text = STANDARD.encode(der);
            format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
        };
        self.certificates().map(block).collect()
    }

    /// The certificates, in DER.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|certificate| &**certificate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority() -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["ca.example".to_owned()]).unwrap();
        params.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn files_add_up_and_what_is_wrong_with_one_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let two = file("two.pem", &format!("# ours\n{}{}", authority(), authority()));
        let one = file("one.pem", &authority());
        let roots = TrustedRoots::default().with_file(&two).unwrap().with_file(&one).unwrap();
        assert_eq!(roots.certificates().count(), 3);
        let again = TrustedRoots::default().with_file(&file("three.pem", &roots.pem())).unwrap();
        assert_eq!(again, roots);
        let public = TrustedRoots::default();
        assert_eq!(public.certificates().count(), 0);
        for (name, text, expected) in [
            ("empty.pem", "", "there is no certificate in PEM in it"),
            (
                "bad.pem",
                "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
                "certificate 1 cannot be used",
            ),
        ] {
            let error = public.clone().with_file(&file(name, text)).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(expected), "{error}");
        }
        let missing = public.with_file(&folder.path().join("none.pem")).unwrap_err().to_string();
        assert!(missing.contains("none.pem: cannot be read"), "{missing}");
    }
}
