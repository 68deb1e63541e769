//! A node whose clock is wrong issues nothing, and says that it is not ready (`docs/rules.md` rule
//! 28).

use std::time::Duration;

use serde_json::json;

use crate::{
    operations::nodes::config,
    support::{
        browser::Browser,
        castellan::{Castellan, Plan},
        fixtures::{ANN, DOCUMENTS, RESOURCE_SERVER, text},
        wire::{Answer, Ask},
    },
};

const SERVICE: [(&str, &str); 3] =
    [("grant_type", "client_credentials"), ("client_id", "svc"), ("client_secret", "s3cr3t-svc")];

/// How soon a clock that was set wrong, or right, is told.
const BOUND: Duration = Duration::from_secs(10);

fn is_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
}

/// An hour behind, three seconds behind and three ahead: no token, from the first request on, and
/// none of before is lost.
pub async fn a_wrong_clock_issues_nothing(url: &str) {
    let castellan = Castellan::start(Plan {
        config: config(url),
        documents: DOCUMENTS.to_owned(),
        environment: vec![("CASTELLAN_KEY", "Q".repeat(43))],
        ..Plan::default()
    })
    .await;
    for off in [-3_600, -3, 3] {
        castellan.set_clock_off(off);
        is_unavailable(&castellan.token(&SERVICE).await);
        castellan.until_readiness(503, "\"clock\":false", BOUND).await;
        is_unavailable(&castellan.token(&SERVICE).await);
        let doctor = castellan.cli(&["doctor"]);
        let said = String::from_utf8_lossy(&doctor.stdout);
        let wanted =
            if off < 0 { "behind the data source's" } else { "ahead of the data source's" };
        assert!(said.contains("clock            PROBLEM") && said.contains(wanted), "{said}");
        castellan.set_clock_off(0);
        castellan.until_readiness(200, "\"clock\":true", BOUND).await;
        let issued = castellan.token(&SERVICE).await;
        assert_eq!(issued.status, 200, "{off} s off, and right again: {issued:?}");
        assert!(castellan.cli(&["doctor"]).status.success());
    }
}

/// Where the data source has no clock but the machine's, time does not go back.
#[tokio::test]
async fn a_node_that_was_set_back_issues_nothing_that_it_would_refuse() {
    let mut castellan = Castellan::start(Plan {
        documents: DOCUMENTS.to_owned(),
        environment: vec![
            ("JWT_SECRET", "s3cret-of-the-keys".to_owned()),
            ("DECIDIM_API_JWT_SECRET", "s3cret-of-the-machines".to_owned()),
        ],
        ..Plan::default()
    })
    .await;
    let before = castellan.token(&SERVICE).await.json();
    castellan.set_clock_off(-3_600);
    let readiness = castellan.readiness().await;
    is_unavailable(&readiness);
    assert_eq!(readiness.json()["clock"], false, "at once: {readiness:?}");
    nothing_is_issued(&castellan).await;

    // A restart forgets nothing, nor does a node that runs on with the wrong time.
    tokio::time::sleep(Duration::from_secs(1)).await;
    castellan.restart_unready().await;
    let readiness = castellan.readiness().await;
    assert_eq!(readiness.json()["clock"], false, "{readiness:?}");
    nothing_is_issued(&castellan).await;
    let doctor = castellan.cli(&["doctor"]);
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert!(!doctor.status.success() && said.contains("was set back"), "{said}");

    castellan.set_clock_off(0);
    castellan.until_readiness(200, "\"clock\":true", BOUND).await;
    let after = castellan.token(&SERVICE).await.json();
    for tokens in [before, after] {
        let token = text(&tokens, "access_token");
        let pairs = [&RESOURCE_SERVER[..], &[("token", token)]].concat();
        let asked = Ask::post(&castellan.at("/auth/introspect")).form(&pairs).send().await;
        assert_eq!(asked.json()["active"], true, "{asked:?}");
    }
}

/// Every door that hands something out.
async fn nothing_is_issued(castellan: &Castellan) {
    is_unavailable(&castellan.token(&SERVICE).await);
    let device = [("client_id", "svc"), ("client_secret", "s3cr3t-svc")];
    is_unavailable(&Ask::post(&castellan.at("/auth/device")).form(&device).send().await);
    let key = json!({"id": "nobody", "apiKey": "no", "scopes": ["Mutation:Person:*"]});
    is_unavailable(&Ask::post(&castellan.at("/jwt")).json(&key).send().await);
    let machine = [("api_user[key]", "nobody"), ("api_user[secret]", "no")];
    is_unavailable(&Ask::post(&castellan.at("/api/sign_in")).form(&machine).send().await);
    let mut browser = Browser::default();
    let begun = browser.get(&castellan.at("/auth/login")).await;
    is_unavailable(&browser.sign_in(castellan, &begun, ANN).await);
}

/// After a clock had been ahead by mistake there is a way back that does not take as long.
#[tokio::test]
async fn a_clock_that_was_ahead_by_mistake_can_be_accepted() {
    let mut castellan = Castellan::with_ann().await;
    castellan.set_clock_off(86_400);
    assert_eq!(castellan.readiness().await.status, 200, "nobody can tell");
    tokio::time::sleep(Duration::from_secs(3)).await;
    castellan.set_clock_off(0);
    castellan.restart_unready().await;
    is_unavailable(&castellan.token(&SERVICE).await);
    castellan.stop();
    let accepted = castellan.said(&["doctor", "--accept-clock"]);
    assert!(accepted.contains("accepted"), "{accepted}");
    castellan.restart().await;
    assert_eq!(castellan.token(&SERVICE).await.status, 200);
}
