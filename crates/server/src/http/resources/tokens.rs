//! Explaining a token to administrators: whether a guard accepts it, and if not, why.

use axum::{
    body::Body,
    extract::State,
    http::{Request, StatusCode},
    response::Response,
};
use castellan_issuer::rights::Right;
use serde_json::{Map, Value, json};

use super::{Outcome, authorize, content, done};
use crate::app::App;

/// `POST /auth/explain-token`: what `castellan explain --token` says of a token at a guard. The token
/// is not used, stored or logged.
pub(in crate::http) async fn explain_token(
    State(app): State<App>,
    request: Request<Body>,
) -> Response {
    done(explained(&app, request).await)
}

async fn explained(app: &App, request: Request<Body>) -> Result<Response, Outcome> {
    let (parts, body) = request.into_parts();
    authorize(app, &parts, Right::ExplainTokens).await?;
    let document = content::document(&parts.headers, &content::read(body).await?)?;
    let Value::Object(members) = document else {
        return Err(Outcome::Invalid("the body must be an object".to_owned()));
    };
    if let Some(name) =
        members.keys().find(|name| !matches!(name.as_str(), "token" | "guard" | "audience"))
    {
        return Err(Outcome::Invalid(format!("unknown member {name:?}")));
    }
    let token = text(&members, "token")?;
    let token = token.ok_or_else(|| Outcome::Invalid("token is missing".to_owned()))?;
    let (named, audience) = (text(&members, "guard")?, text(&members, "audience")?);
    let mut guards = app.guards().iter().filter(|guard| guard.is_of(app.issuer()));
    let guard = guards.find(|guard| named.is_none_or(|name| guard.config.name == name));
    let guard = guard.ok_or_else(|| {
        Outcome::Invalid(match named {
            Some(name) => format!("guard {name:?} does not exist at this site"),
            None => "this site has no guard that could accept a token".to_owned(),
        })
    })?;
    let explained = guard.explain_token(token, audience).await;
    let (caller, problem) = explained.map_err(|error| Outcome::broken(&error))?;
    let mut said = json!({"guard": guard.config.name, "valid": problem.is_none()});
    match problem {
        None => {
            said["caller"] = json!(caller);
            said["explanation"] = json!("the guard accepts the token");
        }
        Some(problem) => {
            said["problem"] = json!(problem.kind);
            said["explanation"] = json!(problem.text);
            if let Some(since) = problem.since {
                said["since"] = json!(since);
            }
        }
    }
    Ok(content::answer(StatusCode::OK, &said, &parts.headers))
}

/// The text of the member `name`, if it is there.
fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Outcome> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(Outcome::Invalid(format!("{name} must be a text that is not empty"))),
    }
}
