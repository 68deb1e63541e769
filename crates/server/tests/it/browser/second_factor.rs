//! The second factor at the sign-in page, and everywhere else where a password alone used to be enough
//! (`docs/second-factor.md`).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    management::support::{GROUPS, JOHNS, PEOPLE, token},
    support::{
        browser::Browser,
        castellan::{Castellan, Plan},
        fixtures::{Asking, VERIFIER, text},
        jose,
        totp::{OptedIn, TOTP, opt_in, register},
        upstream::{Recorder, json_answer},
        wire::{Answer, Ask},
    },
};

/// An app that has John sign in.
const APPS: &str = r#"
---
resourceType: Client
id: spa
name: The app
first_party: true
grant_types: [code]
scope: [openid]
auth: {authorization_code: {redirect_uri: "https://spa.test/cb", pkce: true, refresh_token: true}}
---
resourceType: Role
id: everything
everybody: true
scope: ["*"]
"#;

const JOHN: (&str, &str) = ("johndoe", "pw-johndoe");

async fn start(config: &str) -> (Castellan, String) {
    let castellan = Castellan::start(Plan {
        config: format!("{GROUPS}{config}"),
        documents: format!("{PEOPLE}{JOHNS}{APPS}"),
        files: vec![("api.graphql", "type Query { hello: String }".to_owned())],
        ..Plan::default()
    })
    .await;
    let token = token(&castellan, "admin").await;
    (castellan, token)
}

/// John, who has shown his password and is asked for more: the form.
async fn half_way(castellan: &Castellan, browser: &mut Browser, begun: &Answer) -> Answer {
    let moved = browser.sign_in(castellan, begun, JOHN).await;
    assert_eq!(moved.status, 303, "{moved:?}");
    assert!(moved.location().starts_with("/auth/second-factor?flow="), "{moved:?}");
    assert!(browser.cookie("ASID").is_none(), "there is no session yet");
    let form = browser.get(&castellan.at(moved.location())).await;
    assert_eq!(form.status, 200, "{form:?}");
    form
}

/// The same without an app.
async fn at_the_form(castellan: &Castellan) -> (Browser, Answer) {
    let mut browser = Browser::default();
    let begun = browser.get(&castellan.at("/auth/login")).await;
    let form = half_way(castellan, &mut browser, &begun).await;
    (browser, form)
}

/// Fills in the form of `method`.
async fn show(
    castellan: &Castellan,
    browser: &mut Browser,
    form: &Answer,
    (method, field, value): (&str, &str, &str),
) -> Answer {
    let flow = form.hidden("flow").unwrap_or_else(|| panic!("no form: {form:?}"));
    let pairs = [("flow", &*flow), ("method", method), (field, value)];
    browser.post(&castellan.at("/auth/second-factor"), &pairs).await
}

fn code(value: &str) -> (&str, &str, &str) {
    ("totp", "code", value)
}

fn recovery(value: &str) -> (&str, &str, &str) {
    ("recovery-code", "recovery_code", value)
}

/// Whether somebody is signed in in `browser`.
async fn is_signed_in(castellan: &Castellan, browser: &mut Browser) -> bool {
    browser.get(&castellan.at("/account")).await.status == 200
}

