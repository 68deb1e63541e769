//! `docs/contracts/ibexa.md`: guards of REST APIs, with sessions of their own below their path; JSON and
//! XML ([`media`]); refusals as the contract words them ([`refusal`]).

mod element;
mod input;
mod jwt;
mod media;
mod refusal;
mod sessions;
mod xml;

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
    response::IntoResponse as _,
    routing::{MethodRouter, get},
};
use castellan_gate::{Naming, SessionField};
use md5::{Digest as _, Md5};

use super::{Admitted, Area, BasicOf, Dialect, Endpoints, GuardDialect, JwtOf, SessionsOf};
use crate::wire::guard_refusal::GuardRefusal;
use refusal::{empty, refuse};

/// The dialect of guards.
pub(super) const DIALECT: Dialect = Dialect {
    name: "ibexa",
    guards: Some(GuardDialect {
        http: true,
        rules: |plain| plain,
        naming: Naming::Verbs,
        session: SessionField::Off,
        jwt: JwtOf::People,
        basic: BasicOf::People,
        at_root: None,
        sessions: SessionsOf::SiteAccess { cookie_name, by_default: true },
        method_override: true,
        expected_user: true,
        endpoints: Some(Endpoints {
            paths: &["/user/sessions", "/user/current", "/user/token"],
            check_tokens: &["/user/sessions"],
            open: &["/user/sessions", "/user/token"],
            create_tokens: &["/user/token"],
            ends_session: sessions::is_end,
            routes,
        }),
        refusal: Some(refuse),
    }),
    client: None,
    routes: |_| Router::new(),
    open: &[],
    claims: &[],
    refusal: |_, _, _| None,
};

/// How names of session cookies begin (§2.1).
const COOKIE: &str = "IBX_SESSION_ID";

/// The name of the session cookie of `site_access`, for which `configured` may be set (§2.1).
fn cookie_name(site_access: &str, configured: Option<&str>) -> String {
    match configured {
        None => {
            let digest = Md5::digest(site_access.as_bytes());
            format!("{COOKIE}{:032x}", u128::from_be_bytes(digest.into()))
        }
        Some(name) if name.starts_with(COOKIE) => name.to_owned(),
        Some(name) => format!("{COOKIE}_{name}"),
    }
}

/// The endpoints at one guard. Those of a method that is off are not there (§3).
fn routes(area: &Area<'_>) -> Router {
    let routes = Router::new()
        .route(&area.at("/user/current"), resource("GET", get(current)))
        .with_state(area.at(""));
    let routes = if area.has_sessions { routes.merge(sessions::routes(area)) } else { routes };
    let routes = if area.creates_tokens { routes.merge(jwt::routes(area)) } else { routes };
    routes.fallback(async |headers: HeaderMap| refuse(&GuardRefusal::NotFound, &headers))
}

/// `methods` of one path, which are those that `allow` lists; `OPTIONS` tells them (§10a).
fn resource<S: Clone + Send + Sync + 'static>(
    allow: &'static str,
    methods: MethodRouter<S>,
) -> MethodRouter<S> {
    let options = move || async move {
        let mut response = empty(StatusCode::OK);
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
        response
    };
    let other = move |headers: HeaderMap| async move {
        refuse(&GuardRefusal::MethodNotAllowed(allow.into()), &headers)
    };
    methods.options(options).fallback(other)
}

/// `GET /user/current` (§10a): where the caller is described.
async fn current(
    State(path): State<String>,
    admitted: axum::Extension<Admitted>,
    headers: HeaderMap,
) -> Response<Body> {
    let person = admitted.caller.identity().and_then(|identity| identity.person.as_ref());
    let Some(person) = person else {
        return refuse(&GuardRefusal::NotAuthenticated(None), &headers);
    };
    let location = [(header::LOCATION, user_url(&path, &person.id))];
    (location, empty(StatusCode::TEMPORARY_REDIRECT)).into_response()
}

/// Where the person `id` is described, at a guard at `path`.
fn user_url(path: &str, id: &str) -> String {
    format!("{path}/user/users/{id}")
}

#[cfg(test)]
mod tests {
    use super::cookie_name;

    #[test]
    fn each_site_access_has_a_cookie_of_its_own() {
        for (name, configured, cookie) in [
            ("site", None, "IBX_SESSION_ID98defd6ee70dfb1dea416cecdf391f58"),
            ("admin", None, "IBX_SESSION_ID21232f297a57a5a743894a0e4a801fc3"),
            ("restapi", None, "IBX_SESSION_ID33c1776f5bef22da085598907a729ccc"),
            ("site", Some("shop"), "IBX_SESSION_ID_shop"),
            ("site", Some("IBX_SESSION_IDshop"), "IBX_SESSION_IDshop"),
        ] {
            assert_eq!(cookie_name(name, configured), cookie);
        }
    }
}
