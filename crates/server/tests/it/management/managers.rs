//! The authorization managers (`docs/contracts/curity.md` §§3.3 to 3.8).

use serde_json::{Value, json};

use super::support::{
    ACCOUNTS, GRANTED, GROUPS, JOHNS, asked, assert_refused, data, serving, token, token_at,
};
use crate::support::{
    castellan::{Castellan, Plan},
    jose,
};

const CLIENTS: &str = "/admin/graphql/database-clients";
const READ: &str = r#"{grantedAuthorizationsByOwner(owner: "user") {totalCount}}"#;
const DELETE: &str =
    r#"mutation {revokeGrantedAuthorizationsByOwner(input: {owner: "nobody"}) {success}}"#;

/// Statuses of a read and of a deletion with the token of `name`.
async fn statuses(castellan: &Castellan, token: &str) -> [u16; 2] {
    let read = asked(castellan, GRANTED, token, READ).await;
    let deleted = asked(castellan, GRANTED, token, DELETE).await;
    for answer in [&read, &deleted] {
        if answer.status != 200 {
            assert_refused(answer, 403, "access-denied");
        }
    }
    [read.status.as_u16(), deleted.status.as_u16()]
}

#[tokio::test]
async fn curity_08_a_token_may_do_what_any_of_its_groups_may() {
    let config = "[management.groups]\nrules = { user = [\"read\"], creator = [\"delete\"], \
                  developers = [] }\n";
    let castellan = serving(config, "").await;
    for (name, expected) in [
        ("user", [200, 403]),
        ("creator", [403, 200]),
        ("both", [200, 200]),
        ("developer", [403, 403]),
    ] {
        let token = token(&castellan, name).await;
        assert_eq!(statuses(&castellan, &token).await, expected, "{name}");
    }
    // One denied field denies the whole operation.
    let creator = token(&castellan, "creator").await;
    let two = "mutation {a: revokeGrantedAuthorizationsByOwner(input: {owner: \"x\"}) {success} \
               __typename}";
    assert_eq!(asked(&castellan, GRANTED, &creator, two).await.status, 200);
}

#[tokio::test]
async fn curity_10_groups_are_read_from_the_claim_of_curity_as_well() {
    const ADMIN_API: &str = "urn:se:curity:scopes:admin:api";
    let client = |id: &str, format: &str, claims: Value| {
        let document = json!({
            "resourceType": "Client", "id": id, "secret": format!("s3cr3t-{id}"), "first_party": true,
            "grant_types": ["password"], "scope": ["accounts", ADMIN_API, "groups"],
            "auth": {"password": {"token_format": format}}, "groups_claims": claims,
        });
        format!("---\n{document}\n")
    };
    let claim = "urn:se:curity:claims:admin:groups";
    let plain = json!([{"claim": claim, "scope": ADMIN_API}]);
    let mapped = json!([{"claim": claim, "scope": ADMIN_API, "names": {"user": "admin"}}]);
    let documents = [
        client("opaque", "opaque", plain.clone()),
        client("jwt", "jwt", plain),
        client("mapped", "jwt", mapped.clone()),
        client("mapped-opaque", "opaque", mapped),
    ];
    let castellan = serving(GROUPS, &documents.concat()).await;
    for (client, name, scope, expected) in [
        ("opaque", "admin", ADMIN_API, [200, 200]),
        ("jwt", "admin", ADMIN_API, [200, 200]),
        // The client's own claims stand in the place of the site's.
        ("jwt", "admin", "groups", [403, 403]),
        ("mapped", "admin", ADMIN_API, [403, 403]),
        ("mapped", "user", ADMIN_API, [200, 200]),
        ("mapped-opaque", "user", ADMIN_API, [200, 200]),
    ] {
        let scope = format!("accounts {scope}");
        let token = token_at(&castellan, client, name, &scope).await;
        assert_eq!(statuses(&castellan, &token).await, expected, "{client} {name} {scope}");
    }
    let shown = castellan.said(&["get", "Client", "jwt", "--format", "json"]);
    assert!(shown.contains(claim), "{shown}");
    let unheld = json!({
        "resourceType": "Client", "id": "vain", "grant_types": [], "secret": "s3cr3t-vain",
        "scope": ["accounts"], "groups_claims": [{"claim": "groups", "scope": "other"}],
    });
    let output = castellan.cli_with(&["apply", "-f", "-"], &unheld.to_string());
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("groups_claims[0].scope"));
}

