//! What the tables are, and how they are brought to the present format.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_issuer::store::names::mirrored;
use sqlx::{Connection as _, PgConnection};

use super::error::{DriverError, refused, unreachable};
use crate::{
    OpenError,
    format_state::{FormatState, LEFT, Migrate, Prepared, Progress, TOO_OLD, Unusable, too_new},
};

/// The format that this build writes.
const NEWEST: u64 = 2;
/// Names that are brought along in one statement, whose rows others wait for.
const STEP: i64 = 1_000;

/// The description of the tables.
struct Found {
    format: u64,
    /// The id of this database.
    database: String,
    is_wide: bool,
}

/// Migrates the tables as far as `migrate` says.
pub(super) async fn bring(
    connection: &mut PgConnection,
    migrate: Migrate,
) -> Result<Prepared, OpenError> {
    let mut found = look(connection).await?;
    let mut is_new = false;
    match &found {
        None if !migrate.creates() => {
            return Err(OpenError::missing(
                "has no Castellan tables yet",
                "run `castellan migrate` to create them, or check the name of the database",
            ));
        }
        Some(found) if found.is_wide || migrate == Migrate::Look => {}
        Some(_) if migrate == Migrate::No => {
            return Err(OpenError::server("postgres", TOO_OLD.problem, TOO_OLD.remedy));
        }
        _ => {
            is_new = widen(connection).await?;
            found = look(connection).await?;
        }
    }
    let Some(Found { mut format, database, .. }) = found else {
        let remedy = "check whether another program removes the tables of Castellan, and restart";
        return Err(OpenError::server(
            "postgres",
            "lost the tables after they were created",
            remedy,
        ));
    };
    if format < NEWEST && migrate >= Migrate::Fill {
        fill(connection).await.map_err(refused)?;
    }
    if format < NEWEST && migrate >= Migrate::Finish {
        format = narrow(connection).await?;
    }
    let format_state = FormatState { format, newest: NEWEST };
    Ok(Prepared { format_state, database, is_new })
}

/// Whether builds of a format before still work with the tables.
pub(super) async fn admits_older(connection: &mut PgConnection) -> Result<bool, DriverError> {
    let format = sqlx::query_scalar("SELECT format < $1 FROM castellan_meta");
    Ok(format.bind(i64::try_from(NEWEST).unwrap_or(i64::MAX)).fetch_one(connection).await?)
}

/// What exists; `None` without tables of Castellan.
async fn look(connection: &mut PgConnection) -> Result<Option<Found>, OpenError> {
    // A session that waited for another to make the tables finds them in the catalogue itself at
    // once, but by `to_regclass`, which reads a cache of it, only in the next transaction.
    let there: bool = sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT FROM pg_class WHERE relname = 'castellan_meta' AND pg_table_is_visible(oid)
         )",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(unreachable)?;
    if !there {
        return Ok(None);
    }
    let (format, database, is_wide): (i64, String, bool) = sqlx::query_as(
        "SELECT format, database, EXISTS (
             SELECT FROM pg_attribute WHERE attrelid = to_regclass('castellan_names')
                 AND attname = 'mirrored' AND NOT attisdropped
         ) FROM castellan_meta",
    )
    .fetch_one(connection)
    .await
    .map_err(refused)?;
    if let Ok(format @ 1..=NEWEST) = u64::try_from(format) {
        return Ok(Some(Found { format, database, is_wide }));
    }
    let Unusable { problem, remedy } = too_new(format, NEWEST);
    Err(OpenError::server("postgres", problem, remedy))
}

/// Makes the tables, or has those of a format before take what this build writes. Several nodes
/// may want to at a time: one does, the others find it done. Whether there were none.
async fn widen(connection: &mut PgConnection) -> Result<bool, OpenError> {
    let mut moment = connection.begin().await.map_err(unreachable)?;
    alone(&mut moment).await?;
    let found = look(&mut moment).await?;
    let is_new = found.is_none();
    match found {
        Some(found) if found.is_wide => {}
        Some(_) => {
            let wider = sqlx::raw_sql(include_str!("format-2.sql"));
            wider.execute(&mut *moment).await.map_err(refused)?;
        }
        None => {
            for sql in [include_str!("schema.sql"), include_str!("format-2.sql"), NARROW] {
                sqlx::raw_sql(sql).execute(&mut *moment).await.map_err(refused)?;
            }
            sqlx::query("INSERT INTO castellan_meta (format, database) VALUES ($1, $2)")
                .bind(i64::try_from(NEWEST).unwrap_or(i64::MAX))
                .bind(URL_SAFE_NO_PAD.encode(castellan_proto::random::<12>()))
                .execute(&mut *moment)
                .await
                .map_err(refused)?;
        }
    }
    moment.commit().await.map_err(refused)?;
    Ok(is_new)
}

