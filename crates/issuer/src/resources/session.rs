//! Sessions as documents (`docs/contracts/aidbox.md` §2.3): the families of tokens, and the sessions
//! of browsers.
//!
//! A family is known by its id, which is the front of the `jti` of its access tokens; a browser
//! session by its `sid`. Its record is never named: that is the digest of the cookie.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Applied, ApplyError, Facts, Mode, Problem, Resource,
    search::{Cause, ListError, Listed, Listing, Place, Sort},
};
use crate::{
    Issuer,
    cache::records::CachedRecord,
    records::{
        Account, Family, Refresh, Session,
        repository::{Stored as _, Versioned},
    },
    store::StoreError,
    tokens::{claims::access_jti, dependencies::Dependencies},
};

/// A session. It begins with a sign-in or at the token endpoint; it is read and ended here, and never
/// written.
#[derive(Deserialize)]
pub struct SessionDocument {}

const READ_ONLY: &str = "a Session cannot be written: it begins when somebody signs in, or when a \
                         client gets a token; it can only be ended, with active: false";

/// The `type` of browser sessions; that of others is the grant that began them.
const BROWSER: &str = "browser";

/// Records that are read at a time.
const STEP: usize = 200;

impl Resource for SessionDocument {
    type Record = Family;

    const NAME: &'static str = "Session";
    const READ_ONLY: Option<&'static str> = Some(READ_ONLY);
    const IS_NUMEROUS: bool = true;

    async fn read(self, _: &Issuer, _: Option<&Family>) -> Result<(Family, bool), Problem> {
        Err(Problem::Text(READ_ONLY.to_owned()))
    }

    fn show(id: &str, family: &Family) -> Value {
        of_family(id, family, !family.ended)
    }

    fn facts(id: &str, family: &Family) -> Facts {
        Facts { name: id.to_owned(), created: family.created, modified: family.renewed }
    }

    async fn find(issuer: &Issuer, id: &str) -> Result<Option<Value>, StoreError> {
        match Found::read(issuer, id).await? {
            Some(found) => Ok(issuer.shown(&[found]).await?.pop().flatten()),
            None => Ok(None),
        }
    }

    /// The one thing that can be written is its end.
    async fn write(
        issuer: &Issuer,
        id: &str,
        members: Value,
        mode: Mode,
    ) -> Result<Applied, ApplyError> {
        let resource = format!("{}/{id}", Self::NAME);
        let invalid = |problem: &str| ApplyError::Invalid {
            resource: resource.clone(),
            problem: problem.to_owned(),
        };
        let Some(before) = Self::find(issuer, id).await? else { return Err(invalid(READ_ONLY)) };
        let mut after = before.clone();
        for (name, value) in members.as_object().into_iter().flatten() {
            if before.get(name) == Some(value) {
                continue;
            }
            if name != "active" || value != &json!(false) {
                return Err(invalid(&format!("{name} is read-only; {READ_ONLY}")));
            }
            after["active"] = json!(false);
        }
        if mode == Mode::Write && after["active"] == json!(false) {
            Self::delete(issuer, id).await?;
            after = Self::find(issuer, id).await?.unwrap_or(after);
        }
        Ok(Applied { resource, before: Some(before), after, secret_changed: false })
    }

    /// Ends it. It stays listed as closed for as long as its tokens could have lived.
    async fn delete(issuer: &Issuer, id: &str) -> Result<bool, StoreError> {
        match Found::read(issuer, id).await? {
            None => Ok(false),
            Some(Found::Family(stored)) => {
                issuer.end_family(&stored.id).await?;
                Ok(true)
            }
            Some(Found::Browser(stored)) => {
                issuer.close_browser_session(&stored.body.account, id).await
            }
        }
    }

    async fn search(
        issuer: &Issuer,
        listing: &Listing,
        sort: Option<Sort>,
    ) -> Result<Listed, ListError> {
        issuer.sessions(listing, sort).await
    }
}

/// A record that is shown as a session.
enum Found {
    Family(Versioned<Family>),
    Browser(Versioned<Session>),
}

impl Found {
    async fn read(issuer: &Issuer, id: &str) -> Result<Option<Self>, StoreError> {
        if let Some(stored) = issuer.family(id).await? {
            return Ok(Some(Self::Family(stored)));
        }
        Ok(issuer.browser_session(id).await?.map(Self::Browser))
    }

    /// Where a listing goes on after it.
    fn place(&self) -> Place {
        match self {
            Self::Family(stored) => Place::Id(stored.id.clone()),
            Self::Browser(stored) => Place::Name(stored.id.clone()),
        }
    }
}

