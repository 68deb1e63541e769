//! Token families: refresh tokens and opaque access tokens are a family's id, a generation and a
//! code over both. Nothing of them is stored, so a successor can be made again, and a forgery
//! costs no round trip (`docs/rules.md` rule 31).

use std::sync::atomic::{AtomicU64, Ordering};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::{Opaque, OpaqueKind, Timestamp, constant_time_eq, random};

use crate::{
    Issuer,
    audit::{AuditKind, Event, origin::Party},
    keys::Branch,
    records::{
        Family,
        repository::{Update, Versioned},
    },
    store::{Kind, Notice, StoreError},
};

/// The content of a refresh token or an opaque access token whose MAC has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyToken {
    /// The family's id.
    pub family: String,
    /// Which refresh token, or which access token, of the family.
    pub generation: u32,
    /// When an access token expires; nothing for a refresh token.
    pub expires: Timestamp,
}

/// Bytes of an id.
const ID: usize = 16;
const CODE: usize = 16;
/// Random bytes of a code that people and devices carry.
const CODE_CHANCE: usize = 32;
/// Characters of an id that say when it was made.
const WHEN: usize = 8;
/// Random bytes after them. Forgery is prevented by the MAC.
const CHANCE: usize = 10;
/// The characters of base64url in the order in which texts are sorted.
const SORTED: &[u8; 64] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

/// A fresh family's id, which is sorted behind those that this process made before. Rows that are
/// written together lie together then, where a data source keeps them in order: a page of SQLite
/// takes ten of them, while random ids would write a page for each.
pub(crate) fn new_id(now: Timestamp) -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let after = |last: u64| Some((last + 1).max(now.0 << 16));
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after);
    let when = last.ok().and_then(after).unwrap_or_default();
    let digit =
        |at: usize| usize::try_from((when >> (6 * (WHEN - 1 - at))) & 63).unwrap_or_default();
    let mut id: String = (0..WHEN).map(|at| char::from(SORTED[digit(at)])).collect();
    URL_SAFE_NO_PAD.encode_string(random::<CHANCE>(), &mut id);
    id
}

/// A code, of an app or a device, that is redeemed for `family`. It contains the id, so that the
/// family is found if the code is presented again after its own record has expired. The rest of the
/// code proves that the caller has it: the family stores the key of the code's record.
pub(crate) fn code_of(kind: OpaqueKind, family: &str) -> Opaque {
    let mut payload = URL_SAFE_NO_PAD.decode(family).unwrap_or_default();
    payload.extend(random::<CODE_CHANCE>());
    Opaque::carrying(kind, payload)
}

/// The family that `code` is redeemed for. None for a code of an earlier version, which carries none.
fn family_in(code: &Opaque) -> Option<String> {
    let (id, chance) = code.payload().split_at_checked(ID)?;
    (chance.len() == CODE_CHANCE).then(|| URL_SAFE_NO_PAD.encode(id))
}

impl Issuer {
    /// Ends the family that `code` was redeemed for, if there is one: somebody else has the code as
    /// well (RFC 6749 §4.1.2). `code_id` is the key of the code's record.
    pub(crate) async fn end_family_of(
        &self,
        code: &Opaque,
        code_id: &str,
    ) -> Result<(), StoreError> {
        let Some(id) = family_in(code) else { return Ok(()) };
        let found = self.family(&id).await?;
        if found.is_some_and(|stored| stored.body.code.as_deref() == Some(code_id)) {
            self.end_family(&id).await?;
        }
        Ok(())
    }

    /// The text of `member`.
    pub(crate) fn family_token_text(
        &self,
        kind: OpaqueKind,
        family_token: &FamilyToken,
    ) -> Option<String> {
        let mut payload =
            URL_SAFE_NO_PAD.decode(&family_token.family).ok().filter(|id| id.len() == ID)?;
        payload.extend(family_token.generation.to_be_bytes());
        payload.extend(family_token.expires.0.to_be_bytes());
        let code = self.member_code(kind, &payload);
        payload.extend(code);
        Some(Opaque::carrying(kind, payload).text())
    }

