//! The configuration file as a text: what is wrong with it is told with its line, and no secret is
//! shown with it.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{Config, ConfigError};

/// Tables of which no line is shown, as secrets stand in them, by whatever name.
const HIDDEN: [&str; 3] = ["data", "decidim", "jwt"];

/// The text of the file and its name.
pub(super) struct File {
    name: String,
    text: String,
}

/// A step on the way to a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Into a table.
    Key(&'static str),
    /// Into a list.
    At(usize),
}

impl File {
    /// Reads the file at `path`; an empty one without it.
    pub(super) fn read(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Ok(Self { name: "defaults".to_owned(), text: String::new() });
        };
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self { name, text }),
            Err(cause) => Err(ConfigError::Unreadable { path: name, cause }),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The settings of the file alone.
    pub(super) fn parse(&self) -> Result<Config, ConfigError> {
        toml::from_str(&self.text).map_err(|error| ConfigError::File {
            path: self.name.clone(),
            problem: self.problem(&error),
        })
    }

    /// What is wrong. Where secrets stand, the line is named and not shown, and neither is a value.
    fn problem(&self, error: &toml::de::Error) -> String {
        let Some(span) = error.span() else { return error.to_string() };
        let before = &self.text[..span.start.min(self.text.len())];
        let table = before.lines().rev().map(str::trim).find(|line| line.starts_with('['));
        let table = table.unwrap_or_default().trim_matches(['[', ' ']);
        let name = table.split(['.', ']', ' ']).next().unwrap_or_default();
        let above = before.matches('\n').count();
        let own = self.text.lines().nth(above).unwrap_or_default();
        let dotted = HIDDEN.iter().any(|hidden| own.trim_start().starts_with(hidden));
        if !HIDDEN.contains(&name) && !dotted {
            return error.to_string();
        }
        let message = error.message();
        let message = match message.strip_prefix("invalid ") {
            Some(rest) if rest.starts_with("type") || rest.starts_with("value") => {
                let expected = rest.rsplit_once(", expected ").map_or("another", |(_, what)| what);
                format!("expected {expected}")
            }
            _ => message.to_owned(),
        };
        format!("line {}: {message}", above + 1)
    }

    /// The line of the setting at `path`, or of the nearest table around it.
    pub(super) fn line_of(&self, path: &[Step]) -> Option<usize> {
        let root = DeTable::parse(&self.text).ok()?;
        let (mut at, mut here) = (0, DeValue::Table(root.into_inner()));
        for step in path {
            let (start, next) = match (step, here) {
                (Step::Key(name), DeValue::Table(mut table)) => {
                    let found = table.iter().find(|(key, _)| key.get_ref() == name);
                    let start = found.map(|(key, _)| key.span().start);
                    let Some((start, value)) = start.zip(table.remove(*name)) else { break };
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
        ] {
            let file = File { name: "castellan.toml".to_owned(), text: text.to_owned() };
            let said = file.parse().unwrap_err().to_string();
            assert!(!said.contains("hush") && !said.contains("424242"), "{said}");
            assert!(said.contains("castellan.toml: line "), "{said}");
        }
    }
}
