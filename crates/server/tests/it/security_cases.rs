//! `docs/security-cases.md`: how peers were broken, and that we are not.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use serde_json::{Value, json};

use crate::{
    dialects::trompa_guard::{Stage, assert_denied, mint},
    support::{
        browser::Browser,
        castellan::{Archive, Castellan, Plan},
        fixtures::{
            Asking, CHALLENGE, DOCUMENTS, PORTAL, SPA, VERIFIER, assert_refused, assert_sent_back,
            text,
        },
        upstream::Recorder,
        wire::{Answer, Ask, raw},
    },
};

#[tokio::test]
async fn case_01_a_code_with_a_challenge_is_dead_without_its_verifier() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::default();
    for verifier in [None, Some("")] {
        let code = browser.code(&castellan, &Asking::spa()).await;
        let mut client = vec![("client_id", "spa")];
        client.extend(verifier.map(|text| ("code_verifier", text)));
        assert_refused(&castellan.redeem(&code, &client).await, 400, "invalid_grant");
        assert_refused(&castellan.redeem(&code, &SPA).await, 400, "invalid_grant");
    }
}

#[tokio::test]
async fn case_01_a_verifier_without_a_challenge_is_refused() {
    let castellan = Castellan::with_ann().await;
    // Somebody took the challenge out of the request of a client that meant to send one.
    let code = Browser::default().code(&castellan, &Asking::portal()).await;
    let client = [&PORTAL[..], &[("code_verifier", VERIFIER)]].concat();
    assert_refused(&castellan.redeem(&code, &client).await, 400, "invalid_grant");
}

#[tokio::test]
async fn case_02_no_address_but_the_registered_one_is_redirected_to() {
    let castellan = Castellan::with_ann().await;
    for evil in [
        "https://portal.test@evil.test/cb",
        "https://portal.test:x@evil.test/cb",
        "https://evil.test/https://portal.test/cb",
        "https://portal.test.evil.test/cb",
        "https://evil.test#https://portal.test/cb",
        "https://evil.test\\@portal.test/cb",
        "HTTPS://portal.test/cb",
        "https://PORTAL.TEST/cb",
        "https://portal.test/CB",
        "https://portal.test/cb%20",
        "https://portal.test/cb/../x",
        "https://portal.test/./cb",
        "https://portal.test//cb",
        " https://portal.test/cb",
        "https://portal.test/cb\n",
        "//portal.test/cb",
        "javascript:alert(1)",
        "",
    ] {
        let asking = Asking::portal().with("redirect_uri", evil);
        let answer = Ask::get(&asking.at(&castellan)).send().await;
        // An empty value counts as none, and then the only registered address is meant.
        if evil.is_empty() {
            assert_eq!(answer.status, 303, "{answer:?}");
            continue;
        }
        assert_refused(&answer, 400, "invalid_request");
    }
    // Nor may the code come back with another address than it went out with.
    let code = Browser::default().code(&castellan, &Asking::portal()).await;
    let client = [&PORTAL[..], &[("redirect_uri", "https://portal.test/cb/")]].concat();
    assert_refused(&castellan.redeem(&code, &client).await, 400, "invalid_grant");
}

const AUTHORIZE: [&str; 14] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "prompt",
    "max_age",
    "login_hint",
    "response_mode",
    "request",
    "request_uri",
];
const TOKEN: [&str; 10] = [
    "grant_type",
    "client_id",
    "client_secret",
    "code",
    "code_verifier",
    "redirect_uri",
    "refresh_token",
    "scope",
    "token",
    "token_type_hint",
];
const FORMS: [(&str, &[&str]); 5] = [
    ("/auth/login", &["flow", "username", "password"]),
    ("/auth/consent", &["flow", "decision"]),
    ("/auth/logout", &["csrf"]),
    ("/auth/setup", &["token", "username", "password", "password_again"]),
    ("/account/revoke", &["csrf", "client_id"]),
];

