//! Roles: what people may do at guards that ask (`docs/rules.md` rule 4, `docs/resources.md`).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    castellan::{Castellan, Plan},
    fixtures::{Asking, text},
    jose::claims,
    upstream::Recorder,
    wire::{Answer, Ask},
};

const SDL: &str = "
type Query { person(id: ID): Person news: String }
type Mutation { createPerson(name: String): Person deletePerson(id: ID): ID }
type Person { id: ID name: String }
";

const DOCUMENTS: &str = r#"
resourceType: User
id: ann
userName: ann
password: pw-ann
groups: [{value: editors}, {value: choir}]
---
resourceType: User
id: bob
userName: bob
password: pw-bob
groups: [{value: administrators}]
---
resourceType: Client
id: editor
secret: s3cr3t-editor
first_party: true
grant_types: [authorization_code, refresh_token]
redirect_uris: ["https://editor.test/cb"]
scope: [openid, groups, roles, "Query:*", "Mutation:*"]
---
resourceType: Client
id: helper
name: Helper
secret: s3cr3t-helper
grant_types: [authorization_code, refresh_token, "urn:ietf:params:oauth:grant-type:device_code"]
redirect_uris: ["https://helper.test/cb"]
scope: [openid, "Query:*", "Mutation:*", "Castellan:User:Read", "Castellan:*"]
---
resourceType: Client
id: robot
secret: s3cr3t-robot
grant_types: [client_credentials]
scope: ["Mutation:Person:Create"]
"#;

const EDITORS: &str = r#"
resourceType: Role
id: editing
name: Editors
scope: ["Mutation:Person:{Create,Update}"]
groups: [editors]
---
resourceType: Role
id: reading
scope: ["Query:*"]
everybody: true
"#;

const EDITOR: [(&str, &str); 2] = [("client_id", "editor"), ("client_secret", "s3cr3t-editor")];
const CREATE: &str = "mutation { createPerson(name: \"Ada\") { name } }";

async fn stage(require: &str, roles: &str) -> (Recorder, Castellan) {
    let recorder = Recorder::start().await;
    recorder.answer(r#"{"data":{"createPerson":{"name":"Ada"},"person":{"name":"Ada"}}}"#);
    let castellan = Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"people\"\npath = \"/graphql\"\nupstream = \"{}\"\n\
             schema = \"people.graphql\"\npublic = [\"Query:news:*\"]\n{require}",
            recorder.url
        ),
        documents: format!("{DOCUMENTS}---{roles}"),
        files: vec![("people.graphql", SDL.to_owned())],
        ..Plan::default()
    })
    .await;
    (recorder, castellan)
}

const PERSON: &str = "require = [\"person\"]\n";

