//! Reading policies: parsed, held to what can be enforced, and validated in strict mode.

use std::collections::BTreeSet;

use cedar_policy::{Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use miette::Diagnostic;
use serde_json::{Value, json};

use super::{Inner, Named, Reads, arguments::Arguments, bounds};
use crate::policy::CEDAR_SCHEMA;

/// Actions and groups of them that one policy may name.
const MOST_ACTIONS: usize = 100;
/// Bytes of what Cedar says of a fault, at most.
const LONGEST_MESSAGE: usize = 600;

/// Reads `text`, which is within the bounds.
pub(super) fn read(text: &str, arguments: Arguments) -> Result<Inner, String> {
    let parsed: PolicySet = text.parse().map_err(|errors| fault(text, &errors))?;
    if parsed.num_of_templates() > 0 {
        return Err(
            "cedar: templates (?principal, ?resource) have nothing that fills them".to_owned()
        );
    }
    let mut inner = Inner {
        policies: PolicySet::new(),
        without_arguments: None,
        names: Vec::new(),
        arguments,
        reads: Reads::default(),
        warnings: Vec::new(),
    };
    let mut without = PolicySet::new();
    for (policy, source) in named(&parsed)? {
        let found = Found::of(&source);
        let here = |problem: String| format!("cedar: {}: {problem}", name(&policy));
        found.check().map_err(here)?;
        validate(text, &policy, &found, &mut inner)?;
        inner.reads.arguments |= found.reads.arguments;
        inner.reads.params |= found.reads.params;
        inner.reads.headers |= found.reads.headers;
        let broken = |error: &dyn std::fmt::Display| here(error.to_string());
        if !found.reads.arguments {
            without.add(policy.clone()).map_err(|error| broken(&error))?;
        } else if policy.effect() == cedar_policy::Effect::Forbid {
            let mut scope = source;
            scope["conditions"] = json!([]);
            let scope = Policy::from_json(Some(policy.id().clone()), scope)
                .map_err(|error| broken(&error))?;
            without.add(scope).map_err(|error| broken(&error))?;
        }
        inner.names.push(Named {
            id: policy.id().clone(),
            effect: policy.effect(),
            reads_arguments: found.reads.arguments,
        });
        inner.policies.add(policy).map_err(|error| format!("cedar: {error}"))?;
    }
    if inner.names.is_empty() {
        return Err("cedar must contain at least one policy".to_owned());
    }
    if inner.reads.arguments {
        inner.without_arguments = Some(without);
    } else if !inner.arguments.is_empty() {
        return Err("arguments has an effect only if a policy reads context.arguments".to_owned());
    }
    Ok(inner)
}

/// The policies in the order of the text, each called by its annotation `@id`, or else by its
/// place; and each as Cedar writes it in JSON.
fn named(parsed: &PolicySet) -> Result<Vec<(Policy, Value)>, String> {
    // Cedar calls them policy0, policy1 and so on.
    let place = |policy: &Policy| {
        let digits = name(policy).trim_start_matches(|letter: char| !letter.is_ascii_digit());
        digits.parse::<usize>().unwrap_or_default()
    };
    let mut policies: Vec<&Policy> = parsed.policies().collect();
    policies.sort_by_key(|policy| place(policy));
    let mut ids = BTreeSet::new();
    let named = policies.into_iter().enumerate().map(|(at, policy)| {
        let id = policy.annotation("id");
        let id = id.map_or_else(|| format!("policy{at}"), ToOwned::to_owned);
        if id.is_empty() || id.len() > 64 || id.chars().any(char::is_control) {
            return Err("cedar: @id must be a text of at most 64 bytes".to_owned());
        }
        if !ids.insert(id.clone()) {
            return Err(format!("cedar: two policies are called {id}"));
        }
        let source = policy.to_json().map_err(|error| format!("cedar: {id}: {error}"))?;
        Ok((policy.new_id(PolicyId::new(id)), source))
    });
    named.collect()
}

fn name(policy: &Policy) -> &str {
    policy.id().as_ref()
}

/// Validates one policy against the schema with the actions that it names.
fn validate(text: &str, policy: &Policy, found: &Found, inner: &mut Inner) -> Result<(), String> {
    let schema = schema(&found.actions, &inner.arguments)?;
    let one =
        PolicySet::from_policies([policy.clone()]).map_err(|error| format!("cedar: {error}"))?;
    let result = Validator::new(schema).validate(&one, ValidationMode::Strict);
    if let Some(error) = result.validation_errors().next() {
        return Err(fault(text, error));
    }
    inner.warnings.extend(result.validation_warnings().map(ToString::to_string));
    Ok(())
}

/// The schema with `actions` in it, their groups, and for each group one action that stands for
/// all others in it: a policy has to be valid for actions that nobody has named.
pub(super) fn schema(actions: &BTreeSet<String>, arguments: &Arguments) -> Result<Schema, String> {
    let mut text = CEDAR_SCHEMA.to_owned();
    text.extend(["\ntype Arguments = ", &arguments.schema(), ";\n"]);
    let mut groups = BTreeSet::new();
    let mut leaves = BTreeSet::from(["*".to_owned()]);
    for action in actions {
        for (at, _) in action.match_indices(':') {
            groups.insert(&action[..at]);
        }
        match action.matches(':').count() {
            2 => _ = leaves.insert(action.clone()),
            _ => _ = groups.insert(action),
        }
    }
    leaves.extend(groups.iter().map(|group| format!("{group}:*")));
    let mut declare = |action: &str, is_leaf: bool| {
        text.extend(["action \"", action, "\""]);
        if let Some((parent, _)) = action.rsplit_once(':') {
            text.extend([" in [\"", parent, "\"]"]);
        }
        if is_leaf {
            text.push_str(
                " appliesTo {principal: [User, Client, Anonymous], resource: [Guard, Resource, \
                 Site], context: RequestContext}",
            );
        }
        text.push_str(";\n");
    };
    for group in &groups {
        declare(group, false);
    }
    for leaf in &leaves {
        declare(leaf, true);
    }
    let parsed = Schema::from_cedarschema_str(&text);
    parsed.map(|(schema, _)| schema).map_err(|error| format!("cedar: the schema: {error}"))
}

/// What a policy refers to.
#[derive(Default)]
struct Found {
    actions: BTreeSet<String>,
    reads: Reads,
    /// An entity that is named, and whose attributes or groups are asked for.
    dereferenced: Option<String>,
}

impl Found {
    fn of(source: &Value) -> Self {
        let mut found = Self::default();
        found.walk(source);
        found
    }

    fn check(&self) -> Result<(), String> {
        if let Some(action) = self.actions.iter().find(|action| !is_action(action)) {
            return Err(format!(
                "no action or group of actions can be called {action:?}; they are called as in \
                 Mutation:Order:Update, Mutation:Order and Mutation"
            ));
        }
        if self.actions.len() > MOST_ACTIONS {
            return Err(format!("a policy must not name more than {MOST_ACTIONS} actions"));
        }
        if let Some(entity) = &self.dereferenced {
            return Err(format!(
                "{entity} has no attributes and no groups here: a policy can ask about principal, \
                 resource, action and context"
            ));
        }
        Ok(())
    }

    /// Cedar's JSON is walked without knowing all of its operators: what is looked for has forms
    /// that nothing else has.
    fn walk(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.walk(item)),
            Value::Object(members) => {
                if let (Some(Value::String(kind)), Some(Value::String(id)), 2) =
                    (members.get("type"), members.get("id"), members.len())
                    && kind == "Action"
                {
                    self.actions.insert(id.clone());
                }
                for (name, value) in members {
                    match (&**name, value.get("left"), value.get("attr")) {
                        ("." | "has", Some(left), Some(Value::String(attr)))
                            if is_context(left) =>
                        {
                            self.read(attr);
                        }
                        (_, Some(left), _) if DEREFERENCES.contains(&&**name) => {
                            self.dereference(left);
                            self.walk(value);
                        }
                        ("Var", ..) if value == "context" => self.read_everything(),
                        // A record, an annotation or the like may have any name.
                        _ => self.walk(value),
                    }
                }
            }
            _ => {}
        }
    }

    fn read(&mut self, attribute: &str) {
        match attribute {
            "arguments" => self.reads.arguments = true,
            "params" => self.reads.params = true,
            "headers" => self.reads.headers = true,
            _ => {}
        }
    }

    fn read_everything(&mut self) {
        self.reads = Reads { arguments: true, params: true, headers: true };
    }

    fn dereference(&mut self, left: &Value) {
        let entity = left.get("Value").and_then(|value| value.get("__entity"));
        if let Some(entity) = entity {
            let part = |name: &str| entity.get(name).and_then(Value::as_str).unwrap_or_default();
            self.dereferenced = Some(format!("{}::{:?}", part("type"), part("id")));
        }
    }
}

/// Operators that ask for more of what stands on their left than which it is.
const DEREFERENCES: [&str; 6] = [".", "has", "in", "is", "getTag", "hasTag"];

fn is_context(expression: &Value) -> bool {
    expression.get("Var").is_some_and(|name| name == "context")
}

/// Whether `text` has one to three parts, as scopes have.
fn is_action(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    text.len() <= 256 && text.split(':').count() <= 3 && text.split(':').all(is_part)
}

/// What Cedar says of a fault, and where it is.
fn fault(text: &str, error: &(impl Diagnostic + ?Sized)) -> String {
    let at = error.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
    let mut said = error.to_string();
    if let Some(help) = error.help() {
        said.push_str(": ");
        said.push_str(&help.to_string());
    }
    // The one that stands for all that nobody has named.
    let mut said = said.replace("Action::\"*\"", "any other action");
    let end = said.char_indices().map(|(at, _)| at).find(|at| *at >= LONGEST_MESSAGE);
    said.truncate(end.unwrap_or(said.len()));
    match at {
        Some(at) => format!("cedar: {}: {said}", bounds::place(text, at)),
        None => format!("cedar: {said}"),
    }
}
