//! The token endpoint without HTTP: prove the client, let one grant play its part, mint.

use crate::{
    Issuer,
    audit::{AuditKind, Event, counting::OTHER_GRANT, origin::Party},
    client_auth::{BasicAuth, ClientCredentials},
    error::OAuthError,
    records::Client,
    request::params::Params,
    tokens::{dpop::Proof, mint::TokenAnswer},
};

/// A token request that was answered.
struct Answered {
    answer: TokenAnswer,
    /// For whom it is.
    party: Party,
    /// The family that its tokens belong to.
    family: String,
}

impl Issuer {
    /// Answers a token request (RFC 6749 §3.2).
    ///
    /// # Errors
    /// [`OAuthError`] saying what is wrong with it.
    pub async fn token(
        &self,
        params: &Params,
        basic: Option<BasicAuth>,
        proof: Option<&Proof<'_>>,
    ) -> Result<TokenAnswer, OAuthError> {
        let answered = self.answer_token_request(params, basic, proof).await;
        let grant = params.get("grant_type");
        let kind = match grant {
            Some("refresh_token") => AuditKind::TokenRefreshed,
            _ => AuditKind::TokenIssued,
        };
        // Callers choose what they send, and what is counted has names of ours.
        let named = self.grants().iter().map(|one| one.name()).find(|name| Some(*name) == grant);
        let event = Event::of(kind).by_grant(named.unwrap_or(OTHER_GRANT));
        match &answered {
            Ok(done) => {
                let event = event.by(done.party.clone()).target("Session", &done.family);
                // It is one of the roster's by now.
                self.audit(event.detail(grant.unwrap_or_default()));
            }
            // A device asks again and again until its person has answered.
            Err(OAuthError::Pending | OAuthError::SlowDown) => {}
            Err(error) => self.audit(event.failed(error.code().as_str())),
        }
        answered.map(|done| done.answer)
    }

    /// The answer, and what audit records say of it.
    async fn answer_token_request(
        &self,
        params: &Params,
        basic: Option<BasicAuth>,
        proof: Option<&Proof<'_>>,
    ) -> Result<Answered, OAuthError> {
        // Before anything is used up.
        self.may_issue()?;
        let name = params.get("grant_type").ok_or(OAuthError::Missing("grant_type"))?;
        let grant = self
            .grants()
            .iter()
            .find(|grant| grant.name() == name)
            .ok_or(OAuthError::UnknownGrant)?;
        let shown = ClientCredentials::read(params, basic)?;
        let by_basic = matches!(shown, ClientCredentials::Basic(..));
        let mut client = self.authenticate_client(shown, params.source()).await?;
        if grant.needs_secret(&client.client) && !client.authenticated {
            return Err(OAuthError::InvalidClient { basic: by_basic });
        }
        if !grant.allows(&client.client) {
            return Err(OAuthError::GrantNotAllowed);
        }
        // Every valid proof is remembered, whatever it is for, so those of unauthenticated clients
        // are limited.
        let stranger = params.source().filter(|_| proof.is_some() && !client.authenticated);
        let begun = self.begin_from(stranger)?;
        client.jkt = match self.key_shown(&client.client, proof).await {
            Ok(jkt) => jkt,
            Err(error) => {
                begun.was_right();
                return Err(error);
            }
        };
        let authorized = grant.redeem(self, &client, params).await?;
        begun.was_right();
        let party = Party::through(authorized.family.account.as_deref(), &client.id);
        let family = authorized.id.clone();
        Ok(Answered { answer: self.mint(&client, authorized).await?, party, family })
    }

    /// The thumbprint of the key that `proof` shows, which is owed by clients whose tokens are
    /// bound to one.
    pub(crate) async fn key_shown(
        &self,
        client: &Client,
        proof: Option<&Proof<'_>>,
    ) -> Result<Option<String>, OAuthError> {
        match proof {
            Some(proof) => Ok(Some(self.prove_key(proof).await.map_err(OAuthError::Proof)?)),
            None if client.dpop_bound => Err(OAuthError::ProofMissing),
            None => Ok(None),
        }
    }
}
