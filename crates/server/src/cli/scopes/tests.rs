//! What is found, by schemas and grants that are written here.

use castellan_gate::{Rules, SchemaSettings};
use castellan_proto::scope::{ScopePattern, Scopes};

use super::{
    Surface,
    drift::drift,
    finding::{Finding, Report, to_json, to_sarif},
    held::{Held, Judge},
    lint::lint,
    shape::Shape,
};
use crate::{config::GuardConfig, dialects::Dialects};

const SDL: &str = "type Query { people: [Person] } type Person { id: ID }
    type Mutation { createPerson: Person personCreate: Person deletePerson: ID vote: ID }";

fn surface(sdl: &str) -> Surface {
    Surface::build("schema", sdl, &SchemaSettings::default()).unwrap()
}

fn pattern(text: &str) -> ScopePattern {
    ScopePattern::try_from(text.to_owned()).unwrap()
}

fn grants(list: &[(&str, &str)]) -> Vec<(String, Scopes)> {
    list.iter().map(|(name, text)| ((*name).to_owned(), Scopes::parse(text).unwrap())).collect()
}

/// `list` before a guard with nothing but `public`.
fn held(public: &str, list: &[(&str, &str)]) -> Held {
    let rules = Rules {
        public: public.split(' ').map(pattern).collect(),
        aliases: [("api:write".to_owned(), vec![pattern("Mutation:*")])].into(),
        ..Rules::default()
    };
    Held::new(vec![Judge::by(rules)], grants(list))
}

/// `list` before a guard that speaks `dialect`.
fn held_by(dialect: &str, list: &[(&str, &str)]) -> Held {
    let guard = GuardConfig::plain("api", "/api", Dialects::default().of_guards(dialect), None);
    Held::new(vec![Judge::at(&guard)], grants(list))
}

fn rules(findings: &[Finding]) -> Vec<String> {
    let warnings = findings.iter().filter(|one| one.is_warning());
    warnings.map(|one| format!("{} {}", one.code(), one.subject)).collect()
}

fn texts(findings: &[Finding]) -> Vec<String> {
    let warnings = findings.iter().filter(|one| one.is_warning());
    warnings.map(|one| format!("{} {} {}", one.code(), one.subject, one.text)).collect()
}

#[test]
fn what_is_dead_too_wide_unreachable_or_shared_is_found() {
    let list = [
        ("Client/a", "openid Mutation:Person:Create Mutation:Pesron:Create"),
        ("AuthKey/b", "* Castellan:*"),
    ];
    assert_eq!(
        rules(&lint(&surface(SDL), &held("Query:*", &list))),
        [
            "dead-scope Client/a Mutation:Pesron:Create",
            "opens-everything AuthKey/b *",
            "shared-scope Mutation:Person:Create",
        ]
    );
    let found = rules(&lint(&surface(SDL), &held("*", &[])));
    assert!(found.contains(&"public-mutation Mutation.vote".to_owned()), "{found:?}");
    let vote = "unreachable-mutation Mutation.vote".to_owned();
    let found = rules(&lint(&surface(SDL), &held("Query:*", &list[..1])));
    assert!(found.contains(&vote), "{found:?}");
    let found = rules(&lint(&surface(SDL), &held("Query:*", &[("Client/c", "api:write")])));
    assert!(!found.contains(&vote), "{found:?}");
}

#[test]
fn a_field_that_goes_by_its_name_is_opened_by_no_glob() {
    let sdl = "type Query { node(id: ID!): Person people: [Person] place: Place }
        type Person { id: ID } type Place { id: ID }";
    let list = [("Client/a", "Query:Person:G*"), ("Client/b", "Query:*")];
    assert_eq!(
        rules(&lint(&surface(sdl), &held("Query:Person:Get", &list))),
        ["dead-scope Client/a Query:Person:G*", "opens-everything Client/b Query:*"]
    );
}

