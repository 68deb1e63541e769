//! Rules about accounts and their lists that are easily missed (`docs/contracts/curity.md` §§4.4, 5,
//! 6.2, 6.3 and 10).

use serde_json::{Value, json};

use super::{
    accounts::{create, pages, signs_in, start, update},
    support::{ACCOUNTS, asked, data, failed},
};

/// `docs/rules.md` rule 42: an id often is the first user name, which a rename gives up.
#[tokio::test]
async fn curity_27_nobody_signs_in_by_a_name_that_was_given_up() {
    let (castellan, token) = start("[management]\nallow_username_updates = true\n").await;
    assert!(signs_in(&castellan, "johanna", "pw-johanna").await);
    let renamed = update(&castellan, &token, ("johanna", json!({"userName": "hanna"}), "id")).await;
    data(&renamed);
    assert!(!signs_in(&castellan, "johanna", "pw-johanna").await, "the name that was given up");
    for name in ["hanna", "Johanna@example.org"] {
        assert!(signs_in(&castellan, name, "pw-johanna").await, "{name}");
    }
    let query = r#"{accountByUserName(userName: "johanna") {id}}"#;
    let found = data(&asked(&castellan, ACCOUNTS, &token, query).await);
    assert_eq!(found["accountByUserName"], Value::Null);
    // The id of an account with the user name that it was made with signs in.
    assert!(signs_in(&castellan, "john", "pw-johndoe").await);
}

/// Whoever took somebody out of groups could then change what they sign in with.
#[tokio::test]
async fn case_19_nobody_takes_people_out_of_groups_that_they_are_not_in() {
    let (castellan, token) = start("").await;
    let seized = json!({"password": "taken-over"});
    for groups in [json!([]), Value::Null, json!([{"value": "admin"}])] {
        let fields = json!({"groups": groups, "title": "x"});
        let answer = update(&castellan, &token, ("user", fields, "id")).await;
        assert_eq!(failed(&answer, "access-denied")["field"], "groups");
        let answer = update(&castellan, &token, ("user", seized.clone(), "id")).await;
        failed(&answer, "access-denied");
    }
    let query = "mutation {validatePasswordAndUpdateAccountById(input: {accountId: \"user\", \
        currentPassword: \"pw-user\", fields: {groups: []}}) {account {id}}}";
    failed(&asked(&castellan, ACCOUNTS, &token, query).await, "access-denied");
    assert!(signs_in(&castellan, "user", "pw-user").await);
    for groups in [json!([{"value": "admin"}]), json!([])] {
        data(&update(&castellan, &token, ("john", json!({"groups": groups}), "id")).await);
    }
}

