//! `docs/contracts/aidbox.md` §§2.3, 4.4 and 7: sessions that are listed, and ended from elsewhere.

use castellan_proto::{Opaque, OpaqueKind};
use http::Method;
use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    castellan::Castellan,
    fixtures::{ANN, Asking, DOCUMENTS, PORTAL, SPA, assert_refused, text},
    jose::claims,
    upstream::Recorder,
    wire::{Answer, Ask},
};

const ADMIN: &str = r#"
---
resourceType: Client
id: admin-tool
secret: a-secret-for-the-tool
grant_types: [client_credentials]
scope: ["Castellan:*"]
"#;

const TERMINAL: &str = r"
---
resourceType: Client
id: terminal
first_party: true
grant_types: [password]
scope: [openid, profile]
";

/// A server with an administrator's program.
struct House {
    castellan: Castellan,
    admin: String,
}

impl House {
    async fn new() -> Self {
        Self::with("").await
    }

    async fn with(more: &str) -> Self {
        let castellan = Castellan::with_documents(&format!("{DOCUMENTS}{ADMIN}{more}")).await;
        let pairs = [
            ("grant_type", "client_credentials"),
            ("client_id", "admin-tool"),
            ("client_secret", "a-secret-for-the-tool"),
        ];
        let admin = text(&castellan.token(&pairs).await.json(), "access_token").to_owned();
        Self { castellan, admin }
    }

    async fn send(&self, method: Method, path: &str) -> Answer {
        Ask::new(method, &self.castellan.at(path)).bearer(&self.admin).send().await
    }

    async fn put(&self, path: &str, document: &Value) -> Answer {
        let ask = Ask::new(Method::PUT, &self.castellan.at(path)).bearer(&self.admin);
        ask.json(document).send().await
    }

