//! Who is in a group. A membership stands in the account alone, so that it changes by one
//! compare-and-set of one record: two nodes that add members to one group never overwrite each other.
//! The members of a group are found by the listing names of accounts.

use std::collections::BTreeSet;

use castellan_proto::Timestamp;

use super::{ApplyError, version::fresh_incarnation};
use crate::{
    Issuer,
    audit::{AuditKind, Event},
    records::{
        Account, Group, ListingName, MemberIndex,
        repository::{Repository, Stored as _, Update, Versioned, Written, read},
    },
    store::{Key, Kind, NameEnd, NameQuery, Notice, PageQuery, StoreError, names},
};

/// Members that are read at a time.
const STEP: usize = 200;
/// Members that leave a group in one request at most.
const MOST_LEAVING: usize = 10_000;
/// Accounts that are read at a time where all of them are.
const PAGE: usize = 500;

impl Issuer {
    /// The group `id`: its record, or one that nobody has written yet for a group that somebody is in.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub(crate) async fn group(&self, id: &str) -> Result<Option<Versioned<Group>>, StoreError> {
        if !Group::is_name(id) {
            return Ok(None);
        }
        let stored = self.repository().get::<Group>(id, self.now()).await?;
        if stored.is_some() || self.members(id, None, 1).await?.is_empty() {
            return Ok(stored);
        }
        Ok(Some(Versioned { id: id.to_owned(), version: 0, body: Group::default() }))
    }

    /// The members of `group` in the order of their ids, at most `limit`, after the id `after`.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub(crate) async fn members(
        &self,
        group: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Versioned<Account>>, StoreError> {
        let mut members = self.accounts_listed(ListingName::Group, group, after, limit).await?;
        members.retain(|member| member.body.groups.iter().any(|one| one == group));
        Ok(members)
    }

    /// The accounts with the listing name for `value`, in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub(crate) async fn accounts_listed(
        &self,
        name: ListingName,
        value: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Versioned<Account>>, StoreError> {
        self.listed_by(name, value, after, limit).await
    }

    /// The records of a kind with the listing name for `value`, in the order of their ids.
    pub(crate) async fn listed_by<T: crate::Stored>(
        &self,
        name: ListingName,
        value: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Versioned<T>>, StoreError> {
        let query = NameQuery {
            site: self.repository().site().clone(),
            kind: T::KIND,
            end: NameEnd::Start,
            part: name.prefix(value),
            after: after.map(|id| name.of(value, id)),
            descending: false,
            limit,
        };
        let found = names::page(self.repository().store(), &query, self.now()).await?;
        found.into_iter().map(|named| read(named.record)).collect()
    }

    /// Puts the account `id` into `group` (`joins`), or takes it out, if `check` admits what becomes
    /// of it; `None` if there is no such account, `false` if nothing had to be changed.
    ///
    /// # Errors
    /// What `check` says, or [`StoreError`].
    pub(crate) async fn regroup<E: From<StoreError> + Send>(
        &self,
        id: &str,
        group: &str,
        joins: bool,
        check: impl Fn(&Account, &Account) -> Result<(), E> + Send + Sync,
    ) -> Result<Option<bool>, E> {
        let now = self.now();
        let edit = |stored: Option<Account>| {
            let Some(before) = stored else { return Ok(Update::Leave(None)) };
            if before.groups.iter().any(|one| one == group) == joins {
                return Ok(Update::Leave(Some(false)));
            }
            let mut after = before.clone();
            if joins {
                after.groups.push(group.to_owned());
            } else {
                after.groups.retain(|one| one != group);
                after.attributes.groups.retain(|one| one.value != group);
            }
            after.modified = now;
            check(&before, &after)?;
            Ok(Update::Write(after, Notice::Tell, Some(true)))
        };
        let outcome = self.repository().update::<Account, _, E>(id, now, edit).await?;
        if outcome == Some(true) {
            self.bump(Kind::Account, id);
            self.audit(Event::of(AuditKind::ResourceChanged).target("User", id).detail("groups"));
        }
        Ok(outcome)
    }

    /// Takes everybody out of `group`.
    pub(super) async fn empty_group(&self, group: &str) -> Result<(), ApplyError> {
        if !self.members_are_indexed().await? {
            index_members(self.repository(), self.now(), usize::MAX).await?;
        }
        let (mut after, mut left) = (None::<String>, 0);
        loop {
            let step = self.members(group, after.as_deref(), STEP).await?;
            let Some(last) = step.last() else { return Ok(()) };
            after = Some(last.id.clone());
            for member in &step {
                self.regroup::<StoreError>(&member.id, group, false, |_, _| Ok(())).await?;
            }
            left += step.len();
            if left >= MOST_LEAVING {
                return Err(ApplyError::Conflict(format!(
                    "Group/{group}: {left} members left it, and there are more"
                )));
            }
        }
    }

    /// Makes records for those of `groups` that have none.
    pub(crate) async fn ensure_groups(&self, groups: &[String]) -> Result<(), StoreError> {
        ensure_groups(self.repository(), groups, self.now()).await
    }

    /// Whether the members of every group are found by the index: all of them, once what older
    /// versions wrote is in it.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn members_are_indexed(&self) -> Result<bool, StoreError> {
        if self.member_index().is_complete() {
            return Ok(true);
        }
        let found = self.repository().get::<MemberIndex>(MemberIndex::ID, self.now()).await?;
        if found.is_some() {
            self.member_index().complete();
        }
        Ok(found.is_some())
    }

    /// Sees to it that the members of groups are found by the index, if that takes no more than reading
    /// `most` accounts; whether they are.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; it can be called again.
    pub async fn index_members(&self, most: usize) -> Result<bool, StoreError> {
        if self.members_are_indexed().await? {
            return Ok(true);
        }
        index_members(self.repository(), self.now(), most).await?;
        self.members_are_indexed().await
    }
}