/// Nobody makes administrators whose token may not administer, even if they are one themselves; nobody
/// takes over, or frees the name of, whoever has more than they have.
#[tokio::test]
async fn case_19_nobody_makes_administrators_or_takes_over_whom_roles_or_policies_name() {
    let (castellan, token) = start("").await;
    let role = "{resourceType: AccessPolicy, id: desk, engine: allow, \
                link: [{resourceType: User, id: johanna}]}\n---\n\
                {resourceType: Role, id: packing, scope: [\"Query:*\"], users: [bob]}\n---\n\
                {resourceType: User, id: john, userName: john, groups: [{value: administrators}, \
                {value: admin}, {value: devops}]}";
    assert!(castellan.cli_with(&["apply", "-f", "-"], role).status.success());
    let among = json!({"groups": [{"value": "administrators"}]});
    let mut answer = update(&castellan, &token, ("bob", among.clone(), "id")).await;
    assert_eq!(failed(&answer, "access-denied")["field"], "groups");
    for _ in 0..50 {
        // Until the server has heard of the role.
        answer = update(&castellan, &token, ("bob", json!({"password": "pw-bob"}), "id")).await;
        if answer.body.contains("access-denied") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    failed(&answer, "access-denied");
    let answer = update(&castellan, &token, ("bob", among, "id")).await;
    assert_eq!(failed(&answer, "access-denied")["field"], "groups");
    // A policy for one person lets them do what others may not.
    let seized = json!({"password": "pw-johanna"});
    let answer = update(&castellan, &token, ("johanna", seized, "id")).await;
    assert_eq!(failed(&answer, "access-denied")["field"], "password");
    for id in ["bob", "johanna", "user"] {
        let query =
            format!("mutation {{deleteAccountById(input: {{accountId: {id:?}}}) {{deleted}}}}");
        failed(&asked(&castellan, ACCOUNTS, &token, &query).await, "access-denied");
    }
}

#[tokio::test]
async fn deleting_from_an_unknown_account_deletes_nothing() {
    let (castellan, token) = start("").await;
    for field in [
        r#"deleteEmailAddressByAccountId(input: {accountId: "nobody", emailAddressToDelete: "a@b.test"}) {is: result}"#,
        r#"deletePhoneNumberByAccountId(input: {accountId: "nobody", phoneNumberToDelete: "+15550100"}) {is: result}"#,
        r#"deleteDeviceFromAccountByAccountId(input: {accountId: "nobody", deviceId: "d"}) {is: deleted}"#,
        r#"deleteLinkFromAccountByAccountId(input: {accountId: "nobody", linkedAccount: {value: "v", domain: "d"}}) {is: deleted}"#,
        r#"resetOptInMfaStateByAccountId(input: {accountId: "nobody"}) {is: deleted}"#,
        r#"deleteAccountById(input: {accountId: "nobody"}) {is: deleted}"#,
    ] {
        let query = format!("mutation {{a: {field}}}");
        let answer = data(&asked(&castellan, ACCOUNTS, &token, &query).await);
        assert_eq!(answer["a"]["is"], false, "{field}");
    }
}

#[tokio::test]
async fn a_number_that_is_the_primary_one_of_another_account_is_a_conflict() {
    let (castellan, token) = start("").await;
    let make = async |id: &str, number: &str| {
        let query = format!(
            "mutation {{updatePrimaryPhoneNumberByAccountId(input: {{accountId: \"{id}\", \
             newPrimaryPhoneNumber: \"{number}\"}}) {{result}}}}"
        );
        asked(&castellan, ACCOUNTS, &token, &query).await
    };
    let extensions = failed(&make("bob", "+1 (555) 0100").await, "constraint-violation");
    assert_eq!(extensions["field"], "phoneNumbers");
    for (id, number, result) in
        [("bob", "+1 555 0999", false), ("john", "+15550101", true), ("john", "+15550101", true)]
    {
        let answer = data(&make(id, number).await);
        let told = &answer["updatePrimaryPhoneNumberByAccountId"]["result"];
        assert_eq!(told, &json!(result), "{id} {number}");
    }
}

#[tokio::test]
async fn what_is_created_is_no_longer_than_what_can_be_updated() {
    let (castellan, token) = start("").await;
    let entries = |count: usize| -> Vec<Value> {
        (0..count).map(|at| json!({"value": format!("v{at}@example.org")})).collect()
    };
    for (field, good, bad) in [
        ("userName", json!("n".repeat(128)), json!("n".repeat(129))),
        ("password", json!("p".repeat(512)), json!("p".repeat(513))),
        ("emails", json!(entries(32)), json!(entries(33))),
        ("ims", json!(entries(32)), json!(entries(33))),
        ("roles", json!(entries(128)), json!(entries(129))),
        ("groups", json!(entries(0)), json!(entries(129))),
        ("externalId", json!("x".repeat(128)), json!("x".repeat(129))),
        ("displayName", json!("x".repeat(64)), json!("x".repeat(65))),
        ("locale", json!("de"), json!("d".repeat(65))),
        ("nickName", json!("x".repeat(64)), json!("x".repeat(2_000))),
    ] {
        for (value, is_good) in [(bad, false), (good, true)] {
            let mut fields = json!({"userName": format!("new-{field}")});
            fields[field] = value;
            let answer = create(&castellan, &token, (fields, "id userName")).await;
            if is_good {
                data(&answer);
            } else {
                let extensions = failed(&answer, "invalid-argument");
                assert_eq!(extensions["field"], field, "{answer:?}");
            }
        }
    }
    // Whoever is created can be found.
    let query = format!("{{accountByUserName(userName: \"{}\") {{id}}}}", "n".repeat(128));
    let found = data(&asked(&castellan, ACCOUNTS, &token, &query).await);
    assert!(found["accountByUserName"]["id"].is_string(), "{found}");
}

/// A data source with all capabilities refuses no filter (`docs/contracts/curity.md` §10), and
/// `capabilities` says so.
#[tokio::test]
async fn an_empty_filter_admits_all_that_have_what_it_looks_at() {
    let (castellan, token) = start("").await;
    let filter = |by: &str, how: &str| {
        format!("first: 5, filtering: {{filterBy: {by}, filterType: {how}, filter: \"\"}}")
    };
    for how in ["STARTS_WITH", "ENDS_WITH"] {
        let (found, total) = pages(&castellan, &token, &filter("userName", how)).await;
        assert_eq!((found.concat().len(), total), (12, json!(12)), "{how}");
        let (found, total) = pages(&castellan, &token, &filter("email", how)).await;
        assert_eq!(
            (found.concat(), total),
            (["bob", "johanna", "john"].map(String::from).to_vec(), json!(3))
        );
    }
}

/// What is wrong is refused, whether it would have been used or not.
#[tokio::test]
async fn a_count_alone_refuses_a_cursor_that_is_none_of_its_list() {
    let (castellan, token) = start("").await;
    let query = "{accounts(first: 5) {pageInfo {endCursor}}}";
    let page = data(&asked(&castellan, ACCOUNTS, &token, query).await);
    let cursor = page["accounts"]["pageInfo"]["endCursor"].as_str().unwrap().to_owned();
    for (arguments, is_good) in [
        (format!("after: \"{cursor}\""), true),
        ("after: \"\"".to_owned(), true),
        (format!("after: \"{cursor}\", activeAccountsOnly: false"), false),
        ("after: \"made up\"".to_owned(), false),
    ] {
        let query = format!("{{accounts({arguments}) {{totalCount}}}}");
        let answer = asked(&castellan, ACCOUNTS, &token, &query).await;
        if is_good {
            data(&answer);
        } else {
            failed(&answer, "invalid-argument");
        }
    }
}

/// Whoever sets a password expects that the one before is over.
#[tokio::test]
async fn a_password_is_not_set_to_what_it_is() {
    let (castellan, token) = start("").await;
    let set = |password: &str| ("john", json!({"password": password}), "id");
    let same = update(&castellan, &token, set("pw-johndoe")).await;
    let details = failed(&same, "credential-update-rejected")["details"].clone();
    assert_eq!(details, json!([{"message": "The password must be another than the present one"}]));
    data(&update(&castellan, &token, set("pw-another one")).await);
    assert!(signs_in(&castellan, "johndoe", "pw-another one").await);
}

#[tokio::test]
async fn setting_a_password_to_what_it_is_says_that_nothing_changed() {
    let (castellan, _) = start("").await;
    let set = |password: &str| castellan.cli_with(&["user", "password", "bob"], password);
    for (password, said) in [
        ("pw-bob", "User/bob has that password already; nothing changed\n"),
        ("another password", "set the password of User/bob\n"),
        ("another password", "User/bob has that password already; nothing changed\n"),
    ] {
        let output = set(password);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), said);
    }
}
