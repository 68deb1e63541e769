//! The schemas of the management APIs in writing, and what in them managers know by name: fields of
//! `Query` and `Mutation`, and attributes (`docs/contracts/curity.md` §§3.5, 3.6).

use std::collections::BTreeSet;

use apollo_compiler::{Schema, schema::ExtendedType};

/// The schema of one management API.
#[derive(Debug)]
pub(crate) struct ApiSchema {
    /// The name of the API in settings and commands.
    pub(crate) name: &'static str,
    /// The schema in writing, without what every API has ([`COMMON_FIELDS`]).
    pub(crate) sdl: &'static str,
    /// Types whose fields are attributes to managers, each with the path that these begin with.
    pub(crate) entities: &'static [(&'static str, &'static str)],
    /// Types of input whose members are attributes that are written, each with the same.
    pub(crate) inputs: &'static [(&'static str, &'static str)],
}

/// The fields that every schema has, as they stand in `type Query`.
pub(crate) const COMMON_FIELDS: &str = "\
  \"What lists the data source can give.\"
  capabilities: DataSourceCapabilities!
";

/// Their types.
pub(crate) const COMMON_TYPES: &str = include_str!("common.graphqls");

/// How the type of queries begins in every schema.
const QUERY: &str = "type Query {\n";

/// Accounts.
pub(crate) const ACCOUNTS: ApiSchema = ApiSchema {
    name: "accounts",
    sdl: include_str!("accounts.graphqls"),
    entities: &[
        ("Account", ""),
        ("Device", "devices"),
        ("Bucket", "buckets"),
        ("CredentialPolicyRulesState", "credentialPolicyRulesState"),
    ],
    inputs: &[
        ("AccountCreateFields", ""),
        ("AccountUpdateFields", ""),
        ("AddDeviceFields", "devices"),
        ("UpdateDeviceFields", "devices"),
        ("StartVerifyPasskeyByAccountIdInput", "devices"),
        ("CompleteVerifyPasskeyByAccountIdInput", "devices"),
    ],
};

/// OAuth clients.
pub(crate) const DATABASE_CLIENTS: ApiSchema = ApiSchema {
    name: "database_clients",
    sdl: include_str!("database_clients.graphqls"),
    entities: &[("DatabaseClient", "")],
    inputs: &[
        ("DatabaseClientCreateFields", ""),
        ("DatabaseClientUpdateFields", ""),
        ("SetDatabaseClientStatusByIdInput", ""),
        ("SetDatabaseClientOwnerByIdInput", ""),
    ],
};

/// Clients that registered themselves.
pub(crate) const DYNAMIC_CLIENTS: ApiSchema = ApiSchema {
    name: "dynamic_clients",
    sdl: include_str!("dynamic_clients.graphqls"),
    entities: &[("DynamicallyRegisteredClient", "")],
    inputs: &[("SetDynamicallyRegisteredClientStatusByIdInput", "")],
};

/// What people let apps do.
pub(crate) const GRANTED_AUTHORIZATIONS: ApiSchema = ApiSchema {
    name: "granted_authorizations",
    sdl: include_str!("granted_authorizations.graphqls"),
    entities: &[("GrantedAuthorization", "")],
    inputs: &[],
};

/// All of them.
pub(crate) static ALL: [ApiSchema; 4] =
    [ACCOUNTS, DATABASE_CLIENTS, DYNAMIC_CLIENTS, GRANTED_AUTHORIZATIONS];

/// What managers know of a schema by name.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) queries: BTreeSet<String>,
    pub(crate) mutations: BTreeSet<String>,
    /// The paths of attributes, those above others among them.
    pub(crate) attributes: BTreeSet<String>,
}

impl ApiSchema {
    /// The whole schema in writing.
    pub(crate) fn whole(&self) -> String {
        let sdl = self.sdl.replacen(QUERY, &format!("{QUERY}{COMMON_FIELDS}"), 1);
        sdl + COMMON_TYPES
    }

