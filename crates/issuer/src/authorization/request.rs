//! The authorization request, checked line by line (RFC 6749 §4.1.1, RFC 7636 §4.3).

use castellan_proto::{CodeChallenge, ErrorCode, RedirectUri, scope::Scopes};
use serde::{Deserialize, Serialize};

use crate::{
    Issuer,
    authorization::{
        claims_parameter::{self, ClaimsRequest, Refused},
        request_object::{RequestObject, record_id},
    },
    records::{Client, GrantName},
    request::{params::Params, resource::resources_within, url::with_query},
    session::browser::Browser,
    sign_in::second_factor::{ROSTER, factor},
    store::StoreError,
};

/// What an app asks for, checked. Kept while the person signs in and agrees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// The client that asks.
    pub client_id: String,
    /// Where the answer goes: registered, and admitted. Empty if a device asks.
    pub redirect_uri: String,
    /// Given back as it came.
    pub state: Option<String>,
    /// The requested scopes, all of which the client may have.
    pub scope: Scopes,
    /// What the verifier must meet.
    pub challenge: Option<CodeChallenge>,
    /// The thumbprint of the key that the code is bound to (RFC 9449 §10).
    #[serde(default)]
    pub jkt: Option<String>,
    /// For the ID token.
    pub nonce: Option<String>,
    /// Fills the name in the sign-in form.
    pub login_hint: Option<String>,
    /// The languages that pages are to be in, the best first (OIDC Core §3.1.2.1).
    #[serde(default)]
    pub ui_locales: Option<String>,
    /// The authentication context classes that the app prefers, the best first (OIDC Core §3.1.2.1), as
    /// far as this server knows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acr_values: Vec<String>,
    /// Whether and what the person is to be asked.
    pub prompt: Prompt,
    /// With [`Prompt::Consent`]: ask the person to sign in first. Not a value of `Prompt`, because
    /// older versions could not read it.
    #[serde(default)]
    pub sign_in_too: bool,
    /// Seconds since the person last proved who they are, at most.
    pub max_age: Option<u64>,
    /// How the answer gets there.
    #[serde(default)]
    pub mode: ResponseMode,
    /// What is requested for the ID token (OIDC Core §5.5).
    #[serde(default)]
    pub claims: ClaimsRequest,
    /// The resources that tokens are requested for, if the request names any (RFC 8707).
    #[serde(default)]
    pub resources: Option<Vec<String>>,
    /// It is a device that asks (RFC 8628).
    #[serde(default)]
    pub device: Option<DeviceAsk>,
    /// The pushed request that it is, which is used up by its answer (RFC 9126 §4).
    #[serde(default)]
    pub pushed: Option<String>,
}

/// How an answer gets to the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query of its address (RFC 6749 §4.1.2).
    #[default]
    Query,
    /// In the body of a POST (OAuth 2.0 Form Post Response Mode §2).
    FormPost,
}

/// The `prompt` parameter (OIDC Core §3.1.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// Ask what has to be asked.
    #[default]
    Needed,
    /// Ask nothing; fail instead.
    None,
    /// Ask the person to sign in; there is no other way here to select an account.
    Login,
    /// Ask whether they agree.
    Consent,
}

/// Why an authorization request goes no further.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizeError {
    /// Shown to the person on a page of Castellan, because no trusted address of the client is
    /// known.
    #[error("{text}")]
    Page {
        /// The OAuth error code.
        code: ErrorCode,
        /// The error in words.
        text: String,
    },
    /// Sent to the client, at its registered address.
    #[error("{text}")]
    Client {
        /// The OAuth error code.
        code: ErrorCode,
        /// The error in words.
        text: String,
        /// Where the error is sent.
        back: Back,
    },
    /// An internal error.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// The way back to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Back {
    /// A registered address.
    pub redirect_uri: String,
    /// Given back as it came.
    pub state: Option<String>,
    /// How the response is sent there.
    pub mode: ResponseMode,
}

impl AuthorizationRequest {
    /// Where the error is sent.
    #[must_use]
    pub fn back(&self) -> Back {
        Back { redirect_uri: self.redirect_uri.clone(), state: self.state.clone(), mode: self.mode }
    }

