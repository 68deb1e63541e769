//! The DCR GraphQL API (`docs/contracts/curity.md` §§8.2 and 12).

use serde_json::{Value, json};

use super::support::{
    ACCOUNTS, GROUPS, PEOPLE, asked, assert_refused, data, failed, serving, token, token_at,
};
use crate::{
    oauth::registration::support::{
        BY_TOKEN, REGISTRANTS, machine_token, managed, registered, sent, web_app,
    },
    support::{
        castellan::Castellan,
        fixtures::text,
        wire::{Answer, Ask},
    },
};

const PATH: &str = "/register/graphql";

/// A second template.
const TEMPLATE: &str = "
---
{resourceType: Client, id: tmpl2, name: Tool, template: true, secret: s3cr3t-tmpl2,
 grant_types: [client_credentials], scope: ['field:read']}
---
{resourceType: Client, id: person-phone, secret: s3cr3t-person-phone, first_party: true,
 grant_types: [password], scope: [dcr]}
";

async fn start(more: &str) -> (Castellan, String) {
    let config = format!("{BY_TOKEN}{more}{GROUPS}");
    let castellan = serving(&config, &format!("{REGISTRANTS}{TEMPLATE}")).await;
    let token = token(&castellan, "admin").await;
    (castellan, token)
}

/// Registers a client of `template`.
async fn made(castellan: &Castellan, template: &str) -> Value {
    let token = machine_token(castellan, "initial", "dcr").await;
    registered(&sent(castellan, &token, &json!({"software_id": template})).await)
}

/// Registers a client for the person called `name`.
async fn made_for(castellan: &Castellan, name: &str, template: &str) -> Value {
    let token = token_at(castellan, "person-phone", name, "dcr").await;
    registered(&sent(castellan, &token, &json!({"software_id": template})).await)
}

async fn listed(castellan: &Castellan, token: &str, arguments: &str) -> Answer {
    let arguments = if arguments.is_empty() { String::new() } else { format!("({arguments})") };
    let query = format!(
        "{{dynamicallyRegisteredClients{arguments} {{
            edges {{node {{client_id}}}} pageInfo {{endCursor hasNextPage}} totalCount}}}}"
    );
    asked(castellan, PATH, token, &query).await
}

/// The ids on the page of `arguments`.
async fn ids(castellan: &Castellan, token: &str, arguments: &str) -> Vec<String> {
    let read = data(&listed(castellan, token, arguments).await);
    let edges =
        read["dynamicallyRegisteredClients"]["edges"].as_array().cloned().unwrap_or_default();
    edges.iter().map(|edge| text(&edge["node"], "client_id").to_owned()).collect()
}

async fn set_status(castellan: &Castellan, token: &str, id: &str, status: &str) -> Value {
    let query = format!(
        "mutation {{setDynamicallyRegisteredClientStatusById(
            input: {{client_id: {id:?}, status: {status}}}) {{client {{client_id status}}}}}}"
    );
    data(&asked(castellan, PATH, token, &query).await)["setDynamicallyRegisteredClientStatusById"]
        .clone()
}

fn id_of(client: &Value) -> String {
    text(client, "client_id").to_owned()
}

#[tokio::test]
async fn registered_clients_are_found_by_template_and_by_person() {
    let (castellan, token) = start("").await;
    let (one, two) = (made(&castellan, "tmpl").await, made(&castellan, "tmpl2").await);
    let anns = made_for(&castellan, "user", "tmpl").await;
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    for (arguments, wanted) in [
        ("", vec![&one, &two, &anns]),
        ("templateClient: \"tmpl\"", vec![&one, &anns]),
        ("templateClient: \"tmpl2\"", vec![&two]),
        ("templateClient: \"none\"", vec![]),
        ("userName: \"user\"", vec![&anns]),
        ("userName: \"user\", templateClient: \"tmpl\"", vec![&anns]),
        ("userName: \"user\", templateClient: \"tmpl2\"", vec![]),
        ("userName: \"nobody\"", vec![]),
    ] {
        let wanted = sorted(wanted.into_iter().map(id_of).collect());
        assert_eq!(sorted(ids(&castellan, &token, arguments).await), wanted, "{arguments}");
        let total = data(&listed(&castellan, &token, arguments).await);
        let total = &total["dynamicallyRegisteredClients"]["totalCount"];
        assert_eq!(*total, wanted.len(), "{arguments}");
    }
    // They are not database clients, and neither are their templates.
    let query = "{databaseClients(first: 100) {edges {node {client_id}}}}";
    let read = data(&asked(&castellan, "/admin/graphql/database-clients", &token, query).await);
    for id in [text(&one, "client_id"), "\"tmpl\""] {
        assert!(!read.to_string().contains(id), "{read}");
    }
    let query = format!("{{databaseClientById(id: {:?}) {{client_id}}}}", id_of(&one));
    let read = data(&asked(&castellan, "/admin/graphql/database-clients", &token, &query).await);
    assert!(read["databaseClientById"].is_null());
}

