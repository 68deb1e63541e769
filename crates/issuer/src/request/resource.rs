//! Resource indicators (RFC 8707): the APIs that a token is for, if not for all of them.

use serde::{Deserialize, Serialize};

use crate::{Issuer, error::OAuthError, records::Family, request::params::Params};

/// Resources of one request at most.
const MOST: usize = 16;

/// What `asked` names of `most`; none if it names nothing.
///
/// # Errors
/// [`OAuthError::Target`] naming the first that is not among `most`.
pub(crate) fn resources_within<'a>(
    asked: impl IntoIterator<Item = &'a str>,
    most: &[String],
) -> Result<Option<Vec<String>>, OAuthError> {
    let mut named: Vec<String> = Vec::new();
    for resource in asked {
        let known = most.iter().any(|one| one == resource);
        if !known || named.len() == MOST {
            let shown = resource.chars().filter(char::is_ascii_graphic).take(128).collect();
            return Err(OAuthError::Target(shown));
        }
        if !named.iter().any(|other| other == resource) {
            named.push(resource.to_owned());
        }
    }
    Ok((!named.is_empty()).then_some(named))
}

impl Issuer {
    /// Everything that a client's tokens may be for: this issuer, each of its guards, and what the
    /// client names besides.
    pub(crate) fn targets(&self, also: &[String]) -> Vec<String> {
        let place = self.address();
        let all = std::iter::once(&place.issuer).chain(&place.resources).chain(also);
        all.cloned().collect()
    }

    /// The audience of the next access token of `family`, if `params` narrow it. The issuer stands
    /// for each of its guards, so an audience that contains it may be narrowed to some of them (RFC
    /// 8707 §2.2).
    ///
    /// # Errors
    /// [`OAuthError::Target`] naming the first resource that the family is not for.
    pub(crate) fn narrowed_audience(
        &self,
        params: &Params,
        family: &Family,
    ) -> Result<Option<Vec<String>>, OAuthError> {
        let place = self.address();
        let for_all = family.audience.contains(&place.issuer);
        let guards = if for_all { &*place.resources } else { &[] };
        let most: Vec<_> = family.audience.iter().chain(guards).cloned().collect();
        let mut named = resources_within(params.resources(), &most)?;
        // An app of `/oauth` is always named (`docs/contracts/decidim.md` §4).
        if let Some(named) = &mut named
            && family.profile.names_client_in_audience()
            && !named.contains(&family.client)
        {
            named.push(family.client.clone());
        }
        Ok(named)
    }
}

impl Family {
    /// Who its newest access token is for.
    #[must_use]
    pub fn current_audience(&self) -> &[String] {
        self.narrowed_audience.as_deref().unwrap_or(&self.audience)
    }
}

/// One audience as a text, several as a list (RFC 7519 §4.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// A single value.
    One(String),
    /// Several values.
    Many(Vec<String>),
}

impl Audience {
    /// Whether there are any, and every one is among `names`.
    #[must_use]
    pub fn are_all_of(&self, names: &[String]) -> bool {
        match self {
            Self::One(one) => names.contains(one),
            Self::Many(many) => !many.is_empty() && many.iter().all(|one| names.contains(one)),
        }
    }

    /// The values as a list.
    #[must_use]
    pub fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

impl From<Vec<String>> for Audience {
    fn from(mut names: Vec<String>) -> Self {
        if names.len() == 1 { Self::One(names.swap_remove(0)) } else { Self::Many(names) }
    }
}
