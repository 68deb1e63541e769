//! Names are folded once (`docs/rules.md` rule 42).

use castellan_issuer::{
    records::login_name,
    resources::{ApplyError, Mode},
};
use castellan_proto::Secret;
use proptest::prelude::*;
use serde_json::json;

use crate::harness::{Harness, PASSWORD};

#[tokio::test]
async fn one_name_in_any_spelling_cannot_be_taken_twice() {
    let harness = Harness::new().await;
    for name in
        ["ADA", "ａｄａ", " ada ", "ada@example.org", "Ada@EXAMPLE.org", "ＡＤＡ＠example.org"]
    {
        let user = json!({"resourceType": "User", "id": "eve", "userName": name});
        let applied = harness.issuer.apply(user, Mode::Write).await;
        assert!(matches!(applied, Err(ApplyError::Clash { .. })), "{name}");
        if name.contains('@') && name.is_ascii() {
            let user =
                json!({"resourceType": "User", "id": "eve", "userName": "eve", "email": name});
            let applied = harness.issuer.apply(user, Mode::Write).await;
            assert!(matches!(applied, Err(ApplyError::Clash { .. })), "{name}");
        }
    }
}

#[tokio::test]
async fn a_person_signs_in_by_any_spelling_of_any_of_their_names() {
    let harness = Harness::new().await;
    let password = Secret::new(PASSWORD.to_owned());
    for name in ["Ada", "ADA", "ａｄａ", "ada@example.org", " Ada@Example.ORG", "ada-1"] {
        let (_, person) =
            harness.issuer.sign_in_with_password(name, &password).await.unwrap().unwrap();
        assert_eq!(person.account_id, "ada-1", "{name}");
    }
}

#[tokio::test]
async fn a_name_is_free_again_when_it_is_given_up() {
    let harness = Harness::new().await;
    harness.edit("ada-1", |ada| ada["userName"] = json!("Augusta")).await;
    harness.apply(json!({"resourceType": "User", "id": "eve", "userName": "ada"})).await;
}

proptest! {
    #[test]
    fn a_folded_name_is_its_own_fold(name in "\\PC{0,12}") {
        let folded = login_name(&name);
        prop_assert_eq!(login_name(&folded), folded);
    }
}
