//! The credential of a request: who the caller is, and how callers with an invalid credential are
//! challenged.

use castellan_proto::{AuthScheme, Authorization, AuthorizationError};
use http::{HeaderName, HeaderValue, StatusCode, header, request::Parts};

use crate::{
    BasicError, Caller, Credential, CredentialProblem, FoundAt, Possession, ShownAgain, Source,
    Unchallenged, Verifier, request::has_access_token, response::RequestRefusal,
};

const DPOP: HeaderName = HeaderName::from_static("dpop");
const X_CLIENT_AUTH: HeaderName = HeaderName::from_static("x-client-auth");
const X_JWT_AUD: HeaderName = HeaderName::from_static("x-jwt-aud");

/// The caller, and the form in which the credential was sent.
pub(crate) struct PresentedCredential {
    pub(crate) caller: Caller,
    pub(crate) scheme: Scheme,
}

/// What [`Verifier::moment`] was before the caller of `parts` was looked for.
pub(crate) fn since(verifier: &dyn Verifier, parts: &Parts) -> u64 {
    let found = parts.extensions.get::<FoundAt>();
    found.map_or_else(|| verifier.moment(), |found| found.0)
}

fn several() -> RequestRefusal {
    RequestRefusal::bad_request(
        "Send one credential, in one Authorization header.",
        "SEVERAL_CREDENTIALS",
    )
}

/// Who calls. One credential at most, read by one strict parser (`docs/security-cases.md` row 32).
pub(crate) async fn find_caller(
    verifier: &dyn Verifier,
    parts: &Parts,
) -> Result<PresentedCredential, RequestRefusal> {
    let query = parts.uri.query().unwrap_or_default();
    let in_query = has_access_token(query);
    if in_query && parts.headers.contains_key(header::AUTHORIZATION) {
        return Err(several());
    }
    let by_bearer = |caller| Ok(PresentedCredential { caller, scheme: Scheme::Bearer });
    let is_unchallenged = parts.extensions.get::<Unchallenged>().is_some();
    let without = if is_unchallenged { Scheme::Connection } else { Scheme::Bearer };
    let with_client = parts.headers.contains_key(X_CLIENT_AUTH);
    let values = parts.headers.get_all(header::AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    let (scheme, token) = match Authorization::read(values) {
        Ok(Some(Authorization::Basic(_)))
        | Err(AuthorizationError::Malformed(AuthScheme::Basic))
            if verifier.passes_over_basic() && !with_client =>
        {
            return by_bearer(Caller::NOBODY);
        }
        Ok(Some(Authorization::Basic(_))) if with_client => return Err(several()),
        Ok(Some(Authorization::Basic(basic))) => {
            return match verifier.verify_basic(&basic, &parts.extensions).await {
                Ok(Some(caller)) => Ok(PresentedCredential { caller, scheme: Scheme::Basic }),
                Ok(None) => by_bearer(Caller::invalid()),
                Err(error) => Err(unchecked(error)),
            };
        }
        Ok(Some(Authorization::Bearer(token))) => (Scheme::Bearer, Some(token)),
        Ok(Some(Authorization::Dpop(token))) => (Scheme::Dpop, Some(token)),
        Err(AuthorizationError::Malformed(AuthScheme::Dpop)) => (Scheme::Dpop, None),
        Err(AuthorizationError::Malformed(_) | AuthorizationError::Unsupported) => {
            (Scheme::Bearer, None)
        }
        Err(AuthorizationError::Several) => return Err(several()),
        // A client goes along with a token, and is no caller by itself.
        Err(AuthorizationError::Empty) | Ok(None) if with_client => {
            return by_bearer(Caller::invalid());
        }
        Err(AuthorizationError::Empty) => return by_bearer(Caller::NOBODY),
        Ok(None) => {
            if let (Some(caller), false) = (parts.extensions.get::<Caller>(), in_query) {
                return Ok(PresentedCredential { caller: caller.clone(), scheme: without });
            }
            // A token in the URL is not accepted as a credential, but it was meant as one.
            if in_query {
                return by_bearer(Caller::invalid());
            }
            return Ok(PresentedCredential { caller: Caller::NOBODY, scheme: without });
        }
    };
    let caller = match token {
        Some(bearer) => check(verifier, parts, scheme, bearer).await?,
        None => Caller::invalid(),
    };
    let caller = if with_client { and_client(verifier, parts, caller).await? } else { caller };
    Ok(PresentedCredential { caller, scheme })
}

/// `caller`, who sent a token, with the client of the header `X-Client-Auth`. One that is not valid
/// makes the caller tainted, and so does one that is not taken.
async fn and_client(
    verifier: &dyn Verifier,
    parts: &Parts,
    caller: Caller,
) -> Result<Caller, RequestRefusal> {
    let values = parts.headers.get_all(X_CLIENT_AUTH).iter().map(HeaderValue::as_bytes);
    let basic = match Authorization::read(values) {
        Ok(Some(Authorization::Basic(basic))) => basic,
        Err(AuthorizationError::Several) => return Err(several()),
        _ => return Ok(Caller::invalid()),
    };
    let Caller::Known(identity) = &caller else { return Ok(caller) };
    match verifier.verify_client(&basic, &parts.extensions, identity).await {
        Ok(caller) => Ok(caller.unwrap_or_else(Caller::invalid)),
        Err(error) => Err(unchecked(error)),
    }
}

/// What `verifier` says of the token `bearer`, and of what came with it.
async fn check(
    verifier: &dyn Verifier,
    parts: &Parts,
    scheme: Scheme,
    bearer: &str,
) -> Result<Caller, RequestRefusal> {
    let again = parts.extensions.get::<ShownAgain>().is_some();
    let possession = match scheme {
        Scheme::Dpop if again => None,
        Scheme::Bearer | Scheme::Basic | Scheme::Connection => None,
        Scheme::Dpop => {
            let mut proofs = parts.headers.get_all(DPOP).iter();
            let (Some(Ok(proof)), None) = (proofs.next().map(HeaderValue::to_str), proofs.next())
            else {
                return Ok(Caller::tainted(CredentialProblem::ProofInvalid));
            };
            let (method, path) = (parts.method.as_str(), parts.uri.path());
            Some(Possession { proof, method, path })
        }
    };
    let mut audiences = parts.headers.get_all(X_JWT_AUD).iter();
    let audience = match (audiences.next(), audiences.next()) {
        (None, _) => None,
        (Some(value), None) => match value.to_str() {
            Ok(text) => Some(text),
            Err(_) => return Ok(Caller::invalid()),
        },
        (Some(_), Some(_)) => return Err(several()),
    };
    let source = parts.extensions.get::<Source>().map(|source| source.0);
    verifier.verify(&Credential { bearer, possession, audience, source, again }).await.map_err(
        |unavailable| {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            RequestRefusal::new(status, &unavailable.to_string(), "UNAVAILABLE")
        },
    )
}

/// The refusal of a request whose name and password show nobody.
fn unchecked(error: BasicError) -> RequestRefusal {
    let text = error.to_string();
    match error {
        BasicError::Unavailable => {
            RequestRefusal::new(StatusCode::SERVICE_UNAVAILABLE, &text, "UNAVAILABLE")
        }
        BasicError::TooMany(retry_after) => RequestRefusal {
            retry_after,
            ..RequestRefusal::new(StatusCode::TOO_MANY_REQUESTS, &text, "TOO_MANY_ATTEMPTS")
        },
        // No challenge: to ask for the password again would not help.
        BasicError::SecondFactor => {
            RequestRefusal::new(StatusCode::FORBIDDEN, &text, "SECOND_FACTOR_NEEDED")
        }
    }
}

/// How a credential is sent, and so how its sender is challenged, whatever follows the scheme. All other
/// schemes are answered as bearers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// RFC 6750 §2.1.
    Bearer,
    /// RFC 9449 §7.1.
    Dpop,
    /// RFC 7617, where it is taken.
    Basic,
    /// With the connection, which no challenge can ask for.
    Connection,
}

