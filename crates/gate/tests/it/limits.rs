//! How much one request may ask for (`docs/rules.md` rule 9, `docs/security-cases.md` rows 10 and
//! 36).

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::wire::{Rig, SDL, post, rules};

fn open() -> Rig {
    Rig::new(SDL, rules(&["*"]), &[]).answering(json!({"data": {}}))
}

async fn is_too_large(document: &str) {
    let rig = open();
    let started = Instant::now();
    let reply = rig.ask(None, document).await;
    assert_eq!(reply.status, 400, "{}", &document[..200.min(document.len())]);
    assert_eq!(reply.codes(), ["LIMIT_EXCEEDED"], "{}", &reply.text[..300.min(reply.text.len())]);
    assert!(rig.nothing_sent());
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

fn many(count: usize, of: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut out, at| {
        let _ = write!(out, "{} ", of(at));
        out
    })
}

fn nested(depth: usize, open: &str, innermost: &str) -> String {
    format!("{{ {} {innermost} {} }}", open.repeat(depth), "}".repeat(depth))
}

/// One request is one guess: aliases and root fields are counted, fragments spread.
#[tokio::test]
async fn case_10_one_request_is_not_a_thousand() {
    is_too_large(&format!("{{ {} }}", many(65, |at| format!("a{at}: id")))).await;
    is_too_large(&format!("{{ {} }}", "id ".repeat(65))).await;
    is_too_large(&format!(
        "{{ {} }} fragment F on Query {{ {} }}",
        "...F ".repeat(2),
        "id ".repeat(33)
    ))
    .await;
    // Root fields below the root count too, for each way that leads to them.
    is_too_large(&format!(
        "{{ {} }} fragment F on Query {{ {} }}",
        many(9, |at| format!("a{at}: self {{ ...F }}")),
        many(9, |at| format!("b{at}: id"))
    ))
    .await;
    let body = format!("[{}]", [r#"{"query":"{ id }"}"#; 3].join(","));
    assert_eq!(open().send(post(None, &body)).await.status, 400);
}

#[tokio::test]
async fn case_10_depth_tokens_and_bytes() {
    is_too_large(&nested(24, "self {", "id")).await;
    is_too_large(&format!("{{ person(id: 1) {} }}", nested(23, "friends {", "id"))).await;
    is_too_large(&format!(
        "{{ ...A }} {}",
        many(24, |at| {
            let next = if at < 23 { format!("...F{}", at + 1) } else { "id".to_owned() };
            let name = if at == 0 { "A".to_owned() } else { format!("F{at}") };
            format!("fragment {name} on Query {{ self {{ {next} }} }}")
        })
    ))
    .await;
    is_too_large(&format!("{{ id {} }}", ", id".repeat(9000))).await;
    let reply = open().ask(None, &"#".repeat(140_000)).await;
    assert_eq!((reply.status.as_u16(), &*reply.codes()[0]), (413, "TOO_LARGE"));
    let reply = open().ask(None, &nested(300, "self {", "id")).await;
    assert_eq!(reply.status, 400);
    let reply = open().ask(None, &nested(10, "self {", "id")).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
}

/// Texts that are short and stand for much.
#[tokio::test]
async fn fragments_cannot_blow_up() {
    let doubling = many(40, |at| match at {
        39 => "fragment F39 on Query { self { id } }".to_owned(),
        _ => format!("fragment F{at} on Query {{ ...F{0} ...F{0} }}", at + 1),
    });
    is_too_large(&format!("{{ ...F0 }} {doubling}")).await;
    let chain = many(900, |at| match at {
        899 => "fragment F899 on Query { id }".to_owned(),
        _ => format!("fragment F{at} on Query {{ ...F{} }}", at + 1),
    });
    let reply = open().ask(None, &format!("{{ ...F0 }} {chain}")).await;
    assert_eq!(reply.status, 400);
    is_too_large(&inline(100)).await;
    // Long names on the way are paid for.
    let long = "x".repeat(5_000);
    let open_long = many(20, |at| format!("{long}{at}: self {{"));
    let tail = many(14, |at| match at {
        13 => "fragment F13 on Query { self { __typename } }".to_owned(),
        _ => format!("fragment F{at} on Query {{ ...F{0} ...F{0} }}", at + 1),
    });
    is_too_large(&format!("{{ {open_long} ...F0 {} }} {tail}", "}".repeat(20))).await;
}

/// Two fragments, each with 100 inline fragments within each other.
fn inline(levels: usize) -> String {
    let nest = |inside: &str| format!("{}{inside}{}", "...{".repeat(levels), "}".repeat(levels));
    format!("{{ {} }} fragment F on Query {{ {} }}", nest("...F"), nest("id"))
}

/// Questions about the schema are answered by us: they cannot multiply either.
#[tokio::test]
async fn the_schema_cannot_be_asked_for_without_end() {
    let deep = "fields { type { fields { type { fields { name } } } } }";
    is_too_large(&format!("{{ __type(name: \"Query\") {{ {deep} }} }}")).await;
    is_too_large(&format!("{{ __schema {{ queryType {{ {deep} }} }} }}")).await;
    is_too_large(&format!(
        "{{ {} }}",
        many(17, |at| format!("a{at}: __type(name: \"Q\") {{ name }}"))
    ))
    .await;
    is_too_large("{ __schema { types { a: fields { name } b: fields { name } } } }").await;
    // A fragment counts again wherever it is spread, not only the first time.
    is_too_large(
        "{ __type(name: \"Query\") { ...H } }
         fragment F on __Type { fields { type { fields { name } } } }
         fragment G on __Type { ...F fields { type { ...F } } }
         fragment H on __Type { ...G fields { type { ...G } } }",
    )
    .await;
    is_too_large(
        "{ ...F } fragment F on Query { __type(name: \"Query\") { ...G ...G } }
        fragment G on __Type { interfaces { fields { type { possibleTypes { name } } } } }",
    )
    .await;
    let usual = "{ __schema { types { ...T } directives { args { name } } } }
        fragment T on __Type { name fields(includeDeprecated: true) { args { ...V } type { ...R } }
        inputFields { ...V } interfaces { ...R } enumValues { name } possibleTypes { ...R } }
        fragment V on __InputValue { name type { ...R } defaultValue }
        fragment R on __Type { name ofType { name ofType { name ofType { name } } } }";
    let rig = open();
    let reply = rig.ask(None, usual).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert!(reply.json()["data"]["__schema"]["types"].as_array().unwrap().len() > 10);
}

#[tokio::test]
async fn mistakes_are_told_but_not_all_of_them() {
    let reply = open().ask(None, &format!("{{ {} }}", many(2_000, |at| format!("n{at}")))).await;
    assert_eq!((reply.status.as_u16(), reply.codes().len()), (400, 20));
}

#[tokio::test]
async fn answers_in_parts_are_refused_even_where_the_schema_has_them() {
    let sdl = format!(
        "{SDL} directive @defer(if: Boolean) on FRAGMENT_SPREAD | INLINE_FRAGMENT
        directive @stream(if: Boolean) on FIELD"
    );
    let rig = Rig::new(&sdl, rules(&["*"]), &[]).answering(json!({"data": {}}));
    for document in [
        "{ ... @defer { id } }",
        "{ persons @stream { id } }",
        "{ persons { ...@defer(if: false) { id } } }",
    ] {
        let reply = rig.ask(None, document).await;
        assert_eq!((reply.status.as_u16(), &*reply.codes()[0]), (400, "LIMIT_EXCEEDED"));
    }
    assert!(rig.nothing_sent());
}
