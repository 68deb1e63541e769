//! `docs/contracts/ibexa.md` §§4 to 6: people who send their password, or a JWT that they got for it.

use std::time::{Duration, Instant};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use castellan_proto::jose::HmacKey;
use serde_json::{Value, json};

use crate::support::{
    castellan::{Castellan, Plan},
    jose,
    upstream::{Recorder, json_answer},
    wire::{Answer, Ask},
};

const PEOPLE: &str = r#"
resourceType: User
id: "14"
userName: ann
email: ann@example.org
password: pw-ann
---
resourceType: User
id: "15"
userName: bob
password: "pw:bob é"
---
resourceType: User
id: "16"
userName: eve
password: pw-eve
active: false
---
resourceType: Role
id: everything
everybody: true
scope: ["*"]
---
resourceType: Client
id: robot
secret: robot-secret
grant_types: [client_credentials, basic]
scope: ["*"]
"#;

const SDL: &str = "type Query { hello: String } type Mutation { write: String }";
/// This machine is a proxy that tells of client certificates.
const PROXY: &str = "client_certificate_headers = { subject_header = \"X-Client-Subject\", \
                     verify_header = \"X-Client-Verify\", trusted_proxies = [\"127.0.0.1\"] }\n";
const REALM: &str = "Basic realm=\"Ibexa DXP REST API\"";

/// One guard for each method before one API, and two before one that speaks GraphQL.
async fn start() -> (Recorder, Castellan) {
    start_with("", "").await
}

