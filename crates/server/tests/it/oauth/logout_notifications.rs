//! Which apps hear of a sign-out, and how: OpenID Connect Back-Channel Logout 1.0 and Front-Channel
//! Logout 1.0.

use std::time::{Duration, Instant};

use castellan_proto::{
    Opaque, OpaqueKind,
    jose::{Algorithm, Compact},
};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    castellan::Castellan,
    fixtures::{ANN, Asking, DOCUMENTS, text},
    jose::{claims, header, now, proven},
    upstream::{Recorder, json_answer},
    wire::{Answer, Ask},
};

const BEA: (&str, &str) = ("bea", "pw-bea");
const BEA_DOCUMENT: &str = "
---
resourceType: User
id: bea
userName: bea
password: pw-bea
";
const JWKS: &str = "/.well-known/jwks.json";

/// An app of the house, with `more` in its document.
fn app(id: &str, more: &str) -> String {
    format!(
        "
---
resourceType: Client
id: {id}
secret: s3cr3t-{id}
first_party: true
grant_types: [authorization_code, refresh_token]
scope: [openid]
redirect_uris: [\"https://{id}.test/cb\"]
post_logout_redirect_uris: [\"https://{id}.test/bye\"]
{more}
"
    )
}

/// The same, which is told at `recorder`.
fn told_at(id: &str, recorder: &Recorder) -> String {
    app(id, &format!("backchannel_logout_uri: \"{}out/{id}\"", recorder.url))
}

async fn serving(apps: &[String]) -> Castellan {
    Castellan::with_documents(&format!("{DOCUMENTS}{BEA_DOCUMENT}{}", apps.concat())).await
}

/// The tokens with which `browser` comes back to the app `id`.
async fn tokens(castellan: &Castellan, browser: &mut Browser, id: &str) -> Value {
    let asking = Asking::of(id, &format!("https://{id}.test/cb")).with("scope", "openid");
    let secret = format!("s3cr3t-{id}");
    castellan.tokens(browser, &asking, &[("client_id", id), ("client_secret", &secret)]).await
}

/// The ID token with which `browser` comes back to the app `id`.
async fn id_token(castellan: &Castellan, browser: &mut Browser, id: &str) -> String {
    text(&tokens(castellan, browser, id).await, "id_token").to_owned()
}

fn sid(id_token: &str) -> String {
    text(&claims(id_token), "sid").to_owned()
}

/// The app `id` has the person signed out, and back at its own place.
async fn sign_out(
    castellan: &Castellan,
    browser: &mut Browser,
    (id, id_token): (&str, &str),
) -> Answer {
    let back = format!("https://{id}.test/bye");
    let pairs = [("id_token_hint", id_token), ("post_logout_redirect_uri", &back), ("state", "s")];
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    browser.get(&castellan.at(&format!("/auth/logout?{query}"))).await
}

/// The logout tokens that have reached `app` since the last look.
fn heard_by_now(app: &Recorder) -> Vec<String> {
    let token = |body: &str| {
        let pairs: Vec<_> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        assert!(matches!(&*pairs, [(name, _)] if name == "logout_token"), "{body}");
        pairs.into_iter().next().unwrap().1
    };
    let of = |seen: crate::support::upstream::Seen| {
        assert_eq!(seen.method, "POST");
        assert_eq!(seen.headers["content-type"], "application/x-www-form-urlencoded");
        assert!(!seen.headers.contains_key("authorization"));
        token(&seen.body)
    };
    app.seen().into_iter().map(of).collect()
}

/// The same, once there are `count`.
async fn heard(app: &Recorder, count: usize) -> Vec<String> {
    let mut tokens = Vec::new();
    for _ in 0..800 {
        tokens.extend(heard_by_now(app));
        if tokens.len() >= count {
            return tokens;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{} of {count} logout tokens arrived", tokens.len());
}

fn answering(status: u16) -> Response<String> {
    let mut answer = json_answer("{}");
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer
}

#[tokio::test]
async fn an_app_is_told_by_a_signed_token_that_names_person_and_session() {
    let (shop, club) = (Recorder::start().await, Recorder::start().await);
    club.answer_with(answering(204));
    let es256 = "id_token_signed_response_alg: ES256\nbackchannel_logout_session_required: true";
    let apps = [told_at("shop", &shop), format!("{}{es256}\n", told_at("club", &club))];
    let castellan = serving(&apps).await;
    let mut ann = Browser::as_ann(&castellan).await;
    let of_shop = id_token(&castellan, &mut ann, "shop").await;
    let of_club = id_token(&castellan, &mut ann, "club").await;
    assert_eq!(sid(&of_shop), sid(&of_club), "one session, one name");
    // Whoever keeps the keys by which they read their ID token has these keys as well.
    let published = Ask::get(&castellan.at(JWKS)).send().await.body;
    let answer = sign_out(&castellan, &mut ann, ("shop", &of_shop)).await;
    assert_eq!(answer.location(), "https://shop.test/bye?state=s");

    for (app, id, alg, id_token) in
        [(&shop, "shop", Algorithm::Rs256, &of_shop), (&club, "club", Algorithm::Es256, &of_club)]
    {
        let [token] = <[String; 1]>::try_from(heard(app, 1).await).unwrap();
        assert_eq!(header(&token)["typ"], "logout+jwt");
        assert_eq!(header(&token)["alg"], alg.as_str());
        assert_ne!(header(&token)["kid"], header(id_token)["kid"], "a key signs one kind of thing");
        assert!(published.contains(text(&header(&token), "kid")), "{published}");
        let said = proven(&castellan, JWKS, (&token, alg)).await;
        let issued = said["iat"].as_u64().unwrap();
        assert!(now() - issued < 60, "{said}");
        let jti = text(&said, "jti");
        assert!(jti.len() >= 16, "{jti}");
        let expected = json!({
            "iss": castellan.url,
            "aud": id,
            "iat": issued,
            "exp": issued + 120,
            "jti": jti,
            "sub": claims(id_token)["sub"],
            "sid": sid(id_token),
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        });
        assert_eq!(said, expected, "and nothing else, no nonce above all");
        // It is no ID token: nobody is signed out by it.
        let mut other = Browser::as_ann(&castellan).await;
        let asked = sign_out(&castellan, &mut other, (id, &token)).await;
        assert_eq!(asked.status, 400, "{asked:?}");
    }
}

#[tokio::test]
async fn a_session_has_one_name_which_leads_to_nothing() {
    let app = Recorder::start().await;
    let castellan = serving(&[told_at("shop", &app), self::app("club", "")]).await;
    let mut ann = Browser::as_ann(&castellan).await;
    let cookie = ann.cookie("ASID").unwrap().to_owned();
    let first = tokens(&castellan, &mut ann, "shop").await;
    let name = sid(text(&first, "id_token"));
    assert_eq!(name, sid(&id_token(&castellan, &mut ann, "club").await), "told or not");
    let stored = Opaque::read(OpaqueKind::Session, &cookie).unwrap().digest().text();
    for secret in [&cookie, &stored] {
        assert!(!secret.contains(&name) && !name.contains(&**secret), "{name}");
    }
    assert_ne!(name, sid(&id_token(&castellan, &mut Browser::default(), "shop").await));

    // It stays through every refresh, and access tokens have the same.
    let client = [("client_id", "shop"), ("client_secret", "s3cr3t-shop")];
    let mut tokens = first;
    for _ in 0..2 {
        tokens = castellan.refresh(text(&tokens, "refresh_token"), &client).await.json();
        assert_eq!(sid(text(&tokens, "id_token")), name);
        assert_eq!(claims(text(&tokens, "access_token"))["sid"], json!(name));
    }
}

#[tokio::test]
async fn another_session_of_the_same_person_goes_on() {
    let app = Recorder::start().await;
    let castellan = serving(&[told_at("shop", &app)]).await;
    let mut home = Browser::as_ann(&castellan).await;
    let mut work = Browser::as_ann(&castellan).await;
    let at_home = id_token(&castellan, &mut home, "shop").await;
    let at_work = id_token(&castellan, &mut work, "shop").await;
    sign_out(&castellan, &mut home, ("shop", &at_home)).await;
    let first = heard(&app, 1).await;
    assert_eq!(work.get(&castellan.at("/account")).await.status, 200);
    sign_out(&castellan, &mut work, ("shop", &at_work)).await;
    let told: Vec<_> = [first, heard(&app, 1).await].concat().iter().map(|one| sid(one)).collect();
    assert_eq!(told, [sid(&at_home), sid(&at_work)]);
}

#[tokio::test]
async fn a_person_who_answers_the_question_signs_out_of_apps_too() {
    let app = Recorder::start().await;
    let castellan = serving(&[told_at("shop", &app)]).await;
    let mut ann = Browser::as_ann(&castellan).await;
    let shown = id_token(&castellan, &mut ann, "shop").await;
    let form = ann.get(&castellan.at("/auth/logout")).await;
    let csrf = form.hidden("csrf").unwrap();
    assert!(heard_by_now(&app).is_empty(), "a question ends nothing");
    let answer = ann.post(&castellan.at("/auth/logout"), &[("csrf", &csrf)]).await;
    assert!(answer.body.contains("You are signed out"), "{answer:?}");
    assert!(!answer.body.contains("iframe"), "{answer:?}");
    assert_eq!(sid(&heard(&app, 1).await[0]), sid(&shown));
}

#[tokio::test]
async fn whoever_signs_in_anew_keeps_their_apps_and_ends_those_of_others() {
    let app = Recorder::start().await;
    let castellan = serving(&[told_at("shop", &app)]).await;
    let mut browser = Browser::as_ann(&castellan).await;
    let before = sid(&id_token(&castellan, &mut browser, "shop").await);
    let anew = Asking::of("shop", "https://shop.test/cb").with("prompt", "login").at(&castellan);
    let cookie = browser.cookie("ASID").unwrap().to_owned();
    let begun = browser.get(&anew).await;
    assert_eq!(browser.sign_in(&castellan, &begun, ANN).await.status, 302);
    assert_ne!(browser.cookie("ASID"), Some(&*cookie), "another session");
    assert_eq!(sid(&id_token(&castellan, &mut browser, "shop").await), before, "for no app");

    let begun = browser.get(&anew).await;
    assert_eq!(browser.sign_in(&castellan, &begun, BEA).await.status, 302);
    let told = heard(&app, 1).await;
    assert_eq!(told.len(), 1);
    assert_eq!((sid(&told[0]), &claims(&told[0])["sub"]), (before.clone(), &json!("ann")));
    let of_bea = id_token(&castellan, &mut browser, "shop").await;
    assert_ne!(sid(&of_bea), before);
    sign_out(&castellan, &mut browser, ("shop", &of_bea)).await;
    assert_eq!(claims(&heard(&app, 1).await[0])["sub"], "bea");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_fails_is_told_again_and_the_stop_waits_for_it() {
    let app = Recorder::start().await;
    app.answer_with(answering(500));
    let mut castellan = serving(&[told_at("shop", &app)]).await;
    let mut ann = Browser::as_ann(&castellan).await;
    let shown = id_token(&castellan, &mut ann, "shop").await;
    sign_out(&castellan, &mut ann, ("shop", &shown)).await;
    let first = heard(&app, 1).await;
    let second = heard(&app, 1).await;
    app.answer("{}");
    castellan.stop();
    let third = heard_by_now(&app);
    assert_eq!(third.len(), 1, "told by the stop, and then no more");
    let all = [first, second, third].concat();
    assert!(all.iter().all(|token| sid(token) == sid(&shown)));
    assert!(all.iter().all(|token| Compact::read(token).is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_of_an_app_is_not_followed() {
    let (app, elsewhere) = (Recorder::start().await, Recorder::start().await);
    let mut away = answering(302);
    away.headers_mut().insert("location", elsewhere.url.parse().unwrap());
    app.answer_with(away);
    let mut castellan = serving(&[told_at("shop", &app)]).await;
    let mut ann = Browser::as_ann(&castellan).await;
    let shown = id_token(&castellan, &mut ann, "shop").await;
    sign_out(&castellan, &mut ann, ("shop", &shown)).await;
    let told = heard(&app, 1).await.len();
    castellan.stop();
    assert_eq!(told + heard_by_now(&app).len(), 4, "it counts as a failure");
    assert!(elsewhere.seen().is_empty());
    let log = std::fs::read_to_string(castellan.path("stderr")).unwrap();
    assert!(log.contains("shop") && log.contains("302"), "{log}");
    assert!(!log.contains("eyJ"), "{log}");
}

#[tokio::test]
async fn an_app_that_does_not_answer_keeps_nobody_waiting() {
    // Takes connections and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("backchannel_logout_uri: \"http://{}/\"", silent.local_addr().unwrap());
    let prompt = Recorder::start().await;
    let castellan = serving(&[app("mute", &uri), told_at("shop", &prompt)]).await;
    let mut ann = Browser::as_ann(&castellan).await;
    id_token(&castellan, &mut ann, "mute").await;
    let shown = id_token(&castellan, &mut ann, "shop").await;
    let begun = Instant::now();
    assert_eq!(sign_out(&castellan, &mut ann, ("shop", &shown)).await.status, 302);
    heard(&prompt, 1).await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_that_are_gone_are_not_told() {
    let recorders = [
        Recorder::start().await,
        Recorder::start().await,
        Recorder::start().await,
        Recorder::start().await,
    ];
    let [on, off, gone, anew] = &recorders;
    let named = [("on", on), ("off", off), ("gone", gone), ("anew", anew)];
    let documents = named.map(|(id, recorder)| told_at(id, recorder));
    let mut castellan = serving(&documents).await;
    let mut ann = Browser::as_ann(&castellan).await;
    let mut shown = String::new();
    for (id, _) in named {
        shown = id_token(&castellan, &mut ann, id).await;
    }
    let inactive = documents[1].replace("first_party", "active: false\nfirst_party");
    assert!(castellan.cli_with(&["apply", "-f", "-"], &inactive).status.success());
    castellan.said(&["delete", "Client", "gone"]);
    castellan.said(&["delete", "Client", "anew"]);
    castellan.advance_to(10);
    assert!(castellan.cli_with(&["apply", "-f", "-"], &documents[3]).status.success());
    sign_out(&castellan, &mut ann, ("anew", &shown)).await;
    castellan.stop();
    let told: Vec<_> = recorders.iter().map(|recorder| heard_by_now(recorder).len()).collect();
    assert_eq!(told, [1, 0, 0, 0], "another app under an old name has never seen this person");
}

/// What the frames of `page` load.
fn frames(page: &Answer) -> Vec<url::Url> {
    let sources = page.body.split("<iframe src=\"").skip(1);
    let source = |rest: &str| rest.split('"').next().unwrap().replace("&#38;", "&");
    sources.map(|rest| source(rest).parse().unwrap()).collect()
}

#[tokio::test]
async fn a_browser_tells_apps_by_frames_and_goes_on() {
    let front = |id: &str| {
        format!(
            "frontchannel_logout_uri: \"https://{id}.test/out?kept=1\"\n\
             frontchannel_logout_session_required: true"
        )
    };
    let castellan = serving(&[app("shop", &front("shop")), app("club", &front("club"))]).await;
    let mut ann = Browser::as_ann(&castellan).await;
    let shown = id_token(&castellan, &mut ann, "shop").await;
    id_token(&castellan, &mut ann, "club").await;
    let page = sign_out(&castellan, &mut ann, ("shop", &shown)).await;
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let policy = page.header("content-security-policy").unwrap();
    let end = "form-action 'self'; frame-src https://club.test https://shop.test; \
               script-src 'self'";
    assert!(policy.starts_with("default-src 'none'; ") && policy.ends_with(end), "{policy}");
    let mut loaded = frames(&page);
    loaded.sort();
    assert_eq!(loaded.len(), 2, "{page:?}");
    for (url, at) in loaded.iter().zip(["https://club.test/out", "https://shop.test/out"]) {
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert!(url.as_str().starts_with(at), "{url}");
        assert_eq!(pairs, [own("kept", "1"), own("iss", &castellan.url), own("sid", &sid(&shown))]);
    }
    assert!(page.body.contains("href=\"https://shop.test/bye?state=s\""), "without a script, too");
    assert!(page.body.contains("<script src=\"/assets/farewell.js\">"), "{page:?}");
    let script = ann.get(&castellan.at("/assets/farewell.js")).await;
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(ann.cookie("ASID"), None);

    // Once more there is nobody to tell, and it is as it always was.
    let again = sign_out(&castellan, &mut ann, ("shop", &shown)).await;
    assert_eq!(again.location(), "https://shop.test/bye?state=s");
}

#[tokio::test]
async fn a_sign_out_that_leads_nowhere_has_frames_and_no_script() {
    let front = "frontchannel_logout_uri: \"https://shop.test/out\"";
    let castellan = serving(&[app("shop", front), app("club", "")]).await;
    let mut ann = Browser::as_ann(&castellan).await;
    id_token(&castellan, &mut ann, "shop").await;
    let shown = id_token(&castellan, &mut ann, "club").await;
    let url = castellan.at(&format!("/auth/logout?id_token_hint={shown}"));
    let page = ann.get(&url).await;
    assert_eq!(frames(&page).len(), 1, "{page:?}");
    assert!(!page.body.contains("<script"), "{page:?}");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.ends_with("form-action 'self'; frame-src https://shop.test"), "{policy}");

    // A session in which nobody came to that app has no frame of it.
    let mut ann = Browser::as_ann(&castellan).await;
    let shown = id_token(&castellan, &mut ann, "club").await;
    let answer = sign_out(&castellan, &mut ann, ("club", &shown)).await;
    assert_eq!(answer.location(), "https://club.test/bye?state=s");
}

#[tokio::test]
async fn metadata_that_will_not_do_is_refused_by_name() {
    let castellan = serving(&[]).await;
    for (member, value) in [
        ("backchannel_logout_uri", "/out"),
        ("backchannel_logout_uri", "https://shop.test/out#x"),
        ("backchannel_logout_uri", "http://shop.test/out"),
        ("backchannel_logout_uri", "http://10.0.2.2/out"),
        ("backchannel_logout_uri", "shop:/out"),
        ("frontchannel_logout_uri", "https://shop.test:8443/out"),
        ("frontchannel_logout_uri", "https://www.shop.test/out"),
        ("frontchannel_logout_uri", "http://localhost/out"),
        ("frontchannel_logout_uri", "https://shop.test/out#x"),
        ("backchannel_logout_session_required", "true"),
        ("frontchannel_logout_session_required", "true"),
    ] {
        let document = app("shop", &format!("{member}: {value}"));
        let refused = castellan.cli_with(&["apply", "-f", "-"], &document);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success(), "{member}: {value}");
        assert!(said.contains(&format!("Client/shop: {member}: ")), "{value}: {said}");
    }
    let plain = app("shop", "backchannel_logout_session_required: false");
    assert!(castellan.cli_with(&["apply", "-f", "-"], &plain).status.success());
    assert!(!castellan.said(&["get", "Client", "shop"]).contains("logout_session"));
    let both = app(
        "shop",
        "backchannel_logout_uri: http://127.0.0.1:9/out\nbackchannel_logout_session_required: true\n\
         frontchannel_logout_uri: https://shop.test/out",
    );
    assert!(castellan.cli_with(&["apply", "-f", "-"], &both).status.success());
    let shown: Value =
        serde_json::from_str(&castellan.said(&["get", "Client", "shop", "--format", "json"]))
            .unwrap();
    assert_eq!(shown["backchannel_logout_uri"], "http://127.0.0.1:9/out");
    assert_eq!(shown["backchannel_logout_session_required"], true);
    assert_eq!(shown["frontchannel_logout_uri"], "https://shop.test/out");
    assert_eq!(shown.get("frontchannel_logout_session_required"), None);
}
