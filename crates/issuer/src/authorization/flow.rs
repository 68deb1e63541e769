//! The browser's way through an authorization: one state machine. Steps never call each other; each
//! hands what it learnt to one place (`advance`), which decides what is next.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::{ErrorCode, Opaque, OpaqueKind, RedirectUri, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    Issuer,
    audit::AuditKind,
    authorization::{
        half_sign_in::HalfSignIn,
        next::{Answer, FlowError, FlowView, Next},
        request::{AuthorizationRequest, AuthorizeError, Back, Prompt, ResponseMode},
        strength::Strength,
    },
    error::OAuthError,
    records::{
        Client, Consent, GrantName, TokenProfile,
        consent::consent_id,
        repository::{Stored, Versioned, Written},
    },
    request::{params::Params, url::with_query},
    session::browser::{Browser, SignedIn},
    store::{Kind, StoreError},
};

/// What has been settled so far.
#[derive(Clone, Copy, Default)]
pub(super) struct Settled {
    /// A session made before this time does not count.
    pub(super) fresh_since: Option<Timestamp>,
    /// The person has just agreed.
    pub(super) consented: bool,
    /// The person has just proved who they are.
    pub(super) proven: bool,
}

impl Issuer {
    /// Begins for an app; what goes wrong is for the app.
    pub(super) async fn begin_for_app(
        &self,
        params: &Params,
        browser: &Browser,
    ) -> Result<Next, FlowError> {
        let (request, client) = self.read_authorization(params, browser).await?;
        let signed_in = self.signed_in(browser).await?;
        let fresh_since = match request.max_age {
            _ if request.asks_anew() => Some(Timestamp(self.now().0 + 1)),
            Some(seconds) => Some(Timestamp(self.now().0.saturating_sub(seconds))),
            None => None,
        };
        let settled = Settled { fresh_since, ..Settled::default() };
        let asked = request.clone();
        let next = self.advance((request, client), signed_in, browser, settled).await;
        if let Err(FlowError::Authorize(AuthorizeError::Client { .. })) = next {
            // A no is an answer, too.
            self.use_up_pushed(&asked).await?;
        }
        next
    }

    /// Begins for a request that was checked already.
    pub(crate) async fn begin_checked(
        &self,
        request: AuthorizationRequest,
        browser: &Browser,
    ) -> Result<Next, FlowError> {
        let client = self.client_of(&request).await?;
        let signed_in = self.signed_in(browser).await?;
        self.advance((request, client), signed_in, browser, Settled::default()).await
    }

    /// Starts a flow without an app: a person signs in to Castellan itself.
    ///
    /// # Errors
    /// [`FlowError`] if the store fails.
    pub async fn begin_sign_in(&self, browser: &Browser) -> Result<Next, FlowError> {
        self.begin_sign_in_to(None, browser).await
    }

    /// Begins without an app, to go on to `destination`.
    async fn begin_sign_in_to(
        &self,
        destination: Option<String>,
        browser: &Browser,
    ) -> Result<Next, FlowError> {
        if self.signed_in(browser).await?.is_some() {
            return Ok(destination.map_or(Next::Home, Next::Go));
        }
        let flow = Flow { destination, ..Flow::default() };
        Ok(Next::Login(self.save_flow(flow, browser).await?))
    }

    /// Begins for a page that has the person come back to `redirect_to`, the base64url of a URL
    /// (`docs/contracts/aidbox.md` §11a): one of this site, or one that is registered as a redirect
    /// URI of `client`, which did not register itself.
    ///
    /// # Errors
    /// [`FlowError::Authorize`] with a page if it is neither.
    pub async fn begin_sign_in_for(
        &self,
        redirect_to: &str,
        client: Option<&str>,
        browser: &Browser,
    ) -> Result<Next, FlowError> {
        let refuse = || {
            let text = "redirect_to must be the base64url of a URL of at most 2048 bytes: one of \
                        this server, or a redirect URI of the client that client_id names"
                .to_owned();
            AuthorizeError::Page { code: ErrorCode::InvalidRequest, text }
        };
        let bytes = URL_SAFE_NO_PAD.decode(redirect_to.trim_end_matches('=')).ok();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(refuse)?;
        // What stands behind the slash cannot change the host.
        let path = text.strip_prefix(&*self.address().issuer);
        let is_ours = path.is_some_and(|path| path.starts_with('/'));
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_plain || text.len() > LONGEST_DESTINATION {
            return Err(refuse().into());
        }
        if !is_ours {
            let client = client.ok_or_else(refuse)?;
            if !self.leads_on_to(client, &text).await? {
                return Err(refuse().into());
            }
        }
        self.begin_sign_in_to(Some(text), browser).await
    }

