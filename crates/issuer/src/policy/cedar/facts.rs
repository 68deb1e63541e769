//! A request as Cedar sees it: entities and a context, as `castellan.cedarschema` says.

use std::{collections::HashSet, net::IpAddr, sync::LazyLock};

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request as Call,
    RestrictedExpression,
};
use serde_json::Value;

use super::Reads;
use crate::policy::Request;

/// What is the same for all policies that are asked about a request.
pub(super) struct Facts {
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
    pub(super) entities: Entities,
    context: Vec<(String, RestrictedExpression)>,
}

/// The names of the types, parsed once.
struct Types {
    user: EntityTypeName,
    client: EntityTypeName,
    anonymous: EntityTypeName,
    group: EntityTypeName,
    role: EntityTypeName,
    site: EntityTypeName,
    guard: EntityTypeName,
    resource: EntityTypeName,
    texts: EntityTypeName,
    action: EntityTypeName,
}

static TYPES: LazyLock<Result<Types, String>> = LazyLock::new(|| {
    let parse = |name: &str| name.parse().map_err(|_| format!("{name} is no type"));
    Ok(Types {
        user: parse("User")?,
        client: parse("Client")?,
        anonymous: parse("Anonymous")?,
        group: parse("Group")?,
        role: parse("Role")?,
        site: parse("Site")?,
        guard: parse("Guard")?,
        resource: parse("Resource")?,
        texts: parse("Texts")?,
        action: parse("Action")?,
    })
});

type Attributes = Vec<(String, RestrictedExpression)>;

impl Facts {
    /// Those of `request`, with what policies read of it.
    ///
    /// # Errors
    /// What the request lacks, or has in a form that Cedar cannot see; never a value of it.
    pub(super) fn of(request: &Request<'_>, reads: Reads) -> Result<Self, String> {
        let types = TYPES.as_ref().map_err(Clone::clone)?;
        let mut made = Made { types, document: request.document, entities: Vec::new() };
        let action = made.action(request.operation)?;
        let client = request.client.map(|id| made.client(id)).transpose()?;
        let principal = match (request.user, &client) {
            (Some(id), _) => made.user(id, request.roles)?,
            (None, Some(client)) => client.clone(),
            (None, None) => made.anonymous()?,
        };
        let resource = made.resource()?;
        let mut context = made.context()?;
        if let Some(client) = client {
            put(&mut context, "client", RestrictedExpression::new_entity_uid(client));
        }
        for (name, is_read) in [("params", reads.params), ("headers", reads.headers)] {
            let texts = made.texts(name, is_read)?;
            put(&mut context, name, RestrictedExpression::new_entity_uid(texts));
        }
        let entities = Entities::from_entities(made.entities, None)
            .map_err(|_| "the request has contradictory entities".to_owned())?;
        Ok(Self { principal, action, resource, entities, context })
    }

    /// The request with `arguments`.
    pub(super) fn request(&self, arguments: Option<RestrictedExpression>) -> Result<Call, String> {
        let arguments = arguments.map(|arguments| ("arguments".to_owned(), arguments));
        let context = Context::from_pairs(self.context.iter().cloned().chain(arguments))
            .map_err(|_| "the context of the request cannot be evaluated".to_owned())?;
        // Facts are made as the schema says; that they are is what a test is for.
        let ids = (self.principal.clone(), self.action.clone(), self.resource.clone());
        Call::new(ids.0, ids.1, ids.2, context, None).map_err(|error| error.to_string())
    }
}

/// The entities of a request as they are made.
struct Made<'a> {
    types: &'a Types,
    document: &'a Value,
    entities: Vec<Entity>,
}

