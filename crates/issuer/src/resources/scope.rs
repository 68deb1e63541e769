//! `Scope` documents: what people are told of a scope on the consent page (`docs/resources.md`).

use std::collections::BTreeMap;

use castellan_proto::scope::Scope;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Facts, Problem, ReadDocument, Resource,
    version::{fresh_incarnation, incarnation},
};
use crate::{
    Issuer,
    records::{ScopeText, ScopeWords},
    store::Kind,
};

/// The words for a scope.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ScopeDocument {
    /// The scope, as apps request it.
    scope: String,
    /// What an app may do with it, in a few words.
    title: String,
    /// More about it.
    #[serde(default)]
    description: String,
    /// The tag of the language of both (RFC 5646). Default: `en`, that of the pages.
    language: Option<String>,
    /// The same in other languages, by their tags (RFC 5646), such as `de`.
    #[serde(default)]
    languages: BTreeMap<String, ScopeWords>,
}

/// The language of the pages.
const DEFAULT: &str = "en";
/// Texts of one site at most: all of them are held in memory.
const MOST_TEXTS: u64 = 1_000;
/// Languages of one text at most.
const MOST_LANGUAGES: usize = 64;
/// Characters of a title at most.
const MOST_TITLE: usize = 200;
/// Characters of a description at most.
const MOST_DESCRIPTION: usize = 1_024;

impl Resource for ScopeDocument {
    type Record = ScopeText;

    const NAME: &'static str = "Scope";

    #[cfg(feature = "schema")]
    fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }

    fn show(id: &str, text: &ScopeText) -> Value {
        let ScopeWords { title, description } = &text.words;
        let mut shown = json!({
            "resourceType": "Scope",
            "id": id,
            "scope": text.scope,
            "title": title,
        });
        if !description.is_empty() {
            shown["description"] = json!(description);
        }
        if text.language != DEFAULT {
            shown["language"] = json!(text.language);
        }
        if !text.languages.is_empty() {
            shown["languages"] = json!(text.languages);
        }
        shown
    }

    fn incarnation(_: &str, text: &ScopeText) -> String {
        incarnation(text.incarnation, text.created)
    }

    fn facts(_: &str, text: &ScopeText) -> Facts {
        let name = text.scope.as_str().to_lowercase();
        Facts { name, created: text.created, modified: text.modified }
    }

    async fn read(
        self,
        issuer: &Issuer,
        before: Option<&ScopeText>,
    ) -> Result<ReadDocument<ScopeText>, Problem> {
        let scope = Scope::try_from(self.scope).map_err(|why| format!("scope: {why}"))?;
        let words = ScopeWords { title: self.title, description: self.description };
        check("", &words)?;
        if self.languages.len() > MOST_LANGUAGES {
            let text = format!("languages must have at most {MOST_LANGUAGES} entries");
            return Err(Problem::Text(text));
        }
        let no_language =
            |place, tag| format!("{place}: {tag:?} is not the tag of a language, such as \"de\"");
        let language = self.language.as_deref().unwrap_or(DEFAULT);
        if !is_language(language) {
            return Err(Problem::Text(no_language("language", language)));
        }
        let language = language.to_ascii_lowercase();
        let mut languages = BTreeMap::new();
        for (tag, words) in self.languages {
            if !is_language(&tag) {
                return Err(Problem::Text(no_language("languages", &tag)));
            }
            if tag.eq_ignore_ascii_case(&language) {
                let text = format!("languages: {tag:?} is the language of title and description");
                return Err(Problem::Text(text));
            }
            check(&format!("languages.{tag}."), &words)?;
            if languages.insert(tag.to_ascii_lowercase(), words).is_some() {
                let text = format!("languages: {tag:?} is there twice, in two letter cases");
                return Err(Problem::Text(text));
            }
        }
        let now = issuer.now();
        if before.is_none() {
            let repository = issuer.repository();
            let there = repository.store().count(repository.site(), Kind::ScopeText, now).await?;
            if there >= MOST_TEXTS {
                let text = format!("a site has at most {MOST_TEXTS} texts for scopes");
                return Err(Problem::Text(text));
            }
        }
        let created = before.map_or(now, |before| before.created);
        let incarnation = before.map_or_else(fresh_incarnation, |before| before.incarnation);
        let text =
            ScopeText { scope, language, words, languages, incarnation, created, modified: now };
        Ok(ReadDocument::without_secret(text))
    }
}

fn check(place: &str, words: &ScopeWords) -> Result<(), String> {
    let fits =
        |text: &str, most| text.chars().count() <= most && !text.chars().any(char::is_control);
    if words.title.trim().is_empty() || !fits(&words.title, MOST_TITLE) {
        return Err(format!(
            "{place}title must have 1 to {MOST_TITLE} characters and no control characters"
        ));
    }
    if !fits(&words.description, MOST_DESCRIPTION) {
        return Err(format!(
            "{place}description must have at most {MOST_DESCRIPTION} characters and no control \
             characters"
        ));
    }
    Ok(())
}

/// Whether `tag` has the form of a language tag: a language, and perhaps a script, a region and the
/// like behind it (RFC 5646 §2.1).
fn is_language(tag: &str) -> bool {
    let is_part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let language = tag.split('-').next().unwrap_or_default();
    (2..=8).contains(&language.len())
        && language.bytes().all(|b| b.is_ascii_alphabetic())
        && tag.len() <= 35
        && tag.split('-').all(is_part)
}
