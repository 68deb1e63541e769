//! Why a guard does not accept a token, in as much detail as the operator may have. Responses say less.

use castellan_gate::{Credential, CredentialProblem};
use castellan_issuer::{
    foreign::{ForeignError, Presented},
    tokens::verified::{Holder, VerifyError},
};
use castellan_proto::{Opaque, OpaqueKind, Timestamp, jose::Compact};
use serde_json::Value;

use super::GuardParts;
use crate::config::{GuardConfig, Method};

/// What is wrong with a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenProblem {
    /// In a word that programs can rely on.
    pub(crate) kind: &'static str,
    /// In a sentence.
    pub(crate) text: String,
    /// Since when, as far as that is known.
    pub(crate) since: Option<Timestamp>,
}

impl TokenProblem {
    fn new(kind: &'static str, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), since: None }
    }

    /// `what` has expired; `token` is one whose signature was verified.
    fn expired(what: &str, token: &str) -> Self {
        let ends = Compact::read(token).and_then(|jwt| jwt.claimed::<Value>());
        let since = ends.and_then(|claims| claims["exp"].as_u64()).map(Timestamp);
        let at = since.map_or_else(String::new, |since| format!(", at {}", since.rfc3339()));
        Self { kind: "expired", text: format!("{what} has expired{at}"), since }
    }

    /// The guard takes no tokens of this kind.
    fn not_accepted(text: &str) -> Self {
        Self::new("not_accepted", text)
    }
}

/// What is wrong with `credential`, which `guard` found to have `problem`.
pub(crate) async fn of(
    problem: CredentialProblem,
    guard: &GuardConfig,
    parts: &GuardParts,
    credential: &Credential<'_>,
) -> TokenProblem {
    match problem {
        CredentialProblem::Expired => match parts.issuer.access_problem(credential.bearer).await {
            // An opaque token does not say so itself.
            Ok(Some(problem)) => TokenProblem {
                kind: problem.kind(),
                text: problem.to_string(),
                since: problem.since(),
            },
            _ => TokenProblem::expired("the token", credential.bearer),
        },
        CredentialProblem::Unproven
        | CredentialProblem::ProofInvalid
        | CredentialProblem::NonceMissing => {
            let text = "the token is bound to a key: it must be sent as `Authorization: DPoP` with a \
                        proof";
            TokenProblem::new("unproven", text)
        }
        CredentialProblem::Invalid => invalid(guard, parts, credential).await,
    }
}