/// The challenge to an invalid bearer token (RFC 6750 §3.1).
const INVALID_TOKEN: HeaderValue = HeaderValue::from_static("Bearer error=\"invalid_token\"");

/// The challenge to a name and a password that are not valid (RFC 7617 §2).
const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"castellan\", charset=\"UTF-8\"");

/// The challenge to an invalid credential, in the scheme in which it was or should have been sent
/// (RFC 9449 §7.1). `verifier` says which algorithms are accepted for proofs; without any, only bearer
/// tokens are accepted.
pub(crate) fn challenge(
    presented: &PresentedCredential,
    verifier: &dyn Verifier,
) -> Option<HeaderValue> {
    let Caller::Anonymous(Some(taint)) = presented.caller else { return None };
    let algorithms = verifier.proof_algorithms();
    let error = match taint {
        _ if presented.scheme == Scheme::Connection => return None,
        _ if presented.scheme == Scheme::Basic => {
            return Some(verifier.basic_challenge().unwrap_or(BASIC));
        }
        _ if algorithms.is_empty() => return Some(INVALID_TOKEN),
        CredentialProblem::NonceMissing => "use_dpop_nonce",
        CredentialProblem::ProofInvalid => "invalid_dpop_proof",
        CredentialProblem::Unproven => "invalid_token",
        CredentialProblem::Expired | CredentialProblem::Invalid
            if presented.scheme == Scheme::Dpop =>
        {
            "invalid_token"
        }
        CredentialProblem::Expired | CredentialProblem::Invalid => return Some(INVALID_TOKEN),
    };
    let algorithms: Vec<_> = algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
    let text = format!("DPoP error=\"{error}\", algs=\"{}\"", algorithms.join(" "));
    Some(HeaderValue::from_str(&text).unwrap_or(INVALID_TOKEN))
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use castellan_proto::jose::Algorithm;

    use super::*;
    use crate::Unavailable;

    struct Takes(&'static [Algorithm]);

    #[async_trait]
    impl Verifier for Takes {
        async fn verify(&self, _: &Credential<'_>) -> Result<Caller, Unavailable> {
            Ok(Caller::invalid())
        }

        fn proof_algorithms(&self) -> &[Algorithm] {
            self.0
        }
    }

    /// A verifier that knows no proofs must not make clients send some.
    #[test]
    fn nobody_is_asked_for_a_proof_that_is_not_taken() {
        let challenged = |taint, algorithms| {
            let presented =
                PresentedCredential { caller: Caller::tainted(taint), scheme: Scheme::Dpop };
            challenge(&presented, &Takes(algorithms)).unwrap()
        };
        for taint in [
            CredentialProblem::Expired,
            CredentialProblem::Invalid,
            CredentialProblem::ProofInvalid,
        ] {
            assert_eq!(challenged(taint, &[]), INVALID_TOKEN);
            assert!(challenged(taint, &[Algorithm::Es256]).as_bytes().starts_with(b"DPoP "));
        }
    }
}
