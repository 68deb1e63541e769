use std::collections::BTreeSet;

use apollo_compiler::Schema;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::answer::Ask;
use super::{Archive, mutation, seed};

fn ask(archive: &Archive, query: &str) -> Value {
    let ask = Ask { query: query.into(), ..Ask::default() };
    serde_json::to_value(archive.0.answer(&ask)).unwrap()
}

fn count(archive: &Archive, kind: &str) -> usize {
    archive.counts().into_iter().find(|(name, _)| *name == kind).unwrap().1
}

#[test]
fn the_schema_is_valid_and_describes_everything() {
    let schema = Schema::parse_and_validate(Archive::sdl(), "archive.graphql").unwrap();
    for (name, object) in schema.types.iter().filter(|(_, found)| !found.is_built_in()) {
        assert!(object.description().is_some(), "{name} has no description");
        for (field, definition) in object.as_object().into_iter().flat_map(|object| &object.fields)
        {
            assert!(definition.description.is_some(), "{name}.{field} has no description");
        }
    }
}

#[test]
fn a_root_field_may_be_null() {
    let schema = Schema::parse_and_validate(Archive::sdl(), "archive.graphql").unwrap();
    for root in ["Query", "Mutation"] {
        for (name, field) in &schema.get_object(root).unwrap().fields {
            assert!(!field.ty.is_non_null(), "{root}.{name} cannot be null");
        }
    }
}

/// A capital and the letters after it, then a capital and the rest.
fn split(name: &str) -> Option<(&str, &str)> {
    let word = |text: &str| {
        let run = text.bytes().skip(1).take_while(u8::is_ascii_lowercase).count();
        (text.starts_with(|c: char| c.is_ascii_uppercase()) && run > 0).then_some(run + 1)
    };
    let (action, rest) = name.split_at(word(name)?);
    let named = rest.len() > 1 && rest.starts_with(|c: char| c.is_ascii_uppercase());
    named.then_some((action, rest))
}

#[test]
fn every_mutation_splits_into_an_action_and_a_type() {
    let mut names = BTreeSet::new();
    for mutation in mutation::all() {
        let (action, kind) = split(&mutation.name).unwrap();
        assert!(
            ["Create", "Update", "Merge", "Delete", "Add", "Remove", "Request"].contains(&action),
            "{action}:{kind}"
        );
        assert!(names.insert(mutation.name.clone()), "{} comes twice", mutation.name);
    }
    for name in [
        "CreatePerson",
        "AddPersonKnows",
        "AddPersonBirthPlace",
        "RemoveMusicCompositionComposer",
        "MergeMusicCompositionComposer",
        "RequestControlAction",
    ] {
        assert!(names.contains(name), "{name} is missing");
    }
}

#[test]
fn the_sample_data_is_all_there() {
    let (_, refused) = seed::planted();
    assert!(refused.is_empty(), "{refused:?}");
    let archive = Archive::new();
    assert!(count(&archive, "Person") >= 150);
    assert!(count(&archive, "MusicComposition") >= 450);
    assert!(count(&archive, "MusicAlbum") >= 1);
}

#[test]
fn every_row_of_the_sample_data_is_read() {
    for (kind, table) in &seed::TABLES {
        let mut lines = table.lines();
        let heads: Vec<_> = lines.next().unwrap().split('\t').collect();
        assert_eq!(heads[0], "identifier");
        for head in heads[1..].iter().flat_map(|head| head.split('/')) {
            let known = kind.scalar(head).is_some() || kind.relation(head).is_some();
            assert!(known, "{} has no {head}", kind.name);
        }
        let mut identifiers = BTreeSet::new();
        for line in lines {
            let cells: Vec<_> = line.split('\t').collect();
            assert!(cells.len() <= heads.len(), "{line}");
            assert!(identifiers.insert(cells[0]), "{} comes twice", cells[0]);
        }
    }
}

#[test]
fn nobody_lived_after_1929() {
    let (store, _) = seed::planted();
    let everybody = super::store::Filter { first: 1_000, ..Default::default() };
    for person in store.list(&super::model::PERSON, &everybody) {
        let year = |field| person.texts.get(field).map(|year| year.parse::<u16>().unwrap());
        if let Some(death) = year("deathDate") {
            assert!(death < 1930, "{}", person.identifier);
            assert!(year("birthDate").is_none_or(|birth| birth < death), "{}", person.identifier);
        }
    }
}

