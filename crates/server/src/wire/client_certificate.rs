//! The client certificate of a request, and the connection that it came over: what the listener knows
//! of a connection, and what a listed proxy says of its own.

use std::sync::Arc;

use castellan_proto::Timestamp;
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};

use super::distinguished_name::{DistinguishedName, InvalidName};

/// How a request reached the listener, in its extensions.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionInfo {
    /// By TLS of our own.
    pub(crate) tls: bool,
    /// Over a listener that redirects.
    pub(crate) redirects: bool,
    /// The certificate of the handshake.
    pub(crate) certificate: Option<ClientCertificate>,
}

/// The certificate that a client showed, in the extensions of its requests; there is none if it showed
/// none.
#[derive(Clone, Debug)]
pub(crate) enum ClientCertificate {
    /// It was verified, by the listener or by a listed proxy.
    Verified(Arc<Subject>),
    /// It was not, or it cannot be read.
    Invalid,
}

/// Whom a certificate is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// Its distinguished name.
    pub(crate) name: DistinguishedName,
    /// When the certificate ends, where that is known.
    pub(crate) ends: Option<Timestamp>,
}

impl ClientCertificate {
    /// The leaf of a handshake, which was verified there.
    pub(crate) fn of_handshake(leaf: &[u8]) -> Self {
        match subject(leaf) {
            Some(subject) => Self::Verified(Arc::new(subject)),
            None => Self::Invalid,
        }
    }

    /// What a listed proxy says: that it verified the certificate of `name`.
    ///
    /// # Errors
    /// [`InvalidName`] if that is none.
    pub(crate) fn of_proxy(name: &str) -> Result<Self, InvalidName> {
        let name = DistinguishedName::parse(name)?;
        Ok(Self::Verified(Arc::new(Subject { name, ends: None })))
    }
}

fn subject(leaf: &[u8]) -> Option<Subject> {
    let (rest, certificate) = X509Certificate::from_der(leaf).ok()?;
    let ends = u64::try_from(certificate.validity().not_after.timestamp()).ok()?;
    let name = DistinguishedName::of_certificate(certificate.subject()).ok()?;
    rest.is_empty().then_some(Subject { name, ends: Some(Timestamp(ends)) })
}
