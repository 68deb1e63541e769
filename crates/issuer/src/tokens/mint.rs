//! What goes into a token.

use std::{sync::Arc, time::Duration};

use castellan_proto::{OpaqueKind, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Issuer,
    client_auth::AuthenticatedClient,
    error::OAuthError,
    keys::{KeyUse, KeyringError},
    records::{Account, Client, Family, TokenFormat},
    store::Kind,
    tokens::{
        claims::{ACCESS_TYP, AccessClaims, Confirmation, access_jti, token_type},
        family::FamilyToken,
        groups::TokenGroups,
    },
};

/// What the token endpoint answers (RFC 6749 §5.1).
#[derive(Serialize)]
pub struct TokenAnswer {
    /// The access token.
    pub access_token: String,
    /// `Bearer`, or `DPoP` if it is bound to a key.
    pub token_type: &'static str,
    /// Seconds until it expires.
    pub expires_in: u64,
    /// The refresh token, if the client gets one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// The ID token, if `openid` was granted (OIDC Core §3.1.3.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// The scopes that were granted.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// The person, for clients written as in `docs/contracts/aidbox.md` §6.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userinfo: Option<Value>,
    /// When it was issued; some dialects say it.
    #[serde(skip)]
    pub created_at: Timestamp,
}

impl std::fmt::Debug for TokenAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenAnswer").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// What an ID token says besides what every one does.
struct IdClaims<'a> {
    nonce: Option<&'a str>,
    /// Claims about the person.
    about: Value,
}

impl Issuer {
    pub(crate) async fn mint(
        &self,
        client: &AuthenticatedClient,
        authorized: Authorized,
    ) -> Result<TokenAnswer, OAuthError> {
        let Authorized { id, family, nonce, id_claims, introduces } = authorized;
        let access_token = self.access_token(client, &id, &family).await?;
        let newest = FamilyToken {
            family: id.clone(),
            generation: family.generation,
            expires: Timestamp(0),
        };
        let refresh_token =
            family.refresh.and_then(|_| self.family_token_text(OpaqueKind::Refresh, &newest));
        let openid = family.current_scope().has_name("openid") && family.account.is_some();
        let id_token = if openid {
            let about = self.claims_about(client, &family, &id_claims).await?;
            let own = IdClaims { nonce: nonce.as_deref(), about };
            Some(self.id_token(client, &family, own, &access_token).await?)
        } else {
            None
        };
        let userinfo = match &family.account {
            Some(account) if introduces && client.client.profile.answers_with_user() => {
                self.user_view(account).await?
            }
            _ => None,
        };
        Ok(TokenAnswer {
            access_token,
            token_type: token_type(family.jkt.as_deref()),
            expires_in: family.access_seconds,
            refresh_token,
            id_token,
            scope: family.current_scope().to_string(),
            userinfo,
            created_at: family.renewed,
        })
    }

    async fn access_token(
        &self,
        client: &AuthenticatedClient,
        id: &str,
        family: &Family,
    ) -> Result<String, OAuthError> {
        let exp = Timestamp(family.renewed.0.saturating_add(family.access_seconds));
        let scope = family.current_scope();
        if token_format(client, family) == TokenFormat::Opaque {
            let generation = family.access_generation;
            let family_token = FamilyToken { family: id.to_owned(), generation, expires: exp };
            return Ok(self
                .family_token_text(OpaqueKind::Access, &family_token)
                .ok_or(KeyringError::NoKey)?);
        }
        let (groups, roles) = self.groups_and_roles(&client.client, family).await?;
        let claims = AccessClaims {
            iss: self.address().issuer.clone(),
            sub: family.account.clone().unwrap_or_else(|| family.client.clone()),
            aud: family.current_audience().to_vec().into(),
            client_id: family.client.clone(),
            scope: scope.to_string(),
            iat: family.renewed,
            exp,
            jti: access_jti(id, family.access_generation),
            sid: family.sid.clone(),
            generation: family.access_generation,
            cnf: family.jkt.clone().map(|jkt| Confirmation { jkt }),
            scp: family.profile.login_realm(scope).map(ToOwned::to_owned),
            groups: groups.groups,
            admin_groups: groups.admin_groups,
            roles,
        };
        let kind = KeyUse::Access.with(client.client.access_alg);
        Ok(self.sign(kind, ACCESS_TYP, &claims).await?)
    }

