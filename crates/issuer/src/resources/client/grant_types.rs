//! What a `Client` document says of the grants that the client may use (`docs/contracts/aidbox.md`
//! §2.1). Each grant reads and shows its own settings ([`GrantType::read`]); here is what they have
//! together.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::{
    grant::{
        CodeDocument, GrantType, ROSTER, Roster,
        settings::{self, AskedGrant, NOTHING_TO_ROTATE},
    },
    records::{Client, GrantName, Grants, TokenProfile},
    resources::Problem,
};

/// What `grant_types` calls the grant that others give the tokens for.
const REFRESH_TOKEN: &str = "refresh_token";

/// What `grant_types` calls calling APIs with the client's secret, without a token.
const BASIC: &str = "basic";

/// The grants that a document asks for.
pub(crate) struct AskedGrants {
    grants: Vec<&'static dyn GrantType>,
    served: Roster,
    aidbox: bool,
    refresh: bool,
    basic: bool,
}

impl AskedGrants {
    /// Reads `grant_types`.
    pub(crate) fn read(names: &[String], served: Roster) -> Result<Self, Problem> {
        let mut asked =
            Self { grants: Vec::new(), served, aidbox: false, refresh: false, basic: false };
        for name in names {
            if name == REFRESH_TOKEN {
                asked.refresh = true;
                continue;
            }
            if name == BASIC {
                asked.basic = true;
                continue;
            }
            let is_meant = |grant: &&&dyn GrantType| {
                grant.name() == name || grant.spellings().contains(&&**name)
            };
            let grant = served.iter().find(is_meant).ok_or_else(|| unserved(name, served))?;
            asked.grants.push(*grant);
            asked.aidbox |= name == TokenProfile::Aidbox.code_grant_name();
        }
        Ok(asked)
    }

    /// Whether the code grant is spelled as in `docs/contracts/aidbox.md`.
    pub(crate) const fn is_aidbox(&self) -> bool {
        self.aidbox
    }

    /// Whether the client may call APIs with its secret.
    pub(crate) const fn has_basic(&self) -> bool {
        self.basic
    }

    /// What it names, if nobody signs in with any of that.
    pub(crate) fn without_people(&self) -> Option<&'static str> {
        let is_machine = self.are_only(&GrantName::CLIENT_CREDENTIALS);
        match (is_machine, self.basic) {
            (true, false) => Some("client_credentials"),
            (true, true) => Some("client_credentials and basic"),
            (false, true) if self.grants.is_empty() => Some(BASIC),
            (false, _) => None,
        }
    }

    /// Whether `name` is the only one.
    pub(crate) fn are_only(&self, name: &GrantName) -> bool {
        let mut names = self.grants.iter().map(|grant| grant.begins());
        !self.grants.is_empty() && names.all(|one| one.as_ref() == Some(name))
    }

    fn has(&self, grant: &dyn GrantType) -> bool {
        self.grants.iter().any(|asked| asked.name() == grant.name())
    }
}

fn unserved(name: &str, served: Roster) -> Problem {
    let names: Vec<_> = served.iter().map(|grant| grant.name()).chain([BASIC]).collect();
    let names = names.join(", ");
    Problem::Text(format!("grant_types: {name:?} is not served; there are {names}"))
}

/// Settings of grants, by grant.
#[derive(Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub(crate) struct Auth(BTreeMap<String, Value>);

impl Auth {
    /// What is written of the authorization code grant. What does not read is refused by
    /// [`Self::settings`].
    pub(crate) fn code(&self) -> Option<CodeDocument> {
        self.written(GrantName::AUTHORIZATION_CODE.as_str())
            .and_then(|written| CodeDocument::deserialize(written).ok())
    }

    fn written(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|written| !written.is_null())
    }

    /// Refuses what no grant of the document would act upon: whoever wrote it believes that it holds.
    pub(crate) fn check(&self, asked: &AskedGrants) -> Result<(), Problem> {
        let wrong = |text: String| Err(Problem::Text(text));
        for name in self.0.keys() {
            let is_meant = |grant: &&&dyn GrantType| grant.auth_name() == Some(&**name);
            let Some(grant) = asked.served.iter().find(is_meant) else {
                return wrong(format!("auth.{name}: there is no such grant"));
            };
            if self.written(name).is_some() && !asked.has(*grant) {
                return wrong(format!(
                    "auth.{name}: grant_types does not name {name}; add or remove it"
                ));
            }
        }
        if asked.refresh && !asked.grants.iter().any(|grant| grant.gives_refresh_tokens()) {
            return wrong(
                "grant_types: refresh_token needs authorization_code, password or the device grant, as no other grant issues refresh tokens"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// The settings of every grant that is asked for; `client` says what concerns all of them.
    pub(crate) fn settings(
        &self,
        asked: &AskedGrants,
        client: AskedGrant<'_>,
    ) -> Result<Grants, Problem> {
        let read = |grant: &&dyn GrantType| {
            let name = grant.begins()?;
            let written = grant.auth_name().and_then(|name| self.written(name));
            let asked = AskedGrant { written, refreshes: asked.refresh, ..client };
            Some(grant.read(&asked).map(|settings| (name, settings)))
        };
        let grants: Grants = asked.grants.iter().filter_map(read).collect::<Result<_, String>>()?;
        let code = grants.get(&GrantName::AUTHORIZATION_CODE);
        if client.rotation.is_some() && code.is_none_or(|code| code.refresh.is_none()) {
            return Err(Problem::Text(NOTHING_TO_ROTATE.to_owned()));
        }
        Ok(grants)
    }
}

/// Writes the grants of `client` into its document.
///
/// Documents are shown without an issuer: a grant that is not in the default roster shows what all
/// have.
pub(crate) fn show(client: &Client, shown: &mut Value) {
    for name in client.grants.names() {
        let Some(set) = client.grants.get(name) else { continue };
        let grant = ROSTER.iter().find(|grant| grant.begins().as_ref() == Some(name));
        let auth_name = grant.and_then(|grant| grant.auth_name()).unwrap_or(name.as_str());
        shown["auth"][auth_name] =
            grant.map_or_else(|| settings::show(set), |grant| grant.show(set));
    }
}

/// The grants of `client` by name.
pub(crate) fn grant_names(client: &Client) -> Vec<&str> {
    let allowed = ROSTER.iter().filter(|grant| grant.allows(client));
    let ours = allowed.map(|grant| grant.document_name(client));
    let is_other =
        |name: &&GrantName| !ROSTER.iter().any(|grant| grant.begins().as_ref() == Some(*name));
    let others = client.grants.names().filter(is_other).map(GrantName::as_str);
    ours.chain(others).chain(client.basic.then_some(BASIC)).collect()
}
