//! The verbs that read, and those that take or remove one document.

use std::{collections::HashMap, sync::Arc};

use ::mongodb::{
    Collection, Database,
    bson::{Bson, Document, doc},
    error::ErrorKind,
    options::ReturnDocument,
};
use castellan_issuer::store::{Key, Kind, NameQuery, Named, PageQuery, Record, Taken};
use castellan_proto::Timestamp;

use super::{
    document::{self, int, key_of, place, room, seconds},
    error::DriverError,
    live,
};
use crate::hex::{hex, unhex};

/// All documents that `filter` matches.
async fn all(
    records: &Collection<Document>,
    filter: Document,
    order: Option<Document>,
    limit: Option<i64>,
) -> Result<Vec<Document>, DriverError> {
    let mut find = records.find(filter);
    if let Some(order) = order {
        find = find.sort(order);
    }
    if let Some(limit) = limit {
        find = find.limit(limit);
    }
    let mut cursor = find.await?;
    let mut found = Vec::new();
    while cursor.advance().await? {
        found.push(cursor.deserialize_current()?);
    }
    Ok(found)
}

pub(super) async fn get_many(
    records: &Collection<Document>,
    keys: &[Key],
    now: Timestamp,
) -> Result<Vec<Option<Record>>, DriverError> {
    let places: Vec<String> = keys.iter().map(place).collect();
    let mut filter = doc! { "_id": { "$in": &places }, "t": false };
    filter.extend(live(now));
    let mut found: HashMap<String, Document> = HashMap::new();
    for document in all(records, filter, None, None).await? {
        let place = document.get_str("_id").map_err(|_| DriverError::Damaged("place"))?.to_owned();
        found.insert(place, document);
    }
    keys.iter()
        .zip(&places)
        .map(|(key, place)| {
            found.get(place).map(|document| document::record(key.clone(), document)).transpose()
        })
        .collect()
}

/// The record with the unique name given as the id in `name`.
pub(super) async fn find(
    records: &Collection<Document>,
    name: &Key,
    now: Timestamp,
) -> Result<Option<Record>, DriverError> {
    let mut filter = doc! { "n": place(name), "t": false };
    filter.extend(live(now));
    let Some(document) = records.find_one(filter).await? else { return Ok(None) };
    document::record(key_of(&name.site, name.kind, &document)?, &document).map(Some)
}

pub(super) async fn take(
    records: &Collection<Document>,
    key: &Key,
    now: Timestamp,
) -> Result<Taken, DriverError> {
    let mut filter = doc! { "_id": place(key), "t": false };
    filter.extend(live(now));
    let taken = records
        .find_one_and_update(filter, doc! { "$set": { "t": true } })
        .return_document(ReturnDocument::Before)
        .await?;
    if let Some(document) = taken {
        return Ok(Taken::First(document::record(key.clone(), &document)?));
    }
    let mut filter = doc! { "_id": place(key), "t": true };
    filter.extend(live(now));
    Ok(match records.find_one(filter).await? {
        Some(document) => Taken::Again(document::record(key.clone(), &document)?),
        None => Taken::None,
    })
}

pub(super) async fn delete(
    records: &Collection<Document>,
    key: &Key,
    version: Option<u64>,
    now: Timestamp,
) -> Result<bool, DriverError> {
    let mut filter = doc! { "_id": place(key) };
    if let Some(version) = version {
        filter.insert("v", int(version));
    }
    filter.extend(live(now));
    Ok(records.delete_one(filter).await?.deleted_count == 1)
}

pub(super) async fn page(
    records: &Collection<Document>,
    query: &PageQuery,
    now: Timestamp,
) -> Result<Vec<Record>, DriverError> {
    if query.limit == 0 {
        return Ok(Vec::new());
    }
    let room = room(&query.site, query.kind);
    let prefix = room.clone() + &hex(&query.prefix);
    // `g` comes after every hexadecimal digit: the end of all that begins so.
    let mut range = doc! { "$gte": &prefix, "$lt": format!("{prefix}g") };
    if let Some(after) = query.after.as_ref().filter(|after| **after >= query.prefix) {
        range.insert("$gt", room + &hex(after));
    }
    let mut filter = doc! { "_id": range, "t": false };
    filter.extend(live(now));
    let limit = i64::try_from(query.limit).ok().filter(|limit| *limit < i64::from(i32::MAX));
    let found = all(records, filter, Some(doc! { "_id": 1 }), limit).await?;
    found
        .iter()
        .map(|found| document::record(key_of(&query.site, query.kind, found)?, found))
        .collect()
}

