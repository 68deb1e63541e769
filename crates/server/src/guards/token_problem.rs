//! Why a guard does not accept a token, in as much detail as the operator may have. Responses say less.

use castellan_gate::{Credential, CredentialProblem};
use castellan_issuer::{
    foreign::{ForeignError, Presented},
    tokens::verified::{Holder, VerifyError},
};
use castellan_proto::{Opaque, OpaqueKind, jose::Compact};
use serde_json::Value;

use crate::{
    config::{GuardConfig, Method},
    guards::GuardParts,
};

/// What is wrong with `credential`, which `guard` found to have `problem`.
pub(super) async fn of(
    problem: CredentialProblem,
    guard: &GuardConfig,
    parts: &GuardParts,
    credential: &Credential<'_>,
) -> String {
    match problem {
        CredentialProblem::Expired => "the token has expired".to_owned(),
        CredentialProblem::Unproven
        | CredentialProblem::ProofInvalid
        | CredentialProblem::NonceMissing => {
            "the token is bound to a key: it must be sent as `Authorization: DPoP` with a proof"
                .to_owned()
        }
        CredentialProblem::Invalid => invalid(guard, parts, credential).await,
    }
}

async fn invalid(guard: &GuardConfig, parts: &GuardParts, credential: &Credential<'_>) -> String {
    let token = credential.bearer;
    if let Some(problem) = of_other_issuers(guard, parts, credential).await {
        return problem;
    }
    if let Some(problem) = of_people(guard, parts, token).await {
        return problem.to_owned();
    }
    let jwt = Compact::read(token);
    // As `castellan_issuer` tells the kinds apart: by the header alone.
    let is_hmac =
        jwt.as_ref().is_some_and(|jwt| jwt.header().alg == "HS256" && jwt.header().kid.is_none());
    if is_hmac {
        of_machines(guard, parts, credential).await
    } else {
        of_access(jwt.as_ref(), guard, parts, credential).await
    }
}

/// Of a token of another issuer; `None` if it is of none that the site trusts.
async fn of_other_issuers(
    guard: &GuardConfig,
    parts: &GuardParts,
    credential: &Credential<'_>,
) -> Option<String> {
    // Nobody is asked about a token for a guard that does not take it.
    if !guard.authenticate.list().contains(&Method::Foreign) {
        return None;
    }
    let presented = Presented { token: credential.bearer, with_proof: false, source: None };
    match parts.foreign.verify(&parts.issuer, presented).await {
        Ok(_) => Some("tokens of other issuers take no X-Jwt-Aud (here: --audience)".to_owned()),
        Err(ForeignError::OtherKind) => None,
        Err(error) => Some(error.to_string()),
    }
}

/// Of a JWT that a person got for their password; `None` if it is none.
async fn of_people(guard: &GuardConfig, parts: &GuardParts, token: &str) -> Option<&'static str> {
    match parts.issuer.verify_person_token(token).await {
        Ok(_) if !guard.takes_jwts_of_people() => Some(
            "this guard does not accept JWTs of people; they need dialect = \"ibexa\", and \"jwt\" in \
             authenticate",
        ),
        Err(VerifyError::Expired) => Some("the JWT of the person has expired"),
        Err(VerifyError::Invalid) => Some(
            "the JWT of a person was changed or revoked, or its person has another password, is not \
             active, or ended all sessions",
        ),
        Ok(_) | Err(VerifyError::OtherKind | VerifyError::Store(_)) => None,
    }
}

