//! Opening, reading, refreshing and closing sessions (§2.2 to §2.5).

use super::{Api, COOKIE, IX, OPERATIONS, PEOPLE, SJ, SX, Session, described};
use crate::support::{
    browser::Browser,
    castellan::{Castellan, Plan},
    upstream::Recorder,
    wire::Ask,
};

#[tokio::test]
async fn ibexa_01_a_login_in_json_opens_a_session() {
    let api = Api::start().await;
    let answer = api.login("ann", "pw-ann").send().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some(SJ));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("vary"), Some("Accept, Authorization, Cookie, X-Siteaccess"));
    let session = Session::of(&answer);
    let expected = format!("{}; Path=/; HttpOnly; SameSite=Lax", session.cookie());
    assert_eq!(answer.header("set-cookie"), Some(&*expected));
    let url = format!("/api/ibexa/v2/user/sessions/{}", session.id);
    assert_eq!(answer.location(), url);
    let body = answer.body.replace(&session.id, "ID").replace(&session.token, "TOKEN");
    let expected = format!(
        "{{\"Session\":{{\"_media-type\":\"{SJ}\",\"_href\":\"/api/ibexa/v2/user/sessions/ID\",\
         \"name\":\"{COOKIE}\",\"identifier\":\"ID\",\"csrfToken\":\"TOKEN\",\
         \"User\":{{\"_media-type\":\"application/vnd.ibexa.api.User+json\",\
         \"_href\":\"/api/ibexa/v2/user/users/14\"}}}}}}"
    );
    assert_eq!(body, expected);
    assert_eq!(session.token.split('.').count(), 3, "{}", session.token);
}

#[tokio::test]
async fn ibexa_02_a_login_in_xml_opens_a_session() {
    let api = Api::start().await;
    let body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<SessionInput>\n  \
                <login>ann</login>\n  <password>pw-ann</password>\n</SessionInput>";
    let ask = api.ask("POST", "/user/sessions").body(IX, body).header("accept", SX);
    let answer = ask.send().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some(SX));
    let part = |from: &str, to: &str| {
        let rest = answer.body.split_once(from).unwrap_or_else(|| panic!("{answer:?}")).1;
        rest.split_once(to).unwrap().0.to_owned()
    };
    let (id, token) = (part("<identifier>", "</"), part("<csrfToken>", "</"));
    let body = answer.body.replace(&id, "ID").replace(&token, "TOKEN");
    let expected = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Session media-type=\"{SX}\" href=\"/api/ibexa/v2/user/sessions/ID\">\
         <name>{COOKIE}</name><identifier>ID</identifier><csrfToken>TOKEN</csrfToken>\
         <User media-type=\"application/vnd.ibexa.api.User+xml\" \
         href=\"/api/ibexa/v2/user/users/14\"/></Session>\n"
    );
    assert_eq!(body, expected);
    let session = Session { id, token };
    assert!(session.is_open(&api).await);
}

#[tokio::test]
async fn ibexa_03_the_answer_is_in_the_format_that_is_asked_for() {
    let api = Api::start().await;
    let body = "{\"SessionInput\":{\"login\":\"ann\",\"password\":\"pw-ann\"}}";
    for (accept, media_type) in [
        (SX, SX),
        ("application/xml;q=0.4, application/json", SJ),
        ("application/json;q=0.4, application/xml", SX),
        ("text/html", SX),
        ("application/vnd.ibexa.api.", SX),
    ] {
        let ask = api.ask("POST", "/user/sessions").body(super::IJ, body);
        let answer = ask.header("accept", accept).send().await;
        assert_eq!(answer.header("content-type"), Some(media_type), "{accept}: {answer:?}");
    }
}

#[tokio::test]
async fn ibexa_04_without_a_wish_the_answer_is_xml() {
    let api = Api::start().await;
    let body = "{\"SessionInput\":{\"login\":\"ann\",\"password\":\"pw-ann\"}}";
    let ask = || api.ask("POST", "/user/sessions").body(super::IJ, body);
    for answer in [ask().send().await, ask().header("accept", "*/*").send().await] {
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some(SX));
    }
}

