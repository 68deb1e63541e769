//! The guards of a site, as its settings and those of the whole server make them.

use castellan_gate::Introspection;

use super::{Anonymous, GuardConfig, Loaded, Site};
use crate::dialects::SessionsOf;

/// The name of the default guard at `/api` where another guard is called `api`.
const DEFAULT_API: &str = "default-api";

impl Loaded {
    /// The guards of `site`, the default one at `/api` included.
    #[must_use]
    pub fn guards(&self, site: &Site) -> Vec<GuardConfig> {
        let mut guards: Vec<_> =
            self.config.guard.iter().filter(|guard| guard.is_at(site)).cloned().collect();
        if !guards.iter().any(|guard| guard.path == "/api") {
            // A guard of another path or site may have its name already.
            let taken = self.config.guard.iter().any(|guard| guard.name == "api");
            guards.push(GuardConfig::default_api(if taken { DEFAULT_API } else { "api" }));
        }
        if self.config.decidim.force_api_authentication {
            for guard in guards.iter_mut().filter(|guard| guard.is_forced()) {
                guard.anonymous.get_or_insert(Anonymous::Refused);
            }
        }
        if self.config.decidim.enable_anonymous_introspection {
            for guard in guards.iter_mut().filter(|guard| guard.takes_machine_users()) {
                guard.introspection.get_or_insert(Introspection::Public);
            }
        }
        // Without a credential they block (`docs/contracts/ibexa.md` §5): only sessions have people who
        // are not signed in.
        let blocks = |guard: &&mut GuardConfig| {
            let has_sessions = matches!(guard.sessions_of(), SessionsOf::SiteAccess { .. });
            has_sessions && guard.is_http() && !guard.takes_site_access_sessions()
        };
        for guard in guards.iter_mut().filter(blocks) {
            guard.anonymous.get_or_insert(Anonymous::Refused);
        }
        // They were read before a guard was chosen; trailers are looked at later.
        if let Some(headers) = &self.config.server.client_certificate_headers {
            for guard in &mut guards {
                let names = [&headers.subject_header, &headers.verify_header];
                guard.strip_headers.extend(names.map(ToString::to_string));
            }
        }
        let explicit = guards.iter().any(|guard| guard.at_root == Some(true));
        for guard in &mut guards {
            // At most one guard of a site is at `/graphql`, so at most one is at the root by default.
            guard.at_root = Some(guard.at_root.unwrap_or(!explicit && guard.is_at_root()));
        }
        guards
    }
}
