//! What a request costs in round trips to the store, on a node that has been at work
//! (`docs/rules.md` rules 27 and 38), and that nothing is too late for being cheap.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_issuer::{
    client_auth::ClientCredentials,
    error::OAuthError,
    machine::api_key::{KeyProof, KeyTerms, KeyTokens},
    management::{
        clients::{ClientList, DatabaseClients, Which},
        dynamic_clients::RegisteredList,
        scim::ScimRequest,
    },
    managers::{Managers, ScopesManager},
    resources::search::{Sort, SortAttribute, SortOrder},
    sign_in::certificate::CertificateName,
    tokens::verified::Holder,
};
use castellan_proto::{Secret, jose::HmacKey};
use serde_json::json;

use crate::{
    harness::{Harness, generated, secret_of},
    registering,
    rules::liveness::{cost, poll},
};

const MACHINE: [(&str, &str); 1] = [("grant_type", "client_credentials")];

/// A harness that hears, and has given a token to every app already.
async fn at_work() -> Harness {
    let harness = Harness::new().await;
    poll(&harness, None).await;
    for client in ["shop", "portal", "lens"] {
        harness.tokens(client).await;
    }
    harness.ask("robot", &MACHINE).await.unwrap();
    harness
}

/// The verbs that `this` took.
async fn verbs<T>(harness: &Harness, this: impl Future<Output = T>) -> (T, Vec<&'static str>) {
    harness.store.arm(None);
    let done = this.await;
    (done, harness.store.verbs())
}

#[tokio::test]
async fn a_token_costs_two_round_trips_at_most() {
    let harness = at_work().await;
    let (_, cost) = verbs(&harness, harness.ask("robot", &MACHINE)).await;
    assert_eq!(cost, ["insert"]);
    for client in ["shop", "portal", "lens"] {
        let tab = harness.tab_of("ada-1").await;
        let code = harness.code(client, &tab, &[]).await;
        let (tokens, cost) = verbs(&harness, harness.redeem(client, &code)).await;
        assert_eq!(cost, ["take", "insert"], "a code of {client}");
        let refresh = tokens.unwrap().refresh_token.unwrap();
        let (refreshed, cost) = verbs(&harness, harness.refresh(client, &refresh, &[])).await;
        refreshed.unwrap();
        assert_eq!(cost, ["get_many", "replace"], "a refresh of {client}");
    }
}

#[tokio::test]
async fn a_token_of_an_app_that_is_known_costs_one_when_it_is_new_and_none_after_that() {
    let harness = at_work().await;
    let token = harness.tokens("shop").await.access_token;
    assert_eq!(cost(&harness, &token).await, 1);
    assert_eq!(cost(&harness, &token).await, 0);
}

#[tokio::test]
async fn a_token_for_an_api_key_costs_none_once_it_was_seen_and_ends_with_its_key() {
    let harness = Harness::new().await;
    let cursor = poll(&harness, None).await;
    let terms = KeyTerms {
        secret: HmacKey::new(b"a secret of at least thirty-two bytes"),
        issuer: "https://ce.example".to_owned(),
        check_issuer: true,
        lifetime: 600,
        keys: BTreeMap::new(),
    };
    let (keys, api_key) = (KeyTokens::new(terms), generated(7));
    let document = |scope: &str| json!({"resourceType": "AuthKey", "id": "sync", "apiKey": api_key, "scopes": [scope]});
    harness.apply(document("Query:*")).await;
    let secret = Secret::new(api_key.clone());
    let proof = KeyProof { id: "sync", api_key: &secret, source: None };
    let token = keys.issue(&harness.issuer, proof, &["Query:Person".to_owned()]).await.unwrap();
    for cost in [1, 0] {
        let (caller, verbs) = verbs(&harness, keys.verify(&harness.issuer, &token)).await;
        assert_eq!((caller.unwrap().id.as_str(), verbs.len()), ("sync", cost));
    }
    // By another node: within the bound of the feed.
    harness.again().await.apply(document("Query:Place")).await;
    poll(&harness, Some(&cursor)).await;
    let caller = keys.verify(&harness.issuer, &token).await.unwrap();
    assert_eq!(caller.key_scopes.to_string(), "Query:Place");
}

