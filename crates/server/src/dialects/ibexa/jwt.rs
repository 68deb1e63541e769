//! `POST /user/token/jwt` (`docs/contracts/ibexa.md` §4.2): a login and a password for a JWT.

use axum::{
    Extension, Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
    routing::post,
};
use castellan_issuer::{Issuer, error::OAuthError, sign_in::name_and_password::NameAndPassword};
use castellan_proto::Secret;

use super::{
    element::Element,
    input::Input,
    media::Format,
    refusal::{answer, refuse},
    resource,
};
use crate::{
    dialects::{Admitted, Area},
    wire::{
        guard_refusal::{Asked, GuardRefusal},
        request,
    },
};

pub(super) fn routes(area: &Area<'_>) -> Router {
    Router::new()
        .route(&area.at("/user/token/jwt"), resource("POST", post(create)))
        .with_state(area.issuer.clone())
}

async fn create(
    State(issuer): State<Issuer>,
    Extension(admitted): Extension<Admitted>,
    request: Request,
) -> Response<Body> {
    let headers = request.headers().clone();
    match trade(&issuer, &admitted, request).await {
        Ok(token) => shown(&token, &headers),
        Err(refusal) => {
            let mut response = refuse(&refusal, &headers);
            if refusal == GuardRefusal::WrongPassword {
                // What is asked for in place of a session.
                let bearer = HeaderValue::from_static("Bearer");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
            }
            response
        }
    }
}

/// The JWT of the person whom the login and the password of `request` prove.
async fn trade(
    issuer: &Issuer,
    admitted: &Admitted,
    request: Request,
) -> Result<Secret, GuardRefusal> {
    let source = request::source(request.extensions());
    let mut input = Input::read(request, "JWTInput").await?;
    let login = input.text("username")?;
    let password = Secret::new(input.text("password")?);
    let typed = NameAndPassword { name: &login, password: &password };
    let person = issuer.person_of_request(typed, source).await.map_err(refused)?;
    let person = person.ok_or(GuardRefusal::WrongPassword)?;
    // Of the person who signs in now, and not of the caller, who is nobody yet (§7.3).
    let who = (&*person.id, &*person.account.groups);
    let may = issuer.may_sign_in_at(&admitted.site_access, Some(who)).await;
    if !may.map_err(|error| refused(error.into()))? {
        return Err(GuardRefusal::LoginNotPermitted(Asked::Person));
    }
    let token = issuer.issue_person_token(&person, &login).await.map_err(refused)?;
    Ok(Secret::new(token))
}

/// The token under both of the names that it has had, and in no cookie.
fn shown(token: &Secret, headers: &HeaderMap) -> Response<Body> {
    let format = Format::of_answer(headers);
    let token = token.expose();
    let jwt = Element::resource("JWT", format, vec![Element::text("token", token)]);
    answer(StatusCode::OK, format, &jwt.with("token", token))
}

fn refused(error: OAuthError) -> GuardRefusal {
    match error {
        OAuthError::Throttled(seconds) => GuardRefusal::TooManyAttempts(seconds),
        OAuthError::SecondFactorNeeded => GuardRefusal::SecondFactorNeeded,
        error => {
            tracing::error!(%error, "a JWT could not be issued to a person");
            GuardRefusal::Unavailable
        }
    }
}
