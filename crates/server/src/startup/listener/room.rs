//! Room for so many connections. Where it is full, whoever does nothing makes way: first those that
//! have asked for nothing yet, then those that are idle.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::activity::Activity;

/// How often is looked again for somebody who does nothing, while nobody leaves.
const AGAIN: Duration = Duration::from_millis(100);

/// The connections that are open. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Room {
    places: Arc<Semaphore>,
    open: Arc<Mutex<Connections>>,
}

/// Connections in the order in which they came.
#[derive(Default)]
struct Connections {
    next: u64,
    by_number: BTreeMap<u64, Arc<Activity>>,
}

/// The place of one connection, until this is dropped.
pub(crate) struct Place {
    number: u64,
    room: Room,
    _permit: OwnedSemaphorePermit,
}

impl Room {
    /// Room for `most` connections.
    pub(crate) fn new(most: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(most)), open: Arc::default() }
    }

    /// A place for a connection of `activity`, once there is one.
    pub(crate) async fn enter(&self, activity: Arc<Activity>) -> Place {
        let permit = self.permit().await;
        let mut open = self.open();
        let number = open.next;
        open.next += 1;
        open.by_number.insert(number, activity);
        Place { number, room: self.clone(), _permit: permit }
    }

    /// How many connections are open.
    pub(crate) fn occupied(&self) -> usize {
        self.open().by_number.len()
    }

    async fn permit(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
                return permit;
            }
            self.send_one_away();
            let waits = Arc::clone(&self.places).acquire_owned();
            if let Ok(Ok(permit)) = tokio::time::timeout(AGAIN, waits).await {
                return permit;
            }
        }
    }

    fn send_one_away(&self) {
        let open = self.open();
        let silent = open.by_number.values().find(|activity| activity.is_silent());
        let idle = || {
            let all = open.by_number.values();
            all.filter_map(|activity| Some((activity.idle_since()?, activity)))
                .min_by_key(|(since, _)| *since)
                .map(|(_, activity)| activity)
        };
        if let Some(activity) = silent.or_else(idle) {
            activity.send_away();
        }
    }

    fn open(&self) -> MutexGuard<'_, Connections> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.open().by_number.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_does_nothing_makes_way_and_whoever_is_answered_does_not() {
        let room = Room::new(3);
        let activities = [(); 3].map(|()| Activity::new(Duration::from_secs(75)));
        let [busy, idle, silent] = &activities;
        let _answered = busy.begin(false);
        drop(idle.begin(false));
        let mut places = Vec::new();
        for activity in &activities {
            places.push(room.enter(Arc::clone(activity)).await);
        }
        for (leaves, at) in [(silent, 2), (idle, 1)] {
            let newcomer = Activity::new(Duration::from_secs(75));
            let answered = newcomer.begin(false);
            let mut enters = std::pin::pin!(room.enter(newcomer));
            assert!(tokio::time::timeout(Duration::from_millis(20), &mut enters).await.is_err());
            assert!(leaves.is_sent_away());
            drop(places.remove(at));
            places.push(enters.await);
            std::mem::forget(answered);
        }
        assert!(!busy.is_sent_away());
        drop(places);
        assert!(room.open().by_number.is_empty(), "nobody is remembered");
    }
}
