//! `docs/security-cases.md` row 41, on the wire: the line to the engine is cut at every round trip
//! of every verb, before the server does it and after. A verb that says it is done is done; one
//! that fails leaves the old or the new, whole, and its notice if it is the new; and to do it again
//! gets there.

use std::sync::Arc;

use castellan_issuer::store::{
    Draft, FeedCursor, Inserted, Key, Kind, Notice, PageQuery, Record, Replaced, Store, StoreError,
    Taken,
};
use castellan_proto::Timestamp;
use castellan_stores::Migrate;

use crate::{
    line::{Cut, Line, Moment},
    on_each_server,
};

const NOW: Timestamp = Timestamp(1_000_000);
/// No verb takes more round trips than this.
const MOST_TRIPS: usize = 16;

/// A verb of the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    GetMany,
    Find,
    Insert,
    Replace,
    Take,
    Delete,
    Page,
    Count,
    Feed,
    Notify,
    Sweep,
}

const VERBS: [Verb; 11] = [
    Verb::GetMany,
    Verb::Find,
    Verb::Insert,
    Verb::Replace,
    Verb::Take,
    Verb::Delete,
    Verb::Page,
    Verb::Count,
    Verb::Feed,
    Verb::Notify,
    Verb::Sweep,
];

/// What a verb came to.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    /// To what it is there for.
    Done,
    /// To nothing, because it was done before.
    DoneBefore,
}

/// One verb on one engine.
struct Trial {
    verb: Verb,
    store: Arc<dyn Store>,
    line: Line,
}

/// One record of a trial: a site of its own, so that nothing else is listed and counted.
struct Subject(Key);

impl Subject {
    fn draft(&self, body: &str) -> Draft {
        Draft {
            key: self.0.clone(),
            body: body.as_bytes().to_vec(),
            unique: vec![format!("{}@example.org", self.0.id)],
            expires_at: None,
        }
    }
}

impl Trial {
    /// Cuts the line at every trip of the verb in turn, on one side and on the other.
    async fn run(self) {
        for moment in [Moment::Before, Moment::After] {
            let mut trip = 1;
            while self.is_cut_at(Cut { trip, moment }).await {
                trip += 1;
                assert!(trip < MOST_TRIPS, "{:?} goes on and on", self.verb);
            }
            assert!(trip > 1, "{:?} was not cut at all", self.verb);
        }
    }

    /// Whether the verb gets as far as `cut`.
    async fn is_cut_at(&self, cut: Cut) -> bool {
        let site = Arc::from(format!("{:?}-{:?}-{}", self.verb, cut.moment, cut.trip));
        let subject = Subject(Key::new(&site, Kind::Account, "ada"));
        if self.verb != Verb::Insert {
            let old = self.store.insert(subject.draft("old"), Notice::Silent, NOW).await.unwrap();
            assert_eq!(old, Inserted::Done);
        }
        let before = self.store.feed(None).await.unwrap().cursor;
        self.line.arm(Some(cut));
        let came = self.act(&subject, &before).await;
        let was_cut = self.line.is_cut();
        self.line.mend();
        self.until_it_answers(&subject).await;
        match &came {
            Ok(came) => assert_eq!(*came, Came::Done, "{:?} at {cut:?}", self.verb),
            Err(_) => assert!(was_cut, "{:?} fails by itself: {came:?}", self.verb),
        }
        self.holds_together(&subject, &before, (came.is_ok(), cut)).await;
        let again = self.act(&subject, &before).await.unwrap();
        assert!(again == Came::Done || self.writes(), "{:?} at {cut:?}: {again:?}", self.verb);
        self.holds_together(&subject, &before, (true, cut)).await;
        was_cut
    }

    /// Whether to do it again finds that it is done.
    fn writes(&self) -> bool {
        matches!(self.verb, Verb::Insert | Verb::Replace | Verb::Take | Verb::Delete)
    }

