//! Where everything that a filter can admit is found, without looking at all of a kind.

use super::{Filter, Operand, Operator};
use crate::{
    management::scim::schema::Named,
    records::{ListingName, login_name},
};

/// Some records, found by an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Choice {
    /// The one with this id.
    Id(String),
    /// The one with this unique name.
    Name(String),
    /// Those with a listing name for this value.
    Listed(ListingName, String),
    /// Those with a login name that begins so.
    Start(String),
    /// The groups that the account of this id is in.
    GroupsOf(String),
}

/// The choices among which everything is that `filter` of resources of the type `kind` admits; `None`
/// if all of a kind has to be looked at. `shortest` is how long a beginning is at least by which the
/// data source finds.
pub(in super::super) fn choices(
    kind: &str,
    filter: &Filter,
    shortest: usize,
) -> Option<Vec<Choice>> {
    let plan = |filter: &Filter| choices(kind, filter, shortest);
    match filter {
        // Either side has all of it; one record is less to read than many.
        Filter::And(one, other) => match (plan(one), plan(other)) {
            (Some(one), Some(other)) => Some(if cost(&other) < cost(&one) { other } else { one }),
            (one, other) => one.or(other),
        },
        Filter::Or(one, other) => {
            let mut all = plan(one)?;
            all.extend(plan(other)?);
            Some(all)
        }
        Filter::Not(_) | Filter::Present(_) => None,
        Filter::Compare(named, operator, operand) => {
            let Operand::Text(text) = operand else { return None };
            choice(kind, &named_value(named), *operator, text, shortest).map(|one| vec![one])
        }
        Filter::Within(named, inner) => {
            let attribute = named.attribute?;
            within(inner, &mut |sub, operator, text| {
                let path = format!("{}.{sub}", attribute.name);
                choice(kind, &path, operator, text, shortest)
            })
            .map(|one| vec![one])
        }
    }
}

/// The path of what is compared: several values are compared by their value.
fn named_value(named: &Named) -> String {
    let is_several = named.sub.is_none() && named.attribute.is_some_and(|one| one.many);
    if is_several { format!("{}.value", named.path()) } else { named.path() }
}

/// A choice of some comparison that every value which `filter` admits has to meet.
fn within(
    filter: &Filter,
    choose: &mut impl FnMut(&str, Operator, &str) -> Option<Choice>,
) -> Option<Choice> {
    match filter {
        Filter::And(one, other) => within(one, choose).or_else(|| within(other, choose)),
        Filter::Compare(named, operator, Operand::Text(text)) => {
            choose(named.attribute?.name, *operator, text)
        }
        _ => None,
    }
}

fn choice(
    kind: &str,
    path: &str,
    operator: Operator,
    text: &str,
    shortest: usize,
) -> Option<Choice> {
    let listed = |name, value: &str| Some(Choice::Listed(name, value.to_owned()));
    match (kind, path, operator) {
        (_, "id", Operator::Eq) => Some(Choice::Id(text.to_owned())),
        (_, "externalId", Operator::Eq) => listed(ListingName::ExternalId, text),
        ("User", "userName" | "emails.value", Operator::Eq) => Some(Choice::Name(login_name(text))),
        ("User", "userName" | "emails.value", Operator::Sw) => {
            let start = login_name(text);
            let is_enough = start.chars().count() >= shortest.max(1);
            is_enough.then_some(Choice::Start(start))
        }
        ("User", "groups.value", Operator::Eq) => listed(ListingName::Group, text),
        ("Group", "displayName", Operator::Eq) => {
            listed(ListingName::DisplayName, &login_name(text))
        }
        ("Group", "members.value", Operator::Eq) => Some(Choice::GroupsOf(text.to_owned())),
        _ => None,
    }
}

/// How much is to be read, roughly.
fn cost(choices: &[Choice]) -> usize {
    let of = |choice: &Choice| match choice {
        Choice::Id(_) | Choice::Name(_) => 1,
        Choice::GroupsOf(_) => 2,
        Choice::Listed(ListingName::Group, _) => 1_000,
        Choice::Listed(..) => 10,
        Choice::Start(_) => 5_000,
    };
    choices.iter().map(of).sum()
}
