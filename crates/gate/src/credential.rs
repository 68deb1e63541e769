//! The credential of a request: who calls, and how those are challenged whose credential is no good.

use castellan_proto::jose::Algorithm;
use http::{HeaderName, HeaderValue, StatusCode, header, request::Parts};

use crate::{
    Caller, Credential, CredentialProblem, Possession, Source, Verifier, request::pairs,
    response::RequestRefusal,
};

const DPOP: HeaderName = HeaderName::from_static("dpop");
const X_JWT_AUD: HeaderName = HeaderName::from_static("x-jwt-aud");

/// Who calls, and how they said so.
pub(crate) struct PresentedCredential {
    pub(crate) caller: Caller,
    pub(crate) scheme: Scheme,
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
    let in_query = pairs(query).any(|(name, _)| name == "access_token");
    let mut headers = parts.headers.get_all(header::AUTHORIZATION).iter();
    let (first, second) = (headers.next(), headers.next());
    if second.is_some() || (in_query && first.is_some()) {
        return Err(several());
    }
    let by_bearer = |caller| Ok(PresentedCredential { caller, scheme: Scheme::Bearer });
    let Some(value) = first else {
        if let (Some(caller), false) = (parts.extensions.get::<Caller>(), in_query) {
            return by_bearer(caller.clone());
        }
        // A token in the URL is no credential, but it was meant as one.
        return by_bearer(if in_query { Caller::invalid() } else { Caller::NOBODY });
    };
    if value.is_empty() {
        return by_bearer(Caller::NOBODY);
    }
    let scheme = Scheme::of(value);
    let caller = match value.to_str().ok().and_then(token) {
        Some(bearer) => check(verifier, parts, scheme, bearer).await?,
        None => Caller::invalid(),
    };
    Ok(PresentedCredential { caller, scheme })
}

/// What `verifier` says of the token `bearer`, and of what came with it.
async fn check(
    verifier: &dyn Verifier,
    parts: &Parts,
    scheme: Scheme,
    bearer: &str,
) -> Result<Caller, RequestRefusal> {
    let possession = match scheme {
        Scheme::Bearer => None,
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
    verifier.verify(&Credential { bearer, possession, audience, source }).await.map_err(
        |unavailable| {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            RequestRefusal::new(status, &unavailable.to_string(), "UNAVAILABLE")
        },
    )
}

/// How a token is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// RFC 6750 §2.1.
    Bearer,
    /// RFC 9449 §7.1.
    Dpop,
}

impl Scheme {
    /// By its name alone, whatever follows: who uses it is answered in it. All others are answered
    /// as bearers.
    fn of(value: &HeaderValue) -> Self {
        let name = value.as_bytes().split(|byte| *byte == b' ').next().unwrap_or_default();
        if name.eq_ignore_ascii_case(b"dpop") { Self::Dpop } else { Self::Bearer }
    }
}

/// The token of an `Authorization` value: the scheme in any case, blanks, one `b64token`
/// (RFC 6750 §2.1), whose `=` stand at its end.
fn token(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_once(' ')?;
    let token = rest.trim_start_matches(' ');
    let unpadded = token.trim_end_matches('=');
    let known = ["bearer", "dpop"].iter().any(|name| scheme.eq_ignore_ascii_case(name));
    let inside = unpadded.bytes().all(|byte| B64TOKEN[usize::from(byte)]);
    (known && !unpadded.is_empty() && inside).then_some(token)
}

/// Which bytes a `b64token` is made of. A table, because every request's token is held against it.
const B64TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = matches!(
            byte,
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-'..=b'/' | b'_' | b'~' | b'+'
        );
        byte += 1;
    }
    table
};

/// The challenge to a bearer token that is no good (RFC 6750 §3.1).
const INVALID_TOKEN: HeaderValue = HeaderValue::from_static("Bearer error=\"invalid_token\"");

/// The challenge to whoever sent a credential that is no good, in the scheme in which it was sent or
/// should have been (RFC 9449 §7.1). `algorithms` are those that proofs may have; with none of them
/// there are bearer tokens alone.
pub(crate) fn challenge(
    presented: &PresentedCredential,
    algorithms: &[Algorithm],
) -> Option<HeaderValue> {
    let Caller::Anonymous(Some(taint)) = presented.caller else { return None };
    let error = match taint {
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
    use super::*;

    /// A verifier that knows no proofs must not make clients send some.
    #[test]
    fn nobody_is_asked_for_a_proof_that_is_not_taken() {
        let said = |taint, algorithms: &[Algorithm]| {
            let presented =
                PresentedCredential { caller: Caller::tainted(taint), scheme: Scheme::Dpop };
            challenge(&presented, algorithms).unwrap()
        };
        for taint in [
            CredentialProblem::Expired,
            CredentialProblem::Invalid,
            CredentialProblem::ProofInvalid,
        ] {
            assert_eq!(said(taint, &[]), INVALID_TOKEN);
            assert!(said(taint, &[Algorithm::Es256]).as_bytes().starts_with(b"DPoP "));
        }
    }

    #[test]
    fn a_bearer_value_is_one_token_and_nothing_else() {
        for (value, read) in [
            ("Bearer abc", Some("abc")),
            ("bearer  a.b-c_d~e+f/g==", Some("a.b-c_d~e+f/g==")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Bearer =", None),
            ("Bearer a=b", None),
            ("Bearer a b", None),
            ("Bearer a,b", None),
            ("Bearer\tabc", None),
            ("Bearerabc", None),
            ("abc", None),
            ("Basic abc", None),
        ] {
            assert_eq!(token(value), read, "{value:?}");
            assert_eq!(Scheme::of(&HeaderValue::from_static(value)), Scheme::Bearer, "{value:?}");
        }
    }

    #[test]
    fn a_bound_token_is_sent_by_a_scheme_of_its_own() {
        for (value, read) in [("dpop abc", Some("abc")), ("DPoP", None), ("DPoP a,b", None)] {
            assert_eq!(token(value), read, "{value:?}");
            assert_eq!(Scheme::of(&HeaderValue::from_static(value)), Scheme::Dpop, "{value:?}");
        }
    }
}
