//! Clients that are written otherwise than by a `Client` document.

use std::future::Future;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::ClientDocument;
use crate::{
    Issuer,
    keys::KeyKind,
    records::Client,
    resources::{Facts, Problem, ReadDocument, Resource},
};

/// What a client is made from, in place of a document.
pub(crate) trait ClientSource: DeserializeOwned + Send + 'static {
    /// As [`Resource::read`].
    fn read(
        self,
        issuer: &Issuer,
        before: Option<&Client>,
    ) -> impl Future<Output = Result<ReadDocument<Client>, Problem>> + Send;
}

/// A client that is made from `S`, and is read as every other client.
#[derive(Deserialize)]
#[serde(transparent, bound = "S: ClientSource")]
pub(crate) struct ClientFrom<S>(S);

impl<S: ClientSource> Resource for ClientFrom<S> {
    type Record = Client;

    const NAME: &'static str = ClientDocument::NAME;

    fn read(
        self,
        issuer: &Issuer,
        before: Option<&Client>,
    ) -> impl Future<Output = Result<ReadDocument<Client>, Problem>> + Send {
        self.0.read(issuer, before)
    }

    fn show(id: &str, record: &Client) -> Value {
        ClientDocument::show(id, record)
    }

    fn facts(id: &str, record: &Client) -> Facts {
        ClientDocument::facts(id, record)
    }

    fn incarnation(id: &str, record: &Client) -> String {
        ClientDocument::incarnation(id, record)
    }

    fn longest_access(record: &Client) -> u64 {
        ClientDocument::longest_access(record)
    }

    fn signed_for(record: &Client) -> Vec<KeyKind> {
        ClientDocument::signed_for(record)
    }
}
