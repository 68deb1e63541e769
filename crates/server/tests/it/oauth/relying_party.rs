//! An app as others write it: `openidconnect` as it comes, told the issuer's address and nothing
//! else, at a server whose TLS ends before it.

use std::{convert::Infallible, pin::Pin, str::FromStr as _, sync::Mutex, time::Duration};

use http::header::CONTENT_TYPE;
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalProviderMetadata, AsyncHttpClient, AuthorizationCode,
    ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, DeviceAuthorizationUrl,
    DeviceCodeErrorResponseType, DiscoveryError, EndSessionUrl, EndpointSet, HttpRequest,
    HttpResponse, IntrospectionUrl, IssuerUrl, LogoutRequest, Nonce, OAuth2TokenResponse as _,
    PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl, ProviderMetadata, RedirectUrl,
    RequestTokenError, ResourceOwnerPassword, ResourceOwnerUsername, RevocationUrl, Scope,
    StandardErrorResponse, TokenIntrospectionResponse as _, TokenResponse as _, UserInfoError,
    core::{
        CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient,
        CoreClientAuthMethod, CoreDeviceAuthorizationResponse, CoreErrorResponseType,
        CoreGrantType, CoreIdToken, CoreIdTokenClaims, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm,
        CoreProviderMetadata, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
        CoreTokenResponse, CoreTokenType, CoreUserInfoClaims,
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    oauth::device,
    support::{
        browser::Browser,
        castellan::{Castellan, Plan},
        wire::{Answer, Ask},
    },
};

const ISSUER: &str = "https://id.test";
/// Every sign that Basic has to encode (RFC 6749 §2.3.1).
const SECRET: &str = "s:e/c+r%e t&=\"é";
const ALGORITHMS: [&str; 4] = ["RS256", "PS256", "ES256", "EdDSA"];

/// Ann, an app with a secret, one without, one that wants userinfo signed, a device, and one app for
/// each algorithm of ID tokens.
fn documents() -> String {
    let app = |id: &str, more: &str| {
        format!(
            "---\nresourceType: Client\nid: {id}\nscope: [openid, profile, email, \"Query:*\"]\n\
             redirect_uris: [\"https://{id}.test/cb\"]\n{more}\n"
        )
    };
    let secret = serde_json::to_string(SECRET).unwrap();
    let grants = "grant_types: [authorization_code, refresh_token]";
    let mut documents = String::from(
        "resourceType: User\nid: ann\nuserName: ann\npassword: pw-ann\n\
         name: {givenName: Ann, familyName: Roe}\n\
         emails: [{value: ann@example.test, primary: true}]\n",
    );
    documents += &app(
        "web",
        &format!(
            "secret: {secret}\ngrant_types: [authorization_code, refresh_token, client_credentials]\n\
             post_logout_redirect_uris: [\"https://web.test/bye\"]"
        ),
    );
    documents += &app("phone", grants);
    documents += &app("signed", &format!("{grants}\nuserinfo_signed_response_alg: RS256"));
    documents += &app("tv", "grant_types: [device_code, refresh_token]");
    for algorithm in ALGORITHMS {
        let wish = format!("{grants}\nid_token_signed_response_alg: {algorithm}");
        documents += &app(&algorithm.to_ascii_lowercase(), &wish);
    }
    documents
}

/// What is served beyond what the library has a name for.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Beyond {
    device_authorization_endpoint: DeviceAuthorizationUrl,
    introspection_endpoint: IntrospectionUrl,
    revocation_endpoint: RevocationUrl,
    end_session_endpoint: EndSessionUrl,
    authorization_response_iss_parameter_supported: bool,
    code_challenge_methods_supported: Vec<String>,
}

impl AdditionalProviderMetadata for Beyond {}

type Metadata = ProviderMetadata<
    Beyond,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

type App = CoreClient<EndpointSet, EndpointSet, EndpointSet, EndpointSet, EndpointSet, EndpointSet>;

type Refused = RequestTokenError<Infallible, StandardErrorResponse<CoreErrorResponseType>>;

/// Where TLS ends: what is meant for the issuer goes to the server behind it.
struct Net(Castellan);