#[tokio::test]
async fn lists_are_sorted_and_come_in_pages() {
    let (castellan, _) = start("").await;
    let mut made = Vec::new();
    for (at, name) in ["Cherry", "apple", "Banana"].into_iter().enumerate() {
        castellan.advance_to(10 * (at as u64 + 1));
        let initial = machine_token(&castellan, "initial", "dcr").await;
        let metadata = web_app(&json!({"client_name": name}));
        made.push(id_of(&registered(&sent(&castellan, &initial, &metadata).await)));
    }
    let token = token(&castellan, "admin").await;
    let [cherry, apple, banana] = [&made[0], &made[1], &made[2]];
    for (sorting, wanted) in [
        ("sortBy: name, sortOrder: ASCENDING", [apple, banana, cherry]),
        ("sortBy: name, sortOrder: DESCENDING", [cherry, banana, apple]),
        ("sortBy: created, sortOrder: ASCENDING", [cherry, apple, banana]),
        ("sortBy: lastModified, sortOrder: DESCENDING", [banana, apple, cherry]),
    ] {
        let arguments = format!("sorting: {{{sorting}}}");
        let found = ids(&castellan, &token, &arguments).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), wanted, "{sorting}");
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let arguments = format!("first: 1, after: {after:?}, sorting: {{{sorting}}}");
            let page = data(&listed(&castellan, &token, &arguments).await);
            let page = &page["dynamicallyRegisteredClients"];
            found.push(text(&page["edges"][0]["node"], "client_id").to_owned());
            assert_eq!(page["totalCount"], 3);
            let info = &page["pageInfo"];
            if info["hasNextPage"] == false {
                assert!(info["endCursor"].is_null());
                break;
            }
            text(info, "endCursor").clone_into(&mut after);
        }
        assert_eq!(found.iter().collect::<Vec<_>>(), wanted, "{sorting}");
    }
    failed(&listed(&castellan, &token, "first: 0").await, "invalid-argument");
}

/// `docs/security-cases.md` row 15: a cursor is ours, and good for its own list.
#[tokio::test]
async fn case_15_cursors_of_registered_clients_cannot_be_made_up() {
    let (castellan, token) = start("").await;
    for _ in 0..2 {
        made(&castellan, "tmpl").await;
    }
    let page = data(&listed(&castellan, &token, "first: 1, templateClient: \"tmpl\"").await);
    let cursor = text(&page["dynamicallyRegisteredClients"]["pageInfo"], "endCursor").to_owned();
    let made_up = "AAAAAAAAAAAAAAAAAAAAAFsiJyBPUiAxPTEiLCJ4Il0";
    for (arguments, cursor) in [
        ("templateClient: \"tmpl2\"", &*cursor),
        ("", &cursor),
        ("templateClient: \"tmpl\", activeClientsOnly: false", &cursor),
        ("templateClient: \"tmpl\", sorting: {sortBy: created, sortOrder: ASCENDING}", &cursor),
        ("templateClient: \"tmpl\"", made_up),
        ("templateClient: \"tmpl\"", "' OR 1=1 --"),
    ] {
        let comma = if arguments.is_empty() { "" } else { ", " };
        let arguments = format!("{arguments}{comma}after: {cursor:?}");
        failed(&listed(&castellan, &token, &arguments).await, "invalid-argument");
    }
    let arguments = format!("templateClient: \"tmpl\", after: {cursor:?}");
    assert_eq!(ids(&castellan, &token, &arguments).await.len(), 1);
}

