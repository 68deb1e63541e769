//! `docs/contracts/trompa.md` §9, items 1 to 14 and 31 to 39: keys traded for tokens.

use castellan_proto::jose::{Compact, HmacKey};
use http::Method;
use serde_json::{Value, json};

use crate::{
    dialects::trompa_guard::{SECRET, Stage, assert_denied, mint, plan, with},
    support::{
        castellan::{Castellan, Plan},
        jose,
        wire::{Answer, Ask},
    },
};

const MISSING: &str = "The `apiKey` or `id` property is missing in the request body";
const NO_SCOPES: &str = "The `scopes` property is missing or not an Array with at least one scope";
const NO_PAIR: &str = "The apiKey and id combination is not correct";

/// What `/jwt` says to `body`.
async fn jwt(castellan: &Castellan, body: &Value) -> Answer {
    Ask::post(&castellan.at("/jwt")).json(body).send().await
}

async fn ask(castellan: &Castellan, key: &str, scopes: &[&str]) -> Answer {
    jwt(castellan, &json!({"id": key, "apiKey": format!("k-{key}"), "scopes": scopes})).await
}

/// The token that `key` is given for `scopes`.
async fn trade(castellan: &Castellan, key: &str, scopes: &[&str]) -> String {
    let answer = ask(castellan, key, scopes).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.json();
    assert_eq!(body["success"], true);
    body["jwt"].as_str().unwrap().to_owned()
}

#[track_caller]
fn assert_no(answer: &Answer, status: u16, message: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.json(), json!({"success": false, "message": message}), "{answer:?}");
}

#[tokio::test]
async fn trompa_01_a_key_is_traded_for_a_token() {
    let castellan = Castellan::start(plan(None)).await;
    let answer = ask(&castellan, "admin", &["*"]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.json()["success"], true);
    assert_eq!(answer.json()["jwt"].as_str().unwrap().split('.').count(), 3);
}

#[tokio::test]
async fn trompa_02_a_token_has_exactly_the_claims_of_the_contract() {
    let castellan = Castellan::start(plan(None)).await;
    let token = trade(&castellan, "admin", &["*"]).await;
    assert_eq!(jose::header(&token), json!({"alg": "HS256", "typ": "JWT"}));
    let claims = jose::claims(&token);
    let names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["id", "scopes", "iat", "exp", "iss"]);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 86_400);
    assert_eq!(claims["iss"], "https://ce.example");
    assert_eq!(claims["id"], "admin");
    assert_eq!(claims["scopes"], json!(["*"]));
}

#[tokio::test]
async fn trompa_03_the_signature_is_an_hmac_with_the_secret() {
    let castellan = Castellan::start(plan(None)).await;
    let token = trade(&castellan, "admin", &["*"]).await;
    let compact = Compact::read(&token).unwrap();
    assert!(compact.verified_by_hmac(&HmacKey::new(SECRET.as_bytes())).is_some());
}

#[tokio::test]
async fn trompa_04_an_empty_request_is_told_what_is_missing() {
    let castellan = Castellan::start(plan(None)).await;
    assert_no(&jwt(&castellan, &json!({})).await, 401, MISSING);
    assert_no(&jwt(&castellan, &json!([])).await, 401, MISSING);
}

#[tokio::test]
async fn trompa_05_an_empty_key_is_a_missing_one() {
    let castellan = Castellan::start(plan(None)).await;
    for (id, key) in [
        (json!("admin"), json!("")),
        (json!("admin"), json!(null)),
        (json!("admin"), json!(0)),
        (json!("admin"), json!(false)),
        (json!(""), json!("k-admin")),
    ] {
        let body = json!({"id": id, "apiKey": key, "scopes": ["*"]});
        assert_no(&jwt(&castellan, &body).await, 401, MISSING);
    }
}

#[tokio::test]
async fn trompa_06_a_form_is_not_read() {
    let castellan = Castellan::start(plan(None)).await;
    let form = [("id", "admin"), ("apiKey", "k-admin"), ("scopes", "*")];
    let answer = Ask::post(&castellan.at("/jwt")).form(&form).send().await;
    assert_no(&answer, 401, MISSING);
    let answer = Ask::post(&castellan.at("/jwt")).send().await;
    assert_no(&answer, 401, MISSING);
}

