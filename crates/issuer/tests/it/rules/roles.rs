//! Which roles a person has, and when a node reads them (`docs/rules.md` rules 4 and 27).

use std::sync::Arc;

use castellan_issuer::{records::Account, resources::ResourceKind, store::FeedCursor};
use proptest::{prelude::*, sample::subsequence};
use serde_json::{Value, json};

use crate::{harness::Harness, rules::liveness::poll};

/// The ids of Ada's roles, and how many verbs it took to know them.
async fn roles(harness: &Harness, account: &Arc<Account>) -> (Vec<String>, usize) {
    harness.store.arm(None);
    let standing = harness.issuer.standing("ada-1", account).await.unwrap();
    let ids = standing.roles.iter().map(|role| role.role.clone()).collect();
    (ids, harness.store.verbs().len())
}

fn account(groups: &[&str]) -> Arc<Account> {
    let groups = groups.iter().map(|&group| group.to_owned()).collect();
    Arc::new(Account { groups, ..Account::default() })
}

fn role(id: &str, members: &Value) -> Value {
    let mut document =
        json!({"resourceType": "Role", "id": id, "scope": [format!("Query:{id}:*")]});
    for (name, value) in members.as_object().unwrap() {
        document[name] = value.clone();
    }
    document
}

#[tokio::test]
async fn roles_cost_no_round_trip_until_one_of_them_changes_anywhere() {
    let (harness, ada) = (Harness::new().await, account(&["editors"]));
    let cursor = poll(&harness, None).await;
    assert_eq!(roles(&harness, &ada).await, (vec![], 1), "there are none");
    assert_eq!(roles(&harness, &ada).await, (vec![], 0));

    // A role that was not there before, written by another node.
    let other = harness.again().await;
    other.apply(role("editing", &json!({"groups": ["editors"]}))).await;
    assert_eq!(roles(&harness, &ada).await.1, 0, "nothing was heard yet");
    poll(&harness, Some(&cursor)).await;
    assert_eq!(roles(&harness, &ada).await, (vec!["editing".to_owned()], 2));
    assert_eq!(roles(&harness, &ada).await.1, 0);
    // Lists of some engines lag behind, so what is new is read once more, and then for a minute not.
    harness.later(2);
    assert_eq!(roles(&harness, &ada).await.1, 2);
    harness.later(59);
    assert_eq!(roles(&harness, &ada).await.1, 0);
    harness.later(1);
    assert_eq!(roles(&harness, &ada).await.1, 2);

    // A person who is another than before is looked at anew, by the roles that are known.
    assert_eq!(roles(&harness, &account(&["choir"])).await, (vec![], 0));

    let cursor = poll(&harness, None).await;
    roles(&harness, &ada).await;
    other.issuer.remove(ResourceKind::ROLE, "editing").await.unwrap();
    poll(&harness, Some(&cursor)).await;
    assert_eq!(roles(&harness, &ada).await.0, Vec::<String>::new());
    // Where notices may have been missed, everything is read again.
    roles(&harness, &ada).await;
    poll(&harness, Some(&FeedCursor("unheard of".to_owned()))).await;
    assert_eq!(roles(&harness, &ada).await.1, 1);
}

/// Its version is the same as before.
#[tokio::test]
async fn a_role_that_is_deleted_and_made_again_is_another_one() {
    let (harness, ada) = (Harness::new().await, account(&["editors"]));
    let cursor = poll(&harness, None).await;
    harness.apply(role("editing", &json!({"groups": ["editors"]}))).await;
    let cursor = poll(&harness, Some(&cursor)).await;
    assert_eq!(roles(&harness, &ada).await.0, ["editing"]);
    harness.issuer.remove(ResourceKind::ROLE, "editing").await.unwrap();
    harness.apply(role("editing", &json!({"groups": ["choir"]}))).await;
    poll(&harness, Some(&cursor)).await;
    assert_eq!(roles(&harness, &ada).await.0, Vec::<String>::new());
}

#[tokio::test]
async fn a_node_that_hears_nothing_reads_roles_each_time() {
    let (harness, ada) = (Harness::new().await, account(&["editors"]));
    harness.apply(role("editing", &json!({"everybody": true}))).await;
    for _ in 0..2 {
        assert_eq!(roles(&harness, &ada).await, (vec!["editing".to_owned()], 2));
    }
}

const GROUPS: [&str; 3] = ["editors", "choir", "administrators"];
const PEOPLE: [&str; 3] = ["ada-1", "ada", "bob"];

type Plan = (Vec<&'static str>, Vec<&'static str>, bool);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A person has the roles of their groups, those that name them, and those for everybody: no
    /// more, no fewer, and each once.
    #[test]
    fn a_person_has_the_union_of_their_roles(
        groups in subsequence(&GROUPS, 0..=3),
        plans in prop::collection::vec(
            (subsequence(&GROUPS, 0..=3), subsequence(&PEOPLE, 0..=3), any::<bool>()),
            0..6,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (found, expected) = runtime.block_on(async {
            let harness = Harness::empty().await;
            let mut expected = Vec::new();
            for (at, (of_groups, people, everybody)) in plans.iter().enumerate() {
                let plan: &Plan = &(of_groups.clone(), people.clone(), *everybody);
                if plan.0.is_empty() && plan.1.is_empty() && !plan.2 {
                    continue;
                }
                let members = json!({"groups": plan.0, "users": plan.1, "everybody": plan.2});
                harness.apply(role(&format!("r{at}"), &members)).await;
                let mut is_for = plan.2;
                for group in &plan.0 {
                    for own in &groups {
                        is_for |= group == own;
                    }
                }
                for one in &plan.1 {
                    is_for |= *one == "ada-1";
                }
                if is_for {
                    expected.push(format!("r{at}"));
                }
            }
            (roles(&harness, &account(&groups)).await.0, expected)
        });
        prop_assert_eq!(found, expected);
    }
}