/// Names by their beginning, from their index. There is no index of endings, because every document
/// would have to be in it, although most have no names.
pub(super) async fn page_by_start(
    records: &Collection<Document>,
    query: &NameQuery,
    now: Timestamp,
) -> Result<Vec<Named>, DriverError> {
    let Some(limit) = i64::try_from(query.limit).ok().filter(|limit| *limit > 0) else {
        return Ok(Vec::new());
    };
    let room = room(&query.site, query.kind);
    let prefix = room.clone() + &hex(&query.part);
    let mut range = doc! { "$gte": &prefix, "$lt": format!("{prefix}g") };
    if let Some(after) = &query.after {
        let after = room.clone() + &hex(after);
        if query.descending {
            range.insert("$lt", after.min(format!("{prefix}g")));
        } else if after >= prefix {
            range.insert("$gt", after);
        }
    }
    let direction = if query.descending { -1 } else { 1 };
    let mut holders = doc! { "n": { "$elemMatch": &range }, "t": false };
    holders.extend(live(now));
    // Each document once per name, and then only the names that match.
    let steps = [
        doc! { "$match": holders },
        doc! { "$addFields": { "m": "$n" } },
        doc! { "$unwind": "$m" },
        doc! { "$match": { "m": range } },
        doc! { "$sort": { "m": direction } },
        doc! { "$limit": limit },
    ];
    let mut cursor = records.aggregate(steps).await?;
    let mut found = Vec::new();
    while cursor.advance().await? {
        let document = cursor.deserialize_current()?;
        let name = document.get_str("m").ok().and_then(|name| unhex(name.strip_prefix(&*room)?));
        let key = key_of(&query.site, query.kind, &document)?;
        let record = document::record(key, &document)?;
        found.push(Named { name: name.ok_or(DriverError::Damaged("names"))?, record });
    }
    Ok(found)
}

pub(super) async fn count(
    records: &Collection<Document>,
    site: &Arc<str>,
    kind: Kind,
    now: Timestamp,
) -> Result<u64, DriverError> {
    let room = room(site, kind);
    let mut filter = doc! { "_id": { "$gte": &room, "$lt": format!("{room}g") }, "t": false };
    filter.extend(live(now));
    Ok(records.count_documents(filter).await?)
}

/// Removes expired documents one by one, each only if it is still expired.
pub(super) async fn sweep(
    records: &Collection<Document>,
    now: Timestamp,
    limit: usize,
) -> Result<usize, DriverError> {
    if limit == 0 {
        return Ok(0);
    }
    let old = doc! { "e": { "$ne": null, "$lte": seconds(now) } };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = all(records, old.clone(), Some(doc! { "e": 1 }), Some(limit)).await?;
    let places: Vec<Bson> = found.iter().filter_map(|found| found.get("_id").cloned()).collect();
    if places.is_empty() {
        return Ok(0);
    }
    let mut doomed = doc! { "_id": { "$in": places } };
    doomed.extend(old);
    let gone = records.delete_many(doomed).await?.deleted_count;
    Ok(usize::try_from(gone).unwrap_or(0))
}

/// What time it is at the primary, in milliseconds since the Unix epoch, if it says.
pub(super) async fn clock(place: &Database) -> Result<Option<u64>, DriverError> {
    // The same under two names: what speaks the protocol knows at least one.
    for greeting in ["hello", "isMaster"] {
        match place.run_command(doc! { greeting: 1 }).await {
            Ok(reply) => {
                if let Ok(time) = reply.get_datetime("localTime") {
                    return Ok(u64::try_from(time.timestamp_millis()).ok());
                }
            }
            Err(error) if matches!(*error.kind, ErrorKind::Command(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}