async fn invalid(
    guard: &GuardConfig,
    parts: &GuardParts,
    credential: &Credential<'_>,
) -> TokenProblem {
    let token = credential.bearer;
    if let Some(problem) = of_other_issuers(guard, parts, credential).await {
        return problem;
    }
    if let Some(problem) = of_people(guard, parts, token).await {
        return problem;
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
) -> Option<TokenProblem> {
    // Nobody is asked about a token for a guard that does not take it.
    if !guard.authenticate.list().contains(&Method::Foreign) {
        return None;
    }
    let presented = Presented { token: credential.bearer, with_proof: false, source: None };
    match parts.foreign.verify(&parts.issuer, presented).await {
        Ok(_) => Some(TokenProblem::new(
            "other_audience",
            "tokens of other issuers take no X-Jwt-Aud (here: --audience)",
        )),
        Err(ForeignError::OtherKind) => None,
        Err(ForeignError::Expired) => {
            Some(TokenProblem::expired("the token of another issuer", credential.bearer))
        }
        Err(error) => Some(TokenProblem::new("other_issuer", error.to_string())),
    }
}

/// Of a JWT that a person got for their password; `None` if it is none.
async fn of_people(guard: &GuardConfig, parts: &GuardParts, token: &str) -> Option<TokenProblem> {
    match parts.issuer.verify_person_token(token).await {
        Ok(_) if !guard.takes_jwts_of_people() => Some(TokenProblem::not_accepted(
            "this guard does not accept JWTs of people; they need dialect = \"ibexa\", and \"jwt\" in \
             authenticate",
        )),
        Err(VerifyError::Expired) => Some(TokenProblem::expired("the JWT of the person", token)),
        Err(VerifyError::Invalid) => Some(TokenProblem::new(
            "revoked",
            "the JWT of a person was changed or revoked, or its person has another password, is not \
             active, or ended all sessions",
        )),
        Ok(_) | Err(VerifyError::OtherKind | VerifyError::Store(_)) => None,
    }
}

/// Of a token that is signed with a shared secret: an API key's or a machine user's.
async fn of_machines(
    guard: &GuardConfig,
    parts: &GuardParts,
    credential: &Credential<'_>,
) -> TokenProblem {
    let (issuer, token) = (&parts.issuer, credential.bearer);
    if let Some(keys) = &parts.keys {
        match keys.verify(issuer, token).await {
            Ok(_) if !guard.takes_api_keys() => {
                return TokenProblem::not_accepted(
                    "this guard does not accept API key tokens; add \"jwt\" to authenticate",
                );
            }
            Err(VerifyError::Expired) => return TokenProblem::expired("the API key token", token),
            _ => {}
        }
    }
    if let Some(machines) = &parts.machines {
        match machines.verify(issuer, token).await {
            Ok(_) if !guard.takes_machine_users() => {
                return TokenProblem::not_accepted(
                    "this guard does not accept tokens of machine users; they need dialect = \
                     \"decidim\"",
                );
            }
            Ok(caller) if caller.audience.as_deref() != credential.audience => {
                return other_audience(caller.audience.as_deref());
            }
            Ok(_) => {
                let text = "the machine user may not use it from this address (here: --from)";
                return TokenProblem::new("other_address", text);
            }
            Err(VerifyError::Expired) => {
                return TokenProblem::expired("the token of the machine user", token);
            }
            Err(_) => {}
        }
    }
    let is_signed = |signed: Option<bool>| signed == Some(true);
    let by_keys = is_signed(parts.keys.as_ref().map(|keys| keys.has_signed(token)));
    let by_machines = is_signed(parts.machines.as_ref().map(|machines| machines.has_signed(token)));
    match (&parts.keys, &parts.machines) {
        _ if by_machines => TokenProblem::new(
            "revoked",
            "revoked: it was signed out of, or its machine user was deleted, has expired, or has \
             another secret",
        ),
        _ if by_keys => TokenProblem::new(
            "revoked",
            "revoked: its API key was deleted or created anew, or the token is of another issuer",
        ),
        (None, None) => TokenProblem::not_accepted(
            "the token has the form of an API key token, but these are off: jwt.secret is not set",
        ),
        _ => TokenProblem::new(
            "bad_signature",
            "bad signature: the token was signed with another secret or by another server, or was \
             changed",
        ),
    }
}

/// The caller names another audience than `named`, the one of the token.
fn other_audience(named: Option<&str>) -> TokenProblem {
    let text = match named {
        Some(named) => format!(
            "wrong audience: the token is for {named:?}, which the caller must name in X-Jwt-Aud \
             (here: --audience)"
        ),
        None => "wrong audience: the token has none, but X-Jwt-Aud names one".to_owned(),
    };
    TokenProblem::new("other_audience", text)
}

/// Of an access token.
async fn of_access(
    jwt: Option<&Compact<'_>>,
    guard: &GuardConfig,
    parts: &GuardParts,
    credential: &Credential<'_>,
) -> TokenProblem {
    let (issuer, token) = (&parts.issuer, credential.bearer);
    let takes = guard.authenticate.list().contains(&Method::Oauth);
    match issuer.verify_access(token, Holder::Asks).await {
        Ok(_) | Err(VerifyError::Expired) if !takes => {
            return TokenProblem::not_accepted(
                "this guard does not accept access tokens; add \"oauth\" to authenticate",
            );
        }
        Ok(live) => {
            if let Some(owed) = &live.named_audience {
                return other_audience(Some(owed));
            }
            let text = format!(
                "wrong audience: the token is for {}, and this guard is {}",
                live.audience.join(", "),
                guard.audience_at(&issuer.address().issuer)
            );
            return TokenProblem::new("other_audience", text);
        }
        Err(VerifyError::Store(error)) => return unknown(&error),
        Err(VerifyError::Expired | VerifyError::OtherKind | VerifyError::Invalid) => {}
    }
    match issuer.access_problem(token).await {
        Ok(Some(problem)) => {
            let (kind, since) = (problem.kind(), problem.since());
            TokenProblem { kind, text: problem.to_string(), since }
        }
        Ok(None) => not_of_this_site(jwt, parts, token),
        Err(error) => unknown(&error),
    }
}

fn unknown(error: &dyn std::fmt::Display) -> TokenProblem {
    TokenProblem::new("unknown", format!("it cannot be checked: {error}"))
}

/// Of a token that this site did not make as it is.
fn not_of_this_site(jwt: Option<&Compact<'_>>, parts: &GuardParts, token: &str) -> TokenProblem {
    let Some(jwt) = jwt else {
        let is = |kind| Opaque::read(kind, token).is_some();
        let (kind, text) = if is(OpaqueKind::Access) {
            (
                "bad_signature",
                "bad signature: the opaque access token was not made by this site, but by another \
                 site or server, or was changed",
            )
        } else if is(OpaqueKind::ApiKey) {
            ("other_kind", "it is an API key; exchange it for a token at /jwt")
        } else if is(OpaqueKind::Refresh) {
            (
                "other_kind",
                "it is a refresh token; exchange it for an access token at the token endpoint",
            )
        } else {
            ("malformed", "malformed: it is neither a JWT nor an opaque token of this server")
        };
        return TokenProblem::new(kind, text);
    };
    let kid = jwt.header().kid.as_deref().unwrap_or_default();
    let keys = parts.issuer.keyring().keys();
    let of = jwt.claimed::<Value>().and_then(|claims| claims["iss"].as_str().map(str::to_owned));
    let Some(key) = keys.iter().find(|key| key.signing.kid() == kid) else {
        let of = of.map_or_else(String::new, |of| format!(" (it says it is from {of:?})"));
        let text = format!("other site: the token was not signed by a key of this site{of}");
        return TokenProblem::new("other_site", text);
    };
    if jwt.verified_by(&key.verifying).is_none() {
        let text = "bad signature: it does not match; the token was changed or cut off";
        return TokenProblem::new("bad_signature", text);
    }
    // A copy of a data source has the same keys.
    let here = &parts.issuer.address().issuer;
    if let Some(of) = of.filter(|of| of != here) {
        let text = format!("other site: the token is from {of:?}, and this site is {here:?}");
        return TokenProblem::new("other_site", text);
    }
    let text = "the token was signed here, but it is not an access token; it may be an ID token";
    TokenProblem::new("other_kind", text)
}
