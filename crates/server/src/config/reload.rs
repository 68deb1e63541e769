//! What of a configuration a running server can take up.

use super::{Config, ConfigError, Loaded, ServerConfig, check::Problem};

impl Loaded {
    /// These settings, as a server can take them up that runs by `running`: what needs a restart is
    /// as it was, and named.
    ///
    /// # Errors
    /// [`ConfigError`] if the rest does not go with that, or the file has become empty, as one is for a
    /// moment that is being written: all guards would vanish.
    pub fn taken_up_by(self, running: &Self) -> Result<(Self, Vec<&'static str>), ConfigError> {
        if self.is_empty && !running.is_empty {
            let problem = "the configuration file is empty; write it anew, or restart the server if \
                           it is to run with defaults";
            return Err(ConfigError::Conflict(problem.to_owned()));
        }
        let waits = self.waiting_for_restart(running);
        let old = &running.config;
        let mut config = self.config;
        let ServerConfig {
            trusted_proxies, cors_headers, hsts, client_certificate_headers, ..
        } = config.server;
        config.server = ServerConfig {
            hsts,
            client_certificate_headers,
            trusted_proxies,
            cors_headers,
            ..old.server.clone()
        };
        config.listener.clone_from(&old.listener);
        config.tls.clone_from(&old.tls);
        config.data.clone_from(&old.data);
        config.tokens.clone_from(&old.tokens);
        config.issuer.clone_from(&old.issuer);
        config.site.clone_from(&old.site);
        config.security.clone_from(&old.security);
        (config.credential_policy, config.metrics) = (old.credential_policy, old.metrics);
        config.traces.clone_from(&old.traces);
        config.management.has_credential_policy = old.credential_policy.is_some();
        config.passkeys.clone_from(&old.passkeys);
        config.audit.clone_from(&old.audit);
        config.mail.clone_from(&old.mail);
        config.text_messages.clone_from(&old.text_messages);
        config.registration.clone_from(&old.registration);
        config.decidim.oauth_access_token_expires_in = old.decidim.oauth_access_token_expires_in;
        config.check(&running.sites).map_err(Problem::anywhere)?;
        Ok((Self { config, ..running.clone() }, waits))
    }

    /// What differs from `running` and needs a restart.
    fn waiting_for_restart(&self, running: &Self) -> Vec<&'static str> {
        let (new, old) = (&self.config, &running.config);
        let minutes = |config: &Config| config.decidim.oauth_access_token_expires_in;
        [
            ("server.listen", new.server.listen != old.server.listen),
            ("server.tls", new.server.tls != old.server.tls),
            ("server.proxy_protocol", new.server.proxy_protocol != old.server.proxy_protocol),
            ("listener", new.listener != old.listener),
            // The files may have changed where the setting has not.
            ("tls.roots", new.tls != old.tls || self.roots != running.roots),
            ("server.keep_alive", new.server.keep_alive != old.server.keep_alive),
            (
                "server.connections_per_source",
                new.server.connections_per_source != old.server.connections_per_source,
            ),
            ("data", new.data != old.data),
            ("tokens", new.tokens != old.tokens),
            ("issuer and site", self.sites != running.sites),
            ("security", new.security != old.security),
            ("credential_policy", new.credential_policy != old.credential_policy),
            ("passkeys", new.passkeys != old.passkeys),
            ("audit", new.audit != old.audit),
            ("metrics", new.metrics != old.metrics),
            ("traces", new.traces != old.traces),
            ("mail", new.mail != old.mail),
            ("text_messages", new.text_messages != old.text_messages),
            ("registration", new.registration != old.registration),
            ("decidim.oauth_access_token_expires_in", minutes(new) != minutes(old)),
        ]
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
    }
}
