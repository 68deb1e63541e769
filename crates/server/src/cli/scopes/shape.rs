//! The types behind the fields of root types, and where they stand in the file.

use std::collections::BTreeSet;

use apollo_compiler::{
    Name, Schema,
    ast::{FieldDefinition, OperationType},
    collections::HashMap,
    schema::{ExtendedType, Implementers},
};
use castellan_gate::{Returns, Root};

/// A schema as it is written.
pub(super) struct Shape {
    schema: Schema,
    implementers: HashMap<Name, Implementers>,
}

impl Shape {
    /// Reads `sdl`, which the gate has found good.
    pub(super) fn read(sdl: &str) -> Self {
        let built = Schema::builder().adopt_orphan_extensions().parse(sdl, "schema").build();
        let schema = built.unwrap_or_else(|failed| failed.partial);
        let implementers = schema.implementers_map();
        Self { schema, implementers }
    }

    /// What `field` of `root` can return, out of the connection or list that it comes in; `None` if
    /// there is no such field.
    pub(super) fn returns(&self, root: Root, field: &str) -> Option<Returns> {
        let outer = self.field(root, field)?.ty.inner_named_type();
        let named = self.inside(outer).unwrap_or(outer);
        let (is_abstract, objects) = match self.schema.types.get(named)? {
            ExtendedType::Object(_) => (false, [named.to_string()].into()),
            ExtendedType::Interface(_) => {
                let all = self.implementers.get(named);
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

    /// The line on which `subject` stands, if it is a field such as `Query.people`.
    pub(super) fn line(&self, subject: &str) -> Option<usize> {
        let (root, field) = subject.split_once('.')?;
        let roots = [Root::Query, Root::Mutation, Root::Subscription];
        let root = roots.into_iter().find(|one| one.as_str() == root)?;
        let name = self.field(root, field)?.name.location()?;
        Some(name.line_column_range(&self.schema.sources)?.start.line)
    }

    fn field(&self, root: Root, field: &str) -> Option<&FieldDefinition> {
        let operation = match root {
            Root::Query => OperationType::Query,
            Root::Mutation => OperationType::Mutation,
            Root::Subscription => OperationType::Subscription,
        };
        self.field_of(self.schema.root_operation(operation)?, field)
    }

    fn field_of(&self, of: &str, field: &str) -> Option<&FieldDefinition> {
        Some(self.schema.type_field(of, field).ok()?)
    }

    /// The type of the things that `of` is but a list of: a Relay connection, or an object without
    /// an identity that holds one list and else nothing but values.
    fn inside(&self, of: &Name) -> Option<&Name> {
        let object = self.schema.get_object(of)?;
        let mut types = object.fields.values().map(|field| field.ty.inner_named_type());
        if !of.ends_with("Connection") && types.any(|ty| ty.as_str() == "ID") {
            return None;
        }
        let things = |of: &str, field: &str| {
            let ty = self.field_of(of, field)?.ty.inner_named_type();
            self.is_thing(ty).then_some(ty)
        };
        let by_edge = || things(things(of, "edges")?, "node");
        if let Some(node) = things(of, "nodes").or_else(by_edge) {
            return Some(node);
        }
        let mut fields = object.fields.values().filter(|field| {
            let ty = field.ty.inner_named_type();
            ty.as_str() != "PageInfo" && self.is_thing(ty)
        });
        match (fields.next(), fields.next()) {
            (Some(only), None) if only.ty.is_list() => Some(only.ty.inner_named_type()),
            _ => None,
        }
    }

    /// Whether it is no scalar and no enum.
    fn is_thing(&self, ty: &Name) -> bool {
        self.schema.types.get(ty).is_some_and(|definition| !definition.is_leaf())
    }
}
