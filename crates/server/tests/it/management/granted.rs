//! The Granted Authorizations API (`docs/contracts/curity.md` §9).

use serde_json::{Value, json};

use super::support::{GRANTED, GROUPS, asked, assert_refused, data, serving, token, token_at};
use crate::support::wire::Ask;

#[tokio::test]
async fn exactly_one_name_of_the_owner_is_required() {
    let castellan = serving(GROUPS, "").await;
    let token = token(&castellan, "admin").await;
    for (arguments, is_good) in [
        ("(owner: \"user\")", true),
        ("(username: \"User\")", true),
        ("(owner: \"user\", username: \"user\")", false),
        ("(first: 1)", false),
    ] {
        let query =
            format!("{{grantedAuthorizationsByOwner{arguments} {{totalCount warnings {{type}}}}}}");
        let answer = asked(&castellan, GRANTED, &token, &query).await;
        if is_good {
            let read = json!({"totalCount": 0, "warnings": null});
            assert_eq!(data(&answer)["grantedAuthorizationsByOwner"], read);
        } else {
            assert_refused(&answer, 200, "ValidationError");
        }
    }
    for input in ["", "(input: null)", "(input: {})"] {
        let query = format!("mutation {{revokeGrantedAuthorizationsByOwner{input} {{success}}}}");
        let answer = asked(&castellan, GRANTED, &token, &query).await;
        assert_eq!(answer.json()["data"], json!({"revokeGrantedAuthorizationsByOwner": null}));
        assert_eq!(answer.json()["errors"][0]["extensions"]["classification"], "ValidationError");
    }
}

/// A console of the outside, and a scope that has a name in two languages.
const APPS: &str = r"
---
resourceType: Client
id: game
name: The game
secret: s3cr3t-game
first_party: true
grant_types: [password, refresh_token]
scope: [accounts, groups, openid, profile]
auth: {password: {token_format: opaque, refresh_token: true}}
---
resourceType: Scope
id: profile
scope: profile
language: en
title: Your profile
description: Name and picture
languages: {de: {title: Dein Profil}}
";

const ENTRIES: &str = "edges {node {owner authorizedClient {id name} \
                       authorizedScopes {name localizedName description} authorizedClaims {name} \
                       meta {created lastModified}}} pageInfo {endCursor hasNextPage} totalCount \
                       warnings {type}";

fn by_owner(arguments: &str) -> String {
    format!("{{grantedAuthorizationsByOwner(owner: \"user\"{arguments}) {{{ENTRIES}}}}}")
}

#[tokio::test]
async fn curity_58_delegations_of_one_client_are_one_entry() {
    let castellan = serving(GROUPS, APPS).await;
    let admin = token(&castellan, "admin").await;
    for scope in ["accounts", "accounts groups", "profile"] {
        token_at(&castellan, "game", "user", scope).await;
    }
    let read = data(&asked(&castellan, GRANTED, &admin, &by_owner("")).await);
    let read = &read["grantedAuthorizationsByOwner"];
    assert_eq!(read["totalCount"], 1, "{read}");
    assert_eq!(read["warnings"], Value::Null);
    assert_eq!(read["pageInfo"], json!({"endCursor": null, "hasNextPage": false}));
    let node = &read["edges"][0]["node"];
    assert_eq!(node["owner"], "user");
    assert_eq!(node["authorizedClient"], json!({"id": "game", "name": "The game"}));
    assert_eq!(node["authorizedClaims"], json!([]));
    let scope = |name: &str, title: &str, description: Value| json!({"name": name, "localizedName": title, "description": description});
    let scopes = json!([
        scope("accounts", "accounts", Value::Null),
        scope("groups", "groups", Value::Null),
        scope("profile", "Your profile", json!("Name and picture")),
    ]);
    assert_eq!(node["authorizedScopes"], scopes);
    let time = |name: &str| node["meta"][name].as_u64().unwrap();
    assert!(time("created") <= time("lastModified"));
    let body = json!({"query": by_owner("")});
    let german = Ask::post(&castellan.at(GRANTED)).bearer(&admin).json(&body);
    let german = data(&german.header("accept-language", "de-CH, en;q=0.5").send().await);
    let node = &german["grantedAuthorizationsByOwner"]["edges"][0]["node"];
    assert_eq!(node["authorizedScopes"][2]["localizedName"], "Dein Profil");
}

