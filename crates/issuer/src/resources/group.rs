//! `Group` documents: groups of people as records of their own. Who is in one is said by the accounts
//! ([`super::members`]).

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    ApplyError, Described, Facts, How, Parameter, Precondition, Problem, ReadDocument, Resource,
    apply::check,
    kind::described,
    version::{fresh_incarnation, incarnation},
};
use crate::{
    Issuer,
    records::{Group, login_name},
    secrets::policy::has_invisible,
    store::StoreError,
};

/// A group of people. Its id is the name that `groups` of `User` documents, `Role` documents and
/// rules have for it; who is in it is said by `groups` of `User` documents.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GroupDocument {
    /// What to show as its name. Default: its id.
    pub(crate) display_name: Option<String>,
    /// What another system calls it.
    pub(crate) external_id: Option<String>,
}

/// Characters of a text at most.
const LONGEST: usize = 256;

impl Resource for GroupDocument {
    type Record = Group;

    const NAME: &'static str = "Group";
    const IS_NUMEROUS: bool = true;
    const PARAMETERS: &'static [Parameter] = &[
        Parameter { name: "displayName", paths: &["displayName"], how: How::Exact },
        Parameter { name: "externalId", paths: &["externalId"], how: How::Exact },
    ];

    #[cfg(feature = "schema")]
    fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }

    fn show(id: &str, group: &Group) -> Value {
        let mut shown = json!({"resourceType": "Group", "id": id});
        for (name, text) in
            [("displayName", &group.display_name), ("externalId", &group.external_id)]
        {
            if let Some(text) = text {
                shown[name] = json!(text);
            }
        }
        shown
    }

    fn facts(id: &str, group: &Group) -> Facts {
        Facts {
            name: login_name(group.shown_name(id)),
            created: group.created,
            modified: group.modified,
        }
    }

    fn incarnation(_: &str, group: &Group) -> String {
        incarnation(group.incarnation, group.created)
    }

    async fn read(
        self,
        issuer: &Issuer,
        before: Option<&Group>,
    ) -> Result<ReadDocument<Group>, Problem> {
        let group = Group {
            display_name: self.display_name,
            external_id: self.external_id,
            created: before.map_or(issuer.now(), |before| before.created),
            modified: issuer.now(),
            incarnation: before.map_or_else(fresh_incarnation, |before| before.incarnation),
        };
        check_texts(&group).map_err(Problem::Text)?;
        Ok(ReadDocument::without_secret(group))
    }

    /// A group that an account names exists, whether or not it has a record.
    async fn described(issuer: &Issuer, id: &str) -> Result<Option<Described>, StoreError> {
        Ok(issuer.group(id).await?.as_ref().map(described::<Self>))
    }

    /// Members leave it before it is gone: a crash in between leaves a group with fewer members, and
    /// never a member of a group that is gone.
    async fn remove(
        issuer: &Issuer,
        id: &str,
        preconditions: &[Precondition],
    ) -> Result<Option<Described>, ApplyError> {
        if id == Group::ADMINISTRATORS {
            let text = "Group/administrators: the group of administrators cannot be deleted";
            return Err(ApplyError::Kind(text.to_owned()));
        }
        let present = Self::described(issuer, id).await?;
        check(&format!("Group/{id}"), preconditions, present.as_ref())?;
        issuer.empty_group(id).await?;
        if present.as_ref().is_some_and(|present| present.version.number == 0) {
            // It has no record.
            return Ok(present);
        }
        let removed = issuer.take_away::<Self>(id, preconditions).await?;
        // Somebody may have joined in between.
        issuer.empty_group(id).await?;
        Ok(removed.or(present))
    }
}

/// What is wrong with the texts of a group.
pub(crate) fn check_texts(group: &Group) -> Result<(), String> {
    let texts = [("displayName", &group.display_name), ("externalId", &group.external_id)];
    for (name, text) in texts {
        let is_bad = |text: &String| {
            text.trim().is_empty() || text.chars().count() > LONGEST || has_invisible(text)
        };
        if text.as_ref().is_some_and(is_bad) {
            return Err(format!("{name}: must have 1 to {LONGEST} characters that can be seen"));
        }
    }
    Ok(())
}
