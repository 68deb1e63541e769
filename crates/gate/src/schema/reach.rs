//! Where root types can be reached: mutation payloads with `query: Query`, and whatever leads there
//! (`docs/rules.md` rule 10).

use std::collections::BTreeSet;

use apollo_compiler::{
    Name, Schema,
    collections::HashMap,
    schema::{ExtendedType, Implementers},
};

use crate::Root;

/// The types below which a root type turns up again, found backwards from the roots.
pub(crate) fn roots(
    schema: &Schema,
    roots: &[(Root, Name)],
    implementers: &HashMap<Name, Implementers>,
) -> BTreeSet<Name> {
    let mut known: BTreeSet<Name> = roots.iter().map(|(_, name)| name.clone()).collect();
    loop {
        let before = known.len();
        for (name, definition) in &schema.types {
            let reaches = match definition {
                ExtendedType::Object(object) => {
                    object.fields.values().any(|f| known.contains(f.ty.inner_named_type()))
                }
                ExtendedType::Interface(interface) => {
                    interface.fields.values().any(|f| known.contains(f.ty.inner_named_type()))
                        || implementers.get(name).is_some_and(|all| {
                            all.objects.iter().any(|object| known.contains(object))
                        })
                }
                ExtendedType::Union(union_) => {
                    union_.members.iter().any(|member| known.contains(&member.name))
                }
                _ => false,
            };
            if reaches {
                known.insert(name.clone());
            }
        }
        if known.len() == before {
            return known;
        }
    }
}