#[tokio::test]
async fn case_03_a_repeated_parameter_of_a_request_for_authorization_is_refused() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::as_ann(&castellan).await;
    for name in AUTHORIZE {
        let asking = Asking::spa().and(name, "x").and(name, "x");
        for ask in [
            Ask::get(&asking.at(&castellan)),
            Ask::post(&castellan.at("/auth/authorize")).form(&asking.pairs()),
        ] {
            let ask = ask.header("cookie", &browser.jar());
            assert_refused(&ask.send().await, 400, "invalid_request");
        }
    }
    let good = browser.get(&Asking::spa().at(&castellan)).await;
    assert_eq!(good.status, 302, "{good:?}");
}

#[tokio::test]
async fn case_03_a_repeated_parameter_of_a_client_is_refused() {
    let castellan = Castellan::with_ann().await;
    let tokens = castellan.portal_tokens().await;
    let refresh = text(&tokens, "refresh_token");
    for path in ["/auth/token", "/auth/revoke", "/auth/introspect"] {
        for name in TOKEN {
            let mut pairs = [
                &PORTAL[..],
                &[("grant_type", "refresh_token"), ("refresh_token", refresh), ("token", refresh)],
            ]
            .concat();
            let value =
                pairs.iter().find(|(other, _)| *other == name).map_or("x", |(_, value)| value);
            pairs.retain(|(other, _)| *other != name);
            pairs.extend([(name, value), (name, value)]);
            let members: Vec<_> = pairs
                .iter()
                .map(|(name, value)| format!("{}:{}", json!(name), json!(value)))
                .collect();
            let object = format!("{{{}}}", members.join(","));
            for ask in [
                Ask::post(&castellan.at(path)).form(&pairs),
                Ask::post(&castellan.at(path)).body("application/json", object),
            ] {
                assert_refused(&ask.send().await, 400, "invalid_request");
            }
        }
    }
    assert_eq!(castellan.refresh(refresh, &PORTAL).await.status, 200, "it was never revoked");
}

#[tokio::test]
async fn case_03_a_repeated_field_of_a_form_is_refused() {
    let castellan = Castellan::with_ann().await;
    for (path, names) in FORMS {
        for name in names {
            let pairs = [(*name, "x"), (*name, "x")];
            let answer = Ask::post(&castellan.at(path)).form(&pairs).send().await;
            assert_refused(&answer, 400, "invalid_request");
        }
    }
    for path in ["/auth/login", "/auth/consent", "/auth/setup"] {
        let url = castellan.at(&format!("{path}?flow=x&token=x&flow=y&token=y"));
        assert_refused(&Ask::get(&url).send().await, 400, "invalid_request");
    }
}

/// Shows one refresh token 64 times at once.
async fn race(castellan: &Castellan, refresh: &str) -> Vec<Answer> {
    let (castellan, mut racers) = (castellan.at("/auth/token"), tokio::task::JoinSet::new());
    for _ in 0..64 {
        let pairs =
            [("grant_type", "refresh_token"), ("client_id", "spa"), ("refresh_token", refresh)];
        let ask = Ask::post(&castellan).form(&pairs);
        racers.spawn(ask.send());
    }
    racers.join_all().await
}

#[tokio::test]
async fn case_07_64_racers_advance_one_generation_and_get_the_same_child() {
    let castellan = Castellan::with_ann().await;
    let tokens = castellan.tokens(&mut Browser::default(), &Asking::spa(), &SPA).await;
    let answers = race(&castellan, text(&tokens, "refresh_token")).await;
    let mut children = BTreeSet::new();
    for answer in &answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        children.insert(text(&answer.json(), "refresh_token").to_owned());
    }
    assert_eq!(children.len(), 1, "{children:?}");
    let child = children.first().unwrap();
    assert_ne!(child, text(&tokens, "refresh_token"));
    // One generation: the child is the newest, and its own child is another.
    let next = castellan.refresh(child, &[("client_id", "spa")]).await;
    assert_eq!(next.status, 200, "{next:?}");
    assert_ne!(text(&next.json(), "refresh_token"), child);
    // The one before the child is two generations old now: stolen, and the family ends.
    let old = castellan.refresh(text(&tokens, "refresh_token"), &[("client_id", "spa")]).await;
    assert_refused(&old, 400, "invalid_grant");
    let ended =
        castellan.refresh(text(&next.json(), "refresh_token"), &[("client_id", "spa")]).await;
    assert_refused(&ended, 400, "invalid_grant");
}

