//! Lists of clients (`docs/contracts/curity.md` §§5 and 7.2). All of them are read, as there are few,
//! so every data source filters, sorts and counts them alike.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{ClientError, DatabaseClients};
use crate::{
    records::{Client, repository::Versioned},
    resources::{
        ClientDocument, Resource as _,
        search::{ListError, Sort, SortAttribute, SortKey, SortOrder},
    },
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
    /// At most so many.
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

/// The best of what is offered.
struct Page {
    order: SortOrder,
    after: Option<(SortKey, String)>,
    most: usize,
    kept: BTreeMap<(SortKey, String), Versioned<Client>>,
}

impl Page {
    fn offer(&mut self, key: SortKey, stored: Versioned<Client>) {
        let place = (key, stored.id.clone());
        let is_up = self.order == SortOrder::Ascending;
        let is_later =
            |after: &(SortKey, String)| if is_up { place > *after } else { place < *after };
        if !self.after.as_ref().is_none_or(is_later) {
            return;
        }
        self.kept.insert(place, stored);
        if self.kept.len() > self.most {
            if is_up {
                self.kept.pop_last()
            } else {
                self.kept.pop_first()
            };
        }
    }

    fn in_order(self) -> Vec<((SortKey, String), Versioned<Client>)> {
        let mut all: Vec<_> = self.kept.into_iter().collect();
        if self.order == SortOrder::Descending {
            all.reverse();
        }
        all
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
        let most = first.saturating_add(1);
        let mut page = Page { order: sort.order, after: begin, most, kept: BTreeMap::new() };
        let (mut total, mut read_to) = (0, None);
        loop {
            let (repository, now) = (self.issuer.repository(), self.issuer.now());
            let step = repository.page::<Client>("", read_to, STEP, now).await?;
            let is_last = step.len() < STEP;
            read_to = step.last().map(|stored| stored.id.clone());
            for stored in step {
                let is_wanted = !active_only || stored.body.active;
                if is_wanted && which.admits(&stored.id, &stored.body) {
                    total += 1;
                    page.offer(key_of(sort.by, &stored), stored);
                }
            }
            if is_last {
                break;
            }
        }
        let mut found = page.in_order();
        let there_is_more = found.len() > *first;
        found.truncate(*first);
        let end = found.last().filter(|_| there_is_more).and_then(|(place, _)| {
            let place = serde_json::to_string(place).ok()?;
            Some(self.issuer.seal_cursor(&question, &place))
        });
        let showing = self.showing();
        let clients = found.iter().map(|(_, stored)| showing.client(stored)).collect();
        Ok(ClientPage { clients, end_cursor: end, total })
    }
}

fn key_of(by: SortAttribute, stored: &Versioned<Client>) -> SortKey {
    let facts = ClientDocument::facts(&stored.id, &stored.body);
    match by {
        SortAttribute::Id => SortKey::Name(stored.id.clone()),
        SortAttribute::Created => SortKey::Time(facts.created.0),
        SortAttribute::LastModified => SortKey::Time(facts.modified.max(facts.created).0),
        SortAttribute::Name => SortKey::Name(facts.name),
    }
}