/// The claims of the ID token that a sign-in of John's ends with, at an app that asks for `more`.
async fn id_token(castellan: &Castellan, john: &OptedIn, more: &[(&'static str, &str)]) -> Value {
    let asking = more.iter().fold(Asking::spa(), |asking, (name, value)| asking.with(name, value));
    let mut browser = Browser::default();
    let begun = browser.get(&asking.at(castellan)).await;
    let form = half_way(castellan, &mut browser, &begun).await;
    assert!(form.body.contains("The app"), "{form:?}");
    let answer = show(castellan, &mut browser, &form, code(&john.app.code(30))).await;
    claims_of(castellan, &answer).await
}

async fn claims_of(castellan: &Castellan, answer: &Answer) -> Value {
    let code = answer.location_param("code").unwrap_or_else(|| panic!("no code: {answer:?}"));
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", "https://spa.test/cb"),
        ("client_id", "spa"),
        ("code_verifier", VERIFIER),
    ];
    let tokens = castellan.token(&pairs).await;
    assert_eq!(tokens.status, 200, "{tokens:?}");
    jose::claims(text(&tokens.json(), "id_token"))
}

#[tokio::test]
async fn a_code_of_the_app_is_asked_for_after_the_password_and_works_once() {
    let (castellan, token) = start("").await;
    let john = opt_in(&castellan, &token, "john").await;
    let (mut browser, form) = at_the_form(&castellan).await;
    assert!(form.body.contains("autocomplete=\"one-time-code\""), "{form:?}");
    assert!(form.header("content-security-policy").unwrap().contains("default-src 'none'"));
    assert!(!is_signed_in(&castellan, &mut browser).await, "half a sign-in opens nothing");

    let present = john.app.code(0);
    for wrong in [&*john.app.wrong_code(), "", "12345", &*present] {
        // The present one was used up when the app was registered.
        let again = show(&castellan, &mut browser, &form, code(wrong)).await;
        assert_eq!(again.status, 401, "{wrong}: {again:?}");
        assert!(again.body.contains("role=\"alert\""), "{again:?}");
        assert!(browser.cookie("ASID").is_none());
    }
    let next = john.app.code(30);
    let spaced = format!("{} {}", &next[..3], &next[3..]);
    let done = show(&castellan, &mut browser, &form, code(&spaced)).await;
    assert_eq!((done.status.as_u16(), done.location()), (303, "/account"), "{done:?}");
    assert!(is_signed_in(&castellan, &mut browser).await);
    // The flow is used up, and so is the code, in this browser and in any other.
    let again = show(&castellan, &mut browser, &form, code(&next)).await;
    assert_eq!(again.status, 400, "{again:?}");
    let (mut other, form) = at_the_form(&castellan).await;
    let replayed = show(&castellan, &mut other, &form, code(&next)).await;
    assert_eq!(replayed.status, 401, "{replayed:?}");
    assert!(!is_signed_in(&castellan, &mut other).await);
    // A browser that is known is asked all the same.
    let mut known = browser.clone();
    let begun = known.get(&Asking::spa().with("prompt", "login").at(&castellan)).await;
    let asked = known.sign_in(&castellan, &begun, JOHN).await;
    assert!(asked.location().starts_with("/auth/second-factor"), "{asked:?}");
}

#[tokio::test]
async fn half_a_sign_in_is_worth_nothing_elsewhere_and_ends() {
    let (castellan, token) = start("").await;
    let john = opt_in(&castellan, &token, "john").await;
    // Another browser cannot go on with it.
    let (_, form) = at_the_form(&castellan).await;
    let mut thief = Browser::default();
    thief.get(&castellan.at("/auth/login")).await;
    let stolen = show(&castellan, &mut thief, &form, code(&john.app.code(30))).await;
    assert_eq!(stolen.status, 400, "{stolen:?}");
    // A form from elsewhere is not read.
    let (mut browser, form) = at_the_form(&castellan).await;
    let flow = form.hidden("flow").unwrap();
    let code_now = john.app.code(30);
    let pairs = [("flow", &*flow), ("method", "totp"), ("code", &*code_now)];
    let forged = Ask::post(&castellan.at("/auth/second-factor")).form(&pairs);
    let forged = browser.send(forged.header("origin", "https://evil.test")).await;
    assert_eq!(forged.status, 403, "{forged:?}");
    // No other page takes the flow for a session.
    let allow = [("flow", &*flow), ("decision", "allow")];
    let consent = browser.post(&castellan.at("/auth/consent"), &allow).await;
    assert_eq!(consent.status, 400, "{consent:?}");
    // A flow in which nobody has shown a password asks for nothing.
    let begun = browser.get(&castellan.at("/auth/login")).await;
    let fresh = begun.location().replace("login", "second-factor");
    assert_eq!(browser.get(&castellan.at(&fresh)).await.status, 400);
    let unknown = browser.get(&castellan.at("/auth/second-factor")).await;
    assert_eq!(unknown.status, 400, "{unknown:?}");
    // What the person showed does not outlive their password.
    let form = browser.get(&castellan.at(&format!("/auth/second-factor?flow={flow}"))).await;
    assert_eq!(form.status, 200, "{form:?}");
    let changed = castellan.cli_with(&["user", "password", "john"], "another password");
    assert!(changed.status.success(), "{changed:?}");
    let over = show(&castellan, &mut browser, &form, code(&john.app.code(30))).await;
    assert_eq!(over.status, 400, "{over:?}");
}

#[tokio::test]
async fn a_half_finished_sign_in_expires_with_its_flow() {
    let (castellan, token) = start("").await;
    let john = opt_in(&castellan, &token, "john").await;
    let mut browser = Browser::default();
    let begun = browser.get(&castellan.at("/auth/login")).await;
    castellan.advance_to(1_700);
    let form = half_way(&castellan, &mut browser, &begun).await;
    castellan.advance_to(1_810);
    let late = show(&castellan, &mut browser, &form, code(&john.app.code(1_810))).await;
    assert_eq!(late.status, 400, "the second step prolongs nothing: {late:?}");
}

#[tokio::test]
async fn recovery_codes_work_once_each_and_say_what_was_shown() {
    let (castellan, token) = start("").await;
    let john = opt_in(&castellan, &token, "john").await;
    let mut seen = john.recovery_codes.clone();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 10, "{seen:?}");
    let (mut browser, form) = at_the_form(&castellan).await;
    assert!(form.body.contains("<summary>"), "{form:?}");
    let wrong = show(&castellan, &mut browser, &form, recovery("0000-0000-0000")).await;
    assert_eq!(wrong.status, 401, "{wrong:?}");
    assert!(wrong.body.contains("<details open>"), "the form that was tried: {wrong:?}");
    let typed = john.recovery_codes[0].to_uppercase().replace('-', " ");
    let done = show(&castellan, &mut browser, &form, recovery(&typed)).await;
    assert_eq!(done.status, 303, "{done:?}");
    assert!(is_signed_in(&castellan, &mut browser).await);
    let (mut browser, form) = at_the_form(&castellan).await;
    let again = show(&castellan, &mut browser, &form, recovery(&john.recovery_codes[0])).await;
    assert_eq!(again.status, 401, "{again:?}");
    // Tokens do not claim more than was shown.
    let mut browser = Browser::default();
    let begun = browser.get(&Asking::spa().at(&castellan)).await;
    let form = half_way(&castellan, &mut browser, &begun).await;
    let done = show(&castellan, &mut browser, &form, recovery(&john.recovery_codes[1])).await;
    let claims = claims_of(&castellan, &done).await;
    assert_eq!(claims["amr"], json!(["pwd", "mfa"]), "{claims}");
    assert_eq!(claims["acr"], "urn:castellan:acr:recovery-code");
    until_audited(&castellan, "urn:castellan:acr:recovery-code").await;
}

