//! The two forms of a document: our own, and that of FHIR (`docs/contracts/aidbox.md` §1.1). Both are
//! accepted in what is sent, whatever the path.

use serde_json::{Value, json};

/// The form that a path answers in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `/{Kind}`: references are `{resourceType, id}`.
    Native,
    /// `/fhir/{Kind}`: references are `{reference: Kind/id}`.
    Fhir,
}

impl Style {
    pub(super) const ALL: [Self; 2] = [Self::Native, Self::Fhir];

    /// What its paths begin with.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Native => "",
            Self::Fhir => "/fhir",
        }
    }

    /// Whether the server chooses the ids of what is created, whatever is sent.
    pub(super) const fn chooses_ids(self) -> bool {
        matches!(self, Self::Fhir)
    }

    /// `document`, which is in our own form, in this one.
    pub(super) fn write(self, mut document: Value) -> Value {
        if self == Self::Fhir
            && let Some(members) = document.as_object_mut()
        {
            members.values_mut().for_each(as_fhir);
            if let Some(meta) = members.get_mut("meta").and_then(Value::as_object_mut) {
                meta.shift_remove("createdAt");
            }
        }
        document
    }
}

fn as_fhir(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let text = |name: &str| members.get(name).and_then(Value::as_str);
            match (text("resourceType"), text("id")) {
                (Some(kind), Some(id)) if members.len() == 2 => {
                    *value = json!({"reference": format!("{kind}/{id}")});
                }
                _ => members.values_mut().for_each(as_fhir),
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(as_fhir),
        _ => {}
    }
}
