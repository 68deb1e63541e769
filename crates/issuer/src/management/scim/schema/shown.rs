//! Schemas and types of resources as the discovery endpoints show them (RFC 7643 §§6 and 7).

use serde_json::{Value, json};

use super::{Attribute, GROUP, Kind, Mutability, Returned, Type, USER, attributes::COMMON};

const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";

/// Every schema; `renames` says whether user names can be changed.
pub(in super::super) fn schemas(base: &str, renames: bool) -> Vec<Value> {
    let mut all = Vec::new();
    for one in [&USER, &GROUP] {
        let own = one.attributes.iter().filter(|attribute| {
            attribute.name == "externalId" || !COMMON.contains(&attribute.name)
        });
        let about = About { urn: one.schema, name: one.name, description: one.description };
        all.push(schema(base, about, own, renames));
        if let Some((urn, name, attributes)) = one.extension {
            let description = "What is known of the person in the organisation.";
            let about = About { urn, name, description };
            all.push(schema(base, about, attributes.iter(), renames));
        }
    }
    all
}

/// What a schema is.
struct About<'a> {
    urn: &'a str,
    name: &'a str,
    description: &'a str,
}

fn schema(
    base: &str,
    About { urn, name, description }: About<'_>,
    attributes: impl Iterator<Item = &'static Attribute>,
    renames: bool,
) -> Value {
    let attributes: Vec<Value> = attributes.map(|one| attribute(one, renames)).collect();
    json!({
        "schemas": [SCHEMA],
        "id": urn,
        "name": name,
        "description": description,
        "attributes": attributes,
        "meta": {"resourceType": "Schema", "location": format!("{base}/Schemas/{urn}")},
    })
}

fn attribute(one: &'static Attribute, renames: bool) -> Value {
    let is_fixed = one.name == "userName" && !renames;
    let mut shown = json!({
        "name": one.name,
        "type": one.kind.name(),
        "multiValued": one.many,
        "description": one.description,
        "required": one.required,
        "mutability": if is_fixed { "immutable" } else { one.mutability.name() },
        "returned": one.returned.name(),
        "uniqueness": if one.unique { "server" } else { "none" },
    });
    if one.kind != Kind::Complex && one.kind != Kind::Boolean {
        shown["caseExact"] = json!(one.exact);
    }
    if !one.values.is_empty() {
        shown["canonicalValues"] = json!(one.values);
    }
    if !one.references.is_empty() {
        shown["referenceTypes"] = json!(one.references);
    }
    if !one.sub.is_empty() {
        shown["subAttributes"] = one.sub.iter().map(|sub| attribute(sub, renames)).collect();
    }
    shown
}

/// Every type of resource.
pub(in super::super) fn resource_types(base: &str) -> Vec<Value> {
    [&USER, &GROUP].map(|one| resource_type(base, one)).into()
}

fn resource_type(base: &str, one: &Type) -> Value {
    let mut shown = json!({
        "schemas": [RESOURCE_TYPE],
        "id": one.name,
        "name": one.name,
        "description": one.description,
        "endpoint": one.endpoint,
        "schema": one.schema,
        "meta": {
            "resourceType": "ResourceType",
            "location": format!("{base}/ResourceTypes/{}", one.name),
        },
    });
    if let Some((urn, ..)) = one.extension {
        shown["schemaExtensions"] = json!([{"schema": urn, "required": false}]);
    }
    shown
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::DateTime => "dateTime",
            Self::Reference => "reference",
            Self::Binary => "binary",
            Self::Complex => "complex",
        }
    }
}

impl Mutability {
    const fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "readOnly",
            Self::ReadWrite => "readWrite",
            Self::Immutable => "immutable",
            Self::WriteOnly => "writeOnly",
        }
    }
}

impl Returned {
    const fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Never => "never",
            Self::Default => "default",
        }
    }
}