#[tokio::test]
async fn case_07_without_grace_one_of_64_racers_wins() {
    let castellan = Castellan::start(Plan {
        config: "[tokens]\nrefresh_grace_off = true\n".to_owned(),
        documents: DOCUMENTS.to_owned(),
        ..Plan::default()
    })
    .await;
    let tokens = castellan.tokens(&mut Browser::default(), &Asking::spa(), &SPA).await;
    let answers = race(&castellan, text(&tokens, "refresh_token")).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1, "{won:?}");
    for answer in lost {
        assert_refused(answer, 400, "invalid_grant");
    }
}

#[tokio::test]
async fn case_12_consent_counts_only_in_the_browser_that_was_asked() {
    let castellan = Castellan::with_ann().await;
    let mut asked = Browser::as_ann(&castellan).await;
    let answer = asked.get(&Asking::portal().at(&castellan)).await;
    let flow = answer.location_param("flow").unwrap();
    let pairs = [("flow", &*flow), ("decision", "allow")];
    let consent = castellan.at("/auth/consent");
    // The victim: the same person, signed in in a browser of their own.
    let mut victim = Browser::as_ann(&castellan).await;
    let page = victim.get(&castellan.at(answer.location())).await;
    assert_eq!(page.status, 400, "{page:?}");
    let approved = victim.post(&consent, &pairs).await;
    assert_eq!(approved.status, 400, "{approved:?}");
    // The session cookie alone does not carry it over either.
    let session = format!("ASID={}", asked.cookie("ASID").unwrap());
    let approved = Ask::post(&consent).header("cookie", &session).form(&pairs).send().await;
    assert_eq!(approved.status, 400, "{approved:?}");
    // Nor does a form on another site, in the right browser.
    for (name, value) in
        [("origin", "https://evil.test"), ("origin", "null"), ("sec-fetch-site", "cross-site")]
    {
        let forged = asked.send(Ask::post(&consent).header(name, value).form(&pairs)).await;
        assert_eq!(forged.status, 403, "{forged:?}");
    }
    assert_eq!(castellan.grants(), 0);
    let agreed = asked.post(&consent, &pairs).await;
    assert!(agreed.location_param("code").is_some(), "{agreed:?}");
}

#[tokio::test]
async fn case_12_a_sign_in_begun_elsewhere_is_lost() {
    let castellan = Castellan::with_ann().await;
    let begun = Browser::default().get(&Asking::spa().at(&castellan)).await;
    let flow = begun.location_param("flow").unwrap();
    let pairs = [("flow", &*flow), ("username", "ann"), ("password", "pw-ann")];
    let mut other = Browser::default();
    other.get(&castellan.at("/auth/login")).await;
    let answer = other.post(&castellan.at("/auth/login"), &pairs).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(other.cookie("ASID"), None);
}

/// Headers by which a proxy might say what it was asked for.
const FORWARDED: [(&str, &str); 8] = [
    ("host", "evil.test"),
    ("x-forwarded-host", "evil.test"),
    ("x-forwarded-server", "evil.test"),
    ("x-forwarded-proto", "gopher"),
    ("x-forwarded-port", "666"),
    ("x-forwarded-prefix", "/evil"),
    ("x-original-host", "evil.test"),
    ("forwarded", "host=evil.test;proto=gopher"),
];