#[tokio::test]
async fn ibexa_05_a_wrong_password_and_an_unknown_login_are_one_answer() {
    let api = Api::start().await;
    let wrong = api.login("ann", "wrong").send().await;
    let unknown = api.login("nobody", "wrong").send().await;
    assert_eq!(described(&wrong, 401), "Invalid login or password");
    assert_eq!(wrong.body, unknown.body);
    for answer in [&wrong, &unknown] {
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("set-cookie"), None);
        assert!(!answer.body.contains("wrong"), "{answer:?}");
    }
    let empty = api.login("ann", "").send().await;
    assert_eq!(empty.body, wrong.body);
}

#[tokio::test]
async fn ibexa_06_a_disabled_user_is_told_what_all_are() {
    let api = Api::start().await;
    let disabled = api.login("eve", "pw-eve").send().await;
    assert_eq!(disabled.body, api.login("nobody", "pw").send().await.body);
    assert_eq!((disabled.status.as_u16(), disabled.header("set-cookie")), (401, None));
}

#[tokio::test]
async fn ibexa_09_the_current_session_is_shown_to_who_has_it() {
    let api = Api::start().await;
    let session = api.sign_in("ann").await;
    let current = || api.ask("GET", "/user/sessions/current").header("accept", SJ);
    let answer = session.sends(current()).send().await;
    assert_eq!((answer.status.as_u16(), Session::of(&answer).id), (200, session.id.clone()));
    assert!(!Session::of(&answer).token.is_empty());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("set-cookie"), None);
    let none = current().send().await;
    assert_eq!((none.status.as_u16(), &*none.body, none.header("set-cookie")), (404, "", None));
    // A cookie that names no session is taken away.
    let dead = current().header("cookie", &format!("{COOKIE}=x")).send().await;
    assert_eq!((dead.status.as_u16(), &*dead.body), (404, ""));
    assert!(dead.header("set-cookie").unwrap().starts_with(&format!("{COOKIE}=deleted;")));
}

#[tokio::test]
async fn ibexa_15_a_refresh_needs_the_token_and_the_right_id() {
    let api = Api::start().await;
    let session = api.sign_in("ann").await;
    let path = format!("/user/sessions/{}/refresh", session.id);
    let ask = || api.ask("POST", &path).header("accept", SJ);
    let answer = session.means(ask()).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(Session::of(&answer).token, session.token);
    let missing = session.sends(ask()).send().await;
    assert_eq!(described(&missing, 401), "Missing or invalid CSRF token");
    let other = session.means(api.ask("POST", "/user/sessions/x/refresh")).send().await;
    assert_eq!((other.status.as_u16(), &*other.body, other.header("set-cookie")), (404, "", None));
    assert!(session.is_open(&api).await);

    // It may lie unused for eight hours from now on.
    api.castellan.advance_to(7 * 3_600);
    assert_eq!(session.means(ask()).send().await.status, 200);
    api.castellan.advance_to(14 * 3_600);
    assert!(session.is_open(&api).await);
    api.castellan.advance_to(23 * 3_600);
    assert!(!session.is_open(&api).await);
    assert_eq!(session.means(ask()).send().await.status, 404);
}

