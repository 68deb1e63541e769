//! The password of a `User` document: itself, or a hash that another program made.

use castellan_proto::{Digest, Secret};

use super::Problem;
use crate::{
    Issuer,
    records::Account,
    secrets::{hashing::Match, imported::Imported, policy::Unacceptable},
    sign_in::credential::PasswordProblem,
};

/// What is stored of a password.
pub(super) struct Password {
    /// Its hash.
    pub stored: Option<String>,
    /// The digest of the hash as it was imported.
    pub imported: Option<String>,
    /// Whether it is another one than before.
    pub changed: bool,
}

impl Password {
    /// One that is not written stays.
    pub async fn read(
        issuer: &Issuer,
        written: (Option<Secret>, Option<Secret>),
        before: Option<&Account>,
    ) -> Result<Self, Problem> {
        let kept = before.and_then(|before| before.password.clone());
        match written {
            (Some(_), Some(_)) => {
                Err(Problem::Text("set either password or passwordHash, not both".to_owned()))
            }
            (None, None) => {
                let imported = before.and_then(|before| before.imported.clone());
                Ok(Self { stored: kept, imported, changed: false })
            }
            (Some(secret), None) => {
                let written = issuer.settings().secrets.password(&secret).map_err(refused)?;
                let (stored, changed) =
                    match issuer.passwords().compare(&secret, kept.as_deref()).await? {
                        Match::Yes => (kept, false),
                        other => {
                            if let (Match::No, Some(before)) = (other, before) {
                                not_reused(issuer, &secret, before).await?;
                            }
                            let phc = issuer.passwords().hash(&written).await?;
                            (Some(phc), other == Match::No)
                        }
                    };
                Ok(Self { stored, imported: None, changed })
            }
            (None, Some(hash)) => {
                let hash = hash.expose();
                Imported::read(hash).map_err(|why| format!("passwordHash {why}"))?;
                let digest = Some(Digest::of(hash.as_bytes()).text());
                let is_known = before.is_some_and(|before| before.imported == digest);
                if is_known || kept.as_deref() == Some(hash) {
                    return Ok(Self { stored: kept, imported: digest, changed: false });
                }
                Ok(Self { stored: Some(hash.to_owned()), imported: digest, changed: true })
            }
        }
    }
}

async fn not_reused(issuer: &Issuer, secret: &Secret, before: &Account) -> Result<(), Problem> {
    match issuer.acceptable_password(secret, before).await {
        Ok(_) => Ok(()),
        Err(PasswordProblem::Unacceptable(why)) => Err(refused(why).into()),
        Err(PasswordProblem::Busy(busy)) => Err(busy.into()),
    }
}

fn refused(why: Unacceptable) -> String {
    match why {
        Unacceptable::Hash(_) => format!("password: {why}"),
        Unacceptable::Short(_) => {
            format!("password {why}; choose a longer one, or set password_min_length of the site")
        }
        Unacceptable::Blank
        | Unacceptable::Rules(_)
        | Unacceptable::Present
        | Unacceptable::Reused => {
            format!("password {why}")
        }
    }
}
