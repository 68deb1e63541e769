//! The `[security]` table, and the variable of `docs/contracts/aidbox.md` §2.2.

use castellan_issuer::secrets::{credential_policy::CredentialPolicy, policy::SecretPolicy};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Config, ConfigError, Site, SiteConfig, check::Problem, environment::Environment};

/// Exceptions for demonstrations, and the minimum length of passwords.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SecurityConfig {
    /// For demonstrations and tests on loopback: accepts secrets of fewer than 32 bytes, sample
    /// keys, and a `jwt.expires` of zero or of more than a year.
    pub insecure: bool,
    /// Minimum length of passwords, in characters (`BOX_SECURITY_USER_PASSWORD_MIN_LENGTH`). A site
    /// may have its own. Default 12.
    pub password_min_length: usize,
    /// Origins that documents of administrators may name although they are not reached by https, or
    /// are in a private network, such as `"http://10.0.0.5:8080"`. Default: none.
    pub private_origins: Vec<String>,
}

/// The variable of `docs/contracts/aidbox.md` §2.2.
const VARIABLE: &str = "BOX_SECURITY_USER_PASSWORD_MIN_LENGTH";
/// What may be asked at most: whoever generates passwords has shorter ones.
const LONGEST: usize = 128;
/// Characters of one kind that a policy may ask for.
const MOST_OF_A_KIND: u16 = 32;

impl Default for SecurityConfig {
    fn default() -> Self {
        Self { insecure: false, password_min_length: 12, private_origins: Vec::new() }
    }
}

impl Config {
    /// Refuses a policy that no password could meet.
    pub(super) fn check_credential_policy(&self) -> Result<(), Problem> {
        let Some(policy) = &self.credential_policy else { return Ok(()) };
        let wrong = |setting: &'static str, most: u16| {
            let text = format!("credential_policy.{setting} must be at most {most}");
            Err(Problem::at(&["credential_policy", setting], &text))
        };
        let least = [
            ("lower_case", policy.lower_case),
            ("upper_case", policy.upper_case),
            ("digits", policy.digits),
            ("special", policy.special),
            ("unique", policy.unique),
        ];
        if let Some((setting, _)) = least.iter().find(|(_, number)| *number > MOST_OF_A_KIND) {
            return wrong(setting, MOST_OF_A_KIND);
        }
        if policy.history > CredentialPolicy::MOST_HISTORY {
            return wrong("history", CredentialPolicy::MOST_HISTORY);
        }
        if policy.maximum_sequence == Some(0) {
            let text = "credential_policy.maximum_sequence must be at least 1";
            return Err(Problem::at(&["credential_policy", "maximum_sequence"], text));
        }
        Ok(())
    }
}

impl SecurityConfig {
    /// Reads the document's own variable over the table.
    pub(super) fn read_environment(&mut self, from: &Environment) -> Result<(), ConfigError> {
        if let Some(length) = from.number(VARIABLE)? {
            self.password_min_length = usize::try_from(length).unwrap_or(usize::MAX);
        }
        Ok(())
    }

    /// What `site` asks of passwords and secrets. The documents' own samples are shorter than is
    /// good, and are for demos and tests.
    #[must_use]
    pub fn secrets(&self, site: &Site, credential: Option<CredentialPolicy>) -> SecretPolicy {
        let default = SecretPolicy::default();
        SecretPolicy {
            password_min_length: site.password_min_length,
            secret_min_length: if self.insecure { 1 } else { default.secret_min_length },
            credential,
        }
    }

    pub(super) fn check(&self, sites: &[SiteConfig]) -> Result<(), Problem> {
        let text = |setting: &str, length: usize| {
            format!("{setting} must be from 1 to {LONGEST} characters, not {length}")
        };
        let good = |length: usize| (1..=LONGEST).contains(&length);
        if !good(self.password_min_length) {
            let setting = format!("security.password_min_length ({VARIABLE})");
            let text = text(&setting, self.password_min_length);
            return Err(Problem::at(&["security", "password_min_length"], &text));
        }
        // Not shown: what is none may have a password in it.
        for (at, origin) in self.private_origins.iter().enumerate() {
            let is_web = origin.starts_with("http://") || origin.starts_with("https://");
            if !is_web || !castellan_proto::is_origin(origin) {
                let text = format!(
                    "security.private_origins[{at}] is not an origin such as \
                     \"http://10.0.0.5:8080\": a scheme, a host and a port, and nothing behind them"
                );
                return Err(Problem::at(&["security", "private_origins"], &text));
            }
        }
        for (at, site) in sites.iter().enumerate() {
            if let Some(length) = site.password_min_length.filter(|length| !good(*length)) {
                let setting = format!("site {:?}: password_min_length", site.name);
                let way = &["password_min_length"];
                return Err(Problem::of_entry("site", at, way, text(&setting, length)));
            }
        }
        Ok(())
    }
}
