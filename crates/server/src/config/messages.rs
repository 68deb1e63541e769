//! The `[mail]` and `[text_messages]` tables (`docs/messages.md`).

use std::{net::IpAddr, path::PathBuf, time::Duration};

use castellan_issuer::secrets::policy::is_blank;
use castellan_proto::Lifetime;
use lettre::message::Mailbox;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::{Config, SecretRef, check::Problem};

/// How mail is sent: by an SMTP server, or, to try things out, to a file or the log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// The sender, such as `"Castellan <no-reply@example.org>"`.
    pub from: String,
    /// Where answers go. Default: to the sender.
    pub reply_to: Option<String>,
    /// Name or address of the SMTP server.
    pub host: Option<String>,
    /// Its port. Default: 587 with `"starttls"`, 465 with `"tls"`, 25 with `"none"`.
    pub port: Option<u16>,
    /// How connections to it are encrypted. Default `"starttls"`.
    pub tls: Option<MailTls>,
    /// File with certificates (PEM) of authorities that it is trusted by besides the public ones.
    pub ca: Option<PathBuf>,
    /// The user name that the SMTP server knows Castellan by.
    pub user: Option<SecretRef>,
    /// The password.
    pub password: Option<SecretRef>,
    /// How long the SMTP server may take to accept a message, at most `"60s"`. Default `"10s"`.
    #[serde(default = "patience")]
    pub timeout: Lifetime,
    /// File to whose end messages are written instead of being sent.
    pub file: Option<PathBuf>,
    /// Whether messages are logged instead of being sent. Default `false`.
    #[serde(default)]
    pub log: bool,
}

/// How connections to an SMTP server are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// By STARTTLS, before anything else is said (RFC 3207). Without it, nothing is sent.
    #[default]
    Starttls,
    /// From the first byte (RFC 8314).
    Tls,
    /// Not at all; to this machine alone.
    None,
}

/// How text messages are sent: by a service over HTTPS, or, to try things out, to a file or the log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextMessagesConfig {
    /// Where `{"to": number, "text": text}` is posted; https, or http on this machine.
    #[schemars(with = "Option<String>", url)]
    pub url: Option<Url>,
    /// The bearer token that is sent with it.
    pub secret: Option<SecretRef>,
    /// How long the service may take to accept a message, at most `"60s"`. Default `"10s"`.
    #[serde(default = "patience")]
    pub timeout: Lifetime,
    /// File to whose end messages are written instead of being sent.
    pub file: Option<PathBuf>,
    /// Whether messages are logged instead of being sent. Default `false`.
    #[serde(default)]
    pub log: bool,
}

/// The longest time limit.
const LONGEST: Duration = Duration::from_mins(1);

const fn patience() -> Lifetime {
    Lifetime::seconds(10)
}

/// What is wrong with one of the tables.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    /// The setting that is wrong; none: the table as a whole.
    key: Option<&'static str>,
    text: String,
}

impl Wrong {
    /// The setting `key` is wrong, in a text that names it.
    fn at(key: &'static str, text: impl Into<String>) -> Self {
        Self { key: Some(key), text: text.into() }
    }

    /// The same in the table `table`.
    fn of(self, table: &'static str) -> Problem {
        let way: Vec<_> = [table].into_iter().chain(self.key).collect();
        Problem::at(&way, &format!("{table}: {}", self.text))
    }
}

impl Config {
    pub(super) fn check_messages(&self) -> Result<(), Problem> {
        let checked = self.mail.as_ref().map_or(Ok(()), MailConfig::check);
        checked.map_err(|wrong| wrong.of("mail"))?;
        let checked = self.text_messages.as_ref().map_or(Ok(()), TextMessagesConfig::check);
        checked.map_err(|wrong| wrong.of("text_messages"))
    }
}

impl MailConfig {
    /// How connections to the SMTP server are encrypted.
    #[must_use]
    pub fn encryption(&self) -> MailTls {
        self.tls.unwrap_or_default()
    }

    /// The port of the SMTP server.
    #[must_use]
    pub fn smtp_port(&self) -> u16 {
        self.port.unwrap_or(match self.encryption() {
            MailTls::Starttls => 587,
            MailTls::Tls => 465,
            MailTls::None => 25,
        })
    }

