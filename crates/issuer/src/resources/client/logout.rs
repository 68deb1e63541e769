//! What a `Client` document says of how the client hears of sign-outs (Back-Channel Logout 1.0 §2.2,
//! Front-Channel Logout 1.0 §2).

use castellan_proto::{LogoutUri, RedirectUri};
use serde_json::{Value, json};

use super::ClientDocument;
use crate::records::{Client, LogoutTarget};
use crate::resources::Problem;

/// The members of one channel.
#[derive(Clone, Copy)]
struct Names {
    uri: &'static str,
    session_required: &'static str,
}

const BACK: Names = Names {
    uri: "backchannel_logout_uri",
    session_required: "backchannel_logout_session_required",
};
const FRONT: Names = Names {
    uri: "frontchannel_logout_uri",
    session_required: "frontchannel_logout_session_required",
};

/// The back channel of `document`.
pub(crate) fn back(document: &ClientDocument) -> Result<Option<LogoutTarget>, Problem> {
    let uri = document.backchannel_logout_uri.as_deref();
    target(BACK, uri, document.backchannel_logout_session_required)
}

/// Its front channel, which has to be where one of `redirect_uris` is: a browser is led to load it.
pub(crate) fn front(
    document: &ClientDocument,
    redirect_uris: &[RedirectUri],
) -> Result<Option<LogoutTarget>, Problem> {
    let uri = document.frontchannel_logout_uri.as_deref();
    let found = target(FRONT, uri, document.frontchannel_logout_session_required)?;
    if let Some(target) = &found {
        let origin = target.uri.origin();
        let is_same = |uri: &RedirectUri| uri.origin().is_some_and(|other| other == origin);
        if !redirect_uris.iter().any(is_same) {
            return Err(Problem::Text(format!(
                "{}: {:?} must have the scheme, host and port of one of redirect_uris",
                FRONT.uri,
                target.uri.as_str()
            )));
        }
    }
    Ok(found)
}

fn target(
    names: Names,
    uri: Option<&str>,
    session_required: Option<bool>,
) -> Result<Option<LogoutTarget>, Problem> {
    let session_required = session_required.unwrap_or(false);
    let Some(uri) = uri else {
        if session_required {
            let text = format!("{}: needs {}", names.session_required, names.uri);
            return Err(Problem::Text(text));
        }
        return Ok(None);
    };
    let uri = LogoutUri::try_from(uri.to_owned())
        .map_err(|error| Problem::Text(format!("{}: {error}", names.uri)))?;
    Ok(Some(LogoutTarget { uri, session_required }))
}

/// Writes both channels of `client` into its document.
pub(crate) fn show(client: &Client, shown: &mut Value) {
    for (names, target) in
        [(BACK, &client.backchannel_logout), (FRONT, &client.frontchannel_logout)]
    {
        let Some(target) = target else { continue };
        shown[names.uri] = json!(target.uri);
        if target.session_required {
            shown[names.session_required] = json!(true);
        }
    }
}
