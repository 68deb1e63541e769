//! Random documents and random policies, against a slow oracle: what reaches the service behind is
//! what policies allow with its arguments and with all that is below it.

use std::collections::{BTreeMap, BTreeSet};

use apollo_compiler::{
    ExecutableDocument, Name, Node, Schema,
    ast::Value as Literal,
    executable::{Field, Selection, SelectionSet},
    schema::ExtendedType,
    validation::Valid,
};
use castellan_gate::{Limits, OnDeny, Rules, SchemaSettings};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::{
    policies::{Question, rig_of},
    random::Writer,
    wire::SDL,
};

/// Fields that a policy may object to below another field.
const BELOW: [&str; 8] = [
    "Person.id",
    "Person.name",
    "Person.friends",
    "Node.id",
    "Order.id",
    "Query.id",
    "Query.secret",
    "PersonPayload.query",
];

/// What a random policy objects to.
#[derive(Clone, Debug)]
struct Objections {
    below: BTreeSet<&'static str>,
    /// An argument of this value.
    value: Option<&'static str>,
}

impl Objections {
    fn allow(&self, arguments: &Map<String, Value>, fields: &BTreeSet<String>) -> bool {
        let text = Value::Object(arguments.clone()).to_string();
        !self.below.iter().any(|one| fields.contains(*one))
            && self.value.is_none_or(|value| !text.contains(value))
    }
}

/// Every field of a root type in a document, with its arguments and what is below it, as slow and
/// plain as it can be said.
struct Oracle<'a> {
    schema: &'a Valid<Schema>,
    document: &'a ExecutableDocument,
    variables: Map<String, Value>,
    found: Vec<(String, Map<String, Value>, BTreeSet<String>)>,
}

impl Oracle<'_> {
    fn objects(&self, name: &Name) -> Vec<Name> {
        match &self.schema.types[name] {
            ExtendedType::Interface(_) => {
                let all = self.schema.types.iter();
                let objects = all
                    .filter(|(_, one)| one.is_object() && self.schema.is_subtype(name, one.name()));
                objects.map(|(one, _)| one.clone()).chain([name.clone()]).collect()
            }
            _ => vec![name.clone()],
        }
    }

    fn sets<'s>(&'s self, set: &'s SelectionSet) -> Vec<(Name, &'s Node<Field>)> {
        let each = set.selections.iter();
        each.flat_map(|selection| match selection {
            Selection::Field(field) => vec![(set.ty.clone(), field)],
            Selection::InlineFragment(inline) => self.sets(&inline.selection_set),
            Selection::FragmentSpread(spread) => {
                self.sets(&self.document.fragments[&spread.fragment_name].selection_set)
            }
        })
        .collect()
    }

    fn below(&self, set: &SelectionSet) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for (of, field) in self.sets(set) {
            if field.name != "__typename" {
                all.extend(self.objects(&of).iter().map(|of| format!("{of}.{}", field.name)));
                all.extend(self.below(&field.selection_set));
            }
        }
        all
    }

    fn value(&self, literal: &Literal) -> Option<Value> {
        Some(match literal {
            Literal::Variable(name) => self.variables.get(name.as_str())?.clone(),
            Literal::String(text) => json!(text),
            Literal::Int(digits) => json!(digits.as_str()),
            Literal::List(items) => items.iter().filter_map(|one| self.value(one)).collect(),
            Literal::Object(members) => {
                let each = members.iter();
                Value::Object(
                    each.filter_map(|(name, one)| Some((name.to_string(), self.value(one)?)))
                        .collect(),
                )
            }
            other => panic!("{other}"),
        })
    }

    fn walk(&mut self, set: &SelectionSet) {
        let each: Vec<_> =
            self.sets(set).into_iter().map(|(of, field)| (of, field.clone())).collect();
        for (of, field) in each {
            let roots = self.objects(&of);
            let is_root = roots.iter().any(|one| one == "Query" || one == "Mutation");
            if is_root && field.name != "__typename" {
                let given = field.arguments.iter();
                let arguments = given
                    .filter_map(|one| Some((one.name.to_string(), self.value(&one.value)?)))
                    .collect();
                let below = self.below(&field.selection_set);
                self.found.push((field.name.to_string(), arguments, below));
            }
            self.walk(&field.selection_set);
        }
    }

    /// How many fields of a root type `document` asks for, or one that `objections` do not allow.
    fn all_allowed(
        schema: &Valid<Schema>,
        document: &ExecutableDocument,
        given: &Map<String, Value>,
        objections: &Objections,
    ) -> Result<usize, String> {
        let operation = document.operations.iter().next().unwrap();
        let mut variables = BTreeMap::new();
        for definition in &operation.variables {
            if let Some(Literal::String(text)) = definition.default_value.as_deref() {
                variables.insert(definition.name.to_string(), json!(text));
            }
        }
        variables.extend(given.clone());
        let variables = variables.into_iter().collect();
        let mut oracle = Oracle { schema, document, variables, found: Vec::new() };
        oracle.walk(&operation.selection_set);
        let no = |(_, arguments, below): &&(String, Map<String, Value>, BTreeSet<String>)| {
            !objections.allow(arguments, below)
        };
        let denied = oracle.found.iter().find(no);
        denied.map_or(Ok(oracle.found.len()), |one| Err(format!("{one:?}")))
    }
}