/// The same with `more` in the configuration, and further `documents`.
async fn start_with(more: &str, documents: &str) -> (Recorder, Castellan) {
    let recorder = Recorder::start().await;
    recorder.answer_by(|_| json_answer(r#"{"data":{"hello":"hi"}}"#));
    let guard = |name: &str, path: &str, more: &str| {
        format!(
            "[[guard]]\nname = \"{name}\"\npath = \"{path}\"\nupstream = \"{}\"\n\
             dialect = \"ibexa\"\nrequire = [\"person\"]\n{more}\n",
            recorder.url
        )
    };
    let http = |name: &str, more: &str| {
        let operations = "[guard.operations]\n\"GET /things\" = \"Query:Thing:List\"\n\
                          \"POST /things\" = \"Mutation:Thing:Create\"";
        guard(name, &format!("/rest/{name}"), &format!("protocol = \"http\"\n{more}\n{operations}"))
    };
    let config = http("basic", "authenticate = \"basic\"\nrealm = \"Ibexa DXP REST API\"")
        + &http("jwt", "authenticate = \"jwt\"")
        + &http("oauth", "authenticate = \"oauth\"")
        + &http("session", "")
        + &http(
            "certificate",
            "authenticate = \"client_certificate\"\nclient_certificate = { subject = \"email\" }",
        )
        + &guard("graphql", "/graphql", "authenticate = \"jwt\"\nschema = \"api.graphql\"");
    let castellan = Castellan::start(Plan {
        config: config + more,
        server: PROXY,
        documents: format!("{PEOPLE}{documents}"),
        files: vec![("api.graphql", SDL.to_owned())],
        ..Plan::default()
    })
    .await;
    (recorder, castellan)
}

fn basic(credentials: &str) -> String {
    format!("Basic {}", STANDARD.encode(credentials))
}

/// What `GET /things` at `guard` answers to somebody who shows `authorization`.
async fn things(castellan: &Castellan, guard: &str, authorization: Option<&str>) -> Answer {
    let mut ask = Ask::get(&castellan.at(&format!("/rest/{guard}/things")))
        .header("accept", "application/vnd.ibexa.api.Things+json");
    if let Some(value) = authorization {
        ask = ask.header("authorization", value);
    }
    ask.send().await
}

/// What `POST /user/token/jwt` answers to `body` in JSON.
async fn trade(castellan: &Castellan, guard: &str, body: &Value) -> Answer {
    Ask::post(&castellan.at(&format!("/rest/{guard}/user/token/jwt")))
        .header("accept", "application/vnd.ibexa.api.JWT+json")
        .body("application/vnd.ibexa.api.JWTInput+json", body.to_string())
        .send()
        .await
}

fn input(name: &str, password: &str) -> Value {
    let media_type = "application/vnd.ibexa.api.JWTInput+json";
    json!({"JWTInput": {"_media-type": media_type, "username": name, "password": password}})
}

/// A JWT of Ann's.
async fn jwt(castellan: &Castellan) -> String {
    let answer = trade(castellan, "jwt", &input("ann", "pw-ann")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["JWT"]["token"].as_str().unwrap().to_owned()
}

/// Asks until `castellan` knows what another process did.
async fn until(castellan: &Castellan, guard: &str, authorization: &str, status: u16) {
    let began = Instant::now();
    loop {
        let answer = things(castellan, guard, Some(authorization)).await;
        if answer.status == status {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{answer:?}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

fn assert_error(answer: &Answer, status: u16, description: &str) {
    let body = answer.json();
    let error = &body["ErrorMessage"];
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(error["errorCode"], status, "{answer:?}");
    assert_eq!(error["errorDescription"], description, "{answer:?}");
    assert_eq!(error["_media-type"], "application/vnd.ibexa.api.ErrorMessage+json");
}

#[tokio::test]
async fn ibexa_25_a_basic_guard_takes_a_login_and_a_password_and_nothing_else() {
    let (recorder, castellan) = start().await;
    let missing = things(&castellan, "basic", None).await;
    assert_eq!(missing.header("www-authenticate"), Some(REALM), "{missing:?}");
    assert_error(&missing, 401, "The user is not authenticated.");
    for credentials in ["ann:pw-ann", "ANN@example.org:pw-ann", "14:pw-ann", "bob:pw:bob é"] {
        let answer = things(&castellan, "basic", Some(&basic(credentials))).await;
        assert_eq!(answer.status, 200, "{credentials}: {answer:?}");
        assert_eq!(answer.header("set-cookie"), None);
    }
    let seen = recorder.seen();
    assert_eq!(seen.len(), 4);
    assert!(seen[0].headers.get("authorization").is_none(), "the password was sent on: {seen:?}");
    let claims = jose::claims(seen[0].headers["castellan-identity"].to_str().unwrap());
    assert_eq!((&claims["sub"], &claims["kind"]), (&json!("14"), &json!("password")));

    // No session, and so no token against forged requests.
    let written = Ask::post(&castellan.at("/rest/basic/things"))
        .header("authorization", &basic("ann:pw-ann"))
        .json(&json!({}))
        .send()
        .await;
    assert_eq!(written.status, 200, "{written:?}");
    // Browsers remember a password, and send it with what pages of others ask for.
    for (name, value) in [("origin", "https://evil.test"), ("sec-fetch-site", "cross-site")] {
        let forged = Ask::post(&castellan.at("/rest/basic/things"))
            .header("authorization", &basic("ann:pw-ann"))
            .header(name, value);
        assert_eq!(forged.json(&json!({})).send().await.status, 401, "{name}");
    }
    // Nobody decodes percent signs (§10a).
    let encoded = things(&castellan, "basic", Some(&basic("ann:pw%2Dann"))).await;
    assert_eq!(encoded.status, 401);
}

/// Row 5: whatever is wrong with a login or a password, the answer is the same, byte for byte.
#[tokio::test]
async fn ibexa_05_a_wrong_password_an_unknown_and_a_disabled_person_are_one_answer() {
    let (recorder, castellan) = start().await;
    let mut answers = Vec::new();
    for credentials in ["ann:wrong", "nobody:pw-ann", "eve:pw-eve", "eve:wrong", "ann:", ":", ":x"]
    {
        let answer = things(&castellan, "basic", Some(&basic(credentials))).await;
        assert_eq!(answer.header("www-authenticate"), Some(REALM), "{credentials}");
        answers.push((answer.status, answer.body));
    }
    assert!(answers.iter().all(|one| *one == answers[0] && one.0 == 401), "{answers:?}");
    let mut answers = Vec::new();
    for (name, password) in [("ann", "wrong"), ("nobody", "x"), ("eve", "pw-eve"), ("ann", "")] {
        let answer = trade(&castellan, "jwt", &input(name, password)).await;
        assert_eq!(answer.header("set-cookie"), None, "{name}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{name}");
        answers.push((answer.status, answer.body));
    }
    assert!(answers.iter().all(|one| *one == answers[0] && one.0 == 401), "{answers:?}");
    assert!(recorder.seen().is_empty());
}

#[tokio::test]
async fn ibexa_29_where_jwts_are_off_there_is_nothing() {
    let (_recorder, castellan) = start().await;
    for guard in ["basic", "oauth"] {
        let answer = trade(&castellan, guard, &input("ann", "pw-ann")).await;
        assert_eq!(answer.status, 404, "{guard}: {answer:?}");
        assert_eq!(answer.json()["ErrorMessage"]["errorCode"], 404);
    }
}

#[tokio::test]
async fn ibexa_30_a_login_and_a_password_are_traded_for_a_jwt_in_json_and_in_xml() {
    let (_recorder, castellan) = start().await;
    let answer = trade(&castellan, "jwt", &input("ann", "pw-ann")).await;
    assert_eq!(answer.header("set-cookie"), None, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let media_type = "application/vnd.ibexa.api.JWT+json";
    assert_eq!(answer.header("content-type"), Some(media_type));
    let body = answer.json();
    let found = &body["JWT"];
    assert_eq!(found["_media-type"], media_type);
    assert_eq!(found["_token"], found["token"]);
    let claims = jose::claims(found["token"].as_str().unwrap());
    assert_eq!(claims["username"], "ann");
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3_600);

    let xml = "<JWTInput media-type=\"application/vnd.ibexa.api.JWTInput+xml\"><username>ann\
               </username><password>pw-ann</password></JWTInput>";
    for (sent, body) in [("xml", xml.to_owned()), ("json", input("ann", "pw-ann").to_string())] {
        let answer = Ask::post(&castellan.at("/rest/jwt/user/token/jwt"))
            .header("accept", "application/vnd.ibexa.api.JWT+xml")
            .body(&format!("application/vnd.ibexa.api.JWTInput+{sent}; charset=utf-8"), body)
            .send()
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let token = answer.body.split("token=\"").nth(1).unwrap().split('"').next().unwrap();
        assert!(answer.body.contains(&format!("<token>{token}</token>")), "{answer:?}");
        let shown = things(&castellan, "jwt", Some(&format!("Bearer {token}"))).await;
        assert_eq!(shown.status, 200, "{sent}: {shown:?}");
    }
    let options =
        Ask::new(http::Method::OPTIONS, &castellan.at("/rest/jwt/user/token/jwt")).send().await;
    assert_eq!(options.status, 200);
    assert_eq!(options.header("allow"), Some("POST"));
}

#[tokio::test]
async fn ibexa_31_what_is_no_login_and_password_is_400() {
    let (_recorder, castellan) = start().await;
    for (body, names) in [
        (json!([]), ""),
        (json!({"JWTInput": {"password": "pw-ann"}}), "username"),
        (json!({"JWTInput": {"username": "ann"}}), "password"),
        (json!({"JWTInput": {"username": null, "password": "pw-ann"}}), "username"),
        (json!({"JWTInput": {"username": "ann", "password": 7}}), "password"),
        (json!({"SessionInput": {"username": "ann", "password": "pw-ann"}}), ""),
    ] {
        let answer = trade(&castellan, "jwt", &body).await;
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        assert!(answer.body.contains(names) && !answer.body.contains("pw-ann"), "{answer:?}");
    }
}

#[tokio::test]
async fn ibexa_32_a_jwt_is_sent_as_a_bearer_token_and_read_in_one_way() {
    let (recorder, castellan) = start().await;
    let token = jwt(&castellan).await;
    let bearer = format!("Bearer {token}");
    assert_eq!(things(&castellan, "jwt", Some(&bearer)).await.status, 200);
    let written = Ask::post(&castellan.at("/rest/jwt/things"))
        .header("authorization", &bearer)
        .json(&json!({}))
        .send()
        .await;
    assert_eq!(written.status, 200, "without a CSRF token: {written:?}");
    let seen = recorder.seen();
    assert!(seen[0].headers.get("authorization").is_none(), "{seen:?}");
    let claims = jose::claims(seen[0].headers["castellan-identity"].to_str().unwrap());
    assert_eq!((&claims["sub"], &claims["kind"]), (&json!("14"), &json!("person_jwt")));

    let (head, rest) = token.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let header = |alg: &str| {
        let mut header = jose::header(&token);
        header["alg"] = json!(alg);
        URL_SAFE_NO_PAD.encode(header.to_string())
    };
    let mut forged = vec![
        ("tampered", format!("{head}.{payload}.{}", signature.chars().rev().collect::<String>())),
        ("none", format!("{}.{payload}.", header("none"))),
        ("none, signed", format!("{}.{payload}.{signature}", header("none"))),
        ("nonsense", "nonsense".to_owned()),
    ];
    let jwks = Ask::get(&castellan.at("/.well-known/jwks.json")).send().await.json();
    for key in jwks["keys"].as_array().unwrap() {
        let signed = format!("{}.{payload}", header("HS256"));
        let code = HmacKey::new(key.to_string().as_bytes()).code(signed.as_bytes());
        forged.push(("HS256", format!("{signed}.{}", URL_SAFE_NO_PAD.encode(code))));
    }
    for (what, forged) in &forged {
        let answer = things(&castellan, "jwt", Some(&format!("Bearer {forged}"))).await;
        assert_error(&answer, 401, "Invalid JWT Token");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer"), "{what}: {challenge}");
    }
    // In a header, and nowhere else.
    let in_query = castellan.at(&format!("/rest/jwt/things?access_token={token}&bearer={token}"));
    let answer = Ask::get(&in_query).send().await;
    assert!(matches!(answer.status.as_u16(), 400 | 401), "{answer:?}");
    let cookie =
        Ask::get(&castellan.at("/rest/jwt/things")).header("cookie", &format!("BEARER={token}"));
    assert_eq!(cookie.send().await.status, 401);
    assert!(recorder.seen().is_empty());

    castellan.advance_to(3_600);
    let answer = things(&castellan, "jwt", Some(&bearer)).await;
    assert_error(&answer, 401, "Expired JWT Token");
}

#[tokio::test]
async fn what_ends_a_persons_sessions_ends_passwords_and_jwts_that_a_node_remembers() {
    let (_recorder, castellan) = start().await;
    let (token, other) = (jwt(&castellan).await, jwt(&castellan).await);
    let (bearer, other) = (format!("Bearer {token}"), format!("Bearer {other}"));
    let password = basic("ann:pw-ann");
    for (guard, shown) in [("jwt", &bearer), ("jwt", &other), ("basic", &password)] {
        assert_eq!(things(&castellan, guard, Some(shown)).await.status, 200);
    }
    // One alone, by whoever holds it.
    let revoked = Ask::post(&castellan.at("/auth/revoke"))
        .header("authorization", &basic("robot:robot-secret"))
        .form(&[("token", &token)])
        .send()
        .await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    assert_eq!(things(&castellan, "jwt", Some(&bearer)).await.status, 401);
    assert_eq!(things(&castellan, "jwt", Some(&other)).await.status, 200);
    // All of them, by another process.
    let ann = PEOPLE.split("---").next().unwrap().replace("password: pw-ann", "password: new-ann");
    assert!(castellan.cli_with(&["apply", "-f", "-"], &ann).status.success());
    until(&castellan, "jwt", &other, 401).await;
    until(&castellan, "basic", &password, 401).await;
    assert_eq!(things(&castellan, "basic", Some(&basic("ann:new-ann"))).await.status, 200);
}

/// What `createToken` answers, and with which status.
async fn create(castellan: &Castellan, name: &str, password: &str) -> Value {
    let query = "mutation T($u:String!,$p:String!){createToken(username:$u,password:$p){token \
                 message}}";
    let body = json!({"query": query, "variables": {"u": name, "p": password}});
    let answer = Ask::post(&castellan.at("/graphql")).json(&body).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn ibexa_34_a_mutation_creates_a_token() {
    let (recorder, castellan) = start().await;
    let created = create(&castellan, "ann", "pw-ann").await;
    let payload = &created["data"]["createToken"];
    assert_eq!(payload["message"], Value::Null, "{created}");
    let token = payload["token"].as_str().unwrap();
    for (name, password) in [("ann", "wrong"), ("nobody", "pw-ann"), ("eve", "pw-eve"), ("ann", "")]
    {
        let refused = json!({"token": null, "message": "Wrong username or password"});
        let answer = create(&castellan, name, password).await;
        assert_eq!(answer, json!({"data": {"createToken": refused}}), "{name}");
    }
    let missing = "mutation { createToken(username: \"ann\") { token } }";
    let answer = castellan.graphql("/graphql", None, missing).await;
    assert!(answer.json()["errors"].is_array(), "{answer:?}");
    assert!(recorder.seen().is_empty(), "none of it is the API's");
    // On GraphQL and on REST alike.
    let answer = castellan.graphql("/graphql", Some(token), "{ hello }").await;
    assert_eq!(answer.json(), json!({"data": {"hello": "hi"}}), "{answer:?}");
    assert_eq!(things(&castellan, "jwt", Some(&format!("Bearer {token}"))).await.status, 200);
    let shown = castellan.graphql("/graphql", None, "{ __type(name:\"Mutation\"){fields{name}} }");
    assert!(shown.await.body.contains("createToken"));
}

const SITE_ACCESSES: &str = "
[[site_access]]
name = \"site\"
default = true
[[site_access]]
name = \"admin\"
";

const LOGINS: &str = r#"---
resourceType: Role
id: site
everybody: true
anonymous: true
login: [site]
---
resourceType: Role
id: admin
anonymous: true
users: ["15"]
login: [admin]
"#;

#[tokio::test]
async fn ibexa_35_a_jwt_is_neither_had_nor_taken_where_its_person_may_not_sign_in() {
    let (recorder, castellan) = start_with(SITE_ACCESSES, LOGINS).await;
    let at = |site_access: &'static str, path: &str| {
        Ask::post(&castellan.at(path)).header("x-siteaccess", site_access)
    };
    let create = async |site_access, name: &str, password: &str| {
        let query = format!(
            "mutation {{ createToken(username: \"{name}\", password: \"{password}\") {{ token }} }}"
        );
        let answer = at(site_access, "/graphql").json(&json!({"query": query})).send().await;
        answer.json()["data"]["createToken"]["token"].as_str().map(ToOwned::to_owned)
    };
    let ann = create("site", "ann", "pw-ann").await.unwrap();
    assert_eq!(create("admin", "ann", "pw-ann").await, None);
    assert!(create("admin", "bob", "pw:bob é").await.is_some());
    for (site_access, reaches) in [("site", true), ("admin", false)] {
        let ask = at(site_access, "/graphql").bearer(&ann).json(&json!({"query": "{ hello }"}));
        let answer = ask.send().await;
        assert_eq!(answer.body.contains("hi"), reaches, "{site_access}: {answer:?}");
        let body = input("ann", "pw-ann").to_string();
        let ask = at(site_access, "/rest/jwt/user/token/jwt");
        let traded = ask.body("application/vnd.ibexa.api.JWTInput+json", body).send().await;
        assert_eq!(traded.status, if reaches { 200 } else { 401 }, "{site_access}: {traded:?}");
    }
    assert_eq!(recorder.seen().len(), 1);
}

/// Row 40: guesses at one person's password are held up at every door, and hold up nobody else.
#[tokio::test]
async fn ibexa_40_guesses_are_counted_at_every_door_and_by_person() {
    let (_recorder, castellan) = start().await;
    let mut held_up = 0;
    for n in 0..20 {
        let answer = match n % 2 {
            0 => things(&castellan, "basic", Some(&basic("ann:wrong"))).await,
            _ => trade(&castellan, "jwt", &input("ann", "wrong")).await,
        };
        if answer.status == 429 {
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
            assert_eq!(answer.header("www-authenticate"), None, "{answer:?}");
            held_up += 1;
        }
    }
    assert!(held_up >= 9, "{held_up}");
    let answer = create(&castellan, "ann", "pw-ann").await;
    let message = &answer["data"]["createToken"]["message"];
    assert_eq!(message, "too many attempts; try again later", "not even the right one");
    assert_eq!(things(&castellan, "basic", Some(&basic("bob:pw:bob é"))).await.status, 200);
}

/// Each alias of a mutation is a guess of its own.
#[tokio::test]
async fn case_08_aliases_are_counted_one_by_one() {
    let (_recorder, castellan) = start().await;
    let guess =
        |n| format!("a{n}: createToken(username: \"ann\", password: \"p{n}\") {{ message }} ");
    let guesses = (0..20).map(guess).collect::<Vec<String>>().concat();
    let answer = castellan.graphql("/graphql", None, &format!("mutation {{ {guesses} }}")).await;
    let body = answer.json();
    let data = body["data"].as_object().unwrap();
    let checked =
        data.values().filter(|one| one["message"] == "Wrong username or password").count();
    assert!((1..=11).contains(&checked), "{body}");
}

/// A session of Ann's, as its cookie.
async fn session(castellan: &Castellan) -> String {
    let input = json!({"SessionInput": {"login": "ann", "password": "pw-ann"}});
    let answer = Ask::post(&castellan.at("/rest/session/user/sessions"))
        .header("accept", "application/vnd.ibexa.api.Session+json")
        .body("application/vnd.ibexa.api.SessionInput+json", input.to_string())
        .send()
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let session = &answer.json()["Session"];
    let text = |name: &str| session[name].as_str().unwrap().to_owned();
    format!("{}={}", text("name"), text("identifier"))
}

/// A request of somebody who shows `headers`.
async fn shows(castellan: &Castellan, guard: &str, headers: &[(&str, &str)]) -> Answer {
    let ask = Ask::get(&castellan.at(&format!("/rest/{guard}/things")))
        .header("accept", "application/vnd.ibexa.api.Things+json");
    headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value)).send().await
}

const SUBJECT: (&str, &str) = ("x-client-subject", "emailAddress=ann@example.org,CN=Ann");
const VERIFIED: (&str, &str) = ("x-client-verify", "SUCCESS");

/// Headers that show somebody.
type Shown = Vec<(&'static str, String)>;

fn owned((name, value): (&'static str, &str)) -> (&'static str, String) {
    (name, value.to_owned())
}

/// Credentials of every kind that are right nowhere, some of them made of a JWT of a person's and of
/// the cookie of a session.
fn wrong_credentials(person: &str, cookie: &str) -> Vec<Shown> {
    let naked = person.trim_start_matches("Bearer ");
    let (name, _) = cookie.split_once('=').unwrap();
    let authorizations = [
        basic("ann:wrong"),
        basic("nobody:pw-ann"),
        basic("robot:robot-secret"),
        basic("ann"),
        "Basic ***".to_owned(),
        "Basic".to_owned(),
        "Bearer".to_owned(),
        "Bearer nonsense".to_owned(),
        "Bearer a.b.c".to_owned(),
        person.rsplit_once('.').unwrap().0.to_owned(),
        format!("DPoP {naked}"),
        "Digest username=\"ann\"".to_owned(),
        "Negotiate abc".to_owned(),
        naked.to_owned(),
    ];
    let cookies = ["ASID=x".to_owned(), format!("{name}=x"), format!("{cookie}x")];
    let nobody = ("x-client-subject", "emailAddress=nobody@example.org".to_owned());
    let certificates = [
        vec![owned(SUBJECT)],
        vec![owned(VERIFIED)],
        vec![owned(SUBJECT), ("x-client-verify", "NONE".to_owned())],
        vec![owned(VERIFIED), nobody],
    ];
    let alone = |name| move |value| vec![(name, value)];
    let shown = authorizations.into_iter().map(alone("authorization"));
    shown.chain(cookies.into_iter().map(alone("cookie"))).chain(certificates).collect()
}

/// Every method with every credential that is not right there: 401 with the method's challenge, and
/// nothing reaches the API.
#[tokio::test]
async fn a_guard_takes_the_credentials_of_its_method_and_no_others() {
    let (recorder, castellan) = start().await;
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "robot"),
        ("client_secret", "robot-secret"),
    ];
    let answer = castellan.token(&pairs).await.json();
    let access = format!("Bearer {}", answer["access_token"].as_str().unwrap());
    let person = format!("Bearer {}", jwt(&castellan).await);
    let (password, cookie) = (basic("ann:pw-ann"), session(&castellan).await);
    let right: [(&str, Shown); 5] = [
        ("basic", vec![("authorization", password.clone())]),
        ("jwt", vec![("authorization", person.clone())]),
        ("oauth", vec![("authorization", access)]),
        ("session", vec![("cookie", cookie.clone())]),
        ("certificate", vec![owned(SUBJECT), owned(VERIFIED)]),
    ];
    for (guard, headers) in &right {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
        assert_eq!(shows(&castellan, guard, &headers).await.status, 200, "{guard}");
    }
    recorder.seen();
    let wrong = wrong_credentials(&person, &cookie);
    for (guard, challenge) in [
        ("basic", Some(REALM)),
        ("jwt", Some("Bearer")),
        ("oauth", Some("Bearer")),
        ("session", None),
        ("certificate", None),
    ] {
        let others = right.iter().filter(|(other, _)| *other != guard).map(|(_, shown)| shown);
        for headers in others.chain(&wrong) {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
            let answer = shows(&castellan, guard, &headers).await;
            assert_eq!(answer.status, 401, "{guard} with {headers:?}: {answer:?}");
            let found = answer.header("www-authenticate");
            // Where tokens can be bound to keys, one in that scheme is asked for in it (RFC 9449 §7.1).
            let is_bound =
                guard == "oauth" && headers.iter().any(|(_, value)| value.starts_with("DPoP "));
            let scheme = if is_bound { Some("DPoP") } else { challenge };
            let is_asked = match (found, scheme) {
                (Some(found), Some(scheme)) => found.starts_with(scheme),
                (found, scheme) => found == scheme,
            };
            assert!(is_asked, "{guard} with {headers:?}: {found:?}");
            assert_eq!(answer.header("set-cookie"), None, "{guard} with {headers:?}");
        }
        let missing = shows(&castellan, guard, &[]).await;
        assert_eq!(missing.status, 401, "{guard}: {missing:?}");
        assert_eq!(missing.header("www-authenticate"), challenge, "{guard}");
        let both = [("authorization", &*password), ("authorization", &*person)];
        let twice = shows(&castellan, guard, &both).await;
        // Where sessions count, `Authorization` is not looked at (§3).
        let status = if guard == "session" { 401 } else { 400 };
        assert_eq!(twice.status, status, "{guard}: {twice:?}");
    }
    assert!(recorder.seen().is_empty());
}
