//! The writes that touch unique names: a transaction each, because the row of a record and the rows
//! of its names are one promise.
//!
//! The record's row is locked first, then the rows of its names in their order. If two operations
//! want each other's names, the database detects the deadlock and aborts one of them, which then
//! tries again.

use castellan_issuer::store::{Draft, Inserted, Key, Notice, Replaced, names::mirrored};
use castellan_proto::Timestamp;
use sqlx::{Connection as _, PgConnection};

use super::{
    error::DriverError,
    row::{self, int, names, seconds},
    verbs::notice_subject,
};

const INSERT: &str = "
    INSERT INTO castellan_records AS r (site, kind, id, version, expires_at, taken, names, body)
    VALUES ($1, $2, $3, 1, $4, false, $5, $6)
    ON CONFLICT (site, kind, id) DO UPDATE
        SET version = 1, expires_at = EXCLUDED.expires_at, taken = false, names = EXCLUDED.names,
            body = EXCLUDED.body
        WHERE r.expires_at <= $7";

const REPLACE: &str = "
    UPDATE castellan_records SET version = version + 1, expires_at = $4, names = $5, body = $6
    WHERE site = $1 AND kind = $2 AND id = $3 AND version = $8
        AND NOT taken AND (expires_at IS NULL OR expires_at > $7)
    RETURNING version";

// The names that the record no longer has.
const FREE: &str = "
    DELETE FROM castellan_names
    WHERE site = $1 AND kind = $2 AND id = $3 AND name <> ALL ($4::bytea[])";

// A name is available if it is free, if this record has it, or if its holder has expired: all of
// that is in the one row that is locked. Rows are locked in the order of the arrays.
const HOLD: &str = "
    INSERT INTO castellan_names AS n (site, kind, name, id, expires_at, mirrored)
    SELECT $1::text, $2::text, wanted.name, $3::bytea, $5::bigint, wanted.mirrored
    FROM unnest($4::bytea[], $7::bytea[]) AS wanted (name, mirrored)
    ON CONFLICT (site, kind, name) DO UPDATE
        SET id = EXCLUDED.id, expires_at = EXCLUDED.expires_at, mirrored = EXCLUDED.mirrored
        WHERE n.id = EXCLUDED.id OR n.expires_at <= $6
    RETURNING n.name";

/// Attempts before a transaction that conflicts with others gives up.
const TRIES: usize = 16;

pub(super) async fn insert(
    connection: &mut PgConnection,
    draft: &Draft,
    notice: Notice,
    now: Timestamp,
) -> Result<Inserted, DriverError> {
    for _ in 0..TRIES {
        match try_insert(connection, draft, notice, now).await {
            Err(fault) if fault.is_a_clash() => {}
            done => return done,
        }
    }
    Err(DriverError::Contended)
}

async fn try_insert(
    connection: &mut PgConnection,
    draft: &Draft,
    notice: Notice,
    now: Timestamp,
) -> Result<Inserted, DriverError> {
    let mut transaction = connection.begin().await?;
    let Draft { key, body, unique, expires_at } = draft;
    let put = sqlx::query(INSERT)
        .bind(&*key.site)
        .bind(key.kind.as_str())
        .bind(key.id.as_bytes())
        .bind(expires_at.map(seconds))
        .bind(names(unique))
        .bind(body)
        .bind(seconds(now))
        .execute(&mut *transaction)
        .await?;
    if put.rows_affected() == 0 {
        transaction.rollback().await?;
        return Ok(Inserted::Exists);
    }
    if let Some(name) = hold(&mut transaction, draft, now).await? {
        transaction.rollback().await?;
        return Ok(Inserted::Clash(name));
    }
    tell(&mut transaction, key, notice).await?;
    transaction.commit().await?;
    Ok(Inserted::Done)
}

pub(super) async fn replace(
    connection: &mut PgConnection,
    draft: &Draft,
    version: u64,
    notice: Notice,
    now: Timestamp,
) -> Result<Replaced, DriverError> {
    for _ in 0..TRIES {
        match try_replace(connection, draft, version, notice, now).await {
            Err(fault) if fault.is_a_clash() => {}
            done => return done,
        }
    }
    Err(DriverError::Contended)
}

async fn try_replace(
    connection: &mut PgConnection,
    draft: &Draft,
    version: u64,
    notice: Notice,
    now: Timestamp,
) -> Result<Replaced, DriverError> {
    let mut transaction = connection.begin().await?;
    let Draft { key, body, unique, expires_at } = draft;
    let put: Option<i64> = sqlx::query_scalar(REPLACE)
        .bind(&*key.site)
        .bind(key.kind.as_str())
        .bind(key.id.as_bytes())
        .bind(expires_at.map(seconds))
        .bind(names(unique))
        .bind(body)
        .bind(seconds(now))
        .bind(int(version))
        .fetch_optional(&mut *transaction)
        .await?;
    let Some(version) = put else {
        transaction.rollback().await?;
        return Ok(Replaced::Stale);
    };
    if let Some(name) = hold(&mut transaction, draft, now).await? {
        transaction.rollback().await?;
        return Ok(Replaced::Clash(name));
    }
    tell(&mut transaction, key, notice).await?;
    transaction.commit().await?;
    Ok(Replaced::Done(row::version(version)?))
}

/// Gives the record of `draft` its names, and lets go of those it had before. The first that it
/// cannot have, if there is one.
async fn hold(
    transaction: &mut PgConnection,
    draft: &Draft,
    now: Timestamp,
) -> Result<Option<String>, DriverError> {
    let Draft { key, unique, expires_at, .. } = draft;
    sqlx::query(FREE)
        .bind(&*key.site)
        .bind(key.kind.as_str())
        .bind(key.id.as_bytes())
        .bind(names(unique))
        .execute(&mut *transaction)
        .await?;
    let mut in_order: Vec<&String> = unique.iter().collect();
    in_order.sort_unstable();
    let wanted: Vec<&[u8]> = in_order.iter().map(|name| name.as_bytes()).collect();
    let backwards: Vec<Vec<u8>> = in_order.iter().map(|name| mirrored(name).into_bytes()).collect();
    let held: Vec<Vec<u8>> = sqlx::query_scalar(HOLD)
        .bind(&*key.site)
        .bind(key.kind.as_str())
        .bind(key.id.as_bytes())
        .bind(wanted)
        .bind(expires_at.map(seconds))
        .bind(seconds(now))
        .bind(backwards)
        .fetch_all(&mut *transaction)
        .await?;
    let is_held = |name: &str| held.iter().any(|held| held == name.as_bytes());
    Ok(unique.iter().find(|name| !is_held(name)).cloned())
}

async fn tell(
    transaction: &mut PgConnection,
    key: &Key,
    notice: Notice,
) -> Result<(), DriverError> {
    if let Some(subject) = notice_subject(key, notice) {
        sqlx::query("INSERT INTO castellan_feed (subject) VALUES ($1)")
            .bind(subject)
            .execute(transaction)
            .await?;
    }
    Ok(())
}
