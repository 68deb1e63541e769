//! What a policy says: one engine, or several combined.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Explained,
    cedar::{Asked, Cedar},
    json_schema::JsonSchema,
    matcho::Pattern,
};

/// Levels of `complex` at most.
const DEEPEST: usize = 8;
/// Rules in one policy at most.
const MOST: usize = 100;

/// The engines that there are.
const ENGINES: &str = "allow, matcho, json-schema, complex, cedar";

/// A rule as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RuleDocument {
    /// `allow`, `matcho`, `json-schema`, `complex` or `cedar`.
    pub engine: String,
    /// The pattern that a request has to match, for `matcho`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matcho: Option<Value>,
    /// The JSON schema (draft 7) that a request has to satisfy, for `json-schema`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// All of these have to allow a request, for `complex`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub and: Option<Vec<RuleDocument>>,
    /// One of these has to allow a request, for `complex`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub or: Option<Vec<RuleDocument>>,
    /// Policies in the Cedar language, for `cedar`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cedar: Option<String>,
    /// The arguments that these read, with their types, for `cedar`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
}

/// A rule that was read and found good.
#[derive(Clone, Debug)]
pub enum Rule {
    /// Allows every request.
    Allow,
    /// Allows what matches a pattern.
    Matcho(Pattern),
    /// Allows what satisfies a schema.
    JsonSchema(JsonSchema),
    /// Allows what all of them allow.
    And(Vec<Rule>),
    /// Allows what one of them allows.
    Or(Vec<Rule>),
    /// Allows and forbids what policies in the Cedar language do.
    Cedar(Cedar),
}

/// What a rule said about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It allows the request.
    Allowed,
    /// It does not, because of this; never a value of the request.
    NotAllowed(String),
    /// It forbids the request, whatever others say, because of this; never a value of the request.
    Forbidden(String),
}

impl Rule {
    /// Reads `document`.
    ///
    /// # Errors
    /// What is wrong with it, naming the member.
    pub fn read(document: &RuleDocument) -> Result<Self, String> {
        read(document, &mut Bounds { depth: 0, left: MOST })
    }

    /// Its policies in the Cedar language, if that is what it has.
    pub(super) const fn cedar(&self) -> Option<&Cedar> {
        match self {
            Self::Cedar(cedar) => Some(cedar),
            _ => None,
        }
    }

    /// Whether it may forbid a request.
    pub(super) fn may_forbid(&self) -> bool {
        self.cedar().is_some_and(Cedar::may_forbid)
    }

    /// What it says about `request`, which is the one that is `asked` about.
    pub(super) fn explain(&self, request: &Value, asked: &Asked<'_>) -> Explained {
        match self {
            Self::Cedar(cedar) => cedar.evaluate(asked),
            _ => Explained {
                outcome: self.evaluate(request),
                policies: Vec::new(),
                errors: Vec::new(),
            },
        }
    }

    /// What it says about `request` in an engine that only allows.
    fn evaluate(&self, request: &Value) -> Outcome {
        match self {
            Self::Allow => Outcome::Allowed,
            Self::Matcho(pattern) => match pattern.mismatch(request) {
                None => Outcome::Allowed,
                Some(mismatch) => Outcome::NotAllowed(mismatch.to_string()),
            },
            Self::JsonSchema(schema) => match schema.violation(request) {
                None => Outcome::Allowed,
                Some(violation) => Outcome::NotAllowed(violation),
            },
            Self::And(rules) => rules
                .iter()
                .map(|rule| rule.evaluate(request))
                .find(|outcome| *outcome != Outcome::Allowed)
                .unwrap_or(Outcome::Allowed),
            Self::Or(rules) => {
                let mut reasons = Vec::new();
                for rule in rules {
                    match rule.evaluate(request) {
                        Outcome::Allowed => return Outcome::Allowed,
                        Outcome::NotAllowed(reason) | Outcome::Forbidden(reason) => {
                            reasons.push(reason);
                        }
                    }
                }
                Outcome::NotAllowed(reasons.join("; "))
            }
            // It is no part of another, and is explained by itself.
            Self::Cedar(_) => Outcome::NotAllowed("cedar is no part of complex".to_owned()),
        }
    }

    /// What is allowed by the letter and seldom meant.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        match self {
            Self::Allow | Self::JsonSchema(_) => Vec::new(),
            Self::Matcho(pattern) => pattern.warnings(),
            Self::And(rules) | Self::Or(rules) => rules.iter().flat_map(Self::warnings).collect(),
            Self::Cedar(cedar) => cedar.warnings(),
        }
    }
}

/// What is left of what a policy may contain.
struct Bounds {
    depth: usize,
    left: usize,
}

