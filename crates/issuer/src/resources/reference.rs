//! The two forms of a reference (`docs/contracts/aidbox.md` §1.1).

use serde_json::{Value, json};

/// Writes references of FHIR (`{reference: Client/x}`) as our own (`{resourceType: Client, id: x}`),
/// wherever they are (`docs/contracts/aidbox.md` §1.1).
pub(super) fn as_native(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let is_alone = members.len() == 1;
            let reference = members.get("reference").and_then(Value::as_str);
            let parts = reference.filter(|_| is_alone).and_then(|text| text.split_once('/'));
            match parts {
                Some((kind, id)) => *value = json!({"resourceType": kind, "id": id}),
                None => members.values_mut().for_each(as_native),
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(as_native),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_of_fhir_are_read_wherever_they_are() {
        let mut document = json!({
            "user": {"reference": "User/ann"}, "id": "x",
            "list": [{"client": {"reference": "Client/a/b"}}],
            "other": {"reference": "urn:uuid:1"}, "more": {"reference": "User/ann", "x": 1},
        });
        as_native(&mut document);
        let wanted = json!({
            "user": {"resourceType": "User", "id": "ann"}, "id": "x",
            "list": [{"client": {"resourceType": "Client", "id": "a/b"}}],
            "other": {"reference": "urn:uuid:1"}, "more": {"reference": "User/ann", "x": 1},
        });
        assert_eq!(document, wanted);
    }
}
