//! From the name of a mutation to the scope that it requires (`docs/rules.md` rule 25).

use castellan_proto::scope::RequiredScope;

/// How the required scope follows from a mutation's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Naming {
    /// A verb at the beginning (`createPerson`) or the end (`personCreate`).
    #[default]
    Verbs,
    /// Names like `CreatePerson` (`docs/contracts/trompa.md` §6); any other name is locked until it
    /// has an override.
    Trompa,
}

const VERBS: &[&str] = &[
    "accept",
    "activate",
    "add",
    "approve",
    "archive",
    "assign",
    "cancel",
    "close",
    "complete",
    "confirm",
    "copy",
    "create",
    "deactivate",
    "delete",
    "disable",
    "edit",
    "enable",
    "import",
    "insert",
    "invite",
    "link",
    "lock",
    "merge",
    "move",
    "open",
    "patch",
    "publish",
    "put",
    "reject",
    "remove",
    "rename",
    "replace",
    "request",
    "reset",
    "restore",
    "revoke",
    "save",
    "send",
    "set",
    "start",
    "stop",
    "submit",
    "sync",
    "unlink",
    "unlock",
    "unpublish",
    "update",
    "upload",
    "upsert",
];

/// The scope that the mutation field `field` requires; `None` if `naming` cannot read the name.
#[must_use]
pub fn name_mutation(naming: Naming, field: &str) -> Option<RequiredScope> {
    let (action, of) = match naming {
        Naming::Trompa => split_trompa(field)?,
        Naming::Verbs => {
            split_verbs(field).unwrap_or_else(|| ("Call".to_owned(), field.to_owned()))
        }
    };
    RequiredScope::try_from(format!("Mutation:{of}:{action}")).ok()
}

/// A capital and its lower-case run, then a capital and at least one more word character.
fn split_trompa(field: &str) -> Option<(String, String)> {
    let bytes = field.as_bytes();
    let run = bytes.iter().skip(1).take_while(|b| b.is_ascii_lowercase()).count();
    let (action, of) = field.split_at_checked(run + 1)?;
    let capital = |text: &str| text.starts_with(|c: char| c.is_ascii_uppercase());
    (run > 0 && capital(action) && capital(of) && of.len() > 1)
        .then(|| (action.to_owned(), of.to_owned()))
}

fn split_verbs(field: &str) -> Option<(String, String)> {
    let words = words(field);
    let verb = |word: &&str| VERBS.contains(&&*word.to_ascii_lowercase());
    let (first, last) = (words.first()?, words.last()?);
    if words.len() < 2 {
        return None;
    }
    if verb(first) {
        Some((capitalised(first), joined(&words[1..])))
    } else if verb(last) {
        Some((capitalised(last), joined(&words[..words.len() - 1])))
    } else {
        None
    }
}

/// The words of a camel-case or snake-case name.
fn words(name: &str) -> Vec<&str> {
    let bytes = name.as_bytes();
    let mut out = Vec::new();
    let mut start = 0;
    for at in 1..bytes.len() {
        let camel = bytes[at].is_ascii_uppercase() && !bytes[at - 1].is_ascii_uppercase();
        if camel || bytes[at - 1] == b'_' {
            out.push(&name[start..at]);
            start = at;
        }
    }
    out.push(&name[start..]);
    out.into_iter().map(|word| word.trim_matches('_')).filter(|word| !word.is_empty()).collect()
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

fn joined(words: &[&str]) -> String {
    words.iter().map(|word| capitalised(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(naming: Naming, field: &str) -> Option<String> {
        name_mutation(naming, field).map(String::from)
    }

    #[test]
    fn trompa_6_names() {
        for (field, expected) in [
            ("CreatePerson", "Mutation:Person:Create"),
            ("AddMusicCompositionComposer", "Mutation:MusicCompositionComposer:Add"),
            ("MergeMusicCompositionComposer", "Mutation:MusicCompositionComposer:Merge"),
            ("AddPersonBirthPlace", "Mutation:PersonBirthPlace:Add"),
            ("AddArticleSchema_publisher", "Mutation:ArticleSchema_publisher:Add"),
            ("CreateAddAction", "Mutation:AddAction:Create"),
            ("AddThingInterfaceSubjectOf", "Mutation:ThingInterfaceSubjectOf:Add"),
            ("RequestControlAction", "Mutation:ControlAction:Request"),
        ] {
            assert_eq!(named(Naming::Trompa, field).as_deref(), Some(expected));
        }
        for unreadable in
            ["create", "createPerson", "Create", "CreateX", "CREATE", "Createperson", ""]
        {
            assert_eq!(named(Naming::Trompa, unreadable), None, "{unreadable}");
        }
    }

    #[test]
    fn verbs_lead_or_follow_and_the_rest_stand_alone() {
        for (field, expected) in [
            ("createPerson", "Mutation:Person:Create"),
            ("personCreate", "Mutation:Person:Create"),
            ("delete_old_order", "Mutation:OldOrder:Delete"),
            ("orderItemUpdate", "Mutation:OrderItem:Update"),
            ("submit", "Mutation:submit:Call"),
            ("proposalVote", "Mutation:proposalVote:Call"),
            ("addressBook", "Mutation:addressBook:Call"),
        ] {
            assert_eq!(named(Naming::Verbs, field).as_deref(), Some(expected));
        }
    }
}
