//! Sessions (`docs/contracts/ibexa.md` §2.2 to §2.5).

use axum::{
    Extension, Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header},
    routing::{delete, get, post},
};
use castellan_issuer::{
    Issuer,
    error::OAuthError,
    session::{
        browser::{Browser, SignedIn},
        site_access::{Opened, Proven},
    },
};
use castellan_proto::{Opaque, Secret};

use super::{
    element::Element,
    input::Input,
    media::Format,
    refusal::{answer, empty, refuse},
    resource, user_url,
};
use crate::{
    dialects::{Admitted, Area, OpenSession, ShownSession},
    wire::{
        cors::OwnOriginOnly,
        guard_refusal::{Asked, GuardRefusal, Unmeant},
        request::{self, CSRF_TOKEN},
    },
};

/// What handlers work with.
#[derive(Clone)]
struct Sessions {
    issuer: Issuer,
    /// The path of the guard.
    path: String,
}

pub(super) fn routes(area: &Area<'_>) -> Router {
    let state = Sessions { issuer: area.issuer.clone(), path: area.path.to_owned() };
    let one = "/user/sessions/{id}";
    Router::new()
        .route(&area.at("/user/sessions"), resource("POST", post(create)))
        .route(&area.at("/user/sessions/current"), resource("GET", get(current)))
        .route(&area.at(one), resource("DELETE", delete(remove)))
        .route(&area.at(&format!("{one}/refresh")), resource("POST", post(refresh)))
        .with_state(state)
}

/// Whether a request is for [`remove`].
pub(super) fn is_end(method: &Method, path: &str) -> bool {
    let id = path.strip_prefix("/user/sessions/");
    *method == Method::DELETE && id.is_some_and(|id| !id.is_empty() && !id.contains('/'))
}

/// `POST /user/sessions`. The password is checked whatever session there is (§10, number 1).
async fn create(
    State(sessions): State<Sessions>,
    Extension(admitted): Extension<Admitted>,
    request: Request,
) -> Response<Body> {
    let headers = request.headers().clone();
    let answered = match sessions.prove(&admitted, request).await {
        Ok(proven) => sessions.open(&admitted, proven, &headers).await,
        Err(refusal) => Err(refusal),
    };
    answered.unwrap_or_else(|refusal| refuse(&refusal, &headers))
}

/// `GET /user/sessions/current`. Without a session the answer is empty, and takes the cookie away if
/// there is one.
async fn current(
    State(sessions): State<Sessions>,
    Extension(admitted): Extension<Admitted>,
    headers: HeaderMap,
) -> Response<Body> {
    let Some(session) = &admitted.session else { return nothing(&admitted, &headers) };
    let token = sessions.issuer.masked_csrf_token(&session.signed_in);
    let mut response = sessions.shown(StatusCode::OK, &admitted.view(session), &token, &headers);
    // It has the cookie's value and the token, whoever opened the session (§10, number 12).
    response.extensions_mut().insert(OwnOriginOnly);
    response
}

/// `POST /user/sessions/{id}/refresh`.
async fn refresh(
    State(sessions): State<Sessions>,
    Extension(admitted): Extension<Admitted>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    let (session, token) = match sessions.named(&admitted, &id, &headers) {
        Ok(found) => found,
        Err(answered) => return *answered,
    };
    let renewed = match &session.shown {
        ShownSession::Own(cookie) => {
            sessions.issuer.refresh_session_at(&admitted.cookie.name, cookie).await
        }
        ShownSession::Pages(browser) => sessions.issuer.signed_in(browser).await,
    };
    match renewed {
        Ok(Some(_)) => sessions.shown(StatusCode::OK, &admitted.view(session), token, &headers),
        Ok(None) => nothing(&admitted, &headers),
        Err(error) => refuse(&unavailable(&error), &headers),
    }
}

/// `DELETE /user/sessions/{id}`. The session is over everywhere, and not just forgotten (§10, number 3).
async fn remove(
    State(sessions): State<Sessions>,
    Extension(admitted): Extension<Admitted>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    let session = match sessions.named(&admitted, &id, &headers) {
        Ok((session, _)) => session,
        Err(answered) => return *answered,
    };
    let ended = match &session.shown {
        ShownSession::Own(cookie) => {
            sessions.issuer.close_session_at(&admitted.cookie.name, cookie).await
        }
        ShownSession::Pages(browser) => sessions.issuer.sign_out(browser).await.map(drop),
    };
    if let Err(error) = ended {
        return refuse(&unavailable(&error), &headers);
    }
    let mut response = empty(StatusCode::NO_CONTENT);
    let cookie = match &session.shown {
        ShownSession::Own(_) => admitted.cookie.delete(),
        ShownSession::Pages(_) => admitted.pages_cookie().delete(),
    };
    set_cookie(&mut response, cookie);
    response
}

/// A session as clients see it.
pub(super) struct View<'a> {
    name: &'a str,
    identifier: String,
    account: &'a str,
}

impl Admitted {
    fn view<'a>(&'a self, session: &'a OpenSession) -> View<'a> {
        let name = match session.shown {
            ShownSession::Own(_) => &*self.cookie.name,
            ShownSession::Pages(_) => request::SESSION,
        };
        View { name, identifier: session.identifier(), account: &session.signed_in.account_id }
    }
}

/// The one token of a request with `headers`; of several nobody says which counts.
fn csrf_token(headers: &HeaderMap) -> Option<&str> {
    let mut tokens = headers.get_all(CSRF_TOKEN).iter();
    match (tokens.next(), tokens.next()) {
        (Some(token), None) => token.to_str().ok(),
        _ => None,
    }
}

