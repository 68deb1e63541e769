//! `Client` documents (`docs/rules.md` §13, `docs/contracts/aidbox.md` §2.1).

mod contract;
pub(crate) mod details;
mod effect_check;
pub(crate) mod grant_types;
mod groups_claims;
pub(crate) mod introspection;
pub(crate) mod logout;
pub(crate) mod metadata;
pub(crate) mod registered;
mod risks;
pub(crate) mod secret;
pub(crate) mod source;
pub(crate) mod unserved;

use castellan_proto::{
    RedirectUri, Secret, Timestamp, is_origin,
    jose::Algorithm,
    scope::{Scope, Scopes},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Facts, How, Parameter, Problem, ReadDocument, Resource,
    client::{
        grant_types::{AskedGrants, Auth, grant_names},
        secret::{AskedProof, Proof},
    },
    version::{fresh_incarnation, incarnation},
};
use crate::{
    Issuer,
    grant::settings::{AskedGrant, seconds},
    keys::{KeyKind, KeyUse},
    records::{
        AppDialect, Client, ClientDetails, GrantName, GroupsClaim, IntrospectionReach, Rotation,
        TokenProfile, login_name,
    },
};

/// An OAuth client.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a member of the document of its own")]
pub struct ClientDocument {
    name: Option<String>,
    uri: Option<String>,
    secret: Option<Secret>,
    /// Seconds since the Unix epoch until which the secret before this one is valid too.
    previous_secret_until: Option<Timestamp>,
    #[serde(default)]
    first_party: bool,
    /// People sign in to it with a second factor, or a passkey.
    #[serde(default)]
    require_second_factor: bool,
    active: Option<bool>,
    #[serde(default)]
    scope: Scopes,
    #[serde(default)]
    grant_types: Vec<String>,
    #[serde(default)]
    redirect_uris: Vec<RedirectUri>,
    #[serde(default)]
    post_logout_redirect_uris: Vec<RedirectUri>,
    pub(crate) backchannel_logout_uri: Option<String>,
    pub(crate) backchannel_logout_session_required: Option<bool>,
    pub(crate) frontchannel_logout_uri: Option<String>,
    pub(crate) frontchannel_logout_session_required: Option<bool>,
    #[serde(default)]
    allowed_origins: Vec<String>,
    access_token_signed_response_alg: Option<Algorithm>,
    id_token_signed_response_alg: Option<Algorithm>,
    userinfo_signed_response_alg: Option<Algorithm>,
    introspection_signed_response_alg: Option<Algorithm>,
    refresh_token_rotation: Option<Rotation>,
    /// Public keys for client authentication (RFC 7591 §2).
    jwks: Option<Value>,
    /// RFC 9126 §6.
    #[serde(default)]
    require_pushed_authorization_requests: bool,
    #[serde(default)]
    dpop_bound_access_tokens: bool,
    #[serde(default)]
    auth: Auth,
    /// Read-only, except for apps of `/oauth`, which require it; otherwise it follows from the
    /// secret.
    #[serde(rename = "type")]
    kind: Option<ClientType>,
    dialect: Option<AppDialect>,
    #[serde(default)]
    pub(crate) introspect: IntrospectionReach,
    #[serde(default)]
    pub(crate) resources: Vec<String>,
    id_token_expiration: Option<u64>,
    description: Option<String>,
    logo_uri: Option<String>,
    policy_uri: Option<String>,
    tos_uri: Option<String>,
    /// The subject of whoever is responsible for it.
    owner: Option<String>,
    /// What was issued to it is over for good.
    #[serde(default)]
    revoked: bool,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    properties: Map<String, Value>,
    /// What it was given in the Database Clients API and has no effect.
    #[serde(default)]
    unserved: Map<String, Value>,
    groups_claims: Option<Vec<GroupsClaim>>,
    default_max_age: Option<u64>,
    /// Registered clients are made of it.
    #[serde(default)]
    template: bool,
    /// Read-only: who registered it.
    registration: Option<Value>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
enum ClientType {
    Public,
    Confidential,
}

/// It would be public from now on, which nobody means by leaving something out.
const LOST_KEYS: &str = "jwks: this client had keys; keep them, set a secret, or set type: public";

/// It would be taken for a client that proves itself in the one way and does so in the other.
const TWO_PROOFS: &str = "unserved.client_authentication.primary: names another proof than secret or \
                          jwks; remove it, or them";

impl Resource for ClientDocument {
    type Record = Client;

