//! Reading accounts: one by what identifies it, and pages of them (`docs/contracts/curity.md` §6.1).

use serde_json::Value;

use super::view::{AccountView, account_view};
use crate::{
    Issuer,
    records::{Account, login_name, phone_name, repository::Versioned},
    resources::{
        Condition, How, ResourceKind,
        search::{Filter, ListError, Listed, Listing, Sort},
    },
    store::StoreError,
};
use castellan_proto::is_identifier;

/// Which accounts a page has.
#[derive(Clone, Debug)]
pub struct AccountsQuery {
    /// Only those that may sign in.
    pub active_only: bool,
    /// Only those.
    pub filter: Option<Filter>,
    /// In which order.
    pub sort: Option<Sort>,
    /// The greatest number of accounts on the page.
    pub first: usize,
    /// `endCursor` of the page before.
    pub after: Option<String>,
}

impl AccountsQuery {
    fn listing(self) -> Result<Listing, ListError> {
        let mut listing = Listing::all(self.first);
        if self.active_only {
            let active = Condition::read("active", &["active"], How::Boolean, "true");
            listing.conditions.push(active.map_err(ListError::Parameter)?);
        }
        Ok(Listing { filter: self.filter, sort: self.sort, after: self.after, ..listing })
    }
}

impl Issuer {
    /// The account `id`.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn account_by_id(&self, id: &str) -> Result<Option<Value>, StoreError> {
        if !is_identifier(id) {
            return Ok(None);
        }
        let found = self.repository().get::<Account>(id, self.now()).await?;
        Ok(found.map(|stored| account_view(&stored.id, &stored.body)))
    }

    /// The account with the user name `name`, in any letter case.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn account_by_user_name(&self, name: &str) -> Result<Option<Value>, StoreError> {
        let found = self.find_by_user_name(name).await?;
        Ok(found.map(|stored| account_view(&stored.id, &stored.body)))
    }

    /// The account of which `email` is the effective address.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn account_by_email(&self, email: &str) -> Result<Option<Value>, StoreError> {
        let folded = login_name(email);
        let found = self.repository().find::<Account>(&folded, self.now()).await?;
        let is_effective = |account: &Account| {
            account.emails.first().is_some_and(|email| login_name(email) == folded)
        };
        let found = found.filter(|stored| is_effective(&stored.body));
        Ok(found.map(|stored| account_view(&stored.id, &stored.body)))
    }

    /// The account of which `number` is the effective telephone number, however it is written.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn account_by_phone_number(&self, number: &str) -> Result<Option<Value>, StoreError> {
        let found = self.repository().find::<Account>(&phone_name(number), self.now()).await?;
        Ok(found.map(|stored| account_view(&stored.id, &stored.body)))
    }

    /// A page of accounts. It costs the same whatever is selected of them.
    ///
    /// # Errors
    /// [`ListError`] if the data source does not do that, and the others as they say.
    pub async fn list_accounts(&self, query: AccountsQuery) -> Result<Listed, ListError> {
        self.listing(ResourceKind::of::<AccountView>(), &query.listing()?).await
    }

    /// Whether `after` of `query`, if there is one, is a cursor of this list: a count alone does not
    /// use it, and what is wrong is wrong all the same.
    ///
    /// # Errors
    /// [`ListError::Cursor`] if not.
    pub fn check_accounts_cursor(&self, query: AccountsQuery) -> Result<(), ListError> {
        self.begin_after::<AccountView>(&query.listing()?).map(drop)
    }

    /// How many accounts there are on all pages of `query`; `None` if they are too many to be counted.
    ///
    /// # Errors
    /// [`ListError`] as for a page, except that an order is not looked at.
    pub async fn count_accounts(&self, query: AccountsQuery) -> Result<Option<u64>, ListError> {
        let listing = AccountsQuery { sort: None, ..query }.listing()?;
        self.count_listing(ResourceKind::of::<AccountView>(), &listing).await
    }

    pub(super) async fn find_by_user_name(
        &self,
        name: &str,
    ) -> Result<Option<Versioned<Account>>, StoreError> {
        let folded = login_name(name);
        let found = self.repository().find::<Account>(&folded, self.now()).await?;
        // An e-mail address leads to an account as well.
        Ok(found.filter(|stored| login_name(&stored.body.user_name) == folded))
    }
}
