//! Mail by SMTP (RFC 5321), encrypted before anything else is said (RFC 3207, RFC 8314).

use std::{net::IpAddr, path::Path};

use castellan_issuer::messages::SendError;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, MultiPart},
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
        extension::ClientId,
    },
};

use super::texts::MessageText;
use crate::{
    config::{ConfigError, MailConfig, MailTls},
    files,
    roots::TrustedRoots,
};

/// Bytes of a file with certificates.
const MOST: u64 = 1024 * 1024;

/// The way to one SMTP server.
pub(super) struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    reply_to: Option<Mailbox>,
    /// What it is called.
    name: String,
}

impl Mail {
    /// The way that `config` names; `host` is what Castellan calls itself. Nothing is connected yet.
    /// The server is verified against `roots` and what `mail.ca` names in `folder`.
    pub(super) fn open(
        config: &MailConfig,
        folder: &Path,
        roots: &TrustedRoots,
        host: &str,
    ) -> Result<Self, ConfigError> {
        let wrong = |what: &str| ConfigError::Conflict(format!("mail: {what}"));
        let server = config.host.clone().unwrap_or_default();
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.clone())
            .port(config.smtp_port())
            .timeout(Some(config.timeout.get()))
            .hello_name(hello_name(host));
        let tls = || tls_parameters(config, folder, roots, &server);
        builder = builder.tls(match config.encryption() {
            MailTls::Starttls => Tls::Required(tls()?),
            MailTls::Tls => Tls::Wrapper(tls()?),
            MailTls::None => Tls::None,
        });
        if let Some((user, password)) = config.user.as_ref().zip(config.password.as_ref()) {
            let (user, password) = (user.resolve(folder)?, password.resolve(folder)?);
            let [user, password] = [user, password].map(|secret| secret.expose().to_owned());
            builder = builder.credentials(Credentials::new(user, password));
        }
        let mailbox = |text: &str| text.parse::<Mailbox>().map_err(|_| wrong("from or reply_to"));
        Ok(Self {
            transport: builder.build(),
            from: mailbox(&config.from)?,
            reply_to: config.reply_to.as_deref().map(mailbox).transpose()?,
            name: format!("{server}:{}", config.smtp_port()),
        })
    }

    /// Connects, encrypts and signs in, and sends nothing; what was connected to.
    pub(super) async fn probe(&self) -> Result<String, String> {
        match self.transport.test_connection().await {
            Ok(true) => Ok(format!("{} accepts connections", self.name)),
            Ok(false) => Err(format!("{} does not answer as an SMTP server does", self.name)),
            Err(error) => Err(format!("{}: {}", self.name, causes(&error))),
        }
    }

    /// Hands `wording` over for delivery to `to`.
    pub(super) async fn send(&self, to: &str, wording: &MessageText) -> Result<(), SendError> {
        let to: Address = to.parse().map_err(|_| SendError::Recipient)?;
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(wording.subject.clone())
            // RFC 3834 §5: nothing answers it by itself.
            .raw_header(auto_submitted());
        if let Some(reply_to) = &self.reply_to {
            message = message.reply_to(reply_to.clone());
        }
        let body = MultiPart::alternative_plain_html(wording.text.clone(), wording.html.clone());
        let failed = |why: String| SendError::Failed(why);
        let message = message.multipart(body).map_err(|error| failed(error.to_string()))?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if is_about_recipient(&error) => Err(SendError::Recipient),
            Err(error) => Err(failed(format!("{}: {}", self.name, causes(&error)))),
        }
    }
}

/// What Castellan calls itself (RFC 5321 §4.1.3 for addresses).
fn hello_name(host: &str) -> ClientId {
    match host.trim_start_matches('[').trim_end_matches(']').parse() {
        Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
        Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
        Err(_) => ClientId::Domain(host.to_owned()),
    }
}

fn auto_submitted() -> lettre::message::header::HeaderValue {
    use lettre::message::header::{HeaderName, HeaderValue};

    let name = HeaderName::new_from_ascii_str("Auto-Submitted");
    HeaderValue::new(name, "auto-generated".to_owned())
}

/// Whether the server refused for good and named an address as the reason (RFC 3463 §3.2: X.1.X).
fn is_about_recipient(error: &lettre::transport::smtp::Error) -> bool {
    let code = error.status().map(u16::from);
    error.is_permanent() && matches!(code, Some(550 | 551 | 553))
}

fn tls_parameters(
    config: &MailConfig,
    folder: &Path,
    roots: &TrustedRoots,
    server: &str,
) -> Result<TlsParameters, ConfigError> {
    let wrong = |what: &str| ConfigError::Conflict(format!("mail: {what}"));
    let mut builder = TlsParameters::builder(server.to_owned());
    for root in roots.certificates() {
        let certificate = Certificate::from_der(root.to_vec());
        let certificate = certificate.map_err(|_| wrong("tls.roots: a certificate is refused"))?;
        builder = builder.add_root_certificate(certificate);
    }
    if let Some(ca) = &config.ca {
        let path = folder.join(ca);
        let text = files::read_text(&path, MOST)
            .map_err(|cause| ConfigError::Unreadable { path: path.display().to_string(), cause })?;
        let bad = format!("{} contains no certificate in PEM", path.display());
        if !text.contains("-----BEGIN CERTIFICATE-----") {
            return Err(wrong(&bad));
        }
        for block in text.split_inclusive("-----END CERTIFICATE-----") {
            if block.contains("-----BEGIN CERTIFICATE-----") {
                let certificate = Certificate::from_pem(block.as_bytes());
                builder = builder.add_root_certificate(certificate.map_err(|_| wrong(&bad))?);
            }
        }
    }
    builder.build().map_err(|error| wrong(&format!("TLS: {}", causes(&error))))
}

/// An error with what caused it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text
}
