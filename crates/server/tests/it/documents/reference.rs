//! `docs/configuration.md` and `docs/resources.md`, compared with what the server itself says can be
//! set: `castellan config schema` and `docs/openapi.json`, which are made from the code.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::Value;

use super::fences::root;
use crate::support::castellan::command;

/// The rows of the tables of a document, by the name in the heading of their section.
fn rows(document: &str, heading: &str) -> BTreeMap<String, Vec<Vec<String>>> {
    let heading = Regex::new(heading).unwrap();
    let text = std::fs::read_to_string(root().join(document)).unwrap();
    let (mut found, mut section, mut fenced) = (BTreeMap::new(), None::<String>, false);
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        if fenced {
            continue;
        }
        if line.starts_with("## ") {
            section = heading.captures(line).map(|found| found[1].to_owned());
        }
        if let (Some(name), true) = (&section, line.starts_with('|')) {
            // A bar within a cell is written `\|`.
            let cells = line.trim_matches('|').replace("\\|", "\u{0}");
            let cells = cells.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect();
            found.entry(name.clone()).or_insert_with(Vec::new).push(cells);
        }
    }
    found
}

/// The names in code in a cell.
fn names(cell: &str) -> Vec<String> {
    let name = Regex::new("`([A-Za-z_.]+)`").unwrap();
    name.captures_iter(cell).map(|found| found[1].to_owned()).collect()
}

/// What a setting refers to, as a value, a list or a map of it.
fn meant(setting: &Value) -> Option<&str> {
    if let Some(name) = setting["$ref"].as_str() {
        return name.rsplit('/').next();
    }
    let choices = ["allOf", "anyOf", "oneOf"].iter();
    let choices = choices.filter_map(|name| setting[*name].as_array()).flatten();
    let inner = [&setting["items"], &setting["additionalProperties"]];
    choices.chain(inner.into_iter().filter(|one| one.is_object())).find_map(meant)
}

/// The schema of the configuration.
struct Schema(Value);

