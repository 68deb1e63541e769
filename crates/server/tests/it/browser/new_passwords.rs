//! New passwords (`docs/contracts/aidbox.md` §7): by the person, and through a link that an
//! administrator issued.

use http::Method;
use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    castellan::Castellan,
    fixtures::{ANN, Asking, DOCUMENTS, PORTAL, text},
    wire::{Answer, Ask},
};

const TOOLS: &str = r#"
---
resourceType: Client
id: admin-tool
secret: a-secret-for-the-tool
grant_types: [client_credentials]
scope: ["Castellan:*"]
---
resourceType: Client
id: reader
secret: a-secret-for-the-reader
grant_types: [client_credentials]
scope: ["Castellan:User:Read", "*"]
"#;

const NEW: &str = "a new password";

async fn start() -> Castellan {
    Castellan::with_documents(&format!("{DOCUMENTS}{TOOLS}")).await
}

async fn service_token(castellan: &Castellan, id: &str, secret: &str) -> String {
    let pairs =
        [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
    text(&castellan.token(&pairs).await.json(), "access_token").to_owned()
}

async fn admin(castellan: &Castellan) -> String {
    service_token(castellan, "admin-tool", "a-secret-for-the-tool").await
}

async fn force(castellan: &Castellan, token: &str, body: &Value) -> Answer {
    Ask::post(&castellan.at("/auth/force-reset-password")).bearer(token).json(body).send().await
}

/// A link for Ann.
async fn link(castellan: &Castellan, admin: &str) -> String {
    let answer = force(castellan, admin, &json!({"userId": "ann"})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let said = answer.json();
    assert_eq!(said["code"], "password_reset_link_issued");
    let (url, token) = (text(&said["data"], "resetUrl"), text(&said["data"], "token"));
    assert_eq!(url, castellan.at(&format!("/auth/reset-password?token={token}")));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    url.to_owned()
}

/// Follows `link` and fills in its form.
async fn fill(castellan: &Castellan, link: &str, password: &str, again: &str) -> Answer {
    let mut browser = Browser::default();
    let moved = browser.get(link).await;
    if moved.status != 303 {
        return moved;
    }
    let form = browser.get(&castellan.at(moved.location())).await;
    let token = form.hidden("token").unwrap_or_else(|| panic!("no form: {form:?}"));
    let pairs = [("token", &*token), ("password", password), ("password_again", again)];
    browser.post(&castellan.at("/auth/reset-password"), &pairs).await
}

async fn signs_in(castellan: &Castellan, password: &str) -> bool {
    let mut browser = Browser::default();
    let begun = browser.get(&castellan.at("/auth/login")).await;
    browser.sign_in(castellan, &begun, ("ann", password)).await.status == 303
}

/// The page of a link that cannot be used, without what differs for each request.
fn assert_spent(answer: &Answer) -> String {
    assert_eq!(answer.status, 410, "{answer:?}");
    assert!(answer.body.contains("This link is not valid"), "{answer:?}");
    // But for the id to quote, which each has of its own.
    answer.body.replace(answer.header("castellan-decision").unwrap(), "")
}

#[tokio::test]
async fn a_link_sets_a_password_once_and_ends_what_was() {
    let castellan = start().await;
    let mut ann = Browser::as_ann(&castellan).await;
    let tokens = castellan.tokens(&mut ann, &Asking::portal(), &PORTAL).await;
    // A second later, as everything in the same second may have come after.
    castellan.advance_to(2);
    let admin = admin(&castellan).await;
    let url = link(&castellan, &admin).await;

    let mut browser = Browser::default();
    let moved = browser.get(&url).await;
    assert_eq!((moved.status.as_u16(), moved.location()), (303, "/auth/reset-password"));
    let form = browser.get(&castellan.at(moved.location())).await;
    for answer in [&moved, &form] {
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    }
    // Nobody is signed in at this page.
    assert!(form.body.contains("You will be signed out everywhere."), "{form:?}");
    let cookie = moved.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let token = form.hidden("token").unwrap();
    let post = |password: &'static str, again: &'static str| {
        let pairs = [("token", &*token), ("password", password), ("password_again", again)];
        Ask::post(&castellan.at("/auth/reset-password")).form(&pairs)
    };
    for (password, again, why) in [
        ("x", "x", "at least 2 characters"),
        (NEW, "another", "do not match"),
        ("", "", "blank"),
        // Whoever sets a password expects that the one before is over.
        (ANN.1, ANN.1, "is the current one"),
    ] {
        let refused = post(password, again).send().await;
        assert_eq!(refused.status, 422, "{refused:?}");
        assert!(refused.body.contains(why), "{refused:?}");
    }
    let forged = post(NEW, NEW).header("origin", "https://evil.test").send().await;
    assert_eq!(forged.status, 403, "{forged:?}");
    let forged = post(NEW, NEW).header("sec-fetch-site", "cross-site").header("origin", "null");
    assert_eq!(forged.send().await.status, 403);
    assert!(signs_in(&castellan, ANN.1).await, "nothing has changed so far");
    castellan.advance_to(4);

    // As browsers send the form of a page without a referrer.
    let set = post(NEW, NEW).header("origin", "null").header("sec-fetch-site", "same-origin");
    let set = set.send().await;
    assert_eq!(set.status, 200, "{set:?}");
    assert_eq!(ann.get(&castellan.at("/account")).await.location(), "/auth/login");
    let access = text(&tokens, "access_token");
    assert_eq!(castellan.userinfo(access).await.status, 401);
    let refreshed = castellan.refresh(text(&tokens, "refresh_token"), &PORTAL).await;
    assert_eq!(refreshed.status, 400, "{refreshed:?}");
    assert!(!signs_in(&castellan, ANN.1).await && signs_in(&castellan, NEW).await);

    // Used up, in both places.
    assert_spent(&post("yet another", "yet another").send().await);
    assert_spent(&Browser::default().get(&url).await);
    assert!(signs_in(&castellan, NEW).await);
    let shown = castellan.resources();
    let database: Vec<u8> = ["castellan.db", "castellan.db-wal"]
        .iter()
        .flat_map(|name| std::fs::read(castellan.path(name)).unwrap_or_default())
        .collect();
    assert!(!database.is_empty(), "the database has another name");
    let is_kept = database.windows(token.len()).any(|part| part == token.as_bytes());
    assert!(!is_kept && !shown.contains(&token), "the token itself was kept");
}

#[tokio::test]
async fn links_that_cannot_be_used_are_one_page() {
    let castellan = start().await;
    let admin = admin(&castellan).await;
    let mut pages = vec![assert_spent(
        &Browser::default().get(&castellan.at("/auth/reset-password?token=x")).await,
    )];
    pages.push(assert_spent(&Browser::default().get(&castellan.at("/auth/reset-password")).await));
    // The newest wins.
    let first = link(&castellan, &admin).await;
    let second = link(&castellan, &admin).await;
    pages.push(assert_spent(&fill(&castellan, &first, NEW, NEW).await));
    // Inactive, and active again.
    let apply = |more: &str| {
        let document =
            format!("resourceType: User\nid: ann\nuserName: ann\npassword: pw-ann\n{more}");
        assert!(castellan.cli_with(&["apply", "-f", "-"], &document).status.success());
    };
    apply("inactive: true\n");
    pages.push(assert_spent(&fill(&castellan, &second, NEW, NEW).await));
    let refused = force(&castellan, &admin, &json!({"userId": "ann"})).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    apply("");
    // A password that was set meanwhile.
    let third = link(&castellan, &admin).await;
    castellan.advance_to(2);
    castellan.cli_with(&["user", "password", "ann"], "set by the person\n");
    pages.push(assert_spent(&fill(&castellan, &third, NEW, NEW).await));
    // Too old.
    let fourth = link(&castellan, &admin).await;
    castellan.advance_to(2 + 15 * 60);
    pages.push(assert_spent(&fill(&castellan, &fourth, NEW, NEW).await));
    // Of somebody who is gone, and of whoever has the name now.
    let fifth = castellan.said(&["user", "reset-password", "ann"]);
    let gone = castellan.cli(&["delete", "User", "ann"]);
    assert!(gone.status.success(), "{gone:?}");
    pages.push(assert_spent(&fill(&castellan, fifth.trim(), NEW, NEW).await));
    castellan.advance_to(5 + 15 * 60);
    apply("");
    pages.push(assert_spent(&fill(&castellan, fifth.trim(), NEW, NEW).await));
    assert!(signs_in(&castellan, ANN.1).await);
    assert!(pages.iter().all(|page| *page == pages[0]), "{pages:?}");
    // And one that works, from the command line.
    let last = castellan.said(&["user", "reset-password", "ann"]);
    assert_eq!(fill(&castellan, last.trim(), NEW, NEW).await.status, 200);
    assert!(signs_in(&castellan, NEW).await);
    let nobody = castellan.cli(&["user", "reset-password", "nobody"]);
    let said = String::from_utf8(nobody.stderr).unwrap();
    assert!(!nobody.status.success() && said.contains("does not exist"), "{said}");
}

#[tokio::test]
async fn one_link_at_the_same_moment_sets_one_password() {
    let castellan = start().await;
    let admin = admin(&castellan).await;
    let url = link(&castellan, &admin).await;
    let token = url.split("token=").nth(1).unwrap();
    let posts = (0..6).map(|n| {
        let password = format!("password number {n}");
        let pairs = [("token", token), ("password", &*password), ("password_again", &*password)];
        let ask = Ask::post(&castellan.at("/auth/reset-password")).form(&pairs);
        tokio::spawn(ask.send())
    });
    let posts: Vec<_> = posts.collect();
    let mut set = 0;
    for post in posts {
        let answer = post.await.unwrap();
        assert!(matches!(answer.status.as_u16(), 200 | 410), "{answer:?}");
        set += usize::from(answer.status == 200);
    }
    assert_eq!(set, 1);
}

#[tokio::test]
async fn only_administrators_issue_links() {
    let castellan = start().await;
    let url = castellan.at("/auth/force-reset-password");
    let body = json!({"userId": "ann"});
    let anonymous = Ask::post(&url).json(&body).send().await;
    assert_eq!(anonymous.status, 401, "{anonymous:?}");
    let reader = service_token(&castellan, "reader", "a-secret-for-the-reader").await;
    let refused = force(&castellan, &reader, &body).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(refused.json()["id"], "forbidden");
    let ann = castellan.portal_tokens().await;
    let refused = force(&castellan, text(&ann, "access_token"), &body).await;
    assert!(matches!(refused.status.as_u16(), 401 | 403), "{refused:?}");
    let admin = admin(&castellan).await;
    for (body, status) in [
        (json!({"userId": "nobody"}), 404),
        (json!({"userId": "a/../b"}), 404),
        (json!({"userId": 7}), 400),
        (json!({}), 400),
        (json!({"userId": "ann", "more": true}), 400),
        (json!(["ann"]), 400),
    ] {
        let answer = force(&castellan, &admin, &body).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        assert_eq!(answer.json()["resourceType"], "OperationOutcome", "{answer:?}");
    }
    let form = Ask::new(Method::POST, &url).bearer(&admin).form(&[("userId", "ann")]);
    assert_eq!(form.send().await.status, 415);
}

/// What a script of the site, in `browser`, sends to change the password.
fn by_cookie(castellan: &Castellan, browser: &Browser, body: &Value) -> Ask {
    Ask::post(&castellan.at("/auth/change-password"))
        .header("cookie", &browser.jar())
        .header("origin", &castellan.url)
        .header("sec-fetch-site", "same-origin")
        .json(body)
}

fn change(current: &str, new: &str) -> Value {
    json!({"currentPassword": current, "newPassword": new})
}

#[tokio::test]
async fn a_person_changes_their_password_by_token_or_by_cookie_and_all_sessions_end() {
    let castellan = start().await;
    let mut ann = Browser::as_ann(&castellan).await;
    let elsewhere = Browser::as_ann(&castellan).await;
    let tokens = castellan.tokens(&mut ann, &Asking::portal(), &PORTAL).await;
    let access = text(&tokens, "access_token");
    castellan.advance_to(2);
    let url = castellan.at("/auth/change-password");
    let by_token = |body: &Value| Ask::post(&url).bearer(access).json(body);
    let unchanged = [
        (change("wrong", NEW), 422, "currentPassword: the current password is wrong"),
        (change("", NEW), 422, "currentPassword: "),
        (change(ANN.1, ANN.1), 422, "newPassword: the new password must differ"),
        (change(ANN.1, "x"), 422, "newPassword: the new password must have at least 2"),
        (change(ANN.1, ""), 422, "newPassword: the new password must not be empty"),
        (json!({"currentPassword": ANN.1}), 400, "newPassword"),
        (json!({"currentPassword": ANN.1, "newPassword": NEW, "id": "bea"}), 400, "id"),
        (json!({"currentPassword": [ANN.1], "newPassword": NEW}), 400, "currentPassword"),
    ];
    for (body, status, why) in unchanged {
        for ask in [by_token(&body), by_cookie(&castellan, &ann, &body)] {
            let answer = ask.send().await;
            assert_eq!(answer.status, status, "{body}: {answer:?}");
            assert!(answer.body.contains(why), "{body}: {answer:?}");
            assert!(!answer.body.contains(ANN.1) && !answer.body.contains(NEW), "{answer:?}");
        }
    }
    let forged = Ask::post(&url)
        .header("cookie", &ann.jar())
        .header("origin", "https://evil.test")
        .json(&change(ANN.1, NEW));
    assert_eq!(forged.send().await.status, 403);
    let forged = Ask::post(&url)
        .header("cookie", &ann.jar())
        .header("sec-fetch-site", "cross-site")
        .json(&change(ANN.1, NEW));
    assert_eq!(forged.send().await.status, 403);
    let plain = change(ANN.1, NEW).to_string();
    let plain = Ask::post(&url)
        .header("cookie", &ann.jar())
        .header("sec-fetch-site", "same-origin")
        .body("text/plain", plain);
    assert_eq!(plain.send().await.status, 415);
    let silent = Ask::post(&url).header("cookie", &ann.jar()).json(&change(ANN.1, NEW));
    assert_eq!(silent.send().await.status, 403, "it does not say where it is from");
    let anonymous = Ask::post(&url).json(&change(ANN.1, NEW)).send().await;
    assert_eq!(anonymous.status, 401, "{anonymous:?}");
    // A bad token is not made good by a cookie.
    let bad = by_cookie(&castellan, &ann, &change(ANN.1, NEW)).bearer("nonsense").send().await;
    assert_eq!(bad.status, 401, "{bad:?}");
    let machine = Ask::post(&url).bearer(&admin(&castellan).await).json(&change(ANN.1, NEW));
    assert_eq!(machine.send().await.status, 403, "a client has no password");
    assert!(signs_in(&castellan, ANN.1).await, "nothing has changed so far");

    castellan.advance_to(4);
    let changed = by_token(&change(ANN.1, NEW)).send().await;
    assert_eq!(changed.json(), json!({"code": "password_changed"}), "{changed:?}");
    assert_eq!(castellan.userinfo(access).await.status, 401);
    for mut browser in [ann, elsewhere] {
        assert_eq!(browser.get(&castellan.at("/account")).await.location(), "/auth/login");
    }
    assert!(!signs_in(&castellan, ANN.1).await && signs_in(&castellan, NEW).await);
}

#[tokio::test]
async fn a_password_that_is_changed_by_cookie_ends_that_session_too() {
    let castellan = start().await;
    let mut ann = Browser::as_ann(&castellan).await;
    castellan.advance_to(2);
    let changed = by_cookie(&castellan, &ann, &change(ANN.1, NEW)).send().await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert!(changed.header("set-cookie").unwrap().starts_with("ASID=;"), "{changed:?}");
    assert_eq!(ann.get(&castellan.at("/account")).await.location(), "/auth/login");
    assert!(signs_in(&castellan, NEW).await);
}

#[tokio::test]
async fn the_page_on_which_a_password_was_changed_stays_signed_in_with_a_new_session() {
    let castellan = start().await;
    let mut ann = Browser::as_ann(&castellan).await;
    let mut elsewhere = Browser::as_ann(&castellan).await;
    castellan.advance_to(2);
    let page = ann.get(&castellan.at("/account")).await;
    let csrf = page.hidden("csrf").unwrap();
    let url = castellan.at("/account/password");
    let pairs = |current: &'static str, new: &'static str, again: &'static str| {
        [
            ("csrf", csrf.clone()),
            ("current_password", current.to_owned()),
            ("password", new.to_owned()),
            ("password_again", again.to_owned()),
        ]
    };
    let before = ann.cookie("ASID").unwrap().to_owned();
    for (pairs, why) in [
        (pairs("wrong", NEW, NEW), "The current password is wrong."),
        (pairs(ANN.1, NEW, "other"), "The passwords do not match."),
        (pairs(ANN.1, ANN.1, ANN.1), "The new password is the current one."),
        (pairs(ANN.1, "x", "x"), "must have at least 2 characters"),
    ] {
        let pairs = pairs.each_ref().map(|(name, value)| (*name, &**value));
        let refused = ann.post(&url, &pairs).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        assert!(refused.body.contains(why), "{refused:?}");
    }
    let good = pairs(ANN.1, NEW, NEW);
    let good = good.each_ref().map(|(name, value)| (*name, &**value));
    let forged = [&[("csrf", "forged")], &good[1..]].concat();
    assert_eq!(ann.post(&url, &forged).await.status, 403);
    let forged = ann.send(Ask::post(&url).header("origin", "https://evil.test").form(&good)).await;
    assert_eq!(forged.status, 403, "{forged:?}");
    assert_eq!(ann.cookie("ASID"), Some(&*before));

    let changed = ann.post(&url, &good).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_ne!(ann.cookie("ASID"), Some(&*before), "a new session");
    assert_eq!(ann.get(&castellan.at("/account")).await.status, 200);
    let old =
        format!("ASID={before}; castellan_browser={}", ann.cookie("castellan_browser").unwrap());
    let old = Ask::get(&castellan.at("/account")).header("cookie", &old).send().await;
    assert_eq!(old.location(), "/auth/login", "the session before is over");
    assert_eq!(elsewhere.get(&castellan.at("/account")).await.location(), "/auth/login");
    assert!(signs_in(&castellan, NEW).await);
}

#[tokio::test]
async fn guesses_at_the_current_password_are_counted() {
    let castellan = start().await;
    let tokens = castellan.portal_tokens().await;
    let url = castellan.at("/auth/change-password");
    let guess = |n: usize| {
        let body = change(&format!("wrong {n}"), NEW);
        Ask::post(&url).bearer(text(&tokens, "access_token")).json(&body).send()
    };
    let mut last = guess(0).await;
    for n in 1..20 {
        if last.status == 429 {
            break;
        }
        assert_eq!(last.status, 422, "{last:?}");
        last = guess(n).await;
    }
    assert_eq!(last.status, 429, "{last:?}");
    assert!(last.header("retry-after").is_some(), "{last:?}");
    // The right one has to wait as well: nobody learns that it is right.
    let body = change(ANN.1, NEW);
    let right = Ask::post(&url).bearer(text(&tokens, "access_token")).json(&body).send().await;
    assert_eq!(right.status, 429, "{right:?}");
}
