//! A copy of a client, with its secrets as they are stored (`docs/contracts/curity.md` §7.6).

use serde::Deserialize;
use serde_json::Value;

use crate::{
    Issuer,
    keys::KeyUse,
    records::Client,
    resources::{ClientDocument, Facts, Problem, Resource},
};
use castellan_proto::jose::Algorithm;

/// What is written in place of a document.
#[derive(Deserialize)]
pub(super) struct CopyOfClient {
    /// The client that is copied.
    of: String,
    /// Whose the copy is.
    owner: String,
}

/// What there was when the copy was asked for, and is there no more.
const GONE: &str = "client_id: there is no such client";

impl Resource for CopyOfClient {
    type Record = Client;

    const NAME: &'static str = ClientDocument::NAME;

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

    fn signed_for(record: &Client) -> Vec<(KeyUse, Algorithm)> {
        ClientDocument::signed_for(record)
    }

    async fn read(
        self,
        issuer: &Issuer,
        before: Option<&Client>,
    ) -> Result<(Client, bool), Problem> {
        if before.is_some() {
            return Err(Problem::Text("new_client_id: is in use".to_owned()));
        }
        let found = issuer.repository().get::<Client>(&self.of, issuer.now()).await?;
        let mut client = found.ok_or_else(|| Problem::Text(GONE.to_owned()))?.body;
        client.details.owner = Some(self.owner);
        client.generation = 0;
        client.created = issuer.now();
        client.modified = issuer.now();
        client.incarnation = crate::resources::fresh_incarnation();
        Ok((client, false))
    }
}