#[tokio::test]
async fn case_21_no_header_builds_a_link() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::as_ann(&castellan).await;
    let jar = browser.jar();
    let begun = browser.get(&Asking::portal().at(&castellan)).await;
    let refused = Asking::spa().with("response_type", "foo").at(&castellan);
    let mut pages: Vec<String> = [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/.well-known/jwks.json",
        "/",
        "/account",
        "/auth/login",
        "/auth/logout",
        "/nowhere",
        begun.location(),
    ]
    .map(|path| castellan.at(path))
    .into();
    pages.extend([Asking::spa().at(&castellan), Asking::portal().at(&castellan), refused]);
    for url in pages {
        for cookie in ["", &jar] {
            let ask = FORWARDED
                .iter()
                .fold(Ask::get(&url), |ask, (name, value)| ask.header(name, value))
                .header("cookie", cookie)
                .header("accept", "text/html");
            let answer = ask.send().await;
            assert!(answer.status.as_u16() < 500, "{answer:?}");
            for trace in ["evil.test", "/evil", "gopher", ":666"] {
                assert!(!format!("{answer:?}").contains(trace), "{url}: {answer:?}");
            }
        }
    }
    let code = browser.code(&castellan, &Asking::spa()).await;
    let pairs = [&[("grant_type", "authorization_code"), ("code", &*code)], &SPA[..]].concat();
    let ask = Ask::post(&castellan.at("/auth/token")).form(&pairs).header("host", "evil.test");
    let tokens = ask.send().await.json();
    let claims = crate::support::jose::claims(text(&tokens, "access_token"));
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(castellan.url), &json!(castellan.url)));
}

const HELLO: &str = "type Query { hello: String secret: String } type Mutation { write: String }";

/// A gate at `/graphql` before a recorder: `hello` is public, all else is not.
async fn hello(documents: &str) -> (Recorder, Castellan) {
    let recorder = Recorder::start().await;
    recorder.answer(r#"{"data":{"hello":"hi"}}"#);
    let castellan = Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"hello\"\npath = \"/graphql\"\nupstream = \"{}\"\n\
             schema = \"hello.graphql\"\npublic = [\"Query:hello:*\"]\n",
            recorder.url
        ),
        documents: documents.to_owned(),
        files: vec![("hello.graphql", HELLO.to_owned())],
        ..Plan::default()
    })
    .await;
    (recorder, castellan)
}

/// Asks for `field` at the gate with more headers.
async fn gated(castellan: &Castellan, field: &str, headers: &[(&str, &str)]) -> Answer {
    let query = json!({"query": field});
    let ask = Ask::post(&castellan.at("/graphql")).json(&query);
    headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value)).send().await
}