    /// What the page of a flow shows.
    ///
    /// # Errors
    /// [`FlowError::Expired`] if there is no such flow in this browser.
    pub async fn view_flow(&self, flow: &str, browser: &Browser) -> Result<FlowView, FlowError> {
        let stored = self.flow(flow, browser).await?;
        let account_name = match &stored.body.session {
            Some(_) => self.signed_in(browser).await?.map(|person| person.account.display_name()),
            None => None,
        };
        let second_factors = match &stored.body.half {
            Some(half) => {
                let account = self.half_signed_in(half).await?.ok_or(FlowError::Expired)?;
                Some(self.second_factor_forms(&account.body, flow))
            }
            None => None,
        };
        let Some(request) = &stored.body.request else {
            return Ok(FlowView {
                client_name: None,
                client_uri: None,
                profile: TokenProfile::Standard,
                ui_locales: String::new(),
                login_hint: String::new(),
                scopes: Vec::new(),
                claims: Vec::new(),
                redirect_uri: stored.body.destination.clone(),
                user_code: None,
                account_name,
                second_factors,
            });
        };
        let client = self.client_of(request).await?;
        Ok(FlowView {
            client_name: Some(client.display_name(&request.client_id).to_owned()),
            client_uri: client.uri.clone(),
            profile: client.profile,
            ui_locales: request.ui_locales.clone().unwrap_or_default(),
            login_hint: request.login_hint.clone().unwrap_or_default(),
            scopes: request.scope.iter().map(ToString::to_string).collect(),
            claims: request.claims.beyond_scopes(),
            redirect_uri: request.device.is_none().then(|| request.redirect_uri.clone()),
            user_code: request.device.as_ref().map(|device| device.user_code.clone()),
            account_name,
            second_factors,
        })
    }

    /// The person declines to sign in for the app: it receives a refusal, whatever was consented to
    /// before.
    ///
    /// # Errors
    /// [`FlowError::Expired`] if there is no such flow in this browser, or the flow has no app;
    /// [`FlowError::Authorize`] with the refusal for the app; [`FlowError::Withheld`] if the app is not
    /// to learn that by itself.
    pub async fn decline(&self, flow: &str, browser: &Browser) -> Result<Next, FlowError> {
        let stored = self.flow(flow, browser).await?;
        let request = stored.body.request.ok_or(FlowError::Expired)?;
        self.use_up(&stored.id, browser).await?;
        let denied = self.deny(&request, DENIED).await;
        self.withheld(denied, &request.client_id, browser).await
    }

    /// The no of a person, or for a person who could not say yes; the app reads `why`.
    async fn deny(&self, request: &AuthorizationRequest, why: &str) -> Result<Next, FlowError> {
        if let Some(device) = &request.device {
            self.deny_device(device).await?;
            return Ok(Next::Device(Answer::Deny));
        }
        self.use_up_pushed(request).await?;
        Err(request.refuse(ErrorCode::AccessDenied, why).into())
    }

    /// The person says whether they agree.
    ///
    /// # Errors
    /// [`FlowError::Expired`] if there is no such flow in this browser, or another person has
    /// signed in meanwhile; [`FlowError::Authorize`] if the person refuses.
    pub async fn consent(
        &self,
        flow: &str,
        answer: Answer,
        browser: &Browser,
    ) -> Result<Next, FlowError> {
        let stored = self.flow(flow, browser).await?;
        let signed_in = self.signed_in(browser).await?;
        let (Some(request), Some(person)) = (stored.body.request, signed_in) else {
            return Err(FlowError::Expired);
        };
        if stored.body.session.as_deref() != Some(&*person.session) {
            return Err(FlowError::Expired);
        }
        self.use_up(&stored.id, browser).await?;
        let client = self.client_of(&request).await?;
        match answer {
            Answer::Deny => {
                self.audit_consent(AuditKind::ConsentRefused, &request, &person);
                self.deny(&request, DENIED).await
            }
            Answer::Switch => {
                self.sign_out(browser).await?;
                self.advance((request, client), None, browser, Settled::default()).await
            }
            Answer::Allow => {
                self.remember_consent(&request, &client, &person).await?;
                self.audit_consent(AuditKind::ConsentGiven, &request, &person);
                let settled = Settled { consented: true, ..Settled::default() };
                self.advance((request, client), Some(person), browser, settled).await
            }
        }
    }