    async fn id_token(
        &self,
        client: &AuthenticatedClient,
        family: &Family,
        IdClaims { nonce, about }: IdClaims<'_>,
        access_token: &str,
    ) -> Result<String, OAuthError> {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        let now = self.now();
        let algorithm = client.client.id_alg;
        let lifetime = client.client.id_seconds.map(Duration::from_secs);
        let at_hash = URL_SAFE_NO_PAD.encode(algorithm.half_digest(access_token.as_bytes()));
        let mut claims = json!({
            "iss": self.address().issuer,
            "sub": family.account,
            "aud": family.client,
            "iat": now,
            "exp": now + lifetime.unwrap_or_else(|| self.settings().id_token.get()),
            "auth_time": family.auth_time,
            "at_hash": at_hash,
            "acr": family.amr.acr(),
            "amr": family.amr,
        });
        for (name, value) in about.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        if let Some(sid) = &family.sid {
            claims["sid"] = json!(sid);
        }
        let kind = KeyUse::Id.with(algorithm);
        Ok(self.sign(kind, "JWT", &claims).await?)
    }

    /// What `names` say of the person, as far as the scopes of `family` open it, or those of `client`
    /// do and the person agreed to it (OIDC Core §5.5).
    async fn claims_about(
        &self,
        client: &AuthenticatedClient,
        family: &Family,
        names: &[String],
    ) -> Result<Value, OAuthError> {
        let scope = family.current_scope();
        // These two are in every ID token whose client asked for them by scope: clients look there.
        let by_scope = BY_SCOPE.into_iter().filter(|name| scope.has_name(name));
        let names: Vec<&str> = names.iter().map(|name| &**name).chain(by_scope).collect();
        let Some(id) = family.account.as_ref().filter(|_| !names.is_empty()) else {
            return Ok(Value::Null);
        };
        let Some(account) = self.cached_account(id).await? else { return Ok(Value::Null) };
        let roles = if names.contains(&"roles") {
            Some(self.standing(id, &account).await?.roles)
        } else {
            None
        };
        let beyond = &family.beyond_scopes.id_token;
        let opens = |claim: &str, name: &str| {
            let agreed = || beyond.iter().any(|other| other == claim);
            scope.has_name(name) || (agreed() && client.client.scope.has_name(name))
        };
        let mut about = crate::records::claims::claims_of(id, &account, roles.as_deref(), opens);
        if let Some(about) = about.as_object_mut() {
            about.retain(|name, _| names.contains(&&**name));
        }
        Ok(about)
    }

    /// The groups and roles of the person, each if the scopes of `family` cover it.
    async fn groups_and_roles(
        &self,
        client: &Client,
        family: &Family,
    ) -> Result<(TokenGroups, Option<Vec<String>>), OAuthError> {
        let (scope, none) = (family.current_scope(), TokenGroups::default());
        let roles = scope.has_name("roles");
        // Which claims there are does not depend on the person.
        let names_groups = self.token_groups(client, scope, &[]) != none;
        let Some(id) = family.account.as_ref().filter(|_| names_groups || roles) else {
            return Ok((none, None));
        };
        let Some(account) = self.cached_account(id).await? else { return Ok((none, None)) };
        let theirs = if roles { Some(self.standing(id, &account).await?.roles) } else { None };
        let names = theirs.map(|roles| roles.iter().map(|role| role.role.clone()).collect());
        Ok((self.token_groups(client, scope, &account.groups), names))
    }

    async fn cached_account(&self, id: &str) -> Result<Option<Arc<Account>>, OAuthError> {
        let lookup = self.cached(&[self.repository().key(Kind::Account, id)]).await?;
        let Some(cached_record) = lookup.records.into_iter().next().flatten() else {
            return Ok(None);
        };
        Ok(Some(cached_record.read::<Account>()?.body))
    }

    /// A person as `docs/contracts/aidbox.md` §6.1 shows them: no password, nothing to sign in
    /// with.
    async fn user_view(&self, id: &str) -> Result<Option<Value>, OAuthError> {
        let Some(account) = self.cached_account(id).await? else { return Ok(None) };
        let mut view = json!({"resourceType": "User", "id": id, "userName": account.user_name});
        if let Some(email) = account.emails.first() {
            view["email"] = json!(email);
        }
        if account.name != crate::records::Name::default() {
            view["name"] = json!(account.name);
        }
        Ok(Some(view))
    }
}

/// The claims that are in tokens whose scopes have their names.
const BY_SCOPE: [&str; 2] = ["groups", "roles"];

/// What an access token of `family` looks like.
fn token_format(client: &AuthenticatedClient, family: &Family) -> TokenFormat {
    if let Some(format) = family.profile.format_by_scope(family.current_scope()) {
        return format;
    }
    client.client.grants.get(&family.origin).map(|grant| grant.format).unwrap_or_default()
}

/// What a grant came to.
pub struct Authorized {
    /// The family's id.
    pub id: String,
    /// The family as it is written.
    pub family: Family,
    /// For the ID token, if there is to be one.
    pub nonce: Option<String>,
    /// Claims about the person to include in the ID token.
    pub id_claims: Vec<String>,
    /// The person is new to this token: an ID token and `userinfo` belong in the answer.
    pub introduces: bool,
}