#[tokio::test]
async fn trompa_07_scopes_must_be_a_list_with_something_in_it() {
    let castellan = Castellan::start(plan(None)).await;
    let mut body = json!({"id": "admin", "apiKey": "k-admin"});
    assert_no(&jwt(&castellan, &body).await, 401, NO_SCOPES);
    for scopes in [json!([]), json!("*"), json!({}), json!(null), json!(1)] {
        body["scopes"] = scopes;
        assert_no(&jwt(&castellan, &body).await, 401, NO_SCOPES);
    }
}

#[tokio::test]
async fn trompa_08_a_wrong_key_and_an_unknown_id_are_not_told_apart() {
    let castellan = Castellan::start(plan(None)).await;
    for (id, key) in [("admin", "wrong"), ("admin", "k-persons"), ("nobody", "k-admin")] {
        let body = json!({"id": id, "apiKey": key, "scopes": ["*"]});
        assert_no(&jwt(&castellan, &body).await, 403, NO_PAIR);
    }
}

/// §2.1: rows 3, 4 and 5 are looked at in this order.
#[tokio::test]
async fn what_is_wrong_first_is_what_is_told() {
    let castellan = Castellan::start(plan(None)).await;
    let body = json!({"id": "persons", "apiKey": "wrong", "scopes": []});
    assert_no(&jwt(&castellan, &body).await, 401, NO_SCOPES);
    let body = json!({"id": "persons", "apiKey": "wrong", "scopes": ["Mutation:Place:Create"]});
    assert_no(&jwt(&castellan, &body).await, 403, NO_PAIR);
}

#[tokio::test]
async fn trompa_09_a_narrow_key_is_not_given_everything() {
    let castellan = Castellan::start(plan(None)).await;
    let answer = ask(&castellan, "persons", &["*"]).await;
    assert_no(&answer, 403, "You don't have access to the requested '*' scope");
}

#[tokio::test]
async fn trompa_10_the_first_scope_that_is_not_covered_is_named() {
    let castellan = Castellan::start(plan(None)).await;
    let scopes = ["Mutation:Person:Create", "Mutation:Place:Create", "Mutation:Event:Create"];
    let answer = ask(&castellan, "persons", &scopes).await;
    assert_no(&answer, 403, "You don't have access to the requested 'Mutation:Place:Create' scope");
}

#[tokio::test]
async fn trompa_11_patterns_are_granted_by_what_they_cover() {
    let castellan = Castellan::start(plan(None)).await;
    let three = ["Mutation:Person:Create", "Mutation:Person:Update", "Mutation:Person:Delete"];
    for (key, scopes, granted) in [
        ("persons", &["Mutation:Person:*"][..], true),
        ("persons", &["Mutation:Person:Merge"], true),
        ("persons", &["Mutation:*"], false),
        ("persons", &["mutation:person:create"], false),
        ("trio", &["Mutation:Person:*"], false),
        ("trio", &three, true),
        ("admin", &["Mutation:*:Create", "Query:ControlAction"], true),
        ("admin", &[""], false),
    ] {
        let answer = ask(&castellan, key, scopes).await;
        let status = if granted { 200 } else { 403 };
        assert_eq!(answer.status, status, "{key} {scopes:?}: {answer:?}");
    }
}

#[tokio::test]
async fn trompa_12_no_spelling_of_a_scope_widens_a_key() {
    let stage = Stage::start().await;
    stage.archive.ask("mutation { CreatePlace(identifier: \"p\", name: \"p\") { name } }").await;
    for scope in [
        "Mutation:Person:(a|b)|Mutation:*",
        "Mutation:Person:{a,b}|Mutation:*",
        "Mutation:Person:*|*",
        "!Mutation:Person:Delete",
        "Mutation:Person:{*,Create},Mutation:*",
    ] {
        let answer = ask(&stage.castellan, "persons", &[scope]).await;
        assert_eq!(answer.status, 403, "{scope}: {answer:?}");
        assert!(answer.json().get("jwt").is_none(), "{answer:?}");
    }
    // Even a token that was signed with such a scope opens nothing.
    let forged = mint("persons", &["Mutation:Person:(a|b)|Mutation:*"]);
    let delete = "mutation { DeletePlace(identifier: \"p\") { name } }";
    assert_denied(&stage.send(Some(&forged), delete).await, "DeletePlace", "UNAUTHENTICATED");
    let wide = mint("persons", &["Mutation:*"]);
    assert_denied(&stage.send(Some(&wide), delete).await, "DeletePlace", "FORBIDDEN");
    assert_eq!(stage.names("Place", "p").await, json!([{"name": "p"}]));
}

