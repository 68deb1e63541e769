//! The `claims` parameter (OIDC Core §5.5): what an app wants to know about the person. It never
//! covers more than the scopes that the app may have, and beyond the requested scopes only claims
//! that are essential, one at a time.

use castellan_proto::{ErrorCode, scope::Scopes};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    records::{BeyondScopes, acr, claims::opening_scope},
    sign_in::second_factor::factor,
};

/// Bytes of the parameter at most.
const LONGEST: usize = 4_096;

/// What is requested for the ID token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimsRequest {
    /// The person that it must be.
    #[serde(default)]
    pub subject: Option<String>,
    /// The authentication context classes of which it must be one; any will do if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acr: Vec<String>,
    /// Claims about the person to include in the ID token, as far as scopes allow them.
    #[serde(default)]
    pub id_token: Vec<String>,
    /// The essential ones that the requested scopes do not open, and others of the app's do.
    #[serde(default)]
    pub beyond: BeyondScopes,
}

impl ClaimsRequest {
    /// Keeps of what is essential what `of_client` opens and `asked` does not. Nothing is asked of
    /// the person without `openid` (§3.1.2.1).
    pub(crate) fn bound_to(&mut self, of_client: &Scopes, asked: &Scopes) {
        let keep = |claim: &String| {
            asked.has_name("openid")
                && opening_scope(claim)
                    .is_some_and(|scope| of_client.has_name(scope) && !asked.has_name(scope))
        };
        self.beyond.id_token.retain(keep);
        self.beyond.userinfo.retain(keep);
    }

    /// The claims that need the person's consent besides the scopes, each once.
    pub(crate) fn beyond_scopes(&self) -> Vec<String> {
        let mut claims = [&*self.beyond.id_token, &*self.beyond.userinfo].concat();
        claims.sort_unstable();
        claims.dedup();
        claims
    }
}

/// Why a parameter is refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused {
    pub(crate) code: ErrorCode,
    pub(crate) text: &'static str,
}

impl Refused {
    pub(crate) const fn new(code: ErrorCode, text: &'static str) -> Self {
        Self { code, text }
    }
}

/// Reads the parameter `claims`.
pub(crate) fn read(text: &str) -> Result<ClaimsRequest, Refused> {
    let invalid = Refused::new(
        ErrorCode::InvalidRequest,
        "claims must be a JSON object with id_token and userinfo",
    );
    if text.len() > LONGEST {
        return Err(invalid);
    }
    let asked: Map<String, Value> = serde_json::from_str(text).map_err(|_| invalid)?;
    let mut request = ClaimsRequest::default();
    for place in ["id_token", "userinfo"] {
        let members = match asked.get(place) {
            None | Some(Value::Null) => continue,
            Some(Value::Object(members)) => members,
            Some(_) => return Err(invalid),
        };
        for (name, how) in members {
            if !how.is_null() && !how.is_object() {
                return Err(invalid);
            }
            read_one(&mut request, place, name, how)?;
        }
    }
    Ok(request)
}

fn read_one(
    request: &mut ClaimsRequest,
    place: &str,
    name: &str,
    how: &Value,
) -> Result<(), Refused> {
    match (place, name) {
        (_, "sub") => {
            let Some(subject) = how.get("value") else { return Ok(()) };
            let invalid = Refused::new(
                ErrorCode::InvalidRequest,
                "claims: the value of sub must be a string",
            );
            let subject = subject.as_str().ok_or(invalid)?.to_owned();
            if request.subject.as_ref().is_some_and(|other| *other != subject) {
                return Err(Refused::new(
                    ErrorCode::InvalidRequest,
                    "claims: sub names two different people",
                ));
            }
            request.subject = Some(subject);
        }
        // An essential one that cannot be had is a failed sign-in (OIDC Core §5.5.1.1).
        ("id_token", "acr") if how.get("essential") == Some(&Value::Bool(true)) => {
            request.acr = essential_classes(how)?;
        }
        (_, name) if opening_scope(name).is_some() => {
            let is_essential = how.get("essential") == Some(&Value::Bool(true));
            if place == "id_token" {
                request.id_token.push(name.to_owned());
            }
            if is_essential {
                let beyond = &mut request.beyond;
                let of_place =
                    if place == "id_token" { &mut beyond.id_token } else { &mut beyond.userinfo };
                of_place.push(name.to_owned());
            }
        }
        // Any other claim is unknown here and left out (§5.5).
        _ => {}
    }
    Ok(())
}

