//! Accounts (`docs/contracts/curity.md` §6 and §12, items 19 to 29, 33 and 37).

use serde_json::{Value, json};

use super::support::{ACCOUNTS, GROUPS, JOHNS, asked, asked_with, data, failed, serving, token};
use crate::support::{
    castellan::Castellan,
    fixtures::text,
    wire::{Answer, Ask},
};

/// A server with 13 accounts, and the token of somebody who may do everything.
pub(super) async fn start(config: &str) -> (Castellan, String) {
    let castellan = serving(&format!("{GROUPS}{config}"), JOHNS).await;
    let token = token(&castellan, "admin").await;
    (castellan, token)
}

/// Updates an account, and reads what `selected` names of it.
pub(super) async fn update(
    castellan: &Castellan,
    token: &str,
    (id, fields, selected): (&str, Value, &str),
) -> Answer {
    let query = format!(
        "mutation($id: String!, $fields: AccountUpdateFields!) {{
            updateAccountById(input: {{accountId: $id, fields: $fields}}) {{account {{{selected}}}}}
        }}"
    );
    let variables = json!({"id": id, "fields": fields});
    asked_with(castellan, ACCOUNTS, token, (&query, variables)).await
}

/// Creates an account, and reads what `selected` names of it.
pub(super) async fn create(
    castellan: &Castellan,
    token: &str,
    (fields, selected): (Value, &str),
) -> Answer {
    let query = format!(
        "mutation($fields: AccountCreateFields!) {{
            createAccount(input: {{fields: $fields}}) {{account {{{selected}}}}}
        }}"
    );
    asked_with(castellan, ACCOUNTS, token, (&query, json!({"fields": fields}))).await
}

/// Whether somebody signs in by this password.
pub(super) async fn signs_in(castellan: &Castellan, name: &str, password: &str) -> bool {
    let pairs = [
        ("grant_type", "password"),
        ("username", name),
        ("password", password),
        ("client_id", "console"),
        ("client_secret", "s3cr3t-console"),
    ];
    castellan.token(&pairs).await.status == 200
}

