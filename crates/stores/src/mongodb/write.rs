//! The operations that write a whole document. If the unique index refuses, the record in conflict
//! is read, and if that one has expired, its name is released.

use ::mongodb::{
    Collection,
    bson::{Document, doc},
};
use castellan_issuer::store::{Draft, Inserted, Replaced};
use castellan_proto::Timestamp;

use super::{
    document::{document, int, names, place, seconds},
    error::{DriverError, is_duplicate},
    live,
};

/// Attempts before a write that always conflicts with others gives up.
const TRIES: usize = 64;

pub(super) async fn insert(
    records: &Collection<Document>,
    draft: &Draft,
    now: Timestamp,
) -> Result<Inserted, DriverError> {
    let new = document(draft, 1);
    for _ in 0..TRIES {
        match records.insert_one(&new).await {
            Ok(_) => return Ok(Inserted::Done),
            Err(error) if is_duplicate(&error) => {}
            Err(error) => return Err(error.into()),
        }
        // Over what has expired, if the key is what is in use.
        let mut expired = doc! { "_id": place(&draft.key) };
        expired.extend(doc! { "e": { "$ne": null, "$lte": seconds(now) } });
        match records.replace_one(expired, &new).await {
            Ok(done) if done.matched_count == 1 => return Ok(Inserted::Done),
            Ok(_) => {}
            Err(error) if is_duplicate(&error) => {}
            Err(error) => return Err(error.into()),
        }
        let mut here = doc! { "_id": place(&draft.key) };
        here.extend(live(now));
        if records.find_one(here).await?.is_some() {
            return Ok(Inserted::Exists);
        }
        if let Some(name) = clash(records, draft, now).await? {
            return Ok(Inserted::Clash(name));
        }
    }
    Err(DriverError::Contended)
}

pub(super) async fn replace(
    records: &Collection<Document>,
    draft: &Draft,
    version: u64,
    now: Timestamp,
) -> Result<Replaced, DriverError> {
    let next = version.saturating_add(1);
    let new = document(draft, next);
    for _ in 0..TRIES {
        let mut present = doc! { "_id": place(&draft.key), "v": int(version), "t": false };
        present.extend(live(now));
        match records.replace_one(present, &new).await {
            Ok(done) if done.matched_count == 1 => return Ok(Replaced::Done(next)),
            Ok(_) => return Ok(Replaced::Stale),
            Err(error) if is_duplicate(&error) => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(name) = clash(records, draft, now).await? {
            return Ok(Replaced::Clash(name));
        }
    }
    Err(DriverError::Contended)
}

/// The first name of `draft` that another record has. Names of expired records are released.
async fn clash(
    records: &Collection<Document>,
    draft: &Draft,
    now: Timestamp,
) -> Result<Option<String>, DriverError> {
    let own = place(&draft.key);
    for (name, indexed) in draft.unique.iter().zip(names(&draft.key, &draft.unique)) {
        let held = doc! { "n": &indexed, "_id": { "$ne": &own } };
        let Some(holder) = records.find_one(held).await? else { continue };
        let place = holder.get_str("_id").map_err(|_| DriverError::Damaged("place"))?;
        let expired = holder.get_i64("e").is_ok_and(|end| end <= seconds(now));
        if !expired {
            return Ok(Some(name.clone()));
        }
        // Only if it is the record that was read, and still expired.
        let same = doc! { "_id": place, "e": { "$ne": null, "$lte": seconds(now) } };
        let without = doc! { "$set": { "n": [format!("none:{place}")] } };
        records.update_one(same, without).await?;
    }
    Ok(None)
}