#[tokio::test]
async fn a_client_certificate_costs_none_once_it_was_seen_and_ends_with_its_account() {
    let harness = Harness::new().await;
    let cursor = poll(&harness, None).await;
    let document = |active: bool| json!({"resourceType": "User", "id": "eve", "userName": "eve", "email": "eve@example.org", "active": active});
    harness.apply(document(true)).await;
    let (by_name, by_email) =
        (CertificateName::UserName("Eve"), CertificateName::Email("eve@example.org"));
    for name in [by_name, by_email] {
        for cost in [2, 0] {
            let (person, verbs) = verbs(&harness, harness.issuer.person_of_certificate(name)).await;
            assert_eq!((person.unwrap().unwrap().0.as_str(), verbs.len()), ("eve", cost));
        }
    }
    // A name of one kind is none of the other, whatever was seen.
    for name in [CertificateName::UserName("eve@example.org"), CertificateName::Email("eve")] {
        assert!(harness.issuer.person_of_certificate(name).await.unwrap().is_none(), "{name:?}");
    }
    // By another node: within the bound of the feed.
    harness.again().await.apply(document(false)).await;
    poll(&harness, Some(&cursor)).await;
    assert!(harness.issuer.person_of_certificate(by_name).await.unwrap().is_none());
}

async fn shows(harness: &Harness, secret: &str) -> Result<(), OAuthError> {
    let proof = ClientCredentials::Post("shop".to_owned(), Secret::new(secret.to_owned()));
    harness.issuer.authenticate_client(proof, None).await.map(drop)
}

#[tokio::test]
async fn a_new_secret_is_good_everywhere_at_once_and_an_old_one_is_over_with_the_next_poll() {
    let harness = Harness::new().await;
    let cursor = poll(&harness, None).await;
    let (old, new) = (secret_of("shop").unwrap(), generated(9));
    shows(&harness, &old).await.unwrap();
    harness.again().await.edit("shop", |document| document["secret"] = json!(new)).await;
    shows(&harness, &new).await.unwrap();
    assert!(matches!(shows(&harness, &old).await, Err(OAuthError::InvalidClient { .. })));
    poll(&harness, Some(&cursor)).await;
    assert!(matches!(shows(&harness, &old).await, Err(OAuthError::InvalidClient { .. })));
    shows(&harness, &new).await.unwrap();
}

#[tokio::test]
async fn a_wrong_secret_costs_one_round_trip_whether_its_client_is_known_or_not() {
    let harness = at_work().await;
    let (_, known) = verbs(&harness, shows(&harness, &generated(9))).await;
    let proof = ClientCredentials::Post("nobody".to_owned(), Secret::new(generated(9)));
    let (_, unknown) = verbs(&harness, harness.issuer.authenticate_client(proof, None)).await;
    assert_eq!(known, unknown);
}

#[tokio::test]
async fn a_client_that_comes_back_is_served_at_once() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let code = harness.code("shop", &tab, &[]).await;
    harness.edit("shop", |document| document["active"] = json!(false)).await;
    poll(&harness, None).await;
    // Read, and so at hand, while it is out of service.
    assert!(harness.redeem("shop", "csl_code_x").await.is_err());
    harness.again().await.edit("shop", |document| document["active"] = json!(true)).await;
    assert!(harness.redeem("shop", &code).await.is_ok());
}