    /// Adds what managers know of it by name.
    pub(crate) fn add_names(&self, to: &mut Names) {
        // It is one; a test reads each.
        let Ok(schema) = Schema::parse(self.whole(), self.name) else { return };
        for (root, names) in [("Query", &mut to.queries), ("Mutation", &mut to.mutations)] {
            let object = schema.get_object(root);
            names.extend(object.iter().flat_map(|it| it.fields.keys().map(ToString::to_string)));
        }
        let mut walk = Walk { schema: &schema, entities: self.entities, found: &mut to.attributes };
        for (name, path) in self.entities.iter().chain(self.inputs) {
            if !path.is_empty() {
                walk.found.insert((*path).to_owned());
            }
            walk.below(name, path, &[]);
        }
    }
}

/// Looks for the attributes of a schema.
struct Walk<'a> {
    schema: &'a Schema,
    entities: &'static [(&'static str, &'static str)],
    found: &'a mut BTreeSet<String>,
}

impl<'a> Walk<'a> {
    /// Adds the fields of the type `name`, which is at `path` and within the types `around`.
    fn below(&mut self, name: &str, path: &str, around: &[&str]) {
        let schema: &'a Schema = self.schema;
        let Some(ty) = schema.types.get(name).filter(|_| !around.contains(&name)) else {
            return;
        };
        let around = [around, &[name]].concat();
        let fields: Vec<(&str, &str)> = match ty {
            ExtendedType::Object(it) => it
                .fields
                .iter()
                .map(|(name, it)| (&**name, it.ty.inner_named_type().as_str()))
                .collect(),
            ExtendedType::Interface(it) => it
                .fields
                .iter()
                .map(|(name, it)| (&**name, it.ty.inner_named_type().as_str()))
                .collect(),
            ExtendedType::InputObject(it) => it
                .fields
                .iter()
                .map(|(name, it)| (&**name, it.ty.inner_named_type().as_str()))
                .collect(),
            _ => Vec::new(),
        };
        for (field, inner) in fields {
            let dot = if path.is_empty() { "" } else { "." };
            let path = format!("{path}{dot}{field}");
            // The fields of another entity have paths of their own.
            if !self.entities.iter().any(|(entity, _)| *entity == inner) {
                self.below(inner, &path, &around);
            }
            self.found.insert(path);
        }
        for member in self.members(name, ty) {
            self.below(member, path, &around);
        }
    }

    /// The types that a value of the interface or union `name` may be of.
    fn members(&self, name: &str, ty: &'a ExtendedType) -> Vec<&'a str> {
        let schema: &'a Schema = self.schema;
        match ty {
            ExtendedType::Union(it) => it.members.iter().map(|member| member.as_str()).collect(),
            ExtendedType::Interface(_) => {
                let types = schema.types.iter();
                let is_one = |ty: &ExtendedType| {
                    ty.as_object().is_some_and(|it| {
                        it.implements_interfaces.iter().any(|one| one.as_str() == name)
                    })
                };
                types.filter(|(_, ty)| is_one(ty)).map(|(name, _)| name.as_str()).collect()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_tells_its_fields_and_attributes_by_name() {
        let mut names = Names::default();
        ACCOUNTS.add_names(&mut names);
        assert!(names.queries.contains("accountById") && names.queries.contains("capabilities"));
        assert!(names.mutations.contains("createAccount"));
        for path in
            ["emails", "emails.value", "name.givenName", "password", "devices.alias", "buckets"]
        {
            assert!(names.attributes.contains(path), "{path}");
        }
        assert!(!names.attributes.contains("emials"));
    }

    #[test]
    fn every_schema_can_be_read_and_has_the_types_that_are_named() {
        for api in &ALL {
            let schema = Schema::parse_and_validate(api.whole(), api.name);
            let schema = schema.map_err(|error| error.to_string()).unwrap();
            for (name, _) in api.entities.iter().chain(api.inputs) {
                assert!(schema.types.contains_key(*name), "{}: {name}", api.name);
            }
        }
    }
}
