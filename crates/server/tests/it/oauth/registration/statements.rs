//! Software statements (RFC 7591 §2.3).

use castellan_proto::jose::{Algorithm, SigningKey};
use serde_json::{Value, json};

use super::support::{BY_TOKEN, asked, machine_token, refused, registered, sent, serving, web_app};
use crate::support::jose;

/// A configuration that accepts statements that `key` signs.
fn accepting(key: &SigningKey, more: &str) -> String {
    let jwks = json!({"keys": [key.jwk()]}).to_string();
    format!(
        "{BY_TOKEN}{more}[[registration.software_statements]]\nissuer = \"https://trust.test\"\njwks = '{jwks}'\n"
    )
}

fn statement(key: &SigningKey, claims: &Value) -> String {
    let mut all =
        json!({"iss": "https://trust.test", "exp": jose::now() + 600, "iat": jose::now()});
    for (name, value) in claims.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    key.sign("JWT", &all).unwrap()
}

#[tokio::test]
async fn what_a_statement_says_takes_precedence() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap().0;
    let castellan = serving(&accepting(&key, "require_software_statement = true\n")).await;
    let signed = statement(
        &key,
        &json!({"client_name": "Vouched", "software_id": "v-1",
        "redirect_uris": ["https://vouched.test/cb"], "client_id": "portal"}),
    );
    let more = json!({"software_statement": signed, "client_name": "Another"});
    let client = registered(&asked(&castellan, &web_app(&more)).await);
    assert_eq!(client["client_name"], "Vouched");
    assert_eq!(client["software_id"], "v-1");
    assert_eq!(client["redirect_uris"], json!(["https://vouched.test/cb"]));
    assert_eq!(client["software_statement"], signed);
    assert_ne!(client["client_id"], "portal");
    // It vouches for nothing that is dangerous.
    let bad = statement(&key, &json!({"scope": "openid Castellan:*"}));
    let answer = asked(&castellan, &web_app(&json!({"software_statement": bad}))).await;
    refused(&answer, 400, "invalid_client_metadata");
    refused(&asked(&castellan, &web_app(&json!({}))).await, 400, "invalid_software_statement");
}

#[tokio::test]
async fn a_statement_that_is_not_proven_is_refused() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap().0;
    let other = SigningKey::generate(Algorithm::Es256).unwrap().0;
    let castellan = serving(&accepting(&key, "")).await;
    let token = machine_token(&castellan, "initial", "dcr").await;
    let unsigned =
        jose::forged(&json!({"alg": "none"}), &json!({"iss": "https://trust.test"}), b"");
    let logout = key.sign("logout+jwt", &json!({"iss": "https://trust.test"})).unwrap();
    let invalid = "invalid_software_statement";
    for (signed, error) in [
        (statement(&other, &json!({})), invalid),
        (statement(&key, &json!({"exp": jose::now() - 5})), invalid),
        (statement(&key, &json!({"nbf": jose::now() + 900})), invalid),
        (statement(&key, &json!({"aud": "https://elsewhere.test"})), invalid),
        (statement(&key, &json!({"iss": "https://evil.test"})), "unapproved_software_statement"),
        (unsigned, invalid),
        (logout, invalid),
        ("nonsense".to_owned(), invalid),
    ] {
        let metadata = web_app(&json!({"software_statement": signed}));
        refused(&sent(&castellan, &token, &metadata).await, 400, error);
    }
    let signed = statement(&key, &json!({}));
    registered(&sent(&castellan, &token, &web_app(&json!({"software_statement": signed}))).await);
}

/// RFC 7591 §2.3: every instance of a software shows the same statement.
#[tokio::test]
async fn instances_of_one_software_share_the_name_of_their_statement() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap().0;
    let castellan = serving(&accepting(&key, "")).await;
    let sent_by = async |initial: &str, signed: Option<&str>| {
        let token = machine_token(&castellan, initial, "dcr").await;
        let mut more = json!({"client_name": "Vouched", "software_id": "v-1"});
        if let Some(signed) = signed {
            more["software_statement"] = json!(signed);
        }
        sent(&castellan, &token, &web_app(&more)).await
    };
    let named =
        |id: &str, name: &str| statement(&key, &json!({"software_id": id, "client_name": name}));
    let (one, next) = (named("v-1", "Vouched"), named("v-1", "vouched!"));
    registered(&sent_by("initial", Some(&one)).await);
    registered(&sent_by("other", Some(&one)).await);
    registered(&sent_by("other", Some(&next)).await);
    // Neither who claims to be the software, nor another one, nor one whose statement does not say so.
    let nameless = statement(&key, &json!({"software_id": "v-1"}));
    let without_id = statement(&key, &json!({"client_name": "Vouched"}));
    let another = named("v-2", "Vouched");
    for signed in [None, Some(&another), Some(&nameless), Some(&without_id)] {
        let answer = sent_by("initial", signed.map(String::as_str)).await;
        let said = refused(&answer, 400, "invalid_client_metadata");
        assert!(said.starts_with("client_name: people could"), "{said}");
    }
    // Nor does a statement give the name of an app that an administrator made.
    let portal = named("v-3", "The portal");
    refused(&sent_by("initial", Some(&portal)).await, 400, "invalid_client_metadata");
}
