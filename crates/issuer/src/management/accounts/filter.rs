//! Which accounts a filter admits (`docs/contracts/curity.md` §§6.1, 10).

use crate::{
    Issuer,
    records::{Account, login_name},
    resources::search::{Filter, FilterAttribute, FilterType, IsMeant},
    store::NameQuery,
};

/// Which accounts filters admit: by their user name or their effective e-mail address. Whether letter
/// case matters depends on the data source (`docs/contracts/curity.md` §10).
pub(super) fn by_effective_value(issuer: &Issuer) -> IsMeant {
    if issuer.repository().store().abilities().folds_case { in_any_case } else { as_written }
}

fn effective(by: FilterAttribute, account: &Account) -> Option<&String> {
    match by {
        FilterAttribute::UserName => Some(&account.user_name),
        FilterAttribute::Email => account.emails.first(),
    }
}

fn in_any_case(filter: &Filter, _: &NameQuery, name: &str, account: &Account) -> bool {
    effective(filter.by, account).is_some_and(|value| login_name(value) == name)
}

fn as_written(filter: &Filter, query: &NameQuery, name: &str, account: &Account) -> bool {
    let value = effective(filter.by, account);
    in_any_case(filter, query, name, account)
        && value.is_some_and(|value| match filter.how {
            FilterType::StartsWith => value.starts_with(&filter.value),
            FilterType::EndsWith => value.ends_with(&filter.value),
        })
}
