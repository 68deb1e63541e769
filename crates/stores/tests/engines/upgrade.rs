//! Data of a format before is brought along, while builds of that format go on working beside this
//! one; then it is let go. `fixtures/format-1` is what such a build left behind.

use std::sync::Arc;

use castellan_issuer::store::{
    Draft, Inserted, Key, Kind, NameEnd, NameQuery, Notice, Store, names,
};
use castellan_proto::Timestamp;
use castellan_stores::{FormatState, Migrate};

use crate::{
    line::{Cut, Line, Moment},
    servers,
};

const NOW: Timestamp = Timestamp(1_800_000_000);

/// Data that a build of format 1 works with, as that build does.
trait Old {
    /// Writes an account with a name as format 1 has it; whether it could.
    async fn write(&self, name: &str) -> bool;

    /// Begins to bring everything along, and is stopped in the middle.
    async fn interrupt(&self, url: &str);

    /// How many names are not brought along.
    async fn left(&self) -> usize;
}

async fn open(url: &str, migrate: Migrate) -> (Arc<dyn Store>, FormatState) {
    let opened = castellan_stores::open(url, migrate).await.unwrap();
    (opened.store, opened.format_state)
}

fn site() -> Arc<str> {
    Arc::from("default")
}

/// Whom the names lead to that begin or end so, in their order.
async fn listed(store: &dyn Store, end: NameEnd, part: &str) -> Vec<(String, String)> {
    let part = part.to_owned();
    let query = NameQuery {
        site: site(),
        kind: Kind::Account,
        end,
        part,
        after: None,
        descending: false,
        limit: 10_000,
    };
    let found = names::page(store, &query, NOW).await.unwrap();
    found.into_iter().map(|found| (found.name, found.record.key.id)).collect()
}

/// Asserts that the fixture's people and `more` names are listed from both ends.
async fn everybody_is_listed(store: &dyn Store, more: &[&str]) {
    let known = [
        ("ann", "ann"),
        ("ann@example.org", "ann"),
        ("ann@mail.example.org", "ann"),
        ("bob", "bob"),
        ("zoe@example.org", "zoe"),
        ("zoë", "zoe"),
    ];
    let all = known.into_iter().chain(more.iter().map(|name| (*name, *name)));
    let mut all: Vec<(String, String)> =
        all.map(|(name, id)| (name.to_owned(), id.to_owned())).collect();
    for (end, part) in
        [(NameEnd::Start, ""), (NameEnd::Start, "ann"), (NameEnd::Finish, "@example.org")]
    {
        all.sort_by_key(|(name, _)| end.order(name));
        let admits = |name: &str| match end {
            NameEnd::Start => name.starts_with(part),
            NameEnd::Finish => name.ends_with(part),
        };
        let wanted: Vec<_> = all.iter().filter(|(name, _)| admits(name)).cloned().collect();
        assert_eq!(listed(store, end, part).await, wanted, "{end:?} {part:?}");
    }
    for (name, id) in all {
        let found = store.find(&site(), Kind::Account, &name, NOW).await.unwrap();
        assert_eq!(found.map(|record| record.key.id), Some(id), "{name}");
    }
}

async fn write(store: &dyn Store, name: &str) {
    let key = Key::new(&site(), Kind::Account, name);
    let draft = Draft { key, body: b"{}".into(), unique: vec![name.to_owned()], expires_at: None };
    assert_eq!(store.insert(draft, Notice::Silent, NOW).await.unwrap(), Inserted::Done);
}

