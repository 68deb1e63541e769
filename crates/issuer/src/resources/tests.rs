//! Documents, applied to a store in memory.

use std::{
    sync::{Arc, LazyLock},
    thread,
};

use castellan_proto::{FixedClock, Opaque, OpaqueKind, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::*;
use crate::{Parts, Settings, keys::MasterKey, settings::SiteAddress, store::Memory};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// One for all: making RSA keys takes long.
static ISSUER: LazyLock<Issuer> = LazyLock::new(|| {
    let parts = Parts {
        store: Arc::new(Memory::default()),
        site: Arc::from("main"),
        address: SiteAddress {
            issuer: "https://id.castellan.test".to_owned(),
            name: "Castellan".to_owned(),
            alias_digests: std::collections::BTreeMap::new(),
            resources: Vec::new(),
            guards: Vec::new(),
            site_accesses: Vec::new(),
        },
        settings: Settings::default(),
        clock: Arc::new(FixedClock(Timestamp(1_800_000_000))),
        master: MasterKey::generate(),
        passwords: crate::secrets::hashing::Passwords::start(),
        readiness: Arc::default(),
        resources: Roster::default(),
    };
    // On a thread of its own, for whoever asks first may be in a runtime already.
    thread::spawn(|| RUNTIME.block_on(Issuer::open(parts)).unwrap()).join().unwrap()
});

fn secret() -> String {
    Opaque::carrying(OpaqueKind::ClientSecret, vec![7; 32]).text()
}

/// Applies `document`, and then what `describe` prints of it; then removes it.
async fn round_trip(document: Value) -> Result<(), TestCaseError> {
    let issuer = &*ISSUER;
    let kind = Roster::default().named(document["resourceType"].as_str().unwrap()).unwrap();
    let id = document["id"].as_str().unwrap().to_owned();
    if let Err(error) = issuer.apply(document.clone(), Mode::Write).await {
        // What contradicts itself is refused in words; nothing else may go wrong.
        prop_assert!(matches!(error, ApplyError::Invalid { .. }), "{:?}", error);
        return Ok(());
    }
    let shown = issuer.describe(kind, &id).await.unwrap().unwrap();
    prop_assert!(!shown.to_string().contains("csl_secret_"), "{}", shown);
    let mut stored = Vec::new();
    for _ in 0..2 {
        let (record, record_id) = kind.record_id(&id);
        let key = issuer.repository().key(record, &record_id);
        let found = issuer.repository().store().get_many(&[key], issuer.now()).await.unwrap();
        stored.push(found.into_iter().next().flatten().unwrap());
        let applied = issuer.apply(shown.clone(), Mode::Write).await;
        prop_assert!(applied.is_ok(), "{:?} of {}", applied, shown);
        prop_assert!(!applied.unwrap().changed(), "{}", shown);
    }
    prop_assert_eq!(&stored[0], &stored[1], "nothing was written");
    let again = issuer.apply(document.clone(), Mode::DryRun).await.unwrap();
    prop_assert!(!again.changed(), "{} changes {:?}", document, again);
    prop_assert_eq!(issuer.describe(kind, &id).await.unwrap(), Some(shown));
    prop_assert!(issuer.remove(kind, &id).await.unwrap());
    Ok(())
}

/// Each of `members` or not.
fn some_of(members: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let one = |(name, value): (&'static str, BoxedStrategy<Value>)| {
        prop::option::of(value).prop_map(move |value| value.map(|value| (name, value)))
    };
    let all: Vec<_> = members.into_iter().map(one).collect();
    all.prop_map(|members| {
        let members = members.into_iter().flatten();
        Value::Object(members.map(|(name, value)| (name.to_owned(), value)).collect())
    })
    .boxed()
}

fn any_of(values: Vec<Value>) -> BoxedStrategy<Value> {
    prop::sample::select(values).boxed()
}

fn list_of(values: Vec<Value>) -> BoxedStrategy<Value> {
    let most = values.len();
    prop::sample::subsequence(values, 0..=most).prop_map(Value::Array).boxed()
}

fn text() -> BoxedStrategy<Value> {
    "\\PC{0,12}".prop_map(Value::String).boxed()
}

fn flag() -> BoxedStrategy<Value> {
    any::<bool>().prop_map(Value::Bool).boxed()
}

fn scopes() -> BoxedStrategy<Value> {
    list_of(vec![json!("openid"), json!("api:read"), json!("Mutation:*"), json!("Query:A:{b,c}")])
}

fn with(mut document: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        document[name] = value.clone();
    }
    document
}

