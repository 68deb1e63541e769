//! What handlers work with.

use std::sync::{Arc, OnceLock};

use castellan_issuer::Issuer;

use crate::{config::Site, guards::Guard, wire::request};

/// What handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct App {
    shared: Arc<Shared>,
}

struct Shared {
    issuer: Issuer,
    /// Those of every site.
    guards: Arc<OnceLock<Vec<Guard>>>,
    title: String,
    https: bool,
    /// It answers to listed hosts alone, all of which are its own.
    hosts: bool,
}

impl App {
    /// What answers at `site` by `issuer`. `guards` are those of every site, and are there before
    /// the first request is.
    pub(crate) fn new(issuer: Issuer, site: &Site, guards: Arc<OnceLock<Vec<Guard>>>) -> Self {
        let shared = Shared {
            issuer,
            guards,
            title: site.title.clone(),
            https: site.issuer.is_https(),
            hosts: !site.hosts.is_empty(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The issuer.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.shared.issuer
    }

    /// The guards of every site; one that stands at several is there several times.
    #[must_use]
    pub fn guards(&self) -> &[Guard] {
        self.shared.guards.get().map_or(&[], Vec::as_slice)
    }

    /// Where the world reaches `path`.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.shared.issuer.address().issuer)
    }

    /// What the site is called.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.shared.title
    }

    /// Whether browsers come by https.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.shared.https
    }

    /// Whether the host of every request that gets here is one of the site's own.
    #[must_use]
    pub fn has_hosts(&self) -> bool {
        self.shared.hosts
    }

    /// The name of the cookie that marks a browser.
    #[must_use]
    pub fn mark_cookie(&self) -> &'static str {
        request::mark_cookie(self.is_https())
    }
}
