//! JWTs that people get for their password, at guards whose dialect means them by `jwt`
//! (`docs/contracts/ibexa.md` §4); and getting one by the mutation `createToken` (§4.4).

use async_trait::async_trait;
use axum::http::Extensions;
use castellan_gate::{BasicError, Credential};
use castellan_issuer::{error::OAuthError, sign_in::name_and_password::NameAndPassword};
use castellan_proto::Secret;

use super::{CredentialKind, Shown, people::People, refused, unavailable};
use crate::{
    config::GuardConfig,
    guards::{GuardParts, site_access::AtSiteAccess},
    wire::request,
};

/// The kind of callers that are a person with a JWT.
const KIND: &str = "person_jwt";

struct PersonJwt {
    people: People,
    creates: bool,
}

pub(super) fn take(config: &GuardConfig, parts: &GuardParts) -> Option<Box<dyn CredentialKind>> {
    let takes = config.takes_jwts_of_people();
    takes.then(|| {
        let creates = config.creates_tokens();
        Box::new(PersonJwt { people: People::of(config, parts), creates }) as _
    })
}

#[async_trait]
impl CredentialKind for PersonJwt {
    async fn by_token(&self, credential: &Credential<'_>) -> Shown {
        // They are bound to no key.
        if credential.possession.is_some() {
            return Ok(None);
        }
        match self.people.issuer.verify_person_token(credential.bearer).await {
            Ok(person) => self.people.caller(KIND, &person).await.map(Some),
            Err(error) => refused(error),
        }
    }

    async fn create_token(
        &self,
        name: &str,
        password: &Secret,
        extensions: &Extensions,
    ) -> Result<Option<Secret>, BasicError> {
        if !self.creates {
            return Ok(None);
        }
        let issuer = &self.people.issuer;
        let source = request::source(extensions);
        let created = async {
            let person =
                issuer.person_of_request(NameAndPassword { name, password }, source).await?;
            let Some(person) = person else { return Ok(None) };
            // Of the person who signs in now, and not of the caller, who is nobody yet (§7.3).
            if let Some(AtSiteAccess(site_access)) = extensions.get() {
                let who = (&*person.id, &*person.account.groups);
                let may = issuer.may_sign_in_at(&site_access.name, Some(who)).await?;
                if !may || !site_access.graphql_jwt {
                    return Ok(None);
                }
            }
            issuer.issue_person_token(&person, name).await.map(Some)
        };
        match created.await {
            Ok(token) => Ok(token.map(Secret::new)),
            Err(OAuthError::Throttled(seconds)) => Err(BasicError::TooMany(seconds)),
            Err(OAuthError::SecondFactorNeeded) => Err(BasicError::SecondFactor),
            Err(error) => {
                let _: castellan_gate::Unavailable = unavailable(&error);
                Err(BasicError::Unavailable)
            }
        }
    }
}
