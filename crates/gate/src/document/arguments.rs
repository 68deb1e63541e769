//! The arguments of a field as the API behind the gate will see them, for policies: variables
//! replaced by their values, defaults filled in, and each value in the form of its type (GraphQL
//! specification §6.4.1). A policy that compares must not be passed by another spelling of a value.

use apollo_compiler::{
    Name, Node, Schema,
    ast::{InputValueDefinition, Type, Value as Literal},
    executable::Field,
    response::{JsonMap, JsonValue},
    schema::{ExtendedType, InputObjectType},
};
use serde_json::{Map, Value};

use crate::Root;

use super::{
    numbers::{exact, whole_or_double},
    selection::DocumentError,
};

/// Bytes of arguments that policies are shown for one request at most: the values of one variable
/// may stand in many places.
pub(crate) const MOST_BYTES: usize = 4 * 1024 * 1024;
/// What a value takes besides its text.
const VALUE: usize = 32;

/// What is left of [`MOST_BYTES`].
pub(crate) struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(MOST_BYTES)
    }
}

impl Budget {
    fn take(&mut self, text: &str) -> Result<(), DocumentError> {
        let left = self.0.checked_sub(VALUE + text.len());
        self.0 = left.ok_or_else(|| {
            let message = "The arguments of all fields together are larger than what policies may \
                           be shown.";
            DocumentError::TooLarge(message.to_owned())
        })?;
        Ok(())
    }
}

/// The arguments of `field` of the type `root`, in the order of its definition. `variables` are
/// coerced.
///
/// The definition is that of the object type, whichever interface the field was selected on: by it
/// the API executes (GraphQL specification §6.4.1).
///
/// # Errors
/// [`DocumentError::TooLarge`] if they take more than what is left of `budget`.
pub(crate) fn of(
    schema: &Schema,
    root: Root,
    field: &Field,
    variables: &JsonMap,
    budget: &mut Budget,
) -> Result<Map<String, Value>, DocumentError> {
    let mut reading = Reading { schema, variables, budget, expanded: Vec::new() };
    let given = field.arguments.iter().map(|argument| (&argument.name, &argument.value));
    let name = schema.root_operation(root.operation());
    let executed = name.and_then(|name| schema.type_field(name, &field.name).ok());
    let defined = executed.map_or(&field.definition.arguments, |field| &field.arguments);
    reading.members(defined, &given.collect::<Vec<_>>())
}

/// The value of `default`, which stands in the declaration of a variable or in `definition`, as one
/// of type `ty`.
pub(super) fn typed(
    schema: &Schema,
    ty: &Type,
    default: &Literal,
    definition: Option<&InputValueDefinition>,
) -> JsonValue {
    // As long as the document and the schema are, which have limits of their own.
    let (variables, mut budget) = (JsonMap::new(), Budget(usize::MAX));
    let expanded = definition.map(std::ptr::from_ref).into_iter().collect();
    let mut reading = Reading { schema, variables: &variables, budget: &mut budget, expanded };
    let value = reading.literal(ty, default).ok().flatten();
    value.unwrap_or_default().into()
}

struct Reading<'a> {
    schema: &'a Schema,
    variables: &'a JsonMap,
    budget: &'a mut Budget,
    /// The definitions whose defaults are being filled in: one within itself would have no end.
    expanded: Vec<*const InputValueDefinition>,
}

