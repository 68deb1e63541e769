//! `castellan policy test`: cases about policies, roles and scopes, without a server.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::castellan::command;

/// The example that the documentation refers to.
fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/policies")
}

/// A copy of the example.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "castellan.toml",
        "notes.graphql",
        "notes.lock",
        "people.yaml",
        "policies.yaml",
        "notes.authz.yaml",
    ] {
        fs::copy(example().join(name), folder.path().join(name)).unwrap();
    }
    folder
}

fn test(folder: &TempDir, arguments: &[&str]) -> Output {
    let mut command = command(&[]);
    command.current_dir(folder.path()).args(["--config", "castellan.toml", "policy", "test"]);
    command.args(arguments).output().unwrap()
}

/// The same with a file of cases.
fn cases(folder: &TempDir, text: &str) -> (Option<i32>, Value) {
    fs::write(folder.path().join("some.authz.yaml"), text).unwrap();
    let tested = test(folder, &["--json", "some.authz.yaml"]);
    let said = serde_json::from_slice(&tested.stdout);
    let said = said.unwrap_or_else(|_| json!(String::from_utf8_lossy(&tested.stderr)));
    (tested.status.code(), said)
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

#[test]
fn the_example_passes_and_needs_all_its_policies() {
    let folder = folder();
    let tested = test(&folder, &["notes.authz.yaml"]);
    assert_eq!(tested.status.code(), Some(0), "{}", text(&tested));
    assert!(text(&tested).contains("10 cases, 0 failed, 0 untouched"), "{}", text(&tested));
    let strict = test(&folder, &["--deny-untouched", "notes.authz.yaml"]);
    assert_eq!(strict.status.code(), Some(0), "{}", text(&strict));
    // Neither a data source nor a key was made beside the configuration.
    let mut left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|one| one.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left.len(), 6, "{left:?}");
}

#[test]
fn a_policy_that_is_changed_fails_its_case_and_one_that_is_needless_is_named() {
    let folder = folder();
    let path = folder.path().join("policies.yaml");
    let policies = fs::read_to_string(&path).unwrap();
    let wider = policies.replace("arguments: {owner: .user.id}", "user: {id: present?}");
    fs::write(&path, &wider).unwrap();
    let tested = test(&folder, &["notes.authz.yaml"]);
    assert_eq!(tested.status.code(), Some(1), "{}", text(&tested));
    assert!(text(&tested).contains("theirs: allow, expected policy"), "{}", text(&tested));
    assert!(text(&tested).contains("own-notes allows"), "{}", text(&tested));

    let more = "---\n{resourceType: AccessPolicy, id: zebra, engine: allow, \
                link: [{reference: Guard/notes}, {reference: User/nobody}]}\n";
    fs::write(&path, format!("{policies}{more}")).unwrap();
    let tested = test(&folder, &["notes.authz.yaml"]);
    assert_eq!(tested.status.code(), Some(0), "{}", text(&tested));
    assert!(text(&tested).contains("no case needs AccessPolicy/zebra"), "{}", text(&tested));
    let strict = test(&folder, &["--deny-untouched", "notes.authz.yaml"]);
    assert_eq!(strict.status.code(), Some(1), "{}", text(&strict));
}

#[test]
fn what_differs_is_said_by_field() {
    let folder = folder();
    let (code, said) = cases(
        &folder,
        r#"
documents: [people.yaml, policies.yaml]
guard: notes
cases:
  - name: wrong
    caller: {client: webapp, user: ada}
    request: {query: '{ a: user(id: "ada") { email } b: user(id: "grace") { email } c: user(id: 1) { id } }'}
    expect: {a: {verdict: allow, policy: support}, b: allow, d: policy}
  - name: right
    caller: anonymous
    request: {query: '{ motd }'}
    expect: allow
  - name: no document
    caller: anonymous
    request: {query: '{ nothing }'}
    expect: allow
  - name: no value
    caller: {client: webapp, user: ada}
    request: {query: 'query($id: ID!) { user(id: $id) { id } }'}
    expect: allow
"#,
    );
    assert_eq!(code, Some(1), "{said}");
    let differences = |at: usize| said["cases"][at]["differences"].clone();
    let expected = json!([
        "a: allow by policy own-user, expected support",
        "b: policy, expected allow",
        "d: the request does not select it",
        "c: allow, which no line expects",
    ]);
    assert_eq!(differences(0), expected);
    assert_eq!(differences(1), json!([]));
    assert_eq!(said["cases"][1]["passed"], true);
    assert!(differences(2)[0].as_str().unwrap().contains("nothing"), "{said}");
    assert!(differences(3)[0].as_str().unwrap().contains("id"), "{said}");
    assert_eq!(said["failed"], 3);
    let untouched = said["untouched"].as_array().unwrap();
    assert!(untouched.contains(&json!("AccessPolicy/own-notes")), "{said}");
    assert!(untouched.contains(&json!("Role/editing Mutation:Note:{Update,Delete}")), "{said}");
}

