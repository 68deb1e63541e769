//! Settings from the environment: `CASTELLAN__SECTION__KEY`.

use castellan_proto::strict_json;
use toml::{Table, Value};

use super::{
    Config, ConfigError,
    environment::{Environment, PREFIX, boolean, no_boolean},
    shape::{self, list_for_table},
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

/// What is wrong with the variable `name`, whose `value` is not shown.
fn wrong_value(name: &str, value: &Value, error: &toml::de::Error) -> ConfigError {
    let problem = strict_json::without_value(error.message());
    let entries = value.as_array().into_iter().flatten();
    let texts = value.as_str().into_iter().chain(entries.filter_map(Value::as_str));
    let hide = |problem: String, text: &str| problem.replace(&format!("{text:?}"), "the value");
    wrong(name, &texts.fold(problem, hide))
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
        if let Some(list) = list_for_table(&table) {
            return Err(wrong(name, &format!("{}: expected a table", shape::name(&list))));
        }
        let config = Value::Table(table.clone()).try_into::<Config>();
        Ok::<_, ConfigError>(config.map(|config| (table, config)))
    };
    let written = Value::String(value.to_owned());
    let read = read(value);
    let scalar = !matches!(read, Value::Array(_) | Value::Table(_));
    let error = match with(read.clone())? {
        Ok(done) => return Ok(done),
        Err(error) => wrong_value(name, &read, &error),
    };
    if scalar && let Ok(done) = with(written)? {
        return Ok(done);
    }
    // What reads as an empty table is a table, whose type would take the entries one by one.
    if scalar && with(Value::Table(Table::new()))?.is_err() {
        let is_list = with(Value::Array(Vec::new()))?.is_ok();
        let mut problem = None;
        for list in lists(value) {
            match with(list.clone())? {
                Ok(done) => return Ok(done),
                Err(error) => problem = problem.or(Some(wrong_value(name, &list, &error))),
            }
        }
        if let Some(problem) = problem.filter(|_| is_list && path != ["jwt", "keys"]) {
            return Err(problem);
        }
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
    Err(error)
}

/// `text` as a list of its parts between commas: of texts, or of what TOML reads them as.
fn lists(text: &str) -> [Value; 2] {
    let parts = || text.split(',').map(str::trim);
    let texts = parts().map(|part| Value::String(part.to_owned())).collect();
    [Value::Array(texts), Value::Array(parts().map(read).collect())]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_may_be_written_with_commas() {
        let set = |name: &str, value: &str| set(&Table::new(), name, value).map(|(table, _)| table);
        for value in
            ["10.0.0.0/8,192.0.2.1", " 10.0.0.0/8 , 192.0.2.1", "[\"10.0.0.0/8\", \"192.0.2.1\"]"]
        {
            let table = set("CASTELLAN__SERVER__TRUSTED_PROXIES", value).unwrap();
            let read: Vec<_> = table["server"]["trusted_proxies"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one.as_str().unwrap())
                .collect();
            assert_eq!(read, ["10.0.0.0/8", "192.0.2.1"], "{value}");
        }
        let one = set("CASTELLAN__SERVER__TRUSTED_PROXIES", "10.0.0.0/8").unwrap();
        assert_eq!(one["server"]["trusted_proxies"].as_array().unwrap().len(), 1);
        for (name, value) in [
            ("CASTELLAN__SERVER__TRUSTED_PROXIES", "10.0.0.0/8,hunter2"),
            ("CASTELLAN__SERVER__TRUSTED_PROXIES", "10.0.0.0/8,,192.0.2.1"),
            ("CASTELLAN__SERVER", "hunter2,hunter2"),
            ("CASTELLAN__MAIL", "hunter2,hunter2"),
            ("CASTELLAN__PASSKEYS", "hunter2,hunter2"),
            ("CASTELLAN__JWT__KEYS", "hunter2,hunter2"),
            ("CASTELLAN__DATA__MIGRATE", "hunter2,hunter2"),
        ] {
            let problem = set(name, value).unwrap_err().to_string();
            assert!(problem.starts_with(name) && !problem.contains("hunter2"), "{problem}");
        }
    }
}