impl Schema {
    fn printed() -> Self {
        let output = command(&[]).args(["config", "schema"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        Self(serde_json::from_slice(&output.stdout).unwrap())
    }

    fn properties(&self, name: &str) -> Vec<(&String, &Value)> {
        self.0["$defs"][name]["properties"].as_object().into_iter().flatten().collect()
    }

    /// The names of all settings in a table, and in those within it.
    fn all<'a>(
        &'a self,
        name: &'a str,
        into: &mut BTreeSet<&'a str>,
        seen: &mut BTreeSet<&'a str>,
    ) {
        if !seen.insert(name) {
            return;
        }
        for (key, setting) in self.properties(name) {
            into.insert(key);
            if let Some(inner) = meant(setting) {
                self.all(inner, into, seen);
            }
        }
    }
}

/// Tables whose defaults the reference says in other words than the schema, and how.
const IN_WORDS: [(&str, &str, &str); 4] = [
    ("tokens", "groups_claims", "`[{ claim = \"groups\", scope = \"groups\" }]`"),
    ("guard", "public", "nothing; "),
    ("text_messages", "log", "as in `[mail]`"),
    ("management", "tags", "none"),
];

/// What is wrong with the row of a setting.
fn wrong(
    table: &str,
    key: &str,
    (setting, required): (&Value, bool),
    rows: &[Vec<String>],
) -> Option<String> {
    let forms = [format!("`{key}`"), format!("`{table}.{key}`"), format!("`[{table}.{key}]`")];
    // The limits of a guard have a section of their own.
    let limits = rows.iter().any(|row| row[0] == "`body_bytes`");
    let Some(row) = rows
        .iter()
        .find(|row| forms.iter().any(|form| row[..row.len().min(2)].join(" ").contains(form)))
    else {
        let apart = (table, key) == ("guard", "limits") && limits;
        return (!apart).then(|| format!("{table}.{key}: no row"));
    };
    let says = |text: &str| row[1..row.len() - 1].iter().any(|cell| cell.contains(text));
    if required && !says("required") {
        return Some(format!("{table}.{key}: required, and the row says {row:?}"));
    }
    let in_words = IN_WORDS.iter().find(|words| (words.0, words.1) == (table, key));
    let default = match (in_words, &setting["default"]) {
        (Some(words), _) => words.2.to_owned(),
        (None, Value::Null) => return None,
        (None, Value::String(text)) if text.is_empty() => return None,
        // Lists of texts look the same in TOML, but for the blanks.
        (None, default) => default.to_string().replace("\",\"", "\", \""),
    };
    (!says(&default))
        .then(|| format!("{table}.{key}: the default is {default}, and the row says {row:?}"))
}

#[test]
fn the_tables_of_the_configuration_have_every_setting_with_its_default_and_no_other() {
    let schema = Schema::printed();
    let rows = rows("docs/configuration.md", r"^## `\[+([a-z_]+)\]+`$");
    let mut problems = Vec::new();
    for (table, setting) in schema.0["properties"].as_object().unwrap() {
        // A text, and a list of matchers that has a page of its own in the contract.
        if table == "issuer" || table == "site_access_match" {
            continue;
        }
        let Some(rows) = rows.get(table) else {
            problems.push(format!("[{table}]: no section"));
            continue;
        };
        let kind = meant(setting).unwrap_or_else(|| panic!("[{table}] is no table"));
        let required = &schema.0["$defs"][kind]["required"];
        for (key, setting) in schema.properties(kind) {
            let required = required.as_array().is_some_and(|all| all.iter().any(|one| one == key));
            problems.extend(wrong(table, key, (setting, required), rows));
        }
        let (mut known, mut seen) = (BTreeSet::new(), BTreeSet::new());
        schema.all(kind, &mut known, &mut seen);
        for name in rows.iter().flat_map(|row| names(&row[0])) {
            // Matchers of SiteAccesses are values, and begin with a capital letter.
            let is_value = name.starts_with(char::is_uppercase);
            if !is_value && !known.contains(name.rsplit('.').next().unwrap()) {
                problems.push(format!("[{table}]: {name} is no setting"));
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Kinds that nobody writes: their members are what `get` prints, which the schema leaves open.
const READ_ONLY: [&str; 3] = ["AuditEvent", "Grant", "Session"];

#[test]
fn the_tables_of_the_resources_have_every_member_and_no_other() {
    let text = std::fs::read_to_string(root().join("docs/openapi.json")).unwrap();
    let described: Value = serde_json::from_str(&text).unwrap();
    let rows = rows("docs/resources.md", r"^## `([A-Za-z]+)`$");
    let mut problems = Vec::new();
    for (kind, schema) in described["components"]["schemas"].as_object().unwrap() {
        let Some(rows) = rows.get(kind) else {
            problems.push(format!("{kind}: no section"));
            continue;
        };
        if READ_ONLY.contains(&kind.as_str()) {
            continue;
        }
        let members = schema["properties"].as_object().unwrap();
        let inner = |member: &Value| member.to_string();
        let named: BTreeSet<String> = rows.iter().flat_map(|row| names(&row[0])).collect();
        let said = rows.concat().join(" ");
        for (member, described) in members {
            let is_refused =
                described["description"].as_str().is_some_and(|text| text.starts_with("Refused"));
            // Every kind has these, which the page says of all of them.
            if is_refused || ["resourceType", "id", "meta"].contains(&member.as_str()) {
                continue;
            }
            let known = named.iter().any(|name| name.split('.').next() == Some(member));
            if !known && !said.contains(&format!("`{member}")) {
                problems.push(format!("{kind}: {member} is not described"));
            }
        }
        for name in named {
            // A member, or one of an object within.
            let known = members.contains_key(name.split('.').next().unwrap())
                || members.values().any(|member| inner(member).contains(&format!("\"{name}\"")));
            let of_grants = kind == "Client" && GRANT_SETTINGS.contains(&name.as_str());
            if !known && !of_grants {
                problems.push(format!("{kind}: {name} is no member"));
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// What `auth` of a client has for its grants, which each grant reads itself.
const GRANT_SETTINGS: [&str; 9] = [
    "token_format",
    "access_token_expiration",
    "audience",
    "refresh_token",
    "refresh_token_expiration",
    "refresh_token_max_lifetime",
    "secret_required",
    "pkce",
    "redirect_uri",
];
