//! The `[audit]` table (`docs/audit.md`).

use std::{num::NonZeroU64, path::PathBuf};

use castellan_proto::Lifetime;
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};

/// Audit records.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    /// How long audit records are kept in the data source, or `"off"`. Default `"30d"`.
    pub keep: Keep,
    /// Where each record is written besides, as a line of JSON: `"stdout"`, or `{ file = "path" }`.
    /// Default: nowhere.
    pub output: Option<AuditOutput>,
    /// Records of a site and process per day; more are counted and dropped. Of these, what callers
    /// cause who are not known gets at most a tenth. Default 1000000.
    pub records_per_day: NonZeroU64,
}

impl Default for AuditConfig {
    fn default() -> Self {
        const DAILY: NonZeroU64 = NonZeroU64::MIN.saturating_add(999_999);
        Self {
            keep: Keep(Some(Lifetime::seconds(30 * 86_400))),
            output: None,
            records_per_day: DAILY,
        }
    }
}

/// How long, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Keep(pub Option<Lifetime>);

impl TryFrom<String> for Keep {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        let lifetime = Lifetime::try_from(text);
        lifetime
            .map(|lifetime| Self(Some(lifetime)))
            .map_err(|error| format!("{error}, or \"off\""))
    }
}

/// Where records are written besides the data source.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(untagged)]
pub enum AuditOutput {
    /// To standard output.
    Stdout(Stdout),
    /// To a file, at its end.
    File(AuditFile),
}

/// `"stdout"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stdout {
    /// Standard output.
    Stdout,
}

/// `{ file = "path" }`.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditFile {
    /// The file. It is created if it is missing, with mode 0600, and opened again at a reload.
    pub file: PathBuf,
}

impl<'de> Deserialize<'de> for AuditOutput {
    /// Derived, an error would name neither of the two forms.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        const EXPECTED: &str = "\"stdout\" or { file = \"path\" }";

        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = AuditOutput;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<AuditOutput, E> {
                match text {
                    "stdout" => Ok(AuditOutput::Stdout(Stdout::Stdout)),
                    _ => Err(E::custom(format!("must be {EXPECTED}"))),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AuditOutput, A::Error> {
                let wrong = |_| de::Error::custom(format!("expected {EXPECTED}"));
                let entry = map.next_entry::<String, String>().map_err(wrong)?;
                let is_only = map.next_key::<String>().map_err(wrong)?.is_none();
                match entry {
                    Some((name, path)) if is_only && name == "file" && !path.trim().is_empty() => {
                        Ok(AuditOutput::File(AuditFile { file: path.into() }))
                    }
                    _ => Err(de::Error::custom(format!("expected {EXPECTED}"))),
                }
            }
        }

        from.deserialize_any(Form)
    }
}