impl Net {
    async fn start() -> Self {
        let (documents, issuer) = (documents(), Some(ISSUER.to_owned()));
        Self(Castellan::start(Plan { documents, issuer, ..Plan::default() }).await)
    }

    fn behind(&self, url: &str) -> String {
        let path = url.strip_prefix(ISSUER).expect("nobody else is asked");
        self.0.at(path)
    }

    async fn carry(&self, request: HttpRequest) -> HttpResponse {
        let (mut parts, body) = request.into_parts();
        let mut ask = Ask::new(parts.method, &self.behind(&parts.uri.to_string()));
        if let Some(media_type) = parts.headers.remove(CONTENT_TYPE) {
            ask = ask.body(media_type.to_str().unwrap(), body);
        }
        for (name, value) in &parts.headers {
            ask = ask.header(name.as_str(), value.to_str().unwrap());
        }
        let answer = ask.send().await;
        let mut response = HttpResponse::new(answer.body.into_bytes());
        (*response.status_mut(), *response.headers_mut()) = (answer.status, answer.headers);
        response
    }

    async fn discover(&self) -> Metadata {
        let issuer = IssuerUrl::new(ISSUER.to_owned()).unwrap();
        Metadata::discover_async(issuer, self).await.unwrap()
    }

    /// The app `id`, which goes by what it discovers.
    async fn app(&self, id: &str, secret: Option<&str>) -> App {
        let metadata = self.discover().await;
        let beyond = metadata.additional_metadata().clone();
        let token = metadata.token_endpoint().unwrap().clone();
        let userinfo = metadata.userinfo_endpoint().unwrap().clone();
        let secret = secret.map(|secret| ClientSecret::new(secret.to_owned()));
        CoreClient::from_provider_metadata(metadata, ClientId::new(id.to_owned()), secret)
            .set_redirect_uri(RedirectUrl::new(format!("https://{id}.test/cb")).unwrap())
            .set_token_uri(token)
            .set_user_info_url(userinfo)
            .set_device_authorization_url(beyond.device_authorization_endpoint)
            .set_introspection_url(beyond.introspection_endpoint)
            .set_revocation_url(beyond.revocation_endpoint)
    }

    async fn web(&self) -> App {
        self.app("web", Some(SECRET)).await
    }

    /// Sends the browser off and takes what it comes back with.
    async fn ask(&self, app: &App, browser: &mut Browser) -> Asked {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let (url, state, nonce) = app
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scope(Scope::new("profile".to_owned()))
            .add_scope(Scope::new("email".to_owned()))
            .set_pkce_challenge(challenge)
            .url();
        let answer = browser.walk_to(&self.0, &self.behind(url.as_str())).await;
        assert!(answer.location().starts_with(app.redirect_uri().unwrap().as_str()), "{answer:?}");
        assert_eq!(answer.location_param("state").as_ref(), Some(state.secret()));
        assert_eq!(answer.location_param("iss").as_deref(), Some(ISSUER));
        let code = answer.location_param("code").unwrap_or_else(|| panic!("no code: {answer:?}"));
        Asked { code: AuthorizationCode::new(code), verifier, nonce }
    }

    async fn redeem(
        &self,
        app: &App,
        code: &AuthorizationCode,
        verifier: &PkceCodeVerifier,
    ) -> Result<CoreTokenResponse, Refused> {
        let verifier = PkceCodeVerifier::new(verifier.secret().clone());
        app.exchange_code(code.clone()).set_pkce_verifier(verifier).request_async(self).await
    }

    async fn sign_in(&self, app: &App, browser: &mut Browser) -> (CoreTokenResponse, Nonce) {
        let asked = self.ask(app, browser).await;
        (self.redeem(app, &asked.code, &asked.verifier).await.unwrap(), asked.nonce)
    }

    async fn tokens(&self, app: &App) -> CoreTokenResponse {
        self.sign_in(app, &mut Browser::default()).await.0
    }

