//! A grant is one value of the roster: this file adds one, and the token endpoint serves it,
//! discovery names it, and documents set it.

use async_trait::async_trait;
use castellan_issuer::tokens::mint::Authorized;
use castellan_issuer::{
    Issuer,
    client_auth::AuthenticatedClient,
    error::OAuthError,
    grant::{
        self, GrantType, Roster,
        settings::{AskedGrant, seconds},
    },
    records::{Client, GrantName, GrantSettings, TokenFormat},
    request::params::Params,
    resources::{Mode, ResourceKind},
};
use serde::Deserialize;
use serde_json::json;

use crate::harness::Harness;

const NAME: &str = "urn:castellan:test:voucher";

/// A client shows a voucher that is as good as every other.
struct Voucher;

/// What is served without it, as far as it matters here, and with it.
const GRANTS: Roster = &[grant::ROSTER[0], &Voucher];

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct VoucherDocument {
    access_token_expiration: Option<u64>,
}

#[async_trait]
impl GrantType for Voucher {
    fn name(&self) -> &'static str {
        NAME
    }

    fn begins(&self) -> Option<GrantName> {
        Some(GrantName::new(NAME))
    }

    fn read(&self, asked: &AskedGrant<'_>) -> Result<GrantSettings, String> {
        let written: VoucherDocument = asked.read()?;
        Ok(GrantSettings {
            format: TokenFormat::Jwt,
            access_seconds: seconds("access_token_expiration", written.access_token_expiration)?,
            ..GrantSettings::default()
        })
    }

    fn needs_secret(&self, _: &Client) -> bool {
        true
    }

    async fn redeem(
        &self,
        issuer: &Issuer,
        client: &AuthenticatedClient,
        params: &Params,
    ) -> Result<Authorized, OAuthError> {
        let voucher = params.get("voucher").ok_or(OAuthError::Missing("voucher"))?;
        let scope = client.client.scope.clone();
        let family = issuer.new_family(client, GrantName::new(NAME), scope)?;
        let id = format!("voucher-{voucher}");
        issuer.repository().insert(&id, &family, issuer.now()).await?;
        Ok(Authorized { id, family, nonce: None, id_claims: Vec::new(), introduces: false })
    }
}

#[tokio::test]
async fn a_grant_that_one_file_adds_is_served_and_announced() {
    let mut harness = Harness::new().await;
    let shop = [("grant_type", NAME), ("voucher", "1")];
    let unknown = harness.ask("shop", &shop).await;
    assert!(matches!(unknown, Err(OAuthError::UnknownGrant)), "{unknown:?}");

    harness.issuer = harness.issuer.serving(GRANTS);
    let metadata = harness.issuer.metadata();
    assert_eq!(metadata["grant_types_supported"], json!(["authorization_code", NAME]));
    // `shop` has no such grant.
    let refused = harness.ask("shop", &shop).await;
    assert!(matches!(refused, Err(OAuthError::GrantNotAllowed)), "{refused:?}");

    let kiosk = |seconds: u64| {
        json!({
            "resourceType": "Client", "id": "kiosk", "secret": crate::harness::generated(4),
            "grant_types": [NAME], "scope": ["api:read"],
            "auth": {NAME: {"access_token_expiration": seconds}},
        })
    };
    let refused = harness.issuer.apply(kiosk(0), Mode::Write).await.map(drop);
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("access_token_expiration must be a number of seconds"), "{said}");
    harness.apply(kiosk(60)).await;
    let shown = harness.issuer.describe(ResourceKind::CLIENT, "kiosk").await.unwrap().unwrap();
    assert_eq!(shown["grant_types"], json!([NAME]));
    assert_eq!(shown["auth"][NAME]["access_token_expiration"], json!(60));

    let missing = harness.ask("kiosk", &shop[..1]).await;
    assert!(matches!(missing, Err(OAuthError::Missing("voucher"))), "{missing:?}");
    let answer = harness.ask("kiosk", &shop).await.unwrap();
    assert_eq!((answer.expires_in, &*answer.scope), (60, "api:read"));
    assert!(harness.holds(&answer.access_token).await);
}
