//! Lists of registered clients (`docs/contracts/curity.md` §§5, 8.2 and 10). They come from the index
//! of names, so that no list reads clients that it does not concern.

use std::sync::Arc;

use serde_json::Value;

use super::{DynamicClientError, view::view};
use crate::{
    Issuer,
    management::clients::sorted::{At, Sorted, key_of},
    records::{
        Client, RegisteredBy,
        repository::{Versioned, read},
    },
    resources::search::{Cause, ListError, Sort, SortAttribute, SortOrder},
    store::{
        Kind, NameEnd, NameQuery, StoreError,
        names::{self, Named},
    },
};

/// Clients that are read at a time.
const STEP: usize = 200;
/// Clients that one list reads at most, and counts.
const MOST_EXAMINED: usize = 10_000;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct RegisteredList {
    /// Only those whose status is `active`.
    pub active_only: bool,
    /// Only those that are made of this template.
    pub template: Option<String>,
    /// Only those that were registered for the account with this user name.
    pub user_name: Option<String>,
    /// In which order; without it, by their ids.
    pub sort: Option<Sort>,
    /// The greatest number of clients on the page.
    pub first: usize,
    /// [`RegisteredPage::end_cursor`] of the page before.
    pub after: Option<String>,
}

/// One page.
#[derive(Debug, Default)]
pub struct RegisteredPage {
    /// The clients as the API shows them.
    pub clients: Vec<Value>,
    /// Where the next page begins; `None` on the last one.
    pub end_cursor: Option<String>,
    /// How many there are on all pages; `None` if they are too many to be counted.
    pub total: Option<u64>,
}

impl Issuer {
    /// The page that `list` asks for.
    ///
    /// # Errors
    /// [`DynamicClientError::List`] if the data source does not do that, or the cursor is not one of
    /// this list.
    pub async fn list_dynamic_clients(
        &self,
        list: &RegisteredList,
    ) -> Result<RegisteredPage, DynamicClientError> {
        let abilities = self.repository().store().abilities();
        let is_filtered = list.template.is_some() || list.user_name.is_some();
        if !is_filtered && !abilities.lists_all && !self.settings().allow_table_scans {
            return Err(ListError::Unsupported(Cause::FilteringAbsent).into());
        }
        let sort = match list.sort {
            None => by_id(),
            Some(sort) if abilities.sorts => sort,
            // A list of all comes as it is, and within one template or person there is no order of
            // names (`docs/contracts/curity.md` §10).
            Some(_) if !is_filtered => by_id(),
            Some(Sort { by: SortAttribute::Name, order }) => Sort { by: SortAttribute::Id, order },
            Some(sort) => sort,
        };
        let account = match &list.user_name {
            None => None,
            Some(name) => match self.account_with_user_name(name).await? {
                Some(id) => Some(id),
                None => return Ok(RegisteredPage { total: Some(0), ..RegisteredPage::default() }),
            },
        };
        let by = match (&list.template, &account) {
            (Some(template), _) => RegisteredBy::Template(template),
            (None, Some(account)) => RegisteredBy::Account(account),
            (None, None) => RegisteredBy::All,
        };
        let question = format!(
            "{:?}",
            ("DynamicClient", list.active_only, &list.template, &list.user_name, sort)
        );
        let begin = self.place_in(&question, list.after.as_deref())?;
        let admits = |client: &Client| {
            let registration = client.registration.as_ref();
            let theirs = registration.and_then(|one| one.account.as_deref());
            (client.active || !list.active_only)
                && (account.is_none() || theirs == account.as_deref())
        };
        let (sorted, total) = self.sorted(by, (sort, begin, list.first), admits).await?;
        let (found, end) = sorted.page(list.first);
        let end_cursor = end.map(|place| self.seal_cursor(&question, &place));
        let clients = found.iter().map(|stored| view(self, stored)).collect();
        Ok(RegisteredPage { clients, end_cursor, total })
    }

    /// The clients that were registered for the account `id`, at most `most`, in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn dynamic_clients_of(
        &self,
        id: &str,
        most: usize,
    ) -> Result<Vec<Value>, StoreError> {
        let found = self.registered_by(RegisteredBy::Account(id), None, most).await?;
        found.into_iter().map(|named| Ok(view(self, &read::<Client>(named.record)?))).collect()
    }

    /// Registered clients that are found `by` something, at most `most`, after the name `after`.
    pub(crate) async fn registered_by(
        &self,
        by: RegisteredBy<'_>,
        after: Option<String>,
        most: usize,
    ) -> Result<Vec<Named>, StoreError> {
        let query = NameQuery {
            site: Arc::clone(self.repository().site()),
            kind: Kind::Client,
            end: NameEnd::Start,
            part: by.prefix(),
            after,
            descending: false,
            limit: most,
        };
        names::page(self.repository().store(), &query, self.now()).await
    }

    /// The place in a cursor of `question`.
    fn place_in<T: serde::de::DeserializeOwned>(
        &self,
        question: &str,
        cursor: Option<&str>,
    ) -> Result<Option<T>, ListError> {
        let Some(cursor) = cursor.filter(|cursor| !cursor.is_empty()) else { return Ok(None) };
        let place = self.open_cursor(question, cursor).ok_or(ListError::Cursor)?;
        serde_json::from_str(&place).map(Some).map_err(|_| ListError::Cursor)
    }

    /// The first of those that are found `by` something and admitted, and how many there are of them.
    async fn sorted(
        &self,
        by: RegisteredBy<'_>,
        (sort, begin, first): (Sort, Option<At>, usize),
        admits: impl Fn(&Client) -> bool + Send,
    ) -> Result<(Sorted, Option<u64>), StoreError> {
        let mut sorted = Sorted::new(sort.order, begin, first);
        let (mut total, mut examined, mut after) = (0, 0, None);
        loop {
            let step = self.registered_by(by, after, STEP).await?;
            let is_last = step.len() < STEP;
            examined += step.len();
            after = step.last().map(|named| named.name.clone());
            for named in step {
                let stored: Versioned<Client> = read(named.record)?;
                if admits(&stored.body) {
                    total += 1;
                    sorted.offer(key_of(sort.by, &stored), stored);
                }
            }
            if is_last {
                return Ok((sorted, Some(total)));
            }
            if examined >= MOST_EXAMINED {
                return Ok((sorted, None));
            }
        }
    }
}

const fn by_id() -> Sort {
    Sort { by: SortAttribute::Id, order: SortOrder::Ascending }
}