impl Sessions {
    /// The person whom the login and the password of `request` prove.
    async fn prove(&self, admitted: &Admitted, request: Request) -> Result<Proven, GuardRefusal> {
        let browser = Browser {
            mark: request::mark(request.headers(), &self.issuer.address().issuer),
            source: request::source(request.extensions()),
            ..Browser::default()
        };
        // A token is not needed, but one that is there has to be right (§2.2).
        let shows_one = request.headers().contains_key(CSRF_TOKEN);
        if let Some(session) = admitted.session.as_ref().filter(|_| shows_one)
            && !csrf_token(request.headers()).is_some_and(|token| self.is_token_of(session, token))
        {
            return Err(GuardRefusal::NotMeant(Unmeant::Token));
        }
        let mut input = Input::read(request, "SessionInput").await?;
        let login = input.text("login")?;
        let password = Secret::new(input.text("password")?);
        match self.issuer.prove_by_password(&login, &password, &browser).await {
            Ok(proven) => proven.ok_or(GuardRefusal::WrongPassword),
            Err(OAuthError::Throttled(seconds)) => Err(GuardRefusal::TooManyAttempts(seconds)),
            Err(OAuthError::SecondFactorNeeded) => Err(GuardRefusal::SecondFactorNeeded),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// The answer to a person who proved who they are.
    async fn open(
        &self,
        admitted: &Admitted,
        proven: Proven,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, GuardRefusal> {
        let before = admitted.session.as_deref();
        let opened = self.issuer.open_session_at(
            &admitted.site_access,
            &admitted.cookie.name,
            proven,
            before.map(|session| &session.signed_in),
        );
        match (opened.await.map_err(|error| unavailable(&error))?, before) {
            (Opened::New(cookie, signed_in), _) => {
                Ok(self.opened(admitted, &cookie, &signed_in, headers))
            }
            (Opened::Same, Some(session)) => {
                let token = self.issuer.masked_csrf_token(&session.signed_in);
                Ok(self.shown(StatusCode::OK, &admitted.view(session), &token, headers))
            }
            (Opened::NotPermitted, _) => Err(GuardRefusal::LoginNotPermitted(Asked::Person)),
            (Opened::Same | Opened::Other, _) => Ok(empty(StatusCode::CONFLICT)),
        }
    }

    fn opened(
        &self,
        admitted: &Admitted,
        cookie: &Opaque,
        signed_in: &SignedIn,
        headers: &HeaderMap,
    ) -> Response<Body> {
        let view = View {
            name: &admitted.cookie.name,
            identifier: cookie.text(),
            account: &signed_in.account_id,
        };
        let token = self.issuer.masked_csrf_token(signed_in);
        let mut response = self.shown(StatusCode::CREATED, &view, &token, headers);
        if let Ok(location) = HeaderValue::from_str(&self.session_url(&view.identifier)) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        set_cookie(&mut response, admitted.cookie.set(cookie));
        response
    }

    /// The caller's session, if `id` is its identifier and the request has a token of it, which is the
    /// second part. Nothing happens to the session of a caller who names another one (§10, number 2).
    fn named<'a>(
        &self,
        admitted: &'a Admitted,
        id: &str,
        headers: &'a HeaderMap,
    ) -> Result<(&'a OpenSession, &'a str), Box<Response<Body>>> {
        let Some(session) = admitted.session.as_deref() else {
            return Err(Box::new(nothing(admitted, headers)));
        };
        if session.identifier() != id {
            return Err(Box::new(empty(StatusCode::NOT_FOUND)));
        }
        match csrf_token(headers).filter(|token| self.is_token_of(session, token)) {
            Some(token) => Ok((session, token)),
            None => Err(Box::new(refuse(&GuardRefusal::NotMeant(Unmeant::Token), headers))),
        }
    }

    fn is_token_of(&self, session: &OpenSession, token: &str) -> bool {
        self.issuer.masked_csrf_matches(&session.signed_in, token)
    }

    fn session_url(&self, identifier: &str) -> String {
        format!("{}/user/sessions/{identifier}", self.path)
    }

    fn shown(
        &self,
        status: StatusCode,
        view: &View<'_>,
        token: &str,
        headers: &HeaderMap,
    ) -> Response<Body> {
        let format = Format::of_answer(headers);
        let user = Element::resource("User", format, Vec::new())
            .with("href", user_url(&self.path, view.account));
        let members = vec![
            Element::text("name", view.name),
            Element::text("identifier", &*view.identifier),
            Element::text("csrfToken", token),
            user,
        ];
        let session = Element::resource("Session", format, members)
            .with("href", self.session_url(&view.identifier));
        answer(status, format, &session)
    }
}

/// The answer where there is no session; a cookie that names none is taken away.
fn nothing(admitted: &Admitted, headers: &HeaderMap) -> Response<Body> {
    let mut response = empty(StatusCode::NOT_FOUND);
    if admitted.session.is_none() && admitted.cookie.is_in(headers) {
        set_cookie(&mut response, admitted.cookie.delete());
    }
    response
}

fn set_cookie(response: &mut Response<Body>, cookie: Option<HeaderValue>) {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

fn unavailable(error: &dyn std::error::Error) -> GuardRefusal {
    tracing::error!(%error, "a session could not be read or written");
    GuardRefusal::Unavailable
}
