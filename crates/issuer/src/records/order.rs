//! The names by which accounts are listed in an order. An account has one for each order, which
//! begins with the order and whether the account is active, so that a page of either is one range
//! of an index (`docs/contracts/curity.md` §5).

use std::sync::Arc;

use castellan_proto::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Account, login_name, repository::Stored};
use crate::store::{
    Draft, Key, Kind,
    names::{ORDERING, is_ordering},
};

/// In which order accounts are listed. The id decides between equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountOrder {
    /// By when they were made.
    Created,
    /// By when they were last changed.
    Modified,
    /// By their folded user name.
    Name,
}

impl AccountOrder {
    const ALL: [Self; 3] = [Self::Created, Self::Modified, Self::Name];

    /// What the names of active or inactive accounts in this order begin with.
    #[must_use]
    pub fn prefix(self, is_active: bool) -> String {
        let order = match self {
            Self::Created => 'C',
            Self::Modified => 'M',
            Self::Name => 'N',
        };
        format!("{ORDERING}{order}{}:", if is_active { 'A' } else { 'I' })
    }

    /// What follows the prefix in the name of the account `id` that was made or changed at `time`.
    #[must_use]
    pub fn place_of_time(time: Timestamp, id: &str) -> String {
        format!("{:016x}{id}", time.0)
    }

    /// What follows the prefix in the name of the account `id` with the folded user name `name`.
    #[must_use]
    pub fn place_of_name(name: &str, id: &str) -> String {
        // No character is less than the one that ends the name.
        format!("{name}\0{id}")
    }

    fn place(self, id: &str, account: &Account) -> String {
        match self {
            Self::Created => Self::place_of_time(account.created, id),
            Self::Modified => Self::place_of_time(account.modified.max(account.created), id),
            Self::Name => Self::place_of_name(&login_name(&account.user_name), id),
        }
    }
}

/// The names of the account `id` for all orders.
pub(super) fn orders(id: &str, account: &Account) -> Vec<String> {
    let name = |order: AccountOrder| order.prefix(account.active) + &order.place(id, account);
    AccountOrder::ALL.into_iter().map(name).collect()
}

/// What `unique` is on a data source that keeps orders or does not, for the record `id` of `kind`
/// with this body.
pub(crate) fn with_orders(
    unique: &[String],
    kind: Kind,
    id: &str,
    body: &[u8],
    keeps_orders: bool,
) -> Vec<String> {
    let mut names: Vec<String> = unique.iter().filter(|name| !is_ordering(name)).cloned().collect();
    if keeps_orders && kind == Account::KIND {
        let account = serde_json::from_slice::<Account>(body);
        names.extend(account.iter().flat_map(|account| orders(id, account)));
    }
    names
}

/// That every account of a site has the names of all orders. What writes accounts from then on
/// writes them, too.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AccountsOrdered {
    /// Since when.
    pub(crate) since: Timestamp,
}

impl AccountsOrdered {
    /// The id of the record. Other names need another one.
    pub(crate) const ID: &'static str = "account-orders-1";

    /// The record of `site`, as it is written.
    pub(crate) fn draft(site: &Arc<str>, since: Timestamp) -> Draft {
        Draft {
            key: Key { site: Arc::clone(site), kind: Self::KIND, id: Self::ID.to_owned() },
            body: serde_json::json!({"since": since}).to_string().into_bytes(),
            unique: Vec::new(),
            expires_at: None,
        }
    }
}

impl Stored for AccountsOrdered {
    const KIND: Kind = Kind::Upkeep;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(user_name: &str, created: u64, modified: u64) -> Account {
        let (created, modified) = (Timestamp(created), Timestamp(modified));
        Account { user_name: user_name.to_owned(), created, modified, ..Account::default() }
    }

    #[test]
    fn names_of_an_order_sort_as_what_they_are_made_of_and_nobody_can_take_them() {
        let (nine, ten) = (account("Bo", 9, 0), account("bo b", 10, 20));
        let ids = ["b", "a"];
        for (order, (nine, ten)) in orders("b", &nine).iter().zip(orders("a", &ten)).enumerate() {
            assert!(nine < &ten, "{order}: {ids:?}");
            assert!(is_ordering(nine) && login_name(nine) != *nine);
            assert!(*nine > login_name("ZZZ \u{10fffd}"));
        }
        let equal = account("bo", 9, 0);
        let times = |id| orders(id, &equal)[..2].to_vec();
        assert!(times("a") < times("b"));
        // A deactivated account is in another list.
        let all = |active| orders("a", &Account { active, ..equal.clone() });
        assert!(all(true).iter().zip(&all(false)).all(|(active, inactive)| active < inactive));
    }

    #[test]
    fn names_of_orders_are_those_of_the_data_source() {
        let account = account("ann", 1, 1);
        let body = serde_json::to_vec(&account).unwrap();
        let kind = Kind::Account;
        let with = with_orders(&["ann".to_owned()], kind, "a", &body, true);
        assert_eq!(with.len(), 4);
        assert_eq!(with_orders(&with, kind, "a", &body, true), with);
        assert_eq!(with_orders(&with, kind, "a", &body, false), ["ann"]);
        assert_eq!(with_orders(&with, Kind::Bucket, "a", &body, true), ["ann"]);
    }
}