#[tokio::test]
async fn an_inactive_client_may_do_nothing_and_a_revoked_one_has_lost_all() {
    let (castellan, token) = start("").await;
    let client = made(&castellan, "tmpl").await;
    let id = id_of(&client);
    let ask = || async {
        let pairs = [
            ("grant_type", "client_credentials"),
            ("client_id", &*id),
            ("client_secret", text(&client, "client_secret")),
        ];
        castellan.token(&pairs).await
    };
    let issued = text(&ask().await.json(), "access_token").to_owned();
    let is_alive = || async {
        let answer = Ask::post(&castellan.at("/auth/introspect"))
            .form(&[
                ("client_id", &*id),
                ("client_secret", text(&client, "client_secret")),
                ("token", &*issued),
            ])
            .send()
            .await;
        answer.status == 200 && answer.json()["active"] == true
    };
    assert!(is_alive().await);
    for (status, issues, counts) in [
        ("inactive", false, false),
        ("active", true, true),
        ("revoked", false, false),
        ("active", true, false),
    ] {
        let set = set_status(&castellan, &token, &id, status).await;
        assert_eq!(set["client"]["status"], status);
        assert_eq!(ask().await.status == 200, issues, "{status}");
        assert_eq!(is_alive().await, counts, "{status}");
        // A client that is not active does not manage itself.
        if !issues {
            assert_eq!(managed(http::Method::GET, &client, None).await.status, 403);
        }
        let active = ids(&castellan, &token, "").await.contains(&id);
        assert_eq!(active, issues, "{status}");
        assert!(ids(&castellan, &token, "activeClientsOnly: false").await.contains(&id));
    }
    assert!(set_status(&castellan, &token, "portal", "revoked").await.is_null());
    assert!(set_status(&castellan, &token, "initial", "revoked").await.is_null());
    assert!(set_status(&castellan, &token, "nobody", "revoked").await.is_null());
}

#[tokio::test]
async fn every_field_of_a_registered_client_is_answered() {
    let (castellan, token) = start("").await;
    let client = made(&castellan, "tmpl").await;
    let fields = Ask::post(&castellan.at(PATH))
        .bearer(&token)
        .json(&json!({"query": "{__type(name: \"DynamicallyRegisteredClient\") {fields {name type {kind ofType {kind}}}}}"}))
        .send()
        .await;
    let fields = data(&fields)["__type"]["fields"].as_array().cloned().unwrap();
    let names: Vec<_> = fields.iter().map(|field| text(field, "name")).collect();
    assert!(names.len() > 50 && !names.iter().any(|name| name.contains("secret")), "{names:?}");
    let query = format!(
        "{{dynamicallyRegisteredClientById(id: {:?}) {{{}}}}}",
        id_of(&client),
        names.join(" ")
    );
    let read = data(&asked(&castellan, PATH, &token, &query).await);
    let read = &read["dynamicallyRegisteredClientById"];
    for (name, wanted) in [
        ("client_id", client["client_id"].clone()),
        ("client_name", json!("Field app")),
        ("software_id", json!("tmpl")),
        ("requires_consent", json!(true)),
        ("token_endpoint_auth_methods", json!(["client_secret_basic"])),
        ("subject_type", json!("public")),
        ("registration_client_uri", client["registration_client_uri"].clone()),
        ("authenticated_user", Value::Null),
        ("jwks_uri", Value::Null),
        ("properties", json!({})),
    ] {
        assert_eq!(read[name], wanted, "{name}: {read}");
    }
}