fn client() -> BoxedStrategy<Value> {
    let uris = || list_of(vec![json!("https://a.test/cb"), json!("app:/cb")]);
    let seconds = || any_of(vec![json!(1), json!(360), json!(31_536_000), json!(0)]);
    let rotation = || any_of(vec![json!("keep"), json!("rotate")]);
    let format = || any_of(vec![json!("jwt"), json!("opaque")]);
    let audience = || list_of(vec![json!("https://api.test"), json!("b")]);
    let code = some_of(vec![
        ("redirect_uri", any_of(vec![json!("https://b.test/cb"), json!("https://a.test/cb")])),
        ("secret_required", flag()),
        ("pkce", flag()),
        ("token_format", format()),
        ("access_token_expiration", seconds()),
        ("refresh_token", flag()),
        ("refresh_token_expiration", seconds()),
        ("refresh_token_rotation", rotation()),
        ("audience", audience()),
    ]);
    let machine = some_of(vec![
        ("token_format", format()),
        ("access_token_expiration", seconds()),
        ("audience", audience()),
    ]);
    let password = some_of(vec![
        ("secret_required", flag()),
        ("token_format", format()),
        ("refresh_token", flag()),
        ("refresh_token_expiration", seconds()),
        ("audience", audience()),
    ]);
    let grants = ["authorization_code", "code", "client_credentials", "password", "refresh_token"];
    let auth = some_of(vec![
        ("authorization_code", code),
        ("client_credentials", machine),
        ("password", password),
    ]);
    some_of(vec![
        ("name", text()),
        ("uri", any_of(vec![json!("https://a.test/"), json!("http://b.test/about?x=1")])),
        ("secret", any_of(vec![json!(secret())])),
        ("first_party", flag()),
        ("active", flag()),
        ("scope", scopes()),
        ("grant_types", list_of(grants.map(|grant| json!(grant)).to_vec())),
        ("redirect_uris", uris()),
        ("post_logout_redirect_uris", uris()),
        ("backchannel_logout_uri", any_of(vec![json!("https://c.test/out"), json!("app:/out")])),
        ("backchannel_logout_session_required", flag()),
        ("frontchannel_logout_uri", any_of(vec![json!("https://a.test/out")])),
        ("frontchannel_logout_session_required", flag()),
        ("allowed_origins", list_of(vec![json!("https://a.test")])),
        ("access_token_signed_response_alg", any_of(vec![json!("RS256"), json!("ES256")])),
        ("id_token_signed_response_alg", any_of(vec![json!("RS256"), json!("ES256")])),
        ("refresh_token_rotation", rotation()),
        ("auth", auth),
        ("type", any_of(vec![json!("public"), json!("confidential")])),
    ])
    .prop_map(|more| with(json!({"resourceType": "Client", "id": "c"}), &more))
    .boxed()
}

fn user() -> BoxedStrategy<Value> {
    let emails = vec![
        json!({"value": "a@b.test"}),
        json!({"value": "B@b.test", "primary": true}),
        json!({"value": "a@b.test", "primary": true}),
        json!({"value": "none"}),
    ];
    let name = some_of(vec![("givenName", text()), ("familyName", text()), ("formatted", text())]);
    some_of(vec![
        ("name", name),
        ("email", any_of(vec![json!("a@b.test"), json!("c@d.test")])),
        ("emails", list_of(emails)),
        ("groups", list_of(vec![json!({"value": "administrators"}), json!({"value": "x"})])),
        ("inactive", flag()),
        ("active", flag()),
        ("userName", text()),
    ])
    .prop_map(|more| {
        with(json!({"resourceType": "User", "id": "u", "userName": "Ada Lovelace"}), &more)
    })
    .boxed()
}

fn credential() -> BoxedStrategy<Value> {
    let api = some_of(vec![("scope", scopes()), ("name", text())]).prop_map(|more| {
        let plain = json!({
            "resourceType": "ApiCredential", "id": "a", "name": "Night sync", "secret": secret(),
        });
        with(plain, &more)
    });
    let key = scopes().prop_map(|scopes| {
        json!({"resourceType": "AuthKey", "id": "k", "apiKey": secret(), "scopes": scopes})
    });
    prop_oneof![api, key].boxed()
}

fn any_json() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        flag(),
        any::<i64>().prop_map(Value::from),
        text(),
        any_of(vec![json!("keep"), json!("code"), json!("https://a.test"), json!("a@b.test")]),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let name = prop_oneof![
            prop::sample::select(vec!["value", "authorization_code", "givenName", "pkce"])
                .prop_map(ToOwned::to_owned),
            "[a-z]{1,6}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((name, inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
    .boxed()
}

