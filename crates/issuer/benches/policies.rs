//! What policies cost: reading one, and a decision, in each engine.
//!
//! `cargo bench -p castellan-issuer --features cedar`. Each figure is the median of several runs in
//! one process.
#![expect(clippy::expect_used, reason = "a wrong rule is a fault of the measurement")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use castellan_issuer::policy::{Policy, Request, Rule, RuleDocument, allows, evaluate};
use serde_json::{Value, json};

/// Runs of which the median is told.
const RUNS: usize = 15;
/// Decisions in each run.
const DECISIONS: u32 = 1_000;

const CEDAR: &str = r#"permit(principal in Group::"editors", action in Action::"Mutation:Order", resource)
    when { principal is User && context.arguments.input.owner == principal.id };
    forbid(principal, action, resource)
    when { context has remote_addr && !context.remote_addr.isInRange(ip("203.0.113.0/24")) };"#;

/// What a guard shows of a mutation.
fn document() -> Value {
    json!({
        "request-method": "post", "scheme": "https", "uri": "/graphql",
        "remote-addr": "203.0.113.7", "params": {}, "headers": {"x-tenant": "north"},
        "user": {
            "resourceType": "User", "id": "ann", "userName": "ann@a.test",
            "groups": [{"value": "editors"}, {"value": "staff"}],
        },
        "client": {"resourceType": "Client", "id": "portal", "type": "public"},
        "session": {"id": "s", "scope": "Query:* openid"},
        "site": {"id": "main"},
        "guard": {"name": "api"},
        "fields": ["Order.id", "User.email"],
        "arguments": {"id": "7", "input": {"owner": "ann", "count": 3}, "tags": ["a"]},
    })
}

fn rule(document: Value) -> RuleDocument {
    serde_json::from_value(document).expect("the rule is one")
}

/// Policies of one engine that are met by [`document`].
fn rules() -> [(&'static str, RuleDocument); 3] {
    [
        (
            "matcho",
            rule(json!({
                "engine": "matcho",
                "matcho": {"user": {"groups": {"$contains": {"value": "editors"}}},
                           "arguments": {"input": {"owner": ".user.id"}}},
            })),
        ),
        (
            "json-schema",
            rule(json!({
                "engine": "json-schema",
                "schema": {
                    "required": ["user"],
                    "properties": {"arguments": {"required": ["input"]},
                                   "remote-addr": {"pattern": "^203\\.0\\.113\\."}},
                },
            })),
        ),
        (
            "cedar",
            rule(json!({
                "engine": "cedar", "cedar": CEDAR, "arguments": {"input": {"owner": "String"}},
            })),
        ),
    ]
}

/// The median of what `run` takes, divided by `count`.
fn median(count: u32, mut run: impl FnMut(usize)) -> Duration {
    let mut taken: Vec<Duration> = (0..RUNS)
        .map(|at| {
            let began = Instant::now();
            run(at);
            began.elapsed() / count
        })
        .collect();
    taken.sort_unstable();
    taken[RUNS / 2]
}

fn main() {
    let document = document();
    let request = Request {
        user: Some("ann"),
        client: Some("portal"),
        roles: &["writer"],
        operation: Some("Mutation:Order:Update"),
        document: &document,
    };
    println!(
        "reading a policy in Cedar: {:?}",
        median(1, |at| {
            // Not twice the same text, as what was read is kept.
            let text = format!("{CEDAR} // {at}");
            let one = json!({"engine": "cedar", "cedar": text,
                         "arguments": {"input": {"owner": "String"}}});
            black_box(Rule::read(&rule(one)).expect("it is valid"));
        })
    );
    for (engine, rule) in rules() {
        let rule = Rule::read(&rule).expect("it is valid");
        for count in [1, 10, 100] {
            let policy =
                |at| Policy { id: format!("p{at}"), links: vec![], role: None, rule: rule.clone() };
            let policies: Vec<Policy> = (0..count).map(policy).collect();
            let taken = median(DECISIONS, |_| {
                for _ in 0..DECISIONS {
                    assert!(allows(&evaluate(black_box(&policies), &request)));
                }
            });
            println!("{engine}: a decision with {count} policies: {taken:?}");
        }
    }
}
