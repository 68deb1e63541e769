//! `grant_type=password` (RFC 6749 §4.3, `docs/contracts/aidbox.md` §6.4), for apps of one's own that
//! cannot show a page.
//!
//! RFC 9700 §2.4 advises against it: the app sees the password. So it is served to first-party
//! clients alone, and every guess is counted as at the sign-in page.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::GrantType;
use crate::{
    Issuer,
    audit::{AuditKind, Event, origin::Party},
    client_auth::AuthenticatedClient,
    error::OAuthError,
    grant::settings::{AskedGrant, seconds, show_with_refresh},
    records::{
        Account, Amr, Client, Family, GrantName, GrantSettings, TokenFormat,
        repository::{Versioned, Written},
    },
    request::{params::Params, resource::resources_within, scope::scope_within},
    session::browser::Browser,
    sign_in::name_and_password::NameAndPassword,
    store::StoreError,
    tokens::{family::new_id, mint::Authorized},
};

pub(super) struct Password;

#[async_trait]
impl GrantType for Password {
    fn name(&self) -> &'static str {
        "password"
    }

    fn begins(&self) -> Option<GrantName> {
        Some(GrantName::PASSWORD)
    }

    fn gives_refresh_tokens(&self) -> bool {
        true
    }

    fn read(&self, asked: &AskedGrant<'_>) -> Result<GrantSettings, String> {
        let written: PasswordDocument = asked.read()?;
        if !asked.first_party {
            let text = "password is for first-party clients: others would learn the passwords of \
                        people; use authorization_code, or set first_party: true";
            return Err(text.to_owned());
        }
        let secret_required = written.secret_required.unwrap_or(asked.has_secret);
        if secret_required && !asked.has_secret {
            return Err("secret_required needs a secret".to_owned());
        }
        let rotation = asked.default_rotation();
        let (idle, longest) =
            (written.refresh_token_expiration, written.refresh_token_max_lifetime);
        let refresh = asked.refresh(written.refresh_token, idle, longest, rotation)?;
        Ok(GrantSettings {
            format: written.token_format.unwrap_or_else(|| asked.profile.default_format()),
            access_seconds: seconds("access_token_expiration", written.access_token_expiration)?,
            audience: written.audience,
            refresh,
            secret_required: Some(secret_required),
            pkce: None,
        })
    }

    fn show(&self, settings: &GrantSettings) -> Value {
        let mut shown = show_with_refresh(settings);
        shown["secret_required"] = json!(settings.secret_required);
        shown
    }

    fn allows(&self, client: &Client) -> bool {
        // It cannot ask for more than a password.
        client.first_party
            && !client.require_second_factor
            && client.grants.has(&GrantName::PASSWORD)
    }

    fn needs_secret(&self, client: &Client) -> bool {
        let grant = client.grants.get(&GrantName::PASSWORD);
        grant.is_some_and(|grant| grant.owes_secret(client))
    }

    async fn redeem(
        &self,
        issuer: &Issuer,
        client: &AuthenticatedClient,
        params: &Params,
    ) -> Result<Authorized, OAuthError> {
        let name = params.get("username").ok_or(OAuthError::Missing("username"))?;
        let password = params.secret("password").ok_or(OAuthError::Missing("password"))?;
        // What is wrong with the request is said before a guess is counted.
        let grant_name = GrantName::PASSWORD;
        let grant = client.client.grants.get(&grant_name).ok_or(OAuthError::GrantNotAllowed)?;
        let scope = scope_within(params, &client.client.scope)?;
        let named = resources_within(params.resources(), &issuer.targets(&grant.audience))?;
        let person = owner(issuer, NameAndPassword { name, password: &password }, params).await?;
        let new = issuer.new_family(client, grant_name, scope)?;
        let now = issuer.now();
        let id = new_id(now);
        let family = Family {
            account: Some(person.id),
            audience: named.unwrap_or_else(|| new.audience.clone()),
            ends_previous: client.client.profile.refresh_ends_previous(),
            auth_time: Some(now),
            amr: Amr::of(&["pwd"]),
            account_generation: person.body.generation,
            ..new
        };
        match issuer.repository().insert(&id, &family, now).await? {
            Written::Done => {
                let by = Party::through(family.account.as_deref(), &client.id);
                issuer.audit(Event::of(AuditKind::SignIn).by(by).target("Session", &id));
                Ok(Authorized { id, family, nonce: None, id_claims: Vec::new(), introduces: true })
            }
            _ => Err(StoreError::new("a newly generated family id was already in use").into()),
        }
    }
}

/// The account that `name` and `password` lead to.
async fn owner(
    issuer: &Issuer,
    typed: NameAndPassword<'_>,
    params: &Params,
) -> Result<Versioned<Account>, OAuthError> {
    let browser = Browser { source: params.source(), ..Browser::default() };
    let found = issuer.check_password_alone(typed, &browser).await;
    let person = issuer.audit_failure(found, "password")?.ok_or(OAuthError::WrongPassword)?;
    if person.body.active { Ok(person) } else { Err(OAuthError::UserInactive) }
}

/// What a document says of the grant.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PasswordDocument {
    secret_required: Option<bool>,
    token_format: Option<TokenFormat>,
    access_token_expiration: Option<u64>,
    refresh_token: Option<bool>,
    refresh_token_expiration: Option<u64>,
    refresh_token_max_lifetime: Option<u64>,
    audience: Vec<String>,
}