#[tokio::test]
async fn ibexa_16_a_session_that_is_deleted_is_over_everywhere() {
    let api = Api::start().await;
    let session = api.sign_in("ann").await;
    let path = format!("/user/sessions/{}", session.id);
    // As tests of the original send it.
    let empty = "application/vnd.ibexa.api.";
    let ask = || api.ask("DELETE", &path).header("accept", SJ).header("content-type", empty);
    let missing = session.sends(ask()).send().await;
    assert_eq!(described(&missing, 401), "Missing or invalid CSRF token");
    let other = session.means(api.ask("DELETE", "/user/sessions/x")).send().await;
    assert_eq!((other.status.as_u16(), &*other.body, other.header("set-cookie")), (404, "", None));
    assert!(session.is_open(&api).await);
    let answer = session.means(ask()).send().await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (204, ""));
    let gone = format!(
        "{COOKIE}=deleted; Expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=0; Path=/; HttpOnly; \
         SameSite=Lax"
    );
    assert_eq!(answer.header("set-cookie"), Some(&*gone));
    assert_eq!(session.means(ask()).send().await.status, 404);
    assert!(!session.is_open(&api).await);
    let anonymous = session.sends(api.ask("GET", "/content/objects/1")).send().await;
    assert_eq!(anonymous.status, 401, "{anonymous:?}");
}

#[tokio::test]
async fn ibexa_17_a_second_login_checks_the_password_and_keeps_the_session() {
    let api = Api::start().await;
    let session = api.sign_in("ann").await;
    let again = session.sends(api.login("ann@example.test", "pw-ann")).send().await;
    assert_eq!((again.status.as_u16(), again.header("set-cookie")), (200, None));
    assert_eq!(Session::of(&again).id, session.id);
    let wrong = session.sends(api.login("ann", "wrong")).send().await;
    assert_eq!(described(&wrong, 401), "Invalid login or password");
    assert!(session.is_open(&api).await);
    // A token is not needed, but one that is there has to be right.
    assert_eq!(session.means(api.login("ann", "pw-ann")).send().await.status, 200);
    let forged = session.sends(api.login("ann", "pw-ann")).header("x-csrf-token", "a.b.c");
    assert_eq!(described(&forged.send().await, 401), "Missing or invalid CSRF token");
}

#[tokio::test]
async fn ibexa_18_nobody_signs_in_over_the_session_of_another() {
    let api = Api::start().await;
    let session = api.sign_in("ann").await;
    let answer = session.sends(api.login("bob", "pw-bob")).send().await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (409, ""));
    assert_eq!(answer.header("set-cookie"), None);
    let wrong = session.sends(api.login("bob", "wrong")).send().await;
    assert_eq!(wrong.status, 401);
    let current = session.sends(api.ask("GET", "/user/sessions/current").header("accept", SJ));
    let current = current.send().await.json();
    assert_eq!(current["Session"]["User"]["_href"], "/api/ibexa/v2/user/users/14");
}

#[tokio::test]
async fn ibexa_19_a_login_changes_the_id() {
    let api = Api::start().await;
    let before = api.sign_in("ann").await;
    // Nobody knows it any more, and somebody may have planted it.
    let path = format!("/user/sessions/{}", before.id);
    before.means(api.ask("DELETE", &path)).send().await;
    for planted in [before.cookie(), format!("{COOKIE}=planted")] {
        let answer = api.login("ann", "pw-ann").header("cookie", &planted).send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let after = Session::of(&answer);
        assert_ne!(after.id, before.id);
        // Nor does the token of before say anything.
        let ask = api.ask("DELETE", "/content/types/32").header("cookie", &after.cookie());
        assert_eq!(ask.header("x-csrf-token", &before.token).send().await.status, 401);
    }
}

#[tokio::test]
async fn sessions_end_with_what_they_rest_on() {
    let mut api = Api::start().await;
    let session = api.sign_in("ann").await;
    assert!(session.is_open(&api).await);
    // They are records.
    api.castellan.restart().await;
    assert!(session.is_open(&api).await);
    let disabled = "resourceType: User\nid: \"14\"\nuserName: ann\nactive: false\n";
    let applied = api.castellan.cli_with(&["apply", "-f", "-"], disabled);
    assert!(applied.status.success(), "{applied:?}");
    assert!(!session.is_open(&api).await);
}