#[tokio::test]
async fn an_app_that_hears_of_sign_outs_costs_one_write_per_session() {
    let harness = at_work().await;
    let (tab, other) = (harness.tab_of("ada-1").await, harness.tab_of("ada-1").await);
    let first = harness.tab_of("ada-1").await;
    let plain = verbs(&harness, Box::pin(harness.begin("own", &tab, &[]))).await.1;
    harness
        .edit("own", |client| client["backchannel_logout_uri"] = json!("https://own.test"))
        .await;
    // The first of all makes the key that signs what such apps hear.
    harness.begin("own", &first, &[]).await.unwrap();
    let plus = [&plain[..plain.len() - 1], &["get_many", "replace", "insert"]].concat();
    for tab in [&tab, &other] {
        assert_eq!(verbs(&harness, Box::pin(harness.begin("own", tab, &[]))).await.1, plus);
        assert_eq!(verbs(&harness, Box::pin(harness.begin("own", tab, &[]))).await.1, plain);
    }
    assert_eq!(verbs(&harness, Box::pin(harness.begin("lens", &tab, &[]))).await.1, plain);
    harness.tokens("own").await;
    let code = harness.code("own", &tab, &[]).await;
    let (tokens, cost) = verbs(&harness, harness.redeem("own", &code)).await;
    assert_eq!(cost, ["take", "insert"], "sid is in the code");
    let refresh = tokens.unwrap().refresh_token.unwrap();
    let (refreshed, cost) = verbs(&harness, harness.refresh("own", &refresh, &[])).await;
    refreshed.unwrap();
    assert_eq!(cost, ["get_many", "replace"], "and in the family");
}

/// `docs/rules.md` rule 45: what is not there is not looked for all the time, whoever asks.
#[tokio::test]
async fn a_key_that_is_not_known_is_looked_for_once_in_half_a_minute() {
    let harness = at_work().await;
    let looks = async |kid: &str, after: u64| {
        harness.later(after);
        let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": kid}).to_string();
        let token = format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(header));
        let (holds, cost) = verbs(&harness, harness.holds(&token)).await;
        assert!(!holds);
        cost.len()
    };
    assert_eq!(looks("one", 0).await, 1);
    // Another one in the same second has to wait, and is not taken for one that was looked for.
    assert_eq!(looks("two", 0).await, 0);
    assert_eq!(looks("one", 1).await, 0);
    assert_eq!(looks("two", 0).await, 1);
    assert_eq!(looks("one", 28).await, 0);
    assert_eq!(looks("one", 1).await, 1);
}

/// A page of clients costs the same however long it is, and whether they are counted or not.
#[tokio::test]
async fn a_page_of_database_clients_costs_one_round_trip() {
    let harness = Harness::new().await;
    let token = harness.ask("robot", &MACHINE).await.unwrap().access_token;
    let caller = harness.issuer.verify_access(&token, Holder::Bearer).await.unwrap();
    for at in 0..40 {
        let id = format!("app-{at:02}");
        let uris = ["https://app.test/cb"];
        harness
            .apply(json!({
                "resourceType": "Client", "id": id, "redirect_uris": uris,
                "grant_types": ["authorization_code"],
            }))
            .await;
    }
    let tags = BTreeMap::new();
    let clients = DatabaseClients { issuer: &harness.issuer, caller: &caller, tags: &tags };
    for first in [1, 10, 40] {
        let list = ClientList {
            active_only: true,
            which: Which::Found(Some("app-".to_owned())),
            sort: Sort { by: SortAttribute::Name, order: SortOrder::Ascending },
            first,
            after: None,
        };
        let (page, cost) = verbs(&harness, clients.list(&list)).await;
        let page = page.unwrap();
        assert_eq!((page.clients.len(), page.total), (first, 40));
        assert_eq!(cost, ["page"]);
    }
}

