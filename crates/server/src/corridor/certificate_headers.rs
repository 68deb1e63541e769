//! What a proxy says of the client certificate of its own connection: believed if the proxy is listed,
//! and removed from every request before anybody reads it (`docs/contracts/ibexa.md` §6,
//! `docs/security-cases.md` rows 28 and 29).

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, Request};
use castellan_gate::dashed_header_name;

use crate::{
    config::CertificateHeaders,
    wire::client_certificate::{ClientCertificate, ConnectionInfo},
};

/// Puts the client certificate of `request`, which came from `peer`, into its extensions: that of the
/// handshake, or what a listed proxy says, whose own certificate is not its caller's.
pub(super) fn take<B>(
    request: &mut Request<B>,
    peer: IpAddr,
    settings: Option<&CertificateHeaders>,
) {
    let peer = peer.to_canonical();
    let mut certificate = None;
    match settings {
        Some(settings) if settings.trusted_proxies.iter().any(|net| net.contains(&peer)) => {
            certificate = said(request.headers(), settings);
        }
        _ => {
            if let Some(connection) = request.extensions().get::<ConnectionInfo>() {
                certificate.clone_from(&connection.certificate);
            }
        }
    }
    if let Some(settings) = settings {
        remove(request.headers_mut(), settings);
    }
    if let Some(certificate) = certificate {
        request.extensions_mut().insert(certificate);
    }
}

/// What the proxy says; nothing if there was no certificate.
fn said(headers: &HeaderMap, settings: &CertificateHeaders) -> Option<ClientCertificate> {
    let only = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Some(&b""[..]),
            (Some(value), None) => Some(value.as_bytes()),
            (Some(_), Some(_)) => None,
        }
    };
    let (Some(verified), Some(subject)) =
        (only(&settings.verify_header), only(&settings.subject_header))
    else {
        return Some(ClientCertificate::Invalid);
    };
    match verified {
        b"" | b"NONE" => return None,
        b"SUCCESS" => {}
        // `FAILED:reason`, `GENEROUS`, or whatever else is not that.
        _ => return Some(ClientCertificate::Invalid),
    }
    let certificate = std::str::from_utf8(subject).ok().map(ClientCertificate::of_proxy);
    match certificate {
        Some(Ok(certificate)) => Some(certificate),
        Some(Err(problem)) => {
            let header = settings.subject_header.as_str();
            tracing::warn!(header, %problem, "a proxy sent a subject that cannot be read");
            Some(ClientCertificate::Invalid)
        }
        None => Some(ClientCertificate::Invalid),
    }
}

/// Removes both headers in every spelling that some server reads as theirs.
fn remove(headers: &mut HeaderMap, settings: &CertificateHeaders) {
    let ours = [&settings.subject_header, &settings.verify_header];
    let ours = ours.map(|name| dashed_header_name(name.as_str()));
    let doomed = |name: &&HeaderName| ours.contains(&dashed_header_name(name.as_str()));
    let doomed: Vec<_> = headers.keys().filter(doomed).cloned().collect();
    for name in doomed {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::distinguished_name::EMAIL_ADDRESS;

    const SUBJECT: &str = "x-client-subject";
    const VERIFY: &str = "x-client-verify";

    /// The e-mail address that a request is left with; `Err` if its certificate is not valid.
    fn left(peer: &str, headers: &[(&str, &str)]) -> Result<Option<String>, ()> {
        let settings = CertificateHeaders {
            subject_header: HeaderName::from_static(SUBJECT),
            verify_header: HeaderName::from_static(VERIFY),
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        };
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).unwrap();
        take(&mut request, peer.parse().unwrap(), Some(&settings));
        assert!(request.headers().keys().all(|name| name == "accept"), "{request:?}");
        match request.extensions().get::<ClientCertificate>() {
            None => Ok(None),
            Some(ClientCertificate::Invalid) => Err(()),
            Some(ClientCertificate::Verified(subject)) => {
                Ok(Some(subject.name.only(EMAIL_ADDRESS).unwrap_or_default().to_owned()))
            }
        }
    }

    #[test]
    fn case_28_certificates_are_believed_of_listed_proxies_alone() {
        const NAME: &str = "emailAddress=ann@example.org,CN=Ann";
        let good = &[(SUBJECT, NAME), (VERIFY, "SUCCESS"), ("accept", "*/*")][..];
        assert_eq!(left("10.0.0.1", good), Ok(Some("ann@example.org".to_owned())));
        assert_eq!(left("::ffff:10.0.0.1", good), Ok(Some("ann@example.org".to_owned())));
        for stranger in ["192.0.2.1", "127.0.0.1", "::1"] {
            assert_eq!(left(stranger, good), Ok(None), "{stranger}");
        }
        for none in
            [&[][..], &[(VERIFY, "NONE")], &[(VERIFY, "NONE"), (SUBJECT, NAME)], &[(SUBJECT, NAME)]]
        {
            assert_eq!(left("10.0.0.1", none), Ok(None), "{none:?}");
        }
        for bad in [
            &[(VERIFY, "FAILED:certificate has expired"), (SUBJECT, NAME)][..],
            &[(VERIFY, "GENEROUS"), (SUBJECT, NAME)],
            &[(VERIFY, "success"), (SUBJECT, NAME)],
            &[(VERIFY, "SUCCESS")],
            &[(VERIFY, "SUCCESS"), (VERIFY, "NONE"), (SUBJECT, NAME)],
            &[(VERIFY, "SUCCESS"), (SUBJECT, NAME), (SUBJECT, "CN=x")],
            &[(VERIFY, "SUCCESS"), (SUBJECT, "/CN=x/emailAddress=ann@example.org")],
        ] {
            assert_eq!(left("10.0.0.1", bad), Err(()), "{bad:?}");
        }
    }

    #[test]
    fn case_29_other_spellings_are_removed_and_never_read() {
        let odd =
            &[("x_client_subject", "emailAddress=ann@example.org"), ("X-Client_Verify", "SUCCESS")];
        for peer in ["10.0.0.1", "192.0.2.1"] {
            assert_eq!(left(peer, odd), Ok(None), "{peer}");
        }
    }

    #[test]
    fn the_certificate_of_a_proxy_is_not_its_callers() {
        let settings = CertificateHeaders {
            subject_header: HeaderName::from_static(SUBJECT),
            verify_header: HeaderName::from_static(VERIFY),
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        };
        for (peer, is_there) in [("10.0.0.1", false), ("192.0.2.1", true)] {
            let certificate = Some(ClientCertificate::of_proxy("CN=proxy").unwrap());
            let mut request = Request::new(());
            request.extensions_mut().insert(ConnectionInfo {
                tls: true,
                certificate,
                ..ConnectionInfo::default()
            });
            take(&mut request, peer.parse().unwrap(), Some(&settings));
            let found = request.extensions().get::<ClientCertificate>().is_some();
            assert_eq!(found, is_there, "{peer}");
        }
    }
}
