//! Policies at a guard that requires them: what they are asked, and what comes of their answers.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
};

use castellan_gate::{
    Caller, Document, FieldExplanation, GuardSchema, Identity, OnDeny, Policies, PolicyAnswer,
    PolicyRequest, PolicySaid, PolicyTerm, Rules, Says, SchemaSettings, Terms,
};
use castellan_proto::scope::Scopes;
use serde_json::{Map, Value, json};

use crate::wire::{Rig, SDL, explained, rules};

/// What policies were asked about one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    pub field: String,
    pub arguments: Map<String, Value>,
    pub fields: Vec<String>,
}

/// Policies that are a function, and what they were asked.
pub struct By<F> {
    allows: F,
    asked: Arc<Mutex<Vec<Question>>>,
}

impl<F: Fn(&Question) -> bool + Send + Sync + 'static> Policies for By<F> {
    fn ask(&self, request: &PolicyRequest<'_>) -> PolicyAnswer {
        let question = Question {
            field: format!("{}.{}", request.operation_type, request.field),
            arguments: request.arguments.clone(),
            fields: request.fields.to_vec(),
        };
        let is_allowed = (self.allows)(&question);
        self.asked.lock().unwrap().push(question);
        let says = if is_allowed { Says::Allows } else { Says::Abstains };
        let said = PolicySaid { policy: "p".to_owned(), says, because: None };
        PolicyAnswer { is_allowed, said: vec![said] }
    }
}

/// A rig whose caller `ann` may do everything that `allows` lets her, and what it is asked.
pub fn rig_of(
    sdl: &str,
    (settings, rules): (&SchemaSettings, Rules),
    allows: impl Fn(&Question) -> bool + Send + Sync + 'static,
) -> (Rig, Arc<Mutex<Vec<Question>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let by = By { allows, asked: Arc::clone(&asked) };
    let ann = Caller::known(Identity {
        policy_term: PolicyTerm::Ask(Arc::new(by)),
        ..Identity::with_scopes(Scopes::parse("* Query:Node:Get").unwrap())
    });
    let rules = Rules { terms: Terms { policy: true, ..Terms::default() }, ..rules };
    (Rig::with_callers(sdl, settings, rules, [("ann", ann)].into()), asked)
}

fn rig(
    rules: Rules,
    allows: impl Fn(&Question) -> bool + Send + Sync + 'static,
) -> (Rig, Arc<Mutex<Vec<Question>>>) {
    let (rig, asked) = rig_of(SDL, (&SchemaSettings::default(), rules), allows);
    (rig.answering(json!({"data": {"id": "1"}})), asked)
}

fn taken(asked: &Mutex<Vec<Question>>) -> Vec<Question> {
    std::mem::take(&mut *asked.lock().unwrap())
}

/// The arguments that policies see of the field `of`, for one document.
async fn arguments(sdl: &str, document: &str, variables: Value) -> Value {
    let (rig, asked) = rig_of(sdl, (&SchemaSettings::default(), rules(&[])), |_| true);
    let rig = rig.answering(json!({"data": {"of": null}}));
    let reply = rig.ask_with(Some("ann"), document, variables).await;
    let asked = taken(&asked);
    let [one] = &*asked else { panic!("{document}: {} {asked:?}", reply.text) };
    Value::Object(one.arguments.clone())
}

