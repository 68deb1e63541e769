//! Changes as the RFC and its clients mean them.

use super::{super::schema::USER, *};

fn changed(document: &Value, operations: &Value) -> Result<Value, ScimError> {
    let Value::Object(mut members) = document.clone() else { panic!() };
    for change in read(&USER, "a1", &json!({"Operations": operations}))? {
        change.apply(&USER, &mut members)?;
    }
    Ok(Value::Object(members))
}

#[test]
fn changes_are_made_as_the_rfc_and_its_clients_mean_them() {
    let work = json!({"value": "a@work.test", "type": "work", "primary": true});
    let home = json!({"value": "a@home.test", "type": "home"});
    let before = json!({"userName": "ann", "title": "x", "name": {"givenName": "A"},
        "emails": [work, home]});
    for (operations, pointer, expected) in [
        (json!([{"op": "Add", "path": "nickName", "value": "A"}]), "/nickName", json!("A")),
        (json!([{"op": "replace", "value": {"Active": "False"}}]), "/active", json!(false)),
        (
            json!([{"op": "replace", "value": {"name.familyName": "B"}}]),
            "/name",
            json!({"givenName": "A", "familyName": "B"}),
        ),
        (
            json!([{"op": "replace", "path": "name", "value": {"familyName": "B"}}]),
            "/name",
            json!({"givenName": "A", "familyName": "B"}),
        ),
        (json!([{"op": "remove", "path": "name.givenName"}]), "/name", Value::Null),
        (json!([{"op": "remove", "path": "title"}]), "/title", Value::Null),
        (
            json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "b@x.test"}]),
            "/emails/0/value",
            json!("b@x.test"),
        ),
        (
            json!([{"op": "add", "path": "emails[type eq \"other\"].value", "value": "c@x.test"}]),
            "/emails/2",
            json!({"type": "other", "value": "c@x.test"}),
        ),
        (
            json!([{"op": "add", "path": "emails", "value": [{"value": "d@x.test", "primary": true}]}]),
            "/emails/0/primary",
            json!(false),
        ),
        (json!([{"op": "add", "path": "emails", "value": home}]), "/emails/2", Value::Null),
        (
            json!([{"op": "remove", "path": "emails[value eq \"a@work.test\"]"}]),
            "/emails",
            json!([home]),
        ),
        (
            json!([{"op": "remove", "path": "emails", "value": [{"value": "a@work.test"}]}]),
            "/emails",
            json!([home]),
        ),
        (json!([{"op": "remove", "path": "emails"}]), "/emails", Value::Null),
        (
            json!([{"op": "add", "path":
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", "value": "m"}]),
            "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/manager",
            json!({"value": "m"}),
        ),
    ] {
        let after =
            changed(&before, &operations).unwrap_or_else(|error| panic!("{operations}: {error}"));
        assert_eq!(after.pointer(pointer).cloned().unwrap_or_default(), expected, "{operations}");
    }
}

#[test]
fn what_cannot_be_done_is_refused_with_its_kind() {
    let before = json!({"userName": "ann"});
    for (operations, kind) in [
        (json!([]), "invalidSyntax"),
        (json!([{"op": "move", "path": "title"}]), "invalidSyntax"),
        (json!([{"op": "remove"}]), "noTarget"),
        (json!([{"op": "remove", "path": "userName"}]), "mutability"),
        (
            json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "x"}]),
            "noTarget",
        ),
        (json!([{"op": "add", "path": "shoeSize", "value": "9"}]), "invalidPath"),
        (json!([{"op": "add", "path": "emails[shoe eq \"9\"]", "value": "9"}]), "invalidFilter"),
        (json!([{"op": "add", "path": "groups", "value": [{"value": "x"}]}]), "mutability"),
        (json!([{"op": "add", "value": {"id": "other"}}]), "mutability"),
        (json!([{"op": "add", "path": "title", "value": 5}]), "invalidValue"),
    ] {
        let refused = changed(&before, &operations).unwrap_err();
        assert_eq!(refused.kind, Some(kind), "{operations}");
    }
}
