//! Random documents and random grants: what reaches the service behind is allowed, valid, and stands
//! where it stood (`docs/security-cases.md` row 27).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use apollo_compiler::{
    ExecutableDocument, Name, Schema,
    executable::{Selection, SelectionSet},
    schema::ExtendedType,
    validation::Valid,
};
use castellan_gate::{Limits, OnDeny, Rules, SchemaSettings};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::wire::{Rig, SDL, pattern};

/// Fields by type: the text to select them by, their own type if they have fields, and whether the
/// text takes a variable.
const FIELDS: [(&str, &[(&str, &str)]); 7] = [
    (
        "Query",
        &[
            ("id", ""),
            ("secret", ""),
            ("secret(of: $v)", ""),
            ("secret(of: \"é ) # \\\" 𝄞\")", ""),
            ("secret(of: \"\"\"\n } é \"\"\")", ""),
            ("persons", "Person"),
            ("persons(where: {name: $v, ages: [1]})", "Person"),
            ("orders", "Order"),
            ("node(id: 1)", "Node"),
            ("query", "Query"),
            ("self", "Query"),
            ("count", ""),
            ("__typename", ""),
        ],
    ),
    (
        "Mutation",
        &[
            ("createPerson", "PersonPayload"),
            ("createPerson(name: $v, tags: [$v])", "PersonPayload"),
            ("deletePerson(id: 1)", "PersonPayload"),
            ("createOrders", "OrderPayload"),
            ("orderStrictly", ""),
            ("__typename", ""),
        ],
    ),
    ("Person", &[("id", ""), ("name", ""), ("friends", "Person"), ("__typename", "")]),
    ("Order", &[("id", ""), ("total", "")]),
    ("Node", &[("id", ""), ("__typename", "")]),
    ("PersonPayload", &[("person", "Person"), ("query", "Query"), ("query", "Query")]),
    ("OrderPayload", &[("order", "Order"), ("query", "Query"), ("__typename", "")]),
];

/// Types that may stand as a condition within a type.
const NARROWER: [(&str, &[&str]); 3] = [
    ("Query", &["Query", "Node"]),
    ("Node", &["Node", "Person", "Query"]),
    ("Person", &["Person", "Node"]),
];

const ROOT_FIELDS: [&str; 13] = [
    "Query.id",
    "Query.secret",
    "Query.persons",
    "Query.orders",
    "Query.node",
    "Query.query",
    "Query.self",
    "Query.count",
    "Mutation.createPerson",
    "Mutation.deletePerson",
    "Mutation.createOrders",
    "Mutation.orderStrictly",
    "Query.fill",
];

/// Writes a valid document; every choice is one byte, and no more bytes mean the shortest end.
pub struct Writer<'a> {
    choices: std::slice::Iter<'a, u8>,
    names: usize,
    fragments: Vec<(&'static str, String)>,
    pub variables: Map<String, Value>,
    declared: Vec<String>,
    definitions: String,
}

impl<'a> Writer<'a> {
    pub fn new(choices: &'a [u8]) -> Self {
        Self {
            choices: choices.iter(),
            names: 0,
            fragments: Vec::new(),
            variables: Map::new(),
            declared: Vec::new(),
            definitions: String::new(),
        }
    }

    fn choice(&mut self, of: usize) -> usize {
        usize::from(*self.choices.next().unwrap_or(&0)) % of
    }

    fn name(&mut self, head: &str) -> String {
        self.names += 1;
        format!("{head}{}", self.names)
    }

    pub fn document(&mut self) -> String {
        let root = ["Query", "Mutation"][self.choice(2)];
        let set = self.set(root, 4);
        let mut head = if root == "Query" { "query" } else { "mutation" }.to_owned();
        if self.choice(2) == 1 {
            head.push_str(" Named # (\n");
        }
        if !self.declared.is_empty() {
            let comma = [" ", ", ", ",\r\n# ) \r"][self.choice(3)];
            let _ = write!(head, "({})", self.declared.join(comma));
        }
        format!("{head} {set}\n{}", self.definitions)
    }

    fn set(&mut self, of: &'static str, depth: usize) -> String {
        let mut out = "{ ".to_owned();
        for _ in 0..=self.choice(4) {
            let one = self.selection(of, depth);
            let gap = [" ", ", ", "\n", " # } é\r\n"][self.choice(4)];
            out.push_str(&one);
            out.push_str(gap);
        }
        out + "}"
    }

