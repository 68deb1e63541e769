//! `docs/contracts/decidim.md` §5 and §5.4: in which shapes `/api` is asked, and who may ask for
//! its schema.

use http::Method;
use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    castellan::{Archive, Castellan, Plan},
    fixtures,
    wire::{Answer, Ask},
};

const NAMED: &str =
    "query($id: ID, $more: Boolean!) { Person(identifier: $id) @include(if: $more) { name } }";
const CREATE: &str = "mutation { CreatePerson(identifier: \"x\", name: \"x\") { identifier } }";
const SCHEMA: &str = "{ __schema { queryType { name } } }";
const MACHINE: &str = "---\nresourceType: ApiCredential\nid: sync\nname: Sync\nsecret: \
                       PASTE_API_SECRET_HERE\nscope: [\"api:read\", \"api:write\"]\n";

/// The API before `archive`, with `more` in its guard's table.
async fn start(archive: &Archive, more: &str, environment: &[(&'static str, &str)]) -> Castellan {
    let secret = ("DECIDIM_API_JWT_SECRET", "s3cret-of-the-api");
    let environment = environment.iter().chain([&secret]);
    Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"api\"\npath = \"/api\"\ndialect = \"decidim\"\nupstream = \"{}\"\n{more}\n",
            archive.url
        ),
        documents: format!("{}{MACHINE}", fixtures::DOCUMENTS),
        environment: environment.map(|(name, value)| (*name, (*value).to_owned())).collect(),
        ..Plan::default()
    })
    .await
}

