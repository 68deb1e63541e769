//! Of any number of racers exactly one wins.
//!
//! Real threads released by one barrier: tasks on a small runtime hardly ever run at the same time.

use std::sync::{Arc, Barrier};
use std::thread;

use tokio::runtime::Handle;

use super::feed::Listener;
use super::{END, NOW, draft, fleeting, get, insert, key, named, record, site, told};
use crate::store::{Inserted, Key, Kind, Notice, Replaced, Store, StoreError, Taken};

const RACERS: usize = 64;
const ROUNDS: usize = 200;

pub(super) async fn run(open: &impl AsyncFn() -> Arc<dyn Store>) {
    told("one_racer_takes", one_racer_takes(open().await)).await;
    told("one_racer_inserts_a_key", one_racer_inserts_a_key(open().await)).await;
    told("one_racer_inserts_over_what_expired", one_racer_inserts_over_what_expired(open().await))
        .await;
    told("one_racer_gets_a_name", one_racer_gets_a_name(open().await)).await;
    told("one_racer_replaces_a_version", one_racer_replaces_a_version(open().await)).await;
}

/// Lets [`RACERS`] threads run `leg` at once, [`ROUNDS`] times, with the number of the round and
/// of the racer. What each got, by round and racer.
async fn race<T: Send + 'static, F: Future<Output = Result<T, StoreError>>>(
    store: &Arc<dyn Store>,
    leg: impl Fn(Arc<dyn Store>, usize, usize) -> F + Send + Sync + 'static,
) -> Vec<Vec<T>> {
    let (store, leg, runtime) = (Arc::clone(store), Arc::new(leg), Handle::current());
    let start = Arc::new(Barrier::new(RACERS));
    let racer = move |n: usize| {
        let (store, leg) = (Arc::clone(&store), Arc::clone(&leg));
        let (start, runtime) = (Arc::clone(&start), runtime.clone());
        thread::spawn(move || -> Vec<_> {
            let round = |round| {
                start.wait();
                runtime.block_on(leg(Arc::clone(&store), round, n))
            };
            // Errors are checked later: a thread that stops here would keep the others waiting for
            // ever.
            (0..ROUNDS).map(round).collect()
        })
    };
    // A separate thread waits, because an engine may need this one to make progress.
    let racers = tokio::task::spawn_blocking(move || {
        let racers: Vec<_> = (0..RACERS).map(racer).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect::<Vec<_>>()
    });
    let mut rounds: Vec<Vec<T>> = (0..ROUNDS).map(|_| Vec::with_capacity(RACERS)).collect();
    for answers in racers.await.unwrap() {
        for (round, answer) in answers.into_iter().enumerate() {
            rounds[round].push(answer.unwrap());
        }
    }
    rounds
}

/// The number of the one racer who got `prize`, where all the others got `consolation`.
fn winner<T: PartialEq + std::fmt::Debug>(answers: &[T], prize: &T, consolation: &T) -> usize {
    let winners: Vec<usize> = (0..answers.len()).filter(|n| answers[*n] == *prize).collect();
    assert_eq!(winners.len(), 1, "exactly one racer wins, not {winners:?}");
    let odd = answers.iter().find(|answer| **answer != *prize && **answer != *consolation);
    assert_eq!(odd, None, "all others lose");
    winners[0]
}

/// The key of a round.
fn round_key(round: usize) -> Key {
    key(&round.to_string())
}

async fn one_racer_takes(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        insert(&*store, draft(&round.to_string(), "ticket")).await;
    }
    let rounds =
        race(&store, |store, round, _| async move { store.take(&round_key(round), NOW).await });
    for (round, answers) in rounds.await.into_iter().enumerate() {
        let ticket = record(draft(&round.to_string(), "ticket"), 1);
        winner(&answers, &Taken::First(ticket.clone()), &Taken::Again(ticket));
    }
}

async fn one_racer_inserts_a_key(store: Arc<dyn Store>) {
    let rounds = race(&store, |store, round, n| async move {
        let draft = draft(&round.to_string(), &format!("racer {n}"));
        store.insert(draft, Notice::Silent, NOW).await
    });
    for (round, answers) in rounds.await.into_iter().enumerate() {
        let won = winner(&answers, &Inserted::Done, &Inserted::Exists);
        let held = get(&*store, &round_key(round), NOW).await.unwrap();
        assert_eq!(held.body, format!("racer {won}").into_bytes());
    }
}

async fn one_racer_inserts_over_what_expired(store: Arc<dyn Store>) {
    let name = |round| format!("name {round}");
    for round in 0..ROUNDS {
        insert(&*store, fleeting(&round.to_string(), &[&name(round)])).await;
    }
    let rounds = race(&store, move |store, round, n| async move {
        // Every other one wants the old one's name too.
        let (id, name) = (round.to_string(), name(round));
        let draft = if n % 2 == 0 { named(&id, &[&name]) } else { draft(&id, "key only") };
        store.insert(draft, Notice::Silent, END).await
    });
    for (round, answers) in rounds.await.into_iter().enumerate() {
        let won = winner(&answers, &Inserted::Done, &Inserted::Exists);
        let found = store.find(&site(), Kind::Account, &name(round), END).await.unwrap();
        assert_eq!(found.is_some(), won % 2 == 0, "round {round}");
    }
}

async fn one_racer_gets_a_name(store: Arc<dyn Store>) {
    let name = |round| format!("name {round}");
    let id = |round: usize, n: usize| format!("{round}-{n}");
    let rounds = race(&store, move |store, round, n| async move {
        let draft = named(&id(round, n), &[&name(round)]);
        store.insert(draft, Notice::Silent, NOW).await
    });
    for (round, answers) in rounds.await.into_iter().enumerate() {
        let won = winner(&answers, &Inserted::Done, &Inserted::Clash(name(round)));
        let found = store.find(&site(), Kind::Account, &name(round), NOW).await.unwrap();
        assert_eq!(found.unwrap().key, key(&id(round, won)));
        let keys: Vec<_> = (0..RACERS).map(|n| key(&id(round, n))).collect();
        let there = store.get_many(&keys, NOW).await.unwrap();
        assert_eq!(there.iter().flatten().count(), 1, "the losers wrote nothing");
    }
}

async fn one_racer_replaces_a_version(store: Arc<dyn Store>) {
    let mut listener = Listener::new(&*store).await;
    insert(&*store, draft("a", "racer none")).await;
    // A round begins at the version that the one before it made.
    let version = |round: usize| u64::try_from(round).unwrap() + 1;
    let rounds = race(&store, move |store, round, n| async move {
        let draft = draft("a", &format!("racer {n}"));
        store.replace(draft, version(round), Notice::Tell, NOW).await
    });
    let mut last = 0;
    for (round, answers) in rounds.await.into_iter().enumerate() {
        last = winner(&answers, &Replaced::Done(version(round) + 1), &Replaced::Stale);
    }
    let held = get(&*store, &key("a"), NOW).await.unwrap();
    assert_eq!(held.version, version(ROUNDS));
    assert_eq!(held.body, format!("racer {last}").into_bytes());
    assert_eq!(listener.news(&*store).await.len(), ROUNDS, "one change, one notice");
}