impl Reading<'_> {
    /// The values of what is `defined`, with defaults for what is not `given`.
    fn members<'d>(
        &mut self,
        defined: impl IntoIterator<Item = &'d Node<InputValueDefinition>>,
        given: &[(&Name, &Node<Literal>)],
    ) -> Result<Map<String, Value>, DocumentError> {
        let mut members = Map::new();
        for definition in defined {
            let found = given.iter().find(|(name, _)| **name == definition.name);
            let value = match found {
                Some((_, value)) => self.literal(&definition.ty, value)?,
                None => None,
            };
            let value = match (value, &definition.default_value) {
                (Some(value), _) => value,
                (None, Some(default)) => {
                    let this = std::ptr::from_ref::<InputValueDefinition>(definition);
                    if self.expanded.contains(&this) {
                        continue;
                    }
                    self.expanded.push(this);
                    let value = self.literal(&definition.ty, default);
                    self.expanded.pop();
                    match value? {
                        Some(value) => value,
                        None => continue,
                    }
                }
                (None, None) => continue,
            };
            self.budget.take(&definition.name)?;
            members.insert(definition.name.to_string(), value);
        }
        Ok(members)
    }

    /// The value of `literal` as one of type `ty`; `None` for a variable without a value.
    fn literal(&mut self, ty: &Type, literal: &Literal) -> Result<Option<Value>, DocumentError> {
        if let Literal::Variable(name) = literal {
            let value = self.variables.get(name.as_str());
            return value.map(|value| self.coerced(value)).transpose();
        }
        self.budget.take("")?;
        if matches!(literal, Literal::Null) {
            return Ok(Some(Value::Null));
        }
        let name = match ty {
            Type::List(item) | Type::NonNullList(item) => {
                // A value that is not a list counts as a list of one item (§3.11).
                let items = match literal {
                    Literal::List(items) => &**items,
                    _ => return Ok(self.literal(item, literal)?.map(|one| Value::from(vec![one]))),
                };
                let items =
                    items.iter().map(|one| Ok(self.literal(item, one)?.unwrap_or_default()));
                return items.collect::<Result<Vec<_>, _>>().map(|items| Some(items.into()));
            }
            Type::Named(name) | Type::NonNullNamed(name) => name,
        };
        let value = match (self.schema.types.get(name), literal) {
            (Some(ExtendedType::InputObject(definition)), Literal::Object(members)) => {
                Value::Object(self.object(definition, members)?)
            }
            (_, Literal::Int(digits)) if name == "ID" => {
                self.budget.take(digits.as_str())?;
                digits.as_str().into()
            }
            (_, Literal::Int(digits)) if name == "Float" => double(digits.as_str()),
            (_, Literal::Float(digits)) if name == "Float" => double(digits.as_str()),
            _ => self.plain(literal)?,
        };
        Ok(Some(value))
    }

    fn object(
        &mut self,
        definition: &InputObjectType,
        members: &[(Name, Node<Literal>)],
    ) -> Result<Map<String, Value>, DocumentError> {
        let given: Vec<_> = members.iter().map(|(name, value)| (name, value)).collect();
        self.members(definition.fields.values().map(|field| &**field), &given)
    }

    /// A value by what it is rather than by a type: of a scalar that only the API reads, or one whose
    /// form says everything.
    fn plain(&mut self, literal: &Literal) -> Result<Value, DocumentError> {
        Ok(match literal {
            Literal::Null => Value::Null,
            Literal::Variable(name) => match self.variables.get(name.as_str()) {
                Some(value) => self.coerced(value)?,
                None => Value::Null,
            },
            Literal::Enum(name) => self.text(name)?,
            Literal::String(text) => self.text(text)?,
            Literal::Boolean(value) => (*value).into(),
            Literal::Int(digits) => {
                self.budget.take(digits.as_str())?;
                exact(digits.as_str())
            }
            Literal::Float(digits) => {
                self.budget.take(digits.as_str())?;
                exact(digits.as_str())
            }
            Literal::List(items) => {
                let items = items.iter().map(|item| self.part(item));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Literal::Object(members) => {
                let mut object = Map::new();
                for (name, value) in members {
                    self.budget.take(name)?;
                    object.insert(name.to_string(), self.part(value)?);
                }
                Value::Object(object)
            }
        })
    }

    fn part(&mut self, literal: &Literal) -> Result<Value, DocumentError> {
        self.budget.take("")?;
        self.plain(literal)
    }

    fn text(&mut self, text: &str) -> Result<Value, DocumentError> {
        self.budget.take(text)?;
        Ok(text.into())
    }

    /// A value of a variable, which has been coerced to the variable's type.
    fn coerced(&mut self, value: &JsonValue) -> Result<Value, DocumentError> {
        self.budget.take("")?;
        Ok(match value {
            JsonValue::Null => Value::Null,
            JsonValue::Bool(value) => (*value).into(),
            JsonValue::Number(number) => Value::Number(number.clone()),
            JsonValue::String(text) => self.text(text.as_str())?,
            JsonValue::Array(items) => {
                let items = items.iter().map(|item| self.coerced(item));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            JsonValue::Object(members) => {
                let mut object = Map::new();
                for (name, value) in members {
                    self.budget.take(name.as_str())?;
                    object.insert(name.as_str().to_owned(), self.coerced(value)?);
                }
                Value::Object(object)
            }
        })
    }
}

/// The value of a `Float`, whose API reads no more of it than this.
fn double(digits: &str) -> Value {
    digits.parse().map_or(Value::Null, whole_or_double)
}