    async fn refresh(
        &self,
        app: &App,
        tokens: &CoreTokenResponse,
    ) -> Result<CoreTokenResponse, Refused> {
        app.exchange_refresh_token(tokens.refresh_token().unwrap()).request_async(self).await
    }

    async fn userinfo(
        &self,
        app: &App,
        tokens: &CoreTokenResponse,
    ) -> Result<CoreUserInfoClaims, UserInfoError<Infallible>> {
        app.user_info(tokens.access_token().clone(), None).request_async(self).await
    }
}

impl<'c> AsyncHttpClient<'c> for Net {
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Infallible>> + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async { Ok(self.carry(request).await) })
    }
}

/// What an app has when its browser comes back.
struct Asked {
    code: AuthorizationCode,
    verifier: PkceCodeVerifier,
    nonce: Nonce,
}

/// The claims of the ID token, held against the published keys, the nonce and the access token.
fn verified(app: &App, tokens: &CoreTokenResponse, nonce: &Nonce) -> CoreIdTokenClaims {
    let (token, verifier) = (tokens.id_token().expect("an ID token"), app.id_token_verifier());
    let claims = token.claims(&verifier, nonce).unwrap();
    let (algorithm, key) = (token.signing_alg().unwrap(), token.signing_key(&verifier).unwrap());
    let hash = AccessTokenHash::from_token(tokens.access_token(), algorithm, key).unwrap();
    assert_eq!(claims.access_token_hash(), Some(&hash), "{algorithm:?}");
    claims.clone()
}

#[track_caller]
fn assert_refused<T>(outcome: Result<T, Refused>, code: &CoreErrorResponseType) {
    match outcome.err().expect("it is refused") {
        RequestTokenError::ServerResponse(answer) => assert_eq!(answer.error(), code),
        error => panic!("{error:?}"),
    }
}

#[track_caller]
fn assert_challenged(outcome: Result<CoreUserInfoClaims, UserInfoError<Infallible>>) {
    match outcome {
        Err(UserInfoError::Response(status, ..)) => assert_eq!(status, 401),
        other => panic!("{other:?}"),
    }
}

fn scopes(scopes: Option<&Vec<Scope>>) -> Vec<&str> {
    let mut scopes: Vec<_> = scopes.expect("it says them").iter().map(|scope| &***scope).collect();
    scopes.sort_unstable();
    scopes
}

#[tokio::test]
async fn discovery_tells_an_app_all_that_it_needs() {
    let net = Net::start().await;
    let issuer = || IssuerUrl::new(ISSUER.to_owned()).unwrap();
    let core = CoreProviderMetadata::discover_async(issuer(), &net).await.unwrap();
    assert_eq!(core.issuer(), &issuer());
    assert_eq!(core.response_types_supported().len(), 1);
    let grants = core.grant_types_supported().unwrap();
    for grant in [
        CoreGrantType::AuthorizationCode,
        CoreGrantType::RefreshToken,
        CoreGrantType::ClientCredentials,
        CoreGrantType::DeviceCode,
    ] {
        assert!(grants.contains(&grant), "{grant:?} is not among {grants:?}");
    }
    let methods = core.token_endpoint_auth_methods_supported().unwrap();
    assert!(methods.contains(&CoreClientAuthMethod::ClientSecretBasic), "{methods:?}");
    let algorithms = core.id_token_signing_alg_values_supported();
    assert_eq!(algorithms.len(), ALGORITHMS.len(), "it knows every one: {algorithms:?}");
    assert!(algorithms.contains(&CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256));
    assert!(!core.jwks().keys().is_empty());
    let more = net.discover().await.additional_metadata().clone();
    assert!(more.authorization_response_iss_parameter_supported);
    assert_eq!(more.code_challenge_methods_supported, ["S256"]);
    // Another spelling of the issuer is another issuer (OIDC Discovery §4.3).
    let other = IssuerUrl::new(format!("{ISSUER}/")).unwrap();
    let refused = CoreProviderMetadata::discover_async(other, &net).await;
    assert!(matches!(refused, Err(DiscoveryError::Validation(_))), "{refused:?}");
}

