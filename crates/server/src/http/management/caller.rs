//! Who sends a request to a management API (`docs/contracts/curity.md` §3.1), whatever the form of the
//! API is.

use std::sync::Arc;

use axum::http::request::Parts;
use castellan_issuer::{
    audit::{
        AuditKind, Event,
        origin::{self, Party},
    },
    error::OAuthError,
    foreign::{ForeignError, Presented},
    request::source::Source,
    tokens::verified::{Holder, Live, VerifyError},
};

use crate::{
    app::App,
    wire::{bearer, request::source},
};

/// Why it is not known who sends a request.
pub(in crate::http) enum NoCaller {
    /// No access token was sent.
    Missing,
    /// The access token is not valid.
    Invalid,
    /// It cannot be found out at present.
    Unavailable(Box<dyn std::error::Error + Send + Sync>),
}

/// Whose token the request has.
pub(in crate::http) async fn caller(app: &App, parts: &Parts) -> Result<Arc<Live>, NoCaller> {
    let token = bearer::token(&parts.headers).map_err(|error| match error {
        OAuthError::TokenMissing => NoCaller::Missing,
        _ => NoCaller::Invalid,
    })?;
    let caller = match app.issuer().verify_access(token, Holder::Bearer).await {
        Ok(caller) => caller,
        Err(VerifyError::Store(error)) => return Err(NoCaller::Unavailable(error.into())),
        Err(_) => match foreign(app, token, parts).await {
            Ok(Some(caller)) => Arc::new(caller),
            Ok(None) => {
                audit(app, parts, "the access token is not valid");
                return Err(NoCaller::Invalid);
            }
            Err(error) => return Err(NoCaller::Unavailable(error.into())),
        },
    };
    let user = caller.account.as_ref().map(|(id, _)| &**id);
    origin::called_by(Party::through(user, &caller.client_id));
    Ok(caller)
}

/// Whose `token` it is, if it is of another issuer that the configuration accepts here.
async fn foreign(app: &App, token: &str, parts: &Parts) -> Result<Option<Live>, ForeignError> {
    let accepted = &app.management().introspectors;
    if accepted.is_empty() {
        return Ok(None);
    }
    let source = match source(&parts.extensions) {
        Some(Source::Address(address)) => Some(address),
        _ => None,
    };
    let presented = Presented { token, with_proof: false, source };
    match app.foreign().verify(app.issuer(), presented).await {
        Ok(token) if accepted.contains(&token.introspector) => Ok(token.into_live(app.issuer())),
        Err(error @ (ForeignError::Unavailable(..) | ForeignError::Store(_))) => Err(error),
        Ok(_) | Err(_) => Ok(None),
    }
}

/// Records that a request was denied.
pub(in crate::http) fn audit(app: &App, parts: &Parts, why: &str) {
    let event = Event::of(AuditKind::AccessDenied).denied(&format!("{}: {why}", parts.method));
    app.issuer().audit(event.target("Path", parts.uri.path().trim_start_matches('/')));
}

/// The realm of challenges, as the content of a quoted string.
pub(in crate::http) fn realm(app: &App) -> String {
    let own = app.management().realm.clone();
    let realm = own.unwrap_or_else(|| app.issuer().repository().site().to_string());
    realm.replace('\\', "\\\\").replace('"', "\\\"")
}