#[tokio::test]
async fn case_28_no_header_picks_the_rule() {
    let (recorder, castellan) = hello("").await;
    let headers = [
        ("x-forwarded-uri", "/healthz"),
        ("x-original-uri", "/healthz"),
        ("x-original-url", "/healthz"),
        ("x-rewrite-url", "/healthz"),
        ("x-forwarded-method", "OPTIONS"),
        ("x-original-method", "OPTIONS"),
        ("x-http-method-override", "GET"),
        ("x-forwarded-for", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1"),
    ];
    for field in ["{ secret }", "mutation { write }"] {
        let answer = gated(&castellan, field, &headers).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let error = &answer.json()["errors"][0];
        assert_eq!(error["extensions"]["code"], "UNAUTHENTICATED", "{answer:?}");
    }
    assert!(recorder.seen().is_empty(), "a denied request was sent on");
    let answer = gated(&castellan, "{ hello }", &headers).await;
    assert_eq!(answer.json(), json!({"data": {"hello": "hi"}}));
    let seen = recorder.seen();
    assert_eq!(seen.len(), 1);
    for (name, _) in headers {
        assert!(!seen[0].headers.contains_key(name), "{name}: {:?}", seen[0]);
    }
    assert_eq!((&seen[0].method, &*seen[0].path), (&Method::POST, "/"));
}

#[tokio::test]
async fn case_29_identity_headers_cannot_be_forged_or_stripped() {
    let (recorder, castellan) = hello("").await;
    let headers = [
        ("castellan-identity", "forged"),
        ("castellan_identity", "forged"),
        ("castellan.identity", "forged"),
        ("Castellan-Decision", "forged"),
        ("x-forwarded-user", "forged"),
        ("x_forwarded_user", "forged"),
        ("connection", "castellan-identity, castellan-decision, content-type, accept"),
        ("keep-alive", "castellan-identity"),
        ("proxy-authorization", "forged"),
    ];
    let answer = gated(&castellan, "{ hello }", &headers).await;
    assert_eq!(answer.json(), json!({"data": {"hello": "hi"}}));
    let seen = recorder.seen();
    assert!(!format!("{seen:?}").contains("forged"), "{seen:?}");
    let identity: Vec<_> = seen[0].headers.get_all("castellan-identity").iter().collect();
    assert_eq!(identity.len(), 1);
    assert_eq!(crate::support::jose::claims(identity[0].to_str().unwrap())["kind"], "anonymous");
    assert_eq!(seen[0].headers["content-type"], "application/json");
    assert!(seen[0].headers.contains_key("castellan-decision"));
}

#[tokio::test]
async fn case_30_a_malformed_cookie_signs_nobody_in() {
    let castellan = Castellan::with_ann().await;
    let browser = Browser::as_ann(&castellan).await;
    let (session, mark) =
        (browser.cookie("ASID").unwrap(), browser.cookie("castellan_browser").unwrap());
    let flipped = format!("{}{}", &session[..session.len() - 4], "AAAA");
    let account = castellan.at("/account");
    let good = Ask::get(&account).header("cookie", &browser.jar()).send().await;
    assert_eq!(good.status, 200, "{good:?}");
    for cookie in [
        String::new(),
        "ASID".to_owned(),
        "ASID=".to_owned(),
        "ASID=null".to_owned(),
        "ASID=csl_session_".to_owned(),
        format!("ASID={mark}"),
        format!("ASID={flipped}"),
        format!("ASID={session}x"),
        format!("ASID=\"{session}\""),
        format!("ASID={session}="),
        format!("ASID= {session}"),
        format!("asid={session}"),
        format!("ASID={session}; ASID={session}"),
        format!("ASID={session}; ASID=other"),
        format!("ASID=other; ASID={session}"),
        format!("xASID={session}"),
        format!("ASID={session}\t x"),
        ";;;;====;;".to_owned(),
        "ASID=%00%ff".to_owned(),
        format!("ASID={}", "A".repeat(7_000)),
    ] {
        let answer = Ask::get(&account).header("cookie", &cookie).send().await;
        assert_eq!(answer.status, 303, "{cookie}: {answer:?}");
        assert_eq!(answer.location(), "/auth/login", "{cookie}");
        let asked = Ask::get(&Asking::spa().at(&castellan)).header("cookie", &cookie).send().await;
        assert!(asked.location().starts_with("/auth/login?flow="), "{cookie}: {asked:?}");
    }
    let mut bytes =
        b"GET /account HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: ASID=".to_vec();
    bytes.extend([0xff, 0xfe, 0x80]);
    bytes.extend(session.as_bytes());
    bytes.extend(b"\r\n\r\n");
    let said = raw(&castellan.url, &bytes).await;
    assert!(said.starts_with("HTTP/1.1 303 "), "{said}");
}

#[tokio::test]
async fn case_32_a_bearer_value_is_one_token_and_nothing_else() {
    let stage = Stage::start().await;
    let token = mint("admin", &["*"]);
    let (query, url) = (
        json!({"query": "mutation { CreatePerson(identifier: \"x\", name: \"x\") { name } }"}),
        stage.castellan.at("/graphql"),
    );
    for value in [
        format!("Bearer\t{token}"),
        format!("Bearer{token}"),
        format!("Bearer: {token}"),
        format!("Bearer {token},"),
        format!("Bearer {token}, Bearer x"),
        format!("Bearer x {token}"),
        format!("Bearer \"{token}\""),
        format!("Basic {token}"),
        format!("Basic Bearer {token}"),
        format!("x Bearer {token}"),
        format!("Bearer={token}"),
        token.clone(),
    ] {
        let answer = Ask::post(&url).json(&query).header("authorization", &value).send().await;
        assert_denied(&answer, "CreatePerson", "UNAUTHENTICATED");
    }
    let good = format!("Bearer {token}");
    for (first, second) in [(&good, &good), (&good, &"Basic x".to_owned()), (&String::new(), &good)]
    {
        let ask = Ask::post(&url).json(&query).header("authorization", first);
        let answer = ask.header("authorization", second).send().await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    let answer =
        Ask::post(&format!("{url}?access_token={token}")).json(&query).bearer(&token).send().await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let answer = Ask::post(&format!("{url}?access_token={token}")).json(&query).send().await;
    assert_denied(&answer, "CreatePerson", "UNAUTHENTICATED");
    assert_eq!(stage.names("Person", "x").await, json!([]));
}

#[tokio::test]
async fn case_32_our_own_endpoints_read_one_credential_too() {
    let castellan = Castellan::with_ann().await;
    let tokens = castellan.portal_tokens().await;
    let (access, url) = (text(&tokens, "access_token"), castellan.at("/auth/userinfo"));
    assert_eq!(castellan.userinfo(access).await.status, 200);
    for value in [
        access.to_owned(),
        format!("Bearer{access}"),
        format!("Bearer {access} x"),
        format!("Bearer {access},"),
        format!("Bearer\t{access}"),
        format!("Basic {access}"),
    ] {
        let answer = Ask::get(&url).header("authorization", &value).send().await;
        assert_refused(&answer, 401, "invalid_token");
    }
    let twice = Ask::get(&url).bearer(access).bearer(access).send().await;
    assert!(twice.status.is_client_error(), "{twice:?}");
    let mixed = Ask::get(&format!("{url}?access_token={access}")).bearer(access).send().await;
    assert!(mixed.status.is_client_error(), "{mixed:?}");
    let in_query = Ask::get(&format!("{url}?access_token={access}")).send().await;
    assert_refused(&in_query, 401, "invalid_token");
    // A client proves itself once.
    let basic = format!("Basic {}", STANDARD.encode("portal:s3cr3t-portal"));
    let refresh =
        [("grant_type", "refresh_token"), ("refresh_token", text(&tokens, "refresh_token"))];
    let ask = || Ask::post(&castellan.at("/auth/token")).header("authorization", &basic);
    let both = ask().form(&[&refresh[..], &PORTAL].concat()).send().await;
    assert_refused(&both, 400, "invalid_request");
    let other = ask().form(&[&refresh[..], &[("client_id", "spa")]].concat()).send().await;
    assert_refused(&other, 400, "invalid_request");
    let twice = ask().header("authorization", &basic).form(&refresh).send().await;
    assert_refused(&twice, 400, "invalid_request");
    assert_eq!(ask().form(&refresh).send().await.status, 200);
}

#[tokio::test]
async fn case_33_a_scope_matches_no_longer_name() {
    let stage = Stage::start().await;
    let fields = [
        ("AddMusicCompositionComposer", "(from: {identifier: \"m\"}, to: {identifier: \"c\"})"),
        ("CreateMusicComposition", "(identifier: \"m\", name: \"m\")"),
        ("CreatePerson", "(identifier: \"x\", name: \"x\")"),
    ];
    for scope in [
        "Mutation:MusicComposition:Add",
        "Mutation:Music:Create",
        "Mutation:Person",
        "Mutation:Person:",
        "Mutation:Person:Cre",
        "Mutation:Person:CreateX",
        "Mutation:Perso:Create",
        "Mutation:PersonX:Create",
        "Mutation:Person:Create:",
        "XMutation:Person:Create",
        "Mutation",
        "api:read",
    ] {
        let token = mint("admin", &[scope]);
        for (field, arguments) in fields {
            let query = format!("mutation {{ {field}{arguments} {{ __typename }} }}");
            let body = stage.send(Some(&token), &query).await.json();
            assert_eq!(body["data"], json!({field: null}), "{scope}: {body}");
        }
    }
    assert_eq!(stage.names("Person", "x").await, json!([]));
}

#[tokio::test]
async fn case_38_only_a_post_of_json_writes() {
    let stage = Stage::start().await;
    let (token, url) = (mint("admin", &["*"]), stage.castellan.at("/graphql"));
    let write = "mutation { CreatePerson(identifier: \"x\", name: \"x\") { name } }";
    let body = json!({"query": write}).to_string();
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=utf-16",
        "application/json, text/plain",
        "text/plain; application/json",
        "",
    ] {
        let ask = Ask::post(&url).body(media_type, body.clone()).bearer(&token);
        let answer = ask.send().await;
        assert_eq!(answer.status, 415, "{media_type}: {answer:?}");
    }
    let form = Ask::post(&url).form(&[("query", write)]).bearer(&token).send().await;
    assert_eq!(form.status, 415, "{form:?}");
    let query: String = url::form_urlencoded::byte_serialize(write.as_bytes()).collect();
    let get = Ask::get(&format!("{url}?query={query}")).bearer(&token).send().await;
    assert_eq!(get.status, 405, "{get:?}");
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::HEAD] {
        let ask = Ask::new(method, &url).json(&json!({"query": write})).bearer(&token);
        assert_eq!(ask.send().await.status, 405);
    }
    assert_eq!(stage.names("Person", "x").await, json!([]));
    let good = Ask::post(&url).json(&json!({"query": write})).bearer(&token).send().await;
    assert_eq!(good.status, 200, "{good:?}");
    assert_eq!(stage.names("Person", "x").await, json!([{"name": "x"}]));
}

