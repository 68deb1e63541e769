//! The `[registration]` table, and that of a site.

use castellan_issuer::settings::RegistrationSettings;

use super::{Config, ConfigError, SiteConfig, check::Problem, file::Step};

impl Config {
    /// Who may register clients at the site that is `written`.
    pub(super) fn registration_at(&self, written: &SiteConfig) -> RegistrationSettings {
        written.registration.as_ref().unwrap_or(&self.registration).clone()
    }

    /// # Errors
    /// The first [`Problem`].
    pub(super) fn check_registration(&self) -> Result<(), Problem> {
        check(&self.registration, &[])?;
        for (at, site) in self.site.iter().enumerate() {
            if let Some(own) = &site.registration {
                check(own, &[Step::Key("site"), Step::At(at)])?;
            }
        }
        Ok(())
    }
}

/// Checks the table that stands below `place`.
fn check(settings: &RegistrationSettings, place: &[Step]) -> Result<(), Problem> {
    let wrong = |name: &'static str, text: &str| {
        let way = place.iter().cloned().chain([Step::Key("registration"), Step::Key(name)]);
        let text = format!("registration.{name}: {text}");
        Err(Problem::of_setting(way.collect(), ConfigError::Conflict(text)))
    };
    if !settings.is_on() && *settings != RegistrationSettings::default() {
        return wrong(
            "by",
            "is empty, so that nobody can register a client and nothing else here has an effect; \
             name who may, or remove the rest",
        );
    }
    settings.check().or_else(|(name, text)| wrong(name, &text))
}
