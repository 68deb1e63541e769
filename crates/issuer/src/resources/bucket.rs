//! `Bucket` documents: what is kept about a person for one purpose (`docs/contracts/curity.md` §6.4).
//! The API reads and deletes them, and documents make them.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Choice, Facts, How, Parameter, Problem, ReadDocument, Resource,
    version::{fresh_incarnation, incarnation},
};
use crate::{
    Issuer,
    records::{Bucket, login_name},
    secrets::policy::has_invisible,
};

/// Attributes of a person for one purpose. There is one for each subject and purpose.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BucketDocument {
    /// The user name of the person.
    subject: String,
    /// What the attributes are for.
    purpose: String,
    /// The attributes.
    #[serde(default)]
    attributes: Map<String, Value>,
}

/// Characters of a subject or a purpose at most.
const LONGEST: usize = 128;
/// Bytes of the attributes at most.
const MOST_BYTES: usize = 64 * 1024;

impl Resource for BucketDocument {
    type Record = Bucket;

    const NAME: &'static str = "Bucket";
    const IS_NUMEROUS: bool = true;
    const PARAMETERS: &'static [Parameter] = &[
        Parameter { name: "subject", paths: &["subject"], how: How::Exact },
        Parameter { name: "purpose", paths: &["purpose"], how: How::Exact },
    ];

    #[cfg(feature = "schema")]
    fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }

    fn show(id: &str, record: &Bucket) -> Value {
        json!({
            "resourceType": "Bucket",
            "id": id,
            "subject": record.subject,
            "purpose": record.purpose,
            "attributes": record.attributes,
        })
    }

    fn facts(_: &str, record: &Bucket) -> Facts {
        Facts {
            name: login_name(&record.subject),
            created: record.created,
            modified: record.modified,
        }
    }

    fn incarnation(_: &str, record: &Bucket) -> String {
        incarnation(record.incarnation, record.created)
    }

    fn choice(_: &str, _: &str) -> Option<Choice> {
        None
    }

    async fn read(
        self,
        issuer: &Issuer,
        before: Option<&Bucket>,
    ) -> Result<ReadDocument<Bucket>, Problem> {
        for (name, text) in [("subject", &self.subject), ("purpose", &self.purpose)] {
            let length = text.chars().count();
            if text.trim().is_empty() || length > LONGEST || has_invisible(text) {
                return Err(Problem::Text(format!(
                    "{name} must have 1 to {LONGEST} characters that can be seen"
                )));
            }
        }
        if json!(self.attributes).to_string().len() > MOST_BYTES {
            return Err(Problem::Text(format!(
                "attributes must not have more than {MOST_BYTES} bytes"
            )));
        }
        let bucket = Bucket {
            subject: self.subject,
            purpose: self.purpose,
            attributes: self.attributes,
            created: before.map_or(issuer.now(), |before| before.created),
            modified: issuer.now(),
            incarnation: before.map_or_else(fresh_incarnation, |before| before.incarnation),
        };
        Ok(ReadDocument::without_secret(bucket))
    }
}