#[tokio::test]
async fn curity_19_an_account_is_found_by_what_identifies_it() {
    let (castellan, token) = start("").await;
    let query = r#"{accountByUserName(userName: "johndoe") {id userName emails {primary value}}}"#;
    let account = data(&asked(&castellan, ACCOUNTS, &token, query).await);
    let wanted = json!({"id": "john", "userName": "johndoe", "emails": [
        {"primary": true, "value": "john@example.org"},
        {"primary": false, "value": "other@example.org"},
    ]});
    assert_eq!(account["accountByUserName"], wanted);
    for (field, found) in [
        (r#"accountByUserName(userName: "JohnDoe")"#, true),
        (r#"accountByUserName(userName: "john@example.org")"#, false),
        (r#"accountByUserName(userName: "nobody")"#, false),
        (r#"accountById(accountId: "john")"#, true),
        (r#"accountById(accountId: "no/body")"#, false),
        (r#"accountByEmail(email: "JOHN@example.org")"#, true),
        (r#"accountByEmail(email: "other@example.org")"#, false),
        (r#"accountByEmail(email: "johndoe")"#, false),
        (r#"accountByPhoneNumber(phoneNumber: "+15550100")"#, true),
        (r#"accountByPhoneNumber(phoneNumber: "+1 555 0101")"#, false),
        (r#"accountById(accountId: "gone")"#, true),
    ] {
        let answer =
            data(&asked(&castellan, ACCOUNTS, &token, &format!("{{a: {field} {{id}}}}")).await);
        assert_eq!(answer["a"].is_null(), !found, "{field}: {answer}");
    }
}

/// The ids on each page of `accounts` with these arguments, and the total of the first.
pub(super) async fn pages(
    castellan: &Castellan,
    token: &str,
    arguments: &str,
) -> (Vec<Vec<String>>, Value) {
    let (mut pages, mut after, mut total) = (Vec::new(), String::new(), Value::Null);
    loop {
        let query = format!(
            "{{accounts(after: \"{after}\", {arguments}) {{
                edges {{node {{id meta {{created}}}}}} pageInfo {{endCursor hasNextPage}} totalCount
            }}}}"
        );
        let read = data(&asked(castellan, ACCOUNTS, token, &query).await)["accounts"].clone();
        let edges = read["edges"].as_array().unwrap();
        pages.push(edges.iter().map(|edge| text(&edge["node"], "id").to_owned()).collect());
        if total.is_null() {
            total = read["totalCount"].clone();
        }
        assert_eq!(
            read["pageInfo"]["hasNextPage"],
            json!(!read["pageInfo"]["endCursor"].is_null())
        );
        match read["pageInfo"]["endCursor"].as_str() {
            Some(cursor) => cursor.clone_into(&mut after),
            None => return (pages, total),
        }
    }
}

#[tokio::test]
async fn curity_20_to_23_accounts_are_listed_page_by_page() {
    let (castellan, token) = start("").await;
    // Made in this order, a second apart.
    for (second, name) in (2..).zip(["zed", "abe", "mia"]) {
        castellan.advance_to(second);
        let made = create(&castellan, &token, (json!({"userName": name}), "id userName")).await;
        assert_eq!(data(&made)["createAccount"]["account"]["userName"], name);
    }
    let sorted = "sorting: {sortBy: created, sortOrder: DESCENDING}, first: 4";
    let (found, total) = pages(&castellan, &token, sorted).await;
    assert_eq!((found.concat().len(), total), (15, json!(15)));
    let query = |id: &str| format!("{{accountById(accountId: \"{id}\") {{userName}}}}");
    let mut newest = Vec::new();
    for id in &found[0][..3] {
        let read = data(&asked(&castellan, ACCOUNTS, &token, &query(id)).await);
        newest.push(text(&read["accountById"], "userName").to_owned());
    }
    assert_eq!(newest, ["mia", "abe", "zed"]);
    for arguments in ["first: 5", "first: 5, sorting: {sortBy: name, sortOrder: ASCENDING}"] {
        let (found, _) = pages(&castellan, &token, arguments).await;
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [5, 5, 5], "{arguments}");
        let mut all = found.concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 15, "{arguments}: nobody twice");
    }
    let (_, total) = pages(&castellan, &token, "activeAccountsOnly: false").await;
    assert_eq!(total, json!(16));
    let query = "{accounts(after: \"bm90IG91cnM\") {edges {node {id}}}}";
    failed(&asked(&castellan, ACCOUNTS, &token, query).await, "invalid-argument");
    let query = "{accounts(first: 0) {edges {node {id}}}}";
    failed(&asked(&castellan, ACCOUNTS, &token, query).await, "invalid-argument");
}

#[tokio::test]
async fn filters_look_at_the_effective_value() {
    let (castellan, token) = start("").await;
    let filter = |by: &str, how: &str, value: &str| {
        format!("filtering: {{filterBy: {by}, filterType: {how}, filter: \"{value}\"}}")
    };
    for (arguments, wanted) in [
        (filter("userName", "STARTS_WITH", "JO"), &["jo", "johanna", "john"][..]),
        (filter("userName", "ENDS_WITH", "doe"), &["john"]),
        (filter("email", "STARTS_WITH", "joh"), &["johanna", "john", "bob"]),
        (filter("email", "STARTS_WITH", "other"), &[]),
        (filter("email", "ENDS_WITH", "@example.org"), &["johanna", "john"]),
        (filter("userName", "STARTS_WITH", "gone"), &[]),
        (filter("userName", "STARTS_WITH", "gone") + ", activeAccountsOnly: false", &["gone"]),
        (
            filter("userName", "STARTS_WITH", "jo")
                + ", sorting: {sortBy: name, sortOrder: DESCENDING}, first: 2",
            &["john", "johanna", "jo"],
        ),
    ] {
        let (found, total) = pages(&castellan, &token, &arguments).await;
        let mut found = found.concat();
        if arguments.contains("ENDS_WITH") {
            found.sort_unstable();
        }
        assert_eq!(found, wanted, "{arguments}");
        assert_eq!(total, json!(wanted.len()), "{arguments}");
    }
}

#[tokio::test]
async fn curity_24_duplicate_user_name_is_a_constraint_violation() {
    let (castellan, token) = start("").await;
    let answer = create(&castellan, &token, (json!({"userName": "JohnDoe"}), "id")).await;
    let extensions = failed(&answer, "constraint-violation");
    assert_eq!(extensions["field"], "userName");
    assert_eq!(answer.json()["errors"][0]["message"], "A user with this username exists");
    assert_eq!(answer.json()["data"], json!({"createAccount": null}));
}

#[tokio::test]
async fn curity_25_duplicate_addresses_and_numbers_are_constraint_violations() {
    let (castellan, token) = start("").await;
    for (fields, field) in [
        (json!({"userName": "x", "emails": [{"value": "JOHN@example.org"}]}), "emails"),
        (json!({"userName": "x", "phoneNumbers": [{"value": "+1 (555) 0100"}]}), "phoneNumbers"),
    ] {
        let answer = create(&castellan, &token, (fields, "id")).await;
        assert_eq!(failed(&answer, "constraint-violation")["field"], field);
    }
    // The number that is not John's effective one is free.
    let fields = json!({"userName": "x", "phoneNumbers": [{"value": "+1 555 0101"}]});
    let made = data(&create(&castellan, &token, (fields, "id")).await);
    let id = text(&made["createAccount"]["account"], "id");
    let number = json!({"phoneNumbers": [{"value": "+15550100"}]});
    let answer = update(&castellan, &token, (id, number, "id")).await;
    assert_eq!(failed(&answer, "constraint-violation")["field"], "phoneNumbers");
    let query = "mutation {updatePrimaryPhoneNumberByAccountId(
        input: {accountId: \"john\", newPrimaryPhoneNumber: \"+1 555 0101\"}) {result}}";
    let answer = asked(&castellan, ACCOUNTS, &token, query).await;
    assert_eq!(failed(&answer, "constraint-violation")["field"], "phoneNumbers");
}

/// Every attribute of an account.
const ALL: &str = "externalId userName displayName nickName title preferredLanguage userType
    profileUrl locale timeZone website active
    name {givenName middleName familyName honorificPrefix honorificSuffix formatted}
    emails {value primary type display} phoneNumbers {value primary type display}
    ims {value primary type display} photos {value primary type display}
    groups {value primary type display} entitlements {value primary type display}
    roles {value primary type display} x509Certificates {value primary type display}
    addresses {formatted streetAddress locality region postalCode country primary type display}";

#[tokio::test]
async fn every_attribute_that_is_written_is_read_back() {
    let (castellan, token) = start("").await;
    let one = |value: &str, primary: bool| json!({"value": value, "primary": primary, "type": "work", "display": "shown"});
    let fields = json!({
        "externalId": "e1", "userName": "full", "displayName": "Full", "nickName": "F",
        "title": "Dr", "preferredLanguage": "sv", "userType": "Employee",
        "profileUrl": "https://example.org/full", "locale": "sv-SE", "timeZone": "Europe/Stockholm",
        "website": "https://example.org", "active": true,
        "name": {"givenName": "Full", "middleName": "Of", "familyName": "Things",
            "honorificPrefix": "Dr", "honorificSuffix": "II", "formatted": "Dr Full Of Things II"},
        "emails": [one("f@example.org", true), one("g@example.org", false)],
        "phoneNumbers": [one("+46 70", true), one("+46 71", false)],
        "ims": [one("im", false)], "photos": [one("https://example.org/p.png", true)],
        "groups": [one("admin", false)], "entitlements": [one("car", true)],
        "roles": [one("clerk", false)], "x509Certificates": [one("MIIB", false)],
        "addresses": [{"formatted": "Road 1\nTown", "streetAddress": "Road 1", "locality": "Town",
            "region": "R", "postalCode": "1", "country": "SE", "primary": true, "type": "home",
            "display": "Home"}],
    });
    let made = data(&create(&castellan, &token, (fields.clone(), ALL)).await);
    assert_eq!(made["createAccount"]["account"], fields);
    let query = format!("{{accountByUserName(userName: \"full\") {{id {ALL}}}}}");
    let read = data(&asked(&castellan, ACCOUNTS, &token, &query).await);
    let id = text(&read["accountByUserName"], "id").to_owned();
    for (list, bad) in [
        ("emails", json!([one("a@x.org", true), one("b@x.org", true)])),
        ("phoneNumbers", json!([{"value": "none"}])),
        ("photos", json!([{"value": "javascript:x"}])),
    ] {
        let answer = update(&castellan, &token, (&id, json!({list: bad}), "id")).await;
        let field = failed(&answer, "invalid-argument")["field"].clone();
        assert!(field.as_str().unwrap().starts_with(list), "{field}");
    }
    // The document of the same account, written back, changes nothing.
    let shown = castellan.said(&["get", "User", &id, "--format", "json"]);
    let said = castellan.cli_with(&["apply", "-f", "-"], &shown);
    assert!(said.status.success(), "{said:?}");
    let again = data(&asked(&castellan, ACCOUNTS, &token, &query).await);
    assert_eq!(again, read);
}

#[tokio::test]
async fn curity_26_a_value_sets_null_removes_and_absent_leaves() {
    let (castellan, token) = start("").await;
    let read = format!("{{accountById(accountId: \"john\") {{{ALL}}}}}");
    let before = data(&asked(&castellan, ACCOUNTS, &token, &read).await)["accountById"].clone();
    let fields = json!({"displayName": "A", "title": null});
    let after = data(&update(&castellan, &token, ("john", fields, ALL)).await);
    let after = after["updateAccountById"]["account"].clone();
    let mut wanted = before;
    wanted["displayName"] = json!("A");
    wanted["title"] = Value::Null;
    assert_eq!(after, wanted);
    assert!(signs_in(&castellan, "johndoe", "pw-johndoe").await, "the password stays");
    for field in ["userName", "password", "active"] {
        let answer = update(&castellan, &token, ("john", json!({field: null}), "id")).await;
        assert_eq!(failed(&answer, "invalid-argument")["field"], field);
    }
    let answer = update(&castellan, &token, ("nobody", json!({"title": "x"}), "id")).await;
    failed(&answer, "not-found");
    assert_eq!(answer.json()["data"], json!({"updateAccountById": null}));
}

#[tokio::test]
async fn curity_27_accounts_are_renamed_where_that_is_allowed() {
    for (config, renames) in [("", false), ("[management]\nallow_username_updates = true\n", true)]
    {
        let castellan = serving(&format!("{config}{GROUPS}"), JOHNS).await;
        let token = token(&castellan, "admin").await;
        let fields = json!({"userName": "new", "title": "x"});
        let answer = update(&castellan, &token, ("john", fields, "userName")).await;
        if renames {
            assert_eq!(data(&answer)["updateAccountById"]["account"]["userName"], "new");
        } else {
            assert_eq!(failed(&answer, "invalid-argument")["field"], "userName");
        }
        let query = "{old: accountByUserName(userName: \"johndoe\") {title}
                      new: accountByUserName(userName: \"new\") {title}}";
        let read = data(&asked(&castellan, ACCOUNTS, &token, query).await);
        let (old, new) = (json!({"title": "Chief"}), json!({"title": "x"}));
        let wanted = if renames {
            json!({"old": null, "new": new})
        } else {
            json!({"old": old, "new": null})
        };
        assert_eq!(read, wanted);
        let name = if renames { "new" } else { "johndoe" };
        assert!(signs_in(&castellan, name, "pw-johndoe").await);
    }
}

#[tokio::test]
async fn curity_28_the_length_of_an_argument_is_limited() {
    let (castellan, token) = start("").await;
    for (length, is_good) in [(0, false), (1, true), (128, true), (129, false)] {
        let query = format!("{{accountById(accountId: \"{}\") {{id}}}}", "a".repeat(length));
        let answer = asked(&castellan, ACCOUNTS, &token, &query).await;
        if is_good {
            assert_eq!(data(&answer), json!({"accountById": null}), "{length}");
        } else {
            let extensions = failed(&answer, "ValidationError");
            assert_eq!(extensions["validatedPath"], json!(["accountById", "accountId"]));
            assert_eq!(extensions["constraint"], "@Size");
        }
    }
    let long = json!({"displayName": "x".repeat(65)});
    let answer = update(&castellan, &token, ("john", long, "id")).await;
    failed(&answer, "ValidationError");
}

#[tokio::test]
async fn curity_29_an_account_is_deleted_once() {
    let (castellan, token) = start("").await;
    let query =
        "mutation {deleteAccountById(input: {accountId: \"john\", deleteAccountLinks: true})
        {deleted deletedAccountLinks account {userName}}}";
    let deleted = data(&asked(&castellan, ACCOUNTS, &token, query).await);
    let account = json!({"userName": "johndoe"});
    let wanted = json!({"deleted": true, "deletedAccountLinks": true, "account": account});
    assert_eq!(deleted["deleteAccountById"], wanted);
    let deleted = data(&asked(&castellan, ACCOUNTS, &token, query).await);
    let wanted = json!({"deleted": false, "deletedAccountLinks": false, "account": null});
    assert_eq!(deleted["deleteAccountById"], wanted);
    assert!(!signs_in(&castellan, "johndoe", "pw-johndoe").await);
}

#[tokio::test]
async fn curity_37_there_is_no_password_to_read() {
    let (castellan, token) = start("").await;
    let query = "{accountById(accountId: \"john\") {password}}";
    let answer = asked(&castellan, ACCOUNTS, &token, query).await;
    assert_eq!(answer.json()["errors"][0]["extensions"]["classification"], "ValidationError");
}

/// A caller whose manager allows everything is not thereby an administrator.
#[tokio::test]
async fn case_16_nobody_grants_what_they_do_not_have() {
    let (castellan, token) = start("").await;
    for (group, is_good) in [("admin", true), ("administrators", false), ("user", false)] {
        let fields = json!({"userName": format!("in-{group}"), "groups": [{"value": group}]});
        let answer = create(&castellan, &token, (fields.clone(), "id")).await;
        let groups = json!({"groups": fields["groups"]});
        let changed = update(&castellan, &token, ("john", groups, "id")).await;
        if is_good {
            data(&answer);
            data(&changed);
        } else {
            assert_eq!(failed(&answer, "access-denied")["field"], "groups");
            assert_eq!(failed(&changed, "access-denied")["field"], "groups");
        }
    }
    // The account of an administrator is not touched at all.
    for mutation in [
        "updateAccountById(input: {accountId: \"root\", fields: {password: \"taken-over\"}}) {account {id}}",
        "deleteAccountById(input: {accountId: \"root\"}) {deleted}",
        "addDeviceToAccountByAccountId(input: {accountId: \"root\", deviceFields: {deviceId: \"d\"}}) {device {deviceId}}",
        "validatePasswordAndUpdateAccountById(input: {accountId: \"root\", currentPassword: \"pw-root\", \
         fields: {title: \"x\"}}) {account {id}}",
    ] {
        let query = format!("mutation {{{mutation}}}");
        failed(&asked(&castellan, ACCOUNTS, &token, &query).await, "access-denied");
    }
    assert!(signs_in(&castellan, "root", "pw-root").await);
    // Nor does somebody say of an address that it was verified, of their own account or another.
    let verified = json!({"emails": [{"value": "me@example.org", "type": "verified"}]});
    for id in ["admin", "bob"] {
        let answer = update(&castellan, &token, (id, verified.clone(), "id")).await;
        assert_eq!(failed(&answer, "access-denied")["field"], "emails");
    }
    let own = json!({"roles": [{"value": "director"}]});
    let answer = update(&castellan, &token, ("admin", own, "id")).await;
    assert_eq!(failed(&answer, "access-denied")["field"], "roles");
}

#[tokio::test]
async fn curity_33_the_current_password_is_a_guess() {
    let (castellan, token) = start("").await;
    let attempt = |password: &str| {
        format!(
            "mutation {{validatePasswordAndUpdateAccountById(input: {{accountId: \"john\",
            currentPassword: \"{password}\", fields: {{password: \"pw-of-john\"}}}}) {{account {{id}}}}}}"
        )
    };
    for _ in 0..10 {
        let answer = asked(&castellan, ACCOUNTS, &token, &attempt("wrong")).await;
        failed(&answer, "localized-validation-error");
    }
    let answer = asked(&castellan, ACCOUNTS, &token, &attempt("wrong")).await;
    failed(&answer, "too-many-attempts-error");
    assert!(!signs_in(&castellan, "johndoe", "pw-of-john").await);
    castellan.advance_to(400);
    data(&asked(&castellan, ACCOUNTS, &token, &attempt("pw-johndoe")).await);
    assert!(signs_in(&castellan, "johndoe", "pw-of-john").await);
}

#[tokio::test]
async fn what_an_account_has_is_told_in_claims() {
    let (castellan, _) = start("").await;
    let bob = "{resourceType: User, id: bob, userName: bob, \
               emails: [{value: bob@example.com, type: verified}]}";
    assert!(castellan.cli_with(&["apply", "-f", "-"], bob).status.success());
    let client = "resourceType: Client\nid: reader\nsecret: s3cr3t-reader\nfirst_party: true\n\
                  grant_types: [password]\nscope: [openid, email, phone, profile]\n";
    assert!(castellan.cli_with(&["apply", "-f", "-"], client).status.success());
    for (name, wanted) in [
        ("bob", json!({"email": "bob@example.com", "email_verified": true})),
        (
            "johndoe",
            json!({"email": "john@example.org", "email_verified": false,
                "phone_number": "+1 555 0100", "phone_number_verified": false}),
        ),
    ] {
        let token =
            super::support::token_at(&castellan, "reader", name, "openid email phone").await;
        let claims = Ask::get(&castellan.at("/auth/userinfo")).bearer(&token).send().await.json();
        for (claim, value) in wanted.as_object().unwrap() {
            assert_eq!(&claims[claim], value, "{claims}");
        }
    }
}
