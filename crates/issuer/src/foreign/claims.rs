//! What tokens of other issuers say, and what of it has to hold.

use castellan_proto::{
    Timestamp,
    jose::Compact,
    scope::{Scope, Scopes},
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use crate::{
    foreign::{ForeignError, Said, introspectors::Introspector},
    request::resource::Audience,
};

/// Seconds by which the other issuer's clock may be ahead of this node's.
const SKEW: u64 = 60;

/// The claims of a JWT (RFC 7519, RFC 9068), or the members of an introspection response (RFC 7662
/// §2.2). All that is not read here has no effect.
#[derive(Deserialize)]
pub(crate) struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    box_user: Option<String>,
    client_id: Option<String>,
    aud: Option<Audience>,
    exp: Option<Timestamp>,
    nbf: Option<Timestamp>,
    iat: Option<Timestamp>,
    scope: Option<Words>,
    scp: Option<Words>,
    groups: Option<Groups>,
    #[serde(rename = "urn:se:curity:claims:admin:groups")]
    admin_groups: Option<Groups>,
    /// It is bound to a key, which would have to be shown (RFC 7800 §3).
    cnf: Option<IgnoredAny>,
    /// Only ID tokens have these (OIDC Core §3.1.3.6, §3.3.2.11).
    at_hash: Option<IgnoredAny>,
    c_hash: Option<IgnoredAny>,
    /// Only security events have it, such as logout tokens (RFC 8417 §2.2).
    events: Option<IgnoredAny>,
    /// What some issuers write in place of the header's `typ`, such as `ID` and `Refresh`.
    typ: Option<Value>,
    /// The same by others, such as `id` and `refresh_token`.
    token_use: Option<Value>,
    token_type: Option<Value>,
}

/// Scopes as one text or as a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    Text(String),
    List(Vec<String>),
}

/// Groups by name, or with more about them (`docs/contracts/curity.md` §3.3). What is neither names
/// none.
#[derive(Deserialize)]
#[serde(untagged)]
enum Groups {
    Named(Vec<Group>),
    Other(IgnoredAny),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Group {
    Name(String),
    Object { value: String },
    Other(IgnoredAny),
}

/// Groups that are read of one token.
const MOST_GROUPS: usize = 256;

/// What `typ` and `token_use` may say of an access token.
const ACCESS: [&str; 6] =
    ["jwt", "at+jwt", "application/at+jwt", "bearer", "access", "access_token"];

/// Reads `compact`, of which `proven` gives the payload if the signature holds.
///
/// # Errors
/// Why it is not valid.
pub(crate) fn read_jwt<'a, 'b>(
    compact: &'a Compact<'b>,
    proven: impl FnOnce(&'a Compact<'b>) -> Option<&'a [u8]>,
) -> Result<Claims, &'static str> {
    let typ = compact.header().typ.as_deref();
    let is_access = |typ: &str| ACCESS[..3].iter().any(|known| typ.eq_ignore_ascii_case(known));
    if !typ.is_none_or(is_access) {
        return Err("the typ of its header is not that of an access token");
    }
    let payload = proven(compact);
    let payload = payload.ok_or("no key that is trusted made its signature, with its algorithm")?;
    read(payload)
}

/// Reads claims.
///
/// # Errors
/// Why they cannot be believed.
pub(crate) fn read(payload: &[u8]) -> Result<Claims, &'static str> {
    serde_json::from_slice(payload).map_err(|_| "a claim is not of its type, or is there twice")
}

