//! Each attribute in both directions.

use proptest::{prelude::*, sample::subsequence};
use serde_json::{Value, json};

use super::{super::*, HELD, ISSUER, RUNTIME, TAGS, caller};

/// Fields that act together, any of which may be given.
fn optional_fields() -> Vec<(&'static str, Value)> {
    vec![
        ("name", json!("One")),
        ("description", json!("What it is for")),
        ("logo_uri", json!("data:image/png;base64,AAAA")),
        ("policy_uri", json!("https://a.example/policy")),
        ("tos_uri", json!("https://a.example/terms")),
        ("application_url", json!("https://a.example/")),
        ("status", json!("INACTIVE")),
        ("tags", json!(["t1", "t2"])),
        ("scopes", json!(["openid", "orders:read"])),
        ("audiences", json!(["https://api.example", "other"])),
        ("allowed_origins", json!(["https://a.example"])),
        ("access_token_ttl", json!(123)),
        ("id_token", json!({"id_token_ttl": 234})),
        (
            "refresh_token",
            json!({"refresh_token_ttl": 345, "refresh_token_max_rolling_lifetime": 3_456, "reuse_refresh_tokens": true}),
        ),
        ("properties", json!({"a": 1, "b": {"c": [true, null]}})),
        (
            "user_authentication",
            json!({
                "allowed_post_logout_redirect_uris": ["https://a.example/out"],
                "backchannel_logout_uri": "https://a.example/back",
                "frontchannel_logout_uri": "https://a.example/front",
                "allowed_authenticators": ["x"], "freshness": 60,
            }),
        ),
        ("claim_mapper_id", json!("mapper")),
        ("subject_type", json!("pairwise")),
        ("request_object", json!({"request_jwt_issuer": "me"})),
    ]
}

/// Whether everything in `part` is in `whole`.
fn is_within(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part
            .iter()
            .all(|(name, value)| whole.get(name).is_some_and(|whole| is_within(value, whole))),
        (part, whole) => part == whole,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// From here to `/Client` and back nothing that was given is another, whichever part is given.
    #[test]
    fn each_mapping_holds_in_both_directions(
        fields in subsequence(optional_fields(), 0..=19),
        capabilities in subsequence(vec!["code", "client_credentials", "introspection", "implicit"], 1..=4),
        proof in 0_usize..2,
    ) {
        RUNTIME.block_on(async {
            let issuer = &*ISSUER;
            let caller = caller(issuer, HELD).await;
            let api = DatabaseClients { issuer, caller: &caller, tags: &TAGS };
            let id = "subset";
            let mut given = Attributes::new();
            given.insert("client_id".to_owned(), json!(id));
            given.insert("redirect_uris".to_owned(), json!(["https://a.example/cb"]));
            given.extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
            let asked: Value = capabilities.iter().map(|name| ((*name).to_owned(), json!({}))).collect::<Attributes>().into();
            given.insert("capabilities".to_owned(), asked);
            let needs = capabilities.iter().any(|name| *name == "client_credentials" || *name == "introspection");
            let is_public = proof == 0 && !needs;
            let primary = if is_public {
                json!({"no_authentication": "no_auth"})
            } else {
                json!({"secret": {"secret": "a long enough secret"}})
            };
            given.insert("client_authentication".to_owned(), json!({"primary": primary}));
            let made = api.create(&given).await;
            prop_assert!(made.is_ok(), "{:?} of {:?}", made, given);
            let made = made.unwrap();
            for (name, value) in &given {
                if name != "client_authentication" {
                    prop_assert!(is_within(value, &made[name]), "{}: {} in {}", name, value, made[name]);
                }
            }
            // The document of `/Client`, written back, changes nothing.
            let shown = issuer.describe(ResourceKind::CLIENT, id).await.unwrap().unwrap();
            let applied = issuer.apply(shown.clone(), Mode::Write).await;
            prop_assert!(applied.as_ref().is_ok_and(|applied| !applied.changed()), "{:?}", applied);
            prop_assert_eq!(&api.get(id).await.unwrap().unwrap(), &made);
            // Nor does an update by nothing, or by what is there.
            let same = api.update(id, &Attributes::new()).await.unwrap().unwrap();
            prop_assert_eq!(&same, &made);
            given.shift_remove("client_id");
            given.shift_remove("client_authentication");
            let same = api.update(id, &given).await.unwrap().unwrap();
            prop_assert_eq!(&same["meta"]["warnings"], &made["meta"]["warnings"]);
            let after = issuer.describe(ResourceKind::CLIENT, id).await.unwrap().unwrap();
            prop_assert_eq!(&after, &shown);
            issuer.remove(ResourceKind::CLIENT, id).await.unwrap();
            Ok(())
        })?;
    }
}
