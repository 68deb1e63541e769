//! What data sources cannot do (`docs/contracts/curity.md` §§4.3, 10 and §12, items 39 to 45).

use super::{
    accounts::{pages, start},
    support::{ACCOUNTS, GROUPS, JOHNS, PEOPLE, asked, data, failed, token},
};
use crate::{
    operations::nodes::{address, config},
    support::{
        castellan::{Castellan, Plan},
        wire::Answer,
    },
};

/// A server on the data source at `url`, and the token of somebody who may do everything.
#[cfg(feature = "full")]
async fn start_on(url: &str, settings: &str) -> (Castellan, String) {
    let tables = config(url);
    let (head, site) = tables.split_at(tables.find("[[site]]").unwrap());
    let castellan = Castellan::start(Plan {
        config: format!("{head}{settings}{site}{GROUPS}"),
        documents: format!("{PEOPLE}{JOHNS}"),
        environment: vec![("CASTELLAN_KEY", "Q".repeat(43))],
        ..Plan::default()
    })
    .await;
    let token = token(&castellan, "admin").await;
    (castellan, token)
}

#[cfg(feature = "full")]
async fn start_on_dynamodb(settings: &str) -> (Castellan, String) {
    let server = address("CASTELLAN_TEST_DYNAMODB");
    let table = format!("accounts_{}", std::process::id());
    start_on(&format!("dynamodb://local?table={table}&endpoint={server}"), settings).await
}

async fn listed(castellan: &Castellan, token: &str, arguments: &str) -> Answer {
    let query = format!("{{accounts({arguments}) {{edges {{node {{id}}}} totalCount}}}}");
    asked(castellan, ACCOUNTS, token, &query).await
}

fn filter(how: &str, value: &str) -> String {
    format!("filtering: {{filterBy: userName, filterType: {how}, filter: \"{value}\"}}")
}

#[track_caller]
fn unsupported(answer: &Answer, cause: &str) {
    assert_eq!(failed(answer, "operation-not-supported")["not-supported-cause"], cause);
    assert!(answer.json()["data"].is_null(), "{answer:?}");
}

#[cfg(feature = "full")]
#[tokio::test]
async fn curity_39_and_41_to_43_dynamodb_says_what_it_does_not_do() {
    let (castellan, token) = start_on_dynamodb("").await;
    let answer = asked(&castellan, ACCOUNTS, &token, "{accounts {totalCount}}").await;
    unsupported(&answer, "FILTERING_ABSENT");
    assert_eq!(answer.json()["errors"][0]["message"], "At least 1 filter key must be defined");
    let sorting = "sorting: {sortBy: name, sortOrder: ASCENDING}";
    for (arguments, cause) in [
        (filter("ENDS_WITH", "om"), "FILTERING_ENDS_WITH"),
        (filter("STARTS_WITH", "jo"), "FILTERING_FILTER_TOO_SMALL"),
        (format!("{}, {sorting}", filter("STARTS_WITH", "joh")), "SORTING"),
    ] {
        unsupported(&listed(&castellan, &token, &arguments).await, cause);
    }
    for arguments in [
        filter("STARTS_WITH", "joh"),
        filter("STARTS_WITH", "joh") + ", sorting: {sortOrder: DESCENDING}",
    ] {
        let (found, total) = pages(&castellan, &token, &arguments).await;
        assert_eq!(found.concat(), ["johanna", "john"], "{arguments}");
        assert_eq!(total, 2);
    }
    // A count alone does not look at the order.
    let query = format!("{{accounts({}, {sorting}) {{totalCount}}}}", filter("STARTS_WITH", "joh"));
    assert_eq!(
        data(&asked(&castellan, ACCOUNTS, &token, &query).await)["accounts"]["totalCount"],
        2
    );
}

#[cfg(feature = "full")]
#[tokio::test]
async fn curity_40_dynamodb_lists_all_where_scans_are_allowed() {
    let (castellan, token) = start_on_dynamodb("allow_table_scans = true\n").await;
    let (_, total) = pages(&castellan, &token, "first: 5").await;
    assert_eq!(total, 12);
    let sorted = "first: 5, sorting: {sortBy: created, sortOrder: DESCENDING}";
    let (found, _) = pages(&castellan, &token, sorted).await;
    assert_eq!(found.concat().len(), 12, "the order has no effect");
}

#[cfg(feature = "full")]
#[tokio::test]
async fn curity_44_letter_case_matters_on_dynamodb_alone() {
    let (castellan, token) = start_on_dynamodb("").await;
    let (found, total) = pages(&castellan, &token, &filter("STARTS_WITH", "JOH")).await;
    assert_eq!((found.concat().len(), total), (0, 0.into()));
    let (castellan, token) = start("").await;
    let (found, _) = pages(&castellan, &token, &filter("STARTS_WITH", "JOH")).await;
    assert_eq!(found.concat(), ["johanna", "john"]);
}

#[cfg(feature = "full")]
#[tokio::test]
async fn curity_45_mongodb_needs_three_characters_of_a_beginning() {
    let server = address("CASTELLAN_TEST_MONGODB");
    let url = format!("{}/accounts_{}", server.trim_end_matches('/'), std::process::id());
    let (castellan, token) = start_on(&url, "").await;
    let answer = listed(&castellan, &token, &filter("STARTS_WITH", "jo")).await;
    unsupported(&answer, "FILTERING_FILTER_TOO_SMALL");
    let (found, total) = pages(&castellan, &token, &filter("ENDS_WITH", "e")).await;
    assert_eq!((found.concat(), total), (vec!["john".to_owned()], 1.into()));
}