/// What both builds write beside each other is known to both, and nothing is lost on the way.
async fn it_is_brought_along(url: &str, old: impl Old) {
    let is = |format| FormatState { format, newest: 2 };
    // Whoever looks reads it as it is, and it stays so: the next one finds it the same.
    for _ in 0..2 {
        let (store, format_state) = open(url, Migrate::Look).await;
        assert_eq!(format_state, is(1));
        everybody_is_listed(&*store, &[]).await;
    }
    let (store, format_state) = open(url, Migrate::Widen).await;
    assert_eq!(format_state, is(1));
    assert!(store.admits_older().await.unwrap());
    everybody_is_listed(&*store, &[]).await;
    // Side by side.
    write(&*store, "new").await;
    assert!(old.write("old").await);
    everybody_is_listed(&*store, &["new", "old"]).await;

    // Interrupted, and begun again.
    let many: Vec<String> = (0..1_200).map(|n| format!("many{n:04}")).collect();
    for name in &many {
        assert!(old.write(name).await);
    }
    let before = old.left().await;
    old.interrupt(url).await;
    let left = old.left().await;
    assert!(0 < left && left < before, "what was done is done: {before}, {left}");
    assert_eq!(open(url, Migrate::Fill).await.1, is(1));
    assert_eq!(old.left().await, 0);

    // The older build is still there, until it is let go.
    assert!(old.write("late@example.org").await);
    let before = store;
    let (store, format_state) = open(url, Migrate::Finish).await;
    assert_eq!((format_state, old.left().await), (is(2), 0));
    for store in [&store, &before] {
        assert!(!store.admits_older().await.unwrap(), "nodes that run already know it at once");
    }
    let mut more: Vec<&str> = many.iter().map(String::as_str).collect();
    more.extend(["new", "old", "late@example.org"]);
    everybody_is_listed(&*store, &more).await;
    let start = NameEnd::Start;
    let (site, kind, part) = (site(), Kind::Account, String::new());
    let query =
        NameQuery { site, kind, end: start, part, after: None, descending: false, limit: 1 };
    assert!(store.page_by_name(&query, NOW).await.unwrap().is_some(), "from the index");
    for migrate in [Migrate::No, Migrate::Widen, Migrate::Fill, Migrate::Finish] {
        assert_eq!(open(url, migrate).await.1, is(2), "{migrate:?}");
    }
}

/// Fills through a line that is cut, later every time until something is done.
#[cfg(any(feature = "dynamodb", feature = "postgres"))]
async fn cut_in_the_middle(url: &str, old: &impl Old) {
    let (line, url) = Line::through(url).await;
    let before = old.left().await;
    for trip in 1.. {
        line.arm(Some(Cut { trip, moment: Moment::Before }));
        assert!(castellan_stores::open(&url, Migrate::Fill).await.is_err(), "trip {trip}");
        line.mend();
        if old.left().await < before {
            return;
        }
    }
}

async fn refusal(url: &str) -> String {
    castellan_stores::open(url, Migrate::No).await.err().unwrap().to_string()
}

mod sqlite {
    use std::path::PathBuf;

    use super::*;

    struct File(PathBuf);

    impl File {
        fn run(&self, sql: &str) -> bool {
            rusqlite::Connection::open(&self.0).unwrap().execute_batch(sql).is_ok()
        }

        /// What the file is made of.
        fn layout(&self) -> Vec<String> {
            let connection = rusqlite::Connection::open(&self.0).unwrap();
            let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name";
            let mut all = connection.prepare(sql).unwrap();
            let texts = all.query_map([], |row| row.get::<_, String>(0)).unwrap();
            texts.map(Result::unwrap).collect()
        }
    }

    impl Old for &File {
        async fn write(&self, name: &str) -> bool {
            let length = name.len();
            self.run(&format!(
                "BEGIN;
                 INSERT OR REPLACE INTO records
                     (site, kind, id, version, expires_at, taken, names, body)
                 VALUES ('default', 'account', '{name}', 1, NULL, 0, '{length}:{name},', X'7b7d');
                 INSERT OR REPLACE INTO names (site, kind, name, id)
                 VALUES ('default', 'account', '{name}', '{name}');
                 COMMIT;"
            ))
        }

        async fn interrupt(&self, url: &str) {
            assert!(self.run(
                "CREATE TRIGGER hindered BEFORE UPDATE ON names WHEN NEW.name = 'many1100'
                 BEGIN SELECT RAISE(ABORT, 'hindered'); END"
            ));
            assert!(castellan_stores::open(url, Migrate::Fill).await.is_err());
            assert!(self.run("DROP TRIGGER hindered"));
        }

        async fn left(&self) -> usize {
            let connection = rusqlite::Connection::open(&self.0).unwrap();
            let sql = "SELECT count(*) FROM names WHERE mirrored IS NULL";
            let left: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
            usize::try_from(left).unwrap()
        }
    }

