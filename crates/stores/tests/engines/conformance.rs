//! Every data source keeps every promise.

use std::cell::Cell;
use std::sync::Arc;

use castellan_issuer::store::{Memory, Store, conformance};
use castellan_stores::Migrate;

use crate::servers;

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    conformance::run(async || Arc::new(Memory::default()) as Arc<dyn Store>).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let opened = Cell::new(0);
    conformance::run(async || {
        opened.set(opened.get() + 1);
        let file = folder.path().join(format!("{}.db", opened.get()));
        castellan_stores::open(&format!("sqlite://{}", file.display()), Migrate::Widen)
            .await
            .unwrap()
            .store
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres() {
    conformance::run(async || {
        castellan_stores::open(&servers::postgres().await, Migrate::Widen).await.unwrap().store
    })
    .await;
}

#[cfg(feature = "mongodb")]
#[tokio::test(flavor = "multi_thread")]
async fn mongodb() {
    conformance::run(async || {
        castellan_stores::open(&servers::mongodb(), Migrate::Widen).await.unwrap().store
    })
    .await;
}

#[cfg(feature = "dynamodb")]
#[tokio::test(flavor = "multi_thread")]
async fn dynamodb() {
    conformance::run(async || {
        castellan_stores::open(&servers::dynamodb(), Migrate::Widen).await.unwrap().store
    })
    .await;
}
