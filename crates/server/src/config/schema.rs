//! The JSON schema of the configuration file, for editors that complete and check it.

use schemars::{
    Schema,
    generate::SchemaSettings,
    transform::{RecursiveTransform, Transform as _},
};
use serde_json::{Value, json};

use super::{Config, Rosters};

/// The schema (JSON Schema 2020-12) of a configuration for what is in `rosters`.
pub(crate) fn of(rosters: &Rosters) -> Value {
    let mut schema =
        SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Config>();
    // TOML has no null: what is optional is left out.
    RecursiveTransform(without_null).transform(&mut schema);
    let mut schema = Value::from(schema);
    schema["title"] = json!("castellan.toml");
    let dialect = &mut schema["$defs"]["GuardConfig"]["properties"]["dialect"];
    dialect["enum"] = json!(rosters.dialects.guard_names());
    schema
}

fn without_null(schema: &mut Schema) {
    let null = json!("null");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| *name != null);
        if let [only] = &types[..] {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice["type"] != null);
        if let [Value::Object(only)] = &choices[..] {
            let only = only.clone();
            schema.remove("anyOf");
            only.into_iter().for_each(|(name, value)| drop(schema.insert(name, value)));
        }
    }
    if schema.get("default") == Some(&Value::Null) {
        schema.remove("default");
    }
}

/// The committed schema is that of the code.
#[test]
fn the_schema_is_up_to_date() {
    let made = serde_json::to_string_pretty(&of(&Rosters::default())).unwrap() + "\n";
    crate::reference::check("castellan.schema.json", &made);
}

/// `docs/configuration.md` names every setting.
#[test]
fn every_setting_is_in_the_reference() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let reference = std::fs::read_to_string(path).unwrap();
    let schema = of(&Rosters::default());
    let mut missing = Vec::new();
    for (name, kind) in schema["$defs"].as_object().unwrap() {
        for setting in kind["properties"].as_object().into_iter().flatten().map(|(name, _)| name) {
            // As a setting, in a secret by reference, or as a table.
            let forms = [format!("`{setting}`"), format!("{{ {setting} ="), format!(".{setting}]")];
            if !forms.iter().any(|form| reference.contains(form)) {
                missing.push(format!("{name}: {setting}"));
            }
        }
    }
    assert!(missing.is_empty(), "not in docs/configuration.md: {missing:?}");
}