/// A database that nobody else can write to until this is dropped.
fn locked(castellan: &Castellan) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(castellan.path("castellan.db")).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

#[tokio::test]
async fn case_41_without_a_store_there_is_a_fault_and_never_a_token() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::default();
    let tokens = castellan.tokens(&mut browser, &Asking::portal(), &PORTAL).await;
    let code = browser.code(&castellan, &Asking::portal()).await;
    let begun = browser.get(&Asking::portal().with("prompt", "login").at(&castellan)).await;
    let flow = begun.location_param("flow").unwrap();
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    let lock = locked(&castellan);
    let revoke = [&PORTAL[..], &[("token", refresh)]].concat();
    let login = [("flow", &*flow), ("username", "ann"), ("password", "pw-ann")];
    let asking = Asking::portal().at(&castellan);
    let mut other = browser.clone();
    let (redeemed, renewed, revoked, signed_in, authorized) = tokio::join!(
        castellan.redeem(&code, &PORTAL),
        castellan.refresh(refresh, &PORTAL),
        Ask::post(&castellan.at("/auth/revoke")).form(&revoke).send(),
        Ask::post(&castellan.at("/auth/login"))
            .header("cookie", &browser.jar())
            .form(&login)
            .send(),
        other.get(&asking),
    );
    for answer in [&redeemed, &renewed, &revoked, &signed_in, &authorized] {
        assert!(answer.status.is_server_error(), "{answer:?}");
        assert_eq!(answer.json(), json!({"error": "server_error"}));
        assert!(
            answer.header("set-cookie").is_none_or(|cookie| !cookie.contains("ASID")),
            "{answer:?}"
        );
    }
    drop(lock);
    // What could not be revoked is not revoked, and nothing else was lost.
    assert_eq!(castellan.userinfo(access).await.status, 200);
    assert_eq!(castellan.refresh(refresh, &PORTAL).await.status, 200);
    assert_sent_back(
        &browser.get(&Asking::portal().with("response_type", "x").at(&castellan)).await,
        "https://portal.test/cb",
        "unsupported_response_type",
    );
}

