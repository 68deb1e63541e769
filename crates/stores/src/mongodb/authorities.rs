//! The authorities that a MongoDB server is trusted by, as the file that the driver reads.
//!
//! The driver takes the path of one file, reads it for every server that it finds, and trusts what is
//! in it *instead of* the public authorities. So the file holds both, and is there for as long as the
//! client.

use std::io::{self, Write as _};

use ::mongodb::options::{ClientOptions, Tls};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tempfile::NamedTempFile;

use crate::OpenError;

/// The file; it is deleted with this.
pub(super) struct Authorities {
    _file: NamedTempFile,
}

impl Authorities {
    /// Has `options` trust those in `roots`, in PEM, besides the public ones; `None` where there are
    /// none, TLS is not used, or the URL names a file of its own.
    ///
    /// # Errors
    /// [`OpenError`] if the file cannot be written.
    pub(super) fn for_client(
        options: &mut ClientOptions,
        roots: &str,
    ) -> Result<Option<Self>, OpenError> {
        let Some(Tls::Enabled(tls)) = &mut options.tls else { return Ok(None) };
        if roots.is_empty() || tls.ca_file_path.is_some() {
            return Ok(None);
        }
        let file = written(roots).map_err(|error| {
            let problem = "needs a file with the authorities of tls.roots, which cannot be written";
            let remedy = "make the folder for temporary files writable (TMPDIR), or set tlsCAFile";
            OpenError::server("mongodb", problem, remedy).because(error)
        })?;
        tls.ca_file_path = Some(file.path().to_owned());
        Ok(Some(Self { _file: file }))
    }
}

fn written(roots: &str) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix("castellan-").suffix(".pem").tempfile()?;
    writeln!(file, "{roots}")?;
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        let text = STANDARD.encode(certificate);
        writeln!(file, "-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----")?;
    }
    file.flush()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use ::mongodb::options::TlsOptions;

    use super::*;

    #[test]
    fn public_authorities_stay_trusted_beside_private_ones() {
        let mut options = ClientOptions::default();
        assert!(Authorities::for_client(&mut options, "PEM").unwrap().is_none(), "no TLS");
        options.tls = Some(Tls::Enabled(TlsOptions::default()));
        assert!(Authorities::for_client(&mut options, "").unwrap().is_none(), "nothing to add");
        let held = Authorities::for_client(&mut options, "PEM").unwrap();
        let Some(Tls::Enabled(tls)) = &options.tls else { panic!("TLS is off") };
        let path = tls.ca_file_path.clone().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let public = webpki_root_certs::TLS_SERVER_ROOT_CERTS.len();
        assert!(text.starts_with("PEM\n") && public > 100);
        assert_eq!(text.matches("BEGIN CERTIFICATE").count(), public);
        assert!(Authorities::for_client(&mut options, "PEM").unwrap().is_none(), "its own");
        drop(held);
        assert!(!path.exists());
    }
}
