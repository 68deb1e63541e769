//! What a scope lets an app do, in words for the person who is asked: those of a `Scope` resource,
//! else those that are made of the scope and of the schemas of guards.

use std::collections::{BTreeMap, BTreeSet};

use castellan_gate::{Entry, GuardSchema, Root};
use castellan_proto::scope::{Scope, ScopePattern};

use crate::{
    pages::Effect,
    texts::{PhraseTexts, ScopeTexts},
};

/// A phrase for a scope.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Phrase {
    pub(crate) title: String,
    /// More about it, in the words of the API.
    pub(crate) description: Option<String>,
    /// What it is about.
    pub(crate) effect: Effect,
}

/// The words for `scope`. The profile may open the address, too.
pub(crate) fn words(
    scope: &str,
    with_email: bool,
    schemas: &[impl AsRef<GuardSchema>],
    t: &ScopeTexts,
) -> Phrase {
    let plain = |title: &str, effect| Phrase { title: title.to_owned(), description: None, effect };
    match scope {
        "profile" if with_email => plain(t.profile_with_email, Effect::Reads),
        "openid" => plain(t.openid, Effect::Reads),
        "profile" => plain(t.profile, Effect::Reads),
        "email" => plain(t.email, Effect::Reads),
        "address" => plain(t.address, Effect::Reads),
        "phone" => plain(t.phone, Effect::Reads),
        "groups" => plain(t.groups, Effect::Reads),
        "roles" => plain(t.roles, Effect::Reads),
        "user" => plain(t.user, Effect::Changes),
        "offline_access" => plain(t.offline_access, Effect::Changes),
        "api:read" => plain(t.api_read, Effect::Reads),
        "api:write" => plain(t.api_write, Effect::Changes),
        "*" => plain(t.everything, Effect::Changes),
        _ => of_pattern(scope, schemas, t).unwrap_or_else(|| {
            let (title, effect) = by_itself(scope, t);
            Phrase { title, description: None, effect }
        }),
    }
}

/// The words for a scope of which nothing is known but itself.
fn by_itself(scope: &str, t: &ScopeTexts) -> (String, Effect) {
    let mut parts = scope.split(':');
    let any = &t.phrases;
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("Query"), Some("*"), None | Some("*"), None) => {
            (t.read_everything.to_owned(), Effect::Reads)
        }
        (Some("Mutation"), Some("*"), None | Some("*"), None) => {
            (t.change_everything.to_owned(), Effect::Changes)
        }
        (Some("Mutation"), Some(of), Some(action), None) => {
            (phrase(Root::Mutation, action, any.change, of, any), Effect::Changes)
        }
        (Some("Query"), Some(of), Some(action), None) => {
            (phrase(Root::Query, action, any.read, of, any), Effect::Reads)
        }
        (Some("Query"), ..) => ((t.read_with)(scope), Effect::Reads),
        // Castellan's own rights (`docs/rules.md` rule 23).
        (Some("Castellan"), Some("AccessPolicy"), Some("Test"), None) => {
            (t.test_policies.to_owned(), Effect::Administers)
        }
        (Some("Castellan"), Some(kind), Some("Read"), None) if !kind.contains('*') => {
            ((t.read_every)(kind), Effect::Administers)
        }
        (Some("Castellan"), ..) => (t.administer.to_owned(), Effect::Administers),
        _ => ((t.use_scope)(scope), Effect::Changes),
    }
}

/// What is done to `of` by `action`, or by `any` where that is a pattern.
fn phrase(root: Root, action: &str, any: &str, of: &str, t: &PhraseTexts) -> String {
    let verb = if action.contains('*') { any.to_owned() } else { verb(root, action, t) };
    let noun = if of == "*" { t.anything.to_owned() } else { noun(of, t) };
    capitalised(&(t.done_to)(&verb, &noun))
}

/// `text` with a capital letter at its beginning.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// Kinds of data that are named at most.
const MOST_KINDS: usize = 3;
/// Actions that are named at most.
const MOST_ACTIONS: usize = 4;
/// Characters of a description at most.
const MOST_DESCRIPTION: usize = 200;