#[test]
fn what_a_guard_requires_besides_must_be_held_together() {
    let sdl = "type Query { me: ID } type Mutation { vote: ID }";
    let unreachable = "unreachable-mutation Mutation.vote no client or key may have \
                       Mutation:vote:Call together with user, api:read, api:write";
    for (name, scopes, is_found) in [
        ("Client/a", "api:write", true),
        ("Client/a", "api:read api:write", true),
        ("Client/a", "user api:read api:write", false),
        ("Client/a", "user api:read Mutation:vote:Call", true),
        // A machine user is a user.
        ("ApiCredential/m", "api:read api:write", false),
        ("ApiCredential/m", "api:write", true),
        // No key is any good there.
        ("AuthKey/k", "user api:read api:write *", true),
    ] {
        let found = texts(&lint(&surface(sdl), &held_by("decidim", &[(name, scopes)])));
        assert_eq!(found.contains(&unreachable.to_owned()), is_found, "{name} {scopes}: {found:?}");
    }
    // Two that hold half of it each are not one that holds it all.
    let halves = [("Client/a", "user api:read"), ("Client/b", "api:write")];
    let found = texts(&lint(&surface(sdl), &held_by("decidim", &halves)));
    assert_eq!(found, [unreachable]);
}

#[test]
fn case_34_a_way_around_by_an_interface_is_found() {
    let sdl = "interface Thing { id: ID } type Person implements Thing { id: ID }
        type Place implements Thing { id: ID } union Either = Person | Place
        type Query { things: [Thing] either: Either person: Person people: [Person] place: Place }";
    let narrow = [("Client/a", "Query:Either:Get Query:Person:List")];
    let found = lint(&surface(sdl), &held("Query:Thing:List Query:Place:Get", &narrow));
    assert_eq!(
        texts(&found),
        ["weaker-interface Query.things returns Thing, and thereby Person to anonymous \
          callers, without a scope for that type"]
    );
    assert!(texts(&lint(&surface(sdl), &held("Query:*", &[]))).is_empty());
    // Where scopes stand in place of what is public, what is public is no way by name.
    let around = [("Client/a", "Query:Thing:List")];
    let found = rules(&lint(&surface(sdl), &held_by("decidim", &around)));
    assert_eq!(found, ["weaker-interface Query.things"]);
}

#[test]
fn case_34_a_way_around_by_a_connection_or_a_list_is_found() {
    let thing = "interface Thing { id: ID } type Person implements Thing { id: ID }
        type PageInfo { hasNextPage: Boolean! } enum Order { ASC }";
    let connection = |of: &str| {
        format!(
            "type {of}Connection {{ edges: [{of}Edge] pageInfo: PageInfo! }}
             type {of}Edge {{ cursor: ID node: {of} }}"
        )
    };
    let nodes = |of: &str| format!("type {of}Connection {{ id: ID nodes: [{of}] }}");
    let page = |of: &str| format!("type {of}Page {{ total: Int order: Order items: [{of}!]! }}");
    let query = |things: &str, people: &str| format!("type Query {{ t: {things} p: {people} }}");
    let around = "weaker-interface Query.t returns Thing, and thereby Person to anonymous \
          callers, without a scope for that type";
    for (wrappers, things, people, public, is_found) in [
        (connection("Thing"), "ThingConnection", "Person", "Query:Thing:*", true),
        (nodes("Thing"), "ThingConnection", "Person", "Query:Thing:*", true),
        (page("Thing"), "ThingPage", "Person", "Query:ThingPage:*", true),
        (connection("Person"), "[Thing]", "PersonConnection", "Query:Thing:*", true),
        (page("Person"), "[Thing]", "PersonPage", "Query:Thing:*", true),
        (connection("Person"), "[Thing]", "PersonConnection", "Query:*", false),
        // What has an identity is no list.
        ("type Box { id: ID items: [Thing] }".to_owned(), "Box", "Person", "Query:Box:*", false),
        // Nor is what holds something else.
        ("type Box { all: [Thing] one: Person }".to_owned(), "Box", "Person", "Query:Box:*", false),
    ] {
        let sdl = format!("{thing} {wrappers} {}", query(things, people));
        let found = texts(&lint(&surface(&sdl), &held(public, &[])));
        assert_eq!(found.contains(&around.to_owned()), is_found, "{sdl}: {found:?}");
    }
}

#[test]
fn what_is_left_public_is_a_note_and_what_is_dead_of_it_a_warning() {
    let notes = |found: &[Finding]| {
        let notes = found.iter().filter(|one| !one.is_warning());
        notes.map(|one| format!("{} {}", one.subject, one.text)).collect::<Vec<_>>()
    };
    let found = lint(&surface(SDL), &held("Query:*", &[("Client/c", "api:write")]));
    assert_eq!(notes(&found), ["Query:* makes 1 fields public: Query.people"]);
    let found = lint(&surface(SDL), &held("Query:Pesron:*", &[("Client/c", "api:write")]));
    assert!(notes(&found).is_empty());
    assert_eq!(
        rules(&found),
        ["shared-scope Mutation:Person:Create", "dead-scope public Query:Pesron:*"]
    );
    // The dialect's own default is nobody's mistake.
    let found = lint(&surface(SDL), &held_by("trompa", &[("AuthKey/k", "Mutation:*")]));
    assert_eq!(
        notes(&found),
        ["Query:* makes 1 fields public: Query.people", "Subscription:* makes 0 fields public"]
    );
    assert_eq!(rules(&found), ["shared-scope Mutation:Person:Create"]);
}