    /// Reads `text`; `None` if this site did not make it.
    pub(crate) fn read_family_token(&self, kind: OpaqueKind, text: &str) -> Option<FamilyToken> {
        let opaque = Opaque::read(kind, text)?;
        let (signed, code) = opaque.payload().split_at_checked(ID + 4 + 8)?;
        if !constant_time_eq(&self.member_code(kind, signed), code) {
            return None;
        }
        let (id, rest) = signed.split_at(ID);
        let (generation, expires) = rest.split_at(4);
        Some(FamilyToken {
            family: URL_SAFE_NO_PAD.encode(id),
            generation: u32::from_be_bytes(generation.try_into().ok()?),
            expires: Timestamp(u64::from_be_bytes(expires.try_into().ok()?)),
        })
    }

    /// Whether `text` is an opaque access token that this site made, whatever became of it.
    pub(crate) fn made_access_token(&self, text: &str) -> bool {
        self.read_family_token(OpaqueKind::Access, text).is_some()
    }

    fn member_code(&self, kind: OpaqueKind, signed: &[u8]) -> [u8; CODE] {
        let label: &[u8] = if kind == OpaqueKind::Refresh { b"refresh" } else { b"access" };
        let site = self.repository().site().as_bytes();
        let message = [label, &[0], site, &[0], signed].concat();
        let full = self.root().hmac(Branch::Refresh).code(&message);
        let mut code = [0; CODE];
        code.copy_from_slice(&full[..CODE]);
        code
    }

    /// Ends a family for good: the record, then the feed, then this node (`docs/rules.md` rule 30).
    /// If it has ended already, the notice is written again.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; the family may or may not be over.
    pub async fn end_family(&self, id: &str) -> Result<(), StoreError> {
        let (now, key) = (self.now(), self.repository().key(Kind::Family, id));
        let end = |stored: Option<Family>| {
            Ok::<_, StoreError>(match stored {
                Some(family) if !family.ended => {
                    // One that would never expire is listed as closed for as long as the longest
                    // session, and then goes: rows do not pile up.
                    let longest = self.settings().session_absolute.get().as_secs();
                    let listed = Timestamp(now.0 + longest.max(family.access_seconds));
                    let ends = Some(family.ends.unwrap_or(listed));
                    let whose = Party::through(family.account.as_deref(), &family.client);
                    let ended = Family { ended: true, ended_at: Some(now), ends, ..family };
                    Update::Write(ended, Notice::Tell, Some(whose))
                }
                _ => Update::Leave(None),
            })
        };
        match self.repository().update(id, now, end).await? {
            Some(whose) => {
                self.audit(Event::of(AuditKind::TokenRevoked).by(whose).target("Session", id));
            }
            None => self.repository().store().notify(&key).await?,
        }
        self.bump(Kind::Family, id);
        Ok(())
    }

    /// Makes sure that a family that may not exist yet never comes to life.
    pub(crate) async fn forestall_family(&self, id: &str, dead: &Family) -> Result<(), StoreError> {
        self.repository().insert(id, dead, self.now()).await?;
        // Whichever was first: what is there now is ended.
        self.end_family(id).await
    }

    pub(crate) async fn family(&self, id: &str) -> Result<Option<Versioned<Family>>, StoreError> {
        self.repository().get::<Family>(id, self.now()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_and_are_sixteen_bytes() {
        let now = Timestamp(1_800_000_000);
        let clocks = [now, now, Timestamp(now.0 + 1), Timestamp(now.0 - 60), now];
        let ids: Vec<String> =
            clocks.into_iter().flat_map(|now| (0..200).map(move |_| new_id(now))).collect();
        assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
        for id in ids {
            let bytes = URL_SAFE_NO_PAD.decode(&id).unwrap();
            assert_eq!((bytes.len(), URL_SAFE_NO_PAD.encode(bytes)), (ID, id));
        }
    }
}
