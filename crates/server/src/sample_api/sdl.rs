//! The schema in writing, made from the table.

use super::model::{ENUMERATIONS, Enumeration, Form, KINDS, Kind, Reach, Relation, Scalar};
use super::mutation::{self, Mutation, Stroke, Verb};

/// The scalars of a `ControlAction` that its creator may choose.
pub(crate) const REQUESTED: [&str; 3] = ["name", "description", "instrument"];

/// The whole schema.
pub(crate) fn sdl() -> String {
    let mutations = mutation::all();
    let mut parts = vec![query()];
    parts.push(block(
        "What can be changed.",
        "type Mutation",
        mutations.iter().flat_map(mutation_field),
    ));
    parts.push(format!(
        "{}\nscalar {DATE}\n",
        quoted("A date as precisely as it is known: a text, or {year: 1815, month: 12, day: 10}.")
    ));
    parts.extend(ENUMERATIONS.map(enumeration));
    parts.extend(KINDS.map(object));
    parts.extend(KINDS.map(key));
    parts.extend(mutations.iter().filter_map(payload));
    parts.push(block(
        "The work somebody asks for.",
        "input RequestControlActionInput",
        KINDS
            .iter()
            .filter(|kind| kind.name == "ControlAction")
            .flat_map(|kind| kind.scalars())
            .filter(|scalar| REQUESTED.contains(&scalar.name))
            .flat_map(scalar_field),
    ));
    parts.join("\n")
}

/// The type of dates in arguments.
const DATE: &str = "PartialDate";

fn enumeration(of: &Enumeration) -> String {
    let values = of.values.iter().flat_map(|(value, about)| [quoted(about), (*value).to_owned()]);
    block(of.about, &format!("enum {}", of.name), values)
}

/// The types of `scalar` in an argument and in an answer.
const fn types(scalar: &Scalar) -> (&'static str, &'static str) {
    match scalar.form {
        Form::Text => ("String", "String"),
        Form::Date => (DATE, "String"),
        Form::OneOf(values) => (values.name, values.name),
    }
}

fn query() -> String {
    let lists = KINDS.iter().flat_map(|kind| {
        let name = kind.name;
        [
            quoted(&format!(
                "Every {name}, or those that match, in the order of their identifiers."
            )),
            format!(
                "{name}(identifier: ID, {}, first: Int = 50, offset: Int = 0): [{name}]",
                arguments(kind)
            ),
        ]
    });
    let search = [
        quoted("The people whose name holds a text, whatever the case of its letters."),
        "personBySubstring(substring: String!, first: Int = 50): [Person]".into(),
    ];
    block("What can be read.", "type Query", lists.chain(search))
}

fn object(kind: &Kind) -> String {
    let key = [quoted("The key: stable, unique within the type."), "identifier: ID!".into()];
    let scalars = kind.scalars().flat_map(scalar_field);
    let relations = kind.relations.iter().flat_map(relation_field);
    block(
        kind.about,
        &format!("type {}", kind.name),
        key.into_iter().chain(scalars).chain(relations),
    )
}

fn scalar_field(scalar: &Scalar) -> [String; 2] {
    [quoted(scalar.about), format!("{}: {}", scalar.name, types(scalar).1)]
}

fn relation_field(relation: &Relation) -> [String; 2] {
    let target = relation.target.name;
    let field = match relation.reach {
        Reach::One => format!("{}: {target}", relation.name),
        Reach::Many => format!("{}: [{target}]", relation.name),
    };
    [quoted(relation.about), field]
}

fn key(kind: &Kind) -> String {
    block(
        &format!("Which {} is meant.", kind.name),
        &format!("input _{}Input", kind.name),
        [quoted("Its identifier."), "identifier: ID!".into()],
    )
}

fn payload(mutation: &Mutation) -> Option<String> {
    let Verb::Relate(stroke, kind, relation) = mutation.verb else { return None };
    let done = match stroke {
        Stroke::Add | Stroke::Merge => "drawn",
        Stroke::Remove => "wiped",
    };
    Some(block(
        &format!("The two ends of an arrow that was {done}."),
        &format!("type {}", payload_name(&mutation.name)),
        [
            quoted("Where the arrow starts."),
            format!("from: {}", kind.name),
            quoted("Where the arrow ends."),
            format!("to: {}", relation.target.name),
            quoted("The archive after the change."),
            "query: Query".into(),
        ],
    ))
}

fn payload_name(mutation: &str) -> String {
    format!("_{mutation}Payload")
}

fn mutation_field(mutation: &Mutation) -> [String; 2] {
    let name = &mutation.name;
    let (about, signature) = match mutation.verb {
        Verb::Create(kind) => {
            (format!("Adds {}.", one(kind)), node_signature(kind, "identifier: ID"))
        }
        Verb::Update(kind) => (
            format!("Changes {} that is there.", one(kind)),
            node_signature(kind, "identifier: ID!"),
        ),
        Verb::Merge(kind) => {
            (format!("Changes {}, or adds it.", one(kind)), node_signature(kind, "identifier: ID!"))
        }
        Verb::Delete(kind) => (
            format!("Deletes {} and every arrow to it.", one(kind)),
            format!("(identifier: ID!): {}", kind.name),
        ),
        Verb::Relate(stroke, kind, relation) => (
            relate_about(stroke, kind, relation),
            format!(
                "(from: _{}Input!, to: _{}Input!): {}",
                kind.name,
                relation.target.name,
                payload_name(name)
            ),
        ),
        Verb::RequestControlAction => (
            "Asks for work on the archive.".into(),
            "(identifier: ID, controlAction: RequestControlActionInput): ControlAction".into(),
        ),
    };
    [quoted(&about), format!("{name}{signature}")]
}

fn node_signature(kind: &Kind, key: &str) -> String {
    format!("({key}, {}): {}", arguments(kind), kind.name)
}

fn arguments(kind: &Kind) -> String {
    let scalars = kind.scalars().map(|scalar| format!("{}: {}", scalar.name, types(scalar).0));
    scalars.collect::<Vec<_>>().join(", ")
}

fn relate_about(stroke: Stroke, kind: &Kind, relation: &Relation) -> String {
    let (from, field, to) = (one(kind), relation.name, one(relation.target));
    match (stroke, relation.reach) {
        (Stroke::Remove, Reach::One) => format!("Clears {field} of {from} if it is that one."),
        (Stroke::Remove, Reach::Many) => format!("Removes {to} from {field} of {from}."),
        (_, Reach::One) => format!("Sets {field} of {from}, in place of what was there."),
        (_, Reach::Many) => format!("Adds {to} to {field} of {from} unless it is there."),
    }
}

fn one(kind: &Kind) -> String {
    let article = if kind.name.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
    format!("{article} {}", kind.name)
}

fn block(about: &str, head: &str, lines: impl IntoIterator<Item = String>) -> String {
    let lines: Vec<String> = lines.into_iter().collect();
    format!("{}\n{head} {{\n  {}\n}}\n", quoted(about), lines.join("\n  "))
}

fn quoted(about: &str) -> String {
    format!("\"{about}\"")
}
