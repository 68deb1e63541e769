//! `AuthConfig` documents: how the sign-in of a site looks (`docs/contracts/aidbox.md` §2.6).

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Facts, Problem, ReadDocument, Resource,
    version::{fresh_incarnation, incarnation},
};
use crate::{Issuer, records::AuthConfig, secrets::policy::has_invisible};

/// How the sign-in of a site looks. A site has one at most.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AuthConfigDocument {
    /// Seconds that browsers keep the session cookie, 60 or more. A session ends when
    /// `tokens.session_absolute` says so, whatever this says. Default: as long as that.
    asid_cookie_max_age: Option<u64>,
    /// Names and links of the pages.
    #[serde(default)]
    theme: Theme,
    /// Refused: people choose for themselves whether they have a second factor.
    two_factor: Option<Value>,
}

/// Names and links of the pages.
#[derive(Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
struct Theme {
    /// What pages call the site. Default: the title of the site.
    brand: Option<String>,
    /// The heading of the sign-in page. Default: `Sign in`.
    title: Option<String>,
    /// Refused: pages take styles from Castellan alone.
    style_url: Option<String>,
    /// Where the sign-in page leads people who forgot their password: an `https` URL, or a path of
    /// the site. Default: `/auth/forgot-password` where mail is configured, otherwise no link.
    forgot_password_url: Option<String>,
}

/// Characters of a brand or title at most.
const MOST_TEXT: usize = 100;
/// Bytes of a URL at most.
const MOST_URL: usize = 2_048;
/// Seconds of the life of a cookie at least: with less, nobody could go on after a sign-in.
const LEAST_AGE: u64 = 60;

impl Resource for AuthConfigDocument {
    type Record = AuthConfig;

    const NAME: &'static str = "AuthConfig";

    #[cfg(feature = "schema")]
    fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }

    fn show(id: &str, record: &AuthConfig) -> Value {
        let mut shown = json!({"resourceType": "AuthConfig", "id": id});
        if let Some(age) = record.cookie_max_age {
            shown["asidCookieMaxAge"] = json!(age);
        }
        for (name, text) in [
            ("brand", &record.brand),
            ("title", &record.title),
            ("forgotPasswordUrl", &record.forgot_password_url),
        ] {
            if let Some(text) = text {
                shown["theme"][name] = json!(text);
            }
        }
        shown
    }

    fn incarnation(_: &str, record: &AuthConfig) -> String {
        incarnation(record.incarnation, record.created)
    }

    fn facts(id: &str, record: &AuthConfig) -> Facts {
        Facts { name: id.to_lowercase(), created: record.created, modified: record.modified }
    }

    async fn read(
        self,
        issuer: &Issuer,
        before: Option<&AuthConfig>,
    ) -> Result<ReadDocument<AuthConfig>, Problem> {
        if self.two_factor.is_some() {
            let text = "twoFactor has no effect: who has set up a second factor is asked for it, and \
                        apps show the title of the site; remove it";
            return Err(Problem::Text(text.to_owned()));
        }
        let Theme { brand, title, style_url, forgot_password_url } = self.theme;
        if style_url.is_some() {
            let text = "theme.styleUrl is not supported: a style sheet of another server could read \
                        what people type on the pages; remove it";
            return Err(Problem::Text(text.to_owned()));
        }
        for (name, text) in [("brand", &brand), ("title", &title)] {
            let is_good = |text: &String| {
                !text.trim().is_empty() && text.chars().count() <= MOST_TEXT && !has_invisible(text)
            };
            if !text.as_ref().is_none_or(is_good) {
                return Err(Problem::Text(format!(
                    "theme.{name} must have 1 to {MOST_TEXT} characters, none of which is a control \
                     character or cannot be seen"
                )));
            }
        }
        if let Some(url) = &forgot_password_url
            && !is_link(url)
        {
            let text = "theme.forgotPasswordUrl must be an https URL, or a path of this site such as \
                        /help, in ASCII and without a user name";
            return Err(Problem::Text(text.to_owned()));
        }
        let longest = issuer.settings().session_absolute.get().as_secs();
        if let Some(age) = self.asid_cookie_max_age
            && !(LEAST_AGE..=longest).contains(&age)
        {
            return Err(Problem::Text(format!(
                "asidCookieMaxAge must be from {LEAST_AGE} to {longest} seconds: a session lasts no \
                 longer (tokens.session_absolute)"
            )));
        }
        let now = issuer.now();
        let record = AuthConfig {
            cookie_max_age: self.asid_cookie_max_age,
            brand,
            title,
            forgot_password_url,
            incarnation: before.map_or_else(fresh_incarnation, |before| before.incarnation),
            created: before.map_or(now, |before| before.created),
            modified: now,
        };
        Ok(ReadDocument::without_secret(record))
    }
}

/// Whether a browser that follows `url` goes to a page by https, or stays on the site. No character
/// is in it that browsers drop or read as another one.
fn is_link(url: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_graphic() && !b"\\\"'<>`{|}^".contains(&b);
    if url.len() > MOST_URL || !url.bytes().all(is_plain) {
        return false;
    }
    if let Some(path) = url.strip_prefix('/') {
        // Two slashes begin the name of another server.
        return !path.starts_with('/');
    }
    let Some(rest) = url.strip_prefix("https://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_host = |b: u8| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b);
    host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[') && host.bytes().all(is_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_https_or_stays_here() {
        for good in ["/help", "/", "/help?x=1#a", "https://help.test/a?b", "https://[::1]:8/x"] {
            assert!(is_link(good), "{good}");
        }
        for bad in [
            "",
            "help",
            "//evil.test",
            "/\\evil.test",
            "http://help.test/",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "https:help.test",
            "https:///help.test",
            "https://",
            "https://user@help.test/",
            "https://help.test\\@evil.test/",
            "/he lp",
            "/h\u{e9}lp",
            "/he\tlp",
            "\u{1}https://help.test/",
            "data:text/html,x",
            "https://?x",
        ] {
            assert!(!is_link(bad), "{bad}");
        }
    }
}
