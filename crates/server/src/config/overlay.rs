//! Settings from the environment: `CASTELLAN__SECTION__KEY`.

use toml::{Table, Value};

use super::{
    Config, ConfigError,
    environment::{Environment, PREFIX, boolean, no_boolean},
};

/// The file `text` with the environment over it; `None` if no variable is meant for us.
pub(super) fn merge(text: &str, environment: &Environment) -> Result<Option<Config>, ConfigError> {
    let mut merged: Option<(Table, Config)> = None;
    // One at a time, so that an error names its variable.
    for (name, value) in environment.own() {
        let base = match merged.take() {
            Some((table, _)) => table,
            None => toml::from_str(text)
                .map_err(|error: toml::de::Error| wrong(name, error.message()))?,
        };
        merged = Some(set(&base, name, value)?);
    }
    Ok(merged.map(|(_, config)| config))
}

fn wrong(name: &str, problem: &str) -> ConfigError {
    ConfigError::Environment(format!("{name}: {}", problem.lines().collect::<Vec<_>>().join(" ")))
}

/// The settings of `base` with the variable `name` among them.
///
/// What a variable means is up to its setting: the texts of a number and of a switch look alike.
fn set(base: &Table, name: &str, value: &str) -> Result<(Table, Config), ConfigError> {
    let path: Vec<String> = name[PREFIX.len()..].split("__").map(str::to_ascii_lowercase).collect();
    let with = |value: Value| {
        let mut table = base.clone();
        insert(&mut table, &path, value).ok_or_else(|| {
            wrong(name, "lists and their entries can be set in the configuration file only")
        })?;
        let config = Value::Table(table.clone()).try_into::<Config>();
        Ok::<_, ConfigError>(config.map(|config| (table, config)))
    };
    let read = read(value);
    let scalar = !matches!(read, Value::Array(_) | Value::Table(_));
    let error = match with(read)? {
        Ok(done) => return Ok(done),
        Err(error) => error,
    };
    if scalar && let Ok(done) = with(Value::String(value.to_owned()))? {
        return Ok(done);
    }
    match boolean(value) {
        Some(switch) => {
            if let Ok(done) = with(Value::Boolean(switch))? {
                return Ok(done);
            }
        }
        None if with(Value::Boolean(true))?.is_ok() => return Err(no_boolean(name)),
        None => {}
    }
    if path.first().is_some_and(|section| section == "jwt") && path[1..] == ["keys"] {
        // The cause may quote the text, and the text holds secrets.
        return Err(wrong(name, "not a list of {id, apiKey, scopes}"));
    }
    Err(wrong(name, error.to_string().trim()))
}

/// A value as TOML reads it; a plain text if it does not.
fn read(text: &str) -> Value {
    let parsed: Result<Table, _> = toml::from_str(&format!("value = {text}"));
    parsed
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn insert(table: &mut Table, path: &[String], value: Value) -> Option<()> {
    let (head, rest) = path.split_first()?;
    if rest.is_empty() {
        table.insert(head.clone(), value);
        return Some(());
    }
    let below = table.entry(head.clone()).or_insert_with(|| Value::Table(Table::new()));
    insert(below.as_table_mut()?, rest, value)
}
