//! Settings from the environment: `CASTELLAN__SECTION__KEY`.

use toml::{Table, Value};

use super::{Config, ConfigError};

const PREFIX: &str = "CASTELLAN__";

/// The file `text` with the environment over it; `None` if no variable is meant for us.
pub(super) fn merge(
    text: &str,
    environment: &[(String, String)],
) -> Result<Option<Config>, ConfigError> {
    let ours: Vec<_> = environment.iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    if ours.is_empty() {
        return Ok(None);
    }
    let wrong = |problem: String| ConfigError::Environment(problem);
    let base: Table = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let mut merged = base;
    // One at a time, so that an error names its variable.
    for (name, value) in ours {
        let path: Vec<String> =
            name[PREFIX.len()..].split("__").map(str::to_ascii_lowercase).collect();
        set(&mut merged, &path, read(value))
            .ok_or_else(|| wrong(format!("{name}: lists and their members are set in the file")))?;
        Config::deserialize_table(merged.clone()).map_err(|error| {
            let first = error.to_string().lines().collect::<Vec<_>>().join(" ");
            wrong(format!("{name}: {}", first.trim()))
        })?;
    }
    Config::deserialize_table(merged).map(Some).map_err(|error| wrong(error.to_string()))
}

impl Config {
    fn deserialize_table(table: Table) -> Result<Self, toml::de::Error> {
        Value::Table(table).try_into()
    }
}

/// A value as TOML reads it; a plain text if it does not.
fn read(text: &str) -> Value {
    let parsed: Result<Table, _> = toml::from_str(&format!("value = {text}"));
    parsed
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn set(table: &mut Table, path: &[String], value: Value) -> Option<()> {
    let (head, rest) = path.split_first()?;
    if rest.is_empty() {
        table.insert(head.clone(), value);
        return Some(());
    }
    let below = table.entry(head.clone()).or_insert_with(|| Value::Table(Table::new()));
    set(below.as_table_mut()?, rest, value)
}