impl Made<'_> {
    fn add(
        &mut self,
        uid: EntityUid,
        attributes: Attributes,
        parents: Vec<EntityUid>,
        tags: Attributes,
    ) -> Result<EntityUid, String> {
        let entity = Entity::new_with_tags(uid.clone(), attributes, parents, tags)
            .map_err(|_| "an entity of the request cannot be evaluated".to_owned())?;
        self.entities.push(entity);
        Ok(uid)
    }

    /// The action `A:B:C`, in the groups `A:B` and `A`.
    fn action(&mut self, operation: Option<&str>) -> Result<EntityUid, String> {
        let operation = operation.ok_or("the request has no operation.id")?;
        let parts: Vec<&str> = operation.split(':').collect();
        let [first, second, _] = parts[..] else {
            return Err("operation.id does not have three parts".to_owned());
        };
        let action = |id: &str| uid(&self.types.action, id);
        let (action, narrow, wide) =
            (action(operation), action(&format!("{first}:{second}")), action(first));
        self.add(narrow.clone(), Vec::new(), vec![wide], Vec::new())?;
        self.add(action, Vec::new(), vec![narrow], Vec::new())
    }

    fn user(&mut self, id: &str, roles: &[&str]) -> Result<EntityUid, String> {
        let user = self.document.get("user").unwrap_or(&Value::Null);
        let groups = user.get("groups").and_then(Value::as_array);
        let groups: Vec<&str> =
            groups.into_iter().flatten().filter_map(|group| text(group, "value")).collect();
        let emails = user.get("emails").and_then(Value::as_array);
        let emails = || emails.into_iter().flatten();
        let primary = |email: &&Value| email.get("primary") == Some(&Value::Bool(true));
        let email = emails().find(primary).and_then(|email| text(email, "value"));
        let is_inactive = user.get("inactive") == Some(&Value::Bool(true));
        let mut attributes = vec![];
        put_text(&mut attributes, "id", Some(id));
        put_text(&mut attributes, "user_name", text(user, "userName"));
        put_text(&mut attributes, "email", email);
        put(&mut attributes, "active", RestrictedExpression::new_bool(!is_inactive));
        put(&mut attributes, "groups", set(&groups));
        put(&mut attributes, "roles", set(roles));
        let groups = groups.iter().map(|group| uid(&self.types.group, group));
        let roles = roles.iter().map(|role| uid(&self.types.role, role));
        let parents = groups.chain(roles).collect::<HashSet<_>>().into_iter().collect();
        self.add(uid(&self.types.user, id), attributes, parents, Vec::new())
    }

    fn client(&mut self, id: &str) -> Result<EntityUid, String> {
        let client = self.document.get("client").unwrap_or(&Value::Null);
        let is_first_party = client.get("first_party") == Some(&Value::Bool(true));
        let is_confidential = text(client, "type") == Some("confidential");
        let mut attributes = vec![];
        put_text(&mut attributes, "id", Some(id));
        put_text(&mut attributes, "name", text(client, "name"));
        put(&mut attributes, "first_party", RestrictedExpression::new_bool(is_first_party));
        put(&mut attributes, "confidential", RestrictedExpression::new_bool(is_confidential));
        self.add(uid(&self.types.client, id), attributes, Vec::new(), Vec::new())
    }

    fn anonymous(&mut self) -> Result<EntityUid, String> {
        let anonymous = uid(&self.types.anonymous, "");
        self.add(anonymous, Vec::new(), Vec::new(), Vec::new())
    }

    /// The guard, the resource of Castellan, or else the site.
    fn resource(&mut self) -> Result<EntityUid, String> {
        let document = self.document;
        let id = |of: &str, name: &str| document.get(of).and_then(|of| text(of, name));
        let site = id("site", "id").map(|site| uid(&self.types.site, site));
        let parents: Vec<EntityUid> = site.iter().cloned().collect();
        if let Some(site) = &site {
            self.add(site.clone(), Vec::new(), Vec::new(), Vec::new())?;
        }
        if let Some(guard) = id("guard", "name") {
            let guard = uid(&self.types.guard, guard);
            return self.add(guard, Vec::new(), parents, Vec::new());
        }
        if let Some(kind) = id("params", "resource/type") {
            let (mut attributes, mut whole) = (vec![], kind.to_owned());
            put_text(&mut attributes, "kind", Some(kind));
            if let Some(id) = id("params", "resource/id") {
                put_text(&mut attributes, "id", Some(id));
                whole.extend(["/", id]);
            }
            let resource = uid(&self.types.resource, &whole);
            return self.add(resource, attributes, parents, Vec::new());
        }
        site.ok_or_else(|| {
            "the request has neither guard.name, params.resource/type nor site.id".to_owned()
        })
    }

    /// The parameters of the query, or the headers.
    fn texts(&mut self, name: &str, is_read: bool) -> Result<EntityUid, String> {
        let texts = uid(&self.types.texts, name);
        // Nobody asks what is in it.
        if !is_read {
            return Ok(texts);
        }
        let members = self.document.get(name).and_then(Value::as_object);
        let mut tags = vec![];
        for (member, value) in members.into_iter().flatten() {
            // These two say which resource it is.
            if name == "params" && matches!(&**member, "resource/type" | "resource/id") {
                continue;
            }
            let values = match value {
                Value::String(text) => Some(vec![&**text]),
                Value::Array(items) => items.iter().map(Value::as_str).collect(),
                _ => None,
            };
            let values = values
                .ok_or_else(|| format!("{name} of the request must be texts or lists of texts"))?;
            put(&mut tags, member, set(&values));
        }
        self.add(texts, Vec::new(), Vec::new(), tags)
    }

    /// What else there is in the context.
    fn context(&self) -> Result<Attributes, String> {
        let document = self.document;
        let mut context = vec![];
        for (name, member) in [
            ("method", "request-method"),
            ("scheme", "scheme"),
            ("uri", "uri"),
            ("query", "query-string"),
        ] {
            put_text(&mut context, name, optional(document, member)?);
        }
        if let Some(address) = optional(document, "remote-addr")? {
            let address: IpAddr =
                address.parse().map_err(|_| "remote-addr of the request is no address")?;
            // An address of IPv4 is that, in whichever form a socket shows it.
            let address = RestrictedExpression::new_ip(address.to_canonical().to_string());
            put(&mut context, "remote_addr", address);
        }
        let session = document.get("session").unwrap_or(&Value::Null);
        let scopes = text(session, "scope").unwrap_or_default();
        let scopes: Vec<&str> = scopes.split(' ').filter(|scope| !scope.is_empty()).collect();
        put(&mut context, "scopes", set(&scopes));
        if let Some(fields) = document.get("fields") {
            let fields = fields.as_array();
            let fields: Option<Vec<&str>> =
                fields.and_then(|fields| fields.iter().map(Value::as_str).collect());
            let fields = fields.ok_or("fields of the request must be a list of texts")?;
            put(&mut context, "fields", set(&fields));
        }
        Ok(context)
    }
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn put(attributes: &mut Attributes, name: &str, value: RestrictedExpression) {
    attributes.push((name.to_owned(), value));
}

fn put_text(attributes: &mut Attributes, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        put(attributes, name, RestrictedExpression::new_string(value.to_owned()));
    }
}

fn set(texts: &[&str]) -> RestrictedExpression {
    let texts = texts.iter().map(|text| RestrictedExpression::new_string((*text).to_owned()));
    RestrictedExpression::new_set(texts)
}

/// The text `name` of `of`.
fn text<'a>(of: &'a Value, name: &str) -> Option<&'a str> {
    of.get(name).and_then(Value::as_str)
}

/// The text `name` of the request, which must be one if it is there.
fn optional<'a>(document: &'a Value, name: &str) -> Result<Option<&'a str>, String> {
    match document.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{name} of the request must be a text")),
    }
}