/// Where SiteAccesses have a cookie of one name, a session is one at each of them (§2.1), and may be
/// used where its user may sign in.
#[tokio::test]
async fn one_cookie_name_is_one_session_at_several_site_accesses() {
    let upstream = Recorder::start().await;
    upstream.answer("{}");
    let site_accesses = "[[site_access]]\nname = \"site\"\ndefault = true\nsession = { name = \"one\" }\n\
                         [[site_access]]\nname = \"shop\"\nsession = { name = \"one\" }\n\
                         [[site_access]]\nname = \"admin\"\nsession = { name = \"one\" }\n";
    let roles = "---\nresourceType: Role\nid: visitors\nanonymous: true\nlogin: [site, shop, admin]\n\
                 ---\nresourceType: Role\nid: people\neverybody: true\nlogin: [site, shop]\n";
    let castellan = Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"ibexa\"\npath = \"/api/ibexa/v2\"\nprotocol = \"http\"\n\
             dialect = \"ibexa\"\nupstream = \"{}\"\nauthenticate = \"session\"\n\
             require = [\"person\"]\n{OPERATIONS}{site_accesses}",
            upstream.url
        ),
        documents: format!("{PEOPLE}{roles}"),
        ..Plan::default()
    })
    .await;
    let api = Api { castellan, upstream };
    let session = api.sign_in("ann").await;
    let status = async |site_access: &str| {
        let ask = api.ask("GET", "/content/objects/1").header("x-siteaccess", site_access);
        let ask = ask.header("cookie", &format!("IBX_SESSION_ID_one={}", session.id));
        ask.send().await.status.as_u16()
    };
    assert_eq!(
        (status("site").await, status("shop").await, status("admin").await),
        (200, 200, 401)
    );
}

/// One at the pages is one here, where its cookies are not shown to scripts (§10a).
#[tokio::test]
async fn a_session_of_the_pages_counts_and_a_login_opens_another() {
    let api = Api::start().await;
    let browser = Browser::as_ann(&api.castellan).await;
    let current = || api.ask("GET", "/user/sessions/current").header("accept", SJ);
    let shown = current().header("cookie", &browser.jar()).send().await;
    assert_eq!(shown.status, 200, "{shown:?}");
    assert_eq!(shown.json()["Session"]["name"], "ASID");
    let page = Session::of(&shown);
    assert!(!browser.jar().contains(&page.id));
    let unsafe_ask = || api.ask("DELETE", "/content/types/32").header("cookie", &browser.jar());
    assert_eq!(unsafe_ask().send().await.status, 401);
    let meant = unsafe_ask().header("x-csrf-token", &page.token).send().await;
    assert_eq!(meant.status, 200, "{meant:?}");
    // Without the mark of the browser the cookie is none.
    let session = format!("ASID={}", browser.cookie("ASID").unwrap());
    assert_eq!(current().header("cookie", &session).send().await.status, 404);

    let bob = api.login("bob", "pw-bob").header("cookie", &browser.jar()).send().await;
    assert_eq!(bob.status, 409);
    let answer = api.login("ann", "pw-ann").header("cookie", &browser.jar()).send().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let own = Session::of(&answer);
    // What it opened is none at the pages.
    let forged = format!("{}; ASID={}", browser.jar().replace("ASID=", "x="), own.id);
    let account = Ask::get(&api.castellan.at("/account")).header("cookie", &forged);
    assert_ne!(account.send().await.status, 200);
    // People see it among theirs.
    let account = Ask::get(&api.castellan.at("/account")).header("cookie", &browser.jar());
    let account = account.send().await;
    assert_eq!(account.status, 200);

    let path = format!("/user/sessions/{}", page.id);
    let ask = api.ask("DELETE", &path).header("cookie", &browser.jar());
    let ended = ask.header("x-csrf-token", &page.token).send().await;
    assert_eq!(ended.status, 204, "{ended:?}");
    assert!(ended.header("set-cookie").unwrap().starts_with("ASID=deleted;"), "{ended:?}");
    let account = Ask::get(&api.castellan.at("/account")).header("cookie", &browser.jar());
    assert_ne!(account.send().await.status, 200);
    assert!(own.is_open(&api).await);
}