/// The words for a pattern, by the fields that it opens; `None` if it opens none.
fn of_pattern(scope: &str, schemas: &[impl AsRef<GuardSchema>], t: &ScopeTexts) -> Option<Phrase> {
    let Ok(Scope::Pattern(pattern)) = Scope::try_from(scope.to_owned()) else { return None };
    let schemas: Vec<&GuardSchema> = schemas.iter().map(AsRef::as_ref).collect();
    let all = || schemas.iter().flat_map(|schema| schema.entries().map(move |one| (*schema, one)));
    let opened: Vec<_> = all().filter(|(_, (.., entry))| opens(&pattern, entry)).collect();
    let (schema, (root, field, first)) = opened.first()?;
    let is_write = |root: Root| root == Root::Mutation;
    let writes = opened.iter().any(|(_, (root, ..))| is_write(*root));
    let reads = opened.iter().any(|(_, (root, ..))| !is_write(*root));
    let is_left = |(_, (root, _, entry)): &(&GuardSchema, (Root, &str, &Entry))| {
        !entry.local
            && !entry.by_name_only
            && (if is_write(*root) { writes } else { reads })
            && !opens(&pattern, entry)
    };
    let is_everything = pattern.as_str().contains('*') && !all().any(|one| is_left(&one));
    let title = match (reads, writes) {
        (true, true) if is_everything => t.everything.to_owned(),
        (true, false) if is_everything => t.read_everything.to_owned(),
        (false, true) if is_everything => t.change_everything.to_owned(),
        _ => {
            let fields = opened.iter().map(|(_, (root, _, entry))| (*root, *entry));
            sentence(fields, &t.phrases)
        }
    };
    let kind = parts(first).0;
    let kinds: BTreeSet<&str> = opened.iter().map(|(_, (.., entry))| parts(entry).0).collect();
    let description = match kinds.len() {
        _ if is_everything => None,
        1 => {
            let of_type = || opened.iter().find_map(|(schema, _)| schema.type_description(kind));
            let of_field = schema.description(*root, field).filter(|_| opened.len() == 1);
            of_field.or_else(of_type)
        }
        _ => None,
    };
    let effect = if writes { Effect::Changes } else { Effect::Reads };
    Some(Phrase { title, description: description.and_then(shorten), effect })
}

fn opens(pattern: &ScopePattern, entry: &Entry) -> bool {
    if entry.by_name_only {
        pattern.names(&entry.required)
    } else {
        pattern.matches(&entry.required)
    }
}

/// The type and the action of the scope that a field requires.
fn parts(entry: &Entry) -> (&str, &str) {
    let mut parts = entry.required.as_str().split(':').skip(1);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// "Create and change persons; read places".
fn sentence<'a>(fields: impl Iterator<Item = (Root, &'a Entry)>, t: &PhraseTexts) -> String {
    let mut actions: BTreeMap<&str, Vec<(Root, &str)>> = BTreeMap::new();
    for (root, entry) in fields {
        let (kind, action) = parts(entry);
        actions.entry(kind).or_default().push((root, action));
    }
    // Kinds of data of which the same can be done stand together.
    let mut kinds: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    let more = actions.len().saturating_sub(MOST_KINDS);
    for (kind, mut actions) in actions.into_iter().take(MOST_KINDS) {
        actions.sort_by_key(|(root, action)| place(*root, action));
        let mut verbs: Vec<String> = Vec::new();
        for (root, action) in actions {
            let verb = verb(root, action, t);
            if !verbs.contains(&verb) {
                verbs.push(verb);
            }
        }
        if verbs.len() > MOST_ACTIONS {
            verbs = vec![t.any_way.to_owned()];
        }
        let noun = noun(kind, t);
        match kinds.iter_mut().find(|(known, _)| *known == verbs) {
            Some((_, nouns)) => nouns.push(noun),
            None => kinds.push((verbs, vec![noun])),
        }
    }
    let said = |(verbs, nouns): &(Vec<String>, Vec<String>)| {
        (t.done_to)(&t.enumerated(verbs), &t.enumerated(nouns))
    };
    let mut text = kinds.iter().map(said).collect::<Vec<_>>().join("; ");
    if more > 0 {
        text.push_str(&(t.and_more)(more));
    }
    capitalised(&text)
}

/// What an action is called.
fn verb(root: Root, action: &str, t: &PhraseTexts) -> String {
    match (root, action) {
        (Root::Query, _) => t.read.to_owned(),
        (Root::Subscription, _) => t.follow.to_owned(),
        (_, "Create") => t.create.to_owned(),
        (_, "Update") => t.change.to_owned(),
        (_, "Delete") => t.delete.to_owned(),
        (_, "Call") => t.call.to_owned(),
        (_, action) => split(action),
    }
}

/// The order in which people name actions.
fn place(root: Root, action: &str) -> usize {
    match (root, action) {
        (Root::Query, _) => 0,
        (Root::Subscription, _) => 1,
        (_, "Create") => 2,
        (_, "Update") => 3,
        (_, "Delete") => 4,
        _ => 5,
    }
}

/// Several of a type, which begins with a capital letter; any other name is a field's own.
fn noun(kind: &str, t: &PhraseTexts) -> String {
    let words = split(kind);
    if kind.starts_with(|first: char| first.is_ascii_uppercase()) {
        (t.plural)(&words)
    } else {
        (t.quoted)(&words)
    }
}

