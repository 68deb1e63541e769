//! Settings that are good in themselves and that nothing would act upon: refused, so that nobody
//! believes in them.

use std::time::Duration;

use castellan_issuer::{Settings, secrets::policy::is_blank};
use castellan_proto::Lifetime;

use super::{Config, ConfigError, DataConfig, SecretRef, check::Problem, file::Step};

/// The longest lifetime of JWTs of people.
const LONGEST_JWT: Duration = Duration::from_hours(24);

impl Config {
    /// # Errors
    /// The first [`Problem`].
    pub(super) fn check_effects(&self) -> Result<(), Problem> {
        self.data.check_effects()?;
        self.check_lifetimes()?;
        if self.jwt.issuer.trim().is_empty() {
            let text = "jwt.issuer (JWT_ISSUER) is empty; tokens need an issuer, so remove it for \
                        the default, or name one";
            return Err(Problem::at(&["jwt", "issuer"], text));
        }
        let secrets: [(&[&'static str], &Option<SecretRef>); 4] = [
            (&["data", "master_key"], &self.data.master_key),
            (&["data", "previous_master_key"], &self.data.previous_master_key),
            (&["jwt", "secret"], &self.jwt.secret),
            (&["decidim", "api_jwt_secret"], &self.decidim.api_jwt_secret),
        ];
        let is_empty = |secret: &Option<SecretRef>| matches!(secret, Some(SecretRef::Text(secret)) if is_blank(secret));
        match secrets.into_iter().find(|(_, secret)| is_empty(secret)) {
            Some((way, _)) => {
                let text = format!("{} is empty or blank; set it, or remove it", way.join("."));
                Err(Problem::at(way, &text))
            }
            None => Ok(()),
        }
    }

    /// What is shorter than what it is a part of. A default gives way, what somebody wrote does not.
    fn check_lifetimes(&self) -> Result<(), Problem> {
        let (tokens, plain) = (&self.tokens, Settings::default());
        let longer = |idle: Lifetime, default: Lifetime, longest: Option<Lifetime>| {
            idle != default && longest.is_some_and(|longest| idle.get() > longest.get())
        };
        let text = |idle: &str, longest: &str| {
            format!(
                "tokens.{idle} is longer than tokens.{longest} and would never be reached; make it \
                 shorter, or remove it"
            )
        };
        let absolute = Some(tokens.session_absolute);
        if longer(tokens.session_idle, plain.session_idle, absolute) {
            let text = text("session_idle", "session_absolute");
            return Err(Problem::at(&["tokens", "session_idle"], &text));
        }
        if longer(tokens.refresh_idle, plain.refresh_idle, tokens.refresh_longest) {
            let text = text("refresh_idle", "refresh_longest");
            return Err(Problem::at(&["tokens", "refresh_idle"], &text));
        }
        // A key that no longer signs is kept for as long.
        if tokens.person_jwt.get() > LONGEST_JWT {
            let text = "tokens.person_jwt must be at most a day (\"1d\"); people get a new token for \
                        their password";
            return Err(Problem::at(&["tokens", "person_jwt"], text));
        }
        Ok(())
    }
}

impl DataConfig {
    fn check_effects(&self) -> Result<(), Problem> {
        let scheme = self.url.split_once("://").map_or("", |(scheme, _)| scheme);
        let is = |name: &str| scheme.eq_ignore_ascii_case(name);
        if self.wait.is_some() && is("sqlite") {
            let text =
                "data.wait has no effect with SQLite, which is a file and no server; remove it";
            return Err(Problem::at(&["data", "wait"], text));
        }
        if self.allow_table_scans && !is("dynamodb") {
            let text = "data.allow_table_scans has an effect with DynamoDB only; remove it";
            return Err(Problem::at(&["data", "allow_table_scans"], text));
        }
        Ok(())
    }
}

impl Problem {
    /// The setting at `way` is wrong.
    pub(super) fn at(way: &[&'static str], text: &str) -> Self {
        Self::of_setting(
            way.iter().map(|name| Step::Key(name)).collect(),
            ConfigError::Conflict(text.to_owned()),
        )
    }
}
