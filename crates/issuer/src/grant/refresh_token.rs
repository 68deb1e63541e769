//! `grant_type=refresh_token` (RFC 6749 §6, RFC 9700 §4.14.2, `design.md` rule 31).

use async_trait::async_trait;
use castellan_proto::{OpaqueKind, Timestamp, scope::Scopes};

use super::{Authorized, GrantType, scope_within};
use crate::{
    Issuer,
    client_auth::Proven,
    error::TokenError,
    records::{
        Client, Family, Origin, Refresh, Rotation,
        repository::{Held, Written},
    },
    request::params::Params,
    store::{Kind, Notice, StoreError},
    tokens::{
        dependencies::Gone,
        family::{Member, TRIES},
    },
};

pub(super) struct RefreshToken;

#[async_trait]
impl GrantType for RefreshToken {
    fn name(&self) -> &'static str {
        "refresh_token"
    }

    fn allows(&self, client: &Client) -> bool {
        client.code.as_ref().is_some_and(|grant| grant.refresh.is_some())
            || client.device.as_ref().is_some_and(|grant| grant.refresh.is_some())
    }

    fn needs_secret(&self, client: &Client) -> bool {
        match &client.code {
            Some(grant) => grant.secret_required,
            None => !client.is_public(),
        }
    }

    async fn redeem(
        &self,
        issuer: &Issuer,
        client: &Proven,
        params: &Params,
    ) -> Result<Authorized, TokenError> {
        let text = params.get("refresh_token").ok_or(TokenError::Missing("refresh_token"))?;
        let member =
            issuer.read_member(OpaqueKind::Refresh, text).ok_or(TokenError::RefreshNotUsable)?;
        for _ in 0..TRIES {
            let held = issuer.family(&member.family).await?;
            let held = held.ok_or(TokenError::RefreshNotUsable)?;
            let (family, refresh) = usable(issuer, &held, client)?;
            let grace = if family.is_decidim() { 0 } else { issuer.settings().grace_seconds() };
            let turn = Turn::of((family, refresh), &member, grace, issuer.now());
            if turn == Turn::Reuse {
                issuer.end_family(&held.id).await?;
                return Err(TokenError::RefreshNotUsable);
            }
            // An old one ends its family whatever key came with it; only then the key counts.
            let jkt = key_of_next(family, client)?;
            // What the client may have by now bounds what was granted then.
            let scope = scope_within(params, &client.client.scope.narrow(&family.scope))?;
            if turn == Turn::Again {
                if jkt != family.jkt {
                    return Err(TokenError::RefreshNotUsable);
                }
                check_footing(issuer, family, family.current_scope()).await?;
                return Ok(authorized(held));
            }
            check_footing(issuer, family, &scope).await?;
            let audience = issuer.narrowed_audience(params, family)?;
            let mut next = held;
            next.body.jkt = jkt;
            let rescoped = advance(&mut next.body, refresh, (scope, audience), issuer.now());
            // Only then is an earlier access token dead, which other nodes have to hear.
            let dead = next.body.ends_previous || rescoped;
            let notice = if dead { Notice::Tell } else { Notice::Silent };
            if issuer.desk().replace(&next, notice, issuer.now()).await? == Written::Done {
                if notice == Notice::Tell {
                    issuer.bump(Kind::Family, &next.id);
                }
                return Ok(authorized(next));
            }
        }
        Err(StoreError::new("the family is being written all the time").into())
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
        (family, refresh): (&Family, Refresh),
        member: &Member,
        grace: u64,
        now: Timestamp,
    ) -> Self {
        let since = now.since(family.renewed).as_secs();
        if member.generation == family.generation {
            Self::Next
        } else if refresh.rotation == Rotation::Rotate
            && member.generation.checked_add(1) == Some(family.generation)
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
    held: &'a Held<Family>,
    client: &Proven,
) -> Result<(&'a Family, Refresh), TokenError> {
    let family = &held.body;
    if family.client != client.id || family.ended || family.refresh_is_over(issuer.now()) {
        return Err(TokenError::RefreshNotUsable);
    }
    // What the client may do by now with a family of this origin.
    let (refresh, owes_secret) = match family.origin {
        Origin::AuthorizationCode => {
            let grant = client.client.code.as_ref();
            (
                grant.and_then(|grant| grant.refresh),
                grant.is_some_and(|grant| grant.secret_required),
            )
        }
        Origin::Device => {
            let grant = client.client.device.as_ref();
            (grant.and_then(|grant| grant.refresh), !client.client.is_public())
        }
        Origin::ClientCredentials => (None, true),
    };
    if refresh.is_none() || (owes_secret && !client.authenticated) {
        return Err(TokenError::RefreshNotUsable);
    }
    Ok((family, family.refresh.ok_or(TokenError::RefreshNotUsable)?))
}

/// The key that the next tokens of `family` are bound to. A bound family stays bound. A client that
/// proves itself may change its key, as its refresh tokens are bound to itself; for one that cannot,
/// the key is the proof, and none is added to a family without: whoever shows a stolen token would
/// make it theirs (RFC 9449 §5, `design.md` rule 31).
fn key_of_next(family: &Family, client: &Proven) -> Result<Option<String>, TokenError> {
    match (&family.jkt, &client.jkt) {
        (bound, shown) if bound == shown => Ok(family.jkt.clone()),
        (_, Some(_)) if client.authenticated => Ok(client.jkt.clone()),
        (None, _) => Ok(None),
        (Some(_), _) => Err(TokenError::RefreshNotUsable),
    }
}

async fn check_footing(issuer: &Issuer, family: &Family, scope: &Scopes) -> Result<(), TokenError> {
    match issuer.gone(family, scope).await? {
        None => Ok(()),
        Some(Gone::Person) => Err(TokenError::UserInactive),
        Some(Gone::Client | Gone::Consent) => Err(TokenError::RefreshNotUsable),
    }
}

/// The next generation, with `scope` and for `audience`. Says whether either is another than before.
fn advance(
    family: &mut Family,
    refresh: Refresh,
    (scope, audience): (Scopes, Option<Vec<String>>),
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

fn authorized(held: Held<Family>) -> Authorized {
    Authorized {
        id: held.id,
        family: held.body,
        nonce: None,
        id_claims: Vec::new(),
        introduces: false,
    }
}
