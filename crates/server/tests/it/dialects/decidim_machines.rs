//! `docs/contracts/decidim.md` §10, items 4 to 16, 36, 39, 41 and 43: machine users. Those about a
//! second tenant are in `sites`.

use serde_json::{Value, json};

use crate::support::{
    castellan::{Archive, Castellan, Plan},
    jose::{claims, header},
    wire::{Answer, Ask},
};

const SECRET: &str = "PASTE_API_SECRET_HERE";
const PROBE: &str = "{ session { user { id name nickname } } }";
const DOCUMENTS: &str = r#"
resourceType: ApiCredential
id: nightly-sync
name: Night sync
secret: PASTE_API_SECRET_HERE
scope: ["api:read", "api:write"]
---
resourceType: User
id: ana
userName: ana
password: pw-ana-1234
emails: [{value: ana@example.org}]
"#;

async fn start(config: &str, environment: Vec<(&'static str, String)>) -> Castellan {
    let secret = ("DECIDIM_API_JWT_SECRET", "s3cret-of-the-api".to_owned());
    Castellan::start(Plan {
        config: config.to_owned(),
        documents: DOCUMENTS.to_owned(),
        environment: std::iter::once(secret).chain(environment).collect(),
        ..Plan::default()
    })
    .await
}

fn guard(archive: &Archive) -> String {
    format!(
        "[[guard]]\nname = \"api\"\npath = \"/api\"\ndialect = \"decidim\"\nupstream = \"{}\"\n",
        archive.url
    )
}

fn sign_in(castellan: &Castellan, secret: &str) -> Ask {
    Ask::post(&castellan.at("/api/sign_in"))
        .form(&[("api_user[key]", "nightly-sync"), ("api_user[secret]", secret)])
}

async fn token(castellan: &Castellan) -> String {
    let answer = sign_in(castellan, SECRET).send().await;
    answer.json()["jwt_token"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

async fn probe(castellan: &Castellan, token: &str, audience: Option<&str>) -> Value {
    let ask = Ask::post(&castellan.at("/api")).json(&json!({"query": PROBE})).bearer(token);
    let ask = match audience {
        Some(audience) => ask.header("x-jwt-aud", audience),
        None => ask,
    };
    let answer = ask.send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["data"]["session"].clone()
}

fn assert_failed(answer: &Answer) {
    assert_eq!(answer.status, 403, "{answer:?}");
    let nothing = r#"{"id":null,"name":null,"nickname":null,"jwt_token":null,"avatar":null}"#;
    assert_eq!(answer.body, nothing);
    assert_eq!((answer.header("authorization"), answer.header("set-cookie")), (None, None));
}

#[tokio::test]
async fn decidim_04_a_machine_signs_in_by_form() {
    let castellan = start("", vec![]).await;
    let answer = sign_in(&castellan, SECRET).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    let jwt = body["jwt_token"].as_str().unwrap();
    assert_eq!(answer.header("authorization"), Some(&*format!("Bearer {jwt}")));
    assert!(body["id"].is_u64(), "{body}");
    assert_eq!((&body["name"], &body["nickname"]), (&json!("Night sync"), &json!("night_sync")));
    assert_eq!(body["avatar"], json!(null));
    assert_eq!(answer.header("set-cookie"), None);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

/// The recipe of the document: `curl -i … | grep Authorization | cut -d' ' -f2-`.
#[tokio::test]
async fn decidim_05_the_shell_recipe_prints_one_line() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let castellan = start("", vec![]).await;
    let address = castellan.url.replace("http://localhost", "127.0.0.1");
    let mut socket = tokio::net::TcpStream::connect(&address).await.unwrap();
    let body = format!("api_user[key]=nightly-sync&api_user[secret]={SECRET}");
    let request = format!(
        "POST /api/sign_in HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let lines: Vec<_> = answer.lines().filter(|line| line.contains("Authorization")).collect();
    assert_eq!(lines.len(), 1, "{answer}");
    let bearer = lines[0].split_once(' ').unwrap().1;
    assert!(bearer.starts_with("Bearer ") && bearer.matches('.').count() == 2, "{bearer}");
}

#[tokio::test]
async fn decidim_06_a_machine_signs_in_by_json_and_multipart() {
    let castellan = start("", vec![]).await;
    let api_user = json!({"api_user": {"key": "nightly-sync", "secret": SECRET}});
    let answer = Ask::post(&castellan.at("/api/sign_in")).json(&api_user).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let part = |name: &str, value: &str| {
        format!(
            "--x\r\nContent-Disposition: form-data; name=\"api_user[{name}]\"\r\n\r\n{value}\r\n"
        )
    };
    let body = part("key", "nightly-sync") + &part("secret", SECRET) + "--x--\r\n";
    let ask =
        Ask::post(&castellan.at("/api/sign_in")).body("multipart/form-data; boundary=x", body);
    let answer = ask.send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn decidim_07_the_token_says_what_the_contract_says() {
    let castellan = start("", vec![]).await;
    let (one, two) = (token(&castellan).await, token(&castellan).await);
    assert_eq!(header(&one), json!({"alg": "HS256", "typ": "JWT"}));
    let said = claims(&one);
    let mut names: Vec<_> = said.as_object().unwrap().keys().cloned().collect();
    names.sort();
    assert_eq!(names, ["aud", "exp", "iat", "jti", "scp", "sub"]);
    assert!(said["sub"].is_string(), "{said}");
    assert_eq!((&said["scp"], &said["aud"]), (&json!("api_user"), &json!(null)));
    assert_eq!(said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(), 7_200);
    let jti = said["jti"].as_str().unwrap();
    let parts: Vec<_> = jti.split('-').map(str::len).collect();
    assert_eq!(parts, [8, 4, 4, 4, 12], "{jti}");
    assert_eq!(jti.as_bytes()[14], b'4', "{jti}");
    assert_ne!(claims(&two)["jti"], said["jti"]);
}

#[tokio::test]
async fn decidim_08_every_failure_is_the_same_answer() {
    let castellan = start("", vec![]).await;
    let post = |pairs: &[(&str, &str)]| Ask::post(&castellan.at("/api/sign_in")).form(pairs);
    assert_failed(&sign_in(&castellan, "wrong").send().await);
    for pairs in [
        &[("api_user[key]", "unknown"), ("api_user[secret]", SECRET)][..],
        &[],
        &[("api_user[key]", "nightly-sync")],
        &[("user[email]", "ana@example.org"), ("user[password]", "pw-ana-1234")],
        &[("api_user[key]", "ana"), ("api_user[secret]", "pw-ana-1234")],
        &[("api_user[key]", "x"), ("api_user[key]", "nightly-sync"), ("api_user[secret]", SECRET)],
    ] {
        assert_failed(&post(pairs).send().await);
    }
    let plain = Ask::post(&castellan.at("/api/sign_in")).body("text/plain", "x");
    assert_failed(&plain.send().await);
}

#[tokio::test]
async fn decidim_10_the_token_names_its_user() {
    let castellan = start("", vec![]).await;
    let session = probe(&castellan, &token(&castellan).await, None).await;
    assert!(session["user"]["id"].is_string(), "{session}");
    assert_eq!(session["user"]["name"], "Night sync");
    assert_eq!(session["user"]["nickname"], "@night_sync");
    let shown = castellan.said(&["get", "ApiCredential", "nightly-sync"]);
    assert!(shown.contains("\nused: "), "when it signed in last: {shown}");
}

#[tokio::test]
async fn decidim_11_the_token_is_nobodys_for_another_audience() {
    let castellan = start("", vec![]).await;
    let token = token(&castellan).await;
    assert_eq!(probe(&castellan, &token, Some("anything")).await, json!(null));
}

#[tokio::test]
async fn decidim_13_a_machine_writes() {
    let archive = Archive::start().await;
    let castellan = start(&guard(&archive), vec![]).await;
    let token = token(&castellan).await;
    let write = "mutation { CreatePerson(name: \"Machine\") { name } }";
    let answer = castellan.graphql("/api", Some(&token), write).await;
    assert_eq!(answer.json(), json!({"data": {"CreatePerson": {"name": "Machine"}}}));
    let both = format!("{{ Person(first: 1) {{ name }} {} }}", &PROBE[2..PROBE.len() - 2]);
    let answer = castellan.graphql("/api", Some(&token), &both).await.json();
    assert!(answer["data"]["Person"][0]["name"].is_string(), "{answer}");
    assert_eq!(answer["data"]["session"]["user"]["name"], "Night sync");
}

/// A machine user has the scopes of its document, and no more.
#[tokio::test]
async fn a_machine_user_does_what_it_may_alone() {
    let archive = Archive::start().await;
    let castellan = start(&guard(&archive), vec![]).await;
    let narrow = DOCUMENTS.split("---").next().unwrap().replace(", \"api:write\"", "");
    assert!(castellan.cli_with(&["apply", "-f", "-"], &narrow).status.success());
    let token = token(&castellan).await;
    let read = castellan.graphql("/api", Some(&token), "{ Person(first: 1) { name } }").await;
    assert!(read.json()["data"]["Person"][0]["name"].is_string(), "{read:?}");
    let write = "mutation { CreatePerson(identifier: \"x\", name: \"x\") { name } }";
    let answer = castellan.graphql("/api", Some(&token), write).await.json();
    assert_eq!(answer["data"], json!(null));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "INSUFFICIENT_SCOPE", "{answer}");
    let there = archive.ask("{ Person(identifier: \"x\") { name } }").await;
    assert_eq!(there["data"]["Person"], json!([]));
}

/// `docs/rules.md` rule 19: one schema of the API's and ours, introspection included, and `session`
/// is answered when the API is down.
#[tokio::test]
async fn session_is_part_of_the_apis_schema() {
    let archive = Archive::start().await;
    let castellan = start(&guard(&archive), vec![]).await;
    let token = token(&castellan).await;
    let query = "{ __schema { queryType { fields { name } } } \
                 session: __type(name: \"CastellanSession\") { fields { name } } \
                 person: __type(name: \"Person\") { fields { name } } }";
    let answer = castellan.graphql("/api", Some(&token), query).await.json();
    let names = |at: &Value| {
        let names = at["fields"].as_array().unwrap().iter().map(|one| one["name"].clone());
        names.collect::<Vec<_>>()
    };
    let fields = names(&answer["data"]["__schema"]["queryType"]);
    assert!(fields.contains(&json!("session")) && fields.contains(&json!("Person")), "{answer}");
    assert_eq!(names(&answer["data"]["session"]), ["user"]);
    assert!(names(&answer["data"]["person"]).contains(&json!("birthDate")), "{answer}");
    drop(archive);
    assert_eq!(probe(&castellan, &token, None).await["user"]["name"], "Night sync");
}

async fn sign_out(castellan: &Castellan, path: &str, token: &str) -> Answer {
    Ask::new(http::Method::DELETE, &castellan.at(path)).bearer(token).send().await
}

#[tokio::test]
async fn decidim_14_sign_out_revokes() {
    let castellan = start("", vec![]).await;
    let token = token(&castellan).await;
    assert!(probe(&castellan, &token, None).await["user"].is_object());
    let answer = sign_out(&castellan, "/api/sign_out", &token).await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (200, ""));
    assert_eq!(probe(&castellan, &token, None).await, json!(null));
    assert_eq!(sign_out(&castellan, "/api/sign_out", &token).await.status, 200);
    let nobody = Ask::new(http::Method::DELETE, &castellan.at("/api/sign_out"));
    assert_eq!(nobody.send().await.status, 200);
    assert_eq!(Ask::post(&castellan.at("/api/sign_out")).send().await.status, 405);
}

#[tokio::test]
async fn decidim_15_a_query_string_changes_nothing() {
    let castellan = start("", vec![]).await;
    let token = token(&castellan).await;
    assert_eq!(sign_out(&castellan, "/api/sign_out?x=1", &token).await.status, 200);
    assert_eq!(probe(&castellan, &token, None).await, json!(null));
}

#[tokio::test]
async fn decidim_16_garbage_signs_nobody_out() {
    let castellan = start("", vec![]).await;
    let token = token(&castellan).await;
    for garbage in ["garbage", "a.b.c", &format!("{token}x")] {
        assert_eq!(sign_out(&castellan, "/api/sign_out", garbage).await.status, 401, "{garbage}");
    }
    assert!(probe(&castellan, &token, None).await["user"].is_object());
}

#[tokio::test]
async fn decidim_36_a_token_lives_as_long_as_is_set() {
    let minutes = ("DECIDIM_OAUTH_ACCESS_TOKEN_EXPIRES_IN", "1".to_owned());
    let castellan = start("", vec![minutes]).await;
    let token = token(&castellan).await;
    let said = claims(&token);
    assert_eq!(said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(), 60);
    assert!(probe(&castellan, &token, None).await["user"].is_object());
    castellan.advance_to(61);
    assert_eq!(probe(&castellan, &token, None).await, json!(null));
}

/// Through the command line, until a console stands.
#[tokio::test]
async fn decidim_39_a_secret_is_rotated_and_a_credential_deleted() {
    let castellan = start("", vec![]).await;
    let old = token(&castellan).await;
    let rotated = castellan.said(&["credential", "rotate", "nightly-sync"]);
    let secret = rotated.lines().next().unwrap().strip_prefix("secret: ").unwrap().to_owned();
    assert_eq!(secret.len(), 32);
    assert_failed(&sign_in(&castellan, SECRET).send().await);
    let answer = sign_in(&castellan, &secret).send().await;
    let new = answer.json()["jwt_token"].as_str().unwrap().to_owned();
    until_gone(&castellan, &old).await;
    assert!(probe(&castellan, &new, None).await["user"].is_object());
    castellan.said(&["delete", "ApiCredential", "nightly-sync"]);
    assert_failed(&sign_in(&castellan, &secret).send().await);
    until_gone(&castellan, &new).await;
}

/// With an overlap both secrets count for a while, and tokens stay.
#[tokio::test]
async fn a_rotation_may_overlap() {
    let castellan = start("", vec![]).await;
    let old = token(&castellan).await;
    let rotate = ["credential", "rotate", "nightly-sync", "--overlap-minutes", "10"];
    castellan.said(&rotate);
    assert_eq!(sign_in(&castellan, SECRET).send().await.status, 200);
    assert!(probe(&castellan, &old, None).await["user"].is_object());
    castellan.advance_to(601);
    assert_failed(&sign_in(&castellan, SECRET).send().await);
}

#[tokio::test]
async fn decidim_41_where_authentication_is_forced_machines_are_let_in() {
    let force = ("DECIDIM_API_FORCE_API_AUTHENTICATION", "1".to_owned());
    let castellan = start("", vec![force]).await;
    let ask = || Ask::post(&castellan.at("/api")).json(&json!({"query": PROBE}));
    let accepting = |ask: Ask| ask.header("accept", "application/json");
    let nobody = accepting(ask()).send().await;
    assert_eq!((nobody.status.as_u16(), &*nobody.body), (401, r#"{"error":"Access denied"}"#));
    assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));
    let garbage = accepting(ask()).bearer("garbage").send().await;
    assert_eq!((garbage.status.as_u16(), &*garbage.body), (401, r#"{"error":"Access denied"}"#));
    let token = token(&castellan).await;
    assert!(probe(&castellan, &token, None).await["user"].is_object());
    let person = Ask::get(&castellan.at("/api")).header("accept", "text/html").send().await;
    assert_eq!((person.status.as_u16(), person.location()), (302, "/auth/login"));
    // Signing in and out, and what clients have to find, stay within reach.
    assert_eq!(sign_in(&castellan, "wrong").send().await.status, 403);
    let metadata = Ask::get(&castellan.at("/.well-known/oauth-authorization-server")).send();
    assert_eq!(metadata.await.status, 200);
}

/// A guard of one's own may refuse the unknown as well, in the words of GraphQL.
#[tokio::test]
async fn a_guard_may_refuse_whoever_is_not_known() {
    let guard = "[[guard]]\nname = \"own\"\npath = \"/own\"\nsession = \"local\"\n\
                 anonymous = \"refused\"\npublic = [\"Query:*\"]\n";
    let castellan = start(guard, vec![]).await;
    let answer = castellan.graphql("/own", None, "{ __typename }").await;
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(answer.json()["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    let answer = castellan.graphql("/own", Some("garbage"), "{ __typename }").await;
    assert_eq!(answer.status, 401, "{answer:?}");
    let challenge = answer.header("www-authenticate");
    assert_eq!(challenge, Some("Bearer error=\"invalid_token\""));
    // It is refused before anything else is said, and the refusal can be explained.
    for ask in [
        Ask::post(&castellan.at("/own")).body("text/plain", "x"),
        Ask::post(&castellan.at("/own"))
            .header("accept", "text/html")
            .body("application/json", "[]"),
        Ask::new(http::Method::DELETE, &castellan.at("/own")),
    ] {
        assert_eq!(ask.send().await.status, 401);
    }
    let decision = answer.header("castellan-decision").unwrap();
    let explained = castellan.until_said(&["explain", decision]).await;
    assert!(explained.contains("guard      own at /own"), "{explained}");
    let said = castellan.said(&["explain", "--guard", "own", "--query", "{ __typename }"]);
    assert!(said.contains("DENIED: no_credential"), "{said}");
}

/// A machine user that is limited to addresses is nobody anywhere else, at sign-in and ever after.
#[tokio::test]
async fn a_machine_user_may_be_limited_to_addresses() {
    let proxy = ("CASTELLAN__SERVER__TRUSTED_PROXIES", "[\"127.0.0.1\"]".to_owned());
    let castellan = start("", vec![proxy]).await;
    let document = DOCUMENTS.split("---").next().unwrap().to_owned()
        + "addresses: [\"192.0.2.0/24\", \"2001:db8::1\"]\n";
    assert!(castellan.cli_with(&["apply", "-f", "-"], &document).status.success());
    let from = |ask: Ask, address: &str| ask.header("x-forwarded-for", address);
    let status = async |address: &str| {
        from(sign_in(&castellan, SECRET), address).send().await.status.as_u16()
    };
    for (address, expected) in [
        ("192.0.2.9", 200),
        ("2001:db8::1", 200),
        ("192.0.3.1", 403),
        ("2001:db8::2", 403),
        ("192.0.2.9, 192.0.3.1", 403),
        ("garbage", 403),
    ] {
        assert_eq!(status(address).await, expected, "{address}");
    }
    assert_failed(&sign_in(&castellan, SECRET).send().await);
    let answer = from(sign_in(&castellan, SECRET), "192.0.2.9").send().await;
    let token = answer.json()["jwt_token"].as_str().unwrap().to_owned();
    let session = async |address: &str| {
        let ask = Ask::post(&castellan.at("/api")).json(&json!({"query": PROBE})).bearer(&token);
        from(ask, address).send().await.json()["data"]["session"].clone()
    };
    assert!(session("192.0.2.1").await["user"].is_object());
    assert_eq!(session("192.0.3.1").await, json!(null));
    let explain = |from: &[&str]| {
        let query = ["explain", "--guard", "api", "--query", PROBE, "--token", &token];
        castellan.said(&[&query[..], from].concat())
    };
    assert!(explain(&["--from", "192.0.2.1"]).contains("machine_token"));
    assert!(explain(&[]).contains("an invalid credential"));
    for wrong in ["::ffff:192.0.2.0/120", "192.0.2.1/24", "example.org", "300.0.0.1", ""] {
        let document = document.replace("192.0.2.0/24", wrong);
        let output = castellan.cli_with(&["apply", "-f", "-"], &document);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("addresses: "), "{wrong}: {said}");
    }
}

/// §7: each variable means what it says, and what it cannot mean stops the start and names it.
#[tokio::test]
async fn the_variables_of_the_contract_are_read() {
    let castellan = start(
        "",
        vec![
            ("DECIDIM_API_JWT_EXPIRES_IN", "5".to_owned()),
            ("DECIDIM_SYSTEM_API_USERS_SECRET_LENGTH", "40".to_owned()),
        ],
    )
    .await;
    let said = claims(&token(&castellan).await);
    assert_eq!(said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(), 300);
    let added = castellan.said(&["credential", "add", "Long"]);
    let secret = added.split("secret: ").nth(1).unwrap().split_whitespace().next().unwrap();
    assert_eq!(secret.len(), 40, "{added}");
    for name in [
        "DECIDIM_API_JWT_EXPIRES_IN",
        "DECIDIM_OAUTH_ACCESS_TOKEN_EXPIRES_IN",
        "DECIDIM_SYSTEM_API_USERS_SECRET_LENGTH",
    ] {
        for value in ["0", "-1", "1.5", "2 hours", "x", "4294967296", "1000000"] {
            let environment = vec![
                ("DECIDIM_API_JWT_SECRET", "s3cret-of-the-api".to_owned()),
                (name, value.to_owned()),
            ];
            let why = Castellan::refuses(Plan { environment, ..Plan::default() }).await;
            assert!(why.contains(name), "{name}={value}: {why}");
        }
    }
}

#[tokio::test]
async fn a_machine_user_that_expires_is_nobody_from_then_on() {
    let castellan = start("", vec![]).await;
    let said = castellan.said(&["credential", "add", "A week", "--expires-in", "7d"]);
    let of = |name: &str| said.split(name).nth(1).unwrap().split_whitespace().next().unwrap();
    let (key, secret) = (of("key:"), of("secret:"));
    assert!(castellan.said(&["get", "ApiCredential", key]).contains("expires: "));
    let pairs = [("api_user[key]", key), ("api_user[secret]", secret)];
    let sign_in = || Ask::post(&castellan.at("/api/sign_in")).form(&pairs);
    castellan.advance_to(7 * 86_400 - 60);
    let answer = sign_in().send().await;
    let token =
        answer.json()["jwt_token"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned();
    assert!(probe(&castellan, &token, None).await["user"].is_object());
    castellan.advance_to(7 * 86_400 + 60);
    assert_failed(&sign_in().send().await);
    assert_eq!(probe(&castellan, &token, None).await, json!(null), "its token is over with it");
}

#[tokio::test]
async fn signing_out_with_a_slash_at_the_end_revokes_as_well() {
    let castellan = start("", vec![]).await;
    let token = token(&castellan).await;
    let url = castellan.at("/api/sign_out/");
    let answer = Ask::new(http::Method::DELETE, &url).bearer(&token).send().await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (200, ""));
    assert_eq!(probe(&castellan, &token, None).await, json!(null));
}

#[tokio::test]
async fn decidim_43_an_audience_named_at_sign_in_is_named_ever_after() {
    let castellan = start("", vec![]).await;
    let answer = sign_in(&castellan, SECRET).header("x-jwt-aud", "z").send().await;
    let token = answer.json()["jwt_token"].as_str().unwrap().to_owned();
    assert_eq!(claims(&token)["aud"], "z");
    assert!(probe(&castellan, &token, Some("z")).await["user"].is_object());
    assert_eq!(probe(&castellan, &token, None).await, json!(null));
}

/// Another process wrote it: the bound of the feed applies.
async fn until_gone(castellan: &Castellan, token: &str) {
    for _ in 0..40 {
        if probe(castellan, token, None).await == json!(null) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("the token still holds after a second");
}
