//! The `[decidim]` table and the variables of `docs/contracts/decidim.md` §7.

use std::{path::Path, time::Duration};

use castellan_issuer::machine::machine_user::MachineTokens;
use castellan_proto::Secret;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{ConfigError, SecretRef, Site, check::Problem, environment::Environment};

/// Settings of the Decidim dialect. Without a secret, machine users cannot sign in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DecidimConfig {
    /// The HMAC secret, at least 32 bytes (`DECIDIM_API_JWT_SECRET`).
    pub api_jwt_secret: Option<SecretRef>,
    /// Lifetime of machine users' tokens, in minutes (`DECIDIM_API_JWT_EXPIRES_IN`). Default: that
    /// of apps.
    pub api_jwt_expires_in: Option<u32>,
    /// Lifetime of access tokens of apps of `/oauth`, in minutes
    /// (`DECIDIM_OAUTH_ACCESS_TOKEN_EXPIRES_IN`).
    pub oauth_access_token_expires_in: u32,
    /// Length of generated secrets of machine users, in characters
    /// (`DECIDIM_SYSTEM_API_USERS_SECRET_LENGTH`).
    pub api_users_secret_length: u32,
    /// Whether callers without a valid credential are refused
    /// (`DECIDIM_API_FORCE_API_AUTHENTICATION`).
    pub force_api_authentication: bool,
    /// Whether everybody may read the schema, unless a guard's `introspection` says otherwise
    /// (`DECIDIM_API_ENABLE_ANONYMOUS_INTROSPECTION`).
    pub enable_anonymous_introspection: bool,
}

impl Default for DecidimConfig {
    fn default() -> Self {
        Self {
            api_jwt_secret: None,
            api_jwt_expires_in: None,
            oauth_access_token_expires_in: 120,
            api_users_secret_length: 32,
            force_api_authentication: false,
            enable_anonymous_introspection: false,
        }
    }
}

/// A year of minutes.
const LONGEST: u32 = 525_600;

impl DecidimConfig {
    /// Reads the document's own variables over the table.
    pub(super) fn read_environment(&mut self, from: &Environment) -> Result<(), ConfigError> {
        if let Some(secret) = from.get("DECIDIM_API_JWT_SECRET") {
            self.api_jwt_secret = Some(SecretRef::Text(Secret::new(secret.to_owned())));
        }
        if let Some(minutes) = from.number("DECIDIM_API_JWT_EXPIRES_IN")? {
            self.api_jwt_expires_in = Some(minutes);
        }
        if let Some(minutes) = from.number("DECIDIM_OAUTH_ACCESS_TOKEN_EXPIRES_IN")? {
            self.oauth_access_token_expires_in = minutes;
        }
        if let Some(length) = from.number("DECIDIM_SYSTEM_API_USERS_SECRET_LENGTH")? {
            self.api_users_secret_length = length;
        }
        if let Some(force) = from.boolean("DECIDIM_API_FORCE_API_AUTHENTICATION")? {
            self.force_api_authentication = force;
        }
        if let Some(open) = from.boolean("DECIDIM_API_ENABLE_ANONYMOUS_INTROSPECTION")? {
            self.enable_anonymous_introspection = open;
        }
        Ok(())
    }

    pub(super) fn check(&self) -> Result<(), Problem> {
        let wrong = |key: &'static str, text: &str| Err(Problem::at(&["decidim", key], text));
        let good = |minutes: u32| (1..=LONGEST).contains(&minutes);
        if self.api_jwt_secret.is_none() && self.api_jwt_expires_in.is_some() {
            return wrong(
                "api_jwt_expires_in",
                "decidim.api_jwt_expires_in (DECIDIM_API_JWT_EXPIRES_IN) has no effect without a \
                 secret: set decidim.api_jwt_secret (DECIDIM_API_JWT_SECRET), or remove it",
            );
        }
        if !self.api_jwt_expires_in.is_none_or(good) {
            return wrong(
                "api_jwt_expires_in",
                "decidim.api_jwt_expires_in (DECIDIM_API_JWT_EXPIRES_IN) must be a number of \
                 minutes from 1 to 525600 (a year)",
            );
        }
        if !good(self.oauth_access_token_expires_in) {
            return wrong(
                "oauth_access_token_expires_in",
                "decidim.oauth_access_token_expires_in (DECIDIM_OAUTH_ACCESS_TOKEN_EXPIRES_IN) \
                 must be a number of minutes from 1 to 525600 (a year)",
            );
        }
        if !(16..=128).contains(&self.api_users_secret_length) {
            return wrong(
                "api_users_secret_length",
                "decidim.api_users_secret_length (DECIDIM_SYSTEM_API_USERS_SECRET_LENGTH) must be \
                 from 16 to 128 characters",
            );
        }
        Ok(())
    }

    /// What signs machine users in at `site`; `None` without a secret.
    ///
    /// # Errors
    /// [`ConfigError`] if the secret cannot be read, is too weak to be safe, or is another
    /// document's.
    pub fn tokens(
        &self,
        folder: &Path,
        insecure: bool,
        others: Option<&SecretRef>,
        site: &Site,
    ) -> Result<Option<MachineTokens>, ConfigError> {
        let Some(secret) = &self.api_jwt_secret else { return Ok(None) };
        let secret = secret.resolve(folder)?;
        if secret.expose().len() < 32 && !insecure {
            return Err(ConfigError::Conflict(
                "decidim.api_jwt_secret (DECIDIM_API_JWT_SECRET) must have at least 32 bytes (256 \
                 bits); generate one with `openssl rand -base64 48`, or set security.insecure = true for a demo on \
                 loopback"
                    .to_owned(),
            ));
        }
        if let Some(other) = others
            && other.resolve(folder)? == secret
        {
            return Err(ConfigError::Conflict(
                "JWT_SECRET and DECIDIM_API_JWT_SECRET must differ: a token of one kind must not \
                 verify as the other"
                    .to_owned(),
            ));
        }
        let minutes = self.api_jwt_expires_in.unwrap_or(self.oauth_access_token_expires_in);
        let lifetime = Duration::from_mins(u64::from(minutes));
        Ok(Some(MachineTokens::new(site.signing_key(&secret), lifetime)))
    }
}
