//! The servers that data sources are tested on, at addresses that `cargo xtask test` sets.

use std::sync::atomic::{AtomicU32, Ordering};

/// A number that no other place in this run has.
fn number() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The address in the variable `name`. A test that needs a server does not pass without one.
fn address(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: `cargo xtask test` starts a server and sets it")
    })
}

/// An empty place on the server that `CASTELLAN_TEST_POSTGRES` names: a schema of its own.
pub async fn postgres() -> String {
    let server = address("CASTELLAN_TEST_POSTGRES");
    let schema = format!("test_{}", number());
    let admin = sqlx::PgPool::connect(&server).await.unwrap();
    let make = sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
    sqlx::query(make).execute(&admin).await.unwrap();
    admin.close().await;
    let separator = if server.contains('?') { '&' } else { '?' };
    format!("{server}{separator}options=-csearch_path%3D{schema}")
}

/// An empty place on the server that `CASTELLAN_TEST_MONGODB` names: a database of its own.
#[cfg(feature = "mongodb")]
pub fn mongodb() -> String {
    let server = address("CASTELLAN_TEST_MONGODB");
    format!("{}/test_{}", server.trim_end_matches('/'), number())
}

/// An empty place on the server that `CASTELLAN_TEST_DYNAMODB` names: a table of its own.
#[cfg(feature = "dynamodb")]
pub fn dynamodb() -> String {
    let server = address("CASTELLAN_TEST_DYNAMODB");
    format!("dynamodb://local?table=test_{}&endpoint={server}", number())
}