#[test]
fn a_read_follows_relations() {
    let answer = ask(
        &Archive::new(),
        r#"{
          MusicComposition(identifier: "beethoven-op-125") {
            __typename title dateCreated description
            composer { name birthPlace { identifier name } }
          }
        }"#,
    );
    let composer = json!({ "name": "Ludwig van Beethoven", "birthPlace": { "identifier": "bonn", "name": "Bonn" } });
    let work = json!({
        "__typename": "MusicComposition",
        "title": "Symphony No. 9 in D minor",
        "dateCreated": "1824",
        "description": null,
        "composer": [composer],
    });
    assert_eq!(answer, json!({ "data": { "MusicComposition": [work] } }));
}

#[test]
fn a_list_has_pages() {
    let archive = Archive::new();
    let answer = ask(
        &archive,
        "{ a: Person(first: 2) { identifier } b: Person(first: 1, offset: 1) { identifier }
           c: Person { identifier } d: Person(first: null, offset: null) { identifier } }",
    );
    assert_eq!(answer["data"]["a"][1], answer["data"]["b"][0]);
    assert_eq!(answer["data"]["c"].as_array().unwrap().len(), 50);
    assert_eq!(answer["data"]["c"], answer["data"]["d"]);
    let answer = ask(&archive, "{ Person(first: -1) { identifier } }");
    assert_eq!(answer["data"]["Person"], Value::Null);
    assert_eq!(answer["errors"][0]["message"], "first must not be negative");
}

#[test]
fn people_are_found_by_a_part_of_their_name() {
    let answer = ask(
        &Archive::new(),
        r#"{ personBySubstring(substring: "SCHUMANN") { identifier }
             Person(name: "Scott Joplin") { identifier birthDate deathDate } }"#,
    );
    let found = json!([{ "identifier": "clara-schumann" }, { "identifier": "robert-schumann" }]);
    assert_eq!(answer["data"]["personBySubstring"], found);
    let joplin = json!([{ "identifier": "scott-joplin", "birthDate": null, "deathDate": "1917" }]);
    assert_eq!(answer["data"]["Person"], joplin);
}

#[test]
fn a_thing_is_created_changed_merged_and_deleted_in_order() {
    let archive = Archive::new();
    let before = count(&archive, "Person");
    let answer = ask(
        &archive,
        r#"mutation {
          made: CreatePerson(name: "Ada Test", birthDate: "1800") { identifier }
          again: CreatePerson(name: "Ada Test") { identifier }
          changed: UpdatePerson(identifier: "ada-test", birthDate: null, deathDate: "1850") {
            name birthDate deathDate
          }
          merged: MergePerson(identifier: "ada-test", givenName: "Ada") { name givenName }
          fresh: MergePerson(identifier: 7, name: "Seven") { identifier name }
          gone: DeletePerson(identifier: "ada-test-2") { name }
        }"#,
    );
    let expected = json!({ "data": {
        "made": { "identifier": "ada-test" },
        "again": { "identifier": "ada-test-2" },
        "changed": { "name": "Ada Test", "birthDate": null, "deathDate": "1850" },
        "merged": { "name": "Ada Test", "givenName": "Ada" },
        "fresh": { "identifier": "7", "name": "Seven" },
        "gone": { "name": "Ada Test" },
    } });
    assert_eq!(answer, expected);
    assert_eq!(count(&archive, "Person"), before + 2);
}

