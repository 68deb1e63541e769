//! `AccessPolicy` documents (`docs/contracts/aidbox.md` §§2.5, 8).

use castellan_proto::{is_identifier, strict_json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Facts, Problem, ReadDocument, Resource,
    version::{fresh_incarnation, incarnation},
};
use crate::{
    Issuer,
    policy::{Link, LinkKind, Policy, Rule, RuleDocument},
    records::AccessPolicy,
    store::Kind,
};

/// Policies of a site at most: all of them are kept in memory.
const MOST_POLICIES: u64 = 1_000;
/// Links of one policy at most.
const MOST_LINKS: usize = 100;

/// A policy about people.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AccessPolicyDocument {
    /// What it is for, in words.
    description: Option<String>,
    /// Which requests it is asked about: at the guards that are named, or at resources without any
    /// guard; of the other links one has to fit.
    link: Option<Vec<Reference>>,
    /// Only people who have this role are asked about: the id of a `Role`.
    #[serde(rename = "roleName")]
    role_name: Option<String>,
    /// `allow`, `matcho`, `json-schema`, `complex` or `cedar`.
    engine: String,
    /// The pattern that a request has to match, for `matcho`.
    matcho: Option<Value>,
    /// The JSON schema (draft 7) that a request has to satisfy, for `json-schema`.
    schema: Option<Value>,
    /// All of these have to allow a request, for `complex`.
    and: Option<Vec<RuleDocument>>,
    /// One of these has to allow a request, for `complex`.
    or: Option<Vec<RuleDocument>>,
    /// Policies in the Cedar language, which may also forbid, for `cedar`.
    cedar: Option<String>,
    /// The arguments that these read as `context.arguments`, with their types, for `cedar`:
    /// `{"id": "String", "tags?": ["String"]}`.
    arguments: Option<Value>,
}

/// A reference in either spelling (`docs/contracts/aidbox.md` §1.1).
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
enum Reference {
    /// `{"reference": "User/ann"}`
    Fhir(FhirReference),
    /// `{"resourceType": "User", "id": "ann"}`
    Native(NativeReference),
}

#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct FhirReference {
    reference: String,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NativeReference {
    resource_type: String,
    id: String,
}

/// A document that was found good.
struct Checked {
    description: Option<String>,
    links: Vec<Link>,
    role: Option<String>,
    document: RuleDocument,
    rule: Rule,
}

impl Reference {
    fn link(self) -> Option<Link> {
        let (kind, id) = match self {
            Self::Native(native) => (native.resource_type, native.id),
            Self::Fhir(FhirReference { reference }) => {
                let (kind, id) = reference.split_once('/')?;
                (kind.to_owned(), id.to_owned())
            }
        };
        let kind = LinkKind::named(&kind)?;
        // That of an operation is a scope.
        let is_id = is_identifier(&id) || kind == LinkKind::Operation && id.split(':').count() == 3;
        is_id.then_some(Link { kind, id })
    }
}

impl Resource for AccessPolicyDocument {
    type Record = AccessPolicy;

    const NAME: &'static str = "AccessPolicy";

    #[cfg(feature = "schema")]
    fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }

    fn show(id: &str, policy: &AccessPolicy) -> Value {
        let mut shown = json!({"resourceType": "AccessPolicy", "id": id});
        if let Some(description) = &policy.description {
            shown["description"] = json!(description);
        }
        if !policy.links.is_empty() {
            shown["link"] = json!(policy.links);
        }
        if let Some(role) = &policy.role {
            shown["roleName"] = json!(role);
        }
        let rule = json!(policy.rule);
        for (member, value) in rule.as_object().into_iter().flatten() {
            shown[member] = value.clone();
        }
        shown
    }

    fn warnings(policy: &AccessPolicy) -> Vec<String> {
        Rule::read(&policy.rule).map(|rule| rule.warnings()).unwrap_or_default()
    }

    fn incarnation(_: &str, policy: &AccessPolicy) -> String {
        incarnation(policy.incarnation, policy.created)
    }

    fn facts(id: &str, policy: &AccessPolicy) -> Facts {
        Facts { name: id.to_owned(), created: policy.created, modified: policy.modified }
    }

    async fn read(
        self,
        issuer: &Issuer,
        before: Option<&AccessPolicy>,
    ) -> Result<ReadDocument<AccessPolicy>, Problem> {
        if before.is_none() {
            let repository = issuer.repository();
            let kind = Kind::AccessPolicy;
            let there = repository.store().count(repository.site(), kind, issuer.now()).await?;
            if there >= MOST_POLICIES {
                return Err(Problem::Text(format!("a site has at most {MOST_POLICIES} policies")));
            }
        }
        let Checked { description, links, role, document: rule, .. } = self.checked()?;
        let policy = AccessPolicy {
            description,
            links,
            role,
            rule,
            incarnation: before.map_or_else(fresh_incarnation, |before| before.incarnation),
            created: before.map_or(issuer.now(), |before| before.created),
            modified: issuer.now(),
        };
        Ok(ReadDocument::without_secret(policy))
    }
}

impl AccessPolicyDocument {
    /// The policy that `document` would be, which need not have an id.
    ///
    /// # Errors
    /// What is wrong with it, naming the member.
    pub fn policy(mut document: Value) -> Result<Policy, String> {
        let members = document.as_object_mut().ok_or("policy must be an object")?;
        let stated = members.shift_remove("resourceType");
        if stated.is_some_and(|stated| stated != Self::NAME) {
            return Err(format!("resourceType must be {}", Self::NAME));
        }
        let id = match members.shift_remove("id") {
            Some(Value::String(id)) => id,
            None => "policy".to_owned(),
            Some(_) => return Err("id must be a string".to_owned()),
        };
        let document: Self = strict_json::parse(document)?;
        let Checked { links, role, rule, .. } = document.checked()?;
        Ok(Policy { id, links, role, rule })
    }

    fn checked(self) -> Result<Checked, String> {
        // Whoever takes away the last one does not mean everybody.
        if self.link.as_ref().is_some_and(Vec::is_empty) {
            return Err(
                "link must not be empty; leave it out for a policy about every request".to_owned()
            );
        }
        let references = self.link.unwrap_or_default();
        if references.len() > MOST_LINKS {
            return Err(format!("link must not have more than {MOST_LINKS} items"));
        }
        let links = references.into_iter().enumerate().map(|(at, reference)| {
            reference.link().ok_or_else(|| {
                format!(
                    "link[{at}] must refer to a User, a Client, a Role, a Guard, or an Operation \
                         such as Operation/Query:User:Get"
                )
            })
        });
        let links = links.collect::<Result<Vec<_>, _>>()?;
        let Self {
            description, role_name, engine, matcho, schema, and, or, cedar, arguments, ..
        } = self;
        if role_name.as_ref().is_some_and(|role| !is_identifier(role)) {
            return Err("roleName must be the id of a Role".to_owned());
        }
        let document = RuleDocument { engine, matcho, schema, and, or, cedar, arguments };
        let rule = Rule::read(&document)?;
        Ok(Checked { description, links, role: role_name, document, rule })
    }
}
