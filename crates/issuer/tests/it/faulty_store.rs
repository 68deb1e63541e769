//! A store that counts its verbs and fails when it is told to.

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use castellan_issuer::store::{
    Abilities, Draft, Feed, FeedCursor, Inserted, Key, Kind, Memory, NameQuery, Named, Notice,
    PageQuery, Record, Replaced, Store, StoreError, Taken,
};
use castellan_proto::Timestamp;

/// Passes every verb on to a store in memory, unless it is told to fail.
#[derive(Default)]
pub(crate) struct Shaky {
    inner: Arc<Memory>,
    admits_older: Arc<AtomicBool>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    verbs: Vec<&'static str>,
    plan: Option<Plan>,
    failed: bool,
    afterwards: Option<Box<dyn FnOnce() + Send>>,
}

/// When to fail: at the verb of this number, the first one being 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) verb: usize,
    pub(crate) moment: Moment,
    pub(crate) extent: Extent,
}

/// On which side of the verb's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Before,
    After,
}

/// How much fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// That verb alone.
    Once,
    /// That verb and every later one: the process is dead.
    Forever,
}

impl Shaky {
    /// The same records, through a connection that works.
    pub(crate) fn reconnect(&self) -> Self {
        let (inner, admits_older) = (Arc::clone(&self.inner), Arc::clone(&self.admits_older));
        Self { inner, admits_older, state: Mutex::default() }
    }

    /// Has older builds work with the same records, or no more.
    pub(crate) fn admit_older(&self, admit: bool) {
        self.admits_older.store(admit, Ordering::Relaxed);
    }

    /// Counts from here on, and fails by `plan`.
    pub(crate) fn arm(&self, plan: impl Into<Option<Plan>>) {
        *self.state() = State { plan: plan.into(), ..State::default() };
    }

    /// The verbs since [`Shaky::arm`].
    pub(crate) fn verbs(&self) -> Vec<&'static str> {
        self.state().verbs.clone()
    }

    /// Whether any verb failed since [`Shaky::arm`].
    pub(crate) fn failed(&self) -> bool {
        self.state().failed
    }

    /// Does `this` when the next verb has had its effect and has not answered yet.
    pub(crate) fn afterwards(&self, this: impl FnOnce() + Send + 'static) {
        self.state().afterwards = Some(Box::new(this));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn turn(&self, verb: &'static str) -> Option<Moment> {
        let mut state = self.state();
        state.verbs.push(verb);
        let (count, plan) = (state.verbs.len(), state.plan?);
        let moment = match plan.extent {
            _ if count == plan.verb => plan.moment,
            Extent::Forever if count > plan.verb => Moment::Before,
            _ => return None,
        };
        state.failed = true;
        Some(moment)
    }

    async fn pass<T>(
        &self,
        name: &'static str,
        verb: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let turn = self.turn(name);
        if turn == Some(Moment::Before) {
            return Err(StoreError::new("broken before"));
        }
        let answer = verb.await;
        let afterwards = self.state().afterwards.take();
        if let Some(afterwards) = afterwards {
            afterwards();
        }
        if turn == Some(Moment::After) { Err(StoreError::new("broken after")) } else { answer }
    }
}

#[async_trait]
impl Store for Shaky {
    async fn get_many(
        &self,
        keys: &[Key],
        now: Timestamp,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        self.pass("get_many", self.inner.get_many(keys, now)).await
    }

    async fn find(
        &self,
        site: &Arc<str>,
        kind: Kind,
        unique: &str,
        now: Timestamp,
    ) -> Result<Option<Record>, StoreError> {
        self.pass("find", self.inner.find(site, kind, unique, now)).await
    }

    async fn insert(
        &self,
        draft: Draft,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Inserted, StoreError> {
        self.pass("insert", self.inner.insert(draft, notice, now)).await
    }

    async fn replace(
        &self,
        draft: Draft,
        version: u64,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        self.pass("replace", self.inner.replace(draft, version, notice, now)).await
    }

    async fn take(&self, key: &Key, now: Timestamp) -> Result<Taken, StoreError> {
        self.pass("take", self.inner.take(key, now)).await
    }

    async fn delete(
        &self,
        key: &Key,
        version: Option<u64>,
        notice: Notice,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.pass("delete", self.inner.delete(key, version, notice, now)).await
    }

    async fn page(&self, query: &PageQuery, now: Timestamp) -> Result<Vec<Record>, StoreError> {
        self.pass("page", self.inner.page(query, now)).await
    }

    async fn page_by_name(
        &self,
        query: &NameQuery,
        now: Timestamp,
    ) -> Result<Option<Vec<Named>>, StoreError> {
        self.pass("page_by_name", self.inner.page_by_name(query, now)).await
    }

    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    async fn count(&self, site: &Arc<str>, kind: Kind, now: Timestamp) -> Result<u64, StoreError> {
        self.pass("count", self.inner.count(site, kind, now)).await
    }

    async fn feed(&self, after: Option<&FeedCursor>) -> Result<Feed, StoreError> {
        self.pass("feed", self.inner.feed(after)).await
    }

    async fn notify(&self, subject: &Key) -> Result<(), StoreError> {
        self.pass("notify", self.inner.notify(subject)).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.pass("sweep", self.inner.sweep(now, limit)).await
    }

    async fn admits_older(&self) -> Result<bool, StoreError> {
        let admits = self.admits_older.load(Ordering::Relaxed);
        self.pass("admits_older", async { Ok(admits) }).await
    }
}
