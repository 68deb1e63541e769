//! Every data source: that it keeps every promise of the port, what it costs, and what it does when
//! it fails in the middle or does not answer.
//!
//! A test has the name of its engine, so that one whose server cannot be had is left out by name.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod conformance;
mod costs;
mod faults;
mod line;
mod looking;
mod servers;
mod slow;
mod upgrade;

/// The tests of `$check`, one on each engine that stands behind a network.
macro_rules! on_each_server {
    ($check:ident) => {
        mod $check {
            use crate::servers;

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                super::$check(&servers::postgres().await).await;
            }

            #[cfg(feature = "mongodb")]
            #[tokio::test(flavor = "multi_thread")]
            async fn mongodb() {
                super::$check(&servers::mongodb()).await;
            }

            #[cfg(feature = "dynamodb")]
            #[tokio::test(flavor = "multi_thread")]
            async fn dynamodb() {
                super::$check(&servers::dynamodb()).await;
            }
        }
    };
}
pub(crate) use on_each_server;