    /// Whether the person is to say who they are, signed in or not.
    pub(crate) fn asks_anew(&self) -> bool {
        // `max_age=0` is the same as `prompt=login` (OIDC Core §3.1.2.1).
        self.prompt == Prompt::Login || self.sign_in_too || self.max_age == Some(0)
    }

    /// An error for the client.
    pub(crate) fn refuse(&self, code: ErrorCode, text: &str) -> AuthorizeError {
        AuthorizeError::Client { code, text: text.to_owned(), back: self.back() }
    }
}

impl Issuer {
    /// Checks `params`. Until client and redirect URI are known to belong together, nothing is
    /// sent anywhere.
    ///
    /// # Errors
    /// [`AuthorizeError`]: `Page` until a trusted address is known, then `Client`.
    pub async fn read_authorization(
        &self,
        params: &Params,
        browser: &Browser,
    ) -> Result<(AuthorizationRequest, Client), AuthorizeError> {
        let missing = || AuthorizeError::Page {
            code: ErrorCode::InvalidRequest,
            text: "client_id is required".to_owned(),
        };
        let client_id = params.get("client_id").ok_or_else(missing)?;
        if let Some(reference) = params.get("request_uri") {
            let Some(id) = record_id(reference) else {
                let (_, back) = self.client_and_way_back(client_id, params).await?;
                let text = "request_uri must be one that the pushed authorization request endpoint \
                            issued (RFC 9126)";
                let (code, text) = (ErrorCode::RequestUriNotSupported, text.to_owned());
                return Err(AuthorizeError::Client { code, text, back });
            };
            // Whatever else is in the query does not count (RFC 9126 §4).
            return self.pushed_authorization(client_id, &id, browser).await;
        }
        let (request, client) = self.check_authorization(client_id, params).await?;
        if client.require_pushed {
            let text = "this client must use pushed authorization requests (RFC 9126)";
            return Err(request.refuse(ErrorCode::InvalidRequest, text));
        }
        Ok((request, client))
    }

    /// Checks `params` for the client `client_id`.
    pub(crate) async fn check_authorization(
        &self,
        client_id: &str,
        params: &Params,
    ) -> Result<(AuthorizationRequest, Client), AuthorizeError> {
        let (client, back) = self.client_and_way_back(client_id, params).await?;
        let refuse = |code, text| AuthorizeError::Client { code, text, back: back.clone() };
        let mut request = check(client_id, &client, params, &back)
            .map_err(|Refused { code, text }| refuse(code, text.to_owned()))?;
        let also = client
            .grants
            .get(&GrantName::AUTHORIZATION_CODE)
            .map_or(&[][..], |grant| &grant.audience);
        request.resources = resources_within(params.resources_or_aud(), &self.targets(also))
            .map_err(|error| refuse(error.code(), error.to_string()))?;
        self.apply_id_token_hint(&mut request, params)
            .map_err(|Refused { code, text }| refuse(code, text.to_owned()))?;
        Ok((request, client))
    }

    /// The client, and where responses to it go, which all further errors need.
    async fn client_and_way_back(
        &self,
        client_id: &str,
        params: &Params,
    ) -> Result<(Client, Back), AuthorizeError> {
        let page = |code, text: &str| AuthorizeError::Page { code, text: text.to_owned() };
        let found = self.repository().get::<Client>(client_id, self.now()).await?;
        let Some(client) = found.map(|stored| stored.body).filter(|client| client.active) else {
            return Err(page(ErrorCode::InvalidClient, "no such client"));
        };
        // It is not supported, but what it says of the way back counts for the error.
        let object = params.get("request").and_then(RequestObject::read).unwrap_or_default();
        let asked = params.get("redirect_uri").or(object.redirect_uri.as_deref());
        let redirect_uri = redirect_uri(&client, asked)
            .filter(|_| asked.is_some() || !client.profile.needs_redirect_uri())
            .ok_or_else(|| page(ErrorCode::InvalidRequest, "redirect_uri mismatch"))?;
        let mode = match params.get("response_mode").or(object.response_mode.as_deref()) {
            Some("form_post") => ResponseMode::FormPost,
            // An unknown response mode is reported by the default one.
            _ => ResponseMode::Query,
        };
        let state = params.get("state").map(ToOwned::to_owned).or(object.state);
        let back = Back { redirect_uri, state, mode };
        if is_too_long(back.state.as_deref()) {
            let text = format!("state must not exceed {LONGEST_TEXT} bytes");
            return Err(page(ErrorCode::InvalidRequest, &text));
        }
        if self.is_too_long_a_way(&back) {
            let text =
                format!("the redirect URI with state and iss must not exceed {LONGEST_WAY} bytes");
            return Err(page(ErrorCode::InvalidRequest, &text));
        }
        Ok((client, back))
    }

