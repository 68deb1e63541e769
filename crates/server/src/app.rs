//! What handlers work with.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use castellan_issuer::{Issuer, foreign::ForeignTokens, managers::Mutations, store::StoreError};

use crate::{
    config::{ManagementConfig, Site},
    guards::Guard,
    theme::Theme,
    wire::request,
};

/// What handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct App {
    shared: Arc<Shared>,
}

struct Shared {
    issuer: Issuer,
    /// Those of every site.
    guards: Arc<OnceLock<Vec<Guard>>>,
    title: Arc<str>,
    theme: ArcSwap<Theme>,
    management: ManagementConfig,
    mutations: Mutations,
    foreign: Arc<ForeignTokens>,
    https: bool,
    /// It answers to listed hosts alone, all of which are its own.
    hosts: bool,
}

impl App {
    /// What answers at `site` by `issuer`. `guards` are those of every site, and are there before
    /// the first request is.
    pub(crate) fn new(
        issuer: Issuer,
        site: &Site,
        management: &ManagementConfig,
        foreign: Arc<ForeignTokens>,
        guards: Arc<OnceLock<Vec<Guard>>>,
    ) -> Self {
        let shared = Shared {
            issuer,
            guards,
            title: site.title.as_str().into(),
            theme: ArcSwap::default(),
            management: management.clone(),
            mutations: Mutations::default(),
            foreign,
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

    /// What the site is called on its pages.
    #[must_use]
    pub fn title(&self) -> Arc<str> {
        let brand = self.shared.theme.load().brand.clone();
        brand.unwrap_or_else(|| Arc::clone(&self.shared.title))
    }

    /// The settings of the management APIs.
    #[must_use]
    pub fn management(&self) -> &ManagementConfig {
        &self.shared.management
    }

    /// What verifies tokens of other issuers.
    #[must_use]
    pub fn foreign(&self) -> &ForeignTokens {
        &self.shared.foreign
    }

    /// The mutations that people made of what is their own.
    #[must_use]
    pub fn mutations(&self) -> &Mutations {
        &self.shared.mutations
    }

    /// How pages look, as it was last read.
    pub(crate) fn theme(&self) -> Arc<Theme> {
        self.shared.theme.load_full()
    }

    /// Reads how pages look, without a round trip as long as that did not change.
    ///
    /// # Errors
    /// [`StoreError`] if it has to be read and the store fails; then pages look as before.
    pub(crate) async fn read_theme(&self) -> Result<(), StoreError> {
        let read = self.issuer().auth_config().await?;
        if !self.shared.theme.load().is_made_of(&read) {
            self.shared.theme.store(Arc::new(Theme::of(read)));
        }
        Ok(())
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
