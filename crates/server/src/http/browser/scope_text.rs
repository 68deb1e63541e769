//! What a scope lets an app do, in words for the person who is asked: those of a `Scope` resource,
//! else those that are made of the scope and of the schemas of guards.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use castellan_gate::{Entry, GuardSchema, Root};
use castellan_proto::scope::{Scope, ScopePattern};

/// A phrase for a scope.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Phrase {
    pub(crate) title: String,
    /// More about it, in the words of the API.
    pub(crate) description: Option<String>,
    /// Whether it is about changing something.
    pub(crate) writes: bool,
}

/// The words for `scope`. The profile may open the address, too.
pub(crate) fn words(scope: &str, with_email: bool, schemas: &[impl AsRef<GuardSchema>]) -> Phrase {
    let plain = |title: &str, writes| Phrase { title: title.to_owned(), description: None, writes };
    match scope {
        "profile" if with_email => plain("See your name and your e-mail address", false),
        "openid" => plain("See who you are", false),
        "profile" => plain("See your profile, such as your name and your picture", false),
        "email" => plain("See your e-mail address", false),
        "address" => plain("See your postal address", false),
        "phone" => plain("See your telephone number", false),
        "groups" => plain("See which groups you are in", false),
        "roles" => plain("See which roles you have", false),
        "user" => plain("Act as you", true),
        "offline_access" => plain("Keep access while you are not using it", true),
        "api:read" => plain("Read everything that the API lets you read", false),
        "api:write" => plain("Change everything that the API lets you change", true),
        "*" => plain("Read and change everything that you can", true),
        _ => of_pattern(scope, schemas).unwrap_or_else(|| {
            let (title, writes) = by_itself(scope);
            Phrase { title, description: None, writes }
        }),
    }
}

/// The same for one claim that an app asks for (OIDC Core §5.5).
pub(crate) fn of_claim(claim: &str) -> String {
    let what = match claim {
        "name" => "your name",
        "given_name" => "your first name",
        "family_name" => "your family name",
        "middle_name" => "your middle name",
        "nickname" => "your nickname",
        "preferred_username" => "your username",
        "profile" => "the address of your profile page",
        "picture" => "your picture",
        "website" => "the address of your website",
        "gender" => "your gender",
        "birthdate" => "your date of birth",
        "zoneinfo" => "your time zone",
        "locale" => "your language",
        "updated_at" => "when your profile was last changed",
        "email" => "your e-mail address",
        "email_verified" => "whether your e-mail address was verified",
        "address" => "your postal address",
        "phone_number" => "your telephone number",
        "phone_number_verified" => "whether your telephone number was verified",
        "groups" => "which groups you are in",
        "roles" => "which roles you have",
        other => return format!("See the claim {other}"),
    };
    format!("See {what}")
}

/// The words for a scope of which nothing is known but itself.
fn by_itself(scope: &str) -> (String, bool) {
    let mut parts = scope.split(':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("Mutation"), Some(of), Some(action), None) => (phrase(action, "Change", of), true),
        (Some("Query"), Some(of), Some(action), None) => (phrase(action, "Read", of), false),
        (Some("Query"), ..) => (format!("Read with the scope {scope}"), false),
        // Castellan's own rights (`docs/rules.md` rule 23).
        (Some("Castellan"), Some("AccessPolicy"), Some("Test"), None) => {
            ("Try out access policies".to_owned(), false)
        }
        (Some("Castellan"), Some(kind), Some("Read"), None) if !kind.contains('*') => {
            (format!("Read every {kind} of this server"), false)
        }
        (Some("Castellan"), ..) => {
            ("Administer this server: read and change everything in it".to_owned(), true)
        }
        _ => (format!("Use the scope {scope}"), true),
    }
}

fn phrase(action: &str, any: &str, of: &str) -> String {
    let verb = if action.contains('*') { any } else { action };
    match of {
        "*" => format!("{verb} anything"),
        of => format!("{verb} {of}"),
    }
}

/// Kinds of data that are named at most.
const MOST_KINDS: usize = 3;
/// Actions that are named at most.
const MOST_ACTIONS: usize = 4;
/// Characters of a description at most.
const MOST_DESCRIPTION: usize = 200;