/// Requests to resources are decided by the policies for resources, and by no others.
#[test]
fn requests_to_resources_are_cases_too() {
    let folder = folder();
    let documents = r#"
resourceType: Client
id: admin-app
type: public
grant_types: [authorization_code]
redirect_uris: ["https://app.example.org/callback"]
scope: ["Castellan:User:Read"]
---
{resourceType: User, id: root, userName: root, groups: [{value: administrators}]}
---
resourceType: AccessPolicy
id: own-record
engine: matcho
matcho: {params: {resource/id: .user.id}, remote-addr: 192.0.2.1, headers: {x-tenant: one}}
"#;
    fs::write(folder.path().join("more.yaml"), documents).unwrap();
    let (code, said) = cases(
        &folder,
        r"
documents: [people.yaml, policies.yaml, more.yaml]
callers:
  ada: {client: admin-app, user: ada}
  root: {client: admin-app, user: root}
cases:
  - {name: own, caller: ada, request: {get: /User/ada, from: 192.0.2.1, headers: {X-Tenant: one}}, expect: {/User/ada: {verdict: allow, policy: own-record}}}
  - {name: from elsewhere, caller: ada, request: {get: /fhir/User/ada, from: 192.0.2.2, headers: {X-Tenant: one}}, expect: forbidden}
  - {name: other, caller: ada, request: {get: /User/grace, from: 192.0.2.1, headers: {X-Tenant: one}}, expect: forbidden}
  - {name: search, caller: ada, request: {get: '/User?_id=ada', from: 192.0.2.1, headers: {X-Tenant: one}}, expect: forbidden}
  - {name: administrator, caller: root, request: {get: /User/ada}, expect: allow}
  - {name: no right, caller: root, request: {get: /Client/webapp}, expect: forbidden}
  - {name: nobody, caller: anonymous, request: {get: /User/ada}, expect: no_credential}
",
    );
    assert_eq!((code, &said["failed"]), (Some(0), &json!(0)), "{said:#}");
    let untouched = said["untouched"].as_array().unwrap();
    assert!(!untouched.contains(&json!("AccessPolicy/own-record")), "{said}");
    assert!(!untouched.contains(&json!("Client/admin-app Castellan:User:Read")), "{said}");
}

/// A file that cannot be read as it was meant ends with 2, and says where it is wrong.
#[test]
fn a_file_that_is_wrong_is_refused() {
    let folder = folder();
    let case = "cases: [{name: a, caller: anonymous, request: {query: '{ motd }'}, expect: allow}]";
    let good = format!("documents: []\nguard: notes\n{case}\n");
    assert_eq!(cases(&folder, &good).0, Some(0));
    for (text, problem) in [
        (good.replace("expect: allow", "expect: alow"), "alow"),
        (good.replace("expect:", "expects:"), "expects"),
        (good.replace("documents: []", "documents: [nothing.yaml]"), "nothing.yaml"),
        (format!("{good}more: 1\n"), "more"),
        ("documents: []\ncases: []\n".to_owned(), "cases must not be empty"),
        (good.replace("guard: notes", "callers: {anonymous: {client: x}}"), "reserved"),
        (good.replace("caller: anonymous", "caller: {user: ada}"), "caller"),
        ("- a\n".to_owned(), "some.authz.yaml"),
        ("a: [\n".to_owned(), "some.authz.yaml"),
    ] {
        let (code, said) = cases(&folder, &text);
        assert_eq!(code, Some(2), "{text}: {said}");
        assert!(said.to_string().contains(problem), "{text}: {said}");
    }
    // A case that cannot be decided fails; the others are decided.
    for (text, problem) in [
        (good.replace("caller: anonymous", "caller: somebody"), "somebody"),
        (good.replace("caller: anonymous", "caller: {client: x}"), "Client/x is in none"),
        (good.replace("guard: notes", "guard: other"), "no such guard"),
        (good.replace("{query: '{ motd }'}", "{get: /Nothing/a}"), "no path of a resource"),
        (good.replace("{query: '{ motd }'}", "{}"), "one of query, path and get"),
    ] {
        let (code, said) = cases(&folder, &text);
        assert_eq!(code, Some(1), "{text}: {said}");
        assert!(said.to_string().contains(problem), "{text}: {said}");
    }
    let missing = test(&folder, &["nowhere.authz.yaml"]);
    assert_eq!(missing.status.code(), Some(2), "{}", text(&missing));
}