fn read(document: &RuleDocument, bounds: &mut Bounds) -> Result<Rule, String> {
    bounds.left = bounds
        .left
        .checked_sub(1)
        .ok_or_else(|| format!("a policy must not contain more than {MOST} rules"))?;
    let RuleDocument { engine, matcho, schema, and, or, cedar, arguments } = document;
    let given = [
        ("matcho", "matcho", matcho.is_some()),
        ("schema", "json-schema", schema.is_some()),
        ("and", "complex", and.is_some()),
        ("or", "complex", or.is_some()),
        ("cedar", "cedar", cedar.is_some()),
        ("arguments", "cedar", arguments.is_some()),
    ];
    let known = ENGINES.split(", ").any(|name| name == engine);
    if !known {
        return Err(format!("engine must be one of {ENGINES}"));
    }
    let stray = given.iter().find(|(_, of, is_given)| *is_given && of != engine);
    if let Some((member, of, _)) = stray {
        return Err(format!("{member} has an effect with engine: {of} only"));
    }
    match &**engine {
        "matcho" => {
            let pattern = matcho.as_ref().ok_or("matcho is missing")?;
            Pattern::read(pattern).map(Rule::Matcho)
        }
        "json-schema" => {
            let schema = schema.as_ref().ok_or("schema is missing")?;
            JsonSchema::read(schema).map(Rule::JsonSchema)
        }
        "complex" => {
            if bounds.depth == DEEPEST {
                return Err(format!("complex must not be nested deeper than {DEEPEST} levels"));
            }
            bounds.depth += 1;
            let rule = match (and, or) {
                (Some(rules), None) => read_all("and", rules, bounds).map(Rule::And),
                (None, Some(rules)) => read_all("or", rules, bounds).map(Rule::Or),
                _ => Err("complex needs either and, or or".to_owned()),
            };
            bounds.depth -= 1;
            rule
        }
        "cedar" => {
            // A forbid within an `or` would read as if it concerned that part alone.
            if bounds.depth > 0 {
                return Err("engine: cedar must not be part of complex; what it combines can be \
                            said in Cedar"
                    .to_owned());
            }
            let text = cedar.as_ref().ok_or("cedar is missing")?;
            Cedar::read(text, arguments.as_ref()).map(Rule::Cedar)
        }
        _ => Ok(Rule::Allow),
    }
}

fn read_all(
    member: &str,
    documents: &[RuleDocument],
    bounds: &mut Bounds,
) -> Result<Vec<Rule>, String> {
    if documents.is_empty() {
        return Err(format!("{member} must contain at least one rule"));
    }
    let rules = documents.iter().enumerate().map(|(at, document)| {
        read(document, bounds).map_err(|problem| format!("{member}[{at}].{problem}"))
    });
    rules.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(document: Value) -> Result<Rule, String> {
        Rule::read(&serde_json::from_value(document).map_err(|error| error.to_string())?)
    }

    fn is_allowed(document: Value, request: &Value) -> bool {
        rule(document).unwrap().evaluate(request) == Outcome::Allowed
    }

    fn method(name: &str) -> Value {
        json!({"engine": "matcho", "matcho": {"request-method": name}})
    }

    #[test]
    fn complex_combines_rules() {
        let request = json!({"request-method": "get", "user": {"id": "ann"}});
        let (get, put) = (method("get"), method("put"));
        let allow = json!({"engine": "allow"});
        for (rules, all, one) in [
            (json!([get, allow]), true, true),
            (json!([put, allow]), false, true),
            (json!([put, put]), false, false),
            (json!([get]), true, true),
        ] {
            let and = json!({"engine": "complex", "and": rules});
            let or = json!({"engine": "complex", "or": rules});
            assert_eq!(is_allowed(and.clone(), &request), all, "{rules}");
            assert_eq!(is_allowed(or.clone(), &request), one, "{rules}");
            let nested =
                json!({"engine": "complex", "or": [{"engine": "complex", "and": [or, and]}]});
            assert_eq!(is_allowed(nested, &request), all && one, "{rules}");
        }
    }

    #[test]
    fn json_schema_sees_a_request_without_empty_values() {
        let document = json!({
            "engine": "json-schema",
            "schema": {
                "required": ["user", "params"],
                "properties": {
                    "params": {"required": ["owner"]},
                    "uri": {"type": "string", "pattern": "^/Note/"},
                },
            },
        });
        let allows = |request: Value| is_allowed(document.clone(), &request);
        assert!(allows(json!({"user": {"id": "a"}, "params": {"owner": "a"}, "uri": "/Note/1"})));
        assert!(!allows(json!({"user": {"id": "a"}, "params": {"owner": "a"}, "uri": "/x/Note/"})));
        for empty in [json!(""), json!([]), json!({}), json!(null), json!({"a": [{}]})] {
            assert!(!allows(json!({"user": {"id": "a"}, "params": {"owner": empty}})));
            assert!(!allows(json!({"user": empty, "params": {"owner": "a"}})));
        }
        assert!(!allows(json!({"params": {"owner": "a"}})));
    }

    #[test]
    fn what_cannot_be_enforced_is_refused() {
        let mut deep = method("get");
        for _ in 0..=DEEPEST {
            deep = json!({"engine": "complex", "and": [deep]});
        }
        let many: Vec<Value> = (0..MOST).map(|_| method("get")).collect();
        for (document, problem) in [
            (json!({"engine": "sql"}), "engine must be one of allow, matcho, json-schema, complex"),
            (
                json!({"engine": "allow", "matcho": {"a": 1}}),
                "matcho has an effect with engine: matcho",
            ),
            (json!({"engine": "matcho"}), "matcho is missing"),
            (json!({"engine": "matcho", "matcho": {"a": 1}, "schema": {}}), "schema has an effect"),
            (json!({"engine": "json-schema"}), "schema is missing"),
            (json!({"engine": "json-schema", "schema": {"type": 7}}), "schema"),
            (json!({"engine": "json-schema", "schema": {"$ref": "https://a.test/x"}}), "schema"),
            (json!({"engine": "json-schema", "schema": true}), "schema must be an object"),
            (json!({"engine": "complex"}), "complex needs either and, or or"),
            (json!({"engine": "complex", "and": []}), "and must contain at least one rule"),
            (
                json!({"engine": "complex", "and": [method("get")], "or": [method("get")]}),
                "complex needs either and, or or",
            ),
            (json!({"engine": "complex", "or": [{"engine": "x"}]}), "or[0].engine must be one of"),
            (deep, "nested deeper than"),
            (json!({"engine": "complex", "and": many}), "more than 100 rules"),
            (json!({"engine": "allow", "else": 1}), "unknown field `else`"),
        ] {
            let said = rule(document.clone()).err().unwrap_or_default();
            assert!(said.contains(problem), "{document}: {said:?}");
        }
    }
}