    /// What is next, from what is known: sign in, agree, or go back with a code.
    pub(super) async fn advance(
        &self,
        (mut request, client): (AuthorizationRequest, Client),
        signed_in: Option<SignedIn>,
        browser: &Browser,
        settled: Settled,
    ) -> Result<Next, FlowError> {
        let fresh = |person: &SignedIn| settled.fresh_since.is_none_or(|at| person.auth_time >= at);
        let meant = request.claims.subject.clone();
        let is_meant =
            |person: &SignedIn| meant.as_ref().is_none_or(|meant| person.account_id == *meant);
        let strength = Strength::of(&request, &client);
        let is_strong = |person: &SignedIn| strength.is_met(person);
        let silent = request.prompt == Prompt::None;
        if settled.proven && signed_in.as_ref().is_some_and(|person| !is_strong(person)) {
            // An essential class that was not reached is a failed sign-in (OIDC Core §5.5.1.1).
            let text = "the user has no second factor of the requested acr, or did not use it";
            let code = ErrorCode::UnmetAuthenticationRequirements;
            return Err(request.refuse(code, text).into());
        }
        // Whoever was just asked shows no more, and nobody is asked in silence.
        let now = self.now();
        let asked = settled.proven || settled.consented || silent;
        let is_as_good_as_can_be =
            |person: &SignedIn| asked || !strength.could_be_better(person, now);
        let signed_in = signed_in.filter(fresh).filter(is_meant).filter(is_strong);
        let Some(person) = signed_in.filter(is_as_good_as_can_be) else {
            if settled.proven {
                let text = "a different user is signed in than was requested";
                return Err(request.refuse(ErrorCode::LoginRequired, text).into());
            }
            if silent {
                return Err(request
                    .refuse(ErrorCode::LoginRequired, "no user is signed in")
                    .into());
            }
            let flow = Flow {
                request: Some(request),
                fresh_since: settled.fresh_since,
                ..Flow::default()
            };
            let flow = self.save_flow(flow, browser).await?;
            return Ok(Next::Login(flow));
        };
        let may_do_nothing = self.narrow(&mut request, &client, &person).await?;
        let must_ask = !settled.consented && self.needs_consent(&request, &client, &person).await?;
        if must_ask && silent {
            // An app must not find out who is signed in by trying one account after another.
            let code =
                if meant.is_some() { ErrorCode::LoginRequired } else { ErrorCode::ConsentRequired };
            return Err(request.refuse(code, "the user has not given consent yet").into());
        }
        if may_do_nothing {
            return self.deny(&request, "the user may do nothing of what is requested").await;
        }
        if must_ask {
            let (request, session) = (Some(request), Some(person.session));
            let flow = Flow { request, session, ..Flow::default() };
            return Ok(Next::Consent(self.save_flow(flow, browser).await?));
        }
        if let Some(device) = &request.device {
            // Even a first-party app's: it was agreed to on some device, and can be taken back.
            let agreement = self.agreement(&request, &person).await?;
            self.allow_device(device, &request.scope, &person, agreement).await?;
            return Ok(Next::Device(Answer::Allow));
        }
        self.answer_with_code(&request, &client, &person).await
    }

    /// The id of the consent that tokens will depend on.
    pub(crate) async fn agreement(
        &self,
        request: &AuthorizationRequest,
        person: &SignedIn,
    ) -> Result<String, FlowError> {
        let id = consent_id(&person.account_id, &request.client_id);
        // `None` if it was withdrawn a moment ago.
        let stored =
            self.repository().get::<Consent>(&id, self.now()).await?.ok_or(FlowError::Expired)?;
        Ok(stored.body.agreement)
    }

    /// The way back with an answer, `iss` always among it (RFC 9207 §2).
    #[must_use]
    pub fn answer(&self, back: &Back, pairs: &[(&str, &str)]) -> Next {
        let state = back.state.as_deref().map(|state| ("state", state));
        let iss = ("iss", &*self.address().issuer);
        let pairs = pairs.iter().copied().chain(state).chain([iss]);
        match back.mode {
            ResponseMode::Query => Next::Go(with_query(&back.redirect_uri, pairs)),
            ResponseMode::FormPost => {
                let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
                Next::Post(back.redirect_uri.clone(), pairs.map(own).collect())
            }
        }
    }