#[tokio::test]
async fn tokens_say_how_the_person_signed_in() {
    let (castellan, token) = start("").await;
    let discovered = Ask::get(&castellan.at("/.well-known/openid-configuration")).send().await;
    let offered = &discovered.json()["acr_values_supported"];
    assert_eq!(*offered, json!(["urn:castellan:acr:password", TOTP]));
    // Without a second factor, a class that needs one is refused, and a password is a password.
    let essential =
        |class: &str| json!({"id_token": {"acr": {"essential": true, "value": class}}}).to_string();
    let strong = Asking::spa().with("claims", &essential(TOTP));
    let mut browser = Browser::default();
    let begun = browser.get(&strong.at(&castellan)).await;
    let weak = browser.sign_in(&castellan, &begun, JOHN).await;
    let error = weak.location_param("error");
    assert_eq!(error.as_deref(), Some("unmet_authentication_requirements"), "{weak:?}");
    assert!(!is_signed_in(&castellan, &mut browser).await, "nothing is left of it");
    let begun = browser.get(&Asking::spa().at(&castellan)).await;
    let done = browser.sign_in(&castellan, &begun, JOHN).await;
    let claims = claims_of(&castellan, &done).await;
    assert_eq!(
        (&claims["amr"], &claims["acr"]),
        (&json!(["pwd"]), &json!("urn:castellan:acr:password"))
    );

    let john = opt_in(&castellan, &token, "john").await;
    let claims = id_token(&castellan, &john, &[("claims", &essential(TOTP))]).await;
    assert_eq!((&claims["amr"], &claims["acr"]), (&json!(["pwd", "otp", "mfa"]), &json!(TOTP)));
    // Whoever asks for a password has got that, too.
    castellan.advance_to(60);
    let mut browser = Browser::default();
    let begun = browser
        .get(&Asking::spa().with("claims", &essential("urn:castellan:acr:password")).at(&castellan))
        .await;
    let form = half_way(&castellan, &mut browser, &begun).await;
    let done = show(&castellan, &mut browser, &form, code(&john.app.code(60))).await;
    assert!(done.location_param("code").is_some(), "{done:?}");
    // And somebody who is signed in well enough is not asked again.
    let silent = browser.get(&strong.with("prompt", "none").at(&castellan)).await;
    assert!(silent.location_param("code").is_some(), "{silent:?}");
}