    /// Whether `back` leaves no room for an answer.
    fn is_too_long_a_way(&self, back: &Back) -> bool {
        let state = back.state.as_deref().map(|state| ("state", state));
        let pairs = state.into_iter().chain([("iss", &*self.address().issuer)]);
        back.mode == ResponseMode::Query
            && with_query(&back.redirect_uri, pairs).len() > LONGEST_WAY
    }

    /// Treats the person of `id_token_hint` as the expected one, if no page may be shown. Otherwise
    /// a hint has no effect (OIDC Core §3.1.2.1).
    fn apply_id_token_hint(
        &self,
        request: &mut AuthorizationRequest,
        params: &Params,
    ) -> Result<(), Refused> {
        let silent = request.prompt == Prompt::None;
        let Some(token) = params.get("id_token_hint").filter(|_| silent) else { return Ok(()) };
        let unread =
            Refused::new(ErrorCode::LoginRequired, "id_token_hint was not issued by this server");
        let hinted = self.read_hint(token).ok_or(unread)?.sub;
        if request.claims.subject.as_ref().is_some_and(|subject| *subject != hinted) {
            let text = "claims and id_token_hint name different people";
            return Err(Refused::new(ErrorCode::LoginRequired, text));
        }
        request.claims.subject = Some(hinted);
        Ok(())
    }
}

/// Bytes of an address that an answer is sent to, at most: what proxies take of all headers without
/// being told otherwise, less what a code, or an error and its description, and the other headers
/// take.
pub(crate) const LONGEST_WAY: usize = 4_096 - 768;
/// Bytes of any text that is kept until somebody has signed in.
const LONGEST_TEXT: usize = 2_048;

/// The registered address that was requested, or the only one if none was.
fn redirect_uri(client: &Client, asked: Option<&str>) -> Option<String> {
    match (asked, &*client.redirect_uris) {
        (Some(asked), registered) => {
            let ascii = || RedirectUri::in_ascii(asked).into_owned();
            registered.iter().any(|uri| uri.admits(asked)).then(ascii)
        }
        (None, [only]) => Some(RedirectUri::as_str(only).to_owned()),
        _ => None,
    }
}

fn check(
    client_id: &str,
    client: &Client,
    params: &Params,
    back: &Back,
) -> Result<AuthorizationRequest, Refused> {
    let invalid = |text| Refused::new(ErrorCode::InvalidRequest, text);
    if params.get("request").is_some() {
        // Before all else, as what else is missing may be in it (OIDC Core §3.1.2.6).
        let text = "request objects are not supported: send the parameters themselves";
        return Err(Refused::new(ErrorCode::RequestNotSupported, text));
    }
    match params.get("response_type") {
        Some("code") => {}
        None => return Err(invalid("response_type is required")),
        Some(_) => {
            return Err(Refused::new(
                ErrorCode::UnsupportedResponseType,
                "only response_type=code is supported",
            ));
        }
    }
    if ["nonce", "login_hint"].iter().any(|name| is_too_long(params.get(name))) {
        return Err(invalid("nonce and login_hint must not exceed 2048 bytes"));
    }
    let Some(grant) = client.grants.get(&GrantName::AUTHORIZATION_CODE) else {
        let text = "this client may not use the authorization code grant";
        return Err(Refused::new(ErrorCode::UnauthorizedClient, text));
    };
    if params.get("response_mode").is_some_and(|mode| mode != "query" && mode != "form_post") {
        return Err(invalid("response_mode must be query or form_post"));
    }
    let challenge = challenge(params)?;
    if challenge.is_none() && (grant.pkce != Some(false) || client.is_public()) {
        return Err(invalid("code_challenge is required"));
    }
    let scope = requested_scope(client, params.get("scope"))?;
    let (prompt, sign_in_too) = prompt(params.get("prompt"))?;
    let max_age = match params.get("max_age").map(str::parse) {
        None => client.default_max_age,
        Some(Ok(seconds)) => Some(seconds),
        Some(Err(_)) => return Err(invalid("max_age must be a number of seconds")),
    };
    let mut claims =
        params.get("claims").map(claims_parameter::read).transpose()?.unwrap_or_default();
    claims.bound_to(&client.scope, &scope);
    let text = |name| params.get(name).map(ToOwned::to_owned);
    Ok(AuthorizationRequest {
        client_id: client_id.to_owned(),
        redirect_uri: back.redirect_uri.clone(),
        state: back.state.clone(),
        scope,
        challenge,
        jkt: thumbprint(params.get("dpop_jkt"))?,
        nonce: text("nonce"),
        login_hint: text("login_hint"),
        acr_values: known_classes(params.get("acr_values").unwrap_or_default()),
        ui_locales: text("ui_locales").filter(|text| !is_too_long(Some(text))),
        prompt,
        sign_in_too,
        max_age,
        mode: back.mode,
        claims,
        resources: None,
        device: None,
        pushed: None,
    })
}