#[tokio::test]
async fn curity_59_revoking_takes_effect_at_once_and_spares_other_apps() {
    let config = format!("[management]\nmax_delegations = 2\n{GROUPS}");
    let castellan = serving(&config, APPS).await;
    let admin = token(&castellan, "admin").await;
    let other = token_at(&castellan, "console", "user", "accounts groups").await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(token_at(&castellan, "game", "user", "accounts groups").await);
    }
    let query = "{grantedAuthorizationsByOwner(username: \"user\") {warnings {type} edges {node \
                 {authorizedClient {id}}}}}";
    let read = data(&asked(&castellan, GRANTED, &admin, query).await);
    let warnings = &read["grantedAuthorizationsByOwner"]["warnings"];
    assert_eq!(*warnings, json!([{"type": "INCOMPLETE_RESULT"}]));

    let revoke = "mutation {revokeGrantedAuthorizationsByOwnerAndClient(input: {owner: \"user\", \
                  clientId: \"game\"}) {success asynchronous}}";
    let done = json!({"success": true, "asynchronous": false});
    // The second time there is nothing left.
    for _ in 0..2 {
        let revoked = data(&asked(&castellan, GRANTED, &admin, revoke).await);
        assert_eq!(revoked["revokeGrantedAuthorizationsByOwnerAndClient"], done);
    }
    for token in &tokens {
        let answer = asked(&castellan, GRANTED, token, "{__typename}").await;
        assert_refused(&answer, 401, "unauthenticated");
    }
    let by_both = |client: &str| {
        format!(
            "{{grantedAuthorizationsByOwnerAndClient(owner: \"user\", clientId: \"{client}\") \
             {{totalCount warnings {{type}}}}}}"
        )
    };
    for (client, count) in [("game", 0), ("console", 1), ("unheard-of", 0)] {
        let read = data(&asked(&castellan, GRANTED, &admin, &by_both(client)).await);
        let expected = json!({"totalCount": count, "warnings": null});
        assert_eq!(read["grantedAuthorizationsByOwnerAndClient"], expected, "{client}");
    }
    let answer = asked(&castellan, GRANTED, &other, "{__typename}").await;
    assert_eq!(answer.status, 200, "{answer:?}");

    let revoke =
        "mutation {revokeGrantedAuthorizationsByOwner(input: {username: \"user\"}) {success}}";
    data(&asked(&castellan, GRANTED, &admin, revoke).await);
    let answer = asked(&castellan, GRANTED, &other, "{__typename}").await;
    assert_refused(&answer, 401, "unauthenticated");
}

#[tokio::test]
async fn what_people_consented_to_is_there_and_its_withdrawal_ends_its_tokens() {
    let castellan = serving(GROUPS, &format!("---{}", crate::support::fixtures::DOCUMENTS)).await;
    let admin = token(&castellan, "admin").await;
    let tokens = castellan.portal_tokens().await;
    let query = "{grantedAuthorizationsByOwner(owner: \"ann\") {edges {node {authorizedClient {id} \
                 authorizedScopes {name}}}}}";
    let read = data(&asked(&castellan, GRANTED, &admin, query).await);
    let entry = json!({"authorizedClient": {"id": "portal"},
                       "authorizedScopes": [{"name": "openid"}, {"name": "profile"}]});
    assert_eq!(read["grantedAuthorizationsByOwner"]["edges"], json!([{"node": entry}]));
    let revoke = "mutation {revokeGrantedAuthorizationsByOwner(input: {owner: \"ann\"}) {success}}";
    data(&asked(&castellan, GRANTED, &admin, revoke).await);
    let access = crate::support::fixtures::text(&tokens, "access_token");
    assert_eq!(castellan.userinfo(access).await.status, 401);
    let refresh = crate::support::fixtures::text(&tokens, "refresh_token");
    let refreshed = castellan.refresh(refresh, &crate::support::fixtures::PORTAL).await;
    assert_eq!(refreshed.status, 400, "{refreshed:?}");
    assert_eq!(castellan.grants(), 0);
    let read = data(&asked(&castellan, GRANTED, &admin, query).await);
    assert_eq!(read["grantedAuthorizationsByOwner"]["edges"], json!([]));
}

