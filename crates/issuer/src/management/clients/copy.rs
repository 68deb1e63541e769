//! A copy of a client, with its secrets as they are stored (`docs/contracts/curity.md` §7.6).

use serde::Deserialize;

use crate::{
    Issuer,
    records::Client,
    resources::{ClientFrom, ClientSource, Problem, ReadDocument},
};

/// Which client is copied, and for whom.
#[derive(Deserialize)]
pub(super) struct CopiedClient {
    /// The client that is copied.
    of: String,
    /// Whose the copy is.
    owner: String,
}

/// [`CopiedClient`] as a resource.
pub(super) type CopyOfClient = ClientFrom<CopiedClient>;

/// What there was when the copy was asked for, and is there no more.
const GONE: &str = "client_id: there is no such client";

impl ClientSource for CopiedClient {
    async fn read(
        self,
        issuer: &Issuer,
        before: Option<&Client>,
    ) -> Result<ReadDocument<Client>, Problem> {
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
        Ok(ReadDocument::without_secret(client))
    }
}
