//! Proving which client speaks (RFC 6749 §2.3), and how secrets are kept.

mod basic;
pub mod private_key_jwt;

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::{Digest, Opaque, OpaqueKind, Secret, constant_time_eq};
use moka::sync::Cache;

use crate::{
    Issuer,
    audit::origin,
    cache::records::Lookup,
    error::OAuthError,
    keys::Branch,
    records::{Client, repository::Versioned},
    request::{params::Params, source::Source},
    secrets::{
        hashing::{Busy, KEYED, is_keyed},
        policy::Storable,
    },
    store::{Kind, StoreError},
};

/// What a client showed of itself.
pub enum ClientCredentials {
    /// `Authorization: Basic` (RFC 6749 §2.3.1).
    Basic(String, Secret),
    /// `client_id` and `client_secret` in the body.
    Post(String, Secret),
    /// A statement that it signed (RFC 7523 §2.2), and the client that this claims to be.
    Assertion(String, String),
    /// Only `client_id`.
    Named(String),
}

/// A client that is who it says, as far as it showed.
pub struct AuthenticatedClient {
    /// The client's `client_id`.
    pub id: String,
    /// The client's record.
    pub client: Arc<Client>,
    /// Whether it showed its secret.
    pub authenticated: bool,
    /// The thumbprint of the key that its tokens are to be bound to, if it showed one
    /// (RFC 9449 §6).
    pub jkt: Option<String>,
}

/// Secrets chosen by people that were found right a short while ago, so that a busy machine
/// client does not cost a password hash per token.
pub struct VerifiedSecrets(Cache<Digest, ()>);

/// The client that `Authorization: Basic` names, and its secret, both form-decoded (RFC 6749 §2.3.1).
#[derive(Clone)]
pub struct BasicAuth {
    /// Its `client_id`.
    pub client_id: String,
    /// Its secret, right or wrong.
    pub secret: Secret,
}

/// A secret that a client shows.
#[derive(Clone, Copy)]
struct ShownSecret<'a> {
    secret: &'a Secret,
    /// Whether it has the form of those that Castellan makes.
    is_generated: bool,
}

impl<'a> ShownSecret<'a> {
    fn of(secret: &'a Secret) -> Self {
        Self { secret, is_generated: is_generated(secret) }
    }
}

impl Default for VerifiedSecrets {
    fn default() -> Self {
        let lifetime = Duration::from_mins(5);
        Self(Cache::builder().max_capacity(10_000).time_to_live(lifetime).build())
    }
}

impl ClientCredentials {
    /// Reads what a request shows; `basic` is the decoded header.
    ///
    /// # Errors
    /// [`OAuthError::TwoProofs`] if it shows two secrets, or names two clients;
    /// [`OAuthError::Missing`] if it names none.
    pub fn read(params: &Params, basic: Option<BasicAuth>) -> Result<Self, OAuthError> {
        let named = params.get("client_id").map(ToOwned::to_owned);
        let secret = params.secret("client_secret");
        match (params.get("client_assertion_type"), params.get("client_assertion")) {
            (None, None) => {}
            (Some(private_key_jwt::TYPE), Some(signed)) => {
                if basic.is_some() || secret.is_some() {
                    return Err(OAuthError::TwoProofs);
                }
                let invalid = OAuthError::InvalidClient { basic: false };
                let claimed = private_key_jwt::claimed_client(signed).ok_or(invalid)?;
                if named.is_some_and(|named| named != claimed) {
                    return Err(OAuthError::TwoProofs);
                }
                return Ok(Self::Assertion(claimed, signed.to_owned()));
            }
            (Some(_), None) => return Err(OAuthError::Missing("client_assertion")),
            (None, Some(_)) => return Err(OAuthError::Missing("client_assertion_type")),
            (Some(_), Some(_)) => {
                return Err(OAuthError::InvalidClient { basic: basic.is_some() });
            }
        }
        match (basic, named, secret) {
            (Some(_), _, Some(_)) => Err(OAuthError::TwoProofs),
            (Some(basic), Some(named), None) if basic.client_id != named => {
                Err(OAuthError::TwoProofs)
            }
            (Some(basic), _, None) => Ok(Self::Basic(basic.client_id, basic.secret)),
            (None, Some(id), Some(secret)) => Ok(Self::Post(id, secret)),
            (None, Some(id), None) => Ok(Self::Named(id)),
            (None, None, _) => Err(OAuthError::Missing("client_id")),
        }
    }

