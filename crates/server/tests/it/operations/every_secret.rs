//! `docs/security-cases.md` row 48, for every setting and member that can hold a secret: of the wrong
//! type or in the wrong syntax, its value is in no answer and no output. The schemas say which these
//! are, so that a new one is tried as well.

use std::{collections::BTreeSet, path::Path};

use http::Method;
use serde_json::Value;

use crate::support::{
    castellan::{Castellan, command},
    fixtures::text,
    wire::Ask,
};

/// What must not be seen, as a text and as a number.
const SECRET: &str = "hunter2-hunter2-hunter2-hunter2-hunter2";
const NUMBER: &str = "424242424242";

/// Assert that `said` shows neither, not even a part.
fn assert_hidden(said: &str, of: &str) {
    let shown = ["unter2", "424242"].iter().any(|part| said.contains(part));
    assert!(!shown, "{of}\n{said}");
}

fn schema(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The way to a value: names of members, and `None` into a list.
type Way = Vec<Option<String>>;

/// A value of a schema, and how it is described.
struct Leaf {
    way: Way,
    is_secret: bool,
    is_list: bool,
    words: String,
}

/// All leaves below `schema`, a part of `root`.
fn leaves(root: &Value, schema: &Value, way: &mut Way, found: &mut Vec<Leaf>) {
    if way.len() > 6 {
        return;
    }
    if let Some(reference) = schema["$ref"].as_str() {
        if reference.ends_with("/Secret") {
            let words = String::new();
            found.push(Leaf { way: way.clone(), is_secret: true, is_list: false, words });
        } else {
            leaves(root, &root.pointer(&reference[1..]).unwrap().clone(), way, found);
        }
        return;
    }
    for choice in ["anyOf", "oneOf"].iter().filter_map(|name| schema[*name].as_array()).flatten() {
        leaves(root, choice, way, found);
    }
    let into = |step: Option<&str>, schema: &Value, way: &mut Way, found: &mut Vec<Leaf>| {
        way.push(step.map(ToOwned::to_owned));
        leaves(root, schema, way, found);
        way.pop();
    };
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        into(Some(name), member, way, found);
        if let Some(leaf) = found.last_mut().filter(|leaf| leaf.way.len() == way.len() + 1) {
            let description = member["description"].as_str().unwrap_or_default();
            leaf.words.extend([name, " ", description]);
        }
    }
    if schema["additionalProperties"].is_object() {
        into(Some("a"), &schema["additionalProperties"], way, found);
    }
    let items = &schema["items"];
    let is_plain = |kind: &Value| {
        ["string", "integer", "number", "boolean"].iter().any(|name| {
            kind == name || kind.as_array().is_some_and(|all| all.iter().any(|one| one == name))
        })
    };
    if is_plain(&items["type"]) || is_plain(&schema["type"]) {
        let is_list = items.is_object();
        found.push(Leaf { way: way.clone(), is_secret: false, is_list, words: String::new() });
    } else if items.is_object() {
        into(None, items, way, found);
    }
}

/// `value` at `way`, as TOML.
fn toml(way: &[Option<String>], value: &str) -> String {
    let list = way.iter().position(Option::is_none);
    let names: Vec<_> = way[..list.unwrap_or(way.len())].iter().flatten().cloned().collect();
    match list {
        None => format!("{} = {value}", names.join(".")),
        Some(at) if at + 1 == way.len() => format!("{} = [{value}]", names.join(".")),
        Some(at) => format!("{} = [{{ {} }}]", names.join("."), toml(&way[at + 1..], value)),
    }
}

/// The same as a value of JSON, which YAML reads as well.
fn json(way: &[Option<String>], value: &str) -> String {
    match way {
        [] => value.to_owned(),
        [None, rest @ ..] => format!("[{}]", json(rest, value)),
        [Some(name), rest @ ..] => format!("{{\"{name}\": {}}}", json(rest, value)),
    }
}

/// What a secret is mistaken for.
fn wrong_in_toml() -> Vec<String> {
    [
        "[\"S\"]",
        "[[\"S\"]]",
        "{ x = \"S\" }",
        "{ S = 1 }",
        "{ env = [\"S\"] }",
        "{ env = \"S\", file = \"S\" }",
        "N",
        "\"S",
        "'S",
        "S",
        "\"S\" S",
        "\"\"\"S",
        "\"S\\q\"",
    ]
    .map(|form| form.replace('S', SECRET).replace('N', NUMBER))
    .into()
}

/// What `castellan config check` says about the file `config`, with these variables.
fn check(config: &str, variables: &[(String, String)]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("castellan.toml");
    std::fs::write(&path, config).unwrap();
    let mut command = command(variables);
    let done = command.arg("--config").arg(&path).args(["config", "check"]).output().unwrap();
    let said = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (done.status.success(), said.concat())
}

fn settings() -> Vec<Leaf> {
    let root = schema("castellan.schema.json");
    let mut found = Vec::new();
    leaves(&root, &root, &mut Vec::new(), &mut found);
    found
}