/// The classes of which one is essential, as far as this server knows them; none if a password is
/// enough, since whoever shows more has shown that too.
fn essential_classes(how: &Value) -> Result<Vec<String>, Refused> {
    let one = how.get("value").into_iter();
    let several = how.get("values").and_then(Value::as_array).into_iter().flatten();
    let wanted: Vec<&str> = one.chain(several).map(|it| it.as_str().unwrap_or_default()).collect();
    if wanted.is_empty() || wanted.contains(&acr::PASSWORD) {
        return Ok(Vec::new());
    }
    let known = wanted.into_iter().filter(|class| factor(class).is_some());
    let known: Vec<String> = known.map(ToOwned::to_owned).collect();
    if known.is_empty() {
        let text = "the requested acr is not supported";
        return Err(Refused::new(ErrorCode::UnmetAuthenticationRequirements, text));
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read_and_what_is_not_known_left_out() {
        let asked = r#"{"id_token": {"email": null, "zodiac": {"essential": true},
            "sub": {"value": "ann"}, "acr": {"essential": true, "values": ["x", "urn:castellan:acr:password"]}},
            "userinfo": {"name": {"essential": true}}, "other": 1}"#;
        let request = read(asked).unwrap();
        assert_eq!(request.subject.as_deref(), Some("ann"));
        assert_eq!(request.id_token, ["email"]);
        assert_eq!(request.beyond.userinfo, ["name"]);
    }

    #[test]
    fn what_is_essential_is_bounded_by_what_the_app_may_have() {
        let scopes = |text: &str| Scopes::parse(text).unwrap();
        let asked = r#"{"id_token": {"email": {"essential": true}, "name": {"essential": false}},
            "userinfo": {"name": {"essential": true}, "phone_number": {"essential": true},
            "email": {"essential": true}}}"#;
        let bounded = |of_client: &str, asked_scopes: &str| {
            let mut request = read(asked).unwrap();
            request.bound_to(&scopes(of_client), &scopes(asked_scopes));
            request.beyond_scopes()
        };
        assert_eq!(bounded("openid profile email", "openid"), ["email", "name"]);
        assert_eq!(bounded("openid profile email", "openid email"), ["name"]);
        assert_eq!(bounded("openid phone *", "openid"), ["phone_number"]);
        assert!(bounded("openid profile email", "profile").is_empty());
        assert!(bounded("openid", "openid").is_empty());
    }

    #[test]
    fn what_is_no_such_request_is_refused() {
        for bad in [
            "",
            "[]",
            "{",
            r#"{"id_token": 1}"#,
            r#"{"id_token": {"name": 1}}"#,
            r#"{"id_token": {"sub": {"value": 1}}}"#,
            r#"{"id_token": {"sub": {"value": "a"}}, "userinfo": {"sub": {"value": "b"}}}"#,
        ] {
            assert_eq!(read(bad).unwrap_err().code, ErrorCode::InvalidRequest, "{bad}");
        }
        let strong = r#"{"id_token": {"acr": {"essential": true, "value": "urn:mfa"}}}"#;
        let refused = read(strong).unwrap_err().code;
        assert_eq!(refused, ErrorCode::UnmetAuthenticationRequirements);
        assert!(read(&strong.replace("true", "false")).is_ok(), "a wish");
        let known = read(&strong.replace("urn:mfa", acr::TOTP)).unwrap();
        assert_eq!(known.acr, [acr::TOTP]);
    }
}
