//! The configuration file as a text: what is wrong with it is told with its line, and no secret is
//! shown with it.

use std::path::Path;

use castellan_proto::strict_json;
use toml::{
    Table, Value,
    de::{DeTable, DeValue},
};

pub(super) use super::shape::Step;
use super::{
    Config, ConfigError,
    shape::{self, list_for_table},
};

/// The text of the file and its name.
pub(super) struct File {
    name: String,
    text: String,
}

impl File {
    /// Reads the file at `path`; an empty one without it.
    pub(super) fn read(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Ok(Self { name: "defaults".to_owned(), text: String::new() });
        };
        let name = path.display().to_string();
        match std::fs::read(path) {
            Ok(bytes) => match strict_json::text(bytes) {
                Ok(text) => Ok(Self { name, text }),
                Err(problem) => Err(ConfigError::File { path: name, problem }),
            },
            Err(cause) => Err(ConfigError::Unreadable { path: name, cause }),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether no setting stands in it.
    pub(super) fn is_empty(&self) -> bool {
        toml::from_str::<Table>(&self.text).is_ok_and(|table| table.is_empty())
    }

    /// The settings of the file alone.
    pub(super) fn parse(&self) -> Result<Config, ConfigError> {
        let wrong = |problem| ConfigError::File { path: self.name.clone(), problem };
        if let Some(way) = toml::from_str(&self.text).ok().as_ref().and_then(list_for_table) {
            let (line, name) = (self.line_of(&way).unwrap_or(1), shape::name(&way));
            return Err(wrong(format!("line {line}: {name}: expected a table")));
        }
        toml::from_str(&self.text).map_err(|error| wrong(self.problem(&error)))
    }

    /// What is wrong: the place and the setting. Neither the line nor a value is shown, as a secret may
    /// stand anywhere, by whatever name.
    fn problem(&self, error: &toml::de::Error) -> String {
        let message = strict_json::without_value(error.message());
        let Some(span) = error.span() else { return message };
        let start = span.start.min(self.text.len());
        let before = &self.text[..start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let place = format!("line {line}, column {column}");
        let (name, value) = self.setting_at(start);
        // Of a value that is text, our own types may tell what it is.
        let message = match value {
            Some(value) => message.replace(&format!("{value:?}"), "the value"),
            None => message,
        };
        // What is unknown, missing or double is named by the message.
        let is_named = message.contains(" field `") || name.is_empty();
        if is_named { format!("{place}: {message}") } else { format!("{place}: {name}: {message}") }
    }

    /// The name of the setting that `offset` is in, with the tables around it, and its value if that is
    /// text; empty if it is in none, or the file is no TOML.
    fn setting_at(&self, offset: usize) -> (String, Option<String>) {
        let (mut name, mut text) = (String::new(), None);
        let Ok(root) = DeTable::parse(&self.text) else { return (name, text) };
        let mut here = DeValue::Table(root.into_inner());
        loop {
            let next = match here {
                DeValue::Table(table) => {
                    let is_around = |start: usize, end: usize| (start..=end).contains(&offset);
                    let found = table.into_iter().find(|(key, value)| {
                        is_around(key.span().start, key.span().end)
                            || is_around(value.span().start, value.span().end)
                            || holds(value.get_ref(), offset)
                    });
                    found.map(|(key, value)| {
                        let dot = if name.is_empty() { "" } else { "." };
                        name.extend([dot, key.get_ref()]);
                        value
                    })
                }
                DeValue::Array(list) => list
                    .into_iter()
                    .find(|value| value.span().contains(&offset) || holds(value.get_ref(), offset)),
                _ => None,
            };
            let Some(next) = next else { return (name, text) };
            here = next.into_inner();
            text = here.as_str().map(ToOwned::to_owned);
        }
    }

    /// Whether the setting at `path` is in the file.
    pub(super) fn has(&self, path: &[Step]) -> bool {
        let Ok(table) = toml::from_str::<Table>(&self.text) else { return false };
        let mut here = Some(Value::Table(table));
        for step in path {
            here = here.and_then(|value| match step {
                Step::Key(name) => value.get(name).cloned(),
                Step::Named(name) => value.get(name).cloned(),
                Step::At(place) => value.get(place).cloned(),
            });
        }
        here.is_some()
    }

    /// The line of the setting at `path`, or of the nearest table around it.
    pub(super) fn line_of(&self, path: &[Step]) -> Option<usize> {
        let root = DeTable::parse(&self.text).ok()?;
        let (mut at, mut here) = (0, DeValue::Table(root.into_inner()));
        for step in path {
            let (start, next) = match (step, here) {
                (Step::Key(_) | Step::Named(_), DeValue::Table(mut table)) => {
                    let name = step.name().unwrap_or_default();
                    let found = table.iter().find(|(key, _)| key.get_ref() == name);
                    let start = found.map(|(key, _)| key.span().start);
                    let Some((start, value)) = start.zip(table.remove(name)) else { break };
                    (start, value)
                }
                (Step::At(place), DeValue::Array(list)) => {
                    let Some(value) = list.into_iter().nth(*place) else { break };
                    (value.span().start, value)
                }
                _ => break,
            };
            at = start;
            here = next.into_inner();
        }
        Some(self.text.get(..at)?.matches('\n').count() + 1)
    }
}

/// Whether something below `value` is at `offset`: the span of a table is that of its head alone.
fn holds(value: &DeValue<'_>, offset: usize) -> bool {
    let is_at = |span: std::ops::Range<usize>| (span.start..=span.end).contains(&offset);
    match value {
        DeValue::Table(table) => table.iter().any(|(key, value)| {
            is_at(key.span()) || is_at(value.span()) || holds(value.get_ref(), offset)
        }),
        DeValue::Array(list) => {
            list.iter().any(|value| is_at(value.span()) || holds(value.get_ref(), offset))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_found_by_its_way() {
        let text = "[server]\n\n[[guard]]\nname = \"a\"\n\n[[guard]]\nname = \"b\"\n\
                    [guard.limits]\ndepth = 0\n";
        let file = File { name: String::new(), text: text.to_owned() };
        let guard = |at: usize, rest: &[Step]| {
            file.line_of(&[&[Step::Key("guard"), Step::At(at)], rest].concat())
        };
        assert_eq!(guard(0, &[Step::Key("name")]), Some(4));
        assert_eq!(guard(1, &[Step::Key("name")]), Some(7));
        assert_eq!(guard(1, &[Step::Key("limits"), Step::Key("depth")]), Some(9));
        assert_eq!(guard(1, &[Step::Key("missing")]), guard(1, &[]), "the table around it");
    }

    /// `docs/security-cases.md` row 48.
    #[test]
    fn no_line_with_a_secret_is_shown() {
        for text in [
            "[jwt]\nsecret = \"hush",
            "[jwt]\nsecret = 1 hush",
            "[jwt]\nsecrt = \"hush\"",
            "[jwt]\nissuer = 424242",
            "jwt.secrets = \"hush\"",
            "[[jwt.keys]]\nid = \"a\"\napiKey = 424242\nscopes = []",
            "[data]\nurl = 424242",
            "[data]\nurl = \"postgres://a:hush",
            "[decidim]\napi_jwt_secret = { emv = \"hush\" }",
            "[decidim]\nforce_api_authentication = \"hush\"",
            "[jwt]\nsecret = [\"hush\"]",
            "[jwt]\nsecret = { env = [\"hush\"] }",
            "[jwt]\nexpires = \"hush\"",
            "[data]\nmaster_key = [\"hush\", \"hush\"]",
            "[data]\nwait = \"hush\"",
            "secret = \"hush",
            "jwt = \"hush\"",
            "jwt = [\"hush\"]",
            "data = [\"sqlite://a\", \"hush\"]",
            "[jwt]\nsecret = \"a\"\nkeys = [[\"hush\", \"hush\", [\"*\"]]]",
            "issuer = \"https://a:hush@b.example\"",
            "[[guard]]\nname = \"a\"\npath = \"/a\"\nupstream = \"http://a:hush@b.example",
            "[[guard]]\nname = \"a\"\npath = \"/a\"\nupstream = \"http://a:hush@:b/\"",
            "[[guard]]\nname = \"a\"\npath = \"/a\"\nauthenticate = [\"hush\"]",
            "[server]\nlisten = \"hush\"",
            "[server]\ntrusted_proxies = [\"hush\"]",
            "[server]\ncors_headers = [\"hu sh\", \"hush:\"]",
        ] {
            let file = File { name: "castellan.toml".to_owned(), text: text.to_owned() };
            let said = file.parse().unwrap_err().to_string();
            assert!(!said.contains("hush") && !said.contains("424242"), "{said}");
            assert!(said.contains("castellan.toml: line "), "{said}");
        }
    }

    #[test]
    fn what_is_wrong_names_the_setting() {
        for (text, problem) in [
            ("[server]\nlisten = [1]", "line 2, column 10: server.listen: expected "),
            ("[data]\nurl = []", "line 2, column 7: data.url: expected a string"),
            ("[[guard]]\nname = 1", "line 2, column 8: guard.name: expected a string"),
            (
                "[[guard]]\nname = \"a\"\npath = \"/\"\nauthenticate = [\"oauht\"]",
                "line 4, column 16: guard.authenticate: must be \"oauth\", \"jwt\", \"foreign\", \"client_auth\", \"basic\", \"session\" or \"client_certificate\"",
            ),
            ("[jwt]\nsecret = [1]", "line 2, column 10: jwt.secret: expected a string, { env"),
        ] {
            let file = File { name: "castellan.toml".to_owned(), text: text.to_owned() };
            let said = file.parse().unwrap_err().to_string();
            assert!(said.contains(problem), "{text}: {said}");
        }
    }
}