/// `ControlAction` and `control_action` as "control action".
fn split(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    let mut before = None;
    for letter in name.chars() {
        let begins = letter.is_ascii_uppercase()
            && before.is_some_and(|one: char| one.is_ascii_lowercase() || one.is_ascii_digit());
        if (begins || letter == '_') && !words.is_empty() && !words.ends_with(' ') {
            words.push(' ');
        }
        if letter != '_' {
            words.push(letter.to_ascii_lowercase());
        }
        before = Some(letter);
    }
    words
}

/// A description as one line that is not too long; `None` if nothing is left of it. It is the API's
/// own and may be anything.
fn shorten(text: &str) -> Option<String> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|letter| !letter.is_control()).collect();
    if line.chars().count() <= MOST_DESCRIPTION {
        return (!line.is_empty()).then_some(line);
    }
    let cut: String = line.chars().take(MOST_DESCRIPTION).collect();
    Some(format!("{}…", cut.rsplit_once(' ').map_or(&*cut, |(front, _)| front)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use castellan_gate::{GuardSchema, SchemaSettings};

    use castellan_issuer::language::Language;

    use super::{Effect, Phrase};
    use crate::texts::Texts;

    fn words(scope: &str, with_email: bool, schemas: &[Arc<GuardSchema>]) -> Phrase {
        super::words(scope, with_email, schemas, &Texts::of(Language::English).scopes)
    }

    const SDL: &str = "
        type Query { person(id: ID): Person people: [Person] place: Place events: [Event] news: String
            city: City }
        \"\"\"
        Somebody   who sings.
        \"\"\"
        type Person { id: ID } type Place { id: ID } type Event { id: ID } type City { id: ID }
        type Mutation {
            \"Adds a person to the choir.\"
            createPerson: Person updatePerson: Person deletePerson: ID createPlace: Place vote: ID
            mergeControlAction: ID
        }";

    fn schemas() -> Vec<Arc<GuardSchema>> {
        vec![Arc::new(GuardSchema::build(SDL, &SchemaSettings::default()).unwrap())]
    }

    #[test]
    fn a_scope_reads_as_a_phrase() {
        let none: [Arc<GuardSchema>; 0] = [];
        for (scope, title, effect) in [
            ("Mutation:Person:Create", "Create persons", Effect::Changes),
            ("Mutation:Person:*", "Change persons", Effect::Changes),
            ("Mutation:*:*", "Change everything that you can", Effect::Changes),
            ("Query:Person:List", "Read persons", Effect::Reads),
            ("Mutation:*", "Change everything that you can", Effect::Changes),
            ("email", "See your e-mail address", Effect::Reads),
        ] {
            let expected = Phrase { title: title.to_owned(), description: None, effect };
            assert_eq!(words(scope, false, &none), expected);
        }
    }

    #[test]
    fn a_pattern_is_said_in_the_words_of_the_schema() {
        let of_person = Some("Somebody who sings.");
        for (scope, title, description, effect) in [
            (
                "Mutation:Person:Create",
                "Create persons",
                Some("Adds a person to the choir."),
                Effect::Changes,
            ),
            ("Mutation:Person:*", "Create, change and delete persons", of_person, Effect::Changes),
            (
                "Mutation:Person:{Create,Update}",
                "Create and change persons",
                of_person,
                Effect::Changes,
            ),
            ("Query:Person:*", "Read persons", of_person, Effect::Reads),
            ("Query:{Person,City}:*", "Read cities and persons", None, Effect::Reads),
            ("Mutation:*:Create", "Create persons and places", None, Effect::Changes),
            ("Mutation:ControlAction:*", "Merge control actions", None, Effect::Changes),
            ("Mutation:vote:Call", "Use “vote”", None, Effect::Changes),
            ("*:Place:*", "Read and create places", None, Effect::Changes),
            ("Query:*", "Read everything that you can", None, Effect::Reads),
            ("Mutation:*", "Change everything that you can", None, Effect::Changes),
            (
                "{Query,Mutation}:*",
                "Read and change everything that you can",
                None,
                Effect::Changes,
            ),
            // It opens nothing there.
            ("Mutation:Pesron:*", "Change pesrons", None, Effect::Changes),
            (
                "Castellan:*",
                "Administer this server: read and change everything in it",
                None,
                Effect::Administers,
            ),
        ] {
            let title = title.to_owned();
            let expected = Phrase { title, description: description.map(str::to_owned), effect };
            assert_eq!(words(scope, false, &schemas()), expected, "{scope}");
        }
    }

    #[test]
    fn what_an_api_says_of_itself_has_a_bound() {
        let text = "long words ".repeat(100);
        let sdl = format!("type Query {{ a: A b: ID }} \"{text}\" type A {{ id: ID }}");
        let schema = GuardSchema::build(&sdl, &SchemaSettings::default()).unwrap();
        let said = words("Query:A:*", false, &[Arc::new(schema)]).description;
        assert!(said.is_some_and(|said| said.chars().count() <= 201 && said.ends_with('…')));
    }
}
