//! An authorization code, once there is nothing left to ask the person.

use castellan_proto::OpaqueKind;

use crate::{
    Issuer,
    authorization::{
        next::{FlowError, Next},
        request::AuthorizationRequest,
    },
    records::{Client, Code, code::code_id, repository::Written},
    session::browser::SignedIn,
    store::StoreError,
    tokens::family::{code_of, new_id},
};

impl Issuer {
    /// Answers `request` with a code.
    pub(crate) async fn answer_with_code(
        &self,
        request: &AuthorizationRequest,
        client: &Client,
        person: &SignedIn,
    ) -> Result<Next, FlowError> {
        self.may_issue()?;
        let now = self.now();
        let family = new_id(now);
        let code = code_of(OpaqueKind::Code, &family);
        let agreement = if client.first_party {
            String::new()
        } else {
            self.agreement(request, person).await?
        };
        // First, so that no app gets a code that would not be notified of a sign-out.
        let sid = self.remember_app(&request.client_id, client, person).await?;
        let body = Code {
            family,
            account: person.account_id.clone(),
            scope: request.scope.clone(),
            redirect_uri: request.redirect_uri.clone(),
            challenge: request.challenge,
            nonce: request.nonce.clone(),
            jkt: request.jkt.clone(),
            resources: request.resources.clone(),
            id_claims: request.claims.id_token.clone(),
            beyond_scopes: request.claims.beyond.clone(),
            auth_time: person.auth_time,
            amr: person.amr.clone(),
            account_generation: person.account.generation,
            client_generation: client.generation,
            session: person.session.clone(),
            sid,
            by_consent: !client.first_party,
            agreement,
            ends: now + self.settings().code.get(),
        };
        // Before there is a code: of any number that answer one pushed request, one does.
        if !self.use_up_pushed(request).await? {
            return Err(FlowError::Expired);
        }
        let id = code_id(&request.client_id, &code);
        if self.repository().insert(&id, &body, now).await? != Written::Done {
            return Err(StoreError::new("a newly generated code was already in use").into());
        }
        Ok(self.answer(&request.back(), &[("code", &code.text())]))
    }
}