    /// Whether it names `client` and proves nothing: `Authorization: Basic` with an empty secret, by
    /// which a public client says who it is (RFC 6749 §2.3.1 lets a client without a secret leave it
    /// empty).
    fn only_names(&self, client: &Client) -> bool {
        matches!(self, Self::Basic(_, secret) if secret.expose().is_empty()) && client.is_public()
    }
}

impl Issuer {
    /// Finds the client that `proof` names and checks the secret it shows, if it shows one.
    ///
    /// An unknown client and a wrong secret cost the same time and give the same answer.
    ///
    /// # Errors
    /// [`OAuthError::InvalidClient`] if it is unknown, inactive or showed a wrong secret;
    /// [`OAuthError::Throttled`] if too many wrong ones were shown, of it or from `source`.
    pub async fn authenticate_client(
        &self,
        proof: ClientCredentials,
        source: Option<Source>,
    ) -> Result<AuthenticatedClient, OAuthError> {
        let (ClientCredentials::Basic(id, secret) | ClientCredentials::Post(id, secret)) = &proof
        else {
            return self.prove_uncounted(proof, false).await;
        };
        let subject = format!("client/{id}");
        let guess = self.count_secret_guess(&subject, secret, source).await?;
        let proven = self.prove_uncounted(proof, guess.is_generated).await?;
        self.secret_was_right(guess).await?;
        Ok(proven)
    }

    /// Whether pages of `origin` may read what is answered to `client` (`allowed_origins`).
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn may_read(&self, client: &str, origin: &[u8]) -> Result<bool, StoreError> {
        let key = [self.repository().key(Kind::Client, client)];
        let lookup = self.cached(&key).await?;
        let is_fresh = lookup.is_fresh;
        let names = |lookup| {
            let found = client_of(lookup)?;
            Ok::<_, StoreError>(found.is_some_and(|stored| {
                let mut origins = stored.body.allowed_origins.iter();
                stored.body.active && origins.any(|allowed| allowed.as_bytes() == origin)
            }))
        };
        // It may name another one by now.
        Ok(names(lookup)? || (!is_fresh && names(self.fresh(&key).await?)?))
    }

    /// Proves what `proof` shows, whose secret, if it is one, has the form of generated ones or not.
    async fn prove_uncounted(
        &self,
        proof: ClientCredentials,
        is_generated: bool,
    ) -> Result<AuthenticatedClient, OAuthError> {
        let id = match &proof {
            ClientCredentials::Basic(id, _)
            | ClientCredentials::Post(id, _)
            | ClientCredentials::Assertion(id, _)
            | ClientCredentials::Named(id) => id.clone(),
        };
        let key = [self.repository().key(Kind::Client, &id)];
        let lookup = self.cached(&key).await?;
        let is_fresh = lookup.is_fresh;
        let found = client_of(lookup)?;
        let version = found.as_ref().map(|stored| stored.version);
        if found.is_some() {
            origin::aims_at_client(&id);
        }
        let refused = match self.check_proof(&proof, is_generated, found).await {
            Err(refused @ OAuthError::InvalidClient { .. }) if !is_fresh => refused,
            done => return done,
        };
        // It may have a new secret meanwhile. If not, no second hash is computed, so that the time
        // reveals nothing.
        let found = client_of(self.fresh(&key).await?)?;
        if found.as_ref().map(|stored| stored.version) == version {
            return Err(refused);
        }
        self.check_proof(&proof, is_generated, found).await
    }

