//! The data of the archive, in memory, changed by one caller at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::model::{KINDS, Kind, Reach, Relation};
use super::refused::{LONGEST_TEXT, MOST_ARROWS, MOST_PER_KIND, Refused};

/// An object of the archive.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The type of the object.
    pub(crate) kind: &'static Kind,
    /// Its key within the type.
    pub(crate) identifier: String,
    /// Its scalars, without those that are null.
    pub(crate) texts: BTreeMap<&'static str, String>,
    /// The identifiers its relations point to.
    pub(crate) arrows: BTreeMap<&'static str, Vec<String>>,
}

/// New values for scalars; `None` makes one null.
pub(crate) type Changes = BTreeMap<&'static str, Option<String>>;

/// Which things to list.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    /// Only the one with this identifier.
    pub(crate) identifier: Option<String>,
    /// Only those with exactly these scalars.
    pub(crate) texts: BTreeMap<&'static str, String>,
    /// Only those whose name contains this text, in any letter case.
    pub(crate) substring: Option<String>,
    /// How many to pass over.
    pub(crate) offset: usize,
    /// How many to return at most.
    pub(crate) first: usize,
}

type Collection = BTreeMap<String, Arc<Node>>;
type Collections = BTreeMap<&'static str, Collection>;

/// Everything in the archive.
#[derive(Debug, Default)]
pub(crate) struct Store(Mutex<Collections>);

impl Store {
    /// How many things there are of each type.
    pub(crate) fn counts(&self) -> Vec<(&'static str, usize)> {
        let collections = self.lock();
        let count = |kind: &Kind| collections.get(kind.name).map_or(0, Collection::len);
        KINDS.iter().map(|kind| (kind.name, count(kind))).collect()
    }

    /// The thing with this identifier.
    pub(crate) fn get(&self, kind: &'static Kind, identifier: &str) -> Option<Arc<Node>> {
        self.lock().get(kind.name)?.get(identifier).cloned()
    }

    /// The things that pass `filter`, in the order of their identifiers.
    pub(crate) fn list(&self, kind: &'static Kind, filter: &Filter) -> Vec<Arc<Node>> {
        let sought = filter.substring.as_ref().map(|text| text.to_lowercase());
        self.lock()
            .get(kind.name)
            .into_iter()
            .flat_map(Collection::values)
            .filter(|node| {
                filter.identifier.as_ref().is_none_or(|wanted| *wanted == node.identifier)
            })
            .filter(|node| {
                filter.texts.iter().all(|(name, text)| node.texts.get(name) == Some(text))
            })
            .filter(|node| {
                sought.as_ref().is_none_or(|text| {
                    node.name().is_some_and(|name| name.to_lowercase().contains(text))
                })
            })
            .skip(filter.offset)
            .take(filter.first)
            .cloned()
            .collect()
    }

    /// Adds a thing; without an identifier it gets one made from its name.
    pub(crate) fn create(
        &self,
        kind: &'static Kind,
        identifier: Option<String>,
        changes: Changes,
    ) -> Result<Arc<Node>, Refused> {
        let mut collections = self.lock();
        let nodes = collections.entry(kind.name).or_default();
        let identifier = match identifier {
            Some(identifier) if nodes.contains_key(&identifier) => {
                return Err(Refused::Taken(kind, identifier));
            }
            Some(identifier) => identifier,
            None => free_identifier(nodes, kind, &changes),
        };
        insert(nodes, kind, identifier, changes)
    }

    /// Changes a thing that is there.
    pub(crate) fn update(
        &self,
        kind: &'static Kind,
        identifier: &str,
        changes: Changes,
    ) -> Result<Arc<Node>, Refused> {
        let mut collections = self.lock();
        let node = find(&mut collections, kind, identifier)?;
        change(node, changes)
    }

    /// Changes a thing, or adds it.
    pub(crate) fn merge(
        &self,
        kind: &'static Kind,
        identifier: String,
        changes: Changes,
    ) -> Result<Arc<Node>, Refused> {
        let mut collections = self.lock();
        let nodes = collections.entry(kind.name).or_default();
        match nodes.get_mut(&identifier) {
            Some(node) => change(node, changes),
            None => insert(nodes, kind, identifier, changes),
        }
    }

    /// Removes an object and every relation to it, and returns it as it was.
    pub(crate) fn delete(
        &self,
        kind: &'static Kind,
        identifier: &str,
    ) -> Result<Arc<Node>, Refused> {
        let mut collections = self.lock();
        let removed =
            collections.get_mut(kind.name).and_then(|collection| collection.remove(identifier));
        let removed = removed.ok_or_else(|| Refused::Unknown(kind, identifier.to_owned()))?;
        for node in collections.values_mut().flat_map(Collection::values_mut) {
            let incoming = node.kind.relations.iter().filter(|rel| rel.target.name == kind.name);
            for relation in incoming {
                wipe(node, relation, identifier);
            }
        }
        Ok(removed)
    }

