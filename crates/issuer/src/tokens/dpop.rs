//! Proof of possession (RFC 9449): a token is only of use with the key that it was issued to, and
//! each request proves possession again.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::{
    Digest, Timestamp, constant_time_eq,
    jose::{Algorithm, Compact, VerifyingKey},
};
use moka::{policy::EvictionPolicy, sync::Cache};
use serde::Deserialize;

use crate::{
    Issuer,
    error::{OAuthError, ProofError},
    keys::Branch,
    records::{repository::Written, used_jti::UsedAssertion},
    settings::DpopReplay,
    tokens::verified::{Holder, Live, VerifyError},
};

/// Seconds that a proof may be old, and that its maker's clock may be ahead.
const WINDOW: u64 = 60;
/// Seconds for which a nonce is handed out; it is accepted for the same time after that.
const NONCE_SECONDS: u64 = 120;
const NONCE_CODE: usize = 16;
/// Characters of a `jti` at most.
const LONGEST_JTI: usize = 256;

/// A proof as it came, and the request that it came with.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    /// The value of the header `DPoP`.
    pub jws: &'a str,
    /// The method of the request.
    pub method: &'a str,
    /// Where the request went, without query and fragment.
    pub url: &'a str,
}

/// Why a token that was shown does not do.
#[derive(Debug, thiserror::Error)]
pub enum ShownError {
    /// The proof is not valid.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The token is not valid, or not for this caller.
    #[error(transparent)]
    Token(#[from] VerifyError),
}

impl From<ShownError> for OAuthError {
    fn from(error: ShownError) -> Self {
        match error {
            ShownError::Proof(error) => Self::Proof(error),
            ShownError::Token(VerifyError::Store(error)) => Self::Store(error),
            ShownError::Token(_) => Self::InvalidToken,
        }
    }
}

/// Proofs that this node has seen of late.
pub(crate) struct SeenProofs(Cache<Digest, ()>);

impl Default for SeenProofs {
    fn default() -> Self {
        // As long as a proof can be valid by either clock.
        let lifetime = Duration::from_secs(2 * WINDOW + 1);
        // The oldest go first, so that a crowd of new ones cannot keep others out.
        let builder = Cache::builder().max_capacity(500_000).time_to_live(lifetime);
        Self(builder.eviction_policy(EvictionPolicy::lru()).build())
    }
}

/// The claims of a proof (RFC 9449 §4.2).
#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: Timestamp,
    #[serde(default)]
    nonce: Option<String>,
    #[serde(default)]
    ath: Option<String>,
}

/// A proof that is valid if it is new.
struct Good {
    /// The thumbprint of its key (RFC 7638).
    jkt: String,
    /// The digest by which it is remembered.
    id: Digest,
}

impl Issuer {
    /// The thumbprint of the key that `proof` shows, at the token endpoint and beside it. The proof
    /// is used up by that, on every node.
    ///
    /// # Errors
    /// [`ProofError`] if it shows none.
    pub(crate) async fn prove_key(&self, proof: &Proof<'_>) -> Result<String, ProofError> {
        let good = self.read_proof(proof, None)?;
        self.use_proof_everywhere(&good).await?;
        Ok(good.jkt)
    }

    /// Verifies `token` for a caller who presents `proof` of its key, or nothing besides (RFC 9449
    /// §7.1). A valid token's proof is used up, on this node, or on every one with
    /// `tokens.dpop_replay`; a caller without a token costs no more than the verification of a
    /// signature.
    ///
    /// # Errors
    /// [`ShownError`] saying which of the two is not valid.
    pub async fn verify_shown(
        &self,
        token: &str,
        proof: Option<&Proof<'_>>,
    ) -> Result<Arc<Live>, ShownError> {
        let Some(proof) = proof else {
            return Ok(self.verify_access(token, Holder::Bearer).await?);
        };
        let good = self.read_proof(proof, Some(token))?;
        let live = self.verify_access(token, Holder::Key(&good.jkt)).await?;
        match self.settings().dpop_replay {
            DpopReplay::Store => self.use_proof_everywhere(&good).await?,
            // Of any number at once one makes the entry.
            DpopReplay::Node if !self.seen_proofs().0.entry(good.id).or_insert(()).is_fresh() => {
                return Err(ProofError::Invalid("was already used").into());
            }
            DpopReplay::Node => {}
        }
        Ok(live)
    }

    /// The nonce that proofs are to carry now (RFC 9449 §8).
    #[must_use]
    pub fn dpop_nonce(&self) -> String {
        self.nonce_of(self.now().0 / NONCE_SECONDS)
    }

    async fn use_proof_everywhere(&self, good: &Good) -> Result<(), ProofError> {
        let now = self.now();
        let used = UsedAssertion { ends: Timestamp(now.0 + 2 * WINDOW + 1) };
        match self.repository().insert(&good.id.text(), &used, now).await? {
            Written::Done => Ok(()),
            _ => Err(ProofError::Invalid("was already used")),
        }
    }