#[tokio::test]
async fn case_42_errors_of_one_caller_say_nothing_of_another() {
    let archive = Archive::start().await;
    let castellan = Castellan::start(crate::dialects::trompa_guard::plan(Some(&archive))).await;
    let mut callers = tokio::task::JoinSet::new();
    for at in 0..64 {
        let url = castellan.at("/graphql");
        let alias = format!("mine{at}");
        let query = format!("mutation {{ {alias}: CreatePerson(name: \"x\") {{ name }} }}");
        callers.spawn(async move {
            let answer = Ask::post(&url).json(&json!({"query": query})).send().await;
            (alias, answer)
        });
    }
    let mut decisions = BTreeSet::new();
    while let Some(done) = callers.join_next().await {
        let (alias, answer) = done.unwrap();
        let body = answer.json();
        let own: Value = json!({&*alias: null});
        assert_eq!(body["data"], own, "{body}");
        assert_eq!(body["errors"][0]["path"], json!([alias]), "{body}");
        let decision = body["errors"][0]["extensions"]["decision"].as_str().unwrap().to_owned();
        assert_eq!(answer.header("castellan-decision"), Some(&*decision));
        assert!(decisions.insert(decision), "two requests have one decision: {body}");
    }
}

/// A sign-in in progress is good once, in the browser that began it, and for half an hour.
#[tokio::test]
async fn case_13_a_sign_in_is_good_once_and_not_for_long() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::default();
    let begin = async |browser: &mut Browser| {
        let begun = browser.get(&Asking::spa().at(&castellan)).await;
        let form = browser.get(&castellan.at(begun.location())).await;
        form.hidden("flow").unwrap_or_else(|| panic!("no form: {form:?}"))
    };
    let submit = async |browser: &mut Browser, flow: &str| {
        let pairs = [("flow", flow), ("username", "ann"), ("password", "pw-ann")];
        browser.post(&castellan.at("/auth/login"), &pairs).await
    };
    let flow = begin(&mut browser).await;
    let stranger = submit(&mut Browser::default(), &flow).await;
    assert_eq!(stranger.status, 400, "another browser's: {stranger:?}");
    let first = submit(&mut browser, &flow).await;
    assert!(first.location_param("code").is_some(), "{first:?}");
    assert_eq!(submit(&mut browser, &flow).await.status, 400, "once");
    let mut late = Browser::default();
    let flow = begin(&mut late).await;
    castellan.advance_to(1_801);
    assert_eq!(submit(&mut late, &flow).await.status, 400, "in time");
}

