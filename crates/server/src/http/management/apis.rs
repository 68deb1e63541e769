//! Which management APIs there are, and their schemas.

use apollo_compiler::{Schema, schema::ExtendedType};
use castellan_gate::{ANY_DIRECTIVE, GuardSchema, SchemaError, SchemaSettings};

use super::{
    accounts, capabilities, database_clients, dynamic_clients, granted_authorizations,
    roster::{Api, Root},
};
use crate::config::ManagementConfig;

/// Every management API.
pub(crate) static APIS: &[&Api] =
    &[&accounts::API, &database_clients::API, &dynamic_clients::API, &granted_authorizations::API];

impl Api {
    /// Its name in settings and commands.
    pub(crate) const fn name(&self) -> &'static str {
        self.schema.name
    }

    /// The field `name` of `Query` or `Mutation`.
    pub(super) fn root(&self, name: &str) -> Option<&'static Root> {
        self.roots.iter().chain(capabilities::ROOTS).find(|root| root.name == name)
    }

    /// The schema in writing as it is under `settings`.
    ///
    /// # Errors
    /// [`SchemaError`] if it is not valid.
    pub(crate) fn sdl_for(&self, settings: &ManagementConfig) -> Result<String, SchemaError> {
        let gone: Vec<_> = self.roots.iter().filter(|root| !(root.exists)(settings)).collect();
        let sdl = self.schema.whole();
        if gone.is_empty() {
            return Ok(sdl);
        }
        let invalid = |errors: &dyn std::fmt::Display| SchemaError::Invalid(errors.to_string());
        let mut schema = Schema::parse(sdl, self.name()).map_err(|found| invalid(&found.errors))?;
        for name in ["Query", "Mutation"] {
            if let Some(ExtendedType::Object(object)) = schema.types.get_mut(name) {
                object
                    .make_mut()
                    .fields
                    .retain(|field, _| gone.iter().all(|root| root.name != field.as_str()));
            }
        }
        Ok(schema.to_string())
    }

    /// The schema as it is under `settings`.
    ///
    /// # Errors
    /// [`SchemaError`] if it is not valid.
    pub(crate) fn built(&self, settings: &ManagementConfig) -> Result<GuardSchema, SchemaError> {
        let built = SchemaSettings {
            source: format!("{}.graphqls", self.name()),
            // They are enforced here.
            upstream_enforces: vec![ANY_DIRECTIVE.to_owned()],
            ..SchemaSettings::default()
        };
        GuardSchema::build(&self.sdl_for(settings)?, &built)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use castellan_issuer::managers::Operation;

    use super::*;

    #[test]
    fn every_root_field_of_a_schema_is_in_the_roster_and_the_other_way_round() {
        for api in APIS {
            let schema = Schema::parse_and_validate(api.schema.sdl, api.name()).unwrap();
            let fields: BTreeSet<_> = ["Query", "Mutation"]
                .iter()
                .filter_map(|name| schema.get_object(name))
                .flat_map(|object| object.fields.keys().map(ToString::to_string))
                .collect();
            let known: BTreeSet<_> = api.roots.iter().map(|root| root.name.to_owned()).collect();
            assert_eq!(fields, known, "{}", api.name());
            assert_eq!(known.len(), api.roots.len(), "{}: a field stands there twice", api.name());
        }
    }

    /// What managers know by name is read from the types that are listed beside the schema.
    #[test]
    fn every_argument_that_writes_attributes_is_of_a_type_that_is_listed() {
        for api in APIS {
            let schema = Schema::parse_and_validate(api.schema.sdl, api.name()).unwrap();
            for (root, (way, path)) in
                api.roots.iter().filter_map(|root| root.writes.map(|writes| (root, writes)))
            {
                let mut steps = way.split('.');
                let field = schema.type_field("Mutation", root.name).unwrap();
                let argument = field.argument_by_name(steps.next().unwrap()).unwrap();
                let ty = steps.fold(argument.ty.inner_named_type().clone(), |ty, step| {
                    schema.get_input_object(&ty).unwrap().fields[step].ty.inner_named_type().clone()
                });
                assert!(api.schema.inputs.contains(&(ty.as_str(), path)), "{}", root.name);
            }
        }
    }

    #[test]
    fn every_schema_can_be_served_whatever_is_set() {
        for api in APIS {
            let settings = ManagementConfig::default();
            let schema = api.built(&settings).map_err(|error| error.to_string()).unwrap();
            assert!(
                schema.definition().type_field("Query", "capabilities").is_ok(),
                "{}",
                api.name()
            );
        }
    }

    #[test]
    fn each_schema_in_the_documentation_is_up_to_date() {
        for api in APIS {
            let sdl = api.sdl_for(&ManagementConfig::default());
            let sdl = sdl.map_err(|error| error.to_string()).unwrap();
            crate::reference::check(&format!("schemas/{}.graphqls", api.name()), &sdl);
        }
    }

    #[test]
    fn each_field_needs_something_and_queries_need_to_read() {
        for api in APIS {
            let schema = Schema::parse_and_validate(api.schema.sdl, api.name()).unwrap();
            for root in api.roots {
                assert!(!root.needs.is_empty(), "{}", root.name);
                let is_query = schema.type_field("Query", root.name).is_ok();
                if is_query {
                    assert_eq!(root.needs, [Operation::Read], "{}", root.name);
                }
            }
        }
    }
}