    fn check(&self) -> Result<(), Wrong> {
        one_way("host", self.host.is_some(), self.file.is_some(), self.log)?;
        for (name, address) in [("from", Some(&self.from)), ("reply_to", self.reply_to.as_ref())] {
            if address.is_some_and(|address| address.parse::<Mailbox>().is_err()) {
                let text = "must be an e-mail address, or a name and one in angle brackets";
                return Err(Wrong::at(name, format!("{name} {text}")));
            }
        }
        let of_host = [
            ("port", self.port.is_some()),
            ("tls", self.tls.is_some()),
            ("ca", self.ca.is_some()),
            ("user", self.user.is_some()),
            ("password", self.password.is_some()),
        ];
        match of_host.into_iter().find(|(_, is_set)| *is_set) {
            Some((name, _)) if self.host.is_none() => {
                return Err(Wrong::at(
                    name,
                    format!("{name} has no effect without host; remove it"),
                ));
            }
            _ => {}
        }
        if self.user.is_some() != self.password.is_some() {
            let key = if self.user.is_some() { "user" } else { "password" };
            return Err(Wrong::at(key, "user and password go together; set both or neither"));
        }
        for (name, secret) in [("user", &self.user), ("password", &self.password)] {
            check_secret(name, secret.as_ref())?;
        }
        check_timeout(self.timeout)?;
        let Some(host) = &self.host else { return Ok(()) };
        if host.is_empty() || !host.chars().all(|c| c.is_alphanumeric() || ".-:".contains(c)) {
            let text = "host must be a name or an address, without a scheme and a port";
            return Err(Wrong::at("host", text));
        }
        if self.encryption() != MailTls::None {
            return Ok(());
        }
        if !is_loopback(host) {
            let text = "tls = \"none\" is for servers on this machine; use \"starttls\" or \"tls\"";
            return Err(Wrong::at("tls", text));
        }
        if self.ca.is_some() || self.user.is_some() {
            let text = "tls = \"none\" goes with neither ca nor user: nothing is encrypted, and no \
                        password is sent in clear";
            return Err(Wrong::at("tls", text));
        }
        Ok(())
    }
}

impl TextMessagesConfig {
    fn check(&self) -> Result<(), Wrong> {
        one_way("url", self.url.is_some(), self.file.is_some(), self.log)?;
        check_secret("secret", self.secret.as_ref())?;
        check_timeout(self.timeout)?;
        let Some(url) = &self.url else {
            return match self.secret {
                Some(_) => Err(Wrong::at("secret", "secret has no effect without url; remove it")),
                None => Ok(()),
            };
        };
        let is_local = url.scheme() == "http" && url.host_str().is_some_and(is_loopback);
        if url.scheme() != "https" && !is_local {
            return Err(Wrong::at("url", "url must be https, or http on this machine"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(Wrong::at("url", "url must have no user name, password or fragment"));
        }
        if self.secret.is_none() {
            return Err(Wrong::at("url", "url needs secret, the bearer token of the service"));
        }
        Ok(())
    }
}

/// Messages take one way, and not a way that hides another.
fn one_way(name: &'static str, is_sent: bool, file: bool, log: bool) -> Result<(), Wrong> {
    match usize::from(is_sent) + usize::from(file) + usize::from(log) {
        1 => Ok(()),
        0 => {
            let text = format!("set {name}, or file or log to try things out");
            Err(Wrong { key: None, text })
        }
        _ => {
            let text = format!("{name}, file and log exclude each other; set one of them");
            Err(Wrong::at(if file { "file" } else { "log" }, text))
        }
    }
}

fn check_secret(name: &'static str, secret: Option<&SecretRef>) -> Result<(), Wrong> {
    match secret {
        Some(SecretRef::Text(text)) if is_blank(text) => {
            Err(Wrong::at(name, format!("{name} is empty or blank; set it, or remove it")))
        }
        _ => Ok(()),
    }
}

fn check_timeout(timeout: Lifetime) -> Result<(), Wrong> {
    if timeout.get() <= LONGEST {
        return Ok(());
    }
    Err(Wrong::at("timeout", format!("timeout must be at most {} seconds", LONGEST.as_secs())))
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        let text = format!("from = \"Casa <no-reply@example.org>\"\n{text}");
        toml::from_str::<MailConfig>(&text).unwrap().check().unwrap_err().text
    }

    #[test]
    fn mail_takes_one_way_which_is_encrypted_unless_it_stays_on_this_machine() {
        for (text, expected) in [
            ("", "set host, or file"),
            ("host = \"a\"\nlog = true", "exclude each other"),
            ("log = true\nport = 25", "port has no effect"),
            ("host = \"a\"\ntls = \"none\"", "is for servers on this machine"),
            ("host = \"::1\"\ntls = \"none\"\nuser = \"a\"\npassword = \"b\"", "no password"),
            ("host = \"a\"\nuser = \"a\"", "go together"),
            ("host = \"a\"\nuser = \"a\"\npassword = \" \"", "password is empty"),
            ("host = \"smtp://a\"", "host must be"),
            ("host = \"a\"\ntimeout = \"2m\"", "at most 60"),
            ("host = \"a\"\nreply_to = \"a@b.c\\r\\nBcc: d@e.f\"", "reply_to must be"),
        ] {
            assert!(problem(text).contains(expected), "{text}: {}", problem(text));
        }
        let good = "from = \"a@example.org\"\nhost = \"127.0.0.1\"\ntls = \"none\"";
        let good: MailConfig = toml::from_str(good).unwrap();
        assert_eq!((good.check(), good.smtp_port()), (Ok(()), 25));
    }

    #[test]
    fn text_messages_go_to_a_service_by_https_with_a_secret() {
        for (text, expected) in [
            ("url = \"http://a.example/\"\nsecret = \"s\"", "must be https"),
            ("url = \"https://u:p@a.example/\"\nsecret = \"s\"", "no user name"),
            ("url = \"https://a.example/\"", "needs secret"),
            ("log = true\nsecret = \"s\"", "no effect"),
        ] {
            let config: TextMessagesConfig = toml::from_str(text).unwrap();
            let said = config.check().unwrap_err().text;
            assert!(said.contains(expected), "{text}: {said}");
        }
    }
}