    #[tokio::test]
    async fn format_1_is_brought_along() {
        let folder = tempfile::tempdir().unwrap();
        let file = File(folder.path().join("old.db"));
        assert!(file.run(include_str!("../fixtures/format-1/sqlite.sql")));
        let url = format!("sqlite://{}", file.0.display());
        let why = refusal(&url).await;
        assert!(
            why.contains("tables of an older version of Castellan")
                && why.contains("`castellan migrate`")
        );
        it_is_brought_along(&url, &file).await;
        assert!(!Old::write(&&file, "too-late").await, "an older build cannot write any more");

        let fresh = File(folder.path().join("new.db"));
        open(&format!("sqlite://{}", fresh.0.display()), Migrate::Widen).await;
        let squeezed = |layout: Vec<String>| -> Vec<String> {
            layout.iter().map(|sql| sql.split_whitespace().collect()).collect()
        };
        assert_eq!(squeezed(file.layout()), squeezed(fresh.layout()));
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use sqlx::{AssertSqlSafe, PgPool};

    use super::*;

    struct Database(PgPool);

    impl Database {
        async fn at(url: &str) -> Self {
            Self(PgPool::connect(url).await.unwrap())
        }

        async fn run(&self, sql: String) -> bool {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&self.0).await.is_ok()
        }

        async fn layout(&self) -> Vec<(String, String, String)> {
            let columns = "SELECT table_name::text, column_name::text,
                    concat(data_type, collation_name, is_nullable, column_default)
                FROM information_schema.columns WHERE table_schema = current_schema()
                UNION ALL
                SELECT tablename::text, indexname::text, replace(indexdef, current_schema(), '')
                FROM pg_indexes WHERE schemaname = current_schema()
                ORDER BY 1, 2";
            sqlx::query_as(columns).fetch_all(&self.0).await.unwrap()
        }
    }

    impl Old for &Database {
        async fn write(&self, name: &str) -> bool {
            self.run(format!(
                "BEGIN;
                 INSERT INTO castellan_records
                     (site, kind, id, version, expires_at, taken, names, body)
                 VALUES ('default', 'account', '{name}', 1, NULL, false, ARRAY['{name}'::bytea], '{{}}');
                 INSERT INTO castellan_names (site, kind, name, id, expires_at)
                 VALUES ('default', 'account', '{name}', '{name}', NULL);
                 COMMIT;"
            ))
            .await
        }

        async fn interrupt(&self, url: &str) {
            cut_in_the_middle(url, self).await;
        }

        async fn left(&self) -> usize {
            let sql = "SELECT count(*) FROM castellan_names WHERE mirrored IS NULL";
            let left: i64 = sqlx::query_scalar(sql).fetch_one(&self.0).await.unwrap();
            usize::try_from(left).unwrap()
        }
    }

    #[tokio::test]
    async fn format_1_is_brought_along() {
        let url = servers::postgres().await;
        let old = Database::at(&url).await;
        assert!(old.run(include_str!("../fixtures/format-1/postgres.sql").to_owned()).await);
        let why = refusal(&url).await;
        assert!(
            why.contains("tables of an older version of Castellan")
                && why.contains("`castellan migrate`")
        );
        it_is_brought_along(&url, &old).await;
        assert!(!Old::write(&&old, "too-late").await, "an older build cannot write any more");

        let fresh = servers::postgres().await;
        open(&fresh, Migrate::Widen).await;
        assert_eq!(old.layout().await, Database::at(&fresh).await.layout().await);
    }

    #[tokio::test]
    async fn nodes_of_postgres_that_start_together_wait_for_the_one_that_makes_the_tables() {
        let url = servers::postgres().await;
        let busy = Database::at(&url).await;
        let mut slow = busy.0.begin().await.unwrap();
        let lock = sqlx::query("SELECT pg_advisory_xact_lock(hashtext('castellan migrate'))");
        lock.execute(&mut *slow).await.unwrap();
        let mut nodes = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let url = url.clone();
            nodes.spawn(async move { open(&url, Migrate::Widen).await.1 });
        }
        // Longer than any other statement may wait for a lock, or take.
        tokio::time::sleep(std::time::Duration::from_secs(6)).await;
        assert!(nodes.try_join_next().is_none());
        slow.commit().await.unwrap();
        assert_eq!(nodes.join_all().await.len(), 4);
    }
}

#[cfg(feature = "dynamodb")]
mod dynamodb {
    use std::collections::HashMap;

    use aws_sdk_dynamodb::{
        Client,
        config::{BehaviorVersion, Credentials, Region},
        primitives::Blob,
        types::AttributeValue,
    };
    use serde_json::Value;

    use super::*;

    struct Table(Client, String);

    /// An attribute as the service writes it.
    fn attribute(value: &Value) -> AttributeValue {
        let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
        match (&**kind, value) {
            ("S", Value::String(text)) => AttributeValue::S(text.clone()),
            ("N", Value::String(number)) => AttributeValue::N(number.clone()),
            ("BOOL", Value::Bool(yes)) => AttributeValue::Bool(*yes),
            ("L", Value::Array(all)) => AttributeValue::L(all.iter().map(attribute).collect()),
            ("B", Value::String(base64)) => {
                use base64::{Engine as _, engine::general_purpose::STANDARD};
                AttributeValue::B(Blob::new(STANDARD.decode(base64).unwrap()))
            }
            other => panic!("{other:?}"),
        }
    }

