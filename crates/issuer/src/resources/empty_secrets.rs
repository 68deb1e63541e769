//! Finds hashes of nothing, which older versions kept where a document said `password: ""`. Nobody
//! can sign in with them any more; whoever has one needs another.

use castellan_proto::Timestamp;

use crate::{
    Issuer,
    client_auth::is_keyed,
    error::OAuthError,
    records::{
        Account, ApiCredential, AuthKey, Client,
        repository::{Stored, Versioned},
    },
    resources::ResourceKind,
};

/// What a search for empty passwords and secrets came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct EmptySecrets {
    /// Kind and id of each record that has one.
    pub found: Vec<String>,
    /// How many hashes were looked at.
    pub checked: usize,
    /// More were left out, because each takes as long as a sign-in.
    pub is_partial: bool,
}

/// Records that are read at a time.
const PAGE: usize = 200;
/// Hashes that are checked at the same time.
const AT_ONCE: usize = 4;

impl Issuer {
    /// PollIntervals for empty passwords and secrets, at `most` so many hashes, all without a bound.
    ///
    /// # Errors
    /// [`OAuthError`] if the store or the pool of hashes fails.
    pub async fn empty_secrets(&self, most: Option<usize>) -> Result<EmptySecrets, OAuthError> {
        let mut search = Search { issuer: self, most, result: EmptySecrets::default() };
        search
            .through::<Account>(ResourceKind::User, |account| {
                account.password.iter().cloned().collect()
            })
            .await?;
        search
            .through::<Client>(ResourceKind::Client, |client| {
                client.secret.iter().cloned().collect()
            })
            .await?;
        search
            .through::<ApiCredential>(ResourceKind::ApiCredential, |user| {
                let previous = user.previous.iter().map(|previous| previous.secret.clone());
                previous.chain([user.secret.clone()]).collect()
            })
            .await?;
        search.through::<AuthKey>(ResourceKind::AuthKey, |key| key.secrets.clone()).await?;
        Ok(search.result)
    }
}

struct Search<'a> {
    issuer: &'a Issuer,
    most: Option<usize>,
    result: EmptySecrets,
}

impl Search<'_> {
    /// Through all records of one kind; `hashes` are those that one has.
    async fn through<T: Stored>(
        &mut self,
        kind: ResourceKind,
        hashes: impl Fn(&T) -> Vec<String>,
    ) -> Result<(), OAuthError> {
        let (prefix, now) = (kind.prefix(), self.issuer.now());
        let mut after = None;
        loop {
            let page = self.page::<T>(prefix, after, now).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id.clone());
            let named = page.iter().flat_map(|stored| {
                let id = stored.id.strip_prefix(prefix).unwrap_or(&stored.id);
                let name = format!("{}/{id}", kind.as_str());
                // What Castellan made is not empty.
                let hashes = hashes(&stored.body).into_iter().filter(|hash| !is_keyed(hash));
                hashes.map(move |hash| (name.clone(), hash))
            });
            let named: Vec<_> = named.collect();
            for few in named.chunks(AT_ONCE) {
                if self.most.is_some_and(|most| self.result.checked + few.len() > most) {
                    self.result.is_partial = true;
                    return Ok(());
                }
                self.check(few).await?;
            }
        }
    }

    async fn page<T: Stored>(
        &self,
        prefix: &str,
        after: Option<String>,
        now: Timestamp,
    ) -> Result<Vec<Versioned<T>>, OAuthError> {
        Ok(self.issuer.repository().page::<T>(prefix, after, PAGE, now).await?)
    }

    async fn check(&mut self, few: &[(String, String)]) -> Result<(), OAuthError> {
        let mut checks = tokio::task::JoinSet::new();
        for (name, hash) in few.iter().cloned() {
            let passwords = self.issuer.passwords().clone();
            checks.spawn(async move { (passwords.is_of_nothing(&hash).await, name) });
        }
        for (is_empty, name) in checks.join_all().await {
            self.result.checked += 1;
            if is_empty? && !self.result.found.contains(&name) {
                self.result.found.push(name);
            }
        }
        self.result.found.sort_unstable();
        Ok(())
    }
}
