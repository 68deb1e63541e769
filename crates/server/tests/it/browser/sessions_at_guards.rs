//! People at the API of Decidim by their browser session (`docs/contracts/decidim.md` §5.2 and §9,
//! number 8), where a guard lists that.

use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    castellan::{Archive, Castellan, Plan},
    fixtures::DOCUMENTS,
    wire::{Answer, Ask},
};

const PROBE: &str = "{ session { user { id name nickname } } }";
const CREATE: &str = "mutation { CreatePerson(identifier: \"x\", name: \"x\") { identifier } }";

/// A guard before `archive` with `more` in its table.
async fn start(archive: &Archive, more: &str) -> Castellan {
    Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"api\"\npath = \"/api\"\ndialect = \"decidim\"\nupstream = \"{}\"\n{more}\n",
            archive.url
        ),
        documents: DOCUMENTS.to_owned(),
        ..Plan::default()
    })
    .await
}

const LISTED: &str = "authenticate = [\"oauth\", \"session\"]";

/// What a page of the same origin sends, with `headers` besides.
async fn send(
    castellan: &Castellan,
    cookies: &str,
    headers: &[(&str, &str)],
    query: &str,
) -> Answer {
    let ask = Ask::post(&castellan.at("/api")).json(&json!({"query": query}));
    let ask = headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
    ask.header("cookie", cookies).send().await
}

const MEANT: &[(&str, &str)] =
    &[("x-requested-with", "XMLHttpRequest"), ("sec-fetch-site", "same-origin")];

#[tokio::test]
async fn a_person_uses_the_api_as_themselves() {
    let archive = Archive::start().await;
    let castellan = start(&archive, LISTED).await;
    let cookies = Browser::as_ann(&castellan).await.jar();
    let answer = send(&castellan, &cookies, MEANT, PROBE).await;
    let ann = json!({"user": {"id": "ann", "name": "Ann Roe", "nickname": "@ann"}});
    assert_eq!((answer.status.as_u16(), &answer.json()["data"]["session"]), (200, &ann));
    assert_eq!(answer.header("set-cookie"), None);
    let answer = send(&castellan, &cookies, MEANT, CREATE).await;
    assert_eq!(answer.json()["data"]["CreatePerson"]["identifier"], "x", "{answer:?}");

    // A token that is sent besides is what counts, good or not.
    let token = [MEANT, &[("authorization", "Bearer garbage")]].concat();
    let answer = send(&castellan, &cookies, &token, PROBE).await;
    assert_eq!(answer.json()["data"]["session"], Value::Null);

    // Signed out, the cookie is no good, and not as good as none; nor is it without its browser's.
    let mut browser = Browser::as_ann(&castellan).await;
    let cookies = browser.jar();
    let session = format!("ASID={}", browser.cookie("ASID").unwrap());
    let answer = send(&castellan, &session, MEANT, PROBE).await;
    assert_eq!(answer.json()["data"]["session"], Value::Null);
    assert!(answer.header("www-authenticate").unwrap().contains("invalid_token"));
    let page = browser.get(&castellan.at("/auth/logout")).await;
    let form = page.hidden("csrf").unwrap_or_else(|| panic!("{page:?}"));
    browser.post(&castellan.at("/auth/logout"), &[("csrf", &form)]).await;
    for dead in [&*cookies, "ASID=garbage"] {
        let answer = send(&castellan, dead, MEANT, PROBE).await;
        assert_eq!(answer.json()["data"]["session"], Value::Null, "{dead}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains("invalid_token"), "{challenge}");
    }
}

#[tokio::test]
async fn a_cookie_that_nobody_meant_to_send_is_none() {
    let archive = Archive::start().await;
    let castellan = start(&archive, LISTED).await;
    let cookies = Browser::as_ann(&castellan).await.jar();
    for headers in [
        &[][..],
        &[("sec-fetch-site", "same-origin")],
        &[("x-requested-with", "XMLHttpRequest"), ("sec-fetch-site", "cross-site")],
        &[("x-requested-with", "XMLHttpRequest"), ("sec-fetch-site", "same-site")],
        &[("x-requested-with", "XMLHttpRequest"), ("sec-fetch-site", "none")],
    ] {
        let answer = send(&castellan, &cookies, headers, PROBE).await;
        assert_eq!(answer.json()["data"]["session"], Value::Null, "{headers:?}");
        let answer = send(&castellan, &cookies, headers, CREATE).await;
        assert_eq!(answer.json()["data"]["CreatePerson"], Value::Null, "{headers:?}");
    }
    assert_eq!(
        archive.ask("{ Person(identifier: \"x\") { name } }").await["data"]["Person"],
        json!([])
    );
}

#[tokio::test]
async fn a_guard_that_lists_no_sessions_knows_none() {
    let archive = Archive::start().await;
    let castellan = start(&archive, "").await;
    let cookies = Browser::as_ann(&castellan).await.jar();
    let answer = send(&castellan, &cookies, MEANT, PROBE).await;
    assert_eq!(answer.json()["data"]["session"], Value::Null);

    let why = Castellan::refuses(Plan {
        config: "[[guard]]\nname = \"own\"\npath = \"/own\"\nauthenticate = \"session\"\n"
            .to_owned(),
        ..Plan::default()
    })
    .await;
    assert!(why.contains("\"session\" needs dialect = \"decidim\""), "{why}");
}

/// Where only known callers are let in, a session is enough.
#[tokio::test]
async fn a_person_is_known_where_that_is_asked_for() {
    let archive = Archive::start().await;
    let castellan = start(&archive, &format!("{LISTED}\nanonymous = \"refused\"")).await;
    let cookies = Browser::as_ann(&castellan).await.jar();
    assert_eq!(send(&castellan, &cookies, MEANT, PROBE).await.status, 200);
    assert_eq!(send(&castellan, "", MEANT, PROBE).await.status, 401);
}