#[tokio::test]
async fn trompa_13_what_is_no_scope_is_refused_in_our_own_words() {
    let castellan = Castellan::start(plan(None)).await;
    for scopes in
        [json!(["!x"]), json!([1]), json!([null]), json!(["*", {}]), json!([".x"]), json!(["a/b"])]
    {
        let body = json!({"id": "admin", "apiKey": "k-admin", "scopes": scopes});
        let answer = jwt(&castellan, &body).await;
        assert!(answer.status.is_client_error(), "{answer:?}");
        assert_eq!(answer.json()["success"], false);
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message == NO_SCOPES || message.starts_with("You don't have access"), "{message}");
    }
}

#[tokio::test]
async fn trompa_14_methods_and_malformed_bodies_are_answered_as_the_contract_says() {
    let castellan = Castellan::start(plan(None)).await;
    for body in ["{", "", "1", "\"x\"", "null", "{\"id\":"] {
        let answer = Ask::post(&castellan.at("/jwt")).body("application/json", body).send().await;
        assert_eq!(answer.status, 400, "{body:?}: {answer:?}");
        assert_eq!(answer.json()["success"], false, "{answer:?}");
        assert!(answer.json()["message"].is_string(), "{answer:?}");
    }
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = Ask::new(method, &castellan.at("/jwt")).send().await;
        assert_eq!(answer.status, 405, "{answer:?}");
        assert_eq!(answer.body, "");
        assert_eq!(answer.header("allow"), Some("OPTIONS, POST"));
    }
    let preflight = Ask::new(Method::OPTIONS, &castellan.at("/jwt"))
        .header("origin", "https://app.test")
        .header("access-control-request-method", "POST");
    assert_eq!(preflight.send().await.status, 204);
}