async fn signs_a_person_in(net: &Net, app: &App) {
    let (tokens, nonce) = net.sign_in(app, &mut Browser::default()).await;
    assert_eq!(tokens.token_type(), &CoreTokenType::Bearer);
    assert!(tokens.expires_in().unwrap() > Duration::ZERO);
    assert_eq!(scopes(tokens.scopes()), ["email", "openid", "profile"]);
    let claims = verified(app, &tokens, &nonce);
    assert_eq!(claims.subject().as_str(), "ann");
    assert!(claims.auth_time().unwrap() <= claims.issue_time());
    let subject = Some(claims.subject().clone());
    let asked = app.user_info(tokens.access_token().clone(), subject);
    let person: CoreUserInfoClaims = asked.request_async(net).await.unwrap();
    assert_eq!(person.name().unwrap().get(None).unwrap().as_str(), "Ann Roe");
    assert_eq!(person.email().unwrap().as_str(), "ann@example.test");
    let token = tokens.id_token().unwrap();
    let mistaken = token.claims(&app.id_token_verifier(), &Nonce::new("other".to_owned()));
    assert!(matches!(mistaken, Err(ClaimsVerificationError::InvalidNonce(_))), "{mistaken:?}");
}

#[tokio::test]
async fn an_app_with_a_secret_signs_a_person_in() {
    let net = Net::start().await;
    signs_a_person_in(&net, &net.web().await).await;
}

#[tokio::test]
async fn a_public_app_signs_a_person_in() {
    let net = Net::start().await;
    signs_a_person_in(&net, &net.app("phone", None).await).await;
}

#[tokio::test]
async fn an_id_token_holds_by_every_algorithm_together_with_its_access_token() {
    let net = Net::start().await;
    for name in ALGORITHMS {
        let app = net.app(&name.to_ascii_lowercase(), None).await;
        let (tokens, nonce) = net.sign_in(&app, &mut Browser::default()).await;
        let algorithm = tokens.id_token().unwrap().signing_alg().unwrap();
        assert_eq!(serde_json::to_value(algorithm).unwrap(), name);
        verified(&app, &tokens, &nonce);
    }
}

#[tokio::test]
async fn an_access_token_is_no_id_token() {
    let net = Net::start().await;
    let app = net.web().await;
    let (tokens, nonce) = net.sign_in(&app, &mut Browser::default()).await;
    let posing = CoreIdToken::from_str(tokens.access_token().secret()).unwrap();
    let refused = posing.claims(&app.id_token_verifier(), &nonce);
    assert!(matches!(refused, Err(ClaimsVerificationError::Unsupported(_))), "{refused:?}");
}

