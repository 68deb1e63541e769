//! Bulk requests that take longer than their callers wait.

use std::sync::Arc;

use castellan_proto::{FixedClock, Timestamp};

use super::*;
use crate::{
    Parts, Settings, keys::MasterKey, managers::Permissions, resources::Roster,
    secrets::hashing::Passwords, settings::SiteAddress, store::Memory,
};

/// Many more than are hashed while a caller waits.
const MANY: usize = 400;

async fn issuer() -> Issuer {
    let parts = Parts {
        store: Arc::new(Memory::default()),
        site: Arc::from("main"),
        address: SiteAddress {
            issuer: "https://id.castellan.test".to_owned(),
            name: "Castellan".to_owned(),
            alias_digests: BTreeMap::new(),
            resources: Vec::new(),
            guards: Vec::new(),
            site_accesses: Vec::new(),
        },
        settings: Settings::default(),
        clock: Arc::new(FixedClock(Timestamp(1_800_000_000))),
        master: MasterKey::generate(),
        passwords: Passwords::start(),
        readiness: Arc::default(),
        resources: Roster::default(),
    };
    Issuer::open(parts).await.unwrap()
}

fn statuses(answer: &ScimAnswer) -> Vec<String> {
    let body = answer.body.as_ref().unwrap();
    let results = body["Operations"].as_array().unwrap();
    results.iter().map(|one| one["status"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_is_not_done_in_time_is_told_and_can_be_sent_again() {
    let issuer = issuer().await;
    let permissions = Permissions::everything();
    let create = |number: usize| {
        json!({"method": "POST", "path": "/Users", "bulkId": format!("b{number}"),
            "data": {"userName": format!("p{number}"), "password": format!("a password of {number}")}})
    };
    let operations: Vec<Value> = (0..MANY).map(create).collect();
    let patience = Duration::from_secs(6);
    let caller = ScimCaller::administrator(&permissions).waiting(patience);
    let began = Instant::now();
    let answer = issuer.scim_bulk(&caller, &json!({"Operations": operations})).await.unwrap();
    assert!(began.elapsed() < patience * 2, "{:?}", began.elapsed());
    let told = statuses(&answer);
    let done = told.iter().take_while(|status| *status == "201").count();
    assert_eq!(told.len(), MANY);
    assert!((1..MANY).contains(&done), "{done}");
    assert!(told[done..].iter().all(|status| status == "503"), "{told:?}");
    // An operation that was refused so has done nothing.
    let again = json!({"Operations": operations[MANY - 1..]});
    let answer = issuer.scim_bulk(&caller, &again).await.unwrap();
    assert_eq!(statuses(&answer), ["201"]);
    let first = json!({"Operations": operations[..1]});
    let answer = issuer.scim_bulk(&caller, &first).await.unwrap();
    assert_eq!(statuses(&answer), ["409"]);
}