    /// The sessions that `query` finds.
    async fn sessions(&self, query: &str) -> Vec<Value> {
        let answer = self.send(Method::GET, &format!("/Session?{query}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let entries = answer.json()["entry"].as_array().unwrap().clone();
        entries.into_iter().map(|entry| entry["resource"].clone()).collect()
    }

    async fn session(&self, id: &str) -> Value {
        let answer = self.send(Method::GET, &format!("/Session/{id}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// What the browser of `browser` has at `spa`.
    async fn spa(&self, browser: &mut Browser) -> Value {
        self.castellan.tokens(browser, &Asking::spa(), &SPA).await
    }

    async fn portal(&self, browser: &mut Browser) -> Value {
        self.castellan.tokens(browser, &Asking::portal(), &PORTAL).await
    }

    /// Whether `browser` is signed in.
    async fn knows(&self, browser: &mut Browser) -> bool {
        browser.get(&self.castellan.at("/account")).await.status == 200
    }

    /// Whether an authorization request of `browser` leads to the login form.
    async fn asks_for_a_password(&self, browser: &mut Browser) -> bool {
        let answer = browser.get(&Asking::spa().at(&self.castellan)).await;
        answer.header("location").is_some_and(|location| location.starts_with("/auth/login"))
    }
}

/// `DELETE /Session` with a token.
async fn close(castellan: &Castellan, path: &str, token: &str) -> Answer {
    Ask::new(Method::DELETE, &castellan.at(path)).bearer(token).send().await
}

fn family(token: &str) -> String {
    let jti = text(&claims(token), "jti").to_owned();
    jti.rsplit_once('.').unwrap().0.to_owned()
}

#[tokio::test]
async fn aidbox_35_sessions_are_listed_without_tokens_and_found_by_jti() {
    let house = House::new().await;
    let mut ann = Browser::as_ann(&house.castellan).await;
    let (first, second) = (house.portal(&mut ann).await, house.portal(&mut ann).await);
    let spa = house.spa(&mut ann).await;
    let listed = house.sessions("client=portal").await;
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert!(listed.iter().all(|one| one["client"]["id"] == "portal"), "{listed:?}");
    assert_eq!(house.sessions("client=Client/spa").await.len(), 1);
    assert_eq!(house.sessions("client=nobody").await, [Value::Null; 0]);

    let access = text(&second, "access_token");
    let jti = text(&claims(access), "jti").to_owned();
    let answer = house.send(Method::GET, &format!("/Session?jti={jti}")).await;
    let found = answer.json();
    assert_eq!((&found["resourceType"], &found["total"]), (&json!("Bundle"), &json!(1)));
    let session = &found["entry"][0]["resource"];
    let exp = claims(access)["exp"].as_u64().unwrap();
    for (name, value) in [
        ("resourceType", json!("Session")),
        ("id", json!(family(access))),
        ("type", json!("authorization_code")),
        ("active", json!(true)),
        ("user", json!({"resourceType": "User", "id": "ann"})),
        ("client", json!({"resourceType": "Client", "id": "portal"})),
        ("jti", json!(jti)),
        ("scope", json!(["openid", "profile"])),
        ("audience", json!([house.castellan.url])),
        ("exp", json!(exp)),
        ("refresh_token_exp", json!(exp - 600 + 86_400)),
        ("parent", json!({"resourceType": "Session", "id": claims(access)["sid"]})),
    ] {
        assert_eq!(session[name], value, "{name}: {session}");
    }
    assert!(text(session, "start").ends_with('Z') && session.get("end").is_none(), "{session}");
    assert_eq!(house.sessions("jti=nothing.0").await, [Value::Null; 0]);

    // A person's: what apps have, and the browser.
    let of_ann = house.sessions("user=ann").await;
    let types: Vec<_> = of_ann.iter().map(|one| text(one, "type")).collect();
    let code = "authorization_code";
    assert_eq!(types, [code, code, code, "browser"], "{of_ann:?}");
    assert_eq!(of_ann[3]["id"], claims(text(&spa, "access_token"))["sid"]);
    assert_eq!(house.sessions("user=User/ann&active=true").await.len(), 4);
    assert_eq!(house.sessions("user=ann&active=false").await.len(), 0);
    let machine = house.sessions("client=admin-tool").await;
    assert_eq!((&machine[0]["type"], machine[0].get("user")), (&json!("client_credentials"), None));

    // Nothing in them opens anything: no token, no cookie, and not what they are stored by.
    let cookie = ann.cookie("ASID").unwrap();
    let digest = Opaque::read(OpaqueKind::Session, cookie).unwrap().digest().text();
    let refresh = text(&first, "refresh_token");
    let all = house.send(Method::GET, "/Session?_count=200").await.body;
    let yaml = Ask::get(&house.castellan.at("/Session")).bearer(&house.admin);
    let yaml = yaml.header("accept", "text/yaml").send().await.body;
    let pages = house.send(Method::GET, "/Session?_count=1").await.body;
    for shown in [all, yaml, pages, house.castellan.said(&["get", "Session", "-o", "yaml"])] {
        for secret in [access, refresh, cookie, &digest, &house.admin, "code_", "csl_"] {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
    }
}

#[tokio::test]
async fn sessions_are_listed_page_by_page() {
    let house = House::new().await;
    let mut expected = Vec::new();
    for _ in 0..3 {
        let mut browser = Browser::as_ann(&house.castellan).await;
        let tokens = house.spa(&mut browser).await;
        expected.push(family(text(&tokens, "access_token")));
        expected.push(text(&claims(text(&tokens, "access_token")), "sid").to_owned());
    }
    expected.sort_unstable();
    for query in ["user=ann&_count=2", "_count=1&active=true", "_count=4"] {
        let mut path = format!("/Session?{query}");
        let mut found = Vec::new();
        for _ in 0..20 {
            let bundle = house.send(Method::GET, &path).await.json();
            for entry in bundle["entry"].as_array().unwrap() {
                found.push(text(&entry["resource"], "id").to_owned());
            }
            let links = bundle["link"].as_array().unwrap();
            let Some(next) = links.iter().find(|link| link["relation"] == "next") else { break };
            path = text(next, "url").strip_prefix(&*house.castellan.url).unwrap().to_owned();
        }
        // The session of the administrator's program is none of Ann's.
        found.retain(|id| expected.contains(id));
        found.sort_unstable();
        assert_eq!(found, expected, "{query}: each once");
    }
    let sorted = house.send(Method::GET, "/Session?_sort=_lastUpdated").await;
    assert_eq!(sorted.status, 400, "{sorted:?}");
    assert!(sorted.body.contains("Sorting is not supported"), "{sorted:?}");
}

#[tokio::test]
async fn aidbox_36_a_third_party_token_ends_its_session_alone() {
    for path in ["/Session", "/fhir/Session"] {
        let house = House::new().await;
        let mut ann = Browser::as_ann(&house.castellan).await;
        let spa = house.spa(&mut ann).await;
        let tokens = house.portal(&mut ann).await;
        let access = text(&tokens, "access_token");
        let closed = close(&house.castellan, path, access).await;
        assert_eq!(closed.status, 200, "{closed:?}");
        assert_eq!(closed.header("cache-control"), Some("no-store"));
        let said = closed.json();
        assert_eq!((&said["id"], &said["active"]), (&json!(family(access)), &json!(false)));
        assert_eq!(house.castellan.userinfo(access).await.status, 401);
        let refresh = house.castellan.refresh(text(&tokens, "refresh_token"), &PORTAL).await;
        assert_refused(&refresh, 400, "invalid_grant");
        assert!(house.knows(&mut ann).await, "the browser session goes on");
        assert_eq!(house.castellan.userinfo(text(&spa, "access_token")).await.status, 200);

        let again = close(&house.castellan, path, access).await;
        assert_eq!(again.status, 401, "{again:?}");
        assert_eq!(again.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
        let bare = Ask::new(Method::DELETE, &house.castellan.at(path)).send().await;
        assert_eq!(
            (bare.status.as_u16(), bare.header("www-authenticate")),
            (401, Some("Bearer realm=\"castellan\""))
        );
        let wrong = close(&house.castellan, path, text(&spa, "refresh_token")).await;
        assert_eq!(wrong.status, 401, "a refresh token is no access token");
        // A cookie is no token.
        let by_cookie = ann.send(Ask::new(Method::DELETE, &house.castellan.at(path))).await;
        assert_eq!(by_cookie.status, 401, "{by_cookie:?}");
        assert!(house.knows(&mut ann).await);
    }
}

#[tokio::test]
async fn aidbox_37_a_first_party_token_ends_the_browser_session_that_it_shares() {
    let house = House::new().await;
    let mut ann = Browser::as_ann(&house.castellan).await;
    let mut elsewhere = Browser::as_ann(&house.castellan).await;
    let (first, second) = (house.spa(&mut ann).await, house.spa(&mut ann).await);
    let portal = house.portal(&mut ann).await;
    let others = house.spa(&mut elsewhere).await;
    let access = text(&first, "access_token");
    assert_eq!(close(&house.castellan, "/Session", access).await.status, 200);
    assert!(house.asks_for_a_password(&mut ann).await);
    for tokens in [&first, &second] {
        assert_eq!(house.castellan.userinfo(text(tokens, "access_token")).await.status, 401);
        let refresh = house.castellan.refresh(text(tokens, "refresh_token"), &SPA).await;
        assert_refused(&refresh, 400, "invalid_grant");
    }
    let sid = text(&claims(access), "sid").to_owned();
    assert_eq!(house.session(&sid).await["active"], false);
    assert_eq!(house.session(&family(access)).await["active"], false);
    let second = family(text(&second, "access_token"));
    assert_eq!(house.session(&second).await["active"], false, "a child of the same session");
    // Nothing of a third-party client's, and of no other browser.
    assert_eq!(house.castellan.userinfo(text(&portal, "access_token")).await.status, 200);
    let refresh = house.castellan.refresh(text(&portal, "refresh_token"), &PORTAL).await;
    assert_eq!(refresh.status, 200, "{refresh:?}");
    assert!(house.knows(&mut elsewhere).await);
    assert_eq!(house.castellan.userinfo(text(&others, "access_token")).await.status, 200);
    assert_eq!(close(&house.castellan, "/Session", access).await.status, 401);
    // The next sign-in there begins anew.
    let tokens = house.spa(&mut ann).await;
    assert_eq!(house.castellan.userinfo(text(&tokens, "access_token")).await.status, 200);
}

#[tokio::test]
async fn aidbox_38_nothing_of_an_inactive_person_comes_back_to_life() {
    let house = House::with(TERMINAL).await;
    let mut ann = Browser::as_ann(&house.castellan).await;
    let (spa, portal) = (house.spa(&mut ann).await, house.portal(&mut ann).await);
    let code = ann.code(&house.castellan, &Asking::portal()).await;
    let by_password = [
        ("grant_type", "password"),
        ("client_id", "terminal"),
        ("username", "ann"),
        ("password", "pw-ann"),
    ];
    let terminal = house.castellan.token(&by_password).await.json();
    let mut document = house.send(Method::GET, "/User/ann").await.json();
    document["inactive"] = json!(true);
    assert_eq!(house.put("/User/ann", &document).await.status, 200);
    let refused = [
        house.castellan.token(&by_password).await,
        house.castellan.redeem(&code, &PORTAL).await,
        house.castellan.refresh(text(&portal, "refresh_token"), &PORTAL).await,
        house.castellan.refresh(text(&spa, "refresh_token"), &SPA).await,
    ];
    for answer in refused {
        assert_refused(&answer, 400, "invalid_grant");
        assert_eq!(answer.json()["error_description"], "User is inactive");
    }
    let listed = house.sessions("user=ann&active=false").await;
    assert_eq!(listed.len(), 4, "{listed:?}");
    document["inactive"] = json!(false);
    assert_eq!(house.put("/User/ann", &document).await.status, 200);
    for (tokens, client) in [(&spa, &SPA), (&portal, &PORTAL)] {
        assert_eq!(house.castellan.userinfo(text(tokens, "access_token")).await.status, 401);
        let refresh = house.castellan.refresh(text(tokens, "refresh_token"), client).await;
        assert_refused(&refresh, 400, "invalid_grant");
    }
    assert_eq!(house.castellan.userinfo(text(&terminal, "access_token")).await.status, 401);
    assert!(!house.knows(&mut ann).await);
    let listed = house.sessions("user=ann&active=true").await;
    assert_eq!(listed, [Value::Null; 0]);
    assert!(house.knows(&mut Browser::as_ann(&house.castellan).await).await);
}

#[tokio::test]
async fn an_administrator_ends_any_session_and_writes_none() {
    let house = House::new().await;
    let mut ann = Browser::as_ann(&house.castellan).await;
    let (spa, portal) = (house.spa(&mut ann).await, house.portal(&mut ann).await);
    let access = text(&portal, "access_token");
    let path = format!("/Session/{}", family(access));
    let document = house.send(Method::GET, &path).await.json();
    // Whoever could write one could sign in as anybody (§11 item 5).
    let forged = json!({"type": "browser", "active": true, "access_token": "x", "user": {"resourceType": "User", "id": "ann"}});
    for (path, body) in [("/Session/made-up", &forged), (&*path, &forged)] {
        let answer = house.put(path, body).await;
        assert_eq!(answer.status, 422, "{answer:?}");
    }
    for (name, value) in [
        ("user", json!({"resourceType": "User", "id": "bob"})),
        ("client", json!({"resourceType": "Client", "id": "spa"})),
        ("scope", json!(["*"])),
        ("exp", json!(4_000_000_000_u64)),
        ("active", json!("no")),
    ] {
        let mut other = document.clone();
        other[name] = value;
        let answer = house.put(&path, &other).await;
        assert_eq!(answer.status, 422, "{name}: {answer:?}");
        assert!(
            answer.body.contains(&format!("{name}: a Session cannot be written")),
            "{answer:?}"
        );
    }
    assert_eq!(house.send(Method::GET, &path).await.json(), document, "nothing has changed");
    assert_eq!(house.put(&path, &document).await.status, 200, "the same says nothing");
    assert_eq!(house.castellan.userinfo(access).await.status, 200);
    let closed = house.put(&path, &json!({"active": false})).await;
    assert_eq!((closed.status.as_u16(), &closed.json()["active"]), (200, &json!(false)));
    assert_eq!(house.castellan.userinfo(access).await.status, 401);
    let reopened = house.put(&path, &json!({"active": true})).await;
    assert_eq!(reopened.status, 422, "{reopened:?}");

    // A browser session, by its name.
    let spa = text(&spa, "access_token");
    let path = format!("/Session/{}", text(&claims(spa), "sid"));
    let closed = house.send(Method::DELETE, &path).await;
    assert_eq!((closed.status.as_u16(), &closed.json()["active"]), (200, &json!(false)));
    assert!(!house.knows(&mut ann).await);
    assert_eq!(house.castellan.userinfo(spa).await.status, 401, "what a first-party app shares");
    assert_eq!(house.session(path.strip_prefix("/Session/").unwrap()).await["active"], false);
    assert_eq!(house.send(Method::DELETE, &path).await.status, 204, "again");
    assert_eq!(house.send(Method::DELETE, "/Session/nothing").await.status, 204);
}

#[tokio::test]
async fn all_sessions_of_a_person_or_a_client_are_ended_at_once() {
    let house = House::new().await;
    let mut ann = Browser::as_ann(&house.castellan).await;
    let (spa, portal) = (house.spa(&mut ann).await, house.portal(&mut ann).await);
    let holds = async |tokens: &Value| {
        house.castellan.userinfo(text(tokens, "access_token")).await.status == 200
    };
    // It takes a right, and says exactly which.
    for path in ["/Session?user=ann", "/Session?client=portal"] {
        let answer = close(&house.castellan, path, text(&spa, "access_token")).await;
        assert_eq!(answer.status, 403, "{answer:?}");
    }
    for (path, status) in [
        ("/Session?user=ann&client=portal", 400),
        ("/Session?user=", 400),
        ("/Session?jti=x", 400),
        ("/Session?user=nobody", 404),
        ("/Session?client=nobody", 404),
    ] {
        let answer = house.send(Method::DELETE, path).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
    assert!(holds(&spa).await && holds(&portal).await && house.knows(&mut ann).await);
    assert_eq!(house.send(Method::GET, "/Client").await.status, 200, "nor was the caller's ended");

    assert_eq!(house.send(Method::DELETE, "/Session?client=Client/portal").await.status, 204);
    assert!(!holds(&portal).await && holds(&spa).await && house.knows(&mut ann).await);
    assert_eq!(house.sessions("client=portal&active=true").await, [Value::Null; 0]);
    let portal = house.portal(&mut ann).await;
    assert!(holds(&portal).await);

    assert_eq!(house.send(Method::DELETE, "/Session?user=ann").await.status, 204);
    assert!(!holds(&portal).await && !holds(&spa).await && !house.knows(&mut ann).await);
    let mut again = Browser::as_ann(&house.castellan).await;
    assert!(holds(&house.spa(&mut again).await).await);
}

/// A form of the account page, in a browser that may be another one than it was drawn for.
async fn end_by_form(house: &House, browser: &mut Browser, pairs: &[(&str, &str)]) -> u16 {
    let url = house.castellan.at("/account/sessions/end");
    browser.post(&url, pairs).await.status.as_u16()
}

#[tokio::test]
async fn a_person_sees_their_sessions_and_ends_others() {
    let house =
        House::with("---\nresourceType: User\nid: bea\nuserName: bea\npassword: pw-bea\n").await;
    let mut browsers = Vec::new();
    let mut sids = Vec::new();
    for _ in 0..4 {
        let mut browser = Browser::as_ann(&house.castellan).await;
        let tokens = house.spa(&mut browser).await;
        sids.push(text(&claims(text(&tokens, "access_token")), "sid").to_owned());
        browsers.push((browser, text(&tokens, "access_token").to_owned()));
    }
    let mut bea = Browser::default();
    let begun = bea.get(&house.castellan.at("/auth/login")).await;
    bea.sign_in(&house.castellan, &begun, ("bea", "pw-bea")).await;
    let page = browsers[0].0.get(&house.castellan.at("/account")).await;
    assert_eq!(page.body.matches("This browser").count(), 1);
    assert_eq!(page.body.matches("Another browser").count(), 3, "{page:?}");
    let cookie = browsers[0].0.cookie("ASID").unwrap().to_owned();
    let digest = Opaque::read(OpaqueKind::Session, &cookie).unwrap().digest().text();
    assert!(!page.body.contains(&digest) && !page.body.contains(&cookie));
    let csrf = page.hidden("csrf").unwrap();
    let of_bea = bea.get(&house.castellan.at("/account")).await.hidden("csrf").unwrap();

    let (one, other) = (&*sids[1], &*sids[2]);
    assert_eq!(end_by_form(&house, &mut browsers[0].0, &[("session", one)]).await, 403);
    let stolen = [("csrf", &*of_bea), ("session", one)];
    assert_eq!(end_by_form(&house, &mut browsers[0].0, &stolen).await, 403, "a form of another");
    assert_eq!(end_by_form(&house, &mut bea, &stolen).await, 303);
    assert!(house.knows(&mut browsers[1].0).await, "it is not hers");
    assert_eq!(end_by_form(&house, &mut browsers[0].0, &[("csrf", &csrf)]).await, 400);

    let form = [("csrf", &*csrf), ("session", one)];
    assert_eq!(end_by_form(&house, &mut browsers[0].0, &form).await, 303);
    assert!(!house.knows(&mut browsers[1].0).await && house.knows(&mut browsers[2].0).await);
    assert_eq!(house.castellan.userinfo(&browsers[1].1).await.status, 401, "what spa had there");
    assert_eq!(house.session(other).await["active"], true);
    let form = [("csrf", &*csrf), ("others", "true")];
    assert_eq!(end_by_form(&house, &mut browsers[0].0, &form).await, 303);
    assert!(!house.knows(&mut browsers[2].0).await && !house.knows(&mut browsers[3].0).await);
    assert!(house.knows(&mut browsers[0].0).await && house.knows(&mut bea).await);
    assert_eq!(house.castellan.userinfo(&browsers[0].1).await.status, 200);
    let page = browsers[0].0.get(&house.castellan.at("/account")).await;
    assert!(!page.body.contains("Another browser") && !page.body.contains("Sign out everywhere"));
}

/// Whoever ends a session from elsewhere, and however: its apps hear of it as of a sign-out. The app
/// answers while a command runs.
#[tokio::test(flavor = "multi_thread")]
async fn apps_are_told_of_every_end() {
    let app = Recorder::start().await;
    let shop = format!(
        "---
resourceType: Client
id: shop
secret: s3cr3t-shop
first_party: true
grant_types: [authorization_code, refresh_token]
scope: [openid]
redirect_uris: [\"https://shop.test/cb\"]
backchannel_logout_uri: \"{}out/shop\"
",
        app.url
    );
    let house = House::with(&shop).await;
    let client = [("client_id", "shop"), ("client_secret", "s3cr3t-shop")];
    let asking = Asking::of("shop", "https://shop.test/cb").with("scope", "openid");
    let ann = house.send(Method::GET, "/User/ann").await.json();
    for how in ["own", "id", "all", "password", "inactive", "command", "deleted"] {
        let mut browser = Browser::as_ann(&house.castellan).await;
        let tokens = house.castellan.tokens(&mut browser, &asking, &client).await;
        let access = text(&tokens, "access_token");
        let sid = text(&claims(access), "sid").to_owned();
        let mut document = ann.clone();
        let answer = match how {
            "own" => close(&house.castellan, "/Session", access).await,
            "id" => house.send(Method::DELETE, &format!("/Session/{sid}")).await,
            "all" => house.send(Method::DELETE, "/Session?user=ann").await,
            "password" => {
                document["password"] = json!("pw-ann-another");
                house.put("/User/ann", &document).await;
                document["password"] = json!(ANN.1);
                house.put("/User/ann", &document).await
            }
            "inactive" => {
                document["inactive"] = json!(true);
                house.put("/User/ann", &document).await;
                house.put("/User/ann", &ann).await
            }
            "command" => {
                house.castellan.said(&["user", "deactivate", "ann"]);
                house.put("/User/ann", &ann).await
            }
            _ => house.send(Method::DELETE, "/User/ann").await,
        };
        assert!(answer.status.is_success(), "{how}: {answer:?}");
        let mut heard = Vec::new();
        for _ in 0..400 {
            heard.extend(app.seen());
            if !heard.is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        let [seen] = &*heard else { panic!("{how}: {} notifications", heard.len()) };
        let token = seen.body.strip_prefix("logout_token=").unwrap();
        assert_eq!(claims(token)["sid"], json!(sid), "{how}");
        assert!(!house.knows(&mut browser).await, "{how}");
        assert_eq!(house.castellan.userinfo(access).await.status, 401, "{how}");
    }
}