#[tokio::test]
async fn trompa_31_no_error_gives_away_how_we_are_made() {
    let stage = Stage::start().await;
    let castellan = &stage.castellan;
    let write = "mutation { CreatePerson(name: \"x\") { identifier } }";
    let mut answers = vec![
        jwt(castellan, &json!({})).await,
        jwt(castellan, &json!({"id": "admin", "apiKey": "wrong", "scopes": ["*"]})).await,
        ask(castellan, "persons", &["*"]).await,
        ask(castellan, "admin", &["!x"]).await,
        Ask::post(&castellan.at("/jwt")).body("application/json", "{").send().await,
        Ask::get(&castellan.at("/nowhere")).send().await,
    ];
    for (token, query) in
        [(None, write), (Some("garbage"), write), (None, "{"), (None, "{ nothing }"), (None, "")]
    {
        answers.push(stage.send(token, query).await);
    }
    for answer in answers {
        for secret in ["stack", "panicked", ".rs", "/src", "node_modules", SECRET, "k-admin"] {
            assert!(!answer.body.contains(secret), "{secret}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn trompa_32_the_scheme_is_read_in_any_case_and_must_be_there() {
    let stage = Stage::start().await;
    let token = mint("admin", &["*"]);
    let query = json!({"query": "mutation { CreatePerson(name: \"x\") { name } }"});
    for (value, good) in [
        (format!("Bearer {token}"), true),
        (format!("bearer {token}"), true),
        (format!("BEARER {token}"), true),
        (token.clone(), false),
        (format!("Token {token}"), false),
        (format!("Bearer {token} {token}"), false),
    ] {
        let ask = Ask::post(&stage.castellan.at("/graphql")).json(&query);
        let answer = ask.header("authorization", &value).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["data"]["CreatePerson"].is_object(), good, "{value}: {answer:?}");
    }
}

#[tokio::test]
async fn trompa_33_lifetimes_are_read_as_the_contract_reads_them() {
    for (expires, seconds) in [
        ("3600", 3_600),
        ("1.5h", 5_400),
        (".5h", 1_800),
        ("2 days", 172_800),
        ("1y", 31_557_600),
        ("1D", 86_400),
        ("", 86_400),
    ] {
        let castellan = Castellan::start(with(plan(None), "JWT_EXPIRES", expires)).await;
        let claims = jose::claims(&trade(&castellan, "admin", &["*"]).await);
        let lives = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert_eq!(lives, seconds, "{expires:?}");
    }
}

#[tokio::test]
async fn trompa_34_what_is_no_lifetime_stops_the_start() {
    for expires in [" 1d", "1.h", "1mo", "1h30m", "abc", "+1d"] {
        let said = Castellan::refuses(with(plan(None), "JWT_EXPIRES", expires)).await;
        assert!(said.contains("JWT_EXPIRES"), "{expires:?}: {said}");
    }
    // Nothing and less, and more than a year, are for tests only, and the switch is off here.
    let strong = "0123456789abcdef0123456789abcdef";
    for expires in ["0", "-1d", "1.01y"] {
        let plan = with(with(plan(None), "JWT_EXPIRES", expires), "JWT_SECRET", strong);
        let plan = with(plan, "CASTELLAN__SECURITY__INSECURE", "false");
        let said = Castellan::refuses(plan).await;
        assert!(said.contains("JWT_EXPIRES"), "{expires:?}: {said}");
    }
}

/// `docs/security-cases.md` trap 2: what is printed in a document is no secret.
#[tokio::test]
async fn the_documented_sample_secret_stops_the_start() {
    let sample = "jfBeQsMWo5y3AX1MaN8Vvzkkmkx2TUpVYohpwDXf6ck=";
    let keys = json!([{"id": "client-id", "apiKey": sample, "scopes": ["*"]}]).to_string();
    let strong = "0123456789abcdef0123456789abcdef";
    let plan = with(with(plan(None), "JWT_AUTH_KEYS", &keys), "JWT_SECRET", strong);
    let said = Castellan::refuses(with(plan, "CASTELLAN__SECURITY__INSECURE", "false")).await;
    assert!(said.contains("sample secret") && !said.contains(sample), "{said}");
}

#[tokio::test]
async fn trompa_35_keys_without_a_secret_and_broken_keys_stop_the_start() {
    let mut without = plan(None);
    without.environment.retain(|(name, _)| *name != "JWT_SECRET");
    let said = Castellan::refuses(without).await;
    assert!(said.contains("JWT_SECRET"), "{said}");
    for keys in [
        "[{",
        "{}",
        "[{\"id\":\"x\",\"apiKey\":\"k-x\"}]",
        "[{\"id\":\"x\",\"apiKey\":\"k-x\",\"scopes\":[]}]",
        "[{\"id\":\"x\",\"apiKey\":\"k-x\",\"scopes\":[\"Mutation:(a|b)\"]}]",
        "[{\"id\":\"x\",\"apiKey\":\"\",\"scopes\":[\"*\"]}]",
    ] {
        let said = Castellan::refuses(with(plan(None), "JWT_AUTH_KEYS", keys)).await;
        assert!(said.contains("JWT_AUTH_KEYS"), "{keys}: {said}");
        assert!(!said.contains("k-x"), "{said}");
    }
    let secure = || with(plan(None), "CASTELLAN__SECURITY__INSECURE", "false");
    let said = Castellan::refuses(secure()).await;
    assert!(said.contains("JWT_AUTH_KEYS: the apiKey of the key \"admin\""), "{said}");
    assert!(!said.contains("k-admin"), "{said}");
    let mut weak = secure();
    weak.environment.retain(|(name, _)| *name != "JWT_AUTH_KEYS");
    let said = Castellan::refuses(weak).await;
    assert!(said.contains("JWT_SECRET") && !said.contains(SECRET), "{said}");
}

#[tokio::test]
async fn trompa_36_two_keys_may_share_an_id_while_one_takes_the_others_place() {
    let keys = json!([
        {"id": "editor", "apiKey": "k-old", "scopes": ["Mutation:Person:*"]},
        {"id": "editor", "apiKey": "k-new", "scopes": ["Mutation:Person:*"]},
    ]);
    let castellan = Castellan::start(with(plan(None), "JWT_AUTH_KEYS", &keys.to_string())).await;
    for key in ["k-old", "k-new"] {
        let body = json!({"id": "editor", "apiKey": key, "scopes": ["Mutation:Person:Create"]});
        assert_eq!(jwt(&castellan, &body).await.status, 200, "{key}");
    }
}

/// By two minutes and a clock that is moved, where the contract has two seconds and a wait of three:
/// on a busy machine a token of two seconds may be over before it is used.
#[tokio::test]
async fn trompa_37_a_token_expires() {
    let archive = crate::support::castellan::Archive::start().await;
    let castellan = Castellan::start(with(plan(Some(&archive)), "JWT_EXPIRES", "2m")).await;
    let stage = Stage { archive, castellan };
    let token = trade(&stage.castellan, "admin", &["*"]).await;
    let write = "mutation { CreatePerson(name: \"x\") { name } }";
    assert_eq!(stage.send(Some(&token), write).await.json()["data"]["CreatePerson"]["name"], "x");
    stage.castellan.advance_to(121);
    let answer = stage.send(Some(&token), write).await;
    assert_eq!(answer.json()["errors"][0]["message"], "Your token is expired", "{answer:?}");
    assert_denied(&answer, "CreatePerson", "UNAUTHENTICATED");
}

#[tokio::test]
async fn trompa_38_a_new_secret_ends_every_token() {
    let mut stage = Stage::start().await;
    let token = trade(&stage.castellan, "admin", &["*"]).await;
    let write = "mutation { CreatePerson(name: \"x\") { name } }";
    assert_eq!(stage.send(Some(&token), write).await.json()["data"]["CreatePerson"]["name"], "x");
    stage.castellan.set("JWT_SECRET", "another-secret");
    stage.castellan.restart().await;
    let answer = stage.send(Some(&token), write).await;
    assert_denied(&answer, "CreatePerson", "UNAUTHENTICATED");
    let message = "You are not authorized for this resource";
    assert_eq!(answer.json()["errors"][0]["message"], message);
}

#[tokio::test]
async fn trompa_39_a_browser_app_may_send_its_token() {
    let stage = Stage::start().await;
    let answer = Ask::new(Method::OPTIONS, &stage.castellan.at("/graphql"))
        .header("origin", "https://app.test")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization, content-type")
        .send()
        .await;
    assert!(answer.status.is_success(), "{answer:?}");
    let allowed = answer.header("access-control-allow-headers").unwrap().to_ascii_lowercase();
    assert!(allowed.contains("authorization") && allowed.contains("content-type"), "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}

/// A key that is kept has as many secrets as its document says, and tells when it was last traded.
#[tokio::test]
async fn a_kept_key_is_rotated_without_a_gap() {
    let document = |keys: &str| {
        format!("resourceType: AuthKey\nid: editor\n{keys}\nscopes: [\"Mutation:Person:*\"]\n")
    };
    let castellan = Castellan::start(Plan {
        documents: document("apiKey: k-old"),
        environment: vec![("JWT_SECRET", "not-so-secret".to_owned())],
        ..Plan::default()
    })
    .await;
    let status = async |key: &str| {
        let body = json!({"id": "editor", "apiKey": key, "scopes": ["Mutation:Person:*"]});
        jwt(&castellan, &body).await.status.as_u16()
    };
    let apply = |keys: &str| {
        let output = castellan.cli_with(&["apply", "-f", "-"], &document(keys));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(!castellan.said(&["get", "AuthKey", "editor"]).contains("used"));
    assert_eq!(status("k-old").await, 200);
    assert!(castellan.said(&["get", "AuthKey", "editor"]).contains("used: "));
    assert!(apply("apiKeys: [k-old, k-new]").contains("updated AuthKey/editor"));
    assert!(apply("apiKeys: [k-old, k-new]").contains("unchanged AuthKey/editor"));
    assert_eq!((status("k-old").await, status("k-new").await), (200, 200));
    // Whether anybody still uses the old one is what a rotation waits for.
    let used = castellan.said(&["get", "AuthKey", "editor"]);
    assert!(used.contains("keysUsed:\n- 1") && used.matches("\n- 1").count() == 2, "{used}");
    apply("apiKeys: [k-old, k-new, k-newest]");
    let used = castellan.said(&["get", "AuthKey", "editor"]);
    assert!(used.matches("\n- 1").count() == 2 && used.contains("\n- null"), "{used}");
    apply("apiKeys: [k-old, k-new]");
    // What `get` prints can be applied again, and takes no secret away.
    let shown = castellan.said(&["get", "AuthKey", "editor"]);
    assert!(shown.contains("keys: 2") && !shown.contains("k-old"), "{shown}");
    assert!(castellan.cli_with(&["apply", "-f", "-"], &shown).status.success());
    assert_eq!((status("k-old").await, status("k-new").await), (200, 200));
    apply("apiKey: k-new");
    assert_eq!((status("k-old").await, status("k-new").await), (403, 200));
}

#[tokio::test]
async fn a_key_that_moves_from_the_environment_to_a_record_works_on_either_side() {
    let stage = Stage::start().await;
    let document =
        "resourceType: AuthKey\nid: persons\napiKey: k-new\nscopes: [\"Mutation:Place:*\"]\n";
    let output = stage.castellan.cli_with(&["apply", "-f", "-"], document);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (api_key, kind) in [("k-persons", "Person"), ("k-new", "Place")] {
        let scope = format!("Mutation:{kind}:Create");
        let body = json!({"id": "persons", "apiKey": api_key, "scopes": [scope]});
        let answer = jwt(&stage.castellan, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let create =
            format!("mutation {{ Create{kind}(identifier: \"x\", name: \"x\") {{ identifier }} }}");
        let token = answer.json()["jwt"].as_str().unwrap().to_owned();
        let done = stage.send(Some(&token), &create).await;
        assert_eq!(done.json()["errors"], Value::Null, "{done:?}");
    }
    // And a record of the same id covers nothing for the key of the environment.
    let body = json!({"id": "persons", "apiKey": "k-persons", "scopes": ["Mutation:Place:Create"]});
    assert_eq!(jwt(&stage.castellan, &body).await.status, 403);
}

/// §3.1: what begins later is not good yet.
#[tokio::test]
async fn a_token_of_the_future_is_not_good_yet() {
    let stage = Stage::start().await;
    let now = jose::now();
    for (begins, denied) in [(now + 600, true), (now - 1, false)] {
        let claims = json!({
            "id": "admin", "scopes": ["*"], "iat": now, "exp": now + 900, "nbf": begins,
            "iss": "https://ce.example",
        });
        let token = jose::signed_with(SECRET, &claims);
        let answer =
            stage.send(Some(&token), "mutation { CreatePerson(name: \"n\") { name } }").await;
        assert_eq!(answer.json()["data"]["CreatePerson"].is_null(), denied, "{answer:?}");
    }
}

#[tokio::test]
async fn a_key_is_made_and_rotated_on_the_command_line() {
    let castellan = Castellan::start(plan(None)).await;
    let shown = |said: &str| {
        said.split("apiKey: ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
    };
    let added = castellan.said(&["auth-key", "add", "sync", "--scope", "Mutation:Person:*"]);
    let first = shown(&added);
    assert!(added.contains("created AuthKey/sync") && first.starts_with("csl_key_"), "{added}");
    let status = async |api_key: &str| {
        let body = json!({"id": "sync", "apiKey": api_key, "scopes": ["Mutation:Person:Create"]});
        jwt(&castellan, &body).await.status.as_u16()
    };
    assert_eq!(status(&first).await, 200);
    let second = shown(&castellan.said(&["auth-key", "rotate", "sync", "--keep"]));
    assert_eq!((status(&first).await, status(&second).await), (200, 200));
    let third = shown(&castellan.said(&["auth-key", "rotate", "sync", "--keep"]));
    assert_eq!((status(&first).await, status(&second).await), (403, 200));
    let fourth = shown(&castellan.said(&["auth-key", "rotate", "sync"]));
    for (api_key, expected) in [(&second, 403), (&third, 403), (&fourth, 200)] {
        assert_eq!(status(api_key).await, expected);
    }
    // Nothing that is kept holds a secret, nor shows one.
    let file = std::fs::read(castellan.path("castellan.db")).unwrap();
    let listed = castellan.said(&["auth-key", "list", "-o", "yaml"]);
    for api_key in [&first, &second, &third, &fourth] {
        assert!(!listed.contains(&**api_key));
        assert!(!file.windows(api_key.len()).any(|part| part == api_key.as_bytes()));
    }
    for refused in [
        ["auth-key", "add", "sync", "--scope", "Query:*"],
        ["auth-key", "add", "other", "--scope", "openid"],
    ] {
        assert!(!castellan.cli(&refused).status.success(), "{refused:?}");
    }
    assert!(!castellan.cli(&["auth-key", "rotate", "nobody"]).status.success());
}

/// §3.1: whether the issuer is looked at is a switch.
#[tokio::test]
async fn another_issuer_ends_tokens_unless_it_is_not_looked_at() {
    let archive = crate::support::castellan::Archive::start().await;
    let write = "mutation { CreatePerson(name: \"n\") { name } }";
    for (table, good) in [("", false), ("[jwt]\ncheck_issuer = false\n", true)] {
        let mut plan = with(plan(Some(&archive)), "JWT_ISSUER", "https://new.example");
        plan.config.insert_str(0, table);
        let castellan = Castellan::start(plan).await;
        // `mint` names the issuer of before.
        let token = mint("admin", &["*"]);
        let answer = castellan.graphql("/graphql", Some(&token), write).await;
        assert_eq!(answer.json()["data"]["CreatePerson"].is_object(), good, "{answer:?}");
    }
}