const SHOP: &str = r#"
[[guard]]
name = "shop"
path = "/shop"
protocol = "http"
upstream = "http://127.0.0.1:9/"
require = ["person", "policy"]
[guard.operations]
"GET /orders" = "Query:Order:List"
"GET /orders/{id}" = "Query:Order:Get"
"POST /orders/{id}/cancel" = "Mutation:Order:Cancel"
"#;
const SHOP_DOCUMENTS: &str = r#"
resourceType: User
id: ada
userName: ada
groups: [{value: buyers}]
---
resourceType: Client
id: web
scope: ["Query:*", "Mutation:Order:*"]
grant_types: [code]
secret: s3cr3t-of-the-web
auth: {authorization_code: {redirect_uri: "https://web.test/cb", secret_required: true}}
---
resourceType: Role
id: buying
groups: [buyers]
scope: ["Query:Order:*", "Mutation:Order:Cancel"]
---
resourceType: AccessPolicy
id: own-orders
engine: matcho
matcho: {params: {owner: .user.id}}
link: [{reference: Guard/shop}]
"#;

/// Methods and paths are decided as fields are.
#[test]
fn requests_to_apis_over_http_are_cases_as_well() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("castellan.toml"), SHOP).unwrap();
    fs::write(folder.path().join("shop.yaml"), SHOP_DOCUMENTS).unwrap();
    let begin = "documents: [shop.yaml]\ncallers:\n  ada: {client: web, user: ada}\n  \
                 narrow: {client: web, user: ada, scope: \"Query:Order:List\"}\ncases:\n";
    let case = |name: &str, caller: &str, request: &str, expect: &str| {
        format!("  - {{name: {name}, caller: {caller}, request: {request}, expect: {expect}}}\n")
    };
    let listed = case("list", "ada", "{path: \"/shop/orders?owner=ada\"}", "allow");
    let good = [
        &listed,
        &case(
            "by policy",
            "ada",
            "{method: POST, path: \"/shop/orders/7/cancel?owner=ada\"}",
            "{verdict: allow, policy: own-orders}",
        ),
        &case("of others", "ada", "{path: \"/shop/orders?owner=bob\"}", "policy"),
        &case("narrow", "narrow", "{path: \"/shop/orders/7?owner=ada\"}", "token_scope"),
        &case("nobody", "anonymous", "{path: /shop/orders}", "no_credential"),
        &case("no path", "ada", "{path: /shop/other}", "no_operation"),
        &case("no method", "ada", "{method: DELETE, path: /shop/orders/7}", "no_operation"),
        &case(
            "by its operation",
            "ada",
            "{path: \"/shop/orders/7?owner=ada\"}",
            "{\"GET /orders/{id}\": allow}",
        ),
    ];
    let all: String = good.into_iter().map(String::as_str).collect();
    let (code, said) = cases(&folder, &format!("{begin}{all}"));
    assert_eq!(
        (code, &said["failed"], &said["untouched"]),
        (Some(0), &json!(0), &json!([])),
        "{said}"
    );

    let (code, said) = cases(&folder, &format!("{begin}{listed}"));
    let left = json!(["Client/web Mutation:Order:*", "Role/buying Mutation:Order:Cancel"]);
    assert_eq!((code, &said["untouched"]), (Some(0), &left), "{said}");

    for (request, expect, part) in [
        ("{path: \"/shop/orders?owner=ada\"}", "policy", "GET /orders: allow, expected policy"),
        ("{path: /elsewhere}", "allow", "no guard with protocol"),
        ("{method: POST, query: \"{ a }\"}", "allow", "method goes with path only"),
        ("{path: /shop/orders, query: \"{ a }\"}", "allow", "one of query, path and get"),
        ("{path: /shop/orders, operation: x}", "allow", "go with query only"),
        ("{path: /shop/a/../b}", "allow", ""),
    ] {
        let (code, said) =
            cases(&folder, &format!("{begin}{}", case("bad", "ada", request, expect)));
        assert_eq!(code, Some(1), "{request}: {said}");
        let difference = said["cases"][0]["differences"][0].as_str().unwrap();
        assert!(difference.contains(part), "{request}: {difference}");
    }
}
