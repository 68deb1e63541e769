//! The issuers of sites, over one data source.

use std::{collections::BTreeMap, sync::Arc};

use castellan_issuer::{
    Issuer, Parts, Settings,
    keys::KeyringError,
    readiness::Readiness,
    records::TokenProfile,
    secrets::hashing::Passwords,
    settings::{GuardScopes, SiteAddress},
    store::StoreError,
};
use castellan_proto::Digest;

use super::{
    data_source::{self, Access, Data},
    error::StartError,
};
use crate::{
    config::{GuardConfig, Loaded, Site},
    observers::Observers,
};

/// What hashes passwords.
#[cfg(not(feature = "test-clock"))]
fn passwords() -> Passwords {
    Passwords::start()
}

/// What hashes passwords, at next to no cost where `CASTELLAN_TEST_HASHES` is `cheap`: tests make
/// thousands that protect nobody.
#[cfg(feature = "test-clock")]
fn passwords() -> Passwords {
    use castellan_issuer::secrets::hashing::Cost;

    match std::env::var("CASTELLAN_TEST_HASHES").as_deref() {
        Ok("cheap") => Passwords::start_at(Cost { memory: 8, passes: 1 }),
        _ => Passwords::start(),
    }
}

/// Opens the issuer of the site that the command line works on, without serving anything.
///
/// # Errors
/// [`StartError`] if records or keys cannot be had.
pub async fn open_issuer(loaded: &Loaded, access: Access) -> Result<Issuer, StartError> {
    let data = data_source::open(loaded, access).await?;
    let shared = Shared { data, passwords: passwords(), readiness: Arc::default() };
    open_site(loaded, &loaded.site, shared, access).await
}

/// Opens the issuers of all sites, over one data source.
///
/// # Errors
/// [`StartError`] if records or keys cannot be had.
pub async fn open_issuers(loaded: &Loaded, access: Access) -> Result<Vec<Issuer>, StartError> {
    open_observed_issuers(loaded, access, &Observers::default()).await
}

/// The same, with the operations of the data source observed by `observers`.
///
/// # Errors
/// [`StartError`] if records or keys cannot be had.
pub(crate) async fn open_observed_issuers(
    loaded: &Loaded,
    access: Access,
    observers: &Observers,
) -> Result<Vec<Issuer>, StartError> {
    let mut data = data_source::open(loaded, access).await?;
    data.store = observers.store(data.store, &loaded.config.data.url);
    let shared = Shared { data, passwords: passwords(), readiness: Arc::default() };
    let mut issuers = Vec::new();
    for site in &loaded.sites {
        issuers.push(open_site(loaded, site, shared.clone(), access).await?);
    }
    Ok(issuers)
}

/// What the issuers of all sites share.
#[derive(Clone)]
struct Shared {
    data: Data,
    passwords: Passwords,
    readiness: Arc<Readiness>,
}

async fn open_site(
    loaded: &Loaded,
    site: &Site,
    Shared { data, passwords, readiness }: Shared,
    access: Access,
) -> Result<Issuer, StartError> {
    let Data { store, master, place } = data;
    let minutes = u64::from(loaded.config.decidim.oauth_access_token_expires_in);
    let parts = Parts {
        store,
        site: site.name.as_str().into(),
        address: address(loaded, site),
        settings: Settings {
            profile_access_seconds: [(TokenProfile::Decidim, minutes * 60)].into(),
            allow_table_scans: loaded.config.data.allow_table_scans,
            secrets: loaded.config.security.secrets(site, loaded.config.credential_policy),
            groups_claims: site.groups_claims.clone(),
            languages: site.languages.clone(),
            private_origins: loaded.config.security.private_origins.clone(),
            registration: site.registration.clone(),
            // What does not go together was refused with the configuration.
            passkeys: loaded.config.passkeys.as_ref().and_then(|it| it.relying_party(site).ok()),
            ..loaded.config.tokens.clone()
        },
        clock: crate::clock::clock(),
        master,
        passwords,
        readiness,
        resources: loaded.rosters.resources.clone(),
    };
    let opened = match access {
        Access::Look => Issuer::look(parts).await,
        Access::Change | Access::Begin | Access::Scratch => Issuer::open(parts).await,
    };
    opened.map_err(|error| match error {
        KeyringError::Store(StoreError(cause)) => StartError::Data(format!(
            "the data source at {place} cannot be read: {cause}; if it is corrupt, restore a backup"
        )),
        error => error.into(),
    })
}

/// Where `site` is, and what its scopes mean there.
pub(super) fn address(loaded: &Loaded, site: &Site) -> SiteAddress {
    let guards = loaded.guards(site);
    SiteAddress {
        issuer: site.issuer.as_str().to_owned(),
        name: site.title.clone(),
        alias_digests: alias_digests(&guards),
        resources: guards.iter().map(|guard| guard.audience_at(site.issuer.as_str())).collect(),
        guards: guards
            .iter()
            .filter(|guard| guard.upstream.is_some())
            .map(|guard| guard_scopes(guard, site))
            .collect(),
        site_accesses: loaded.site_accesses(site).iter().map(|one| one.name.clone()).collect(),
    }
}

/// What scopes mean at `guard`.
fn guard_scopes(guard: &GuardConfig, site: &Site) -> GuardScopes {
    let rules = crate::guards::rules(guard);
    GuardScopes {
        audience: guard.audience_at(site.issuer.as_str()),
        aliases: rules.aliases,
        requires_roles: rules.terms.person,
    }
}

/// Digests of what each named scope stands for, over all guards: a consent that rests on an alias
/// is asked for anew when one of them widens it.
fn alias_digests(guards: &[GuardConfig]) -> BTreeMap<String, String> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for guard in guards {
        for (alias, patterns) in crate::guards::rules(guard).aliases {
            let text = texts.entry(alias).or_default();
            for pattern in patterns {
                text.extend([&*guard.name, " ", pattern.as_str(), "\n"]);
            }
        }
    }
    texts.into_iter().map(|(alias, text)| (alias, Digest::of(text.as_bytes()).text())).collect()
}