    fn selection(&mut self, of: &'static str, depth: usize) -> String {
        let kind = if depth == 0 { 0 } else { self.choice(6) };
        let directives = self.directives();
        match kind {
            3 => format!("...{directives} {}", self.set(of, depth - 1)),
            4 => {
                let to = self.narrower(of);
                format!("... on {to}{directives} {}", self.set(to, depth - 1))
            }
            5 => format!("...{}{directives}", self.fragment(of, depth)),
            _ => self.field(of, depth, &directives),
        }
    }

    fn narrower(&mut self, of: &'static str) -> &'static str {
        match NARROWER.iter().find(|(name, _)| *name == of) {
            Some((_, all)) => all[self.choice(all.len())],
            None => of,
        }
    }

    fn fragment(&mut self, of: &'static str, depth: usize) -> String {
        let to = self.narrower(of);
        let known: Vec<_> = self.fragments.iter().filter(|(on, _)| *on == to).collect();
        if !known.is_empty() && self.choices.len().is_multiple_of(2) {
            return known[0].1.clone();
        }
        let name = self.name("F");
        let set = self.set(to, depth - 1);
        let _ = writeln!(self.definitions, "fragment {name} on {to} {set}");
        self.fragments.push((to, name.clone()));
        name
    }

    fn field(&mut self, of: &'static str, depth: usize, directives: &str) -> String {
        let (_, fields) = FIELDS.iter().find(|(name, _)| *name == of).unwrap();
        let (mut text, mut to) = fields[self.choice(fields.len())];
        if depth == 0 && !to.is_empty() {
            (text, to) = fields.iter().find(|(_, to)| to.is_empty()).copied().unwrap_or((text, to));
        }
        let mut field = text.to_owned();
        if field.contains("$v") {
            let name = self.name("v");
            field = field.replace("$v", &format!("${name}"));
            let default = ["", " = \"(é\""][self.choice(2)];
            self.declared.push(format!("${name}: String{default}"));
            self.variables.insert(name, json!("value"));
        }
        // Arguments differ, so each such field has a key of its own.
        if text.contains('(') || self.choice(3) == 1 {
            field = format!("{}: {field}", self.name("a"));
        }
        if to.is_empty() {
            return field + directives;
        }
        let below = self.set_of(to, depth);
        format!("{field}{directives} {below}")
    }

    fn set_of(&mut self, to: &str, depth: usize) -> String {
        let (of, _) = FIELDS.iter().find(|(name, _)| *name == to).unwrap();
        match depth.checked_sub(1) {
            Some(depth) => self.set(of, depth),
            None => "{ __typename }".to_owned(),
        }
    }

    fn directives(&mut self) -> String {
        match self.choice(8) {
            1 => " @include(if: true)".to_owned(),
            2 => " @skip(if: true)".to_owned(),
            3 => {
                let name = self.name("b");
                let value = self.choice(2) == 1;
                self.declared.push(format!("${name}: Boolean! "));
                self.variables.insert(name.clone(), json!(value));
                format!(" @include(if: ${name})")
            }
            _ => String::new(),
        }
    }
}

/// The (root, field) pairs that a document selects, found by the types an object may really have;
/// or, if `loose`, by the nearest condition alone, which may never be met.
struct Reached<'a> {
    loose: bool,
    schema: &'a Valid<Schema>,
    document: &'a ExecutableDocument,
    pairs: BTreeSet<String>,
}

impl Reached<'_> {
    fn possible(&self, name: &Name) -> BTreeSet<Name> {
        match &self.schema.types[name] {
            ExtendedType::Object(_) => BTreeSet::from([name.clone()]),
            ExtendedType::Interface(_) => self
                .schema
                .types
                .iter()
                .filter(|(_, one)| one.is_object() && self.schema.is_subtype(name, one.name()))
                .map(|(one, _)| one.clone())
                .collect(),
            _ => BTreeSet::new(),
        }
    }

    fn set(&mut self, set: &SelectionSet, within: &BTreeSet<Name>) {
        let mut here = self.possible(&set.ty);
        if !self.loose {
            here.retain(|one| within.contains(one));
        }
        if here.is_empty() {
            // No object is of all these types at once: none of it can run.
            return;
        }
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    for root in here.iter().filter(|one| *one == "Query" || *one == "Mutation") {
                        self.pairs.insert(format!("{root}.{}", field.name));
                    }
                    let below = self.possible(field.ty().inner_named_type());
                    self.set(&field.selection_set, &below);
                }
                Selection::InlineFragment(inline) => self.set(&inline.selection_set, &here),
                Selection::FragmentSpread(spread) => {
                    let fragment = spread.fragment_def(self.document).unwrap().clone();
                    self.set(&fragment.selection_set, &here);
                }
            }
        }
    }

    fn of(schema: &Valid<Schema>, document: &ExecutableDocument, loose: bool) -> BTreeSet<String> {
        let mut reached = Reached { loose, schema, document, pairs: BTreeSet::new() };
        for operation in document.operations.iter() {
            let root = operation.object_type();
            reached.set(&operation.selection_set, &BTreeSet::from([root.clone()]));
        }
        reached.pairs
    }
}