#[test]
fn an_arrow_is_drawn_once_and_wiped() {
    let archive = Archive::new();
    let ends = r#"(from: { identifier: "scott-joplin" }, to: { identifier: "clara-schumann" })"#;
    let answer = ask(
        &archive,
        &format!(
            "mutation {{
               add: AddPersonKnows{ends} {{ __typename from {{ knows {{ identifier }} }} }}
               merge: MergePersonKnows{ends} {{ from {{ knows {{ identifier }} }} to {{ name }} }}
               remove: RemovePersonKnows{ends} {{
                 from {{ knows {{ identifier }} }}
                 query {{ Person(identifier: \"scott-joplin\") {{ knows {{ identifier }} }} }}
               }}
             }}"
        ),
    );
    let clara = json!({ "knows": [{ "identifier": "clara-schumann" }] });
    let nobody = json!({ "knows": [] });
    let expected = json!({ "data": {
        "add": { "__typename": "_AddPersonKnowsPayload", "from": clara },
        "merge": { "from": clara, "to": { "name": "Clara Schumann" } },
        "remove": { "from": nobody, "query": { "Person": [nobody] } },
    } });
    assert_eq!(answer, expected);
}

#[test]
fn a_relation_to_one_thing_forgets_the_old_one() {
    let answer = ask(
        &Archive::new(),
        r#"mutation {
          AddPersonBirthPlace(from: { identifier: "clara-schumann" }, to: { identifier: "bonn" }) {
            from { birthPlace { name } }
          }
        }"#,
    );
    let place = &answer["data"]["AddPersonBirthPlace"]["from"]["birthPlace"];
    assert_eq!(*place, json!({ "name": "Bonn" }));
}

#[test]
fn a_deleted_thing_takes_its_arrows_along() {
    let archive = Archive::new();
    ask(&archive, r#"mutation { DeletePerson(identifier: "scott-joplin") { name } }"#);
    ask(&archive, r#"mutation { CreatePerson(identifier: "scott-joplin") { name } }"#);
    let answer = ask(
        &archive,
        r#"{ MusicComposition(identifier: "joplin-maple-leaf-rag") { composer { name } } }"#,
    );
    assert_eq!(answer["data"]["MusicComposition"][0]["composer"], json!([]));
}

#[test]
fn a_person_has_what_clients_of_the_original_say_of_one() {
    let archive = Archive::new();
    let answer = ask(
        &archive,
        r#"mutation {
          made: CreatePerson(
            title: "t" contributor: "c" creator: "k" source: "s" format: "text/html" subject: "x"
            name: "Ada Test" gender: female language: en jobTitle: "programmer"
            birthDate: { year: 1815 month: 12 day: 10 } deathDate: { year: 1852 }
          ) { identifier gender language birthDate deathDate format subject }
          changed: UpdatePerson(identifier: "ada-test", birthDate: {year: 1815, month: 2}) { birthDate }
          no: UpdatePerson(identifier: "ada-test", birthDate: {month: 2}) { birthDate }
          nor: UpdatePerson(identifier: "ada-test", birthDate: 1815) { birthDate }
        }"#,
    );
    let made = json!({
        "identifier": "ada-test", "gender": "female", "language": "en", "birthDate": "1815-12-10",
        "deathDate": "1852", "format": "text/html", "subject": "x",
    });
    let data = json!({"made": made, "changed": {"birthDate": "1815-02"}, "no": null, "nor": null});
    assert_eq!(answer["data"], data);
    assert_eq!(answer["errors"].as_array().map(Vec::len), Some(2), "{answer}");
    let answer = ask(
        &archive,
        r#"{ a: Person(language: en, birthDate: {year: 1815, month: 2}, source: "s") { name }
             b: Person(language: de, source: "s") { name } }"#,
    );
    assert_eq!(answer["data"], json!({"a": [{"name": "Ada Test"}], "b": []}));
}

#[test]
fn work_is_asked_for() {
    let answer = ask(
        &Archive::new(),
        r#"mutation {
          RequestControlAction(identifier: "c1", controlAction: { name: "Scan", instrument: "camera" }) {
            identifier name instrument actionStatus
          }
        }"#,
    );
    let expected = json!({
        "identifier": "c1",
        "name": "Scan",
        "instrument": "camera",
        "actionStatus": "PotentialActionStatus",
    });
    assert_eq!(answer["data"]["RequestControlAction"], expected);
}

