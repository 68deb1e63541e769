//! What a field of a root type can return, for those who look for holes between its ways in.

use std::collections::BTreeSet;

use apollo_compiler::{Schema, schema::ExtendedType};

use crate::{GuardSchema, Root};

/// What a field can return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returns {
    /// The type that is named, lists unwrapped.
    pub named: String,
    /// Whether that is an interface or a union.
    pub is_abstract: bool,
    /// The object types that it may turn out to be; none for a scalar.
    pub objects: BTreeSet<String>,
}

impl GuardSchema {
    /// The types that `field` of `root` can return; `None` if there is no such field.
    #[must_use]
    pub fn returns(&self, root: Root, field: &str) -> Option<Returns> {
        let schema: &Schema = &self.composed;
        let root = schema.root_operation(root.operation())?;
        let named = schema.type_field(root, field).ok()?.ty.inner_named_type().clone();
        let (is_abstract, objects) = match schema.types.get(&named)? {
            ExtendedType::Object(_) => (false, [named.to_string()].into()),
            ExtendedType::Interface(_) => {
                let all = self.implementers.get(&named);
                let objects = all.into_iter().flat_map(|all| &all.objects);
                (true, objects.map(ToString::to_string).collect())
            }
            ExtendedType::Union(union) => {
                (true, union.members.iter().map(|member| member.name.to_string()).collect())
            }
            _ => (false, BTreeSet::new()),
        };
        Some(Returns { named: named.to_string(), is_abstract, objects })
    }
}