#[tokio::test]
async fn an_app_that_wants_userinfo_signed_gets_it_signed() {
    let net = Net::start().await;
    for (id, is_signed) in [("signed", true), ("phone", false)] {
        let app = net.app(id, None).await;
        let tokens = net.tokens(&app).await;
        let asked = app.user_info(tokens.access_token().clone(), None);
        let told: Result<CoreUserInfoClaims, _> =
            asked.require_signed_response(true).request_async(&net).await;
        match told {
            Ok(person) => assert!(is_signed && person.subject().as_str() == "ann", "{person:?}"),
            Err(UserInfoError::ClaimsVerification(error)) => assert!(!is_signed, "{error}"),
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_refresh_token_renews_and_one_that_is_old_ends_them_all() {
    let net = Net::start().await;
    for app in [net.web().await, net.app("phone", None).await] {
        let first = net.tokens(&app).await;
        let second = net.refresh(&app, &first).await.unwrap();
        assert_ne!(second.access_token().secret(), first.access_token().secret());
        // A renewed ID token has no nonce of its own (OIDC Core §12.2).
        let claims =
            second.id_token().unwrap().claims(&app.id_token_verifier(), |_: Option<&_>| Ok(()));
        assert_eq!(claims.unwrap().subject().as_str(), "ann");
        let third = net.refresh(&app, &second).await.unwrap();
        net.userinfo(&app, &third).await.unwrap();
        assert_refused(net.refresh(&app, &first).await, &CoreErrorResponseType::InvalidGrant);
        assert_refused(net.refresh(&app, &third).await, &CoreErrorResponseType::InvalidGrant);
        assert_challenged(net.userinfo(&app, &third).await);
    }
}

#[tokio::test]
async fn a_machine_gets_what_it_asks_for_and_no_more() {
    let net = Net::start().await;
    let app = net.web().await;
    let ask = async |scope: &str| {
        let request = app.exchange_client_credentials().add_scope(Scope::new(scope.to_owned()));
        request.request_async(&net).await
    };
    let tokens = ask("Query:Person:Get").await.unwrap();
    assert_eq!(scopes(tokens.scopes()), ["Query:Person:Get"]);
    assert!(tokens.id_token().is_none() && tokens.refresh_token().is_none());
    assert_refused(ask("Mutation:*").await, &CoreErrorResponseType::InvalidScope);
}

async fn begin(net: &Net, app: &App) -> CoreDeviceAuthorizationResponse {
    app.exchange_device_code().request_async(net).await.unwrap()
}

#[tokio::test]
async fn a_device_waits_for_its_person_and_heeds_slow_down() {
    let net = Net::start().await;
    let app = net.app("tv", None).await;
    let details = begin(&net, &app).await;
    assert_eq!(details.verification_uri().as_str(), format!("{ISSUER}/auth/device"));
    let pauses = Mutex::new(Vec::new());
    let (pauses_in, net_in, details_in) = (&pauses, &net, &details);
    let pause = |pause: Duration| async move {
        let count = {
            let mut pauses = pauses_in.lock().unwrap();
            pauses.push(pause.as_secs());
            pauses.len()
        };
        // The first time no time passes: the device asks again too soon.
        if count > 1 {
            let code = details_in.user_code().secret();
            let agreed = device::answer(&net_in.0, code, "allow").await;
            assert_eq!(agreed.status, 200, "{agreed:?}");
            net_in.0.advance_to(10);
        }
    };
    let request = app.exchange_device_access_token(&details);
    let tokens = request.request_async(&net, pause, None).await.unwrap();
    assert_eq!(*pauses.lock().unwrap(), [5, 10], "authorization_pending, then slow_down");
    let claims =
        tokens.id_token().unwrap().claims(&app.id_token_verifier(), |_: Option<&_>| Ok(()));
    assert_eq!(claims.unwrap().subject().as_str(), "ann");
    net.refresh(&app, &tokens).await.unwrap();
}

#[tokio::test]
async fn a_device_is_told_no_and_too_late() {
    let net = Net::start().await;
    let app = net.app("tv", None).await;
    let look = async |details: &CoreDeviceAuthorizationResponse| {
        let never = |_: Duration| async { panic!("there is nothing to wait for") };
        let request = app.exchange_device_access_token(details);
        let refused = request.request_async(&net, never, None).await;
        match refused.expect_err("it is refused") {
            RequestTokenError::ServerResponse(answer) => answer.error().clone(),
            error => panic!("{error:?}"),
        }
    };
    let denied = begin(&net, &app).await;
    let said = device::answer(&net.0, denied.user_code().secret(), "deny").await;
    assert_eq!(said.status, 200, "{said:?}");
    assert_eq!(look(&denied).await, DeviceCodeErrorResponseType::AccessDenied);
    let late = begin(&net, &app).await;
    net.0.advance_to(601);
    assert_eq!(look(&late).await, DeviceCodeErrorResponseType::ExpiredToken);
}

#[tokio::test]
async fn an_app_looks_into_its_tokens() {
    let net = Net::start().await;
    let app = net.web().await;
    let tokens = net.tokens(&app).await;
    let seen = app.introspect(tokens.access_token()).request_async(&net).await.unwrap();
    assert!(seen.active());
    assert_eq!((seen.sub(), seen.username(), seen.iss()), (Some("ann"), Some("ann"), Some(ISSUER)));
    assert_eq!(seen.client_id().map(|id| &***id), Some("web"));
    assert_eq!(scopes(seen.scopes()), ["email", "openid", "profile"]);
    assert_eq!(seen.token_type(), Some(&CoreTokenType::Bearer));
    assert!(seen.exp().unwrap() > seen.iat().unwrap());
    assert!(seen.aud().is_some() && seen.jti().is_some(), "{seen:?}");
    let junk = AccessToken::new("junk".to_owned());
    assert!(!app.introspect(&junk).request_async(&net).await.unwrap().active());
}

#[tokio::test]
async fn an_app_gives_everything_back_by_either_token() {
    let net = Net::start().await;
    for app in [net.web().await, net.app("phone", None).await] {
        for by_refresh_token in [true, false] {
            let tokens = net.tokens(&app).await;
            let token = if by_refresh_token {
                tokens.refresh_token().unwrap().into()
            } else {
                tokens.access_token().into()
            };
            app.revoke_token(token).unwrap().request_async(&net).await.unwrap();
            assert_challenged(net.userinfo(&app, &tokens).await);
            assert_refused(net.refresh(&app, &tokens).await, &CoreErrorResponseType::InvalidGrant);
        }
    }
}

#[tokio::test]
async fn an_app_signs_its_person_out() {
    let net = Net::start().await;
    let (app, mut browser) = (net.web().await, Browser::default());
    let (tokens, _) = net.sign_in(&app, &mut browser).await;
    let end = net.discover().await.additional_metadata().end_session_endpoint.clone();
    let back = PostLogoutRedirectUrl::new("https://web.test/bye".to_owned()).unwrap();
    let url = LogoutRequest::from(end)
        .set_id_token_hint(tokens.id_token().unwrap())
        .set_client_id(ClientId::new("web".to_owned()))
        .set_post_logout_redirect_uri(back)
        .set_state(CsrfToken::new("a b&c".to_owned()))
        .http_get_url();
    let account = async |browser: &mut Browser| browser.get(&net.0.at("/account")).await.status;
    assert_eq!(account(&mut browser).await, 200);
    let answer: Answer = browser.get(&net.behind(url.as_str())).await;
    assert!(answer.location().starts_with("https://web.test/bye?"), "{answer:?}");
    assert_eq!(answer.location_param("state").as_deref(), Some("a b&c"));
    assert_ne!(account(&mut browser).await, 200);
}

#[tokio::test]
async fn a_refusal_says_what_is_wrong_in_the_words_of_the_standard() {
    use CoreErrorResponseType as Code;

    let net = Net::start().await;
    let (web, phone) = (net.web().await, net.app("phone", None).await);
    let mut browser = Browser::default();
    let asked = net.ask(&web, &mut browser).await;
    let impostor = net.app("web", Some("wrong")).await;
    let by_impostor = net.redeem(&impostor, &asked.code, &asked.verifier).await;
    assert_refused(by_impostor, &Code::InvalidClient);
    let (_, other) = PkceCodeChallenge::new_random_sha256();
    assert_refused(net.redeem(&web, &asked.code, &other).await, &Code::InvalidGrant);
    let spent = net.redeem(&web, &asked.code, &asked.verifier).await;
    assert_refused(spent, &Code::InvalidGrant);
    let of_another = net.ask(&web, &mut browser).await;
    let stolen = net.redeem(&phone, &of_another.code, &of_another.verifier).await;
    assert_refused(stolen, &Code::InvalidGrant);
    // The attempt has not burnt it.
    net.redeem(&web, &of_another.code, &of_another.verifier).await.unwrap();

    let nobody = net.app("nobody", None).await;
    let begun: Result<CoreDeviceAuthorizationResponse, _> =
        nobody.exchange_device_code().request_async(&net).await;
    assert_refused(begun, &Code::InvalidClient);
    let begun: Result<CoreDeviceAuthorizationResponse, _> =
        phone.exchange_device_code().request_async(&net).await;
    assert_refused(begun, &Code::UnauthorizedClient);
    let (name, password) = (
        ResourceOwnerUsername::new("ann".to_owned()),
        ResourceOwnerPassword::new("pw-ann".to_owned()),
    );
    let by_password = web.exchange_password(&name, &password).request_async(&net).await;
    assert_refused(by_password, &Code::UnauthorizedClient);
}