    /// Adds a relation. An existing one is not added twice, and a relation to one object replaces
    /// the old one.
    pub(crate) fn relate(
        &self,
        kind: &'static Kind,
        relation: &'static Relation,
        from: &str,
        to: &str,
    ) -> Result<(Arc<Node>, Arc<Node>), Refused> {
        let mut collections = self.lock();
        let target = Arc::clone(find(&mut collections, relation.target, to)?);
        let source = find(&mut collections, kind, from)?;
        let arrows = source.arrows.get(relation.name).map_or(&[][..], Vec::as_slice);
        if !arrows.contains(&target.identifier) {
            if relation.reach == Reach::Many && arrows.len() >= MOST_ARROWS {
                return Err(Refused::Crowded(relation));
            }
            let arrows = Arc::make_mut(source).arrows.entry(relation.name).or_default();
            if relation.reach == Reach::One {
                arrows.clear();
            }
            arrows.push(target.identifier.clone());
        }
        both_ends(&mut collections, kind, relation, from, to)
    }

    /// Removes a relation; one that does not exist is not an error, because the result is as
    /// requested.
    pub(crate) fn unrelate(
        &self,
        kind: &'static Kind,
        relation: &'static Relation,
        from: &str,
        to: &str,
    ) -> Result<(Arc<Node>, Arc<Node>), Refused> {
        let mut collections = self.lock();
        find(&mut collections, relation.target, to)?;
        wipe(find(&mut collections, kind, from)?, relation, to);
        both_ends(&mut collections, kind, relation, from, to)
    }

    fn lock(&self) -> MutexGuard<'_, Collections> {
        // No verb leaves the collections half changed, so what a panic elsewhere left is still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    fn name(&self) -> Option<&String> {
        self.texts.get("name")
    }
}

/// Reads the ends again, because after a change a relation from an object to itself has two of them
/// to show.
fn both_ends(
    collections: &mut Collections,
    kind: &'static Kind,
    relation: &'static Relation,
    from: &str,
    to: &str,
) -> Result<(Arc<Node>, Arc<Node>), Refused> {
    let from = Arc::clone(find(collections, kind, from)?);
    let to = Arc::clone(find(collections, relation.target, to)?);
    Ok((from, to))
}

fn find<'s>(
    collections: &'s mut Collections,
    kind: &'static Kind,
    identifier: &str,
) -> Result<&'s mut Arc<Node>, Refused> {
    collections
        .get_mut(kind.name)
        .and_then(|collection| collection.get_mut(identifier))
        .ok_or_else(|| Refused::Unknown(kind, identifier.to_owned()))
}

fn insert(
    collection: &mut Collection,
    kind: &'static Kind,
    identifier: String,
    changes: Changes,
) -> Result<Arc<Node>, Refused> {
    if collection.len() >= MOST_PER_KIND {
        return Err(Refused::Full(kind));
    }
    if identifier.trim().is_empty() {
        return Err(Refused::Blank);
    }
    if identifier.len() > LONGEST_TEXT {
        return Err(Refused::TooLong);
    }
    let (texts, arrows) = (BTreeMap::new(), BTreeMap::new());
    let mut node = Arc::new(Node { kind, identifier: identifier.clone(), texts, arrows });
    change(&mut node, changes)?;
    collection.insert(identifier, Arc::clone(&node));
    Ok(node)
}

fn change(node: &mut Arc<Node>, changes: Changes) -> Result<Arc<Node>, Refused> {
    if changes.values().flatten().any(|text| text.len() > LONGEST_TEXT) {
        return Err(Refused::TooLong);
    }
    let texts = &mut Arc::make_mut(node).texts;
    for (name, text) in changes {
        match text {
            Some(text) => texts.insert(name, text),
            None => texts.remove(name),
        };
    }
    Ok(Arc::clone(node))
}

fn wipe(node: &mut Arc<Node>, relation: &'static Relation, identifier: &str) {
    let arrows = node.arrows.get(relation.name);
    if arrows.is_some_and(|arrows| arrows.iter().any(|to| to == identifier)) {
        let arrows = Arc::make_mut(node).arrows.entry(relation.name).or_default();
        arrows.retain(|to| to != identifier);
    }
}

fn free_identifier(collection: &Collection, kind: &Kind, changes: &Changes) -> String {
    let name = changes.get("name").and_then(Option::as_deref).unwrap_or_default();
    let letters: String = name
        .to_lowercase()
        .chars()
        .take(60)
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .collect();
    let mut slug = letters.split_whitespace().collect::<Vec<_>>().join("-");
    if slug.is_empty() {
        slug = kind.name.to_lowercase();
    }
    if !collection.contains_key(&slug) {
        return slug;
    }
    // There are fewer names than numbers to try, so the search ends.
    (2..=collection.len() + 2)
        .map(|number| format!("{slug}-{number}"))
        .find(|candidate| !collection.contains_key(candidate))
        .unwrap_or(slug)
}