/// The requested scopes, or the default of the client's profile.
fn requested_scope(client: &Client, text: Option<&str>) -> Result<Scopes, Refused> {
    let wrong =
        Refused::new(ErrorCode::InvalidScope, "a requested scope is not allowed for this client");
    let text = text.filter(|text| !text.trim().is_empty());
    let scope = match text.or_else(|| client.profile.default_scope()) {
        Some(text) => Scopes::parse(text).map_err(|_| wrong)?,
        None => client.scope.clone(),
    };
    if client.scope.first_uncovered(&scope).is_some() { Err(wrong) } else { Ok(scope) }
}

/// Whether a text is longer than what is stored for unauthenticated requests.
fn is_too_long(text: Option<&str>) -> bool {
    text.is_some_and(|text| text.len() > LONGEST_TEXT)
}

fn challenge(params: &Params) -> Result<Option<CodeChallenge>, Refused> {
    let invalid = |text| Refused::new(ErrorCode::InvalidRequest, text);
    match (params.get("code_challenge"), params.get("code_challenge_method")) {
        (None, None) => Ok(None),
        (Some(text), Some("S256")) => CodeChallenge::try_from(text)
            .map(Some)
            .map_err(|_| invalid("code_challenge must be the base64url form of a SHA-256 digest")),
        (Some(_), _) => Err(invalid("code_challenge_method must be S256")),
        (None, Some(_)) => Err(invalid("code_challenge is required")),
    }
}

/// A key's thumbprint by SHA-256 (RFC 7638).
fn thumbprint(text: Option<&str>) -> Result<Option<String>, Refused> {
    let is_one = |text: &str| {
        text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    match text {
        Some(text) if !is_one(text) => Err(Refused::new(
            ErrorCode::InvalidRequest,
            "dpop_jkt must be the SHA-256 thumbprint of a key",
        )),
        text => Ok(text.map(ToOwned::to_owned)),
    }
}

/// The classes of `text` that this server knows; the others are wishes that it cannot fulfil.
fn known_classes(text: &str) -> Vec<String> {
    let known = text.split_ascii_whitespace().filter(|class| factor(class).is_some());
    known.take(ROSTER.len()).map(ToOwned::to_owned).collect()
}

/// What `prompt` asks for, and whether that is a sign-in besides consent.
fn prompt(text: Option<&str>) -> Result<(Prompt, bool), Refused> {
    let words = text.unwrap_or_default().split(' ').filter(|word| !word.is_empty());
    let words: Vec<_> = words.collect();
    let invalid = |text| Err(Refused::new(ErrorCode::InvalidRequest, text));
    let has = |word| words.contains(&word);
    let signs_in = has("login") || has("select_account");
    match &*words {
        [] => Ok((Prompt::Needed, false)),
        ["none"] => Ok((Prompt::None, false)),
        _ if has("none") => invalid("prompt=none must not be combined with other values"),
        _ if has("consent") => Ok((Prompt::Consent, signs_in)),
        _ if signs_in => Ok((Prompt::Login, false)),
        _ => invalid("prompt must be none, login, consent or select_account"),
    }
}

/// Which device a flow is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceAsk {
    /// The id of its record.
    pub id: String,
    /// The code that it shows on its screen.
    pub user_code: String,
}