/// Whatever way a value is written in, policies see it as the API will.
#[tokio::test]
async fn arguments_are_seen_as_the_api_will_see_them() {
    let sdl = "
        scalar Any
        enum Size { SMALL LARGE }
        input Where { id: ID = 1, size: Size = SMALL, within: Within = {}, not: Where, tags: [String!] = \"t\" }
        input Within { radius: Float = 2, any: Any, self: Within = {} }
        type Query {
          of(id: ID, ids: [ID!], int: Int = 7, float: Float, size: Size, where: Where, any: Any): Int
        }";
    let none = || json!({});
    for (document, variables, expected) in [
        ("{ of }", none(), json!({"int": 7})),
        ("{ of(int: null) }", none(), json!({"int": null})),
        ("{ of(id: 1, ids: 2) }", none(), json!({"id": "1", "ids": ["2"], "int": 7})),
        ("query($v: ID) { of(id: $v) }", json!({"v": 1}), json!({"id": "1", "int": 7})),
        ("query($v: ID) { of(id: $v) }", json!({"v": 1.0}), json!({"id": "1", "int": 7})),
        ("query($v: ID) { of(id: $v) }", none(), json!({"int": 7})),
        ("query($v: ID = 3) { of(id: $v) }", none(), json!({"id": "3", "int": 7})),
        ("query($v: ID = 3) { of(id: $v) }", json!({"v": null}), json!({"id": null, "int": 7})),
        ("query($v: Int) { of(int: $v) }", none(), json!({"int": 7})),
        ("query($v: [ID!] = 4) { of(ids: $v) }", none(), json!({"ids": ["4"], "int": 7})),
        (
            "query($v: ID!) { of(ids: [$v, 5]) }",
            json!({"v": "x"}),
            json!({"ids": ["x", "5"], "int": 7}),
        ),
        ("{ of(float: 1, size: LARGE) }", none(), json!({"float": 1, "size": "LARGE", "int": 7})),
        ("query($v: Float) { of(float: $v) }", json!({"v": 1.0}), json!({"float": 1, "int": 7})),
        ("{ of(float: 1.50) }", none(), json!({"float": 1.5, "int": 7})),
        (
            "{ of(where: {size: LARGE}) }",
            none(),
            json!({"int": 7, "where": {
                "id": "1", "size": "LARGE", "within": {"radius": 2, "self": {"radius": 2}}, "tags": ["t"],
            }}),
        ),
        (
            "query($v: Where) { of(where: $v) }",
            json!({"v": {"not": {"id": 9, "within": null}}}),
            json!({"int": 7, "where": {
                "id": "1", "size": "SMALL", "within": {"radius": 2, "self": {"radius": 2}}, "tags": ["t"],
                "not": {"id": "9", "size": "SMALL", "within": null, "tags": ["t"]},
            }}),
        ),
        (
            "query($v: Any) { of(any: {a: [$v, 1.0, E, \"s\"], b: 9007199254740993}) }",
            json!({"v": {"c": 0.1}}),
            json!({"int": 7, "any": {"a": [{"c": 0.1}, 1, "E", "s"], "b": "9007199254740993"}}),
        ),
        (
            "{ of(any: [18446744073709551616, 0.1000000000000000055, 1e400, 100e-2, 1.00000000000000000]) }",
            none(),
            json!({"int": 7, "any": ["18446744073709551616", "0.1000000000000000055", "1e400", 1, 1]}),
        ),
    ] {
        assert_eq!(
            arguments(sdl, document, variables.clone()).await,
            expected,
            "{document} {variables}"
        );
    }
}

/// A field that is given twice has two values, and it is for the API which of them it reads.
#[tokio::test]
async fn a_field_of_an_input_object_is_given_once() {
    let sdl = "
        scalar Any
        input Where { owner: ID, sub: Where }
        type Query { of(where: Where, any: Any): Int }";
    let (rig, asked) = rig_of(sdl, (&SchemaSettings::default(), rules(&[])), |_| true);
    let rig = rig.answering(json!({"data": {"of": 1}}));
    for document in [
        "{ of(where: {owner: 1, owner: 2}) }",
        "{ of(where: {sub: {owner: 1, owner: 1}}) }",
        "query($o: ID) { of(where: {owner: 1, owner: $o}) }",
        "query($w: Where = {owner: 1, owner: 2}) { of(where: $w) }",
        "{ of(any: {a: 1, b: [{c: 1, c: 2}]}) }",
        "{ ...F } fragment F on Query { of(any: {a: 1, a: 2}) }",
        "query Other { of(any: {a: 1, a: 2}) } query Asked { of }",
    ] {
        let reply = rig.ask_with(Some("ann"), document, json!({"o": 2})).await;
        assert!(reply.text.contains("is given twice"), "{document}: {}", reply.text);
    }
    assert_eq!(taken(&asked), []);
    let reply = rig.ask_with(Some("ann"), "{ of(any: {a: {a: 1}, b: [{a: 1}]}) }", json!({})).await;
    assert!(!reply.text.contains("errors"), "{}", reply.text);
}

/// The API executes the field of the object type, with its arguments and defaults, whichever
/// interface it was selected on.
#[tokio::test]
async fn the_arguments_are_those_of_the_root_type() {
    let sdl = "
        interface Lists { of(owner: ID = \"ada\"): Int }
        type Query implements Lists { of(owner: ID = \"grace\", all: Boolean = true): Int }";
    let expected = json!({"owner": "grace", "all": true});
    for document in ["{ of }", "{ ...on Lists { of } }", "{ ...F } fragment F on Lists { of }"] {
        assert_eq!(arguments(sdl, document, json!({})).await, expected, "{document}");
    }
}

/// However deep it is written: the API fills in what is missing at every level.
#[tokio::test]
async fn defaults_are_filled_in_within_what_is_written() {
    let sdl = "
        input Where { owner: ID, n: Int = 7, sub: Where, own: Where = {n: 1} }
        type Query { of(where: Where): Int }";
    let own = json!({"n": 1});
    let inner = json!({"owner": "x", "n": 7, "own": own});
    let expected = json!({"where": {"n": 7, "sub": inner, "own": own}});
    for (document, variables) in [
        ("{ of(where: {sub: {owner: \"x\"}}) }", json!({})),
        ("query($w: Where = {sub: {owner: \"x\"}}) { of(where: $w) }", json!({})),
        ("query($w: Where) { of(where: $w) }", json!({"w": {"sub": {"owner": "x"}}})),
    ] {
        assert_eq!(arguments(sdl, document, variables).await, expected, "{document}");
    }
}

/// A field is asked about with what it has and what is below it, and by no alias.
#[tokio::test]
async fn fields_below_are_seen_through_fragments_interfaces_and_conditions() {
    let (rig, asked) = rig(rules(&[]), |_| true);
    for (document, field, fields) in [
        ("{ persons { id } }", "Query.persons", &["Person.id"][..]),
        ("{ x: persons { n: name __typename } }", "Query.persons", &["Person.name"]),
        (
            "{ persons { ...F } } fragment F on Person { friends { ... { name } } }",
            "Query.persons",
            &["Person.friends", "Person.name"],
        ),
        ("{ persons { id name @skip(if: true) } }", "Query.persons", &["Person.id", "Person.name"]),
        ("{ node(id: 1) { id } }", "Query.node", &["Node.id", "Person.id", "Query.id"]),
        ("{ node(id: 1) { ... on Person { name } } }", "Query.node", &["Person.name"]),
        (
            "mutation { createPerson { person { id } query { orders { id } } } }",
            "Mutation.createPerson",
            &[
                "Order.id",
                "Person.id",
                "PersonPayload.person",
                "PersonPayload.query",
                "Query.orders",
            ],
        ),
        ("{ id }", "Query.id", &[]),
    ] {
        rig.ask(Some("ann"), document).await;
        let asked = taken(&asked);
        let one = asked.iter().find(|one| one.field == field);
        let one = one.unwrap_or_else(|| panic!("{document}: {asked:?}"));
        assert_eq!(one.fields, fields, "{document}");
    }
}

/// The same field under two names is decided twice, and each is removed by itself.
#[tokio::test]
async fn each_alias_is_decided_and_removed_by_itself() {
    let rules = Rules { on_deny: OnDeny::Null, ..rules(&[]) };
    let (rig, _) = rig(rules, |one| one.arguments.get("of") == Some(&json!("mine")));
    let document = "query($v: String) { a: secret(of: \"mine\") b: secret(of: $v) c: secret }";
    let reply = rig.ask_with(Some("ann"), document, json!({"v": "yours"})).await;
    assert_eq!(reply.paths(), ["b", "c"]);
    assert_eq!(reply.json()["errors"][0]["extensions"]["reason"], "policy");
    assert_eq!(reply.codes(), ["FORBIDDEN", "FORBIDDEN"]);
    let sent = rig.only();
    assert!(sent.query().contains("a: secret(of: \"mine\")"), "{}", sent.query());
    assert!(!sent.query().contains("b:") && !sent.query().contains("$v"), "{}", sent.query());
    // The same document with another value is another question, whatever was cached.
    let reply = rig.ask_with(Some("ann"), document, json!({"v": "mine"})).await;
    assert_eq!(reply.paths(), ["c"]);
    assert!(rig.only().query().contains("b: secret(of: $v)"));
    let reply = rig.ask_with(Some("ann"), document, json!({"v": "yours"})).await;
    assert_eq!(reply.paths(), ["b", "c"]);
}

/// What makes one answer has one verdict: about all that is selected below it. So has what stands in
/// one place of the document, however it is reached.
#[tokio::test]
async fn what_is_merged_is_decided_together() {
    let no_names = |one: &Question| !one.fields.contains(&"Person.name".to_owned());
    let (rig, asked) = rig(rules(&[]), no_names);
    let reply = rig.ask(Some("ann"), "{ persons { id } persons { name } id }").await;
    assert_eq!(reply.paths(), ["persons"]);
    assert!(!rig.only().query().contains("persons"));
    let persons = taken(&asked).into_iter().find(|one| one.field == "Query.persons").unwrap();
    assert_eq!(persons.fields, ["Person.id", "Person.name"]);

    let shared = "{ a: self { ...F persons { name } id } b: self { ...F id } }
        fragment F on Query { persons { id } }";
    let reply = rig.ask(Some("ann"), shared).await;
    // All of `a` selects names, and what stands in `F` is the same for `b`.
    assert_eq!(reply.paths(), ["a", "b.persons"], "{}", reply.text);
    let sent = rig.only();
    assert!(!sent.query().contains("persons") && sent.query().contains("b: self"));
}

#[tokio::test]
async fn policies_are_asked_last_and_only_where_they_count() {
    let (rig, asked) = rig(rules(&["Query:id:Get"]), |_| false);
    // Public, unknown, a name of a type, the schema.
    for (key, document) in [
        (Some("ann"), "{ id __typename __schema { queryType { name } } }"),
        (None, "{ secret }"),
        (Some("expired"), "{ secret }"),
    ] {
        rig.ask(key, document).await;
        assert_eq!(taken(&asked), [], "{document}");
    }
    let reply = rig.ask(Some("ann"), "{ secret }").await;
    assert_eq!(reply.json()["errors"][0]["extensions"]["reason"], "policy");
    assert_eq!(taken(&asked).len(), 1);
    let denial = rig.denials.lock().unwrap().pop().unwrap();
    assert_eq!(denial.fields[0].policies[0].policy, "p");
    assert_eq!(denial.fields[0].policies[0].says, Says::Abstains);
}

/// A host that forgets to say what policies say lets nobody in where they count.
#[tokio::test]
async fn a_required_policy_that_nobody_speaks_for_denies() {
    let terms = Terms { policy: true, ..Terms::default() };
    let rules = Rules { terms, ..rules(&["Query:id:Get"]) };
    let rig = Rig::new(SDL, rules, &[("ada", "*")]).answering(json!({"data": {"id": "1"}}));
    let reply = rig.ask(Some("ada"), "{ id secret }").await;
    assert_eq!(reply.paths(), ["secret"]);
    assert_eq!(reply.json()["errors"][0]["extensions"]["reason"], "policy");
}

/// A guard that requires no policy asks none, whoever speaks for them.
#[tokio::test]
async fn a_guard_without_the_term_asks_nobody() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let by = By { allows: |_: &Question| false, asked: Arc::clone(&asked) };
    let ann = Caller::known(Identity {
        policy_term: PolicyTerm::Ask(Arc::new(by)),
        ..Identity::with_scopes(Scopes::parse("*").unwrap())
    });
    let settings = SchemaSettings::default();
    let rig = Rig::with_callers(SDL, &settings, rules(&[]), [("ann", ann)].into());
    let rig = rig.answering(json!({"data": {"secret": "x"}}));
    assert_eq!(rig.ask(Some("ann"), "{ secret }").await.json()["data"]["secret"], "x");
    assert_eq!(taken(&asked), []);
}

/// A decision has a size, whatever the document is.
#[tokio::test]
async fn what_is_more_than_policies_may_be_shown_is_refused() {
    let types = (0..600).fold(String::new(), |mut types, at| {
        let _ = writeln!(types, "type T{at} implements I {{ a: I b: I c: I d: I }}");
        types
    });
    let sdl = format!(
        "interface I {{ a: I b: I c: I d: I }}\n{types}type Query {{ of(any: Any): I }} scalar Any"
    );
    let (rig, asked) = rig_of(&sdl, (&SchemaSettings::default(), rules(&[])), |_| true);
    let rig = rig.answering(json!({"data": {"of": null}}));
    let reply = rig.ask(Some("ann"), "{ of { a { b { __typename } } } }").await;
    assert_eq!(reply.json()["data"]["of"], json!(null), "{}", reply.text);
    assert_eq!(taken(&asked)[0].fields.len(), 2 * 601);
    rig.only();
    let reply = rig.ask(Some("ann"), "{ of { a { b { c { d { __typename } } } } } }").await;
    assert_eq!((reply.status.as_u16(), &*reply.codes()[0]), (400, "LIMIT_EXCEEDED"));
    // One large value in many places.
    let places = (0..60).fold(String::new(), |mut places, at| {
        let _ = write!(places, "x{at}: of(any: $v) {{ __typename }} ");
        places
    });
    let value = "x".repeat(100_000);
    let document = format!("query($v: Any) {{ {places} }}");
    let reply = rig.ask_with(Some("ann"), &document, json!({"v": value})).await;
    assert_eq!((reply.status.as_u16(), &*reply.codes()[0]), (400, "LIMIT_EXCEEDED"));
    assert!(rig.nothing_sent());
    assert!(reply.text.len() < 1_000, "{}", reply.text);
}

/// Policies of which one forbids what another one allows.
struct Torn;

impl Policies for Torn {
    fn ask(&self, _: &PolicyRequest<'_>) -> PolicyAnswer {
        let said =
            |policy: &str, says| PolicySaid { policy: policy.to_owned(), says, because: None };
        let said = vec![said("yes", Says::Allows), said("no", Says::Forbids)];
        PolicyAnswer { is_allowed: false, said }
    }
}

/// What one policy forbids no grant opens, and the explanation names it.
#[test]
fn a_policy_that_forbids_is_named() {
    let schema = GuardSchema::build(SDL, &SchemaSettings::default()).unwrap();
    let rules =
        Rules { terms: Terms { policy: true, ..Terms::default() }, ..rules(&["Query:id:Get"]) };
    let document = Document::read(&schema, "{ id secret }", None, &rules.limits);
    let document = document.unwrap_or_else(|error| panic!("{error:?}"));
    let ann = Caller::known(Identity {
        policy_term: PolicyTerm::Ask(Arc::new(Torn)),
        ..Identity::with_scopes(Scopes::parse("*").unwrap())
    });
    let [id, secret] = &explained(&schema, &document, &ann, &rules).fields[..] else { panic!() };
    let step = |of: &FieldExplanation| {
        let step = of.steps.iter().find(|step| step.term == "policy").unwrap();
        (step.holds, step.detail.clone())
    };
    assert_eq!(step(id), (None, "not asked, as it is public".to_owned()));
    assert_eq!(step(secret), (Some(false), "policy no forbids it".to_owned()));
    assert_eq!(secret.policies.len(), 2);
    let grant = secret.smallest_grant.as_deref().unwrap();
    assert_eq!(grant, "none; the policy no forbids it and would have to change");

    let nobody = explained(&schema, &document, &Caller::NOBODY, &rules);
    assert!(nobody.fields[1].steps.iter().all(|step| step.term != "policy"));
    let narrow = Caller::known(Identity::with_scopes(Scopes::default()));
    let narrow = explained(&schema, &document, &narrow, &rules);
    assert_eq!(step(&narrow.fields[1]), (None, "not asked, as another term denies it".to_owned()));
    let silent = Caller::known(Identity::with_scopes(Scopes::parse("*").unwrap()));
    let silent = explained(&schema, &document, &silent, &rules);
    assert_eq!(step(&silent.fields[1]), (Some(false), "nobody says what policies say".to_owned()));
}
