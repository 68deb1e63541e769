//! Settings that do not go together, or that nothing would act upon.

use super::{
    Anonymous, Config, ConfigError, GuardConfig, Site,
    file::{File, Step},
    guard_check::Wrong,
};
use crate::dialects::Dialects;

/// What is wrong, and with which setting if it stands in the file alone.
pub(super) struct Problem {
    /// The way to the setting; empty if it may stand elsewhere.
    way: Vec<Step>,
    /// It may be a variable's: then no line of the file is to blame.
    is_variable: bool,
    error: ConfigError,
}

impl Problem {
    /// A setting of the guard that stands at `at`.
    fn of_guard(at: usize, guard: &GuardConfig, way: &[&'static str], text: &str) -> Self {
        Self::of_entry("guard", at, way, format!("guard {:?}: {text}", guard.name))
    }

    /// A setting of the entry of `list` that stands at `at`.
    pub(super) fn of_entry(
        list: &'static str,
        at: usize,
        way: &[&'static str],
        text: String,
    ) -> Self {
        let steps = [Step::Key(list), Step::At(at)].into_iter();
        Self {
            way: steps.chain(way.iter().map(|name| Step::Key(name))).collect(),
            is_variable: false,
            error: ConfigError::Conflict(text),
        }
    }

    /// A setting that stands at `way`.
    pub(super) const fn of_setting(way: Vec<Step>, error: ConfigError) -> Self {
        Self { way, is_variable: true, error }
    }

    /// What is wrong, without its place.
    pub(super) fn anywhere(self) -> ConfigError {
        self.error
    }

    /// The same with its place in `file`.
    pub(super) fn in_file(self, file: &File) -> ConfigError {
        let is_there = !self.is_variable || file.has(&self.way);
        match file.line_of(&self.way).filter(|_| is_there && !self.way.is_empty()) {
            Some(line) => ConfigError::Setting {
                path: file.name().to_owned(),
                line,
                problem: self.error.to_string(),
            },
            None => self.error,
        }
    }
}

impl From<ConfigError> for Problem {
    fn from(error: ConfigError) -> Self {
        Self { way: Vec::new(), is_variable: true, error }
    }
}

impl Config {
    /// Looks the dialects of all guards up.
    ///
    /// # Errors
    /// The first [`Problem`].
    pub(super) fn look_up_dialects(&mut self, dialects: &Dialects) -> Result<(), Problem> {
        for (at, guard) in self.guard.iter_mut().enumerate() {
            let found = guard.look_up_dialect(dialects);
            found.map_err(|text| Problem::of_guard(at, guard, &["dialect"], &text))?;
        }
        Ok(())
    }

    /// Holds all settings against each other.
    ///
    /// # Errors
    /// The first [`Problem`].
    pub(super) fn check(&self, sites: &[Site]) -> Result<(), Problem> {
        if self.security.insecure && !self.server.listen.ip().is_loopback() {
            let text = format!(
                "security.insecure is allowed on loopback addresses only, but server.listen is {}",
                self.server.listen
            );
            return Err(Problem::at(&["security", "insecure"], &text));
        }
        if self.tokens.refresh_grace_off
            && self.tokens.refresh_grace != castellan_issuer::Settings::default().refresh_grace
        {
            let text = "tokens.refresh_grace and tokens.refresh_grace_off contradict each other; remove one";
            return Err(Problem::at(&["tokens", "refresh_grace"], text));
        }
        self.check_effects()?;
        self.check_issuer()?;
        self.check_site_accesses(sites)?;
        self.check_listeners(sites)?;
        self.check_metrics()?;
        self.check_traces()?;
        for (at, guard) in self.guard.iter().enumerate() {
            let found = guard.check(self, sites);
            found.map_err(|Wrong { way, text }| Problem::of_guard(at, guard, way, &text))?;
            self.check_beside(at, guard)?;
        }
        let default = sites
            .iter()
            .any(|site| !self.guard.iter().any(|guard| guard.is_at(site) && guard.path == "/api"));
        if self.decidim.enable_anonymous_introspection
            && !default
            && !self.guard.iter().any(GuardConfig::takes_machine_users)
        {
            let text = "decidim.enable_anonymous_introspection \
                        (DECIDIM_API_ENABLE_ANONYMOUS_INTROSPECTION) is set, but no guard has \
                        dialect = \"decidim\"";
            return Err(Problem::at(&["decidim", "enable_anonymous_introspection"], text));
        }
        self.decidim.check()?;
        self.management.check()?;
        self.check_messages()?;
        self.check_registration()?;
        self.security.check(&self.site)?;
        self.check_credential_policy()?;
        self.check_passkeys(sites)?;
        self.jwt.check(self.security.insecure, self.security.secrets(&sites[0], None))
    }

    /// The `issuer` of the file is the first site's, unless that says another one.
    fn check_issuer(&self) -> Result<(), Problem> {
        let first = self.site.first().and_then(|site| site.issuer.as_ref());
        match first {
            Some(issuer) if self.issuer != Self::default().issuer && *issuer != self.issuer => {
                let text = format!(
                    "issuer is {:?}, but the first site has {:?}; remove one of them",
                    self.issuer.as_str(),
                    issuer.as_str()
                );
                Err(Problem::at(&["issuer"], &text))
            }
            _ => Ok(()),
        }
    }

    /// Holds `guard` against those before it.
    fn check_beside(&self, at: usize, guard: &GuardConfig) -> Result<(), Problem> {
        let wrong = |way, text: &str| Err(Problem::of_guard(at, guard, way, text));
        let admits = guard.anonymous == Some(Anonymous::Admitted);
        if self.decidim.force_api_authentication && guard.is_forced() && admits {
            return wrong(
                &["anonymous"],
                "anonymous = \"admitted\" contradicts DECIDIM_API_FORCE_API_AUTHENTICATION",
            );
        }
        let meet = |other: &GuardConfig| {
            guard.site.is_none() || other.site.is_none() || guard.site == other.site
        };
        for other in &self.guard[..at] {
            if other.name == guard.name {
                let text =
                    format!("it has the same name as guard {:?}; names must be unique", other.name);
                return wrong(&["name"], &text);
            }
            let is_same_place = other.path == guard.path && meet(other);
            if is_same_place && other.hides(guard) {
                let text = format!(
                    "it cannot be reached: guard {:?} has the same path and stands before it; give \
                     that a host or a pattern that leaves something to this one",
                    other.name
                );
                return wrong(&["path"], &text);
            }
            if is_same_place && other.shares_audience(guard) {
                let text = format!(
                    "its tokens would be those of guard {:?}, which has the same path; set audience \
                     for one of them",
                    other.name
                );
                return wrong(&["path"], &text);
            }
            let is_everywhere = other.host.is_none() && other.pattern.is_none();
            if other.at_root == Some(true)
                && guard.at_root == Some(true)
                && meet(other)
                && is_everywhere
            {
                let text = format!(
                    "at_root = true is also set for guard {:?}; only one guard can be at the root",
                    other.name
                );
                return wrong(&["at_root"], &text);
            }
            if other.lock_name() == guard.lock_name() {
                let text = format!(
                    "it has the same lock file as guard {:?}; every guard needs its own",
                    other.name
                );
                return wrong(&["lock"], &text);
            }
        }
        Ok(())
    }
}
