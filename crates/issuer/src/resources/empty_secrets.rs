//! Finds hashes of nothing, which older versions kept where a document said `password: ""`, and what
//! is no hash at all. Nobody can sign in with them; whoever has one needs another.

use crate::{
    Issuer,
    error::OAuthError,
    resources::ResourceKind,
    secrets::hashing::{is_keyed, is_stored_form},
};

/// What a search for empty passwords and secrets came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct EmptySecrets {
    /// Kind and id of each record that has one.
    pub found: Vec<String>,
    /// Kind and id of each record that has one in a form that does not read, in the clear perhaps.
    pub unreadable: Vec<String>,
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
    /// Looks for empty passwords and secrets, at `most` so many hashes, all without a bound.
    ///
    /// # Errors
    /// [`OAuthError`] if the store or the pool of hashes fails.
    pub async fn empty_secrets(&self, most: Option<usize>) -> Result<EmptySecrets, OAuthError> {
        let mut search = Search { issuer: self, most, result: EmptySecrets::default() };
        for kind in self.resources().iter().filter(|kind| kind.any().has_secrets()) {
            search.through(kind).await?;
        }
        Ok(search.result)
    }
}

struct Search<'a> {
    issuer: &'a Issuer,
    most: Option<usize>,
    result: EmptySecrets,
}

impl Search<'_> {
    /// Through all records of one kind.
    async fn through(&mut self, kind: ResourceKind) -> Result<(), OAuthError> {
        let prefix = kind.prefix();
        let mut after = None;
        loop {
            let page = kind.any().secrets(self.issuer, after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            let named = page.into_iter().flat_map(|(record_id, hashes)| {
                let id = record_id.strip_prefix(prefix).unwrap_or(&record_id);
                let name = format!("{}/{id}", kind.as_str());
                hashes.into_iter().map(move |hash| (name.clone(), hash))
            });
            let (good, bad): (Vec<_>, Vec<_>) = named.partition(|(_, hash)| is_stored_form(hash));
            for (name, _) in bad {
                if !self.result.unreadable.contains(&name) {
                    self.result.unreadable.push(name);
                }
            }
            // What Castellan made is not empty.
            let named: Vec<_> = good.into_iter().filter(|(_, hash)| !is_keyed(hash)).collect();
            for few in named.chunks(AT_ONCE) {
                if self.most.is_some_and(|most| self.result.checked + few.len() > most) {
                    // Whether the others read is still looked at, as that takes no time.
                    self.result.is_partial = true;
                    break;
                }
                self.check(few).await?;
            }
        }
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