/// Makes every other node that is about to change tables wait until the transaction ends. What one
/// node does to them on a busy database takes longer than a statement otherwise may.
async fn alone(moment: &mut PgConnection) -> Result<(), OpenError> {
    let patience = "SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = '60s'";
    sqlx::raw_sql(patience).execute(&mut *moment).await.map_err(refused)?;
    // Not on any path but this one.
    let lock = sqlx::query("SELECT pg_advisory_xact_lock(hashtext('castellan migrate'))");
    lock.execute(moment).await.map(drop).map_err(refused)
}

const UNMIRRORED: &str = "SELECT count(*) FROM castellan_names WHERE mirrored IS NULL";

/// From here on a node of an older build that is still running cannot write what lists then lack.
const NARROW: &str = "ALTER TABLE castellan_names ALTER COLUMN mirrored SET NOT NULL";

/// Converts what versions of the previous format wrote, in small steps so that nothing is blocked
/// for long. If interrupted, it continues where it was.
async fn fill(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let left: i64 = sqlx::query_scalar(UNMIRRORED).fetch_one(&mut *connection).await?;
    let mut progress = Progress::begin(u64::try_from(left).unwrap_or(0));
    let mut last = (String::new(), String::new(), Vec::new());
    loop {
        let found: Vec<(String, String, Vec<u8>)> = sqlx::query_as(
            "SELECT site, kind, name FROM castellan_names
             WHERE (site, kind, name) > ($1, $2, $3) AND mirrored IS NULL
             ORDER BY site, kind, name LIMIT $4",
        )
        .bind(&last.0)
        .bind(&last.1)
        .bind(&last.2)
        .bind(STEP)
        .fetch_all(&mut *connection)
        .await?;
        let Some(end) = found.last().cloned() else {
            progress.end();
            return Ok(());
        };
        last = end;
        progress.step(found.len() as u64);
        let (mut sites, mut kinds) = (Vec::new(), Vec::new());
        let (mut names, mut backwards) = (Vec::new(), Vec::new());
        for (site, kind, name) in found {
            backwards.push(mirrored(&String::from_utf8_lossy(&name)).into_bytes());
            sites.push(site);
            kinds.push(kind);
            names.push(name);
        }
        sqlx::query(
            "UPDATE castellan_names n SET mirrored = k.mirrored
             FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[])
                 AS k (site, kind, name, mirrored)
             WHERE n.site = k.site AND n.kind = k.kind AND n.name = k.name",
        )
        .bind(sites)
        .bind(kinds)
        .bind(names)
        .bind(backwards)
        .execute(&mut *connection)
        .await?;
    }
}

/// Has the tables refuse builds of the format before, if nothing of theirs is left.
async fn narrow(connection: &mut PgConnection) -> Result<u64, OpenError> {
    let mut moment = connection.begin().await.map_err(unreachable)?;
    alone(&mut moment).await?;
    // Later writers see the new format.
    let lock = sqlx::query("LOCK TABLE castellan_names IN SHARE ROW EXCLUSIVE MODE");
    lock.execute(&mut *moment).await.map_err(refused)?;
    let left: i64 =
        sqlx::query_scalar(UNMIRRORED).fetch_one(&mut *moment).await.map_err(refused)?;
    if left > 0 {
        return Err(OpenError::server("postgres", LEFT.problem, LEFT.remedy));
    }
    sqlx::raw_sql(NARROW).execute(&mut *moment).await.map_err(refused)?;
    sqlx::query("UPDATE castellan_meta SET format = $1")
        .bind(i64::try_from(NEWEST).unwrap_or(i64::MAX))
        .execute(&mut *moment)
        .await
        .map_err(refused)?;
    moment.commit().await.map_err(refused)?;
    Ok(NEWEST)
}