    async fn act(&self, subject: &Subject, before: &FeedCursor) -> Result<Came, StoreError> {
        let (store, key) = (&self.store, &subject.0);
        let is_done = match self.verb {
            Verb::GetMany => {
                let found = store.get_many(std::slice::from_ref(key), NOW).await?;
                is_old(found.first().and_then(Option::as_ref))
            }
            Verb::Find => {
                let name = &subject.draft("").unique[0];
                is_old(store.find(&key.site, key.kind, name, NOW).await?.as_ref())
            }
            Verb::Insert => {
                store.insert(subject.draft("new"), Notice::Tell, NOW).await? == Inserted::Done
            }
            Verb::Replace => {
                let replaced = store.replace(subject.draft("new"), 1, Notice::Tell, NOW).await?;
                assert_ne!(replaced, Replaced::Clash(String::new()));
                replaced == Replaced::Done(2)
            }
            Verb::Take => matches!(store.take(key, NOW).await?, Taken::First(_)),
            Verb::Delete => store.delete(key, Some(1), Notice::Tell, NOW).await?,
            Verb::Page => {
                let page = store.page(&everything(key), NOW).await?;
                page.len() == 1 && is_old(page.first())
            }
            Verb::Count => store.count(&key.site, key.kind, NOW).await? == 1,
            Verb::Feed => !store.feed(Some(before)).await?.gap,
            Verb::Notify => {
                store.notify(key).await?;
                true
            }
            Verb::Sweep => {
                store.sweep(NOW, 10).await?;
                true
            }
        };
        Ok(if is_done { Came::Done } else { Came::DoneBefore })
    }

    /// Connections that broke are found out one by one; after that all is well.
    async fn until_it_answers(&self, subject: &Subject) {
        let mut last = None;
        for _ in 0..200 {
            let answered = self.store.get_many(std::slice::from_ref(&subject.0), NOW).await;
            match answered.map(drop).and(self.store.feed(None).await) {
                Ok(_) => return,
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("the engine does not come back: {last:?}");
    }

    /// The record and its name are those of before, or those that the verb makes, and then every
    /// node is told. The latter if it `is_done`.
    async fn holds_together(
        &self,
        subject: &Subject,
        before: &FeedCursor,
        (is_done, cut): (bool, Cut),
    ) {
        let (key, what) = (&subject.0, format!("{:?} at {cut:?}", self.verb));
        let held = self.store.get_many(std::slice::from_ref(key), NOW).await.unwrap().remove(0);
        let name = &subject.draft("").unique[0];
        let named = self.store.find(&key.site, key.kind, name, NOW).await.unwrap();
        assert_eq!(held, named, "{what}: the record and its name");
        let state = held.as_ref().map(|held| (held.version, &*held.body));
        let (old, new): (Option<(u64, &[u8])>, _) = (Some((1, b"old")), Some((2, &b"new"[..])));
        let (first, then) = match self.verb {
            Verb::Insert => (None, Some((1, &b"new"[..]))),
            Verb::Replace => (old, new),
            Verb::Take | Verb::Delete => (old, None),
            _ => (old, old),
        };
        assert!(state == then || (!is_done && state == first), "{what}: {state:?}");
        let is_told = matches!(self.verb, Verb::Insert | Verb::Replace | Verb::Delete);
        if (is_told && state == then) || (is_done && self.verb == Verb::Notify) {
            let feed = self.store.feed(Some(before)).await.unwrap();
            let told = feed.entries.iter().any(|entry| entry.subject == key.text());
            assert!(told || feed.gap, "{what}: nobody was told");
        }
    }
}

fn is_old(record: Option<&Record>) -> bool {
    record.is_some_and(|record| record.body == b"old")
}

fn everything(key: &Key) -> PageQuery {
    PageQuery {
        site: Arc::clone(&key.site),
        kind: key.kind,
        prefix: String::new(),
        after: None,
        limit: 10,
    }
}

async fn case_41_a_cut_line_is_fatal_to_every_verb(url: &str) {
    drop(castellan_stores::open(url, Migrate::Widen).await.unwrap().store);
    let mut trials = tokio::task::JoinSet::new();
    for verb in VERBS {
        let (line, url) = Line::through(url).await;
        let store = castellan_stores::open(&url, Migrate::No).await.unwrap().store;
        trials.spawn(Trial { verb, store, line }.run());
    }
    trials.join_all().await;
}

on_each_server!(case_41_a_cut_line_is_fatal_to_every_verb);