fn any_document() -> BoxedStrategy<Value> {
    let kinds = ["User", "Client", "ApiCredential", "AuthKey", "Grant", "user", "Nothing"];
    let names = [
        "userName",
        "email",
        "emails",
        "groups",
        "name",
        "active",
        "inactive",
        "secret",
        "scope",
        "scopes",
        "grant_types",
        "redirect_uris",
        "auth",
        "type",
        "apiKey",
        "first_party",
        "uri",
    ];
    let members = prop::collection::vec((prop::sample::select(names.to_vec()), any_json()), 0..5);
    let kind = prop::sample::select(kinds.to_vec());
    let id = prop_oneof![Just(json!("any")), any_json()];
    prop_oneof![
        any_json(),
        (kind, id, members).prop_map(|(kind, id, members)| {
            let mut document = json!({"resourceType": kind, "id": id});
            for (name, value) in members {
                document[name] = value;
            }
            document
        }),
    ]
    .boxed()
}

proptest! {
    #[test]
    fn a_client_that_is_printed_applies_back_unchanged(document in client()) {
        RUNTIME.block_on(round_trip(document))?;
    }

    #[test]
    fn a_person_who_is_printed_applies_back_unchanged(document in user()) {
        RUNTIME.block_on(round_trip(document))?;
    }

    #[test]
    fn a_key_that_is_printed_applies_back_unchanged(document in credential()) {
        RUNTIME.block_on(round_trip(document))?;
    }

    #[test]
    fn a_document_of_any_shape_is_applied_or_refused(document in any_document()) {
        let shape = document.clone();
        let applied = RUNTIME.block_on(ISSUER.apply(document, Mode::DryRun));
        if let Err(error) = applied {
            let refused = matches!(error, ApplyError::Kind(_) | ApplyError::Invalid { .. });
            prop_assert!(refused, "{:?} of {}", error, shape);
        }
    }
}

#[tokio::test]
async fn a_password_is_kept_as_a_hash_and_never_shown() {
    let issuer = &*ISSUER;
    let eve = json!({
        "resourceType": "User", "id": "eve", "userName": "eve", "password": "a long password",
    });
    let made = issuer.apply(eve.clone(), Mode::Write).await.unwrap();
    assert!(made.secret_changed && made.before.is_none());
    assert!(!issuer.apply(eve.clone(), Mode::Write).await.unwrap().changed(), "the same again");
    let shown = issuer.describe(ResourceKind::USER, "eve").await.unwrap().unwrap();
    assert_eq!(shown, json!({"resourceType": "User", "id": "eve", "userName": "eve"}));
    let kept = issuer.apply(shown, Mode::Write).await.unwrap();
    assert!(!kept.changed(), "left out, so left alone");
    let mut other = eve;
    other["password"] = json!("another password");
    let dry = issuer.apply(other.clone(), Mode::DryRun).await.unwrap();
    assert!(dry.secret_changed);
    assert!(issuer.apply(other, Mode::Write).await.unwrap().secret_changed, "dry runs are dry");
}

/// `docs/security-cases.md` row 47: what no grant acts upon is refused, not dropped.
#[tokio::test]
async fn case_47_settings_of_grants_that_are_not_there_are_refused() {
    let code = json!({"redirect_uri": "https://app.test/cb", "pkce": true});
    let with = |member: &str, value: Value| {
        let mut code = code.clone();
        code[member] = value;
        json!({"authorization_code": code})
    };
    for (grants, auth, more, said) in [
        (
            json!(["client_credentials"]),
            json!({"authorization_code": code}),
            json!(null),
            "auth.authorization_code",
        ),
        (
            json!(["code"]),
            json!({"authorization_code": code, "client_credentials": {}}),
            json!(null),
            "auth.client_credentials",
        ),
        (
            json!(["code"]),
            json!({"authorization_code": code, "device_code": {}}),
            json!(null),
            "auth.device_code",
        ),
        (json!(["client_credentials", "refresh_token"]), json!({}), json!(null), "grant_types"),
        (
            json!(["code"]),
            with("refresh_token_expiration", json!(60)),
            json!(null),
            "refresh_token_expiration",
        ),
        (
            json!(["code"]),
            with("refresh_token_rotation", json!("keep")),
            json!(null),
            "refresh_token_rotation",
        ),
        (
            json!(["code"]),
            json!({"authorization_code": code}),
            json!("keep"),
            "refresh_token_rotation",
        ),
        (
            json!(["device_code"]),
            json!({"device_code": {"refresh_token": false, "refresh_token_expiration": 60}}),
            json!(null),
            "refresh_token_expiration",
        ),
    ] {
        let document = json!({
            "resourceType": "Client", "id": "idle", "secret": secret(), "grant_types": grants,
            "auth": auth, "refresh_token_rotation": more,
        });
        let error = ISSUER.apply(document.clone(), Mode::DryRun).await.unwrap_err().to_string();
        assert!(error.contains(said), "{document}: {error}");
    }
}