#[tokio::test]
async fn claims_with_groups_can_be_set_for_the_site() {
    let config = format!(
        "[tokens]\ngroups_claims = [{{ claim = \"groups\", scope = \"accounts\" }}]\n{GROUPS}"
    );
    let castellan = serving(&config, "").await;
    for client in ["console", "jwt-console"] {
        let token = token_at(&castellan, client, "user", "accounts").await;
        assert_eq!(statuses(&castellan, &token).await, [200, 403], "{client}");
    }
}

#[tokio::test]
async fn whoever_leaves_a_group_is_not_in_it_by_an_older_token() {
    let castellan = serving(GROUPS, "").await;
    for client in ["console", "jwt-console"] {
        apply_groups(&castellan, "[{value: user}]");
        // The server hears of it within a second.
        let mut token = String::new();
        for _ in 0..100 {
            token = token_at(&castellan, client, "user", "accounts groups").await;
            if statuses(&castellan, &token).await == [200, 403] {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_eq!(statuses(&castellan, &token).await, [200, 403], "{client}");
        apply_groups(&castellan, "[]");
        for _ in 0..100 {
            if statuses(&castellan, &token).await == [403, 403] {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_eq!(statuses(&castellan, &token).await, [403, 403], "{client}");
    }
}

/// Puts `user` into `groups` and no others.
fn apply_groups(castellan: &Castellan, groups: &str) {
    let document = format!(
        "{{resourceType: User, id: user, userName: user, password: pw-user, groups: {groups}}}"
    );
    let output = castellan.cli_with(&["apply", "-f", "-"], &document);
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn curity_11_the_wildcard_is_for_every_group() {
    let castellan = serving(&format!("{GROUPS}\"*\" = [\"read\"]\n"), "").await;
    for (name, expected) in [("other", [200, 403]), ("nogroups", [403, 403]), ("admin", [200, 200])]
    {
        let token = token(&castellan, name).await;
        assert_eq!(statuses(&castellan, &token).await, expected, "{name}");
    }
}

#[tokio::test]
async fn curity_12_without_a_manager_every_request_is_denied() {
    for config in ["", "[management.granted_authorizations]\n"] {
        // Managers of one API stand in the place of those of all.
        let config = if config.is_empty() { String::new() } else { format!("{GROUPS}{config}") };
        let castellan = serving(&config, "").await;
        let token = token(&castellan, "admin").await;
        for query in ["{__typename}", READ, DELETE, "not GraphQL"] {
            assert_refused(&asked(&castellan, GRANTED, &token, query).await, 403, "access-denied");
        }
    }
}

#[tokio::test]
async fn the_scopes_manager_reads_and_writes_by_scope() {
    let config = "[management.scopes]\nrequired = [\"accounts\"]\nread = [\"see\", \"watch\"]\n\
                  write = [\"change\"]\n";
    let client = r"
---
resourceType: Client
id: machine
secret: s3cr3t-machine
first_party: true
grant_types: [password]
scope: [accounts, see, watch, change]
";
    let castellan = serving(config, client).await;
    for (scope, expected) in [
        ("accounts see", [200, 403]),
        ("accounts watch", [200, 403]),
        ("accounts change", [403, 200]),
        ("accounts see change", [200, 200]),
        ("accounts", [403, 403]),
        ("see change", [403, 403]),
    ] {
        let token = token_at(&castellan, "machine", "nogroups", scope).await;
        assert_eq!(statuses(&castellan, &token).await, expected, "{scope}");
    }
}

const SELF: &str = r#"
[management.self_service]
required_scope = "accounts"
queries = ["grantedAuthorizationsByOwner", "credentialPolicy"]
mutations = ["revokeGrantedAuthorizationsByOwner"]
mutation_throttle = { mutations = 2, seconds = 60 }
"#;

#[tokio::test]
async fn self_service_is_for_ones_own_and_for_what_is_listed() {
    let castellan = serving(SELF, "").await;
    let token = token_at(&castellan, "console", "nogroups", "accounts").await;
    let by = |field: &str, arguments: &str| format!("{{{field}({arguments}) {{totalCount}}}}");
    let listed = "grantedAuthorizationsByOwner";
    for (query, status) in [
        (by(listed, "owner: \"nogroups\""), 200),
        (by(listed, "username: \"NoGroups\""), 200),
        (by(listed, "owner: \"user\""), 403),
        (by(listed, "username: \"user\""), 403),
        (by(listed, "owner: \"nogroups\", username: \"user\""), 403),
        (by("grantedAuthorizationsByOwnerAndClient", "owner: \"nogroups\", clientId: \"x\""), 403),
        ("{__typename}".to_owned(), 200),
        ("{__schema {queryType {name}}}".to_owned(), 200),
    ] {
        let answer = asked(&castellan, GRANTED, &token, &query).await;
        assert_eq!(answer.status.as_u16(), status, "{query}: {answer:?}");
    }
    for (query, status) in [
        ("{credentialPolicy {credentialUpdateRules {message}}}", 200),
        ("{accounts {totalCount}}", 403),
    ] {
        assert_eq!(asked(&castellan, ACCOUNTS, &token, query).await.status, status, "{query}");
    }
    let without = token_at(&castellan, "console", "nogroups", "groups").await;
    assert_refused(
        &asked(&castellan, GRANTED, &without, "{__typename}").await,
        403,
        "access-denied",
    );
    let other = "mutation {revokeGrantedAuthorizationsByOwner(input: {owner: \"user\"}) {success}}";
    assert_refused(&asked(&castellan, GRANTED, &token, other).await, 403, "access-denied");
    let own =
        "mutation {revokeGrantedAuthorizationsByOwner(input: {owner: \"nogroups\"}) {success}}";
    let own = token_revokes(&castellan, own).await;
    assert_eq!(own, [None, None, Some("too-many-attempts-error".to_owned())]);
}

/// What three mutations in a row come to, each with a token of its own, as the one before ends it.
async fn token_revokes(castellan: &Castellan, mutation: &str) -> [Option<String>; 3] {
    let mut outcomes = [None, None, None];
    for outcome in &mut outcomes {
        let token = token_at(castellan, "console", "nogroups", "accounts").await;
        let answer = asked(castellan, GRANTED, &token, mutation).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let classification = &answer.json()["errors"][0]["extensions"]["classification"];
        *outcome = classification.as_str().map(ToOwned::to_owned);
    }
    outcomes
}

#[tokio::test]
async fn attributes_that_may_not_be_read_are_left_out() {
    let config = r#"
[management.attributes]
[[management.attributes.lists]]
groups = ["admin"]
default_allow_read = true
default_allow_write = true
require_subject_match = false
[[management.attributes.lists]]
groups = ["user"]
require_subject_match = false
[management.attributes.lists.rules]
"authorizedClient.id" = { read = true }
"meta" = { read = true }
"owner" = { read = false }
"#;
    let castellan = serving(config, "").await;
    // A token is something that is granted.
    let reader = token(&castellan, "user").await;
    let query = "{grantedAuthorizationsByOwner(owner: \"user\") {totalCount edges {node { \
                 meta {created} authorizedClient {id name}}}}}";
    let read = data(&asked(&castellan, GRANTED, &reader, query).await);
    let node = &read["grantedAuthorizationsByOwner"]["edges"][0]["node"];
    assert_eq!(node["authorizedClient"], json!({"id": "console", "name": null}));
    assert!(node["meta"]["created"].is_u64());
    let query = "{grantedAuthorizationsByOwner(owner: \"user\") {edges {node {owner}}}}";
    let answer = asked(&castellan, GRANTED, &reader, query).await;
    let error = &answer.json()["errors"][0];
    assert_eq!(error["extensions"]["classification"], "access-denied");
    assert_eq!(error["path"], json!(["grantedAuthorizationsByOwner", "edges", 0, "node", "owner"]));
    assert_eq!(answer.json()["data"], Value::Null);
    assert_eq!(statuses(&castellan, &reader).await, [200, 403]);
    let admin = token(&castellan, "admin").await;
    assert_eq!(statuses(&castellan, &admin).await, [200, 200]);
    // No list is for them.
    let other = token(&castellan, "other").await;
    assert_eq!(statuses(&castellan, &other).await, [403, 403]);
}

/// What became of a change would say which addresses somebody has.
#[tokio::test]
async fn case_43_nobody_chooses_addresses_that_they_may_not_read() {
    let config = r"
[management.attributes]
[[management.attributes.lists]]
default_allow_read = true
default_allow_write = true
require_subject_match = false
[management.attributes.lists.rules]
emails = { read = false, write = true }
phoneNumbers = { read = false, write = true }
";
    let castellan = serving(config, JOHNS).await;
    let admin = token(&castellan, "admin").await;
    for (mutation, value) in [
        ("updatePrimaryEmailAddressByAccountId", "newPrimaryEmailAddress"),
        ("deleteEmailAddressByAccountId", "emailAddressToDelete"),
        ("updatePrimaryPhoneNumberByAccountId", "newPrimaryPhoneNumber"),
        ("deletePhoneNumberByAccountId", "phoneNumberToDelete"),
    ] {
        for told in ["other@example.org", "zz@example.org", "+1 555 0101"] {
            let query = format!(
                "mutation {{{mutation}(input: {{accountId: \"john\", {value}: \"{told}\"}}) {{result}}}}"
            );
            assert_refused(
                &asked(&castellan, ACCOUNTS, &admin, &query).await,
                403,
                "access-denied",
            );
        }
    }
}

#[tokio::test]
async fn nobody_finds_by_what_they_may_not_read() {
    let config = r"
[management.attributes]
lists = [{ default_allow_read = true, require_subject_match = false, rules = { emails = {}, name = {} } }]
";
    let castellan = serving(config, JOHNS).await;
    let token = token(&castellan, "user").await;
    let filtered = |by: &str| {
        let filter =
            format!("filtering: {{filterBy: {by}, filterType: STARTS_WITH, filter: \"joh\"}}");
        format!("{{accounts({filter}) {{edges {{node {{id}}}} totalCount}}}}")
    };
    for (path, query, status) in [
        (ACCOUNTS, filtered("userName"), 200),
        (ACCOUNTS, filtered("email"), 403),
        (ACCOUNTS, "{accountByUserName(userName: \"johndoe\") {id}}".to_owned(), 200),
        (ACCOUNTS, "{accountByEmail(email: \"john@example.test\") {id}}".to_owned(), 403),
        (CLIENTS, "{databaseClients {totalCount}}".to_owned(), 200),
        (CLIENTS, "{databaseClients(clientName: \"One\") {totalCount}}".to_owned(), 403),
        (CLIENTS, "{searchDatabaseClients(searchTerms: \"One\") {totalCount}}".to_owned(), 403),
    ] {
        let answer = asked(&castellan, path, &token, &query).await;
        assert_eq!(answer.status, status, "{query}: {answer:?}");
    }
}

#[tokio::test]
async fn attributes_are_for_ones_own_unless_that_is_set_otherwise() {
    let config = r"
[management.attributes]
lists = [{ default_allow_read = true, default_allow_write = true }]
";
    let castellan = serving(config, "").await;
    for (name, expected) in [("user", [200, 403]), ("other", [403, 403])] {
        let token = token(&castellan, name).await;
        assert_eq!(statuses(&castellan, &token).await, expected, "{name}");
    }
}

/// A rule for an attribute that no API has would leave the one readable that it was meant for.
#[tokio::test]
async fn a_name_that_no_management_api_has_stops_the_start() {
    let own = "required_scope = \"a\"\n";
    let accounts = "queries = [\"accountById\"]\n";
    for (config, line, words) in [
        (
            "[[management.attributes.lists]]\ndefault_allow_read = true\n\
             rules.\"emials\" = {read = false}\n"
                .to_owned(),
            2,
            "management.attributes.lists.rules: \"emials\" is no attribute that any management API \
             has; did you mean \"emails\"?",
        ),
        (
            format!("[management.self_service]\n{own}queries = [\"nope\"]\n"),
            2,
            "management.self_service.queries: \"nope\" is no query that any management API has; these \
             are known: accountBy",
        ),
        (
            format!(
                "[management.self_service]\n{own}{accounts}\
                 mutations = [\"startVerifyTotpDeviceByAcountId\"]\n"
            ),
            3,
            "did you mean \"startVerifyTotpDeviceByAccountId\"?",
        ),
        (
            format!("[management.accounts.self_service]\n{own}{accounts}readable = [\"nmae\"]\n"),
            3,
            "management.accounts.self_service.readable: \"nmae\" is no attribute that this API has; did \
             you mean \"name\"?",
        ),
        (
            format!("[management.self_service]\n{own}{accounts}updatable = [\"emails.valeu\"]\n"),
            3,
            "management.self_service.updatable: \"emails.valeu\"",
        ),
        // Each API has attributes of its own.
        (
            "[[management.database_clients.attributes.lists]]\nrules = {emails = {}}\n".to_owned(),
            1,
            "management.database_clients.attributes.lists.rules: \"emails\" is no attribute that this \
             API has",
        ),
        (
            "[[management.scim.attributes.lists]]\nrules = {\"group.displayNam\" = {}}\n"
                .to_owned(),
            1,
            "that SCIM has; did you mean \"group.displayName\"?",
        ),
    ] {
        let said = Castellan::refuses(Plan { config: config.clone(), ..Plan::default() }).await;
        assert!(said.contains(words), "{config}: {said}");
        // Six lines stand before it.
        let place = format!("castellan.toml:{}: ", line + 7);
        assert!(said.contains(&place), "{config}: {said}");
    }
}

#[tokio::test]
async fn names_of_each_management_api_and_of_scim_can_be_used() {
    let config = r#"
[[management.attributes.lists]]
require_subject_match = false
rules = { "emails.value" = {}, "authorizedClient.id" = {}, "client_name" = {}, "devices.alias" = {}, "group.displayName" = {}, "enterprise.department" = {}, "password" = {} }
[[management.scim.attributes.lists]]
rules = { group = {}, groups = {}, enterprise = {}, "enterprise.manager.value" = {}, timeZone = {}, "name.givenName" = {}, "meta.created" = {} }
[management.accounts.self_service]
required_scope = "accounts"
queries = ["accountById", "bucketsByUserName", "capabilities"]
"#;
    let castellan = serving(config, "").await;
    assert!(castellan.cli(&["config", "check"]).status.success());
}

#[tokio::test]
async fn settings_that_cannot_work_stop_the_start() {
    for (config, words) in [
        ("[management]\nmax_page = 0\n", "management.max_page"),
        ("[management.groups.rules]\nadmin = [\"write\"]\n", "rules.admin"),
        ("[management.self_service]\nrequired_scope = \"a\"\nqueries = []\n", "queries"),
        ("[management]\nunheard_of = 1\n", "unheard_of"),
        ("[management]\nrealm = \"a\\nb\"\n", "management.realm"),
        (
            "[management.database_clients.self_service]\nrequired_scope = \"a\"\n\
             queries = [\"databaseClientById\"]\n",
            "management.database_clients.self_service: nothing of this API is anybody's own",
        ),
    ] {
        let said = Castellan::refuses(Plan { config: config.to_owned(), ..Plan::default() }).await;
        assert!(said.contains(words), "{config}: {said}");
    }
}

#[tokio::test]
async fn curity_09_groups_of_accepted_issuers_are_texts_or_objects() {
    const SECRET: &str = "a shared secret of thirty-two bytes";
    let introspector = |id: &str| {
        let issuer = format!("https://{id}.test");
        let document = json!({
            "resourceType": "TokenIntrospector", "id": id, "type": "jwt", "audience": "castellan",
            "jwt": {"iss": issuer, "secret": SECRET},
        });
        format!("---\n{document}\n")
    };
    let documents = [introspector("accepted"), introspector("other")].concat();
    let config = format!("[management]\nintrospectors = [\"accepted\"]\n{GROUPS}");
    let castellan = serving(&config, &documents).await;
    let signed = |issuer: &str, scope: &str, groups: Value| {
        let mut claims = json!({
            "iss": format!("https://{issuer}.test"), "aud": "castellan", "sub": "nogroups",
            "scope": scope, "iat": jose::now(), "exp": jose::now() + 600, "client_id": "theirs",
        });
        for (name, value) in groups.as_object().unwrap() {
            claims[name] = value.clone();
        }
        jose::signed_with(SECRET, &claims)
    };
    let all = "accounts Castellan:*";
    for (scope, groups, expected) in [
        (all, json!({"groups": ["admin"]}), [200, 200]),
        (all, json!({"groups": [{"value": "admin", "primary": true}]}), [200, 200]),
        (all, json!({"urn:se:curity:claims:admin:groups": ["user"]}), [200, 403]),
        (all, json!({"groups": [1, {"name": "admin"}]}), [403, 403]),
        (all, json!({"groups": "admin"}), [403, 403]),
        (all, json!({}), [403, 403]),
        ("openid", json!({"groups": ["admin"]}), [403, 403]),
    ] {
        let token = signed("accepted", scope, groups.clone());
        assert_eq!(statuses(&castellan, &token).await, expected, "{groups}");
    }
    let other = signed("other", all, json!({"groups": ["admin"]}));
    assert_refused(&asked(&castellan, GRANTED, &other, READ).await, 401, "unauthenticated");
}

#[tokio::test]
async fn what_the_data_source_cannot_do_is_told_beforehand() {
    let castellan = serving(GROUPS, "").await;
    let token = token(&castellan, "user").await;
    let query = "{capabilities {notSupported shortestStartsWith}}";
    let told = data(&asked(&castellan, GRANTED, &token, query).await);
    assert_eq!(told["capabilities"], json!({"notSupported": [], "shortestStartsWith": 0}));
    assert!(castellan.said(&["doctor"]).contains("lists refuse     nothing"));
}

#[tokio::test]
async fn schemas_are_printed_as_they_are_served() {
    let castellan = serving(GROUPS, "").await;
    let listed = castellan.said(&["schema"]);
    assert!(listed.contains(GRANTED), "{listed}");
    let sdl = castellan.said(&["schema", "granted-authorizations"]);
    assert!(sdl.contains("type GrantedAuthorizationConnection {"), "{sdl}");
    assert!(sdl.contains("capabilities: DataSourceCapabilities!"), "{sdl}");
    assert!(!castellan.cli(&["schema", "other"]).status.success());
}