    const NAME: &'static str = "Client";
    const SECRET_MEMBERS: &'static [&'static str] = &["secret"];
    const PARAMETERS: &'static [Parameter] = &[
        Parameter { name: "name", paths: &["name"], how: How::Text },
        Parameter { name: "type", paths: &["type"], how: How::Token },
        Parameter { name: "active", paths: &["active"], how: How::BooleanOrTrue },
        Parameter { name: "first_party", paths: &["first_party"], how: How::Boolean },
        Parameter { name: "grant_types", paths: &["grant_types"], how: How::Token },
    ];
    const SCOPE_MEMBER: Option<&'static str> = Some("scope");
    const SECRETS: Option<fn(&Client) -> Vec<String>> = Some(Client::stored_secrets);

    #[cfg(feature = "schema")]
    fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }

    fn show(id: &str, client: &Client) -> Value {
        let mut shown = json!({"resourceType": "Client", "id": id});
        let mut set = |name: &str, value: Value| shown[name] = value;
        if !client.name.is_empty() {
            set("name", json!(client.name));
        }
        if let Some(uri) = &client.uri {
            set("uri", json!(uri));
        }
        set("type", json!(if client.is_public() { "public" } else { "confidential" }));
        for (name, is_so) in [
            ("require_pushed_authorization_requests", client.require_pushed),
            ("dpop_bound_access_tokens", client.dpop_bound),
            ("first_party", client.first_party),
            ("require_second_factor", client.require_second_factor),
        ] {
            if is_so {
                set(name, json!(true));
            }
        }
        if let Some(dialect) = client.profile.dialect() {
            set("dialect", json!(dialect));
        }
        if !client.active && !client.template {
            set("active", json!(false));
        }
        set("grant_types", json!(grant_names(client)));
        set("scope", json!(client.scope));
        if !client.redirect_uris.is_empty() {
            set("redirect_uris", json!(client.redirect_uris));
        }
        if !client.post_logout_redirect_uris.is_empty() {
            set("post_logout_redirect_uris", json!(client.post_logout_redirect_uris));
        }
        if !client.allowed_origins.is_empty() {
            set("allowed_origins", json!(client.allowed_origins));
        }
        if client.access_alg != Algorithm::Es256 {
            set("access_token_signed_response_alg", json!(client.access_alg));
        }
        if let Some(algorithm) = client.userinfo_alg {
            set("userinfo_signed_response_alg", json!(algorithm));
        }
        if let Some(algorithm) = client.introspection_alg {
            set("introspection_signed_response_alg", json!(algorithm));
        }
        if client.id_alg != Algorithm::Rs256 {
            set("id_token_signed_response_alg", json!(client.id_alg));
        }
        if let Some(seconds) = client.id_seconds {
            set("id_token_expiration", json!(seconds));
        }
        secret::show(client, &mut shown);
        groups_claims::show(client, &mut shown);
        registered::show(client, &mut shown);
        introspection::show(client, &mut shown);
        details::show(&client.details, &mut shown);
        logout::show(client, &mut shown);
        grant_types::show(client, &mut shown);
        shown
    }

    fn warnings(client: &Client) -> Vec<String> {
        [risks::warnings(client), details::warnings(&client.details)].concat()
    }

    fn facts(id: &str, record: &Client) -> Facts {
        Facts {
            name: login_name(record.display_name(id)),
            created: record.created,
            modified: record.modified,
        }
    }

    async fn read(
        self,
        issuer: &Issuer,
        before: Option<&Client>,
    ) -> Result<ReadDocument<Client>, Problem> {
        let asked = AskedGrants::read(&self.grant_types, issuer.grants())?;
        self.auth.check(&asked)?;
        let (details, resealed) = details::read(&self, issuer, before).await?;
        let Proof { secret, jwks, previous: previous_secret, changed } =
            Proof::read(issuer, self.asked_proof(&details)?, before).await?;
        let has_secret = secret.is_some() || !jwks.is_empty() || details.has_unserved_proof();
        self.check_proof(&asked, secret.is_some(), has_secret, before)?;
        let registration = registered::read(&self, secret.is_some(), before)?;
        check_origins(&self.allowed_origins).and_then(|()| check_page(self.uri.as_deref()))?;
        introspection::check(&self, has_secret, &issuer.address().issuer)?;
        let redirect_uris = self.all_redirect_uris();
        let profile = TokenProfile::of(self.dialect, asked.is_aidbox());
        let grants = self.auth.settings(&asked, self.of_every_grant(has_secret, profile))?;
        if grants.has(&GrantName::AUTHORIZATION_CODE) && redirect_uris.is_empty() {
            return Err(Problem::Text("a redirect URI is missing (redirect_uris)".to_owned()));
        }
        self.check_algorithms()?;
        effect_check::check(&self, &asked, &grants, has_secret, profile)?;
        self.check_contract(profile, &asked, &redirect_uris)?;
        let client = Client {
            backchannel_logout: logout::back(&self)?,
            frontchannel_logout: logout::front(&self, &redirect_uris)?,
            scope: self.own_scope(profile),
            name: self.name.unwrap_or_default(),
            uri: self.uri,
            secret,
            previous_secret,
            jwks,
            first_party: self.first_party,
            require_second_factor: self.require_second_factor,
            active: self.active != Some(false) && !self.revoked && !self.template,
            redirect_uris,
            post_logout_redirect_uris: self.post_logout_redirect_uris,
            allowed_origins: self.allowed_origins,
            grants,
            access_alg: self.access_token_signed_response_alg.unwrap_or(Algorithm::Es256),
            id_alg: self.id_token_signed_response_alg.unwrap_or(Algorithm::Rs256),
            userinfo_alg: self.userinfo_signed_response_alg,
            introspection_alg: self.introspection_signed_response_alg,
            require_pushed: self.require_pushed_authorization_requests,
            dpop_bound: self.dpop_bound_access_tokens,
            introspection_reach: self.introspect,
            own_resources: self.resources,
            groups_claims: self.groups_claims,
            basic: asked.has_basic(),
            profile,
            id_seconds: seconds("id_token_expiration", self.id_token_expiration)?,
            default_max_age: self.default_max_age,
            template: self.template,
            registration,
            generation: details::generation(&details, before),
            details,
            created: before.map_or(issuer.now(), |before| before.created),
            modified: issuer.now(),
            incarnation: before.map_or_else(fresh_incarnation, |before| before.incarnation),
        };
        groups_claims::check(&client)?;
        Ok(ReadDocument { record: client, secret_changed: changed || resealed })
    }

    fn incarnation(_: &str, record: &Client) -> String {
        incarnation(record.incarnation, record.created)
    }

    fn longest_access(client: &Client) -> u64 {
        client.longest_access()
    }

    fn signed_for(client: &Client) -> Vec<KeyKind> {
        let others = [
            client.userinfo_alg.map(|alg| KeyUse::Userinfo.with(alg)),
            client.introspection_alg.map(|alg| KeyUse::Introspection.with(alg)),
            client.backchannel_logout.as_ref().map(|_| KeyUse::Logout.with(client.id_alg)),
        ];
        let tokens = [KeyUse::Access.with(client.access_alg), KeyUse::Id.with(client.id_alg)];
        tokens.into_iter().chain(others.into_iter().flatten()).collect()
    }
}

