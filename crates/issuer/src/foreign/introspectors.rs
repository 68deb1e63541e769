//! The introspectors of a site, ready to verify.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use castellan_proto::{
    Digest as Sum,
    jose::{Compact, HmacKey, Jwk, VerifyingKey},
};

use crate::{
    Issuer,
    cache::whole::Digest,
    foreign::ForeignError,
    records::{TokenIntrospector, TrustedKey, Verification, repository::Versioned},
    store::StoreError,
};

/// All introspectors of a site.
pub(crate) struct Introspectors {
    all: Vec<Arc<Introspector>>,
    by_issuer: HashMap<String, Arc<Introspector>>,
}

/// One of them.
pub(crate) struct Introspector {
    pub(crate) id: String,
    pub(crate) record: TokenIntrospector,
    /// Of all that it says: what was remembered for another state of it does not count.
    pub(crate) fingerprint: Sum,
    written: OnceLock<WrittenKeys>,
}

/// Keys that stand in a document.
#[derive(Default)]
pub(crate) struct WrittenKeys {
    shared: Vec<HmacKey>,
    public: Vec<VerifyingKey>,
}

impl Digest for Introspectors {
    type Record = TokenIntrospector;

    fn of(records: Vec<Versioned<TokenIntrospector>>) -> Self {
        let ready = |stored: Versioned<TokenIntrospector>| {
            let Versioned { id, body: record, .. } = stored;
            let text = serde_json::to_vec(&record).unwrap_or_default();
            let fingerprint = Sum::of_all(&[id.as_bytes(), &[0], &text]);
            Arc::new(Introspector { id, record, fingerprint, written: OnceLock::new() })
        };
        let all: Vec<_> = records.into_iter().map(ready).collect();
        let jwt = all.iter().filter(|one| !one.record.is_opaque());
        let named = |one: &Arc<Introspector>| Some((one.record.iss.clone()?, Arc::clone(one)));
        let by_issuer = jwt.filter_map(named).collect();
        Self { all, by_issuer }
    }
}

impl Introspectors {
    /// Every one.
    pub(crate) fn all(&self) -> impl Iterator<Item = Arc<Introspector>> {
        self.all.iter().cloned()
    }

    /// The one for JWTs whose `iss` is exactly `iss`.
    pub(crate) fn of_issuer(&self, iss: &str) -> Option<Arc<Introspector>> {
        self.by_issuer.get(iss).cloned()
    }

    /// The one for opaque tokens.
    pub(crate) fn opaque(&self) -> Option<Arc<Introspector>> {
        self.all.iter().find(|one| one.record.is_opaque()).cloned()
    }
}

impl Introspector {
    /// What is known of `token` by what this says now.
    pub(crate) fn key(&self, token: &str) -> Sum {
        Sum::of_all(&[&self.fingerprint.0, token.as_bytes()])
    }

    pub(crate) fn invalid(&self, why: &'static str) -> ForeignError {
        ForeignError::Invalid(self.id.clone(), why)
    }

    pub(crate) fn unavailable(&self, why: String) -> ForeignError {
        tracing::warn!(introspector = self.id, why, "tokens of another issuer cannot be verified");
        ForeignError::Unavailable(self.id.clone(), why)
    }

    /// The same for what may happen with every request, and is not logged for that reason.
    pub(crate) fn busy(&self, why: &'static str) -> ForeignError {
        ForeignError::Unavailable(self.id.clone(), why.to_owned())
    }

    /// The keys of the document.
    ///
    /// # Errors
    /// [`StoreError`] if one of them does not open or read: it would be passed over in silence.
    pub(crate) fn written_keys(&self, issuer: &Issuer) -> Result<&WrittenKeys, StoreError> {
        if let Some(written) = self.written.get() {
            return Ok(written);
        }
        let mut keys = WrittenKeys::default();
        let opened = |kept: &str| {
            let secret = issuer.open_secret(kept)?;
            Ok::<_, StoreError>(HmacKey::new(secret.expose().as_bytes()))
        };
        match &self.record.verification {
            Verification::Secret(kept) => keys.shared.push(opened(kept)?),
            Verification::Keys(all) => {
                for key in all {
                    match key {
                        TrustedKey::Secret(kept) => keys.shared.push(opened(kept)?),
                        TrustedKey::Public { pem, algorithm } => {
                            let key = Jwk::from_pem(*algorithm, pem);
                            let key =
                                key.and_then(|key| VerifyingKey::from_jwk(*algorithm, &key).ok());
                            let odd =
                                || StoreError::new("a key of a TokenIntrospector does not read");
                            keys.public.push(key.ok_or_else(odd)?);
                        }
                    }
                }
            }
            Verification::JwksUri { .. } | Verification::Endpoint { .. } => {}
        }
        Ok(self.written.get_or_init(|| keys))
    }
}

impl WrittenKeys {
    /// The payload of `compact`, if one of the keys made its signature. A key has one algorithm, which
    /// the header has to agree with: a shared secret verifies HS256 and nothing else.
    pub(crate) fn verify<'a>(&self, compact: &'a Compact<'_>) -> Option<&'a [u8]> {
        let shared = self.shared.iter().find_map(|key| compact.verified_by_hmac(key));
        shared.or_else(|| self.public.iter().find_map(|key| compact.verified_by(key)))
    }
}
