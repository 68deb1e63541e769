//! One SQLite file: one writer that commits in groups, and a few readers.
//!
//! Several processes may have the file open at once, the server and the command line for example.

mod checkpoint;
mod error;
mod feed;
mod file;
mod format;
mod patience;
mod read;
mod reader;
mod row;
mod workers;
mod write;
mod writer;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use castellan_issuer::store::{
    Abilities, Draft, Feed, FeedCursor, Inserted, Key, Kind, NameEnd, NameQuery, Named, Notice,
    PageQuery, Record, Replaced, Store, StoreError, Taken,
};
use castellan_proto::Timestamp;

use crate::{
    OpenError, Opened, capabilities,
    format_state::{FormatState, Migrate},
};
use error::explain;
use reader::Readers;
use writer::Writer;

/// Threads for reads of single records and of the feed.
const POINT_READERS: usize = 2;
/// Threads for lists and counts. Separate, so that a long list never delays a look-up or the feed.
const LIST_READERS: usize = 1;

/// An open file.
///
/// The readers are dropped first: the writer can empty the log only when nobody reads from it.
struct Sqlite {
    points: Readers,
    lists: Readers,
    writer: Writer,
    format_state: FormatState,
}

/// Reads `path` without opening anything.
pub(crate) fn check(path: &str) -> Result<(), OpenError> {
    file::path_of(path, Path::new("")).map(drop)
}

/// Opens the file at `path` in `folder`, and makes it if it does not exist and `migrate` creates.
pub(crate) fn open(path: &str, folder: &Path, migrate: Migrate) -> Result<Opened, OpenError> {
    let path = file::path_of(path, folder)?;
    let file::OpenedFile { connection, format_state, is_new } =
        file::open_for_writing(&path, migrate)?;
    let mover = file::open_for_moving(&path).map_err(|error| explain(&path, error.into()))?;
    let open_reader = || file::open_for_reading(&path);
    let sqlite = Sqlite {
        points: Readers::start(POINT_READERS, open_reader)
            .map_err(|fault| explain(&path, fault))?,
        lists: Readers::start(LIST_READERS, open_reader).map_err(|fault| explain(&path, fault))?,
        writer: Writer::start(connection, mover).map_err(|fault| explain(&path, fault))?,
        format_state,
    };
    let place = path.display().to_string();
    Ok(Opened { store: Arc::new(sqlite), format_state, is_new, place })
}

#[async_trait]
impl Store for Sqlite {
    async fn get_many(
        &self,
        keys: &[Key],
        now: Timestamp,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        let keys = keys.to_vec();
        self.points.run(move |reader| read::get_many(reader.connection(), keys, now)).await
    }

    async fn find(
        &self,
        site: &Arc<str>,
        kind: Kind,
        unique: &str,
        now: Timestamp,
    ) -> Result<Option<Record>, StoreError> {
        let name = Key::new(site, kind, unique);
        self.points.run(move |reader| read::find(reader.connection(), &name, now)).await
    }

    async fn insert(
        &self,
        draft: Draft,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Inserted, StoreError> {
        self.writer.run(move |connection| write::insert(connection, &draft, notice, now)).await
    }

    async fn replace(
        &self,
        draft: Draft,
        version: u64,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        self.writer
            .run(move |connection| write::replace(connection, &draft, version, notice, now))
            .await
    }

    async fn take(&self, key: &Key, now: Timestamp) -> Result<Taken, StoreError> {
        let key = key.clone();
        self.writer.run(move |connection| write::take(connection, &key, now)).await
    }

    async fn delete(
        &self,
        key: &Key,
        version: Option<u64>,
        notice: Notice,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let key = key.clone();
        self.writer
            .run(move |connection| write::delete(connection, &key, version, notice, now))
            .await
    }

    async fn page(&self, query: &PageQuery, now: Timestamp) -> Result<Vec<Record>, StoreError> {
        let query = query.clone();
        self.lists.run(move |reader| read::page(reader.connection(), &query, now)).await
    }

    async fn page_by_name(
        &self,
        query: &NameQuery,
        now: Timestamp,
    ) -> Result<Option<Vec<Named>>, StoreError> {
        // Until it is narrowed, some names may not be there backwards.
        if query.end == NameEnd::Finish && !self.format_state.is_finished() {
            return Ok(None);
        }
        let query = query.clone();
        let page = move |reader: &mut reader::Reader| {
            read::page_by_name(reader.connection(), &query, now).map(Some)
        };
        self.lists.run(page).await
    }

    fn abilities(&self) -> Abilities {
        capabilities::SQLITE.abilities
    }

    async fn count(&self, site: &Arc<str>, kind: Kind, now: Timestamp) -> Result<u64, StoreError> {
        let site = Arc::clone(site);
        self.lists.run(move |reader| read::count(reader.connection(), &site, kind, now)).await
    }

    async fn feed(&self, after: Option<&FeedCursor>) -> Result<Feed, StoreError> {
        let after = after.cloned();
        self.points.run(move |reader| feed::since(reader, after.as_ref())).await
    }

    async fn notify(&self, subject: &Key) -> Result<(), StoreError> {
        let subject = subject.clone();
        self.writer.run(move |connection| feed::tell(connection, &subject, Notice::Tell)).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.writer
            .run(move |connection| {
                let notices = feed::sweep(connection, now, limit)?;
                Ok(write::sweep(connection, now, limit)?.max(notices))
            })
            .await
    }

    async fn admits_older(&self) -> Result<bool, StoreError> {
        if self.format_state.is_finished() {
            return Ok(false);
        }
        self.points.run(|reader| format::admits_older(reader.connection())).await
    }
}