#[tokio::test]
async fn a_page_of_registered_clients_costs_the_same_however_long_it_is() {
    let harness = registering::harness().await;
    for at in 0..40 {
        let token = registering::token(&harness, "initial").await;
        registering::register(&harness, &token, &format!("App {at:02}")).await.unwrap();
    }
    for first in [1, 10, 40] {
        let list = RegisteredList {
            active_only: true,
            template: None,
            user_name: None,
            sort: None,
            first,
            after: None,
        };
        let (page, cost) = verbs(&harness, harness.issuer.list_dynamic_clients(&list)).await;
        assert_eq!(page.unwrap().clients.len(), first);
        assert_eq!(cost, ["page_by_name"], "{first}");
    }
}

/// A page of users or groups costs the same however long it is, besides the members that it shows.
#[tokio::test]
async fn a_page_over_scim_costs_the_same_however_long_it_is() {
    let harness = Harness::new().await;
    for at in 0..40 {
        let name = format!("person-{at:02}");
        let groups = json!([{"value": format!("crew-{at:02}")}]);
        harness
            .apply(json!({"resourceType": "User", "id": name, "userName": name, "groups": groups}))
            .await;
    }
    assert!(harness.issuer.index_members(usize::MAX).await.unwrap());
    let token = harness.ask("robot", &MACHINE).await.unwrap().access_token;
    let caller = harness.issuer.verify_access(&token, Holder::Bearer).await.unwrap();
    let scopes = ScopesManager { read: vec!["api:read".to_owned()], ..ScopesManager::default() };
    let managers = Managers { scopes: Some(scopes), ..Managers::default() };
    let permissions = harness.issuer.authorize_management(&caller, &managers).unwrap();
    let caller = harness.issuer.scim_caller(&caller, &permissions, &[], true).await.unwrap();
    for (path, parameter, expected) in [
        ("Users", None, vec!["count", "page"]),
        ("Users", Some(("filter", "userName sw \"person-\"")), vec!["page_by_name"]),
        ("Users", Some(("cursor", "")), vec!["page", "count"]),
        ("Groups", Some(("excludedAttributes", "members")), vec!["count", "page"]),
        // The members of each group that is shown with them cost one more.
        ("Groups", None, vec!["count", "page"]),
    ] {
        for count in [1, 10, 20] {
            let mut parameters = vec![("count".to_owned(), count.to_string())];
            parameters.extend(parameter.map(|(name, value)| (name.to_owned(), value.to_owned())));
            let request =
                ScimRequest { path: vec![path.to_owned()], parameters, ..ScimRequest::default() };
            let (answer, cost) = verbs(&harness, harness.issuer.scim(&caller, &request)).await;
            let shown = answer.unwrap().body.unwrap();
            assert_eq!(shown["Resources"].as_array().unwrap().len(), count);
            let members = if (path, parameter) == ("Groups", None) { count } else { 0 };
            let expected = [&*expected, &vec!["page_by_name"; members]].concat();
            assert_eq!(cost, expected, "{path} {parameter:?} {count}");
        }
    }
}

/// However much was granted, reading it takes the same, as long as the site has no more token families
/// than are read at a time (`docs/contracts/curity.md` §9).
#[tokio::test]
async fn granted_authorizations_cost_three_round_trips_whatever_there_is() {
    let harness = at_work().await;
    for _ in 0..2 {
        let read = harness.issuer.granted_by("ada-1", None, 500);
        let (granted, cost) = verbs(&harness, read).await;
        assert_eq!(cost, ["page", "page", "get_many"]);
        let granted = granted.unwrap();
        assert!(!granted.entries.is_empty() && !granted.is_incomplete);
        for client in ["shop", "portal", "lens"] {
            let tab = harness.tab_of("ada-1").await;
            let code = harness.code(client, &tab, &[]).await;
            harness.redeem(client, &code).await.unwrap();
        }
    }
    let read = harness.issuer.granted_by("ada-1", Some("shop"), 500);
    let (granted, cost) = verbs(&harness, read).await;
    assert_eq!(cost, ["page", "get_many", "get_many"]);
    assert_eq!(granted.unwrap().entries.len(), 1);
}
