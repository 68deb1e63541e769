//! Whether an access token is valid: issued here, not expired, and with all records it depends on
//! in place.

use std::sync::Arc;

use castellan_proto::{OpaqueKind, Timestamp, jose::Compact, scope::Scopes};

use crate::{
    Issuer,
    cache::liveness::Snapshot,
    keys::{KeyUse, KeyringError, RingKey},
    records::{
        Family,
        repository::{Stored, read},
    },
    store::{Kind, Record},
    tokens::{
        claims::{ACCESS_TYP, AccessClaims, access_jti},
        dependencies::Dependencies,
        groups::TokenGroups,
        verified::{Holder, Live, VerifyError},
    },
};

/// The content of a token whose signature or MAC has been verified.
pub(super) struct TokenContent {
    pub(super) family: String,
    pub(super) generation: u32,
    issued: Option<Timestamp>,
    pub(super) expires: Timestamp,
    /// What a JWT carries; an opaque token's is its family's.
    pub(super) carried: Option<Carried>,
}

/// What a JWT carries itself.
pub(super) struct Carried {
    pub(super) scope: Scopes,
    audience: Vec<String>,
    jkt: Option<String>,
    groups: Option<Vec<String>>,
}

impl Issuer {
    /// Whether `token` is valid now. One that this node has seen costs no round trip; a new one
    /// costs one (`docs/rules.md` rule 27), and one more if this node does not know its client and
    /// person.
    ///
    /// # Errors
    /// [`VerifyError`]; a failing store is never a yes.
    pub async fn verify_access(
        &self,
        token: &str,
        holder: Holder<'_>,
    ) -> Result<Arc<Live>, VerifyError> {
        let live = self.verify_access_of_anybody(token).await?;
        let is_theirs = match holder {
            Holder::Bearer => live.jkt.is_none(),
            Holder::Key(jkt) => live.jkt.as_deref() == Some(jkt),
            Holder::Asks => true,
        };
        if is_theirs { Ok(live) } else { Err(VerifyError::Invalid) }
    }

    async fn verify_access_of_anybody(&self, token: &str) -> Result<Arc<Live>, VerifyError> {
        if let Some(live) = self.verdicts().get(self, token) {
            return Ok(live);
        }
        let now = self.now();
        let content = match self.read_access(token) {
            Some(content) => content,
            // By a key that another node has made a moment ago, perhaps.
            None if self.hears_of_a_key(token).await? => {
                self.read_access(token).ok_or(VerifyError::Invalid)?
            }
            None => return Err(VerifyError::Invalid),
        };
        if content.expires <= now {
            return Err(VerifyError::Expired);
        }
        let family_key = self.repository().key(Kind::Family, &content.family);
        // Captured before anything is read: what changes in between is seen as a change.
        let before = self.liveness().snapshot([&*family_key.text()]);
        let records = self.repository().store().get_many(&[family_key], now).await?;
        let family = body::<Family>(records.into_iter().next().flatten())?;
        let (live, snapshot) = self.check_alive(content, family).await?;
        self.verdicts().keep(self, token, (&live, snapshot.and(before)), live.expires);
        Ok(live)
    }