#[tokio::test]
async fn case_08_attempts_at_the_second_factor_are_counted_before_they_are_checked() {
    let (castellan, token) = start("").await;
    let john = opt_in(&castellan, &token, "john").await;
    let (browser, form) = at_the_form(&castellan).await;
    let flow = form.hidden("flow").unwrap();
    let wrong = john.app.wrong_code();
    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let (mut browser, url) = (browser.clone(), castellan.at("/auth/second-factor"));
        let (flow, wrong) = (flow.clone(), wrong.clone());
        racers.spawn(async move {
            let pairs = [("flow", &*flow), ("method", "totp"), ("code", &*wrong)];
            browser.post(&url, &pairs).await.status.as_u16()
        });
    }
    let statuses = racers.join_all().await;
    let checked = statuses.iter().filter(|status| **status == 401).count();
    assert!(checked <= 10, "{statuses:?}");
    assert!(statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
    // The wait grows, here until nobody sits it out by chance.
    let (mut other, mut ahead) = (browser.clone(), 0);
    loop {
        let again = show(&castellan, &mut other, &form, code(&wrong)).await;
        let wait = again.header("retry-after").map(|wait| wait.parse::<u64>().unwrap());
        match (again.status.as_u16(), wait) {
            (429, Some(wait)) if wait >= 30 => break,
            (429, Some(wait)) => ahead += wait,
            answer => assert_eq!(answer, (401, None)),
        }
        castellan.advance_to(ahead);
    }
    // The right code has to wait as well, in this flow and in a new one.
    let (mut other, fresh) = at_the_form(&castellan).await;
    let late = show(&castellan, &mut other, &fresh, code(&john.app.code(ahead + 30))).await;
    assert_eq!(late.status, 429, "{late:?}");
    assert!(late.header("retry-after").is_some() && late.body.contains("role=\"alert\""));
    // Each kind has its own count.
    let other_kind = show(&castellan, &mut other, &fresh, recovery(&john.recovery_codes[0])).await;
    assert_eq!(other_kind.status, 303, "{other_kind:?}");
}

#[tokio::test]
async fn of_parallel_sign_ins_with_one_code_one_succeeds() {
    let (castellan, token) = start("").await;
    let john = opt_in(&castellan, &token, "john").await;
    let next = john.app.code(30);
    for (method, field, value) in [code(&next), recovery(&john.recovery_codes[0])] {
        let mut racers = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let (mut browser, form) = at_the_form(&castellan).await;
            let (url, flow) = (castellan.at("/auth/second-factor"), form.hidden("flow").unwrap());
            let (method, field, value) = (method.to_owned(), field.to_owned(), value.to_owned());
            racers.spawn(async move {
                let pairs = [("flow", &*flow), ("method", &*method), (&*field, &*value)];
                browser.post(&url, &pairs).await.status.as_u16()
            });
        }
        let mut statuses = racers.join_all().await;
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 401, 401, 401, 401, 401], "{method}");
    }
}

/// A guard of each kind that takes passwords of people.
fn guards(upstream: &str) -> String {
    let guard = |name: &str, path: &str, more: &str| {
        format!(
            "[[guard]]\nname = \"{name}\"\npath = \"{path}\"\nupstream = \"{upstream}\"\n\
             dialect = \"ibexa\"\nrequire = [\"person\"]\n{more}\n"
        )
    };
    let http = |name: &str, more: &str| {
        let operations = "[guard.operations]\n\"GET /things\" = \"Query:Thing:List\"";
        guard(name, &format!("/rest/{name}"), &format!("protocol = \"http\"\n{more}\n{operations}"))
    };
    http("basic", "authenticate = \"basic\"")
        + &http("jwt", "authenticate = \"jwt\"")
        + &http("session", "")
        + &guard("graphql", "/graphql", "authenticate = \"jwt\"\nschema = \"api.graphql\"")
        + &guard("gbasic", "/gbasic", "authenticate = \"basic\"\nschema = \"api.graphql\"")
}

