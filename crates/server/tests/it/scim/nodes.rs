//! Two nodes that change the members of one group at the same time, on every engine.

use http::Method;
use serde_json::{Value, json};

use super::support::{PEOPLE, RULES, assert_error, patch, provisioning_token};
use crate::{
    operations::nodes::{address, config},
    support::{
        castellan::{Castellan, Plan, free_port},
        fixtures::text,
        wire::{Answer, Ask},
    },
};

/// People who join and leave at the same time.
const RACERS: usize = 24;

struct Nodes {
    nodes: [Castellan; 2],
    token: String,
}

impl Nodes {
    async fn start(url: &str) -> Self {
        let config = format!("{}{RULES}", config(url));
        let issuer = format!("http://localhost:{}", free_port());
        let people = (0..RACERS).map(|number| {
            format!("---\n{{resourceType: User, id: r{number}, userName: r{number}}}\n")
        });
        let documents = format!("{PEOPLE}{}", people.collect::<String>());
        let plan = |documents: &str| Plan {
            config: config.clone(),
            documents: documents.to_owned(),
            environment: vec![("CASTELLAN_KEY", "Q".repeat(43))],
            issuer: Some(issuer.clone()),
            ..Plan::default()
        };
        let one = Castellan::start(plan(&documents)).await;
        let two = Castellan::start(plan("")).await;
        let token = provisioning_token(&one).await;
        Self { nodes: [one, two], token }
    }

    fn ask(&self, racer: usize, method: Method, path: &str) -> Ask {
        let url = self.nodes[racer % 2].at(&format!("/scim/v2{path}"));
        Ask::new(method, &url).bearer(&self.token)
    }

    /// What each is answered who adds or removes themselves at once, at the nodes in turn.
    async fn race(&self, group: &str, operation: &str) -> Vec<Answer> {
        let mut racers = tokio::task::JoinSet::new();
        for racer in 0..RACERS {
            let value = json!([{"value": format!("r{racer}")}]);
            let body = patch(&json!([{"op": operation, "path": "members", "value": value}]));
            let ask = self.ask(racer, Method::PATCH, &format!("/Groups/{group}"));
            racers.spawn(ask.json(&body).send());
        }
        racers.join_all().await
    }

    async fn get(&self, path: &str) -> Value {
        self.ask(1, Method::GET, path).send().await.json()
    }

    /// The members of `group`, once there are `count`: a list may be behind for a moment.
    async fn members(&self, group: &str, count: usize) -> Vec<String> {
        let mut members = Vec::new();
        for _ in 0..100 {
            let shown = self.get(&format!("/Groups/{group}")).await;
            let all = shown["members"].as_array().cloned().unwrap_or_default();
            members = all.iter().map(|member| text(member, "value").to_owned()).collect();
            if members.len() == count {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        members
    }
}

/// Nobody's change is lost, and groups and accounts say the same.
async fn members_are_changed_by_two_nodes(url: &str) {
    let nodes = Nodes::start(url).await;
    for (operation, count) in [("add", RACERS), ("remove", 0)] {
        for answer in nodes.race("guides", operation).await {
            assert_eq!(answer.status, 204, "{answer:?}");
        }
        // Ann and Bob are in it all the time.
        assert_eq!(nodes.members("guides", count + 2).await.len(), count + 2, "{operation}");
        for racer in 0..RACERS {
            let user = nodes.get(&format!("/Users/r{racer}")).await;
            let groups = user["groups"].as_array().cloned().unwrap_or_default();
            assert_eq!(groups.len(), usize::from(count > 0), "{user}");
        }
    }
    // One account that two groups are given at once has both.
    for racer in 0..2 {
        let group = if racer == 0 { "guides" } else { "staff" };
        assert_eq!(nodes.members(group, 2 - racer).await.len(), 2, "{group}");
    }
    let add = patch(&json!([{"op": "add", "path": "members", "value": [{"value": "eve"}]}]));
    let one = nodes.ask(0, Method::PATCH, "/Groups/guides").json(&add).send();
    let two = nodes.ask(1, Method::PATCH, "/Groups/staff").json(&add).send();
    let (one, two) = tokio::join!(one, two);
    assert_eq!((one.status.as_u16(), two.status.as_u16()), (204, 204), "{one:?} {two:?}");
    let eve = nodes.get("/Users/eve").await;
    assert_eq!(eve["groups"].as_array().map(Vec::len), Some(2), "{eve}");
    // While some join, the group is deleted: whoever was told that they joined was in it before, and
    // nobody is in a group that is gone.
    let delete = nodes.ask(1, Method::DELETE, "/Groups/staff").send();
    let (answers, deleted) = tokio::join!(nodes.race("staff", "add"), delete);
    assert_eq!(deleted.status, 204, "{deleted:?}");
    for answer in answers {
        if answer.status != 204 {
            assert_error(&answer, 404, None);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_changed_by_two_nodes_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("castellan.db").display());
    members_are_changed_by_two_nodes(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_changed_by_two_nodes_on_postgres() {
    members_are_changed_by_two_nodes(&address("CASTELLAN_TEST_POSTGRES")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_changed_by_two_nodes_on_mongodb() {
    members_are_changed_by_two_nodes(&format!("{}/scim", address("CASTELLAN_TEST_MONGODB"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_changed_by_two_nodes_on_dynamodb() {
    let server = address("CASTELLAN_TEST_DYNAMODB");
    members_are_changed_by_two_nodes(&format!("dynamodb://local?table=scim&endpoint={server}"))
        .await;
}