#[test]
fn an_unknown_or_taken_identifier_is_an_error_of_its_field_alone() {
    let archive = Archive::new();
    let counts = archive.counts();
    for (call, complaint) in [
        (r#"UpdatePerson(identifier: "x")"#, r#"no Person has the identifier "x""#),
        (r#"DeletePlace(identifier: "x")"#, r#"no Place has the identifier "x""#),
        (
            r#"CreatePerson(identifier: "scott-joplin")"#,
            r#"a Person with the identifier "scott-joplin" already exists"#,
        ),
        (r#"MergePerson(identifier: " ")"#, "an identifier must not be empty"),
    ] {
        let answer = ask(&archive, &format!("mutation {{ a: {call} {{ identifier }} }}"));
        assert_eq!(answer["data"], json!({ "a": null }));
        assert_eq!(answer["errors"][0]["message"], complaint);
        assert_eq!(answer["errors"][0]["path"], json!(["a"]));
    }
    assert_eq!(archive.counts(), counts);
}

#[test]
fn a_faulty_document_is_refused_as_a_whole() {
    let archive = Archive::new();
    let counts = archive.counts();
    for query in [
        "{",
        "{ nothing }",
        "mutation { CreatePerson(name: \"x\") { identifier } CreateNothing { identifier } }",
        "subscription { x }",
    ] {
        let answer = ask(&archive, query);
        assert!(answer.get("data").is_none(), "{answer}");
        assert!(!answer["errors"].as_array().unwrap().is_empty());
    }
    assert_eq!(archive.counts(), counts);
}

#[test]
fn the_schema_can_be_asked_for() {
    let answer = ask(
        &Archive::new(),
        r#"{ __schema { mutationType { name } }
             __type(name: "Person") { description fields { name type { name kind ofType { name } } } } }"#,
    );
    assert_eq!(answer["data"]["__schema"]["mutationType"]["name"], "Mutation");
    assert_eq!(answer["data"]["__type"]["fields"][0]["name"], "identifier");
}

#[test]
fn a_question_cannot_outgrow_the_archive() {
    let archive = Archive::new();
    let deep = format!("{{ Person {}{{ name }}{} }}", "{ knows ".repeat(20), " }".repeat(20));
    let answer = ask(&archive, &deep);
    assert_eq!(answer["errors"][0]["message"], "the query may nest at most 8 levels deep");

    let list = |n| format!("a{n}: MusicComposition(first: 500) {{ name title }} ");
    let wide: Vec<_> = (0..110).map(list).collect();
    let answer = ask(&archive, &format!("{{ {} }}", wide.concat()));
    assert!(answer["data"]["a0"].is_array());
    assert_eq!(
        answer["errors"][0]["message"],
        "a response may contain at most 100000 fields; request fewer"
    );
    assert_eq!(answer["data"]["a109"], Value::Null);

    let answer = ask(&archive, &format!("{}{}", "{ a ".repeat(5_000), "}".repeat(5_000)));
    assert!(answer.get("data").is_none());
}

async fn exchange(request: String) -> (String, Archive) {
    let archive = Archive::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(archive.clone().serve(listener, async {
        let _ = stopped.await;
    }));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    (response, archive)
}

fn post(headers: &str, body: &str) -> String {
    format!(
        "POST /any/path HTTP/1.1\r\nHost: archive\r\nConnection: close\r\n{headers}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

const JSON: &str = "Content-Type: application/json; charset=utf-8\r\n";
const PRECISE: &str = "Content-Type: application/json\r\n\
                       Accept: application/graphql-response+json, application/json;q=0.9\r\n";

#[tokio::test]
async fn a_post_is_answered() {
    let query = json!({
        "query": "mutation A($n: String) { CreatePerson(name: $n) { name } } query B { __typename }",
        "operationName": "A",
        "variables": { "n": "Über" },
        "extensions": {},
    });
    let before = count(&Archive::new(), "Person");
    let (response, archive) = exchange(post(JSON, &query.to_string())).await;
    assert!(response.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"));
    assert!(response.ends_with(r#"{"data":{"CreatePerson":{"name":"Über"}}}"#), "{response}");
    assert_eq!(count(&archive, "Person"), before + 1);
}

#[tokio::test]
async fn a_faulty_document_has_the_status_of_its_media_type() {
    let (response, _) = exchange(post(JSON, r#"{"query":"{ x }"}"#)).await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    let (response, _) = exchange(post(PRECISE, r#"{"query":"{ x }"}"#)).await;
    assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
    assert!(response.contains("content-type: application/graphql-response+json\r\n"));
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    for (request, status) in [
        ("GET /?query={__typename} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".into(), "405"),
        (post("", r#"{"query":"{ __typename }"}"#), "415"),
        (post(JSON, "{"), "400"),
        (post(JSON, r#"{"query":7}"#), "400"),
        (post(JSON, "[]"), "400"),
    ] {
        let (response, _) = exchange(request).await;
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
        assert!(response.contains(r#"{"errors":[{"message":"#), "{response}");
    }
}