/// What each door at which a person's password is shown answers to John's.
async fn doors(castellan: &Castellan) -> Vec<(&'static str, Answer)> {
    let (name, password) = JOHN;
    let basic = format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
    let rest = |kind: &str, body: Value| {
        let media_type = format!("application/vnd.ibexa.api.{kind}Input+json");
        (media_type, json!({(format!("{kind}Input")): body}).to_string())
    };
    let (session_type, session) = rest("Session", json!({"login": name, "password": password}));
    let (jwt_type, jwt) = rest("JWT", json!({"username": name, "password": password}));
    let create = format!(
        "mutation {{createToken(username: \"{name}\", password: \"{password}\") {{token message}}}}"
    );
    let grant = [
        ("grant_type", "password"),
        ("username", name),
        ("password", password),
        ("client_id", "console"),
        ("client_secret", "s3cr3t-console"),
    ];
    let json = "application/json";
    let asks = [
        ("password grant", Ask::post(&castellan.at("/auth/token")).form(&grant)),
        (
            "session of a SiteAccess",
            Ask::post(&castellan.at("/rest/session/user/sessions")).body(&session_type, session),
        ),
        (
            "JWT of a person",
            Ask::post(&castellan.at("/rest/jwt/user/token/jwt")).body(&jwt_type, jwt),
        ),
        ("JWT by a mutation", Ask::post(&castellan.at("/graphql")).json(&json!({"query": create}))),
        (
            "Basic at an API over HTTP",
            Ask::get(&castellan.at("/rest/basic/things")).header("authorization", &basic),
        ),
        (
            "Basic at a GraphQL API",
            Ask::post(&castellan.at("/gbasic"))
                .header("authorization", &basic)
                .json(&json!({"query": "{hello}"})),
        ),
    ];
    let mut answers = Vec::new();
    for (door, ask) in asks {
        answers.push((door, ask.header("accept", json).send().await));
    }
    answers
}

