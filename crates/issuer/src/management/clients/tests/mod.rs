//! The operations over a store in memory: what is written here is right at `/Client`, and the other
//! way round.

mod mappings;
mod rules;

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
    thread,
};

use castellan_proto::{FixedClock, Timestamp, scope::Scopes};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::*;
use crate::{
    Parts, Settings,
    keys::MasterKey,
    records::TokenProfile,
    resources::{
        Roster,
        search::{Sort, SortAttribute, SortOrder},
    },
    settings::SiteAddress,
    store::Memory,
};

const ISSUER_URL: &str = "https://id.castellan.test";

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// One for all: making RSA keys takes long.
static ISSUER: LazyLock<Issuer> = LazyLock::new(|| {
    thread::spawn(|| RUNTIME.block_on(open(Arc::new(Memory::default())))).join().unwrap()
});

static TAGS: LazyLock<BTreeMap<String, String>> =
    LazyLock::new(|| [("t1", "one"), ("t2", "two")].map(|(a, b)| (a.into(), b.into())).into());

async fn open(store: Arc<Memory>) -> Issuer {
    open_site(store, "main").await
}

async fn open_site(store: Arc<Memory>, site: &str) -> Issuer {
    let parts = Parts {
        store,
        site: Arc::from(site),
        address: SiteAddress {
            issuer: ISSUER_URL.to_owned(),
            name: "Castellan".to_owned(),
            alias_digests: BTreeMap::new(),
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
    Issuer::open(parts).await.unwrap()
}

/// A client that calls for itself, with `scope`.
async fn caller(issuer: &Issuer, scope: &str) -> Live {
    let scopes: Vec<&str> = scope.split_whitespace().collect();
    let id = "caller";
    let client: Client = {
        let document = json!({
            "resourceType": "Client", "id": id, "secret": "a long enough secret",
            "grant_types": ["client_credentials"], "scope": scopes,
        });
        issuer.apply(document, Mode::Write).await.unwrap();
        issuer.repository().get::<Client>(id, issuer.now()).await.unwrap().unwrap().body
    };
    Live {
        family_id: "f".to_owned(),
        jti: "j".to_owned(),
        client_id: id.to_owned(),
        client: Arc::new(client),
        named_audience: None,
        profile: TokenProfile::Standard,
        account: None,
        scope: Scopes::parse(scope).unwrap(),
        claims: Vec::new(),
        groups: None,
        audience: vec![ISSUER_URL.to_owned()],
        jkt: None,
        issued: issuer.now(),
        expires: Timestamp(u64::MAX),
    }
}

const HELD: &str = "orders:read orders:write Query:Order:*";

async fn with<T, F>(scope: &str, run: F) -> T
where
    F: AsyncFnOnce(DatabaseClients<'_>) -> T,
{
    let issuer = open(Arc::new(Memory::default())).await;
    let caller = caller(&issuer, scope).await;
    run(DatabaseClients { issuer: &issuer, caller: &caller, tags: &TAGS }).await
}

fn map(value: &Value) -> Attributes {
    value.as_object().cloned().unwrap_or_default()
}

fn minimal() -> Value {
    json!({
        "client_id": "one", "name": "One", "scopes": ["orders:read"],
        "redirect_uris": ["https://a.example/cb"],
        "client_authentication": {"primary": {"secret": {"secret": "a long enough secret"}}},
        "capabilities": {"code": {}},
    })
}

fn warnings(client: &Value) -> Vec<String> {
    let found = client["meta"]["warnings"].as_object().cloned().unwrap_or_default();
    found.keys().cloned().collect()
}

#[tokio::test]
async fn a_client_is_the_same_at_both_doors() {
    with(HELD, async |api| {
        let client = api.create(&map(&minimal())).await.unwrap();
        assert_eq!(client["owner"], "caller");
        assert_eq!(client["status"], "ACTIVE");
        assert_eq!(client["meta"]["warnings"], Value::Null);
        assert_eq!(client["client_authentication"]["primary"]["__typename"], "Secret");
        let shown = api.issuer.describe(ResourceKind::CLIENT, "one").await.unwrap().unwrap();
        assert_eq!(shown["grant_types"], json!(["authorization_code", "refresh_token"]));
        assert_eq!(shown["auth"]["authorization_code"]["secret_required"], true);
        assert_eq!(shown["scope"], json!(["orders:read"]));
        assert_eq!(shown["owner"], "caller");
        assert_eq!(shown["type"], "confidential");
    })
    .await;
}

#[tokio::test]
async fn what_has_no_effect_is_kept_and_warned_of() {
    with(HELD, async |api| {
        let mut fields = minimal();
        fields["user_authentication"] = json!({"allowed_authenticators": ["authenticator-X"]});
        fields["capabilities"]["implicit"] = json!({});
        fields["claim_mapper_id"] = json!("mapper");
        fields["tags"] = json!(["t1", "unknown"]);
        let client = api.create(&map(&fields)).await.unwrap();
        let paths = [
            "capabilities.implicit",
            "claim_mapper_id",
            "tags",
            "user_authentication.allowed_authenticators",
        ];
        assert_eq!(warnings(&client), paths);
        let text = client["meta"]["warnings"][paths[3]].as_str().unwrap();
        assert!(text.contains("one") && text.contains("authenticator-X"), "{text}");
        assert_eq!(client["capabilities"]["implicit"]["type"], "IMPLICIT");
        assert_eq!(client["claim_mapper_id"], "mapper");
        // It is gone where it is taken back.
        let change = json!({"claim_mapper_id": null, "tags": ["t1"], "user_authentication": null});
        let client = api.update("one", &map(&change)).await.unwrap().unwrap();
        assert_eq!(warnings(&client), ["capabilities.implicit"]);
    })
    .await;
}

#[tokio::test]
async fn a_hash_that_is_sent_back_stays_and_no_other_is_taken() {
    with(HELD, async |api| {
        let client = api.create(&map(&minimal())).await.unwrap();
        let primary = &client["client_authentication"]["primary"];
        let hash = primary["secret"].as_str().unwrap().to_owned();
        assert!(!hash.contains("long enough"));
        let with = |secret: &str| json!({"client_authentication": {"primary": {"secret": {"secret": secret}}}});
        let again = api.update("one", &map(&with(&hash))).await.unwrap().unwrap();
        assert_eq!(again["client_authentication"]["primary"]["secret"], json!(hash));
        let mut other = hash.clone();
        other.push('A');
        let refused = api.update("one", &map(&with(&other))).await;
        let field = "client_authentication.primary.secret";
        assert!(matches!(&refused, Err(ClientError::Invalid { field: at, .. }) if at == field), "{refused:?}");
        let public = json!({"client_authentication": {"primary": {"no_authentication": "no_auth"}}});
        let public = api.update("one", &map(&public)).await.unwrap().unwrap();
        assert_eq!(public["client_authentication"]["primary"]["no_authentication"], "no_auth");
        assert_eq!(public["capabilities"]["code"]["proof_key"]["require_proof_key"], true);
        let stored = api.stored("one").await.unwrap().unwrap().body;
        assert!(stored.is_public());
    })
    .await;
}

#[tokio::test]
async fn a_proof_that_is_not_known_here_lets_nobody_in() {
    with(&format!("{HELD} Castellan:*"), async |api| {
        let mut fields = minimal();
        fields["client_authentication"]["primary"] =
            json!({"symmetric": {"symmetric_key": "my key"}});
        let client = api.create(&map(&fields)).await.unwrap();
        assert_eq!(warnings(&client), ["client_authentication.primary"]);
        let stored = api.stored("one").await.unwrap().unwrap().body;
        assert!(!stored.is_public() && stored.secret.is_none());
        let kept = serde_json::to_string(&stored).unwrap();
        assert!(!kept.contains("my key"), "{kept}");
        // Castellan:* includes the right to see the key.
        assert_eq!(client["client_authentication"]["primary"]["symmetric_key"], "my key");
        let shown = api.issuer.describe(ResourceKind::CLIENT, "one").await.unwrap().unwrap();
        assert!(!shown.to_string().contains("my key"), "{shown}");
        let caller = caller(api.issuer, HELD).await;
        let other = DatabaseClients { caller: &caller, ..api };
        let sealed = other.get("one").await.unwrap().unwrap();
        let sealed = &sealed["client_authentication"]["primary"]["symmetric_key"];
        assert_ne!(*sealed, "my key");
        let back =
            json!({"client_authentication": {"primary": {"symmetric": {"symmetric_key": sealed}}}});
        other.update("one", &map(&back)).await.unwrap().unwrap();
        let client = api.get("one").await.unwrap().unwrap();
        assert_eq!(client["client_authentication"]["primary"]["symmetric_key"], "my key");
    })
    .await;
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_have() {
    with(HELD, async |api| {
        let create = async |change: Value| {
            let mut fields = map(&minimal());
            fields.extend(map(&change));
            api.create(&fields).await
        };
        for scopes in [json!(["Castellan:*"]), json!(["orders:delete"]), json!(["Query:*"])] {
            let refused = create(json!({"scopes": scopes})).await;
            assert!(matches!(refused, Err(ClientError::Denied("scopes"))), "{refused:?}");
        }
        create(json!({"scopes": ["openid", "orders:read", "Query:Order:List"]})).await.unwrap();
        // One that has more cannot be taken over.
        let strong = json!({
            "resourceType": "Client", "id": "strong", "secret": "a long enough secret",
            "grant_types": ["client_credentials"], "scope": ["Castellan:*"],
        });
        let wide = json!({
            "resourceType": "Client", "id": "wide", "secret": "a long enough secret",
            "grant_types": ["client_credentials"], "scope": ["orders:delete"],
        });
        for document in [strong, wide] {
            api.issuer.apply(document, Mode::Write).await.unwrap();
        }
        let secret = json!({"client_authentication": {"primary": {"secret": {"secret": "another one of mine"}}}});
        for id in ["strong", "wide"] {
            let refused = api.update(id, &map(&secret)).await;
            assert!(matches!(refused, Err(ClientError::Denied(_))), "{refused:?}");
            let refused = api.duplicate(id, None).await;
            assert!(matches!(refused, Err(ClientError::Denied(_))), "{refused:?}");
        }
        for refused in [
            api.set_status("strong", Status::Revoked).await.map(drop),
            api.set_owner("strong", "me").await.map(drop),
            api.delete("strong").await,
            api.update("strong", &map(&json!({"description": "mine"}))).await.map(drop),
        ] {
            assert!(matches!(refused, Err(ClientError::Denied(_))), "{refused:?}");
        }
        api.update("wide", &map(&json!({"description": "seen"}))).await.unwrap().unwrap();
        api.set_status("wide", Status::Inactive).await.unwrap().unwrap();
    })
    .await;
}

#[tokio::test]
async fn lists_filter_search_sort_and_page() {
    with(HELD, async |api| {
        api.issuer.remove(ResourceKind::CLIENT, "caller").await.unwrap();
        for (id, name, tags) in [
            ("x-db-one", "Zed", json!(["t1", "t2"])),
            ("b", "DB number one", json!(["t1"])),
            ("c", "One", json!([])),
            ("db", "one", json!([])),
        ] {
            let mut fields = map(&minimal());
            fields.extend(map(&json!({"client_id": id, "name": name, "tags": tags})));
            api.create(&fields).await.unwrap();
        }
        let list = async |which: Which, first: usize, after: Option<String>| {
            let sort = Sort { by: SortAttribute::Name, order: SortOrder::Ascending };
            let list = ClientList { active_only: true, which, sort, first, after };
            let page = api.list(&list).await.unwrap();
            let ids: Vec<_> = page
                .clients
                .iter()
                .map(|one| one["client_id"].as_str().unwrap().to_owned())
                .collect();
            (ids, page.total, page.end_cursor)
        };
        let filter = |name: Option<&str>, tags: Option<&[&str]>| Which::Filtered {
            name: name.map(ToOwned::to_owned),
            tags: tags.map(|tags| tags.iter().map(|tag| (*tag).to_owned()).collect()),
        };
        let ids = async |which: Which| list(which, 50, None).await.0;
        assert_eq!(ids(filter(None, None)).await, ["b", "c", "db", "x-db-one"]);
        assert_eq!(ids(filter(None, Some(&["t1", "t2"]))).await, ["x-db-one"]);
        assert_eq!(ids(filter(None, Some(&["t1"]))).await, ["b", "x-db-one"]);
        assert_eq!(ids(filter(None, Some(&[]))).await, ["c", "db"]);
        assert_eq!(ids(filter(Some("On"), None)).await, Vec::<String>::new());
        assert_eq!(ids(filter(Some("One"), None)).await, ["c"]);
        let search = |terms: &str| Which::Found(Some(terms.to_owned()));
        assert_eq!(ids(search("db one")).await, ["b", "x-db-one"]);
        assert_eq!(ids(search("  ")).await.len(), 4);
        let (first, total, cursor) = list(filter(None, None), 3, None).await;
        assert_eq!((first.len(), total), (3, 4));
        let (second, total, end) = list(filter(None, None), 3, cursor.clone()).await;
        assert_eq!((&*second, total, end), (&["x-db-one".to_owned()][..], 4, None));
        let other = ClientList {
            active_only: false,
            which: filter(None, None),
            sort: Sort { by: SortAttribute::Name, order: SortOrder::Ascending },
            first: 3,
            after: cursor,
        };
        assert!(matches!(api.list(&other).await, Err(ClientError::List(ListError::Cursor))));
        api.set_status("c", Status::Revoked).await.unwrap().unwrap();
        assert_eq!(ids(filter(None, None)).await, ["b", "db", "x-db-one"]);
        let all = ClientList { after: None, first: 50, ..other };
        assert_eq!(api.list(&all).await.unwrap().total, 4);
    })
    .await;
}

#[tokio::test]
async fn a_copy_has_everything_but_the_id_and_the_owner() {
    with(HELD, async |api| {
        let mut fields = map(&minimal());
        fields
            .extend(map(&json!({"properties": {"a": 1}, "tags": ["t1"], "access_token_ttl": 60})));
        api.create(&fields).await.unwrap();
        api.set_owner("one", "ann").await.unwrap().unwrap();
        let one = api.get("one").await.unwrap().unwrap();
        let copy = api.duplicate("one", Some("two")).await.unwrap().unwrap();
        for (name, value) in one.as_object().unwrap() {
            match &**name {
                "client_id" => assert_eq!(copy[name], "two"),
                "owner" => assert_eq!((value, &copy[name]), (&json!("ann"), &json!("caller"))),
                _ => assert_eq!(value, &copy[name], "{name}"),
            }
        }
        assert!(matches!(api.duplicate("one", Some("two")).await, Err(ClientError::Exists)));
        assert!(api.duplicate("nobody", None).await.unwrap().is_none());
        assert!(api.update("nobody", &map(&json!({}))).await.unwrap().is_none());
        assert!(api.set_status("nobody", Status::Active).await.unwrap().is_none());
        assert!(matches!(api.delete("nobody").await, Err(ClientError::Unknown)));
        assert!(matches!(api.create(&map(&minimal())).await, Err(ClientError::Exists)));
    })
    .await;
}

/// What a document of `/Client` sets and the API does not name stays.
#[tokio::test]
async fn an_update_leaves_alone_what_it_does_not_name() {
    with(&format!("{HELD} Castellan:*"), async |api| {
        let document = json!({
            "resourceType": "Client", "id": "mixed", "secret": "a long enough secret",
            "grant_types": ["code", "client_credentials", "device_code", "basic"],
            "redirect_uris": ["https://a.example/cb"], "first_party": true,
            "id_token_signed_response_alg": "ES256", "introspect": "any",
            "auth": {
                "authorization_code": {"audience": ["https://x"], "token_format": "jwt", "refresh_token": true},
                "client_credentials": {"audience": ["https://y"], "access_token_expiration": 77},
            },
        });
        api.issuer.apply(document, Mode::Write).await.unwrap();
        let describe = async || api.issuer.describe(ResourceKind::CLIENT, "mixed").await.unwrap().unwrap();
        let before = describe().await;
        let change = json!({"description": "d", "properties": {"a": 1}});
        api.update("mixed", &map(&change)).await.unwrap().unwrap();
        let mut after = describe().await;
        assert_eq!(after["description"], "d");
        let members = after.as_object_mut().unwrap();
        members.shift_remove("description");
        members.shift_remove("properties");
        let sorted = |value: &Value| {
            let mut value = value.clone();
            let names = value["grant_types"].as_array_mut().unwrap();
            names.sort_by_key(ToString::to_string);
            value
        };
        assert_eq!(sorted(&after), sorted(&before));
    })
    .await;
}

/// Whoever is told that an update was written finds it there, whatever others did meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_update_is_lost_among_those_that_were_written() {
    let issuer = Arc::new(open(Arc::new(Memory::default())).await);
    let caller = Arc::new(caller(&issuer, HELD).await);
    let api = DatabaseClients { issuer: &issuer, caller: &caller, tags: &TAGS };
    api.create(&map(&minimal())).await.unwrap();
    let racers = (0..16).map(|at| {
        let (issuer, caller) = (Arc::clone(&issuer), Arc::clone(&caller));
        tokio::spawn(async move {
            let api = DatabaseClients { issuer: &issuer, caller: &caller, tags: &TAGS };
            let key = format!("k{at}");
            let updated = api.update("one", &map(&json!({"properties": {key.as_str(): at}}))).await;
            (key, updated)
        })
    });
    let racers: Vec<_> = racers.collect();
    let mut written = Vec::new();
    for racer in racers {
        match racer.await.unwrap() {
            (key, Ok(Some(_))) => written.push(key),
            (_, Err(ClientError::Conflict)) => {}
            (_, other) => panic!("{other:?}"),
        }
    }
    let client = api.get("one").await.unwrap().unwrap();
    assert!(!written.is_empty());
    assert!(written.iter().all(|key| client["properties"].get(key).is_some()), "{client}");
    assert_eq!(client["properties"].as_object().unwrap().len(), written.len());
}

#[tokio::test]
async fn curity_57_an_id_belongs_to_another_client_at_another_site() {
    let store = Arc::new(Memory::default());
    let (here, there) = (open(Arc::clone(&store)).await, open_site(store, "other").await);
    let (at_home, abroad) = (caller(&here, HELD).await, caller(&there, HELD).await);
    let home = DatabaseClients { issuer: &here, caller: &at_home, tags: &TAGS };
    let other = DatabaseClients { issuer: &there, caller: &abroad, tags: &TAGS };
    home.create(&map(&minimal())).await.unwrap();
    assert!(other.get("one").await.unwrap().is_none());
    let mut fields = minimal();
    fields["description"] = json!("another");
    other.create(&map(&fields)).await.unwrap();
    assert_eq!(home.get("one").await.unwrap().unwrap()["description"], Value::Null);
    other.delete("one").await.unwrap();
    assert!(home.get("one").await.unwrap().is_some());
}