    fn read_proof(&self, proof: &Proof<'_>, token: Option<&str>) -> Result<Good, ProofError> {
        let invalid = ProofError::Invalid;
        let compact = Compact::read(proof.jws).ok_or(invalid("is not a signed JWT"))?;
        let header = compact.header();
        if !header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case("dpop+jwt")) {
            return Err(invalid("is not of the type dpop+jwt"));
        }
        // One with a private key in its header does not read at all (RFC 9449 §4.3, number 7).
        let jwk = header.jwk.as_ref().ok_or(invalid("contains no public key"))?;
        // The key proves nothing but itself, so its header may state the algorithm; if the key
        // states one as well, they must agree.
        let algorithm =
            Algorithm::named(&header.alg).filter(|alg| jwk.alg.is_none_or(|own| own == *alg));
        let algorithm = algorithm.ok_or(invalid("uses an algorithm that is not supported"))?;
        let mut used = jwk.clone();
        used.alg = Some(algorithm);
        let key = VerifyingKey::from_jwk(algorithm, &used).ok();
        let payload = key.as_ref().and_then(|key| compact.verified_by(key));
        let payload = payload.ok_or(invalid("is not signed by the key that it contains"))?;
        let claims: Claims =
            serde_json::from_slice(payload).map_err(|_| invalid("lacks jti, htm, htu or iat"))?;
        if claims.htm != proof.method || !is_at(&claims.htu, proof.url) {
            return Err(invalid("is for another request"));
        }
        let now = self.now().0;
        if claims.iat.0 + WINDOW < now || claims.iat.0 > now + WINDOW {
            return Err(invalid("is too old, or issued in the future"));
        }
        if !(1..=LONGEST_JTI).contains(&claims.jti.len()) {
            return Err(invalid("has an empty or too long jti"));
        }
        let ath = token.map(|token| Digest::of(token.as_bytes()).text());
        if ath.is_some() && claims.ath != ath {
            return Err(invalid("is not for this access token"));
        }
        self.check_nonce(claims.nonce.as_deref())?;
        let jkt = jwk.thumbprint();
        // No client's id is empty, so this is the id of no assertion.
        let id = Digest::of(&[b"\0dpop\0", jkt.as_bytes(), b"\0", claims.jti.as_bytes()].concat());
        Ok(Good { jkt, id })
    }

    /// If nonces are required, there must be one that was issued here.
    fn check_nonce(&self, nonce: Option<&str>) -> Result<(), ProofError> {
        if !self.settings().dpop_nonce {
            return Ok(());
        }
        let nonce = nonce.ok_or(ProofError::Nonce)?;
        let slot = self.now().0 / NONCE_SECONDS;
        let ours = [slot, slot.saturating_sub(1)]
            .into_iter()
            .any(|slot| constant_time_eq(self.nonce_of(slot).as_bytes(), nonce.as_bytes()));
        if ours { Ok(()) } else { Err(ProofError::Nonce) }
    }

    fn nonce_of(&self, slot: u64) -> String {
        let message = [self.repository().site().as_bytes(), b"\0", &slot.to_be_bytes()].concat();
        let code = self.root().hmac(Branch::Nonce).code(&message);
        URL_SAFE_NO_PAD.encode(&code[..NONCE_CODE])
    }
}

/// Whether `htu` is `url`: without query and fragment, scheme and authority in any case, a default
/// port written or not (RFC 9449 §4.3, number 9).
fn is_at(htu: &str, url: &str) -> bool {
    let split = |text: &str| {
        let text = text.split(['?', '#']).next().unwrap_or_default();
        let (scheme, rest) = text.split_once("://")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (scheme, authority) = (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
        let default = if scheme == "https" { ":443" } else { ":80" };
        let authority = authority.strip_suffix(default).unwrap_or(&authority).to_owned();
        Some((scheme, authority, if path.is_empty() { "/" } else { path }.to_owned()))
    };
    split(htu).is_some_and(|htu| Some(htu) == split(url))
}

#[cfg(test)]
mod tests {
    use super::is_at;

    #[test]
    fn an_address_is_the_same_in_another_spelling_of_what_has_no_case() {
        let url = "https://id.test/auth/token";
        for same in [
            url,
            "HTTPS://ID.test/auth/token",
            "https://id.test:443/auth/token",
            "https://id.test/auth/token?a=b#c",
        ] {
            assert!(is_at(same, url), "{same}");
        }
        for other in [
            "",
            "id.test/auth/token",
            "http://id.test/auth/token",
            "https://id.test:8443/auth/token",
            "https://id.test/auth/Token",
            "https://id.test/auth/token/",
            "https://id.test@evil.test/auth/token",
            "https://evil.test/https://id.test/auth/token",
        ] {
            assert!(!is_at(other, url), "{other}");
        }
    }
}