    async fn check_proof(
        &self,
        proof: &ClientCredentials,
        is_generated: bool,
        found: Option<Versioned<Arc<Client>>>,
    ) -> Result<AuthenticatedClient, OAuthError> {
        let now = self.now();
        let stored = found.as_ref().map_or([None; 2], |stored| stored.body.secrets(now));
        let only_named = found.as_ref().is_some_and(|stored| proof.only_names(&stored.body));
        let authenticated = !only_named && !matches!(proof, ClientCredentials::Named(_));
        let is_right = match proof {
            _ if only_named => true,
            ClientCredentials::Named(_) => true,
            ClientCredentials::Basic(_, secret) | ClientCredentials::Post(_, secret) => {
                self.one_of_form_matches(ShownSecret { secret, is_generated }, stored).await?
            }
            ClientCredentials::Assertion(id, signed) => match &found {
                Some(stored) if stored.body.active => {
                    self.assertion_proves(id, &stored.body, signed).await?
                }
                _ => false,
            },
        };
        match found {
            Some(stored) if is_right && stored.body.active => Ok(AuthenticatedClient {
                id: stored.id,
                client: stored.body,
                authenticated,
                jkt: None,
            }),
            _ => Err(OAuthError::InvalidClient {
                basic: matches!(proof, ClientCredentials::Basic(..)),
            }),
        }
    }

    /// The stored form of `secret`: a keyed hash for what Castellan made, Argon2id for all else.
    ///
    /// # Errors
    /// [`Busy`] if too many wait to be hashed.
    pub async fn keep_secret(&self, secret: &Storable) -> Result<String, Busy> {
        if is_generated(secret.secret()) {
            return Ok(self.keyed(secret.secret()));
        }
        self.passwords().hash(secret).await
    }

    /// Whether `secret` is the one that `stored` was made from. If nothing is stored, the answer is
    /// no, after the same time.
    ///
    /// # Errors
    /// [`Busy`] if too many wait to be checked.
    pub async fn secret_matches(
        &self,
        secret: &Secret,
        stored: Option<&str>,
    ) -> Result<bool, Busy> {
        self.secret_of_form_matches(ShownSecret::of(secret), stored).await
    }

    /// Whether `secret` is one of those that `stored` were made from: the present one and the one
    /// before. Both are compared where the first is another, even if there is no second, so that the
    /// time does not tell that a secret is being rotated.
    ///
    /// # Errors
    /// [`Busy`] if too many wait to be checked.
    pub(crate) async fn one_secret_matches(
        &self,
        secret: &Secret,
        stored: [Option<&str>; 2],
    ) -> Result<bool, Busy> {
        self.one_of_form_matches(ShownSecret::of(secret), stored).await
    }

    async fn one_of_form_matches(
        &self,
        shown: ShownSecret<'_>,
        [present, previous]: [Option<&str>; 2],
    ) -> Result<bool, Busy> {
        Ok(self.secret_of_form_matches(shown, present).await?
            || self.secret_of_form_matches(shown, previous).await?)
    }

    /// The same where it is known whether `secret` has the form of generated ones.
    async fn secret_of_form_matches(
        &self,
        ShownSecret { secret, is_generated }: ShownSecret<'_>,
        stored: Option<&str>,
    ) -> Result<bool, Busy> {
        if is_generated {
            // Generated secrets are stored in this form only, so that no password hash has to be
            // computed, whatever is stored.
            let ours = self.keyed(secret);
            return Ok(
                stored.is_some_and(|kept| constant_time_eq(kept.as_bytes(), ours.as_bytes()))
            );
        }
        let remembered = stored.map(|stored| {
            // Bound to the stored form, so that a changed secret is forgotten at once.
            Digest::of(format!("{}\0{stored}", self.keyed(secret)).as_bytes())
        });
        if let Some(remembered) = &remembered
            && self.verified_secrets().0.contains_key(remembered)
        {
            return Ok(true);
        }
        let stored = stored.filter(|stored| !is_keyed(stored));
        let matches = self.passwords().verify(secret, stored).await?;
        if let (true, Some(remembered)) = (matches, remembered) {
            self.verified_secrets().0.insert(remembered, ());
        }
        Ok(matches)
    }

    fn keyed(&self, secret: &Secret) -> String {
        let code = self.root().hmac(Branch::Pepper).code(secret.expose().as_bytes());
        format!("{KEYED}{}", URL_SAFE_NO_PAD.encode(code))
    }
}

fn client_of(lookup: Lookup) -> Result<Option<Versioned<Arc<Client>>>, StoreError> {
    lookup
        .records
        .into_iter()
        .next()
        .flatten()
        .map(|cached_record| cached_record.read())
        .transpose()
}

pub(crate) fn is_generated(secret: &Secret) -> bool {
    [OpaqueKind::ClientSecret, OpaqueKind::ApiKey]
        .into_iter()
        .any(|kind| Opaque::read(kind, secret.expose()).is_some())
}