/// Waits until the audit records, which are written in the background, say `what`.
async fn until_audited(castellan: &Castellan, what: &str) {
    for _ in 0..100 {
        if castellan.said(&["audit"]).contains(what) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("no audit record says {what:?}");
}

#[tokio::test]
async fn case_17_no_program_gets_around_the_second_factor() {
    let recorder = Recorder::start().await;
    recorder.answer_by(|_| json_answer(r#"{"data":{"hello":"hi"}}"#));
    let (castellan, token) = start(&guards(&recorder.url)).await;
    for (door, answer) in doors(&castellan).await {
        assert!(answer.status.is_success(), "{door} is open to a password: {answer:?}");
        assert!(!answer.body.contains("second factor"), "{door}: {answer:?}");
    }
    // What was got before is over as well.
    let traded = &doors(&castellan).await[2].1;
    let jwt = text(&traded.json()["JWT"], "token").to_owned();
    let things = async |bearer: &str| {
        Ask::get(&castellan.at("/rest/jwt/things")).bearer(bearer).send().await.status
    };
    assert_eq!(things(&jwt).await, 200);

    let john = opt_in(&castellan, &token, "john").await;
    assert_eq!(things(&jwt).await, 401);
    recorder.seen();
    for (door, answer) in doors(&castellan).await {
        assert!(answer.body.contains("second factor"), "{door} says why: {answer:?}");
        let is_in_the_answer = door == "JWT by a mutation";
        assert_eq!(answer.status.is_client_error(), !is_in_the_answer, "{door}: {answer:?}");
        assert!(answer.header("set-cookie").is_none(), "{door}: {answer:?}");
        for secret in ["access_token", "identifier", "\"token\":\"", "eyJ"] {
            assert!(!answer.body.contains(secret), "{door}: {answer:?}");
        }
    }
    assert!(recorder.seen().is_empty(), "nothing reached the API");
    until_audited(&castellan, "second factor needed").await;

    // A new password by a link signs nobody in, and opens no door either.
    for password in ["pw-between", JOHN.1] {
        let link = castellan.said(&["user", "reset-password", "john"]);
        let mut browser = Browser::default();
        let moved = browser.get(link.trim()).await;
        let form = browser.get(&castellan.at(moved.location())).await;
        let reset = form.hidden("token").unwrap();
        let pairs = [("token", &*reset), ("password", password), ("password_again", password)];
        let set = browser.post(&castellan.at("/auth/reset-password"), &pairs).await;
        assert_eq!(set.status, 200, "{set:?}");
        assert!(!is_signed_in(&castellan, &mut browser).await);
    }
    assert!(
        doors(&castellan).await.iter().all(|(_, answer)| answer.body.contains("second factor"))
    );
    // The page still takes both.
    let (mut browser, form) = at_the_form(&castellan).await;
    let done = show(&castellan, &mut browser, &form, code(&john.app.code(30))).await;
    assert_eq!(done.status, 303, "{done:?}");
}

#[tokio::test]
async fn a_new_password_in_a_session_keeps_what_was_proved() {
    let (castellan, token) = start("").await;
    let john = opt_in(&castellan, &token, "john").await;
    let (mut browser, form) = at_the_form(&castellan).await;
    show(&castellan, &mut browser, &form, code(&john.app.code(30))).await;
    let page = browser.get(&castellan.at("/account")).await;
    let csrf = page.hidden("csrf").unwrap();
    let pairs = [
        ("csrf", &*csrf),
        ("current_password", JOHN.1),
        ("password", "pw-changed"),
        ("password_again", "pw-changed"),
    ];
    let changed = browser.post(&castellan.at("/account/password"), &pairs).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let answer = browser.get(&Asking::spa().at(&castellan)).await;
    assert_eq!(claims_of(&castellan, &answer).await["acr"], TOTP);
}

#[tokio::test]
async fn whoever_operates_the_server_lets_people_in_again() {
    let (castellan, token) = start("").await;
    opt_in(&castellan, &token, "john").await;
    at_the_form(&castellan).await;
    let unknown = castellan.cli(&["user", "reset-mfa", "nobody"]);
    assert!(!unknown.status.success());
    let said = castellan.said(&["user", "reset-mfa", "johndoe"]);
    assert_eq!(said, "reset the second factor of johndoe\n");
    let again = castellan.said(&["user", "reset-mfa", "john"]);
    assert_eq!(again, "john has no second factor\n");
    let mut browser = Browser::default();
    let begun = browser.get(&castellan.at("/auth/login")).await;
    let done = browser.sign_in(&castellan, &begun, JOHN).await;
    assert_eq!((done.status.as_u16(), done.location()), (303, "/account"), "{done:?}");
}

#[tokio::test]
async fn a_device_alone_is_not_asked_for() {
    let (castellan, token) = start("").await;
    register(&castellan, &token, "john").await;
    let mut browser = Browser::default();
    let begun = browser.get(&castellan.at("/auth/login")).await;
    let done = browser.sign_in(&castellan, &begun, JOHN).await;
    assert_eq!(done.location(), "/account", "{done:?}");
}

/// Whoever knows nothing but a password that has to be changed sets no new one.
#[tokio::test]
async fn a_password_that_must_be_changed_is_changed_after_the_second_factor() {
    let (castellan, token) = start("[credential_policy]\nhistory = 1\n").await;
    let john = opt_in(&castellan, &token, "john").await;
    let mutation = r#"mutation {setCredentialPolicyRulesStateByUserName(input: {
        userName: "johndoe", forceReset: {resetRequired: true}}) {forceReset {resetRequired}}}"#;
    let set = Ask::post(&castellan.at("/admin/graphql/accounts")).bearer(&token);
    let set = set.json(&json!({ "query": mutation })).send().await;
    assert!(set.body.contains("\"resetRequired\":true"), "{set:?}");

    let (mut browser, form) = at_the_form(&castellan).await;
    assert!(browser.cookie("castellan_reset").is_none());
    let page = browser.get(&castellan.at("/auth/reset-password")).await;
    assert_ne!(page.status, 200, "the password alone leads to no new one: {page:?}");
    let wrong = show(&castellan, &mut browser, &form, code(&john.app.wrong_code())).await;
    assert_eq!(wrong.status, 401, "{wrong:?}");
    let moved = show(&castellan, &mut browser, &form, code(&john.app.code(30))).await;
    assert_eq!(
        (moved.status.as_u16(), moved.location()),
        (303, "/auth/reset-password"),
        "{moved:?}"
    );
    assert!(!is_signed_in(&castellan, &mut browser).await, "nobody is signed in before the change");
    let page = browser.get(&castellan.at("/auth/reset-password")).await;
    assert_eq!(page.status, 200, "{page:?}");
}