/// An address of which nobody who may says so is not verified, and no member of the account itself says
/// so. What people and programs may not write of others is in `mass_assignment` and `scim::rights`.
#[tokio::test]
async fn case_16_no_document_makes_an_address_verified() {
    let castellan = Castellan::with_documents(
        "resourceType: User\nid: eve\nuserName: eve\npassword: pw-eve\n\
         emails: [{value: eve@example.test, primary: true}]\n---\n\
         resourceType: Client\nid: app\nfirst_party: true\ngrant_types: [authorization_code]\n\
         scope: [openid, email]\nredirect_uris: [\"https://spa.test/cb\"]\n",
    )
    .await;
    for claim in ["email_verified: true", "verified: true"] {
        let document = format!("resourceType: User\nid: eve\nuserName: eve\n{claim}\n");
        let applied = castellan.cli_with(&["apply", "-f", "-"], &document);
        assert!(!applied.status.success(), "{claim}");
    }
    let mut browser = Browser::default();
    let asking = Asking::of("app", "https://spa.test/cb")
        .with("scope", "openid email")
        .with("code_challenge", CHALLENGE)
        .with("code_challenge_method", "S256");
    let asked = browser.get(&asking.at(&castellan)).await;
    let signed_in = browser.sign_in(&castellan, &asked, ("eve", "pw-eve")).await;
    let code = signed_in.location_param("code").unwrap();
    let client = [("client_id", "app"), ("code_verifier", VERIFIER)];
    let tokens = castellan.redeem(&code, &client).await.json();
    let info = castellan.userinfo(text(&tokens, "access_token")).await.json();
    assert_eq!(info["email"], "eve@example.test");
    assert_eq!(info["email_verified"], false);
}