#[test]
fn case_48_no_setting_that_is_a_secret_is_shown_by_what_is_wrong_with_it() {
    let all = settings();
    let secrets: BTreeSet<&Way> =
        all.iter().filter(|leaf| leaf.is_secret).map(|leaf| &leaf.way).collect();
    assert!(secrets.len() >= 7, "{secrets:?}");
    for way in secrets {
        for wrong in wrong_in_toml() {
            let config = toml(way, &wrong);
            let (is_good, said) = check(&config, &[]);
            assert!(!is_good, "{config}\n{said}");
            assert_hidden(&said, &config);
        }
        // The list around it, or one in place of its table.
        let table = way.iter().take(way.len() - 1).cloned().collect::<Way>();
        for wrong in [format!("[\"{SECRET}\"]"), format!("[[\"{SECRET}\", \"{SECRET}\"]]")] {
            let config = toml(&table, &wrong);
            let (is_good, said) = check(&config, &[]);
            assert!(!is_good, "{config}\n{said}");
            assert_hidden(&said, &config);
        }
        if way.iter().all(Option::is_some) {
            let names: Vec<_> = way.iter().flatten().map(|one| one.to_uppercase()).collect();
            let name = format!("CASTELLAN__{}", names.join("__"));
            for wrong in wrong_in_toml() {
                let (_, said) = check("", &[(name.clone(), wrong.clone())]);
                assert_hidden(&said, &format!("{name}={wrong}"));
            }
        }
    }
}

#[test]
fn case_48_no_setting_that_is_a_url_shows_a_password_or_a_query() {
    let is_url = |leaf: &&Leaf| {
        let words = leaf.words.to_lowercase();
        ["url", "origin"].iter().any(|word| words.contains(word))
    };
    let all = settings();
    let urls: Vec<_> = all.iter().filter(|leaf| !leaf.is_secret).filter(is_url).collect();
    let has =
        |name: &str| urls.iter().any(|leaf| leaf.way.last().unwrap().as_deref() == Some(name));
    assert!(["url", "upstream", "private_origins", "issuer"].into_iter().all(has));
    for leaf in urls {
        for url in [
            format!("https://a:{SECRET}@b.example"),
            format!("https://a:{SECRET}@"),
            format!("https://b.example/?key={SECRET}"),
            format!("postgres://a:{SECRET}@b:c/d"),
            SECRET.to_owned(),
        ] {
            let value = if leaf.is_list { format!("[\"{url}\"]") } else { format!("\"{url}\"") };
            let mut config = toml(&leaf.way, &value);
            if leaf.way.first().and_then(Option::as_deref) == Some("guard") {
                let inner = toml(&leaf.way[2..], &value);
                config = format!(
                    "[[guard]]\nname = \"a\"\npath = \"/a\"\nschema = \"a.graphql\"\n{inner}\n"
                );
            }
            let (_, said) = check(&config, &[]);
            assert_hidden(&said, &config);
        }
    }
}

#[test]
fn case_48_no_variable_of_the_contracts_is_shown_by_what_is_wrong_with_it() {
    let mut wrong = wrong_in_toml();
    wrong.extend([
        format!("[{{\"id\": \"a\", \"apiKey\": \"{SECRET}"),
        format!("[{{\"id\": \"a\", \"apiKey\": {NUMBER}, \"scopes\": []}}]"),
        format!("[{{\"id\": \"{SECRET}\", \"scopes\": \"{SECRET}\"}}]"),
        format!("[{{\"{SECRET}\": 1}}]"),
    ]);
    for name in ["JWT_SECRET", "DECIDIM_API_JWT_SECRET", "JWT_AUTH_KEYS", "JWT_EXPIRES"] {
        for value in &wrong {
            let (_, said) = check("", &[(name.to_owned(), value.clone())]);
            assert_hidden(&said, &format!("{name}={value}"));
        }
    }
}

const TOOL: &str = r#"
resourceType: Client
id: admin-tool
secret: a-secret-for-the-tool
grant_types: [client_credentials]
scope: ["Castellan:*"]
"#;

/// Values in the wrong syntax, and of wrong types.
const WRONG: [(&str, &str); 9] = [
    ("application/json", "\"S"),
    ("application/json", "\"S\" S"),
    ("text/yaml", "*S"),
    ("text/yaml", "!!int S"),
    ("application/json", "[\"S\"]"),
    ("application/json", "{\"S\": \"S\"}"),
    ("application/json", "[[\"S\"]]"),
    ("application/json", "N"),
    ("text/yaml", "[S, {S: N}]"),
];

/// All members of documents: of which of them somebody writes a secret into is not for us to say.
#[tokio::test]
async fn case_48_no_member_of_a_document_is_shown_by_what_is_wrong_with_it() {
    let castellan = Castellan::with_documents(TOOL).await;
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "admin-tool"),
        ("client_secret", "a-secret-for-the-tool"),
    ];
    let token = text(&castellan.token(&pairs).await.json(), "access_token").to_owned();
    let root = schema("openapi.json");
    let (mut tried, mut secrets) = (0, 0);
    for (kind, schema) in root["components"]["schemas"].as_object().unwrap() {
        let mut found = Vec::new();
        leaves(&root, schema, &mut Vec::new(), &mut found);
        for leaf in found {
            secrets += usize::from(leaf.is_secret);
            // What is no secret may be shown where a text of its type is not good.
            let wrong = if leaf.is_secret { &WRONG[..] } else { &WRONG[..4] };
            for (media_type, wrong) in wrong {
                let value = wrong.replace('S', SECRET).replace('N', NUMBER);
                let body = json(&leaf.way, &value);
                let url = castellan.at(&format!("/{kind}/z"));
                let ask = Ask::new(Method::PUT, &url).bearer(&token);
                let answer = ask.body(media_type, body.clone()).send().await;
                if !answer.status.is_success() {
                    assert_hidden(&format!("{answer:?}"), &format!("{kind}: {body}"));
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 500 && secrets >= 9, "{tried} {secrets}");
    let log = std::fs::read_to_string(castellan.path("stderr")).unwrap();
    assert_hidden(&log, "the log");
}