    impl Table {
        fn at(endpoint: &str, name: &str) -> Self {
            let config = aws_sdk_dynamodb::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new("local"))
                .endpoint_url(endpoint)
                .credentials_provider(Credentials::new("local", "local", None, None, "test"))
                .build();
            Self(Client::from_conf(config), name.to_owned())
        }

        async fn put(&self, item: HashMap<String, AttributeValue>) {
            self.0.put_item().table_name(&self.1).set_item(Some(item)).send().await.unwrap();
        }
    }

    impl Old for &Table {
        async fn write(&self, name: &str) -> bool {
            let text = |text: String| AttributeValue::S(text);
            let hex = name.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
            let (room, place) =
                ("64656661756c74.account", format!("r.64656661756c74.account.{hex}"));
            let record = [
                ("pk", text(place.clone())),
                ("sk", text("-".to_owned())),
                ("g", text(room.to_owned())),
                ("s", text(format!("i{hex}"))),
                ("v", AttributeValue::N("1".to_owned())),
                ("t", AttributeValue::Bool(false)),
                ("b", AttributeValue::B(Blob::new("{}"))),
                ("u", AttributeValue::L(vec![text(name.to_owned())])),
            ];
            let marker = [
                ("pk", text(format!("n.{room}.{hex}"))),
                ("sk", text("-".to_owned())),
                ("o", text(place)),
            ];
            self.put(record.map(|(name, value)| (name.to_owned(), value)).into()).await;
            self.put(marker.map(|(name, value)| (name.to_owned(), value)).into()).await;
            true
        }

        async fn interrupt(&self, url: &str) {
            cut_in_the_middle(url, self).await;
        }

        async fn left(&self) -> usize {
            let mut pages = self
                .0
                .scan()
                .table_name(&self.1)
                .filter_expression("begins_with(pk, :name) AND attribute_not_exists(g)")
                .expression_attribute_values(":name", AttributeValue::S("n.".to_owned()))
                .into_paginator()
                .send();
            let mut left = 0;
            while let Some(page) = pages.next().await {
                left += page.unwrap().items().len();
            }
            left
        }
    }

    #[tokio::test]
    async fn format_1_is_brought_along() {
        let url = servers::dynamodb();
        // The table as format 1 made it is that of today; what stands in it is not.
        open(&url, Migrate::Widen).await;
        let (head, endpoint) = url.split_once("&endpoint=").unwrap();
        let table = Table::at(endpoint, head.split_once("table=").unwrap().1);
        for line in include_str!("../fixtures/format-1/dynamodb.jsonl").lines() {
            let item: Value = serde_json::from_str(line).unwrap();
            let item = item.as_object().unwrap().iter();
            table.put(item.map(|(name, value)| (name.clone(), attribute(value))).collect()).await;
        }
        it_is_brought_along(&url, &table).await;

        // Nothing keeps a node of before, which somebody forgot, from writing.
        assert!(Old::write(&&table, "forgotten").await);
        assert_eq!(open(&url, Migrate::Widen).await.1.format, 2);
        assert_eq!((&table).left().await, 1);
        open(&url, Migrate::Fill).await;
        assert_eq!((&table).left().await, 0);
    }
}

#[cfg(feature = "mongodb")]
mod mongodb {
    use ::mongodb::{
        Client, Collection,
        bson::{Document, doc},
    };

    use super::*;

    /// Format 2 has the collections of format 1, so that only their number tells them apart.
    #[tokio::test]
    async fn format_1_is_brought_along() {
        let url = servers::mongodb();
        let (_, format_state) = open(&url, Migrate::Widen).await;
        assert!(format_state.is_finished(), "what is new is of the newest format");
        let place = Client::with_uri_str(&url).await.unwrap().default_database().unwrap();
        let meta: Collection<Document> = place.collection("castellan_meta");
        meta.update_one(doc! {}, doc! { "$set": { "format": 1_i64 } }).await.unwrap();

        let is = |format| FormatState { format, newest: 2 };
        let mut before = Vec::new();
        for migrate in [Migrate::No, Migrate::Widen, Migrate::Fill] {
            let (store, format_state) = open(&url, migrate).await;
            assert_eq!((format_state, store.admits_older().await.unwrap()), (is(1), true));
            before.push(store);
        }
        let (store, format_state) = open(&url, Migrate::Finish).await;
        assert_eq!(format_state, is(2));
        before.push(store);
        for store in before {
            assert!(!store.admits_older().await.unwrap(), "nodes that run already know it at once");
        }
        let found = meta.find_one(doc! {}).await.unwrap().unwrap();
        assert_eq!(found.get_i64("format").unwrap(), 2, "which builds of format 1 refuse");
    }
}