async fn token(castellan: &Castellan) -> String {
    let pairs = [("api_user[key]", "sync"), ("api_user[secret]", "PASTE_API_SECRET_HERE")];
    let answer = Ask::post(&castellan.at("/api/sign_in")).form(&pairs).send().await;
    answer.json()["jwt_token"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

fn code(answer: &Answer) -> (u16, Value) {
    (answer.status.as_u16(), answer.json()["errors"][0]["extensions"]["code"].clone())
}

#[tokio::test]
async fn variables_may_be_a_text_and_the_request_a_form() {
    let archive = Archive::start().await;
    let castellan = start(&archive, "", &[]).await;
    let person = archive.ask("{ Person(first: 1) { identifier name } }").await;
    let person = &person["data"]["Person"][0];
    let variables = json!({"id": person["identifier"], "more": true});
    let expected = json!({"data": {"Person": [{"name": person["name"]}]}});
    let text = variables.to_string();

    let api = castellan.at("/api");
    let bodies = [
        json!({"query": NAMED, "variables": variables}),
        json!({"query": NAMED, "variables": text}),
    ];
    for body in bodies {
        assert_eq!(Ask::post(&api).json(&body).send().await.json(), expected, "{body}");
    }
    let form = [("query", NAMED), ("variables", &*text), ("operationName", "")];
    assert_eq!(Ask::post(&api).form(&form).send().await.json(), expected);

    // What is not read is refused by name, and nothing is read twice in two ways.
    let wrong = [("query", NAMED), ("variables", "x")];
    let answer = Ask::post(&api).form(&wrong).send().await;
    assert_eq!(code(&answer), (400, json!("BAD_REQUEST")));
    assert!(answer.body.contains("`variables`"), "{answer:?}");
    let twice = [("query", "{ __typename }"), ("query", CREATE)];
    assert_eq!(code(&Ask::post(&api).form(&twice).send().await), (400, json!("BAD_REQUEST")));
    for kind in [
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/x-www-form-urlencoded; charset=latin1",
    ] {
        let answer = Ask::post(&api).body(kind, "query={__typename}").send().await;
        assert_eq!(code(&answer), (415, json!("UNSUPPORTED_MEDIA_TYPE")), "{kind}");
    }
}

/// `docs/security-cases.md` row 38, and `docs/rules.md` rule 36: what any page can make a browser
/// send changes nothing, and goes for nobody.
#[tokio::test]
async fn case_38_a_form_that_nobody_meant_changes_nothing() {
    let archive = Archive::start().await;
    let listed = "authenticate = [\"oauth\", \"session\"]\npublic = [\"Query:*\", \"Mutation:*\"]";
    let castellan = start(&archive, listed, &[]).await;
    let (api, cookies) = (castellan.at("/api"), Browser::as_ann(&castellan).await.jar());
    let form = |query| Ask::post(&api).form(&[("query", query)]);
    for ask in [
        form(CREATE),
        form(CREATE).header("cookie", &cookies),
        form(CREATE).header("cookie", &cookies).header("x-requested-with", "XMLHttpRequest"),
    ] {
        assert_eq!(code(&ask.send().await), (415, json!("MUTATION_IN_FORM")));
    }
    let probe = form("{ session { user { id } } }").header("cookie", &cookies);
    let answer = probe.header("x-requested-with", "XMLHttpRequest").send().await;
    assert_eq!(answer.json(), json!({"data": {"session": null}}));
    let there = archive.ask("{ Person(identifier: \"x\") { name } }").await;
    assert_eq!(there["data"]["Person"], json!([]));

    // A browser asks us before it sends a form with a token.
    let token = token(&castellan).await;
    let answer = form(CREATE).bearer(&token).send().await;
    assert_eq!(answer.json()["data"]["CreatePerson"]["identifier"], "x", "{answer:?}");
}

#[tokio::test]
async fn a_guard_says_whether_it_reads_forms() {
    let archive = Archive::start().await;
    let castellan = start(&archive, "forms = false", &[]).await;
    let ask = Ask::post(&castellan.at("/api")).form(&[("query", "{ __typename }")]);
    assert_eq!(code(&ask.send().await), (415, json!("UNSUPPORTED_MEDIA_TYPE")));
    let text = json!({"query": "{ __typename }", "variables": "{}"});
    let answer = Ask::post(&castellan.at("/api")).json(&text).send().await;
    assert_eq!(code(&answer), (400, json!("BAD_REQUEST")));
}

#[tokio::test]
async fn the_schema_is_shown_to_known_callers_unless_it_is_said() {
    let archive = Archive::start().await;
    let shown = json!({"data": {"__schema": {"queryType": {"name": "Query"}}}});
    let variable = &[("DECIDIM_API_ENABLE_ANONYMOUS_INTROSPECTION", "1")][..];
    for (guard, environment, to_all, to_known) in [
        ("", &[][..], false, true),
        ("", variable, true, true),
        ("introspection = \"public\"", &[], true, true),
        // What the guard says comes first.
        ("introspection = \"signed-in\"", variable, false, true),
        ("introspection = \"closed\"", variable, false, false),
    ] {
        let castellan = start(&archive, guard, environment).await;
        let token = token(&castellan).await;
        for (token, is_shown) in [(None, to_all), (Some(&*token), to_known)] {
            let answer = castellan.graphql("/api", token, SCHEMA).await;
            let expected = if is_shown { shown.clone() } else { json!({"data": null}) };
            assert_eq!(answer.json(), expected, "{guard} {environment:?} {}", token.is_some());
        }
    }
    let blank = &[("DECIDIM_API_ENABLE_ANONYMOUS_INTROSPECTION", " ")][..];
    let castellan = start(&archive, "", blank).await;
    assert_eq!(castellan.graphql("/api", None, SCHEMA).await.json(), json!({"data": null}));
}

/// `docs/contracts/trompa.md` §1: GraphQL is at `/graphql` and at `/`.
#[tokio::test]
async fn graphql_is_at_the_root_as_well() {
    let archive = Archive::start().await;
    let castellan = Castellan::start(crate::dialects::trompa_guard::plan(Some(&archive))).await;
    let token = crate::dialects::trompa_guard::mint("admin", &["Mutation:Person:Create"]);
    let read = "{ Person(first: 1) { __typename } }";
    let expected = json!({"data": {"Person": [{"__typename": "Person"}]}});
    for path in ["/graphql", "/"] {
        assert_eq!(castellan.graphql(path, None, read).await.json(), expected, "{path}");
        let denied = castellan.graphql(path, None, CREATE).await.json();
        assert_eq!(denied["errors"][0]["message"], "No authorization token.", "{path}: {denied}");
    }
    let created = castellan.graphql("/", Some(&token), CREATE).await.json();
    assert_eq!(created["data"]["CreatePerson"]["identifier"], "x", "{created}");

    let url = castellan.at("/?query=%7BPerson(first:1)%7B__typename%7D%7D");
    assert_eq!(Ask::get(&url).send().await.json(), expected);
    let write =
        Ask::get(&castellan.at("/?query=mutation%7BCreatePerson(name:%22y%22)%7Bname%7D%7D"));
    assert_eq!(code(&write.send().await), (405, json!("MUTATION_OVER_GET")));
    // Who asks for nothing is shown their own page, and the rest of the server is not open to
    // any origin because `/` is.
    let home = Ask::get(&castellan.at("/")).send().await;
    assert_eq!((home.status.as_u16(), home.location()), (303, "/account"));
    for (path, is_open) in [("/", true), ("/account", false), ("/auth/login", false)] {
        let preflight = Ask::new(Method::OPTIONS, &castellan.at(path))
            .header("origin", "https://app.test")
            .header("access-control-request-method", "POST");
        let answer = preflight.send().await;
        assert_eq!(answer.header("access-control-allow-origin").is_some(), is_open, "{path}");
    }

    let plan = crate::dialects::trompa_guard::plan(Some(&archive));
    let config = plan.config.replace("path =", "at_root = false\npath =");
    let castellan = Castellan::start(Plan { config, ..plan }).await;
    assert_eq!(castellan.graphql("/", None, read).await.status, 405);
}
