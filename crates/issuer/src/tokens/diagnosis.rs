//! Why an access token of this site is no good, in as much detail as operators may have. Responses say
//! less: one answer for all ([`VerifyError::Invalid`](super::verified::VerifyError)).

use std::fmt;

use castellan_proto::Timestamp;

use crate::{
    Issuer,
    records::{Family, repository::read},
    store::{Kind, StoreError},
    tokens::dependencies::{Dependencies, Missing},
};

/// What is wrong with an access token that this site made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessProblem {
    /// Its time passed.
    Expired(Timestamp),
    /// The person is deactivated; when their account was last changed.
    PersonInactive(String, Timestamp),
    /// The person was deleted, or deleted and created anew.
    PersonGone(String),
    /// The person has another password since, or ended the session or all of them.
    SignInEnded(String),
    /// The person took back the consent, or gave another one: who, and of which app.
    ConsentWithdrawn(String, String),
    /// The app is deactivated; when it was last changed.
    AppInactive(String, Timestamp),
    /// The app was deleted, or deleted and created anew.
    AppGone(String),
    /// What was issued to the app was revoked as a whole.
    AppRevoked(String),
    /// It was revoked, or its authorization has ended; when, if that is known.
    Revoked(Option<Timestamp>),
    /// A newer one took its place.
    Replaced,
    /// Its authorization is not stored any more: it was deleted together with its person or app, or
    /// ended long ago.
    Forgotten,
}

impl AccessProblem {
    /// What it is, in a word that programs can rely on.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Expired(_) => "expired",
            Self::PersonInactive(..) | Self::AppInactive(..) => "deactivated",
            Self::PersonGone(_) | Self::AppGone(_) => "deleted",
            Self::ConsentWithdrawn(..) => "withdrawn",
            Self::SignInEnded(_) | Self::AppRevoked(_) | Self::Revoked(_) | Self::Forgotten => {
                "revoked"
            }
            Self::Replaced => "replaced",
        }
    }

    /// Since when, as far as that is known; of what is deactivated, not before then.
    #[must_use]
    pub const fn since(&self) -> Option<Timestamp> {
        match self {
            Self::Expired(at) => Some(*at),
            Self::Revoked(at) => *at,
            _ => None,
        }
    }
}

impl fmt::Display for AccessProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(at) => write!(f, "the access token has expired, at {}", at.rfc3339()),
            Self::PersonInactive(id, changed) => write!(
                f,
                "deactivated: User/{id} is deactivated (last changed at {})",
                changed.rfc3339()
            ),
            Self::PersonGone(id) => write!(f, "deleted: User/{id} was deleted or created anew"),
            Self::SignInEnded(id) => write!(
                f,
                "revoked: User/{id} has another password since, or ended the session that the token \
                 is from"
            ),
            Self::ConsentWithdrawn(id, client) => write!(
                f,
                "withdrawn: User/{id} took back the consent for Client/{client}, or agreed to less"
            ),
            Self::AppInactive(id, changed) => write!(
                f,
                "deactivated: Client/{id} is deactivated (last changed at {})",
                changed.rfc3339()
            ),
            Self::AppGone(id) => write!(f, "deleted: Client/{id} was deleted or created anew"),
            Self::AppRevoked(id) => {
                write!(f, "revoked: all that was issued to Client/{id} before was revoked")
            }
            Self::Revoked(Some(at)) => {
                write!(f, "revoked: the token or its authorization was revoked at {}", at.rfc3339())
            }
            Self::Revoked(None) => write!(f, "revoked: the token or its authorization was revoked"),
            Self::Replaced => write!(f, "replaced: a newer access token took its place"),
            Self::Forgotten => write!(
                f,
                "revoked: its authorization is not stored any more; it was deleted with its person or \
                 app, or ended long ago"
            ),
        }
    }
}

impl Issuer {
    /// What is wrong with `token`; `None` if nothing is, or if it is no access token that this site
    /// made.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be determined.
    pub async fn access_problem(&self, token: &str) -> Result<Option<AccessProblem>, StoreError> {
        let now = self.now();
        let Some(content) = self.read_access(token) else { return Ok(None) };
        if content.expires <= now {
            return Ok(Some(AccessProblem::Expired(content.expires)));
        }
        let key = self.repository().key(Kind::Family, &content.family);
        let found = self.repository().store().get_many(&[key], now).await?;
        let Some(found) = found.into_iter().next().flatten() else {
            return Ok(Some(AccessProblem::Forgotten));
        };
        let family = read::<Family>(found)?.body;
        let is_jwt = content.carried.is_some();
        let scope = content.carried.map(|carried| carried.scope);
        let scope = scope.unwrap_or_else(|| family.current_scope().clone());
        // First: what ended a person or an app has ended their authorizations as well.
        let (dependencies, missing) = Dependencies::of(self, &family, &scope).await?;
        if let Some(missing) = missing {
            return Ok(Some(problem_of(missing, &dependencies, &family)));
        }
        if family.ended {
            return Ok(Some(AccessProblem::Revoked(family.ended_at)));
        }
        let outdated = family.ends_previous && content.generation != family.access_generation;
        let rescoped = !is_jwt && content.generation < family.opaque_from;
        Ok((outdated || rescoped).then_some(AccessProblem::Replaced))
    }
}

fn problem_of(missing: Missing, found: &Dependencies, family: &Family) -> AccessProblem {
    let app = family.client.clone();
    let person = family.account.clone().or_else(|| family.registrant.clone()).unwrap_or_default();
    match (missing, &found.client, &found.account) {
        (Missing::Client, None, _) => AccessProblem::AppGone(app),
        (Missing::Client, Some(client), _) if !client.active => {
            AccessProblem::AppInactive(app, client.modified)
        }
        (Missing::Client, Some(client), _) if client.created > family.created => {
            AccessProblem::AppGone(app)
        }
        (Missing::Client, ..) => AccessProblem::AppRevoked(app),
        (Missing::Person, _, Some(account)) => {
            AccessProblem::PersonInactive(person, account.modified)
        }
        (Missing::Person, _, None) => AccessProblem::PersonGone(person),
        (Missing::Session, _, Some(account)) if account.created > family.created => {
            AccessProblem::PersonGone(person)
        }
        (Missing::Session, ..) => AccessProblem::SignInEnded(person),
        (Missing::Consent, ..) => AccessProblem::ConsentWithdrawn(person, app),
    }
}
