//! Tokens of other issuers at the management APIs, which decide by what every token says.

use std::{sync::Arc, time::Duration};

use castellan_proto::scope::Scopes;
use serde_json::json;

use super::ForeignToken;
use crate::{
    Issuer,
    records::{Client, TokenProfile},
    tokens::verified::Live,
};

/// The client of such a token, as far as rules ask: it may have what the token has, and nothing else
/// is known of it. The other issuer's clients are not ours, even if they are called the same.
fn client(scope: &Scopes) -> Option<Client> {
    let record = json!({
        "secret": null, "active": true, "scope": scope, "access_alg": "ES256", "id_alg": "RS256",
    });
    serde_json::from_value(record).ok()
}

impl ForeignToken {
    /// The token as one of `issuer`, which the configuration says it is to count as. None of
    /// Castellan's own rights is among its scopes.
    #[must_use]
    pub fn into_live(self, issuer: &Issuer) -> Option<Live> {
        let now = issuer.now();
        let name = format!("TokenIntrospector/{}", self.introspector);
        Some(Live {
            family_id: name.clone(),
            jti: name.clone(),
            client_id: name,
            client: Arc::new(client(&self.scopes)?),
            named_audience: None,
            profile: TokenProfile::default(),
            account: self.person,
            scope: self.scopes,
            claims: Vec::new(),
            groups: Some(self.groups),
            audience: vec![issuer.address().issuer.clone()],
            jkt: None,
            issued: now,
            // It was verified for this request alone.
            expires: now + Duration::from_secs(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_of_no_record_may_have_what_its_token_has() {
        let scope = Scopes::parse("accounts Query:*").unwrap();
        let client = client(&scope).unwrap();
        assert_eq!(client.scope, scope);
        assert!(!client.first_party && client.groups_claims.is_none());
    }
}