fn check(choices: &[u8], objections: &Objections, without: u8) -> Result<(), TestCaseError> {
    let mut writer = Writer::new(choices);
    let document = writer.document();
    let mut variables = writer.variables;
    // Some are not given, so that their defaults count.
    variables
        .retain(|name, value| !value.is_string() || !name.len().is_multiple_of(2) || without == 0);
    let schema = Schema::parse_and_validate(SDL, "schema").unwrap();
    let Ok(whole) = ExecutableDocument::parse_and_validate(&schema, &*document, "whole") else {
        return Ok(());
    };
    let rules = Rules {
        on_deny: OnDeny::Null,
        limits: Limits { aliases: 1_000, root_fields: 10_000, ..Limits::default() },
        ..Rules::default()
    };
    let policy = objections.clone();
    let allows =
        move |one: &Question| policy.allow(&one.arguments, &one.fields.iter().cloned().collect());
    let (rig, _) = rig_of(SDL, (&SchemaSettings::default(), rules), allows);
    let rig = rig.answering(json!({"data": {}}));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let asked = rig.ask_with(Some("ann"), &document, Value::Object(variables.clone()));
    let reply = runtime.block_on(asked);
    prop_assert_eq!(reply.status, 200, "{}\n{}", document, reply.text);
    let all = Oracle::all_allowed(&schema, &whole, &variables, objections);
    let Some(sent) = rig.sent.lock().unwrap().pop() else {
        // Those opened by name alone are denied in any case, and names of types are ours. A document
        // whose fragments never apply asks for nothing.
        let plain = !document.contains("node") && !document.contains("__typename");
        let told = all.is_err() || !plain || all == Ok(0) && reply.text == r#"{"data":{}}"#;
        prop_assert!(told, "{}\n{}", document, reply.text);
        return Ok(());
    };
    let text = sent.query();
    let left = ExecutableDocument::parse_and_validate(&schema, text, "left");
    let left = left.map_err(|error| TestCaseError::fail(format!("{document}\n{text}\n{error}")))?;
    if let Err(one) = Oracle::all_allowed(&schema, &left, &variables, objections) {
        return Err(TestCaseError::fail(format!("{document}\n{text}\n{one}\n{objections:?}")));
    }
    if all.is_ok() && !document.contains("node") && !document.contains("__typename") {
        prop_assert_eq!(text, &document, "nothing was denied");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn only_what_policies_allow_reaches_the_upstream(
        choices in prop::collection::vec(any::<u8>(), 0..120),
        below in prop::sample::subsequence(BELOW.to_vec(), 0..3),
        value in prop::option::of(prop::sample::select(vec!["value", "(é", "name", "tags"])),
        without in 0_u8..2,
    ) {
        let objections = Objections { below: below.into_iter().collect(), value };
        check(&choices, &objections, without)?;
    }
}
