//! What a person agreed to, and taking it back.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::{
    Timestamp, random,
    scope::{Scope, Scopes, within_roles},
};

use crate::{
    Issuer,
    audit::{AuditKind, Event, origin::Party},
    authorization::request::{AuthorizationRequest, Prompt},
    records::{Client, Consent, consent::consent_id, repository::Update},
    session::browser::SignedIn,
    settings::GuardScopes,
    store::{Kind, Notice, StoreError},
};

/// What Castellan's own rights begin with, and what those to read end with.
const OWN: &str = "Castellan:";
const READ: &str = ":Read";

/// One app that a person lets in.
#[derive(Clone, Debug)]
pub struct Agreed {
    /// The app's `client_id`.
    pub client_id: String,
    /// What to call it.
    pub client_name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The claims that it receives besides those that the scopes cover (OIDC Core §5.5).
    pub claims: Vec<String>,
    /// When consent was first given.
    pub since: Timestamp,
}

impl Issuer {
    /// What `account` agreed to; at most 100 apps.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn agreed(&self, account: &str) -> Result<Vec<Agreed>, StoreError> {
        let prefix = consent_id(account, "");
        let grants = self.repository().page::<Consent>(&prefix, None, 100, self.now()).await?;
        let mut agreed = Vec::new();
        for stored in grants {
            let client_id = stored.id[prefix.len()..].to_owned();
            let client = self.repository().get::<Client>(&client_id, self.now()).await?;
            let name =
                client.as_ref().map(|client| client.body.display_name(&client_id).to_owned());
            agreed.push(Agreed {
                client_name: name.unwrap_or_else(|| client_id.clone()),
                scopes: stored.body.scope.iter().map(ToString::to_string).collect(),
                claims: stored.body.claims.into_iter().collect(),
                since: stored.body.start,
                client_id,
            });
        }
        Ok(agreed)
    }

    /// Records what `person` answered to `request`.
    pub(super) fn audit_consent(
        &self,
        kind: AuditKind,
        request: &AuthorizationRequest,
        person: &SignedIn,
    ) {
        let event = Event::of(kind).by(Party::user(&person.account_id));
        self.audit(event.target("Grant", &consent_id(&person.account_id, &request.client_id)));
    }

    /// Withdraws the consent of `account` for `client`: one write, which ends every token that
    /// depends on it. `false` if there was no consent.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; it may or may not be over.
    pub async fn withdraw(&self, account: &str, client: &str) -> Result<bool, StoreError> {
        let id = consent_id(account, client);
        let there = self.repository().delete(Kind::Consent, &id, self.now()).await?;
        self.bump(Kind::Consent, &id);
        if there {
            let event = Event::of(AuditKind::ConsentWithdrawn).by(Party::user(account));
            self.audit(event.target("Grant", &id));
        }
        Ok(there)
    }

    /// Takes from `request` what `person` could not do, where they are to be asked; whether nothing
    /// is left of it.
    pub(crate) async fn narrow(
        &self,
        request: &mut AuthorizationRequest,
        client: &Client,
        person: &SignedIn,
    ) -> Result<bool, StoreError> {
        let is_asked = !client.first_party || request.prompt == Prompt::Consent;
        if !is_asked && request.device.is_none() {
            return Ok(false);
        }
        let offered = self.offered(request, person).await?;
        let is_nothing_left = offered.is_empty() && !request.scope.is_empty();
        request.scope = offered;
        Ok(is_nothing_left)
    }

    /// What of the requested scopes `person` could do at all: of Castellan's own rights all if they
    /// are an administrator, and otherwise those to read, which policies may open to them; and where
    /// each guard that the tokens are for requires roles, what these allow.
    async fn offered(
        &self,
        request: &AuthorizationRequest,
        person: &SignedIn,
    ) -> Result<Scopes, StoreError> {
        let (own, others): (Vec<_>, Vec<_>) =
            request.scope.iter().cloned().partition(|scope| scope.as_str().starts_with(OWN));
        let is_administrator = person.account.is_administrator();
        let may_hold = |scope: &Scope| is_administrator || scope.as_str().ends_with(READ);
        let own = own.into_iter().filter(may_hold).collect::<Scopes>();
        let others: Scopes = others.into_iter().collect();
        let place = self.address();
        let named = request.resources.as_deref().filter(|named| !named.contains(&place.issuer));
        let is_meant =
            |guard: &&GuardScopes| named.is_none_or(|named| named.contains(&guard.audience));
        let guards: Vec<_> = place.guards.iter().filter(is_meant).collect();
        if guards.is_empty() || !guards.iter().all(|guard| guard.requires_roles) {
            return Ok(others.union(&own));
        }
        let account = Arc::new(person.account.clone());
        let roles = self.standing(&person.account_id, &account).await?.roles;
        let left = guards.iter().map(|guard| within_roles(&others, &roles, &guard.aliases));
        let left = left.fold(Scopes::default(), |all, more| all.union(&more));
        Ok(left.union(&own))
    }

    /// Whether the person is to be asked (`docs/rules.md` rule 35).
    pub(crate) async fn needs_consent(
        &self,
        request: &AuthorizationRequest,
        client: &Client,
        person: &SignedIn,
    ) -> Result<bool, StoreError> {
        // Only the person can tell whose device it is (RFC 8628 §5.4).
        if request.device.is_some() {
            return Ok(true);
        }
        if client.first_party && request.prompt != Prompt::Consent {
            return Ok(false);
        }
        if client.is_public() || request.prompt == Prompt::Consent {
            return Ok(true);
        }
        let id = consent_id(&person.account_id, &request.client_id);
        let Some(stored) = self.repository().get::<Consent>(&id, self.now()).await? else {
            return Ok(true);
        };
        if is_anothers(&stored.body, client, person) {
            return Ok(true);
        }
        let widened = request.scope.iter().any(|scope| {
            let now = self.address().alias_digests.get(scope.as_str());
            now.is_some() && now != stored.body.alias_digests.get(scope.as_str())
        });
        let mut claims = request.claims.beyond_scopes().into_iter();
        let wants_more = claims.any(|claim| !stored.body.claims.contains(&claim));
        Ok(widened || wants_more || stored.body.scope.first_uncovered(&request.scope).is_some())
    }

    /// Writes that the person agreed: to what they agreed to before, and to this.
    pub(crate) async fn remember_consent(
        &self,
        request: &AuthorizationRequest,
        client: &Client,
        person: &SignedIn,
    ) -> Result<(), StoreError> {
        let (id, now) = (consent_id(&person.account_id, &request.client_id), self.now());
        let digests: BTreeMap<_, _> = request
            .scope
            .iter()
            .filter_map(|scope| self.address().alias_digests.get_key_value(scope.as_str()))
            .map(|(name, digest)| (name.clone(), digest.clone()))
            .collect();
        let new = Consent {
            scope: request.scope.clone(),
            alias_digests: digests.clone(),
            claims: request.claims.beyond_scopes().into_iter().collect(),
            start: now,
            agreement: URL_SAFE_NO_PAD.encode(random::<16>()),
        };
        // Two windows may agree at the same time.
        let agree = |stored: Option<Consent>| {
            Ok(match stored {
                Some(mut consent) if !is_anothers(&consent, client, person) => {
                    consent.scope = consent.scope.union(&request.scope);
                    consent.alias_digests.extend(digests.clone());
                    consent.claims.extend(new.claims.clone());
                    Update::Write(consent, Notice::Silent, ())
                }
                _ => Update::Write(new.clone(), Notice::Tell, ()),
            })
        };
        self.repository().update(&id, now, agree).await
    }
}

/// Whether `grant` was given to a client, or by a person, that had the same id before.
fn is_anothers(grant: &Consent, client: &Client, person: &SignedIn) -> bool {
    grant.start < client.created.max(person.account.created)
}
