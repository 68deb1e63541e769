//! What a `Client` document says of one grant (`docs/contracts/aidbox.md` §2.1), and how a grant
//! reads and shows it.

use castellan_proto::strict_json;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::records::{GrantSettings, Refresh, Rotation, TokenProfile};

/// A year: longer is a mistake of units (`docs/contracts/aidbox.md` §11, item 16).
const LONGEST: u64 = 31_536_000;

/// Why rotation cannot be set.
pub(crate) const NOTHING_TO_ROTATE: &str = "refresh_token_rotation: there are no refresh tokens of authorization_code to rotate; set \
     refresh_token: true, or remove it";

/// A grant that a document asks for.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is what a document says by itself")]
pub struct AskedGrant<'a> {
    /// The value under the name of the grant in `auth`.
    pub written: Option<&'a Value>,
    /// Whether the client can prove who it is.
    pub has_secret: bool,
    /// Whether its access tokens are always bound to a key (RFC 9449 §5.2).
    pub dpop_bound: bool,
    /// The contract that its tokens follow.
    pub profile: TokenProfile,
    /// Whether the client is one of the site's own.
    pub first_party: bool,
    /// Whether `grant_types` names `refresh_token`.
    pub refreshes: bool,
    /// What the document says of rotation at its top.
    pub rotation: Option<Rotation>,
}

impl AskedGrant<'_> {
    /// What is written, or the default of it where nothing is.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read<T: DeserializeOwned + Default>(&self) -> Result<T, String> {
        match self.written {
            Some(written) => strict_json::parse(written.clone()),
            None => Ok(T::default()),
        }
    }

    /// What happens to a refresh token that is used, if the document does not say. One that is
    /// bound to a client which authenticates and binds its tokens is of no use to anybody else, and
    /// is kept (FAPI 2.0 Security Profile §5.3.2.1); all others are replaced (RFC 9700 §4.14.2).
    #[must_use]
    pub fn default_rotation(&self) -> Rotation {
        let bound = self.has_secret && self.dpop_bound && !self.profile.spends_refresh_at_once();
        if bound { Rotation::Keep } else { Rotation::Rotate }
    }

    /// The refresh tokens of a grant whose document says `refresh_token`, and how many seconds they
    /// live.
    ///
    /// # Errors
    /// If a lifetime is not valid, or is set for tokens that are not issued.
    pub fn refresh(
        &self,
        refresh_token: Option<bool>,
        idle_seconds: Option<u64>,
        longest_seconds: Option<u64>,
        rotation: Rotation,
    ) -> Result<Option<Refresh>, String> {
        let idle_seconds = seconds("refresh_token_expiration", idle_seconds)?;
        let longest_seconds = seconds("refresh_token_max_lifetime", longest_seconds)?;
        if refresh_token.unwrap_or(self.refreshes) {
            return Ok(Some(Refresh { idle_seconds, rotation, longest_seconds }));
        }
        let name = match (idle_seconds, longest_seconds) {
            (None, None) => return Ok(None),
            (Some(_), _) => "refresh_token_expiration",
            (None, Some(_)) => "refresh_token_max_lifetime",
        };
        Err(format!(
            "{name}: this grant issues no refresh tokens; set refresh_token: true, or remove it"
        ))
    }
}

/// A lifetime in seconds that a document says under `name`.
///
/// # Errors
/// If it is not a valid lifetime.
pub fn seconds(name: &str, value: Option<u64>) -> Result<Option<u64>, String> {
    match value {
        Some(seconds) if !(1..=LONGEST).contains(&seconds) => Err(format!(
            "{name} must be a number of seconds from 1 to {LONGEST} (a year), not {seconds}"
        )),
        other => Ok(other),
    }
}

/// What documents say of every grant.
#[must_use]
pub fn show(settings: &GrantSettings) -> Value {
    without_null(json!({
        "token_format": settings.format,
        "access_token_expiration": settings.access_seconds,
        "audience": (!settings.audience.is_empty()).then_some(&settings.audience),
    }))
}

/// The same of a grant that may give refresh tokens.
#[must_use]
pub fn show_with_refresh(settings: &GrantSettings) -> Value {
    let mut shown = show(settings);
    shown["refresh_token"] = json!(settings.refresh.is_some());
    let idle_seconds = settings.refresh.and_then(|refresh| refresh.idle_seconds);
    shown["refresh_token_expiration"] = json!(idle_seconds);
    let longest_seconds = settings.refresh.and_then(|refresh| refresh.longest_seconds);
    shown["refresh_token_max_lifetime"] = json!(longest_seconds);
    without_null(shown)
}

fn without_null(mut value: Value) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    value
}
