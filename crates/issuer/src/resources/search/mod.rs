//! Lists for those who administer: filtered, sorted, page by page (`docs/contracts/curity.md`
//! §§4.3, 5 and 10).
//!
//! What the data source cannot do well is refused with its cause before anything is read
//! ([`crate::store::Abilities`]). What has an index comes from it; everything else is a walk over all of a kind
//! that holds no more than the page it will give.

mod cursor;
mod login_names;
mod orders;
mod people;
mod query;
mod walk;

pub(crate) use cursor::{Place, SortKey};
pub(crate) use orders::Ordered;
pub(crate) use people::{IsMeant, by_any_address};

use crate::{Issuer, resources::ResourceKind};

pub use super::listing::{
    Cause, Filter, FilterAttribute, FilterType, ListError, Listed, Listing, Sort, SortAttribute,
    SortOrder,
};

pub use query::{CONTROLS, Found, Next, Search};

impl Issuer {
    /// The page of `kind` that `listing` asks for.
    ///
    /// # Errors
    /// [`ListError::Unsupported`] if the data source does not do that, and the others as they say.
    pub async fn listing(
        &self,
        kind: ResourceKind,
        listing: &Listing,
    ) -> Result<Listed, ListError> {
        let filters = kind.any().filters();
        if listing.filter.as_ref().is_some_and(|filter| !filters.contains(&filter.by)) {
            return Err(ListError::NotFiltered);
        }
        self.check_supported(kind, listing)?;
        let abilities = self.repository().store().abilities();
        // What cannot be sorted and is not filtered comes as it is (`docs/contracts/curity.md`
        // §4.3).
        let sort = listing.sort.filter(|_| abilities.sorts);
        kind.any().search(self, listing, sort).await
    }

    /// How many `listing` admits on all of its pages; `None` if they are too many to be counted.
    ///
    /// # Errors
    /// [`ListError::Unsupported`] if the data source does not do that, and the others as they say.
    pub(crate) async fn count_listing(
        &self,
        kind: ResourceKind,
        listing: &Listing,
    ) -> Result<Option<u64>, ListError> {
        self.check_supported(kind, listing)?;
        kind.any().count(self, listing).await
    }

    /// Whether the data source can give `listing` of `kind`.
    fn check_supported(&self, kind: ResourceKind, listing: &Listing) -> Result<(), ListError> {
        let few = !kind.any().is_numerous() || self.settings().allow_table_scans;
        let cause = listing.refused(self.repository().store().abilities(), few);
        cause.map_or(Ok(()), |cause| Err(ListError::Unsupported(cause)))
    }
}
