//! A schema of thousands of mutations, of the shape in `docs/contracts/trompa.md` §6.1: each field
//! is made from an action and a type, and must require just that.

use std::{collections::BTreeMap, fmt::Write as _};

use castellan_gate::{GuardSchema, Naming, Root, SchemaSettings};

/// The node types of §6.1.
const NODES: &str = "Action AddAction Annotation AnnotationCEMotivation AnnotationCETarget \
    AnnotationTextualBody Article Audience AudioObject ControlAction DataDownload Dataset \
    DefinedTerm DefinedTermSet DeleteAction DigitalDocument DigitalDocumentPermission EntryPoint \
    Event ImageObject Intangible ItemList ListItem MediaObject MusicAlbum MusicComposition \
    MusicGroup MusicPlaylist MusicRecording Occupation Organization Person Place Product Property \
    PropertyValue PropertyValueSpecification Rating ReplaceAction Review SoftwareApplication \
    VideoObject";
/// Interfaces, which have relation mutations only.
const INTERFACES: &str = "ThingInterface CreativeWorkInterface ActionInterface \
    LegalPersonInterface MediaObjectInterface OrganizationInterface";
/// Fields that are relations; some have underscores, digits, or a word that is an action.
const RELATIONS: &str = "about additionalType agent author composer contributor creator \
    schema_publisher schema_agent subjectOf birthPlace knows mainEntityOfPage isPartOf hasPart \
    exampleOfWork workExample recordedAs addAction deleteEvent mergeX mp3 license1 url2 motivation \
    hasBodyText";
/// How many relations the original has.
const RELATION_TYPES: usize = 1_177;

/// Each mutation with its type and its action.
fn mutations() -> BTreeMap<String, (String, &'static str)> {
    let nodes = || NODES.split_whitespace();
    let mut all = BTreeMap::new();
    for node in nodes() {
        for action in ["Create", "Update", "Merge", "Delete"] {
            all.insert(format!("{action}{node}"), (node.to_owned(), action));
        }
    }
    let declaring = nodes().chain(INTERFACES.split_whitespace());
    let relation = |of: &str, field: &str| {
        // The first letter alone is made a capital.
        let (first, rest) = field.split_at(1);
        format!("{of}{}{rest}", first.to_ascii_uppercase())
    };
    let relations = declaring
        .flat_map(|of| RELATIONS.split_whitespace().map(move |field| relation(of, field)))
        .take(RELATION_TYPES);
    for relation in relations {
        for action in ["Add", "Remove", "Merge"] {
            all.insert(format!("{action}{relation}"), (relation.clone(), action));
        }
    }
    all.insert("RequestControlAction".to_owned(), ("ControlAction".to_owned(), "Request"));
    all
}

#[test]
fn every_mutation_of_a_schema_of_thousands_requires_its_type_and_its_action() {
    let mutations = mutations();
    assert_eq!(mutations.len(), 42 * 4 + RELATION_TYPES * 3 + 1);
    let mut sdl =
        String::from("type Query { node_: Node } type Node { id: ID }\ntype Mutation {\n");
    for field in mutations.keys() {
        writeln!(sdl, "  {field}(identifier: ID): Node").unwrap();
    }
    sdl.push_str("}\n");
    let settings = SchemaSettings { naming: Naming::Trompa, ..SchemaSettings::default() };
    let schema = GuardSchema::build(&sdl, &settings).unwrap();
    let mapped = schema.entries().filter(|(root, ..)| *root == Root::Mutation).count();
    assert_eq!(mapped, mutations.len(), "none is left out, none is made up");
    for (field, (of, action)) in &mutations {
        let entry = schema.entry(Root::Mutation, field).unwrap();
        assert_eq!(entry.required.as_str(), format!("Mutation:{of}:{action}"), "{field}");
    }
}

/// Written twice, the schema is the same to a lock file: nothing is remapped in silence.
#[test]
fn a_name_that_the_rule_cannot_split_stops_the_start() {
    let settings = SchemaSettings { naming: Naming::Trompa, ..SchemaSettings::default() };
    for field in
        ["createPerson", "Create", "PERSON", "Create_Person", "create", "CreateP", "C1Person"]
    {
        let sdl = format!("type Query {{ a: ID }} type Mutation {{ {field}: ID }}");
        assert!(GuardSchema::build(&sdl, &settings).is_err(), "{field}");
    }
}