impl Issuer {
    /// The documents of `found`. Closed is also what ended with its person, its client or its
    /// consent.
    async fn shown(&self, found: &[Found]) -> Result<Vec<Option<Value>>, StoreError> {
        let families: Vec<&Family> = found
            .iter()
            .filter_map(|one| match one {
                Found::Family(stored) => Some(&stored.body),
                Found::Browser(_) => None,
            })
            .collect();
        let mut are_there = Dependencies::are_there(self, &families).await?.into_iter();
        let people = found.iter().filter_map(|one| match one {
            Found::Family(_) => None,
            Found::Browser(stored) => Some(&*stored.body.account),
        });
        let people = self.accounts(people).await?;
        let mut documents = Vec::with_capacity(found.len());
        for one in found {
            documents.push(match one {
                Found::Family(stored) => {
                    let is_there = are_there.next().unwrap_or_default();
                    let is_active = !stored.body.ended && is_there;
                    Some(of_family(&stored.id, &stored.body, is_active))
                }
                Found::Browser(stored) => {
                    let person = people.iter().find(|(id, _)| *id == stored.body.account);
                    let trusts =
                        person.is_some_and(|(_, person)| person.still_trusts_session(&stored.body));
                    of_browser(&stored.body, trusts)
                }
            });
        }
        Ok(documents)
    }

    /// The accounts of `ids` that are there.
    async fn accounts<'a>(
        &self,
        ids: impl Iterator<Item = &'a str>,
    ) -> Result<Vec<(String, Arc<Account>)>, StoreError> {
        let mut keys: Vec<_> = ids.map(|id| self.repository().key(Account::KIND, id)).collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let records = self.fresh(&keys).await?.records;
        let read = |record: Arc<CachedRecord>| {
            record.read::<Account>().map(|stored| (stored.id, stored.body))
        };
        records.into_iter().flatten().map(read).collect()
    }

    /// The page of sessions that `listing` asks for: families in the order of their ids, which is
    /// that of their beginning, and then browser sessions.
    async fn sessions(&self, listing: &Listing, sort: Option<Sort>) -> Result<Listed, ListError> {
        if sort.is_some() {
            return Err(ListError::Unsupported(Cause::Sorting));
        }
        let mut after = self.begin_after(listing)?;
        let mut documents = Vec::new();
        loop {
            let step = self.sessions_after(after.as_ref()).await?;
            let is_last = step.is_empty();
            for (found, document) in step.iter().zip(self.shown(&step).await?) {
                after = Some(found.place());
                documents.extend(document);
                if documents.len() == listing.first {
                    let end_cursor = after.and_then(|place| self.cursor(listing, &place));
                    return Ok(Listed { documents, end_cursor });
                }
            }
            if is_last {
                return Ok(Listed { documents, end_cursor: None });
            }
        }
    }

    /// The next records after a place, of one of the two kinds; empty at the end.
    async fn sessions_after(&self, after: Option<&Place>) -> Result<Vec<Found>, ListError> {
        let (repository, now) = (self.repository(), self.now());
        let after = match after {
            Some(Place::Name(id)) => Some(id.clone()),
            Some(Place::Sorted(..)) => return Err(ListError::Cursor),
            None | Some(Place::Id(_)) => {
                let after = match after {
                    Some(Place::Id(id)) => Some(id.clone()),
                    _ => None,
                };
                let found = repository.page::<Family>("", after, STEP, now).await?;
                if !found.is_empty() {
                    return Ok(found.into_iter().map(Found::Family).collect());
                }
                None
            }
        };
        let found = repository.page::<Session>("", after, STEP, now).await?;
        Ok(found.into_iter().map(Found::Browser).collect())
    }
}

/// A family as a document.
fn of_family(id: &str, family: &Family, is_active: bool) -> Value {
    let mut shown = Map::new();
    let mut set = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    set("resourceType", json!("Session"));
    set("id", json!(id));
    set("type", json!(family.origin));
    set("active", json!(is_active));
    if let Some(account) = &family.account {
        set("user", json!({"resourceType": "User", "id": account}));
    }
    set("client", json!({"resourceType": "Client", "id": family.client}));
    set("jti", json!(access_jti(id, family.access_generation)));
    let scopes: Vec<String> = family.current_scope().iter().map(ToString::to_string).collect();
    set("scope", json!(scopes));
    set("audience", json!(family.current_audience()));
    set("start", json!(family.created.rfc3339()));
    if let Some(ended) = family.ended_at {
        set("end", json!(ended.rfc3339()));
    }
    set("exp", json!(family.renewed.0.saturating_add(family.access_seconds)));
    if let Some(Refresh { idle_seconds: Some(idle), .. }) = family.refresh {
        set("refresh_token_exp", json!(family.renewed.0.saturating_add(idle)));
    }
    if let Some(sid) = &family.sid {
        set("parent", json!({"resourceType": "Session", "id": sid}));
    }
    Value::Object(shown)
}

/// A browser session as a document; `None` for one of an older version that has no name.
fn of_browser(session: &Session, is_active: bool) -> Option<Value> {
    let mut shown = json!({
        "resourceType": "Session",
        "id": session.sid.as_ref()?,
        "type": BROWSER,
        "active": is_active,
        "user": {"resourceType": "User", "id": session.account},
        "start": session.auth_time.rfc3339(),
    });
    if let Some(ended) = session.ended {
        shown["end"] = json!(ended.rfc3339());
    }
    shown["exp"] = json!(session.expires_at());
    Some(shown)
}
