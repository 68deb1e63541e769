//! Every data source keeps every promise.

use std::cell::Cell;
use std::sync::Arc;

use castellan_issuer::store::{Memory, Store, conformance};

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
        castellan_stores::open(&format!("sqlite://{}", file.display())).unwrap()
    })
    .await;
}
