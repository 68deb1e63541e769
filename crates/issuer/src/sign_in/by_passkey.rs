//! Signing in by a passkey: the authenticator says who it is, and verifies them.

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::Digest;
use serde_json::Value;

use super::{Field, SignInMethod};
use crate::{
    Issuer,
    error::OAuthError,
    language::Text,
    records::{Account, Amr, repository::Versioned},
    request::params::Params,
    session::browser::Browser,
};

/// Its name, and that of the second factor, and of their forms.
pub(super) const NAME: &str = "passkey";

/// What a person reads whose passkey proved nothing.
pub(super) const PROBLEM: Text = Text {
    en: "This passkey was not accepted. Try again, or sign in another way.",
    ca: "Aquesta clau d’accés no s’ha acceptat. Torna-ho a provar o inicia la sessió d’una altra manera.",
    es: "Esta llave de acceso no se ha aceptado. Inténtalo de nuevo o inicia sesión de otra manera.",
    de: "Dieser Passkey wurde nicht angenommen. Versuchen Sie es noch einmal, oder melden Sie sich \
         anders an.",
    fr: "Cette clé d’accès n’a pas été acceptée. Réessayez, ou connectez-vous autrement.",
};

/// What an authenticator answers is sent as this field.
pub(super) const RESPONSE: &str = "response";

/// What an authenticator signs in the flow `flow`, in base64url. Whoever does not have the flow, which
/// its browser has and which is used up by a sign-in, cannot know it.
pub(super) fn challenge(flow: &str) -> String {
    let digest = Digest::of_all(&[b"castellan passkey challenge\0", flow.as_bytes()]);
    URL_SAFE_NO_PAD.encode(digest.0)
}

/// The way to sign in.
pub(super) struct ByPasskey;

#[async_trait]
impl SignInMethod for ByPasskey {
    fn name(&self) -> &'static str {
        NAME
    }

    fn amr(&self) -> &'static [&'static str] {
        Amr::PASSKEY
    }

    fn fields(&self) -> &'static [Field] {
        &[]
    }

    fn is_offered(&self, issuer: &Issuer) -> bool {
        issuer.settings().passkeys.is_some()
    }

    fn request(&self, issuer: &Issuer, flow: &str) -> Option<Value> {
        issuer.passkey_request(None, &challenge(flow))
    }

    fn problem(&self) -> Text {
        PROBLEM
    }

    async fn check(
        &self,
        issuer: &Issuer,
        (flow, form): (&str, &Params),
        browser: &Browser,
    ) -> Result<Option<Versioned<Account>>, OAuthError> {
        let response = form.get(RESPONSE).unwrap_or_default();
        issuer.check_passkey(&challenge(flow), response, None, browser).await
    }
}