impl Claims {
    /// What they say to `introspector`, whose issuer is proven to have said it.
    ///
    /// # Errors
    /// [`ForeignError`] naming what does not hold.
    pub(crate) fn check(
        self,
        introspector: &Introspector,
        now: Timestamp,
    ) -> Result<Said, ForeignError> {
        let record = &introspector.record;
        self.check_kind().map_err(|why| introspector.invalid(why))?;
        if record.is_opaque() {
            if let (Some(pinned), Some(iss)) = (&record.iss, &self.iss)
                && pinned != iss
            {
                return Err(introspector.invalid("it is of another issuer"));
            }
        } else if record.iss.is_none() || record.iss != self.iss {
            return Err(introspector.invalid("it is of another issuer"));
        }
        match self.exp {
            Some(expires) if expires <= now => return Err(ForeignError::Expired),
            None if !record.is_opaque() => {
                return Err(introspector.invalid("it has no exp"));
            }
            _ => {}
        }
        let ahead = Timestamp(now.0.saturating_add(SKEW));
        if [self.nbf, self.iat].into_iter().flatten().any(|from| from > ahead) {
            return Err(introspector.invalid("it is not valid yet (nbf, iat)"));
        }
        let audience = self.aud.map(Audience::into_vec).unwrap_or_default();
        let is_pinned = |name: &String| record.audience.contains(name);
        if !record.audience.is_empty() && !audience.iter().any(is_pinned) {
            return Err(introspector.invalid("its aud has none of the audiences of the document"));
        }
        let names_client =
            self.box_user.is_none() && self.sub.is_some() && self.sub == self.client_id;
        if record.has_person && names_client {
            // Whoever may name a client there would be the person of that name here (RFC 9700 §4.15).
            return Err(introspector.invalid("it acts for a client, not for a person"));
        }
        let subject = match (record.has_person, self.box_user.or(self.sub)) {
            (false, _) => None,
            (true, Some(subject)) => Some(subject),
            (true, None) => {
                return Err(introspector.invalid("it names no person (box_user, sub)"));
            }
        };
        let said = [self.scope, self.scp].into_iter().flatten().flat_map(Words::into_list);
        // What is no scope here allows nothing here.
        let scopes = said.filter_map(|word| Scope::try_from(word).ok()).filter(is_theirs_to_give);
        let scopes: Scopes = scopes.collect();
        let scopes = match &record.scope {
            Some(most) => most.intersection(&scopes),
            None => scopes,
        };
        let groups = [self.groups, self.admin_groups].into_iter().flatten();
        let groups = groups.flat_map(Groups::into_names).take(MOST_GROUPS).collect();
        Ok(Said { subject, scopes, groups, expires: self.exp })
    }

    /// Whether it is an access token of which nothing more has to be shown, as far as it says.
    fn check_kind(&self) -> Result<(), &'static str> {
        if self.cnf.is_some() {
            return Err("it is bound to a key (cnf), which is not verified");
        }
        if self.at_hash.is_some() || self.c_hash.is_some() || self.events.is_some() {
            return Err("it is an ID token or a security event, and not an access token");
        }
        let says_access = |said: &Option<Value>| match said {
            None => true,
            Some(said) => said
                .as_str()
                .is_some_and(|said| ACCESS.iter().any(|known| said.eq_ignore_ascii_case(known))),
        };
        if [&self.typ, &self.token_use, &self.token_type].into_iter().all(says_access) {
            Ok(())
        } else {
            Err("it says that it is not a bearer token for access (typ, token_use, token_type)")
        }
    }
}

/// Whether another issuer can give `scope`: none of Castellan's own rights (`docs/rules.md` rule
/// 23).
fn is_theirs_to_give(scope: &Scope) -> bool {
    match scope {
        Scope::Pattern(pattern) => !pattern.reaches_own_rights(),
        Scope::Named(_) => true,
    }
}

impl Groups {
    fn into_names(self) -> Vec<String> {
        let Self::Named(groups) = self else { return Vec::new() };
        let name = |group| match group {
            Group::Name(name) | Group::Object { value: name } => Some(name),
            Group::Other(_) => None,
        };
        groups.into_iter().filter_map(name).collect()
    }
}

impl Words {
    fn into_list(self) -> Vec<String> {
        match self {
            Self::Text(text) => text.split_ascii_whitespace().map(ToOwned::to_owned).collect(),
            Self::List(list) => list,
        }
    }
}
