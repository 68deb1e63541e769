//! Policies of the engine `cedar` at guards (`docs/cedar.md`).

use super::policies::{ANN, BOB, Stage, denied};

/// Everything is allowed by another engine, so that what is denied is forbidden here.
const POLICIES: &str = r#"
resourceType: AccessPolicy
id: own-notes
link: [{reference: Guard/notes}]
engine: cedar
arguments: {owner: String}
cedar: |
  permit (
    principal is User in Group::"editors",
    action in Action::"Mutation:Note",
    resource == Guard::"notes"
  )
  when { context.arguments.owner == principal.id };
---
resourceType: AccessPolicy
id: users
link: [{reference: Guard/notes}, {reference: "Operation/Query:User:Get"}]
engine: allow
---
resourceType: AccessPolicy
id: a-address
link: [{reference: Guard/notes}]
engine: cedar
arguments: {id: String}
cedar: |
  @id("addresses")
  forbid (principal, action == Action::"Query:User:Get", resource)
  when { context has fields && context.fields.contains("User.email") }
  unless { principal is User && context.arguments.id == principal.id };
"#;

#[tokio::test]
async fn editors_may_change_what_they_own() {
    let stage = Stage::begin(POLICIES).await;
    let (ann, bob) = (stage.token(ANN).await, stage.token(BOB).await);
    let all = "mutation { mine: updateNote(id: 1, owner: \"ann\") { id } \
               theirs: updateNote(id: 2, owner: \"bob\") { id } any: updateNote(id: 3) { id } }";
    let answer = stage.ask(&ann, all).await;
    assert_eq!(denied(&answer), ["theirs", "any"], "{answer:?}");
    let sent = stage.sent().unwrap();
    assert!(sent.contains("mine:") && !sent.contains("theirs:"), "{sent}");
    let answer = stage.ask(&bob, "mutation { updateNote(id: 2, owner: \"bob\") { id } }").await;
    assert_eq!(denied(&answer), ["updateNote"], "he is no editor: {answer:?}");
    let answer = stage.ask(&ann, "mutation { deleteNote(id: 1) }").await;
    assert_eq!(denied(&answer), ["deleteNote"], "it has no owner: {answer:?}");
}

#[tokio::test]
async fn what_one_policy_forbids_no_other_allows() {
    let stage = Stage::begin(POLICIES).await;
    let ann = stage.token(ANN).await;
    for (document, is_denied) in [
        ("{ user(id: \"bob\") { id name } }", false),
        ("{ user(id: \"ann\") { id email } }", false),
        ("{ user(id: \"bob\") { id email } }", true),
        ("query($id: ID! = \"bob\") { user(id: $id) { ...F } } fragment F on User { email }", true),
        // GraphQL takes a number for an ID; the policy has declared a text.
        ("{ user(id: 7) { email } }", true),
    ] {
        let answer = stage.ask(&ann, document).await;
        assert_eq!(!denied(&answer).is_empty(), is_denied, "{document}: {answer:?}");
        assert_eq!(stage.sent().is_none(), is_denied, "{document}");
    }
    let answer = stage.ask(&ann, "{ user(id: \"bob\") { email } }").await;
    let said = stage.explain(&answer)["fields"][0]["policies"].clone();
    assert_eq!(said[0]["policy"], "a-address", "{said}");
    assert_eq!(said[0]["says"], "forbids", "{said}");
    assert_eq!(said[0]["because"], "forbidden by addresses", "{said}");
}