/// A gate whose every root field has a required scope of its own, with those of `allowed` public.
fn rig(allowed: &[&str], on_deny: OnDeny) -> Rig {
    let required = |place: &str| {
        let (root, field) = place.split_once('.').unwrap();
        format!("{root}:{field}:Do")
    };
    let overrides: BTreeMap<_, _> = ROOT_FIELDS
        .iter()
        .map(|place| ((*place).to_owned(), required(place).try_into().unwrap()))
        .collect();
    let rules = Rules {
        public: allowed.iter().map(|place| pattern(&required(place))).collect(),
        on_deny,
        limits: Limits { aliases: 1_000, root_fields: 10_000, ..Limits::default() },
        ..Rules::default()
    };
    let settings = SchemaSettings { overrides, ..SchemaSettings::default() };
    Rig::with(SDL, &settings, rules, &[]).answering(json!({"data": {}}))
}

fn check(choices: &[u8], grants: u16, on_deny: OnDeny) -> Result<(), TestCaseError> {
    let mut writer = Writer::new(choices);
    let document = writer.document();
    let schema = Schema::parse_and_validate(SDL, "schema").unwrap();
    // Not everything written is valid: one key may stand for fields of different shape.
    let Ok(whole) = ExecutableDocument::parse_and_validate(&schema, &*document, "whole") else {
        return Ok(());
    };
    let granted = |at: &usize| grants & (1 << at) != 0;
    let allowed: Vec<&str> =
        ROOT_FIELDS.iter().enumerate().filter(|(at, _)| granted(at)).map(|(_, one)| *one).collect();
    let rig = rig(&allowed, on_deny);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let reply = runtime.block_on(rig.ask_with(None, &document, Value::Object(writer.variables)));
    prop_assert_eq!(reply.status, 200, "{}\n{}", document, reply.text);
    let may_pass =
        |pair: &String| pair.ends_with(".__typename") || allowed.contains(&pair.as_str());
    let before = Reached::of(&schema, &whole, true);
    let Some(sent) = rig.sent.lock().unwrap().pop() else {
        let nothing_allowed = !before.iter().any(|p| may_pass(p) && !p.ends_with("__typename"));
        prop_assert!(nothing_allowed || !before.iter().all(may_pass), "{}", document);
        return Ok(());
    };
    let text = sent.query();
    let left = ExecutableDocument::parse_and_validate(&schema, text, "left");
    let left = left.map_err(|error| TestCaseError::fail(format!("{document}\n{text}\n{error}")))?;
    let after = Reached::of(&schema, &left, false);
    prop_assert!(after.iter().all(may_pass), "{}\n{}\n{:?}", document, text, after);
    prop_assert_eq!(text.chars().count(), document.chars().count());
    for (theirs, ours) in document.chars().zip(text.chars()) {
        let blanked = ours == ' ' && theirs != '\n' && theirs != '\r';
        prop_assert!(theirs == ours || blanked, "{}\n{}", document, text);
    }
    let declared: BTreeSet<&str> = left
        .operations
        .iter()
        .flat_map(|one| &one.variables)
        .map(|one| one.name.as_str())
        .collect();
    let values = sent.body.get("variables").and_then(Value::as_object).cloned().unwrap_or_default();
    let names: BTreeSet<&str> = values.keys().map(String::as_str).collect();
    prop_assert_eq!(names, declared);
    if before.iter().all(may_pass) && !document.contains("__typename") {
        prop_assert_eq!(text, document, "nothing was denied");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn case_27_only_what_is_allowed_reaches_the_upstream(
        choices in prop::collection::vec(any::<u8>(), 0..120),
        grants: u16,
        null: bool,
    ) {
        check(&choices, grants, if null { OnDeny::Null } else { OnDeny::Reject })?;
    }

    /// Whatever the bytes of a body are, there is an answer, and it is JSON.
    #[test]
    fn case_27_any_body_has_an_answer(body in "[{}()!:$.@#\"\\\\a-z \\n\u{e9}\u{1d11e}\u{feff}]{0,60}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let rig = rig(&["Query.id"], OnDeny::Null);
        for request in [crate::wire::post(None, &body), crate::wire::post(None, &json!({"query": body}).to_string())] {
            let reply = runtime.block_on(rig.send(request));
            prop_assert!(reply.status == 400 || reply.status == 200);
            reply.json();
        }
    }
}
