//! Lists of clients (`docs/contracts/curity.md` §§5 and 7.2). All of them are read, as there are few,
//! so every data source filters, sorts and counts them alike.

use serde_json::Value;

use super::{
    ClientError, DatabaseClients, is_database_client,
    sorted::{Sorted, key_of},
};
use crate::{
    records::Client,
    resources::search::{ListError, Sort},
};

/// Clients that are read at a time.
const STEP: usize = 200;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct ClientList {
    /// Only those whose status is `ACTIVE`.
    pub active_only: bool,
    /// Only those that meet it.
    pub which: Which,
    /// In which order; the id decides between equals.
    pub sort: Sort,
    /// The greatest number of clients on the page.
    pub first: usize,
    /// [`ClientPage::end_cursor`] of the page before.
    pub after: Option<String>,
}

/// Which clients.
#[derive(Clone, Debug)]
pub enum Which {
    /// Those with exactly this name, and with all of these tags; with none, if the list is empty.
    Filtered {
        /// The whole name.
        name: Option<String>,
        /// The tags.
        tags: Option<Vec<String>>,
    },
    /// Those whose id, or whose name, has all terms in it, which spaces separate.
    Found(Option<String>),
}

/// One page.
#[derive(Debug)]
pub struct ClientPage {
    /// The clients as the API shows them.
    pub clients: Vec<Value>,
    /// Where the next page begins; `None` on the last one.
    pub end_cursor: Option<String>,
    /// How many there are on all pages.
    pub total: u64,
}

impl Which {
    fn admits(&self, id: &str, client: &Client) -> bool {
        match self {
            Self::Filtered { name, tags } => {
                let is_named = name.as_ref().is_none_or(|name| *name == client.name);
                let ours = &client.details.tags;
                let is_tagged = tags.as_ref().is_none_or(|tags| {
                    if tags.is_empty() {
                        ours.is_empty()
                    } else {
                        tags.iter().all(|tag| ours.contains(tag))
                    }
                });
                is_named && is_tagged
            }
            Self::Found(terms) => {
                let terms = terms.as_deref().unwrap_or_default().to_lowercase();
                let has_all = |text: &str| {
                    let text = text.to_lowercase();
                    terms.split(' ').filter(|term| !term.is_empty()).all(|term| text.contains(term))
                };
                has_all(id) || has_all(&client.name)
            }
        }
    }
}

impl DatabaseClients<'_> {
    /// The page that `list` asks for.
    ///
    /// # Errors
    /// [`ClientError::List`] if the cursor is not one of this list, or the store fails.
    pub async fn list(&self, list: &ClientList) -> Result<ClientPage, ClientError> {
        let ClientList { active_only, which, sort, first, .. } = list;
        let question = format!("{:?}", ("DatabaseClient", active_only, which, sort));
        let begin = match list.after.as_deref().filter(|cursor| !cursor.is_empty()) {
            None => None,
            Some(cursor) => {
                let place = self.issuer.open_cursor(&question, cursor).ok_or(ListError::Cursor)?;
                Some(serde_json::from_str(&place).map_err(|_| ListError::Cursor)?)
            }
        };
        let mut page = Sorted::new(sort.order, begin, *first);
        let (mut total, mut read_to) = (0, None);
        loop {
            let (repository, now) = (self.issuer.repository(), self.issuer.now());
            let step = repository.page::<Client>("", read_to, STEP, now).await?;
            let is_last = step.len() < STEP;
            read_to = step.last().map(|stored| stored.id.clone());
            for stored in step {
                let is_wanted =
                    is_database_client(&stored.body) && (!active_only || stored.body.active);
                if is_wanted && which.admits(&stored.id, &stored.body) {
                    total += 1;
                    page.offer(key_of(sort.by, &stored), stored);
                }
            }
            if is_last {
                break;
            }
        }
        let (found, end) = page.page(*first);
        let end = end.map(|place| self.issuer.seal_cursor(&question, &place));
        let showing = self.showing();
        let clients = found.iter().map(|stored| showing.client(stored)).collect();
        Ok(ClientPage { clients, end_cursor: end, total })
    }
}