/// Whoever may revoke cannot sign administrators out.
#[tokio::test]
async fn case_19_what_administrators_let_apps_do_is_revoked_by_administrators() {
    const ROOTS: &str = "
---
{resourceType: User, id: root, userName: root, password: pw-root,
 groups: [{value: administrators}]}
---
{resourceType: User, id: chief, userName: chief, password: pw-chief,
 groups: [{value: administrators}, {value: admin}]}
---
{resourceType: Client, id: own, secret: s3cr3t-own, first_party: true, grant_types: [password],
 scope: [accounts, groups, 'Castellan:*']}
";
    let castellan = serving(GROUPS, ROOTS).await;
    let scope = "accounts groups Castellan:*";
    let held = token_at(&castellan, "own", "root", scope).await;
    let revoke =
        "mutation {revokeGrantedAuthorizationsByOwner(input: {username: \"root\"}) {success}}";
    let manager = token(&castellan, "admin").await;
    let answer = asked(&castellan, GRANTED, &manager, revoke).await;
    assert_eq!(answer.json()["errors"][0]["extensions"]["classification"], "access-denied");
    assert!(castellan.is_active(&held, ("own", "s3cr3t-own")).await);
    let chief = token_at(&castellan, "own", "chief", scope).await;
    data(&asked(&castellan, GRANTED, &chief, revoke).await);
    assert!(!castellan.is_active(&held, ("own", "s3cr3t-own")).await);
}

#[tokio::test]
async fn pages_end_with_cursors_that_are_good_for_their_own_list_alone() {
    let client = |number: usize| {
        format!(
            "---\n{{resourceType: Client, id: app{number}, secret: s3cr3t-app{number}, \
             first_party: true, grant_types: [password], scope: [openid]}}\n"
        )
    };
    let documents: String = (0..5).map(client).collect();
    let castellan = serving(GROUPS, &documents).await;
    let admin = token(&castellan, "admin").await;
    for number in 0..5 {
        token_at(&castellan, &format!("app{number}"), "user", "openid").await;
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    for (count, has_next) in [(2, true), (2, true), (1, false)] {
        let arguments = format!(", first: 2, after: \"{after}\"");
        let read = data(&asked(&castellan, GRANTED, &admin, &by_owner(&arguments)).await);
        let page = &read["grantedAuthorizationsByOwner"];
        let nodes = page["edges"].as_array().unwrap();
        assert_eq!((nodes.len(), page["totalCount"].as_u64()), (count, Some(5)));
        seen.extend(nodes.iter().map(|edge| edge["node"]["authorizedClient"]["id"].clone()));
        assert_eq!(page["pageInfo"]["hasNextPage"], has_next);
        assert_eq!(page["pageInfo"]["endCursor"].is_string(), has_next);
        if has_next {
            after = page["pageInfo"]["endCursor"].as_str().unwrap().to_owned();
        }
    }
    assert_eq!(seen, ["app0", "app1", "app2", "app3", "app4"]);
    let elsewhere = format!(
        "{{grantedAuthorizationsByOwner(owner: \"other\", after: \"{after}\") {{totalCount}}}}"
    );
    let first = if after.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{first}{}", &after[1..]);
    for query in [
        elsewhere,
        by_owner(", first: 0"),
        by_owner(", first: -1"),
        by_owner(", after: \"junk\""),
        by_owner(&format!(", after: \"{forged}\"")),
    ] {
        let answer = asked(&castellan, GRANTED, &admin, &query).await;
        assert_refused(&answer, 200, "invalid-argument");
        assert_eq!(answer.json()["errors"][0]["path"], json!(["grantedAuthorizationsByOwner"]));
    }
}

/// What an app was given that is inactive for now is good again once it is active; what a revoked one
/// had is over (`docs/contracts/curity.md` §9).
#[tokio::test]
async fn what_an_inactive_app_was_given_is_listed_and_what_a_revoked_one_had_is_not() {
    let castellan = serving(GROUPS, APPS).await;
    let admin = token(&castellan, "admin").await;
    token_at(&castellan, "game", "user", "accounts groups").await;
    let game = |more: &str| {
        let (_, rest) = APPS.split_once("---").unwrap();
        let (game, _) = rest.split_once("---").unwrap();
        castellan.cli_with(&["apply", "-f", "-"], &format!("{game}{more}\n"))
    };
    let listed = async || {
        let query = "{grantedAuthorizationsByOwner(owner: \"user\") {totalCount}}";
        data(&asked(&castellan, GRANTED, &admin, query).await)["grantedAuthorizationsByOwner"]
            ["totalCount"]
            .clone()
    };
    for (more, count) in [("active: false", 1), ("active: true", 1), ("revoked: true", 0)] {
        let applied = game(more);
        assert!(applied.status.success(), "{applied:?}");
        // Another process changed it: within the bound of the feed.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(listed().await, count, "{more}");
    }
}