impl ClientDocument {
    /// What it may be granted: what it says, or what the profile has where it says nothing.
    fn own_scope(&self, profile: TokenProfile) -> Scopes {
        match profile.default_scope().filter(|_| self.scope.is_empty()) {
            Some(default) => Scope::try_from(default.to_owned()).into_iter().collect(),
            None => self.scope.clone(),
        }
    }

    /// How it is to prove who it is.
    fn asked_proof(&self, details: &ClientDetails) -> Result<AskedProof<'_>, Problem> {
        let is_unserved = details.has_unserved_proof();
        if is_unserved && (self.secret.is_some() || self.jwks.is_some()) {
            return Err(Problem::Text(TWO_PROOFS.to_owned()));
        }
        let drops = is_unserved || self.kind == Some(ClientType::Public);
        let until = self.previous_secret_until;
        Ok(AskedProof { secret: self.secret.as_ref(), jwks: self.jwks.as_ref(), drops, until })
    }

    /// What it says that concerns each of its grants.
    const fn of_every_grant(&self, has_secret: bool, profile: TokenProfile) -> AskedGrant<'_> {
        AskedGrant {
            written: None,
            has_secret,
            dpop_bound: self.dpop_bound_access_tokens,
            profile,
            first_party: self.first_party,
            refreshes: false,
            rotation: self.refresh_token_rotation,
        }
    }

    /// Those at its top, and the one that stands with the grant.
    fn all_redirect_uris(&self) -> Vec<RedirectUri> {
        let mut uris = self.redirect_uris.clone();
        if let Some(uri) = self.auth.code().and_then(|code| code.redirect_uri)
            && !uris.contains(&uri)
        {
            uris.insert(0, uri);
        }
        uris
    }

    /// Whether how it proves itself, by a secret or at all, suits what else it says.
    fn check_proof(
        &self,
        asked: &AskedGrants,
        by_secret: bool,
        has_secret: bool,
        before: Option<&Client>,
    ) -> Result<(), Problem> {
        self.check_type(has_secret)?;
        self.check_keys(has_secret, before)?;
        if asked.has_basic() { self.check_basic(by_secret) } else { Ok(()) }
    }

    /// It does not lose its keys in silence.
    fn check_keys(&self, has_secret: bool, before: Option<&Client>) -> Result<(), Problem> {
        let had_keys = before.is_some_and(|before| !before.jwks.is_empty());
        if had_keys && !has_secret && self.kind != Some(ClientType::Public) {
            return Err(Problem::Text(LOST_KEYS.to_owned()));
        }
        Ok(())
    }

    fn check_type(&self, has_secret: bool) -> Result<(), Problem> {
        let problem = match self.kind {
            Some(ClientType::Public) if has_secret => {
                "type: a public client must not have a secret"
            }
            Some(ClientType::Confidential) if !has_secret => {
                "type: a confidential client needs a secret"
            }
            _ => return Ok(()),
        };
        Err(Problem::Text(problem.to_owned()))
    }

    /// Whether it may call APIs with its secret: it has one, and need not prove more than that.
    fn check_basic(&self, has_secret: bool) -> Result<(), Problem> {
        let problem = if !has_secret {
            "grant_types: basic needs a secret"
        } else if self.dpop_bound_access_tokens {
            "grant_types: basic cannot stand beside dpop_bound_access_tokens, as a secret is bound \
             to no key; remove one of them"
        } else {
            return Ok(());
        };
        Err(Problem::Text(problem.to_owned()))
    }

    fn check_algorithms(&self) -> Result<(), Problem> {
        let asked = [
            self.access_token_signed_response_alg,
            self.id_token_signed_response_alg,
            self.userinfo_signed_response_alg,
            self.introspection_signed_response_alg,
        ];
        if asked.contains(&Some(Algorithm::Hs256)) {
            return Err(Problem::Text("HS256 cannot be used for these tokens".to_owned()));
        }
        Ok(())
    }
}

/// Whatever people are to be led to, it is a page.
fn check_page(uri: Option<&str>) -> Result<(), Problem> {
    let is_page = |uri: &str| {
        let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"));
        let is_plain = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_graphic());
        uri.len() <= LONGEST_ADDRESS && rest.is_some_and(|rest| !rest.is_empty() && is_plain(rest))
    };
    if uri.is_none_or(is_page) {
        return Ok(());
    }
    let text =
        format!("uri: it must be an http or https address of at most {LONGEST_ADDRESS} bytes");
    Err(Problem::Text(text))
}

/// Bytes of the address of a page at most.
const LONGEST_ADDRESS: usize = 2_048;

fn check_origins(origins: &[String]) -> Result<(), Problem> {
    let wrong = origins.iter().find(|origin| !is_origin(origin));
    wrong.map_or(Ok(()), |origin| {
        let text =
            format!("allowed_origins: {origin:?} is not an origin such as https://app.example.org");
        Err(Problem::Text(text))
    })
}