/// Of a token that is signed with a shared secret: an API key's or a machine user's.
async fn of_machines(
    guard: &GuardConfig,
    parts: &GuardParts,
    credential: &Credential<'_>,
) -> String {
    let (issuer, token) = (&parts.issuer, credential.bearer);
    if let Some(keys) = &parts.keys {
        match keys.verify(issuer, token).await {
            Ok(_) if !guard.takes_api_keys() => {
                return "this guard does not accept API key tokens; add \"jwt\" to authenticate"
                    .to_owned();
            }
            Err(VerifyError::Expired) => return "the API key token has expired".to_owned(),
            _ => {}
        }
    }
    if let Some(machines) = &parts.machines {
        match machines.verify(issuer, token).await {
            Ok(_) if !guard.takes_machine_users() => {
                return "this guard does not accept tokens of machine users; they need dialect = \
                        \"decidim\""
                    .to_owned();
            }
            Ok(caller) if caller.audience.as_deref() != credential.audience => {
                return match &caller.audience {
                    Some(of) => format!(
                        "wrong audience: the token is for {of:?}, which the caller must name in \
                         X-Jwt-Aud (here: --audience)"
                    ),
                    None => {
                        "wrong audience: the token has none, but X-Jwt-Aud names one".to_owned()
                    }
                };
            }
            Ok(_) => {
                return "the machine user may not use it from this address (here: --from)"
                    .to_owned();
            }
            Err(VerifyError::Expired) => {
                return "the token of the machine user has expired".to_owned();
            }
            Err(_) => {}
        }
    }
    match (&parts.keys, &parts.machines) {
        (None, None) => {
            "the token has the form of an API key token, but these are off: jwt.secret is not set"
                .to_owned()
        }
        _ => "the token was signed with another secret or by another issuer, or its key was \
              deleted, replaced or revoked"
            .to_owned(),
    }
}

/// Of an access token.
async fn of_access(
    jwt: Option<&Compact<'_>>,
    guard: &GuardConfig,
    parts: &GuardParts,
    credential: &Credential<'_>,
) -> String {
    let (issuer, token) = (&parts.issuer, credential.bearer);
    let takes = guard.authenticate.list().contains(&Method::Oauth);
    match issuer.verify_access(token, Holder::Asks).await {
        Ok(_) | Err(VerifyError::Expired) if !takes => {
            return "this guard does not accept access tokens; add \"oauth\" to authenticate"
                .to_owned();
        }
        Ok(live) => {
            if let Some(owed) = &live.named_audience {
                return format!(
                    "wrong audience: the caller must name {owed:?} in X-Jwt-Aud (here: --audience)"
                );
            }
            return format!(
                "wrong audience: the token is for {}, and this guard is {}",
                live.audience.join(", "),
                guard.audience_at(&issuer.address().issuer)
            );
        }
        Err(VerifyError::Expired) => return "the access token has expired".to_owned(),
        Err(VerifyError::Store(error)) => return format!("it cannot be checked: {error}"),
        Err(VerifyError::OtherKind | VerifyError::Invalid) => {}
    }
    let Some(jwt) = jwt else {
        let is = |kind| Opaque::read(kind, token).is_some();
        return if is(OpaqueKind::Access) {
            "the access token is unknown, or was revoked"
        } else if is(OpaqueKind::ApiKey) {
            "it is an API key; exchange it for a token at /jwt"
        } else if is(OpaqueKind::Refresh) {
            "it is a refresh token; exchange it for an access token at the token endpoint"
        } else {
            "malformed: it is neither a JWT nor an opaque token of this server"
        }
        .to_owned();
    };
    let kid = jwt.header().kid.as_deref().unwrap_or_default();
    let keys = issuer.keyring().keys();
    let Some(key) = keys.iter().find(|key| key.signing.kid() == kid) else {
        let of =
            jwt.claimed::<Value>().and_then(|claims| claims["iss"].as_str().map(str::to_owned));
        let of = of.map_or_else(String::new, |of| format!(" (it says it is from {of:?})"));
        return format!("the token was not signed by a key of this site{of}");
    };
    if jwt.verified_by(&key.verifying).is_none() {
        return "malformed: the signature does not match; the token was changed or cut off"
            .to_owned();
    }
    "revoked: the token was signed here, but it was revoked or replaced, its person or app may no \
     longer use it, or it is not an access token"
        .to_owned()
}