/// The words for a pattern, by the fields that it opens; `None` if it opens none.
fn of_pattern(scope: &str, schemas: &[impl AsRef<GuardSchema>]) -> Option<Phrase> {
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
        (true, true) if is_everything => "Read and change everything that you can".to_owned(),
        (true, false) if is_everything => "Read everything that you can".to_owned(),
        (false, true) if is_everything => "Change everything that you can".to_owned(),
        _ => sentence(opened.iter().map(|(_, (root, _, entry))| (*root, *entry))),
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
    Some(Phrase { title, description: description.and_then(shorten), writes })
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

/// "Create and change persons, read places".
fn sentence<'a>(fields: impl Iterator<Item = (Root, &'a Entry)>) -> String {
    let mut actions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (root, entry) in fields {
        let (kind, action) = parts(entry);
        let verbs = actions.entry(kind).or_default();
        let verb = verb(root, action);
        if !verbs.contains(&verb) {
            verbs.push(verb);
        }
    }
    // Kinds of data of which the same can be done stand together.
    let mut kinds: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    let more = actions.len().saturating_sub(MOST_KINDS);
    for (kind, mut verbs) in actions.into_iter().take(MOST_KINDS) {
        verbs.sort_by_key(|verb| place(verb));
        if verbs.len() > MOST_ACTIONS {
            verbs = vec!["change in any way".to_owned()];
        }
        let noun = noun(kind);
        match kinds.iter_mut().find(|(known, _)| *known == verbs) {
            Some((_, nouns)) => nouns.push(noun),
            None => kinds.push((verbs, vec![noun])),
        }
    }
    let said = |(verbs, nouns): &(Vec<String>, Vec<String>)| {
        format!("{} {}", enumerated(verbs), enumerated(nouns))
    };
    let mut text = kinds.iter().map(said).collect::<Vec<_>>().join("; ");
    match more {
        0 => {}
        1 => text.push_str("; and the like of one other kind of data"),
        more => drop(write!(text, "; and the like of {more} other kinds of data")),
    }
    let head = text.chars().next().map(|first| first.to_uppercase().to_string());
    head.unwrap_or_default() + text.get(1..).unwrap_or_default()
}

/// What an action is called.
fn verb(root: Root, action: &str) -> String {
    match (root, action) {
        (Root::Query, _) => "read".to_owned(),
        (Root::Subscription, _) => "follow".to_owned(),
        (_, "Update") => "change".to_owned(),
        (_, "Call") => "use".to_owned(),
        (_, action) => split(action),
    }
}

/// The order in which people name actions.
fn place(verb: &str) -> usize {
    const KNOWN: [&str; 5] = ["read", "follow", "create", "change", "delete"];
    KNOWN.iter().position(|known| *known == verb).unwrap_or(KNOWN.len())
}

/// Several of a type, which begins with a capital letter; any other name is a field's own.
fn noun(kind: &str) -> String {
    let words = split(kind);
    if !kind.starts_with(|first: char| first.is_ascii_uppercase()) {
        return format!("“{words}”");
    }
    let ends = |ends: &[&str]| ends.iter().any(|end| words.ends_with(end));
    match words.strip_suffix('y') {
        Some(stem) if !ends(&["ay", "ey", "oy", "uy"]) => format!("{stem}ies"),
        _ if ends(&["s", "x", "z", "ch", "sh"]) => format!("{words}es"),
        _ => format!("{words}s"),
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

/// "a, b and c".
fn enumerated(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [front @ .., last] => format!("{} and {last}", front.join(", ")),
    }
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

    use super::{Phrase, words};

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
        for (scope, title, writes) in [
            ("Mutation:Person:Create", "Create Person", true),
            ("Mutation:Person:*", "Change Person", true),
            ("Mutation:*:*", "Change anything", true),
            ("Query:Person:List", "List Person", false),
            ("Mutation:*", "Use the scope Mutation:*", true),
            ("email", "See your e-mail address", false),
        ] {
            let expected = Phrase { title: title.to_owned(), description: None, writes };
            assert_eq!(words(scope, false, &none), expected);
        }
    }

    #[test]
    fn a_pattern_is_said_in_the_words_of_the_schema() {
        let of_person = Some("Somebody who sings.");
        for (scope, title, description, writes) in [
            ("Mutation:Person:Create", "Create persons", Some("Adds a person to the choir."), true),
            ("Mutation:Person:*", "Create, change and delete persons", of_person, true),
            ("Mutation:Person:{Create,Update}", "Create and change persons", of_person, true),
            ("Query:Person:*", "Read persons", of_person, false),
            ("Query:{Person,City}:*", "Read cities and persons", None, false),
            ("Mutation:*:Create", "Create persons and places", None, true),
            ("Mutation:ControlAction:*", "Merge control actions", None, true),
            ("Mutation:vote:Call", "Use “vote”", None, true),
            ("*:Place:*", "Read and create places", None, true),
            ("Query:*", "Read everything that you can", None, false),
            ("Mutation:*", "Change everything that you can", None, true),
            ("{Query,Mutation}:*", "Read and change everything that you can", None, true),
            // It opens nothing there.
            ("Mutation:Pesron:*", "Change Pesron", None, true),
            ("Castellan:*", "Administer this server: read and change everything in it", None, true),
        ] {
            let title = title.to_owned();
            let expected = Phrase { title, description: description.map(str::to_owned), writes };
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
