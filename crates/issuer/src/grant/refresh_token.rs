//! `grant_type=refresh_token` (RFC 6749 §6, RFC 9700 §4.14.2, `docs/rules.md` rule 31).

use async_trait::async_trait;
use castellan_proto::{OpaqueKind, Timestamp, scope::Scopes};

use super::GrantType;
use crate::{
    Issuer,
    client_auth::AuthenticatedClient,
    error::OAuthError,
    records::{
        Client, Family, GrantName, Refresh, Rotation,
        repository::{TRIES, Versioned, Written, contention},
    },
    request::{params::Params, scope::scope_within},
    store::{Kind, Notice},
    tokens::{dependencies::Missing, family::FamilyToken, mint::Authorized},
};

pub(super) struct RefreshToken;

#[async_trait]
impl GrantType for RefreshToken {
    fn name(&self) -> &'static str {
        "refresh_token"
    }

    fn begins(&self) -> Option<GrantName> {
        None
    }

    fn allows(&self, client: &Client) -> bool {
        client.grants.settings().any(|grant| grant.refresh.is_some())
    }

    /// It is not known yet which grant the token comes from: what all grants require is checked
    /// here, and the rest when the family is read.
    fn needs_secret(&self, client: &Client) -> bool {
        let mut grants = client.grants.settings().peekable();
        if grants.peek().is_none() {
            return !client.is_public();
        }
        grants.all(|grant| grant.owes_secret(client))
    }

    async fn redeem(
        &self,
        issuer: &Issuer,
        client: &AuthenticatedClient,
        params: &Params,
    ) -> Result<Authorized, OAuthError> {
        let text = params.get("refresh_token").ok_or(OAuthError::Missing("refresh_token"))?;
        let family_token = issuer
            .read_family_token(OpaqueKind::Refresh, text)
            .ok_or(OAuthError::RefreshNotUsable)?;
        for _ in 0..TRIES {
            let stored = issuer.family(&family_token.family).await?;
            let stored = stored.ok_or(OAuthError::RefreshNotUsable)?;
            let (family, refresh) = usable(issuer, &stored, client)?;
            let at_once = family.profile.spends_refresh_at_once();
            let grace = if at_once { 0 } else { issuer.settings().grace_seconds() };
            let turn = Turn::of(family, refresh, &family_token, grace, issuer.now());
            if turn == Turn::Reuse {
                issuer.end_family(&stored.id).await?;
                return Err(OAuthError::RefreshNotUsable);
            }
            // An old one ends its family whatever key came with it; only then the key counts.
            let jkt = key_of_next(family, client)?;
            // What the client may have by now bounds what was granted then.
            let scope = scope_within(params, &client.client.scope.narrow(&family.scope))?;
            if turn == Turn::Again {
                if jkt != family.jkt {
                    return Err(OAuthError::RefreshNotUsable);
                }
                check_dependencies(issuer, family, family.current_scope()).await?;
                return Ok(authorized(stored));
            }
            check_dependencies(issuer, family, &scope).await?;
            let audience = issuer.narrowed_audience(params, family)?;
            let mut next = stored;
            next.body.jkt = jkt;
            let rescoped = advance(&mut next.body, refresh, scope, audience, issuer.now());
            // Only then is an earlier access token invalid, which needs a notice to other nodes.
            let dead = next.body.ends_previous || rescoped;
            let notice = if dead { Notice::Tell } else { Notice::Silent };
            if issuer.repository().replace(&next, notice, issuer.now()).await? == Written::Done {
                if notice == Notice::Tell {
                    issuer.bump(Kind::Family, &next.id);
                }
                return Ok(authorized(next));
            }
        }
        Err(contention(Kind::Family).into())
    }
}

/// What the token shown is to its family.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The newest: its successor is made.
    Next,
    /// The one before, and the answer may have been lost: the same successor again.
    Again,
    /// Older, or too late: stolen, by one side or the other.
    Reuse,
}

impl Turn {
    fn of(
        family: &Family,
        refresh: Refresh,
        family_token: &FamilyToken,
        grace: u64,
        now: Timestamp,
    ) -> Self {
        let since = now.since(family.renewed).as_secs();
        if family_token.generation == family.generation {
            Self::Next
        } else if refresh.rotation == Rotation::Rotate
            && family_token.generation.checked_add(1) == Some(family.generation)
            && grace > 0
            && since <= grace
        {
            Self::Again
        } else {
            Self::Reuse
        }
    }
}

fn usable<'a>(
    issuer: &Issuer,
    stored: &'a Versioned<Family>,
    client: &AuthenticatedClient,
) -> Result<(&'a Family, Refresh), OAuthError> {
    let family = &stored.body;
    if family.client != client.id || family.ended || family.refresh_is_over(issuer.now()) {
        return Err(OAuthError::RefreshNotUsable);
    }
    // What the client may do by now with a family of this origin.
    let grant = client.client.grants.get(&family.origin);
    let refresh = grant.and_then(|grant| grant.refresh);
    let owes_secret = grant.is_some_and(|grant| grant.owes_secret(&client.client));
    if refresh.is_none() || (owes_secret && !client.authenticated) {
        return Err(OAuthError::RefreshNotUsable);
    }
    Ok((family, family.refresh.ok_or(OAuthError::RefreshNotUsable)?))
}

/// The key that the next tokens of `family` are bound to. A bound family stays bound. A client that
/// authenticates may change its key, because its refresh tokens are bound to the client itself. For
/// one that cannot, the key is the proof, and an unbound family is never bound to a key: the
/// presenter of a stolen token would make it theirs (RFC 9449 §5, `docs/rules.md` rule 31).
fn key_of_next(
    family: &Family,
    client: &AuthenticatedClient,
) -> Result<Option<String>, OAuthError> {
    match (&family.jkt, &client.jkt) {
        (bound, shown) if bound == shown => Ok(family.jkt.clone()),
        (_, Some(_)) if client.authenticated => Ok(client.jkt.clone()),
        (None, _) => Ok(None),
        (Some(_), _) => Err(OAuthError::RefreshNotUsable),
    }
}

async fn check_dependencies(
    issuer: &Issuer,
    family: &Family,
    scope: &Scopes,
) -> Result<(), OAuthError> {
    match issuer.missing(family, scope).await? {
        None => Ok(()),
        Some(Missing::Person) => Err(OAuthError::UserInactive),
        Some(Missing::Client | Missing::Session | Missing::Consent) => {
            Err(OAuthError::RefreshNotUsable)
        }
    }
}

/// The next generation, with `scope` and for `audience`. Says whether either is another than before.
fn advance(
    family: &mut Family,
    refresh: Refresh,
    scope: Scopes,
    audience: Option<Vec<String>>,
    now: Timestamp,
) -> bool {
    if refresh.rotation == Rotation::Rotate {
        family.generation = family.generation.saturating_add(1);
    }
    family.access_generation = family.access_generation.saturating_add(1);
    family.renewed = now;
    family.ends = family.useful_until(now);
    let narrowed = (scope != family.scope).then_some(scope);
    let rescoped = narrowed != family.narrowed || audience != family.narrowed_audience;
    if rescoped {
        family.narrowed = narrowed;
        family.narrowed_audience = audience;
        family.opaque_from = family.access_generation;
    }
    rescoped
}

fn authorized(stored: Versioned<Family>) -> Authorized {
    Authorized {
        id: stored.id,
        family: stored.body,
        nonce: None,
        id_claims: Vec::new(),
        introduces: false,
    }
}
