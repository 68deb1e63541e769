//! The archive: a small API about music, GraphQL and REST, as an upstream for the gate.
//!
//! It has no authentication: everybody who can reach it can change it, and changes are lost when it
//! ends.

mod answer;
mod model;
mod mutation;
mod read;
mod refused;
mod rest;
mod sdl;
mod seed;
mod store;
#[cfg(test)]
mod tests;
mod wire;
mod write;

use std::sync::Arc;

use apollo_compiler::Schema;
use tokio::net::TcpListener;

use answer::Service;

/// An archive with sample data; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Archive(Arc<Service>);

impl Archive {
    /// An archive with the sample data.
    #[expect(clippy::expect_used, reason = "the schema is a constant, and a test validates it")]
    pub(crate) fn new() -> Self {
        let schema = Schema::parse_and_validate(Self::sdl(), "archive.graphql")
            .expect("the archive's schema is valid");
        let (store, refused) = seed::planted();
        for reason in refused {
            tracing::error!(%reason, "a row of the sample data was skipped");
        }
        let verbs = mutation::all().into_iter().map(|one| (one.name, one.verb)).collect();
        Self(Arc::new(Service { schema, store, verbs }))
    }

    /// The schema in writing.
    pub(crate) fn sdl() -> String {
        sdl::sdl()
    }

    /// The `OpenAPI` document of its REST API, in writing.
    pub(crate) fn openapi() -> String {
        format!("{:#}\n", rest::openapi())
    }

    /// How many things of each type there are, in the order of the schema.
    pub(crate) fn counts(&self) -> Vec<(&'static str, usize)> {
        self.0.store.counts()
    }

    /// Serves the archive by HTTP until `stop` is ready.
    ///
    /// # Errors
    ///
    /// When the listener fails.
    pub(crate) async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send,
    ) -> std::io::Result<()> {
        wire::serve(self.0, listener, stop).await
    }
}
