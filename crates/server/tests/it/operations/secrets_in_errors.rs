//! `docs/security-cases.md` row 48: what is wrong with an input is told by its place and never by a
//! value; and no input says one thing twice.

use http::Method;
use serde_json::Value;

use crate::support::{
    castellan::{Castellan, Plan},
    wire::{Answer, Ask},
};

const TOOL: &str = r#"
resourceType: Client
id: admin-tool
secret: a-secret-for-the-tool
grant_types: [client_credentials]
scope: ["Castellan:*"]
"#;

async fn put(castellan: &Castellan, path: &str, media_type: &str, body: &str) -> Answer {
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "admin-tool"),
        ("client_secret", "a-secret-for-the-tool"),
    ];
    let token = castellan.token(&pairs).await.json()["access_token"].as_str().unwrap().to_owned();
    let ask = Ask::new(Method::PUT, &castellan.at(path)).bearer(&token);
    ask.body(media_type, body.to_owned()).send().await
}

fn diagnostics(answer: &Answer) -> String {
    let outcome: Value = answer.json();
    outcome["issue"][0]["diagnostics"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn case_48_a_document_of_the_wrong_type_names_the_member_and_no_value() {
    let castellan = Castellan::with_documents(TOOL).await;
    for (path, members, said) in [
        ("User/z", r#""userName": "z", "password": 20261130991234"#, "password: expected a string"),
        ("User/z", r#""userName": "z", "password": ["hunter2"]"#, "password: expected a string"),
        ("User/z", r#""userName": "z", "name": "hunter2"#, "name: expected an object"),
        (
            "User/z",
            r#""userName": "z", "emails": [{"value": 424242}]"#,
            "emails[0].value: expected",
        ),
        ("Client/z", r#""grant_types": [], "secret": 424242"#, "secret: expected a string"),
        ("Client/z", r#""grant_types": [], "type": "hunter2""#, "type: expected "),
        ("Client/z", r#""grant_types": [], "redirect_uris": ["hunter2"]"#, "redirect_uris[0]: the"),
        (
            "ApiCredential/z",
            r#""name": "z", "secret": {"hunter2": 1}"#,
            "secret: expected a string",
        ),
        ("AuthKey/z", r#""scopes": ["*"], "apiKey": 424242"#, "apiKey: expected a string"),
        ("AuthKey/z", r#""scopes": ["*"], "apiKeys": "hunter2""#, "apiKeys: expected a list"),
    ] {
        let members =
            if members.ends_with("hunter2") { format!("{members}\"") } else { members.to_owned() };
        let (kind, id) = path.split_once('/').unwrap();
        let document = format!("{{\"resourceType\": \"{kind}\", \"id\": \"{id}\", {members}}}");
        let answer = put(&castellan, &format!("/{path}"), "application/json", &document).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        let told = diagnostics(&answer);
        assert!(told.starts_with(&format!("{path}: {said}")), "{told}");
        let applied = castellan.cli_with(&["apply", "-f", "-"], &document);
        let written = String::from_utf8(applied.stderr).unwrap();
        assert!(!applied.status.success() && written.contains(&told), "{written}");
        for text in [&told, &written] {
            assert!(
                !["hunter2", "424242", "2026"].iter().any(|value| text.contains(value)),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn case_48_a_document_that_does_not_read_shows_its_place_and_no_line() {
    let castellan = Castellan::with_documents(TOOL).await;
    for (media_type, body, place) in [
        ("application/json", "{\n\"userName\": \"z\",\n\"password\": \"hunter2", "line 3, column "),
        (
            "application/json",
            "{\"userName\": \"z\", \"password\": \"a\" hunter2}",
            "line 1, column ",
        ),
        ("text/yaml", "userName: z\npassword: \"hunter2\n", "line "),
        ("text/yaml", "userName: z\npassword: !!int hunter2\n", "line 2, column "),
        ("text/yaml", "userName: z\npassword: *hunter2\n", "line 2, column "),
    ] {
        let answer = put(&castellan, "/User/z", media_type, body).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        let told = diagnostics(&answer);
        assert!(told.contains(place) && !told.contains("hunter2"), "{told}");
        let applied = castellan.cli_with(&["apply", "-f", "-"], body);
        let written = String::from_utf8(applied.stderr).unwrap();
        assert!(!applied.status.success(), "{written}");
        assert!(written.contains("standard input, document 1 (line 1): line "), "{written}");
        assert!(!written.contains("hunter2"), "{written}");
    }
    std::fs::write(castellan.path("latin.yaml"), b"userName: z\npassword: hunter2\xe9\n").unwrap();
    let latin = castellan.path("latin.yaml").display().to_string();
    let applied = castellan.cli(&["apply", "-f", &latin]);
    let written = String::from_utf8(applied.stderr).unwrap();
    let wanted = "latin.yaml: line 2 is not valid UTF-8; save the file as UTF-8";
    assert!(written.contains(wanted) && !written.contains("hunter2"), "{written}");
}

#[tokio::test]
async fn a_document_that_names_a_member_twice_is_refused_at_every_door() {
    let castellan = Castellan::with_documents(TOOL).await;
    let json = r#"{"resourceType": "User", "id": "z", "userName": "z", "name": {"givenName": "a", "givenName": "b"}}"#;
    let top = r#"{"userName": "z", "password": "hunter2-hunter2", "password": "hunter2-hunter3"}"#;
    let yaml = "userName: z\npassword: hunter2-hunter2\npassword: hunter2-hunter3\n";
    for (media_type, body) in
        [("application/json", json), ("application/json", top), ("text/yaml", yaml)]
    {
        let answer = put(&castellan, "/User/z", media_type, body).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        let told = diagnostics(&answer);
        assert!(told.contains("occurs twice") && !told.contains("hunter"), "{told}");
        let applied = castellan.cli_with(&["apply", "-f", "-"], body);
        let written = String::from_utf8(applied.stderr).unwrap();
        assert!(written.contains("occurs twice") && !written.contains("hunter"), "{written}");
    }
    let castellan = Castellan::start(Plan {
        environment: vec![
            ("JWT_SECRET", "a-secret-of-32-bytes-at-the-least".to_owned()),
            ("DECIDIM_API_JWT_SECRET", "another-secret-of-32-bytes-or-more".to_owned()),
        ],
        ..Plan::default()
    })
    .await;
    let doubled = r#"{"id": "a", "apiKey": "x", "scopes": ["*"], "scopes": ["Mutation:*"]}"#;
    let answer = Ask::post(&castellan.at("/jwt")).body("application/json", doubled).send().await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let doubled = r#"{"api_user": {"key": "a", "secret": "x"}, "x": {"b": 1, "b": 2}}"#;
    let sign_in = Ask::post(&castellan.at("/api/sign_in")).body("application/json", doubled);
    assert_eq!(sign_in.send().await.status, 403);
}

/// `docs/security-cases.md` row 48.
#[tokio::test]
async fn case_48_a_secret_of_the_wrong_type_in_the_configuration_is_not_shown() {
    for (config, said) in [
        ("[jwt]\nsecret = [\"hunter2-hunter2-hunter2-hunter2-hunter2\"]\n", "jwt.secret: expected"),
        ("[data]\nmaster_key = [\"hunter2\"]\n", "data.master_key: expected a string"),
        (
            "[decidim]\napi_jwt_secret = [\"hunter2\"]\n",
            "decidim.api_jwt_secret: expected a string",
        ),
        ("[jwt]\nsecret = \"hunter2\n", "line 8, column "),
    ] {
        let refused =
            Castellan::refuses(Plan { config: config.to_owned(), ..Plan::default() }).await;
        assert!(refused.contains(said) && !refused.contains("unter2"), "{config}: {refused}");
        assert!(refused.contains("castellan.toml: line 8, column "), "{config}: {refused}");
    }
}