    async fn save_flow(&self, body: Flow, browser: &Browser) -> Result<String, FlowError> {
        let ends = self.now() + self.settings().flow.get();
        self.save_flow_until(body, browser, ends).await
    }

    /// Stores a flow that expires at `ends`.
    pub(super) async fn save_flow_until(
        &self,
        body: Flow,
        browser: &Browser,
        ends: Timestamp,
    ) -> Result<String, FlowError> {
        let mark = browser.mark.as_ref().ok_or(FlowError::Expired)?;
        let (flow, now) = (Opaque::generate(OpaqueKind::Flow), self.now());
        let body = Flow { browser: mark.digest().text(), ends, ..body };
        let begun = self.keep_begun(&flow.digest().text(), &body, browser.source, now).await;
        if let (Err(OAuthError::TooLong), Some(request)) = (&begun, &body.request) {
            return Err(request
                .refuse(ErrorCode::InvalidRequest, &OAuthError::TooLong.to_string())
                .into());
        }
        if begun? != Written::Done {
            return Err(StoreError::new("a newly generated flow id was already in use").into());
        }
        Ok(flow.text())
    }

    pub(super) async fn flow(
        &self,
        text: &str,
        browser: &Browser,
    ) -> Result<Versioned<Flow>, FlowError> {
        let flow = Opaque::read(OpaqueKind::Flow, text).ok_or(FlowError::Expired)?;
        let stored = self.repository().get::<Flow>(&flow.digest().text(), self.now()).await?;
        stored.filter(|stored| browser.is_marked(&stored.body.browser)).ok_or(FlowError::Expired)
    }

    /// One step forward per flow: a form sent twice counts once.
    pub(super) async fn use_up(&self, id: &str, browser: &Browser) -> Result<(), FlowError> {
        match self.repository().take::<Flow>(id, self.now()).await? {
            Some((_, true)) => {
                self.finished_from(browser.source);
                Ok(())
            }
            _ => Err(FlowError::Expired),
        }
    }

    /// The client of a request, read again: it may have changed in the meantime
    /// (`docs/security-cases.md` row 4).
    pub(super) async fn client_of(
        &self,
        request: &AuthorizationRequest,
    ) -> Result<Client, FlowError> {
        self.client_as_asked(request).await?.ok_or(FlowError::Expired)
    }

    /// The client of `request`, if it may still have what is requested.
    pub(crate) async fn client_as_asked(
        &self,
        request: &AuthorizationRequest,
    ) -> Result<Option<Client>, StoreError> {
        let found = self.repository().get::<Client>(&request.client_id, self.now()).await?;
        let still = |client: &Client| {
            let admits = |uri: &RedirectUri| uri.admits(&request.redirect_uri);
            let may_ask = if request.device.is_some() {
                client.grants.has(&GrantName::DEVICE)
            } else {
                client.grants.has(&GrantName::AUTHORIZATION_CODE)
                    && client.redirect_uris.iter().any(admits)
            };
            client.active && may_ask && client.scope.first_uncovered(&request.scope).is_none()
        };
        Ok(found.map(|stored| stored.body).filter(still))
    }
}

/// What an app reads when a person said no.
const DENIED: &str = "the user denied access";
/// Bytes of an address that a sign-in goes on to: it is kept for strangers, and is in a `Location`.
const LONGEST_DESTINATION: usize = 2_048;

/// A sign-in or consent in progress. Its id is the digest of what the form carries.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Flow {
    /// The app's request, checked; `None` if a person signs in to Castellan itself.
    pub request: Option<AuthorizationRequest>,
    /// Where the person goes who only signs in here; none if they came for this place itself.
    #[serde(default)]
    pub destination: Option<String>,
    /// Digest of the cookie of the browser that began it.
    pub browser: String,
    /// The session by which consent is being asked, so that it is that person who answers.
    pub session: Option<String>,
    /// Who has proved a first factor, and has yet to show a second one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half: Option<HalfSignIn>,
    /// Sign in even if there is a session: one made at or after this time counts.
    pub fresh_since: Option<Timestamp>,
    /// First second at which the flow has expired.
    pub ends: Timestamp,
}

impl Stored for Flow {
    const KIND: Kind = Kind::Flow;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.ends)
    }
}