/// What the app `editor` gets for a person, with `scope`.
async fn tokens(castellan: &Castellan, person: (&str, &str), scope: &str) -> Value {
    let asking = Asking::of("editor", "https://editor.test/cb").with("scope", scope);
    let mut browser = Browser::default();
    let begun = browser.get(&asking.at(castellan)).await;
    let answer = browser.sign_in(castellan, &begun, person).await;
    let code = answer.location_param("code").unwrap_or_else(|| panic!("no code: {answer:?}"));
    let answer = castellan.redeem(&code, &EDITOR).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn access(castellan: &Castellan, person: (&str, &str)) -> String {
    text(&tokens(castellan, person, "openid Query:* Mutation:*").await, "access_token").to_owned()
}

const ANN: (&str, &str) = ("ann", "pw-ann");
const BOB: (&str, &str) = ("bob", "pw-bob");

fn reason(answer: &Answer) -> Value {
    answer.json()["errors"][0]["extensions"]["reason"].clone()
}

/// What the API was told of the caller.
fn identity(recorder: &Recorder) -> Value {
    let seen = recorder.seen().pop().expect("nothing reached the API");
    claims(seen.headers["castellan-identity"].to_str().unwrap())
}

fn apply(castellan: &Castellan, document: &str) {
    let applied = castellan.cli_with(&["apply", "-f", "-"], document);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
}

/// "Editors may, others may not" takes one document.
#[tokio::test]
async fn editors_may_and_others_may_not() {
    let (recorder, castellan) = stage(PERSON, EDITORS).await;
    let (ann, bob) = (access(&castellan, ANN).await, access(&castellan, BOB).await);

    let answer = castellan.graphql("/graphql", Some(&ann), CREATE).await;
    assert_eq!(answer.json()["data"]["createPerson"]["name"], "Ada", "{answer:?}");
    let told = identity(&recorder);
    assert_eq!(told["groups"], json!(["editors", "choir"]));
    assert_eq!(told["roles"], json!(["editing", "reading"]));
    // Her token has more; the API is told what is left of it.
    assert_eq!(told["scope"], "openid Query:* Mutation:Person:{Create,Update}");
    let delete = "mutation { deletePerson(id: \"1\") }";
    let answer = castellan.graphql("/graphql", Some(&ann), delete).await;
    assert_eq!(reason(&answer), "person_scope", "{answer:?}");

    // An administrator of Castellan is nobody in particular at an API.
    let answer = castellan.graphql("/graphql", Some(&bob), CREATE).await;
    assert_eq!(reason(&answer), "person_scope", "{answer:?}");
    assert!(recorder.seen().is_empty());
    let answer = castellan.graphql("/graphql", Some(&bob), "{ person(id: 1) { name } }").await;
    assert_eq!(answer.json()["data"]["person"]["name"], "Ada", "{answer:?}");
    assert_eq!(identity(&recorder)["roles"], json!(["reading"]));

    // A role gives no token more than it was granted.
    let narrow = tokens(&castellan, ANN, "openid Query:*").await;
    let answer = castellan.graphql("/graphql", Some(text(&narrow, "access_token")), CREATE).await;
    assert_eq!(reason(&answer), "token_scope", "{answer:?}");
}

/// Rule 4: the term of a person does not apply where there is none, and is required where there is.
#[tokio::test]
async fn a_required_person_without_a_role_is_denied_and_a_robot_is_no_person() {
    let (recorder, castellan) = stage(PERSON, "\n").await;
    let ann = access(&castellan, ANN).await;
    let answer = castellan.graphql("/graphql", Some(&ann), CREATE).await;
    assert_eq!(reason(&answer), "person_scope", "no roles at all: {answer:?}");
    let answer = castellan.graphql("/graphql", Some(&ann), "{ news }").await;
    assert!(answer.json().get("errors").is_none(), "what is public stays so: {answer:?}");
    recorder.seen();

    let robot = [
        ("client_id", "robot"),
        ("client_secret", "s3cr3t-robot"),
        ("grant_type", "client_credentials"),
    ];
    let robot = castellan.token(&robot).await.json();
    let robot = text(&robot, "access_token");
    let answer = castellan.graphql("/graphql", Some(robot), CREATE).await;
    assert_eq!(answer.json()["data"]["createPerson"]["name"], "Ada", "{answer:?}");
    let told = identity(&recorder);
    assert_eq!((told.get("groups"), told.get("roles")), (None, None), "{told}");

    let explained = castellan.said(&["explain", "--query", CREATE, "--token", robot]);
    assert!(explained.contains("person     –    no person: an app"), "{explained}");
}

/// Where no guard asks, roles are told to the API and decide nothing.
#[tokio::test]
async fn roles_decide_only_where_a_guard_asks() {
    let (recorder, castellan) = stage("", EDITORS).await;
    let bob = access(&castellan, BOB).await;
    let answer = castellan.graphql("/graphql", Some(&bob), CREATE).await;
    assert_eq!(answer.json()["data"]["createPerson"]["name"], "Ada", "{answer:?}");
    let told = identity(&recorder);
    assert_eq!(told["roles"], json!(["reading"]));
    assert_eq!(told["scope"], "openid Query:* Mutation:*");
}

/// A change of a role, by another process on the same data source, counts within a second for
/// tokens that were seen before.
#[tokio::test]
async fn a_role_that_is_taken_away_ends_what_it_allowed_within_a_second() {
    let (_recorder, castellan) = stage(PERSON, EDITORS).await;
    let ann = access(&castellan, ANN).await;
    let allowed = async || {
        let answer = castellan.graphql("/graphql", Some(&ann), CREATE).await;
        answer.json().get("errors").is_none()
    };
    let until = async |wanted: bool, what: &str| {
        let began = Instant::now();
        while allowed().await != wanted {
            assert!(began.elapsed() < Duration::from_secs(1), "{what}: not within a second");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(allowed().await);
    castellan.said(&["delete", "Role", "editing"]);
    until(false, "deleted").await;
    // A role that was not there before counts as well.
    let ids = "resourceType: Role\nid: by-name\nscope: [\"Mutation:*\"]\nusers: [ann]\n";
    apply(&castellan, ids);
    until(true, "added").await;
    apply(&castellan, &ids.replace("Mutation:*", "Mutation:Person:Delete"));
    until(false, "narrowed").await;
    apply(&castellan, EDITORS);
    until(true, "added again").await;
    // So does leaving the group.
    apply(&castellan, "resourceType: User\nid: ann\nuserName: ann\ngroups: [{value: choir}]\n");
    until(false, "out of the group").await;
}

/// What roles are used for is counted, and what nobody's role allows is found.
#[tokio::test]
async fn scopes_lint_and_usage_know_roles() {
    let (_recorder, mut castellan) = stage(PERSON, EDITORS).await;
    apply(
        &castellan,
        "resourceType: Role\nid: wrong\nscope: [\"Mutation:Pesron:*\"]\n\
         groups: [x]\n",
    );
    let ann = access(&castellan, ANN).await;
    for _ in 0..3 {
        castellan.graphql("/graphql", Some(&ann), CREATE).await;
    }
    castellan.stop();
    let said = castellan.said(&["scopes", "usage", "Role/editing"]);
    assert!(said.contains("used        Mutation:Person:{Create,Update}: 3 times"), "{said}");
    assert!(said.contains("narrower    Mutation:Person:Create"), "{said}");
    let said = castellan.said(&["scopes", "usage", "Role/wrong"]);
    assert!(said.contains("no use recorded yet"), "{said}");

    let schema = castellan.path("people.graphql").display().to_string();
    let lint = castellan.cli(&["scopes", "lint", "--schema", &schema, "--guard", "people"]);
    let said = String::from_utf8(lint.stdout).unwrap();
    assert_eq!(lint.status.code(), Some(1), "{said}");
    for line in [
        "warning: dead-scope: Role/wrong Mutation:Pesron:* matches no field",
        "warning: no-role: Mutation.deletePerson no role allows Mutation:Person:Delete",
    ] {
        assert!(said.contains(line), "no {line:?} in\n{said}");
    }
    for field in ["createPerson no role", "Query.person no role", "Query.news no role"] {
        assert!(!said.contains(field), "{said}");
    }
}

#[tokio::test]
async fn explain_names_the_role_and_the_smallest_change() {
    let (_recorder, castellan) = stage(PERSON, EDITORS).await;
    let (ann, bob) = (access(&castellan, ANN).await, access(&castellan, BOB).await);
    let said = castellan.said(&["explain", "--query", CREATE, "--token", &ann]);
    let covers = "person     yes  role editing covers it with Mutation:Person:{Create,Update}";
    assert!(said.contains(covers) && said.contains("role       editing: "), "{said}");

    let denied = castellan.graphql("/graphql", Some(&bob), CREATE).await;
    let id = denied.header("castellan-decision").unwrap();
    let said = castellan.until_said(&["explain", id]).await;
    for line in [
        "DENIED: person_scope",
        "role       reading: Query:*",
        "person     no   none of the person's roles covers it: reading",
        "smallest grant  Mutation:Person:Create in a role of the person, or a new role",
    ] {
        assert!(said.contains(line), "no {line:?} in\n{said}");
    }
}

/// Apps that ask for the scopes `groups` and `roles` get the claims of these names; others do not.
#[tokio::test]
async fn groups_and_roles_are_claims_by_choice_of_the_client() {
    let castellan = Castellan::with_documents(&format!("{DOCUMENTS}---{EDITORS}")).await;
    let (groups, roles) = (json!(["editors", "choir"]), json!(["editing", "reading"]));
    for (scope, wanted) in [
        ("openid", [None, None]),
        ("openid groups", [Some(&groups), None]),
        ("openid roles", [None, Some(&roles)]),
        ("openid groups roles", [Some(&groups), Some(&roles)]),
    ] {
        let tokens = tokens(&castellan, ANN, scope).await;
        let access = text(&tokens, "access_token");
        let info = castellan.userinfo(access).await.json();
        for (place, claims) in [
            ("ID token", claims(text(&tokens, "id_token"))),
            ("access token", claims(access)),
            ("userinfo", info),
        ] {
            let is = [claims.get("groups"), claims.get("roles")];
            assert_eq!(is, wanted, "{place} with {scope:?}: {claims}");
        }
    }
    let metadata = Ask::get(&castellan.at("/.well-known/openid-configuration")).send().await.json();
    for list in ["scopes_supported", "claims_supported"] {
        for name in ["groups", "roles"] {
            assert!(
                metadata[list].as_array().unwrap().contains(&json!(name)),
                "{list}: {metadata}"
            );
        }
    }
}

/// Where no person can come, requiring one would be a rule without effect.
#[tokio::test]
async fn a_guard_for_keys_alone_cannot_require_a_person() {
    let guard = "[[guard]]\nname = \"people\"\npath = \"/graphql\"\n\
                 upstream = \"http://127.0.0.1:9/\"\nauthenticate = \"jwt\"\n";
    let refused = Castellan::refuses(Plan {
        config: format!("{guard}{PERSON}"),
        environment: vec![("JWT_SECRET", "s3cret-of-the-keys".to_owned())],
        ..Plan::default()
    })
    .await;
    assert!(refused.contains("require: \"person\" has no effect"), "{refused}");
}

/// What a role's document says is enforced or refused.
#[tokio::test]
async fn a_role_says_what_for_and_for_whom() {
    let castellan = Castellan::with_documents(DOCUMENTS).await;
    let everybody = "everybody: true\n";
    for (document, why) in [
        ("scope: [\"Query:*\"]\n".to_owned(), "this role is for nobody"),
        (format!("scope: [\"Query:*\"]\ngroups: []\nusers: []\n{}", ""), "this role is for nobody"),
        (format!("scope: []\n{everybody}"), "scope is empty"),
        (everybody.to_owned(), "scope is empty"),
        (format!("scope: [\"Query:{{a\"]\n{everybody}"), "scope: the braces in"),
        (format!("scope: [\"a b\"]\n{everybody}"), "scope: \"a b\" is not a scope"),
        (
            format!("scope: [\"Castellan:*\"]\n{everybody}"),
            "no role makes anybody an administrator",
        ),
        (
            format!("scope: [\"{{Castellan:User:Read,Query:*}}\"]\n{everybody}"),
            "no role makes anybody an administrator",
        ),
        (
            format!("scope: [\"Query:*\"]\ngroups: [\"\"]\n{everybody}"),
            "is not the name of a group",
        ),
        (
            "scope: [\"Query:*\"]\nusers: [{resourceType: Client, id: x}]\n".to_owned(),
            "neither the id",
        ),
        ("scope: [\"Query:*\"]\nusers: [\"a b\"]\n".to_owned(), "neither the id"),
        (format!("scope: [\"Query:*\"]\nclients: [x]\n{everybody}"), "unknown field `clients`"),
    ] {
        let document = format!("resourceType: Role\nid: r\n{document}");
        let applied = castellan.cli_with(&["apply", "-f", "-"], &document);
        let said = String::from_utf8(applied.stderr).unwrap();
        assert!(!applied.status.success() && said.contains(why), "{document}: {said}");
    }
    apply(
        &castellan,
        "resourceType: Role\nid: r\nname: Team\nscope: [\"Query:*\", api:read]\n\
         users: [ann, {resourceType: User, id: bob}, {reference: User/ann}]\n",
    );
    let mut shown: Value =
        serde_json::from_str(&castellan.said(&["get", "Role", "r", "--format", "json"])).unwrap();
    let meta = shown.as_object_mut().unwrap().shift_remove("meta").unwrap();
    assert!(meta["versionId"].as_str().unwrap().starts_with("1-"), "{meta}");
    let user = |id: &str| json!({"resourceType": "User", "id": id});
    assert_eq!(
        shown,
        json!({
            "resourceType": "Role", "id": "r", "name": "Team", "scope": ["Query:*", "api:read"],
            "users": [user("ann"), user("bob")],
        })
    );
    // `*` of a role is about APIs alone, like that of a token.
    apply(&castellan, "resourceType: Role\nid: all\nscope: [\"*\"]\neverybody: true\n");
    let ann = access(&castellan, ANN).await;
    let asked = Ask::get(&castellan.at("/Role/r")).bearer(&ann).send().await;
    assert_eq!(asked.status, 403, "{asked:?}");
}

const HELPER: [(&str, &str); 2] = [("client_id", "helper"), ("client_secret", "s3cr3t-helper")];

/// The way of `person` into the app `helper`, up to the consent page: where it leads, and the page.
async fn asked(
    castellan: &Castellan,
    person: (&str, &str),
    scope: &str,
) -> (Browser, Answer, String) {
    let asking = Asking::of("helper", "https://helper.test/cb").with("scope", scope);
    let mut browser = Browser::default();
    let begun = browser.get(&asking.at(castellan)).await;
    let answer = browser.sign_in(castellan, &begun, person).await;
    let leads_to_consent = answer.location().starts_with("/auth/consent");
    let page = if leads_to_consent {
        browser.get(&castellan.at(answer.location())).await.body
    } else {
        String::new()
    };
    (browser, answer, page)
}

/// Consent offers nobody what they could not do, and what was not offered is not granted.
#[tokio::test]
async fn nobody_is_asked_to_agree_to_what_they_could_not_do() {
    let (_, castellan) = stage(PERSON, EDITORS).await;
    let scope = "openid Query:* Mutation:* Castellan:User:Read Castellan:*";
    let (mut browser, answer, text) = asked(&castellan, ANN, scope).await;
    assert!(text.contains("Mutation:Person:{Create,Update}"), "{text}");
    assert!(text.contains("Query:*") && text.contains("Castellan:User:Read"), "{text}");
    assert!(!text.contains("Mutation:*") && !text.contains("Castellan:*"), "{text}");
    let answer = browser.decide(&castellan, &answer, "allow").await;
    let code = answer.location_param("code").unwrap_or_else(|| panic!("no code: {answer:?}"));
    let granted = castellan.redeem(&code, &HELPER).await.json();
    let expected = "openid Query:* Mutation:Person:{Create,Update} Castellan:User:Read";
    assert_eq!(granted["scope"], expected, "an app is told what it did not get");

    // What was remembered is enough the next time, and only as long as she can do it.
    let again = Asking::of("helper", "https://helper.test/cb").with("scope", scope);
    let answer = browser.get(&again.at(&castellan)).await;
    assert!(answer.location_param("code").is_some(), "{answer:?}");

    // What she agreed to is no way around a role that she has lost.
    assert!(castellan.cli(&["delete", "Role", "editing"]).status.success());
    let only = Asking::of("helper", "https://helper.test/cb").with("scope", "Mutation:*");
    let mut error = None;
    for _ in 0..40 {
        error = browser.get(&only.at(&castellan)).await.location_param("error");
        if error.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(error.as_deref(), Some("access_denied"));

    // Bob may read and nothing else.
    let (_, _, page) = asked(&castellan, BOB, "openid Query:* Mutation:*").await;
    assert!(page.contains("Query:*") && !page.contains("Mutation:"), "{page}");
    let (_, answer, _) = asked(&castellan, BOB, "Mutation:*").await;
    assert_eq!(answer.location_param("error").as_deref(), Some("access_denied"), "{answer:?}");

    // Where no guard asks for roles, people can do what tokens can.
    let (_, castellan) = stage("", EDITORS).await;
    let (_, _, page) = asked(&castellan, BOB, "openid Query:* Mutation:*").await;
    assert!(page.contains("Mutation:*"), "{page}");
}
