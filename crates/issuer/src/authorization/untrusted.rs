//! Apps that registered themselves say where their browsers are sent, and nobody has looked at that. A
//! link to this server must not lead strangers there by itself (RFC 9700 §4.11.2).

use castellan_proto::{ErrorCode, RedirectUri};

use crate::{
    Issuer,
    authorization::{
        next::{FlowError, Next},
        request::AuthorizeError,
    },
    records::Client,
    request::params::Params,
    session::browser::Browser,
    store::StoreError,
};

impl Issuer {
    /// Begins: an app sent the person here.
    ///
    /// # Errors
    /// [`FlowError::Authorize`] if the request is not to be served; [`FlowError::Withheld`] if the app
    /// is not to learn that by itself.
    pub async fn begin(&self, params: &Params, browser: &Browser) -> Result<Next, FlowError> {
        let begun = self.begin_for_app(params, browser).await;
        self.withheld(begun, params.get("client_id").unwrap_or_default(), browser).await
    }

    /// `step`, unless it would send a browser in which nobody is signed in to an address that
    /// `client_id` registered itself. Silent authentication is excepted, whose answer is awaited by a
    /// script (RFC 9700 §4.11.2).
    pub(super) async fn withheld(
        &self,
        step: Result<Next, FlowError>,
        client_id: &str,
        browser: &Browser,
    ) -> Result<Next, FlowError> {
        let (code, text, back) = match step {
            Err(FlowError::Authorize(AuthorizeError::Client { code, text, back }))
                if code != ErrorCode::LoginRequired =>
            {
                (code, text, back)
            }
            step => return step,
        };
        if self.is_vouched_for(client_id).await? || self.signed_in(browser).await?.is_some() {
            return Err(AuthorizeError::Client { code, text, back }.into());
        }
        Err(FlowError::Withheld { code, text, back })
    }

    /// Whether an administrator has written the addresses of `client_id`, or the template of them.
    async fn is_vouched_for(&self, client_id: &str) -> Result<bool, StoreError> {
        let found = self.repository().get::<Client>(client_id, self.now()).await?;
        Ok(found.is_some_and(|stored| stored.body.is_vouched_for()))
    }

    /// Whether the client `client_id` registered `uri` for a page that leads there by itself after a
    /// sign-in. One that registered itself has no such addresses.
    pub(super) async fn leads_on_to(&self, client_id: &str, uri: &str) -> Result<bool, StoreError> {
        let found = self.repository().get::<Client>(client_id, self.now()).await?;
        let is_one = |registered: &RedirectUri| registered.as_str() == uri;
        Ok(found.is_some_and(|stored| {
            let client = &stored.body;
            client.active && client.is_vouched_for() && client.redirect_uris.iter().any(is_one)
        }))
    }
}
