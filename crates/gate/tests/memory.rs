//! What caches of documents take in memory: what they say that they take, whatever the documents
//! are made of.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{convert::Infallible, fmt::Write as _, fs, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use castellan_gate::{
    CachedDocuments, Caller, Credential, Gate, GuardSchema, Limits, Rules, SchemaSettings,
    Unavailable, Verifier,
};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use serde_json::json;
use tower::{Layer as _, ServiceExt as _};

const SDL: &str = "
type Query { person(id: ID, filter: Filter): Person self: Query secret: String id: ID }
type Person { id: ID name(of: String): String friends: [Person] }
input Filter { all: [Filter] ages: [Int] name: String }
";

struct Nobody;

#[async_trait]
impl Verifier for Nobody {
    async fn verify(&self, _: &Credential<'_>) -> Result<Caller, Unavailable> {
        Ok(Caller::invalid())
    }
}

/// Bytes that this process has in memory.
fn resident() -> usize {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    text.split_ascii_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

fn many(count: usize, of: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, at| {
        let _ = write!(text, "{} ", of(at));
        text
    })
}

/// Documents that are large in one way each, with how many of them are shown.
#[expect(clippy::too_many_lines, reason = "one list")]
fn shapes() -> Vec<(&'static str, usize, String)> {
    vec![
        ("short", 3_000, "{ id }".to_owned()),
        (
            "usual",
            1_200,
            format!("{{ person(id: 1) {{ {} }} }}", "id name friends { id } ".repeat(20)),
        ),
        ("fields", 16, format!("{{ person {{ {} }} }}", "id ".repeat(3_900))),
        ("lines", 5, format!("{{ id {} }}", "\n".repeat(50_000))),
        ("text", 20, format!("{{ person(id: \"{}\") {{ id }} }}", "x".repeat(100_000))),
        (
            "numbers",
            30,
            format!("{{ person(filter: {{ages: [{}]}}) {{ id }} }}", "1 ".repeat(3_900)),
        ),
        (
            "objects",
            30,
            format!("{{ person(filter: {{all: [{}]}}) {{ id }} }}", "{} ".repeat(2_500)),
        ),
        (
            "members",
            20,
            format!("{{ person(filter: {{all: [{}]}}) {{ id }} }}", "{name:\"\"} ".repeat(1_200)),
        ),
        ("arguments", 16, format!("{{ person {{ {} }} }}", "name(of: \"\") ".repeat(900))),
        ("directives", 16, format!("{{ person {{ {} }} }}", "id @skip(if: true) ".repeat(700))),
        (
            "fragments",
            16,
            format!(
                "{{ person {{ {} }} }} {}",
                many(400, |at| format!("...F{at}")),
                many(400, |at| format!("fragment F{at} on Person {{ id }}"))
            ),
        ),
        ("inline", 16, format!("{{ person {{ {} }} }}", "...{id} ".repeat(1_500))),
        (
            "operations",
            16,
            format!("query Z {{ id }} {}", many(700, |at| format!("query Q{at} {{ id }}"))),
        ),
        (
            "variables",
            16,
            format!(
                "query Z({}) {{ person(filter: {{ages: [{}]}}) {{ id }} }}",
                many(800, |at| format!("$v{at}: Int")),
                many(800, |at| format!("$v{at}"))
            ),
        ),
        (
            "denied",
            100,
            format!("{{ {} {} {} }}", "self { ".repeat(20), "secret ".repeat(30), "}".repeat(20)),
        ),
        (
            "holders",
            16,
            format!(
                "{{ ...F0 }} {}",
                many(9, |at| match at {
                    8 => "fragment F8 on Query { self { __typename } }".to_owned(),
                    _ => format!(
                        "fragment F{at} on Query {{ a: self {{ ...F{0} }} b: self {{ ...F{0} }} }}",
                        at + 1
                    ),
                })
            ),
        ),
    ]
}

/// Shows `gate` each of `documents`, and gives the statuses.
async fn show(gate: &Gate, document: &str, at: usize, operation: Option<&str>) -> (u16, String) {
    let behind = tower::service_fn(|_: Request<Full<Bytes>>| async {
        let answer = Response::builder().header("content-type", "application/json");
        Ok::<_, Infallible>(answer.body(Full::from(r#"{"data":{}}"#)).unwrap())
    });
    let query = format!("{document} # {at}");
    let body = json!({"query": query, "operationName": operation}).to_string();
    let request = Request::post("/graphql").header("content-type", "application/json");
    let request = request.body(Full::from(body)).unwrap();
    let answer = gate.layer(behind).oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&text[..text.len().min(300)]).into_owned())
}

#[tokio::test]
async fn a_cache_takes_what_it_says_whatever_documents_are_made_of() {
    let (mut gates, mut over) = (Vec::new(), Vec::new());
    for (name, count, document) in shapes() {
        let rules = Rules {
            public: vec!["Query:*".to_owned().try_into().unwrap()],
            limits: Limits { aliases: 1_000, root_fields: 2_000, ..Limits::default() },
            ..Rules::default()
        };
        let schema = Arc::new(GuardSchema::build(SDL, &SchemaSettings::default()).unwrap());
        let gate = Gate::new(schema, rules, Arc::new(Nobody));
        let before = resident();
        let operation = document.starts_with("query").then_some("Z");
        for at in 0..count {
            let (status, said) = show(&gate, &document, at, operation).await;
            assert_eq!(status, 200, "{name}: {said}");
        }
        let took = resident().saturating_sub(before);
        let CachedDocuments { count: held, bytes: says } = gate.cached_documents();
        let percent = took as u64 * 100 / says;
        println!("{name:10} {held:>6} held, says {says:>9}, took {took:>9}: {percent} %");
        assert!(says <= 32 * 1024 * 1024, "{name}: {says}");
        assert!(held < 1_200 || name == "short", "{name} does not fill the cache");
        if percent > 125 {
            over.push(format!("{name}: {percent} % of what it says"));
        }
        gates.push(gate);
    }
    assert!(over.is_empty(), "{over:?}");
}