/// `docs/security-cases.md` row 43: what is not there and what is not a registered client are one
/// answer, and who may not read learns of neither.
#[tokio::test]
async fn case_43_an_unknown_client_and_another_kind_of_client_are_one_answer() {
    let (castellan, token) = start("").await;
    let client = made(&castellan, "tmpl").await;
    let by_id = |id: &str| format!("{{dynamicallyRegisteredClientById(id: {id:?}) {{client_id}}}}");
    let mut answers = Vec::new();
    for id in ["console", "nobody", "tmpl", "a/b", ""] {
        answers.push(asked(&castellan, PATH, &token, &by_id(id)).await.body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let other = super::support::token(&castellan, "other").await;
    let (there, not) = (id_of(&client), "nobody".to_owned());
    for id in [there, not] {
        assert_refused(&asked(&castellan, PATH, &other, &by_id(&id)).await, 403, "access-denied");
    }
    // Reading is not writing.
    let reader = super::support::token(&castellan, "user").await;
    let query = format!(
        "mutation {{setDynamicallyRegisteredClientStatusById(
            input: {{client_id: {:?}, status: revoked}}) {{client {{status}}}}}}",
        id_of(&client)
    );
    assert_refused(&asked(&castellan, PATH, &reader, &query).await, 403, "access-denied");
    assert_eq!(ids(&castellan, &reader, "").await.len(), 1);
}

#[tokio::test]
async fn curity_38_an_account_has_the_clients_that_its_person_registered() {
    let query = "{accountById(accountId: \"user\") {dynamicClients {client_id status}}}";
    for (more, is_on) in [("", false), ("[management]\ndynamic_clients_in_accounts = true\n", true)]
    {
        let (castellan, token) = start(more).await;
        let read = data(&asked(&castellan, ACCOUNTS, &token, query).await);
        let none = if is_on { json!([]) } else { Value::Null };
        assert_eq!(read["accountById"]["dynamicClients"], none);
        let client = made_for(&castellan, "user", "tmpl").await;
        made(&castellan, "tmpl").await;
        let read = data(&asked(&castellan, ACCOUNTS, &token, query).await);
        let one = json!([{"client_id": client["client_id"], "status": "active"}]);
        let wanted = if is_on { one } else { Value::Null };
        assert_eq!(read["accountById"]["dynamicClients"], wanted);
    }
}

#[cfg(feature = "full")]
#[tokio::test]
async fn curity_46_dynamodb_lists_registered_clients_of_one_template() {
    use crate::{operations::nodes, support::castellan::Plan};

    let server = nodes::address("CASTELLAN_TEST_DYNAMODB");
    let table = format!("dcr_{}", std::process::id());
    let tables = nodes::config(&format!("dynamodb://local?table={table}&endpoint={server}"));
    let (head, site) = tables.split_at(tables.find("[[site]]").unwrap());
    let castellan = Castellan::start(Plan {
        config: format!("{head}{BY_TOKEN}{site}{GROUPS}"),
        documents: format!("{PEOPLE}{REGISTRANTS}{TEMPLATE}"),
        environment: vec![("CASTELLAN_KEY", "Q".repeat(43))],
        ..Plan::default()
    })
    .await;
    let token = token(&castellan, "admin").await;
    let mut made_here = Vec::new();
    for _ in 0..3 {
        made_here.push(id_of(&made(&castellan, "tmpl").await));
    }
    let query = "{dynamicallyRegisteredClients {totalCount}}";
    let answer = asked(&castellan, PATH, &token, query).await;
    let cause = failed(&answer, "operation-not-supported")["not-supported-cause"].clone();
    assert_eq!(cause, "FILTERING_ABSENT");
    assert_eq!(answer.json()["errors"][0]["message"], "At least 1 filter key must be defined");
    let by_name = "templateClient: \"tmpl\", sorting: {sortBy: name, sortOrder: ASCENDING}";
    let mut found = ids(&castellan, &token, by_name).await;
    made_here.sort();
    assert_eq!(found, made_here);
    let by_name = by_name.replace("ASCENDING", "DESCENDING");
    found = ids(&castellan, &token, &by_name).await;
    made_here.reverse();
    assert_eq!(found, made_here);
    let total = data(&listed(&castellan, &token, "templateClient: \"tmpl\"").await);
    assert_eq!(total["dynamicallyRegisteredClients"]["totalCount"], 3);
}
