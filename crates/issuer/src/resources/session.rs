//! Sessions as documents (`docs/contracts/aidbox.md` §2.3): the families of tokens, and the sessions
//! of browsers.
//!
//! A family is known by its id, which is the front of the `jti` of its access tokens; a browser
//! session by its `sid`. Its record is never named: that is the digest of the cookie.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Applied, ApplyError, Choice, Described, Facts, How, Mode, Parameter, Precondition, Problem,
    ReadDocument, Resource, Version, WriteOptions,
    apply::check,
    kind::version_of,
    search::{Cause, ListError, Listed, Listing, Place, Sort},
    unique_names::Names,
};
use crate::{
    Issuer,
    cache::records::CachedRecord,
    records::{
        Account, Family, Session,
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
/// Records that one search reads at most.
const MOST_EXAMINED: usize = 10_000;

impl Resource for SessionDocument {
    type Record = Family;

    const NAME: &'static str = "Session";
    const IS_NUMEROUS: bool = true;
    const HAS_HISTORY: bool = false;
    const PARAMETERS: &'static [Parameter] = &[
        Parameter { name: "client", paths: &["client"], how: How::Reference },
        Parameter { name: "user", paths: &["user"], how: How::Reference },
        Parameter { name: "jti", paths: &["jti"], how: How::Exact },
        Parameter { name: "active", paths: &["active"], how: How::Boolean },
    ];

    #[cfg(feature = "schema")]
    fn schema() -> schemars::Schema {
        schemars::json_schema!({
            "type": "object",
            "description": "Ends the session. Everything else is read-only.",
            "properties": {"active": {"const": false}},
        })
    }

    async fn read(self, _: &Issuer, _: Option<&Family>) -> Result<ReadDocument<Family>, Problem> {
        Err(Problem::Text(READ_ONLY.to_owned()))
    }

    fn show(id: &str, family: &Family) -> Value {
        of_family(id, family, !family.ended)
    }

    fn facts(id: &str, family: &Family) -> Facts {
        let modified = family.ended_at.map_or(family.renewed, |ended| family.renewed.max(ended));
        Facts { name: id.to_owned(), created: family.created, modified }
    }

    /// The id of the family is the front of the `jti` of its access tokens.
    fn choice(name: &str, value: &str) -> Option<Choice> {
        let (family, _) = value.rsplit_once('.').unwrap_or((value, ""));
        (name == "jti").then(|| Choice::Id(family.to_owned()))
    }

    async fn described(issuer: &Issuer, id: &str) -> Result<Option<Described>, StoreError> {
        match Found::read(issuer, id).await? {
            Some(found) => {
                let mut shown = issuer.shown(&[found]).await?.pop().flatten();
                if let Some(described) = &mut shown
                    && described.document["active"] == false
                {
                    // What ends it may be another record: its person, its client, their consent.
                    described.version.incarnation.push_str("-closed");
                }
                Ok(shown)
            }
            None => Ok(None),
        }
    }

    /// The one thing that can be written is its end.
    async fn write(
        issuer: &Issuer,
        id: &str,
        members: Value,
        WriteOptions { mode, preconditions }: WriteOptions<'_>,
    ) -> Result<Applied, ApplyError> {
        let resource = format!("{}/{id}", Self::NAME);
        let invalid = |problem: &str| ApplyError::Invalid {
            resource: resource.clone(),
            problem: problem.to_owned(),
        };
        let before = Self::described(issuer, id).await?;
        check(&resource, preconditions, before.as_ref())?;
        let Some(before) = before else { return Err(invalid(READ_ONLY)) };
        let mut after = before.clone();
        for (name, value) in members.as_object().into_iter().flatten() {
            if before.document.get(name) == Some(value) {
                continue;
            }
            if name != "active" || value != &json!(false) {
                return Err(invalid(&format!("{name}: {READ_ONLY}")));
            }
            after.document["active"] = json!(false);
        }
        let ends = members.get("active") == Some(&json!(false));
        if mode == Mode::Write && ends {
            end(issuer, id).await?;
            after = Self::described(issuer, id).await?.unwrap_or(after);
        }
        Ok(Applied {
            resource,
            before: Some(before.document),
            after: after.document,
            warnings: Vec::new(),
            secret_changed: false,
            version: Some(after.version),
            names: Names::default(),
        })
    }

    /// Ends it. It stays listed as closed for as long as its tokens could have lived; `None` if
    /// somebody ended it before.
    async fn remove(
        issuer: &Issuer,
        id: &str,
        preconditions: &[Precondition],
    ) -> Result<Option<Described>, ApplyError> {
        let before = Self::described(issuer, id).await?;
        check(&format!("{}/{id}", Self::NAME), preconditions, before.as_ref())?;
        let has_ended = end(issuer, id).await?;
        Ok(if has_ended { Self::described(issuer, id).await? } else { None })
    }

    async fn search(
        issuer: &Issuer,
        listing: &Listing,
        sort: Option<Sort>,
    ) -> Result<Listed, ListError> {
        issuer.sessions(listing, sort).await
    }

    async fn chosen(
        issuer: &Issuer,
        listing: &Listing,
        choices: &[Choice],
    ) -> Result<Vec<Value>, ListError> {
        issuer.those_described::<Self>(listing, choices).await
    }

    async fn count(issuer: &Issuer, listing: &Listing) -> Result<Option<u64>, ListError> {
        let (mut after, mut count, mut examined) = (None, 0, 0);
        while examined < MOST_EXAMINED {
            let step = issuer.sessions_after(after.as_ref(), listing).await?;
            let Some(last) = step.last() else { return Ok(Some(count)) };
            after = Some(last.place());
            examined += step.len();
            let documents = issuer.shown(&step).await?;
            let admitted = |one: &Described| u64::from(listing.admits_document(&one.document));
            count += documents.iter().flatten().map(admitted).sum::<u64>();
        }
        Ok(None)
    }
}

/// Ends the session `id`; `false` if there is none, or somebody ended it before.
async fn end(issuer: &Issuer, id: &str) -> Result<bool, StoreError> {
    match Found::read(issuer, id).await? {
        None => Ok(false),
        Some(Found::Family(stored)) => {
            // Once more if it has ended already: perhaps a node has not heard of it.
            issuer.end_family(&stored.id).await?;
            Ok(!stored.body.ended)
        }
        Some(Found::Browser(stored)) => {
            issuer.close_browser_session(&stored.body.account, id).await?;
            Ok(stored.body.ended.is_none())
        }
    }
}

/// A record that is shown as a session.
enum Found {
    Family(Box<Versioned<Family>>),
    Browser(Box<Versioned<Session>>),
}

impl Found {
    async fn read(issuer: &Issuer, id: &str) -> Result<Option<Self>, StoreError> {
        if let Some(stored) = issuer.family(id).await? {
            return Ok(Some(Self::Family(Box::new(stored))));
        }
        Ok(issuer.browser_session(id).await?.map(|stored| Self::Browser(Box::new(stored))))
    }

    /// Where a listing goes on after it.
    fn place(&self) -> Place {
        match self {
            Self::Family(stored) => Place::Id(stored.id.clone()),
            // Never the id of the record: a cursor can be read.
            Self::Browser(stored) => Place::Name(stored.body.sid.clone().unwrap_or_default()),
        }
    }
}

impl Issuer {
    /// The documents of `found`. Closed is also what ended with its person, its client or its
    /// consent.
    async fn shown(&self, found: &[Found]) -> Result<Vec<Option<Described>>, StoreError> {
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
                    let document = of_family(&stored.id, &stored.body, is_active);
                    let version =
                        version_of::<SessionDocument>(&stored.id, stored.version, &stored.body);
                    Some(Described { document, version })
                }
                Found::Browser(stored) => {
                    let person = people.iter().find(|(id, _)| *id == stored.body.account);
                    let trusts =
                        person.is_some_and(|(_, person)| person.still_trusts_session(&stored.body));
                    of_browser(&stored.body, trusts)
                        .map(|document| Described { document, version: version(stored) })
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
        let (mut after, mut last) = (self.begin_after::<SessionDocument>(listing)?, None);
        let (mut documents, mut skip, mut examined) = (Vec::new(), listing.skip, 0);
        let cursor = |place: Option<Place>| {
            place.and_then(|place| self.cursor::<SessionDocument>(listing, &place))
        };
        loop {
            let step = self.sessions_after(after.as_ref(), listing).await?;
            if step.is_empty() {
                return Ok(Listed { documents, end_cursor: None });
            }
            examined += step.len();
            for (found, described) in step.iter().zip(self.shown(&step).await?) {
                after = Some(found.place());
                let document = described.map(|described| described.with_meta());
                let document = document.filter(|document| listing.admits_document(document));
                let Some(document) = document else { continue };
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                if documents.len() == listing.first {
                    return Ok(Listed { documents, end_cursor: cursor(last) });
                }
                documents.push(document);
                last.clone_from(&after);
            }
            if examined >= MOST_EXAMINED {
                if skip > 0 {
                    let text = "_page: too many resources would be read; follow the link next";
                    return Err(ListError::Parameter(text.to_owned()));
                }
                return Ok(Listed { documents, end_cursor: cursor(after) });
            }
        }
    }

    /// The next records after a place that `listing` may admit, of one of the two kinds; empty at
    /// the end.
    async fn sessions_after(
        &self,
        after: Option<&Place>,
        listing: &Listing,
    ) -> Result<Vec<Found>, ListError> {
        let (repository, now) = (self.repository(), self.now());
        let sid = match after {
            Some(Place::Name(sid)) => Some(&**sid),
            Some(Place::Sorted(..)) => return Err(ListError::Cursor),
            None | Some(Place::Id(_)) => {
                let after = match after {
                    Some(Place::Id(id)) => Some(id.clone()),
                    _ => None,
                };
                let found = repository.page::<Family>("", after, STEP, now).await?;
                if !found.is_empty() {
                    return Ok(found
                        .into_iter()
                        .map(|stored| Found::Family(Box::new(stored)))
                        .collect());
                }
                None
            }
        };
        let user = listing.conditions.iter().find_map(|condition| match &*condition.values {
            [user] if condition.name == "user" => Some(user),
            _ => None,
        });
        let found = match user {
            Some(user) => {
                let user = user.strip_prefix("User/").unwrap_or(user);
                self.browser_sessions_of(user, sid, STEP).await?
            }
            None => self.browser_sessions(sid, STEP).await?,
        };
        Ok(found.into_iter().map(|stored| Found::Browser(Box::new(stored))).collect())
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
    if let Some(end) = family.refresh_ends() {
        set("refresh_token_exp", json!(end.0));
    }
    if let Some(sid) = &family.sid {
        set("parent", json!({"resourceType": "Session", "id": sid}));
    }
    Value::Object(shown)
}

/// The version of a browser session.
fn version(stored: &Versioned<Session>) -> Version {
    let Session { auth_time, used, ended, .. } = &stored.body;
    Version {
        incarnation: format!("{:x}", auth_time.0),
        number: stored.version,
        created: *auth_time,
        modified: ended.unwrap_or(*used),
    }
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