/// Whether a node knows that the members of groups are found by the index.
#[derive(Debug, Default)]
pub(crate) struct KnownMemberIndex(std::sync::atomic::AtomicBool);

impl KnownMemberIndex {
    fn is_complete(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Acquire)
    }

    fn complete(&self) {
        self.0.store(true, std::sync::atomic::Ordering::Release);
    }
}

/// Makes records for those of `groups` that have none.
async fn ensure_groups(
    repository: &Repository,
    groups: &[String],
    now: Timestamp,
) -> Result<(), StoreError> {
    let names: Vec<&String> = groups.iter().filter(|name| Group::is_name(name)).collect();
    if names.is_empty() {
        return Ok(());
    }
    let keys: Vec<Key> = names.iter().map(|name| repository.key(Kind::Group, name)).collect();
    let there = repository.store().get_many(&keys, now).await?;
    for (name, _) in names.into_iter().zip(there).filter(|(_, found)| found.is_none()) {
        let group = Group {
            created: now,
            modified: now,
            incarnation: fresh_incarnation(),
            ..Group::default()
        };
        // Another node may have been faster.
        repository.insert(name, &group, now).await?;
    }
    Ok(())
}

/// Gives every account the names by which it is listed, and every group that one names a record. What
/// older versions wrote has none. Interrupted, it does no harm; done again, it changes nothing. It
/// stops after `most` accounts; how many were written.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub async fn index_members(
    repository: &Repository,
    now: Timestamp,
    most: usize,
) -> Result<usize, StoreError> {
    let mut query = PageQuery {
        site: repository.site().clone(),
        kind: Kind::Account,
        prefix: String::new(),
        after: None,
        limit: PAGE,
    };
    let (mut examined, mut written) = (0, 0);
    loop {
        let page = repository.store().page(&query, now).await?;
        let is_last = page.len() < PAGE;
        examined += page.len();
        query.after = page.last().map(|record| record.key.id.clone());
        let mut groups = BTreeSet::new();
        for record in page {
            let has = record.unique.clone();
            let stored: Versioned<Account> = read(record)?;
            groups.extend(stored.body.groups.iter().cloned());
            if stored.body.listed(&stored.id).iter().any(|name| !has.contains(name)) {
                written += usize::from(list_account(repository, stored, now).await?);
            }
        }
        ensure_groups(repository, &groups.into_iter().collect::<Vec<_>>(), now).await?;
        if is_last {
            break;
        }
        if examined >= most {
            return Ok(written);
        }
    }
    repository.insert(MemberIndex::ID, &MemberIndex { since: now }, now).await?;
    Ok(written)
}

/// Writes an account as it is, with the names by which it is listed.
async fn list_account(
    repository: &Repository,
    mut stored: Versioned<Account>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let names = stored.body.unique().len() + stored.body.listed(&stored.id).len();
    if names > repository.store().abilities().most_names {
        tracing::warn!(
            account = stored.id,
            "is in more groups than this data source can list it by; it is missing among their members"
        );
        return Ok(false);
    }
    loop {
        match repository.replace(&stored, Notice::Silent, now).await? {
            Written::Done => return Ok(true),
            Written::Clash(_) => return Err(StoreError::new("a unique name is already in use")),
            // What was written meanwhile has its names, unless an older version did it.
            Written::Conflict => match repository.get::<Account>(&stored.id, now).await? {
                Some(again) => stored = again,
                None => return Ok(false),
            },
        }
    }
}

/// What is wrong with `account`, if it has more names than the data source can keep of it.
pub(crate) fn too_many_names(issuer: &Issuer, account: &Account) -> Option<String> {
    let most = issuer.repository().store().abilities().most_names;
    let names = account.unique().len() + account.listed("").len();
    (names > most).then(|| {
        format!(
            "groups: with {names} groups, addresses and other names, there are more than the {most} \
             that the data source can keep of an account"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::{Draft, Inserted, Memory, Store as _};

    #[tokio::test]
    async fn what_an_earlier_version_wrote_is_listed_once_it_was_looked_at() {
        let (store, now) = (Arc::new(Memory::default()), Timestamp(1_800_000_000));
        let repository = Repository::new(Arc::clone(&store) as _, Arc::from("main"));
        let groups = vec!["guides".to_owned(), "x".repeat(300)];
        let account =
            Account { user_name: "Ann".to_owned(), groups, active: true, ..Account::default() };
        let draft = Draft {
            key: repository.key(Kind::Account, "ann"),
            body: serde_json::to_vec(&account).unwrap(),
            unique: account.unique(),
            expires_at: None,
        };
        assert_eq!(store.insert(draft, Notice::Silent, now).await.unwrap(), Inserted::Done);
        let query = NameQuery {
            site: repository.site().clone(),
            kind: Kind::Account,
            end: NameEnd::Start,
            part: ListingName::Group.prefix("guides"),
            after: None,
            descending: false,
            limit: 10,
        };
        assert_eq!(names::page(&*store, &query, now).await.unwrap().len(), 0);
        assert_eq!(index_members(&repository, now, usize::MAX).await.unwrap(), 1);
        assert_eq!(names::page(&*store, &query, now).await.unwrap().len(), 1);
        assert!(repository.get::<Group>("guides", now).await.unwrap().is_some());
        assert!(repository.get::<MemberIndex>(MemberIndex::ID, now).await.unwrap().is_some());
        assert_eq!(index_members(&repository, now, usize::MAX).await.unwrap(), 0, "all is there");
    }
}