    async fn check_alive(
        &self,
        content: TokenContent,
        family: Family,
    ) -> Result<(Arc<Live>, Snapshot), VerifyError> {
        let outdated = family.ends_previous && content.generation != family.access_generation;
        let rescoped = content.carried.is_none() && content.generation < family.opaque_from;
        if family.ended || outdated || rescoped {
            return Err(VerifyError::Invalid);
        }
        let is_jwt = content.carried.is_some();
        let Carried { scope, audience, jkt, groups } = content.carried.unwrap_or_else(|| Carried {
            scope: family.current_scope().clone(),
            audience: family.current_audience().to_vec(),
            jkt: family.jkt.clone(),
            groups: None,
        });
        let (dependencies, missing) = Dependencies::of(self, &family, &scope).await?;
        if missing.is_some() {
            return Err(VerifyError::Invalid);
        }
        let client = dependencies.client.ok_or(VerifyError::Invalid)?;
        let account = family.account.clone().zip(dependencies.account);
        // An opaque token does not say when it was made, but how long before its end that was.
        let made = Timestamp(content.expires.0.saturating_sub(family.access_seconds));
        let groups = account.as_ref().and_then(|(_, account)| {
            let theirs = self.token_groups(&client, &scope, &account.groups).all()?;
            if !is_jwt {
                return Some(theirs);
            }
            // What a JWT says was so when it was made; whoever left a group since is not in it.
            let named = groups?;
            Some(theirs.into_iter().filter(|group| named.contains(group)).collect())
        });
        let owes_name = is_jwt && family.profile.jwt_needs_named_audience();
        let live = Live {
            jti: access_jti(&content.family, content.generation),
            family_id: content.family,
            named_audience: owes_name.then(|| family.client.clone()),
            profile: family.profile,
            client_id: family.client,
            client,
            account,
            scope,
            claims: family.beyond_scopes.userinfo,
            groups,
            audience,
            jkt,
            issued: content.issued.unwrap_or(made),
            expires: content.expires,
        };
        Ok((Arc::new(live), dependencies.snapshot))
    }

    /// The claims of a JWT access token that this issuer signed, expired or not.
    pub(crate) fn proven_claims(&self, token: &str) -> Option<AccessClaims> {
        let compact = Compact::read(token)?;
        let typ = compact.header().typ.as_deref()?;
        let access = [ACCESS_TYP, "application/at+jwt"];
        if !access.iter().any(|known| typ.eq_ignore_ascii_case(known)) {
            return None;
        }
        let (kid, keys) = (compact.header().kid.as_deref()?, self.keyring().keys());
        let known = |key: &&RingKey| {
            key.usage == KeyUse::Access && key.signing.kid() == kid && key.is_published(self.now())
        };
        let payload = compact.verified_by(&keys.iter().find(known)?.verifying)?;
        let claims: AccessClaims = serde_json::from_slice(payload).ok()?;
        (claims.iss == self.address().issuer).then_some(claims)
    }

    /// Reads the keys again if `token` names one that is not known here; whether it did. Once a
    /// second at most, whatever comes, and once in half a minute for one name (`docs/rules.md` rule
    /// 45).
    pub(crate) async fn hears_of_a_key(&self, token: &str) -> Result<bool, VerifyError> {
        let compact = Compact::read(token);
        let Some(kid) = compact.as_ref().and_then(|compact| compact.header().kid.as_deref()) else {
            return Ok(false);
        };
        if self.keyring().keys().iter().any(|key| key.signing.kid() == kid)
            || !self.keyring().may_ask(kid, self.now())
        {
            return Ok(false);
        }
        match self.reload_keys().await {
            Ok(()) => Ok(true),
            Err(KeyringError::Store(error)) => Err(error.into()),
            Err(_) => Ok(false),
        }
    }

    pub(super) fn read_access(&self, token: &str) -> Option<TokenContent> {
        if let Some(family_token) = self.read_family_token(OpaqueKind::Access, token) {
            return Some(TokenContent {
                family: family_token.family,
                generation: family_token.generation,
                issued: None,
                expires: family_token.expires,
                carried: None,
            });
        }
        let claims = self.proven_claims(token)?;
        let scope = Scopes::parse(&claims.scope).ok()?;
        Some(TokenContent {
            family: claims.family()?.to_owned(),
            generation: claims.generation,
            issued: Some(claims.iat),
            expires: claims.exp,
            carried: Some(Carried {
                scope,
                audience: claims.aud.into_vec(),
                jkt: claims.cnf.map(|cnf| cnf.jkt),
                groups: TokenGroups { groups: claims.groups, admin_groups: claims.admin_groups }
                    .all(),
            }),
        })
    }
}

/// The body of a record that must be there.
fn body<T: Stored>(record: Option<Record>) -> Result<T, VerifyError> {
    Ok(read::<T>(record.ok_or(VerifyError::Invalid)?)?.body)
}
