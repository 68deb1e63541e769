//! Resources as a table: a line each, for people to read. What programs read is JSON or YAML.

use serde_json::Value;

/// The columns of kinds whose most telling members do not come first; each has the name of a member.
const COLUMNS: &[(&str, &[&str])] = &[
    ("User", &["id", "userName", "name", "emails", "groups", "inactive"]),
    ("Client", &["id", "name", "type", "grant_types", "scope", "active"]),
    ("ApiCredential", &["id", "name", "scope", "expires", "used"]),
    ("AuthKey", &["id", "scopes", "used"]),
];

/// Columns of all other kinds at most: the id, and the members that come first.
const MOST_COLUMNS: usize = 6;

/// Characters of a cell at most. An id is always whole.
const WIDEST: usize = 48;

/// A table that is printed a page at a time. The first page says how wide the columns are; longer cells
/// of later ones move what follows.
pub(super) struct Table {
    kind: &'static str,
    columns: Vec<String>,
    widths: Vec<usize>,
}

impl Table {
    pub(super) const fn of(kind: &'static str) -> Self {
        Self { kind, columns: Vec::new(), widths: Vec::new() }
    }

    /// Prints `documents`, below the headings if they are the first.
    pub(super) fn print(&mut self, documents: &[Value]) {
        let is_first = self.columns.is_empty();
        if is_first {
            self.columns = columns(self.kind, documents);
        }
        let row = |document: &Value| self.columns.iter().map(|name| cell(document, name)).collect();
        let mut rows: Vec<Vec<String>> = documents.iter().map(row).collect();
        if is_first {
            rows.insert(0, self.columns.iter().map(|name| heading(name)).collect());
            let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max();
            self.widths = (0..self.columns.len()).map(|at| width(at).unwrap_or(0)).collect();
        }
        for row in rows {
            let cells = row.iter().zip(&self.widths).map(|(cell, width)| format!("{cell:<width$}"));
            let line = cells.collect::<Vec<_>>().join("  ");
            println!("{}", line.trim_end());
        }
    }
}

fn columns(kind: &str, documents: &[Value]) -> Vec<String> {
    if let Some((_, names)) = COLUMNS.iter().find(|(known, _)| *known == kind) {
        return names.iter().map(|name| (*name).to_owned()).collect();
    }
    let mut names = vec!["id".to_owned()];
    for name in documents.iter().filter_map(Value::as_object).flat_map(|members| members.keys()) {
        let is_own = !matches!(name.as_str(), "resourceType" | "meta") && !names.contains(name);
        if is_own && names.len() < MOST_COLUMNS {
            names.push(name.clone());
        }
    }
    names
}

/// `grant_types` as `GRANT TYPES`, `userName` as `USER NAME`.
fn heading(name: &str) -> String {
    let mut heading = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            heading.push(' ');
        }
        heading.push(if c == '_' { ' ' } else { c.to_ascii_uppercase() });
    }
    heading
}

/// The member `name` of `document` in a few words. Control characters, which a terminal would obey, are
/// shown as what they are not.
fn cell(document: &Value, name: &str) -> String {
    let text: String = words(&document[name])
        .chars()
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if name == "id" || text.chars().count() <= WIDEST {
        return text;
    }
    text.chars().take(WIDEST - 1).chain(['…']).collect()
}

fn words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(entries) => entries.iter().map(words).collect::<Vec<_>>().join(","),
        // What an entry is about: {value, primary} of an address, {id, resourceType} of a reference.
        Value::Object(members) => ["value", "formatted", "id"]
            .into_iter()
            .find_map(|name| members.get(name).map(words))
            .unwrap_or_else(|| {
                let texts = members.values().filter(|value| !value.is_object()).map(words);
                texts.collect::<Vec<_>>().join(" ")
            }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cell_says_what_a_member_is_about_and_nothing_to_the_terminal() {
        let document = json!({
            "id": "i".repeat(60), "emails": [{"value": "a@b.c", "primary": true}, {"value": "d"}],
            "name": {"givenName": "Ada", "familyName": "Lovelace"}, "scope": ["a", "b"],
            "user": {"resourceType": "User", "id": "ada"}, "active": false, "note": "x\u{1b}[2J\n",
            "long": "y".repeat(60),
        });
        let shown = |name: &str| cell(&document, name);
        assert_eq!(shown("id").len(), 60);
        assert_eq!(shown("emails"), "a@b.c,d");
        assert_eq!(shown("name"), "Ada Lovelace");
        assert_eq!(shown("scope"), "a,b");
        assert_eq!(
            (shown("user"), shown("active"), shown("none")),
            ("ada".into(), "false".into(), String::new())
        );
        assert_eq!(shown("note"), "x\u{fffd}[2J\u{fffd}");
        assert_eq!(shown("long"), format!("{}…", "y".repeat(47)));
        assert_eq!(heading("grant_types"), "GRANT TYPES");
        assert_eq!(heading("userName"), "USER NAME");
        let others = columns("Label", &[json!({"resourceType": "Label", "id": "a", "color": 1})]);
        assert_eq!(others, ["id", "color"]);
    }
}
