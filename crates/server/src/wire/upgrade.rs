//! What of a connection stays when it changes to another protocol.

use std::{any::Any, sync::Arc};

use tokio::sync::watch;

/// In the extensions of a request that asks to change the protocol: what its connection is counted by,
/// and when the server stops.
#[derive(Clone)]
pub(crate) struct Changing {
    /// Whoever goes on using the connection keeps it.
    pub(crate) counted: Arc<dyn Any + Send + Sync>,
    /// Changes when the server stops, which waits for all of these.
    pub(crate) stopped: watch::Receiver<()>,
}