#[test]
fn fields_of_one_scope_are_found_unless_it_is_that_of_their_type() {
    let sdl = "directive @castellan(scope: String!) on FIELD_DEFINITION
        type Query { person: Person me: Person Person: String
          log: [Line] @castellan(scope: \"Query:Log:Read\")
          lines: [Line] @castellan(scope: \"Query:Log:Read\") places: [Place] allPlaces: [Place] }
        type Subscription { tick: Int tock: Int @castellan(scope: \"Subscription:tick:Get\") }
        type Person { id: ID } type Line { text: String } type Place { id: ID }";
    let found = lint(&surface(sdl), &held("Query:* Subscription:*", &[]));
    assert_eq!(
        texts(&found),
        [
            "shared-scope Query:Log:Read opens Query.lines, Query.log together",
            "shared-scope Query:Person:Get opens Query.Person, Query.me, Query.person together",
            "shared-scope Subscription:tick:Get opens Subscription.tick, Subscription.tock together",
        ]
    );
    let place = found.iter().find(|one| one.subject == "Query:Place:List").unwrap();
    assert!(!place.is_warning(), "{}", place.text);
    assert_eq!(place.text, "opens Query.allPlaces, Query.places together");
}

#[test]
fn drift_names_what_a_scope_no_longer_means() {
    let newer =
        SDL.replace("vote", "poll").replace("people: [Person]", "people: Person persons: [Person]");
    let list = [("Client/a", "Mutation:vote:Call"), ("AuthKey/b", "api:write")];
    assert_eq!(
        texts(&drift(&surface(SDL).schema, &surface(&newer).schema, &held("Query:*", &list))),
        [
            "demand-changed Query.people requires Query:Person:Get instead of \
             Query:Person:List",
            "field-removed Mutation.vote was removed; it required Mutation:vote:Call, which Client/a, \
             AuthKey/b may still have",
            "field-added Query.persons is new and requires Query:Person:List",
            "field-added Mutation.poll is new and requires Mutation:poll:Call, which AuthKey/b may \
             already have",
            "scope-moved Query:Person:List opens Query.persons instead of Query.people",
        ]
    );
    let same = surface(SDL).schema;
    assert!(drift(&same, &same, &held("Query:*", &list)).is_empty());
}

#[test]
fn sarif_names_its_rules_once_and_its_places() {
    let (older, newer) = (surface(SDL), surface(&SDL.replace("vote", "poll")));
    let report = |place: &str| {
        let findings = drift(&older.schema, &newer.schema, &held("Query:*", &[]));
        let shape = Shape::read(&SDL.replace("vote", "poll"));
        [Report { guard: None, place: Some((place.to_owned(), shape)), findings }]
    };
    let sarif = to_sarif(&report("my schemas/schema.graphql"));
    let run = &sarif["runs"][0];
    assert_eq!(
        run["results"].as_array().unwrap().len(),
        to_json(&report("")).as_array().unwrap().len()
    );
    assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), 2);
    let place = |at: usize| &run["results"][at]["locations"][0]["physicalLocation"];
    assert_eq!(place(0)["artifactLocation"]["uri"], "my%20schemas/schema.graphql");
    assert_eq!(place(0)["region"]["startLine"], 1, "it is gone");
    assert_eq!(place(1)["region"]["startLine"], 2);
    for (place, uri) in [
        ("/tmp/a b.graphql", "file:///tmp/a%20b.graphql"),
        ("./s.graphql", "s.graphql"),
        ("../s.graphql", "../s.graphql"),
    ] {
        let sarif = to_sarif(&report(place));
        let physical = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
        assert_eq!(physical["artifactLocation"]["uri"], uri);
    }
    let sarif = to_sarif(&report("http://api.test/graphql"));
    let physical = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(physical["artifactLocation"]["uri"], "http://api.test/graphql");
    assert_eq!(physical["region"], serde_json::Value::Null);
}
