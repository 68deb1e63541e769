//! What is kept about a person for one purpose (`docs/contracts/curity.md` §§6.1, 6.2).

use serde_json::{Value, json};

use super::{actor::Actor, error::AccountError};
use crate::{
    Issuer,
    records::{Bucket, repository::Versioned},
    resources::ResourceKind,
    store::StoreError,
};

/// Purposes that one query can ask for.
const MOST_PURPOSES: usize = 100;

impl Issuer {
    /// The buckets of the subject `user_name` for `purposes`, in that order, as far as there are any.
    ///
    /// # Errors
    /// [`AccountError`] if too many are asked for, or the store fails.
    pub async fn buckets(
        &self,
        user_name: &str,
        purposes: &[&str],
    ) -> Result<Vec<Value>, AccountError> {
        if purposes.len() > MOST_PURPOSES {
            let text = format!("purposes: must not have more than {MOST_PURPOSES} values");
            return Err(AccountError::Invalid(text));
        }
        let mut found = Vec::new();
        for (at, purpose) in purposes.iter().enumerate() {
            if purposes[..at].contains(purpose) {
                continue;
            }
            if let Some(bucket) = self.bucket(user_name, purpose).await? {
                found.push(json!({
                    "subject": bucket.body.subject,
                    "purpose": bucket.body.purpose,
                    "attributes": bucket.body.attributes,
                }));
            }
        }
        Ok(found)
    }

    /// Deletes the bucket of the subject `user_name` for `purpose`; `false` if there is none.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn delete_bucket(
        &self,
        actor: &Actor,
        user_name: &str,
        purpose: &str,
    ) -> Result<bool, AccountError> {
        if let Some(person) = self.find_by_user_name(user_name).await? {
            actor.may_touch(&person.id, &person.body)?;
        }
        let Some(bucket) = self.bucket(user_name, purpose).await? else { return Ok(false) };
        Ok(self.remove(ResourceKind::BUCKET, &bucket.id).await?)
    }

    async fn bucket(
        &self,
        user_name: &str,
        purpose: &str,
    ) -> Result<Option<Versioned<Bucket>>, StoreError> {
        let name = Bucket::unique_name(user_name, purpose);
        self.repository().find::<Bucket>(&name, self.now()).await
    }
}
