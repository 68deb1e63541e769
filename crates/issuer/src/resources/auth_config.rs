//! `AuthConfig` documents: how the sign-in of a site looks (`docs/contracts/aidbox.md` §2.6).

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Facts, Problem, ReadDocument, Resource,
    theme::{self, Theme},
    version::{fresh_incarnation, incarnation},
};
use crate::{Issuer, records::AuthConfig};

/// How the sign-in of a site looks. A site has one at most.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AuthConfigDocument {
    /// Seconds that browsers keep the session cookie, 60 or more. A session ends when
    /// `tokens.session_absolute` says so, whatever this says. Default: as long as that.
    asid_cookie_max_age: Option<u64>,
    /// How the pages look.
    #[serde(default)]
    theme: Theme,
    /// Refused: people choose for themselves whether they have a second factor.
    two_factor: Option<Value>,
}

/// Seconds of the life of a cookie at least: with less, nobody could go on after a sign-in.
const LEAST_AGE: u64 = 60;

impl Resource for AuthConfigDocument {
    type Record = AuthConfig;

    const NAME: &'static str = "AuthConfig";

    #[cfg(feature = "schema")]
    fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }

    fn show(id: &str, record: &AuthConfig) -> Value {
        let mut shown = json!({"resourceType": "AuthConfig", "id": id});
        if let Some(age) = record.cookie_max_age {
            shown["asidCookieMaxAge"] = json!(age);
        }
        let theme = theme::show(record);
        if theme.as_object().is_some_and(|theme| !theme.is_empty()) {
            shown["theme"] = theme;
        }
        shown
    }

    fn incarnation(_: &str, record: &AuthConfig) -> String {
        incarnation(record.incarnation, record.created)
    }

    fn facts(id: &str, record: &AuthConfig) -> Facts {
        Facts { name: id.to_lowercase(), created: record.created, modified: record.modified }
    }

    async fn read(
        self,
        issuer: &Issuer,
        before: Option<&AuthConfig>,
    ) -> Result<ReadDocument<AuthConfig>, Problem> {
        if self.two_factor.is_some() {
            let text = "twoFactor has no effect: who has set up a second factor is asked for it, and \
                        apps show the title of the site; remove it";
            return Err(Problem::Text(text.to_owned()));
        }
        let languages = &issuer.settings().languages;
        let look = self.theme.read(languages).map_err(Problem::Text)?;
        let longest = issuer.settings().session_absolute.get().as_secs();
        if let Some(age) = self.asid_cookie_max_age
            && !(LEAST_AGE..=longest).contains(&age)
        {
            return Err(Problem::Text(format!(
                "asidCookieMaxAge must be from {LEAST_AGE} to {longest} seconds: a session lasts no \
                 longer (tokens.session_absolute)"
            )));
        }
        let now = issuer.now();
        let record = AuthConfig {
            cookie_max_age: self.asid_cookie_max_age,
            incarnation: before.map_or_else(fresh_incarnation, |before| before.incarnation),
            created: before.map_or(now, |before| before.created),
            modified: now,
            ..look
        };
        Ok(ReadDocument::without_secret(record))
    }
}
