//! SCIM 2.0 (RFC 7643, RFC 7644): users and groups, on the same records and by the same rules as the
//! other management APIs, in another form.
//!
//! A request is a value, so that one that comes alone and one of many in a bulk request are the same.

mod bulk;
mod caller;
mod error;
mod filter;
mod groups;
mod list;
mod members;
mod patch;
mod query;
mod schema;
mod selection;
mod service;
mod sort;
mod users;
mod value;

use serde_json::Value;

use crate::{
    Issuer,
    audit::{AuditKind, Event},
    managers::Allowed,
};

pub use bulk::MOST_OPERATIONS;
pub use caller::{ScimCaller, rule_paths};
pub use error::ScimError;

/// Where the API is, below the address of the site.
pub const BASE: &str = "/scim/v2";

/// Bytes of a request at most.
pub const MOST_BYTES: usize = 1024 * 1024;

/// A request, without HTTP.
#[derive(Clone, Debug, Default)]
pub struct ScimRequest {
    /// What is to be done.
    pub method: ScimMethod,
    /// The parts of the path below [`BASE`].
    pub path: Vec<String>,
    /// The parameters.
    pub parameters: Vec<(String, String)>,
    /// The body; null without one.
    pub body: Value,
    /// The versions of which the resource has to be in one.
    pub if_match: Option<Tags>,
    /// The versions that the caller has.
    pub if_none_match: Option<Tags>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScimMethod {
    /// `GET`
    #[default]
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

/// Versions of a resource (RFC 9110 §8.8.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    /// Any version: it exists.
    Any,
    /// One of these.
    These(Vec<String>),
}

/// The answer to a request that was done.
#[derive(Clone, Debug)]
pub struct ScimAnswer {
    /// The status of HTTP.
    pub status: u16,
    /// The body, if there is one.
    pub body: Option<Value>,
    /// Where a new resource is.
    pub location: Option<String>,
    /// The version of the resource.
    pub version: Option<String>,
}

impl ScimAnswer {
    fn ok(body: Value) -> Self {
        Self { status: 200, body: Some(body), location: None, version: None }
    }

    fn empty(status: u16) -> Self {
        Self { status, body: None, location: None, version: None }
    }

    fn not_modified(version: &str) -> Self {
        Self { version: Some(version.to_owned()), ..Self::empty(304) }
    }

    /// With the version of the resource, unless that would tell whether a value was there already that
    /// the caller may write and not read.
    fn versioned(self, allowed: &Allowed<'_>, version: &str) -> Self {
        let version = (!allowed.writes_unseen()).then(|| version.to_owned());
        Self { version, ..self }
    }
}

impl Tags {
    fn name(&self, version: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(versions) => versions.iter().any(|one| one == version),
        }
    }
}

impl ScimRequest {
    /// Refuses a resource in `version` that is not to be changed in that.
    fn check_version(&self, version: &str) -> Result<(), ScimError> {
        match &self.if_match {
            Some(tags) if !tags.name(version) => Err(ScimError::precondition()),
            _ => Ok(()),
        }
    }

    /// Whether the caller has `version` already.
    fn has(&self, version: &str) -> bool {
        self.if_none_match.as_ref().is_some_and(|tags| tags.name(version))
    }

    fn as_path(&self) -> String {
        format!("{}/{}", BASE.trim_start_matches('/'), self.path.join("/"))
    }
}

impl Issuer {
    /// Does what `request` asks for, as far as `caller` may.
    ///
    /// # Errors
    /// [`ScimError`] saying why not.
    pub async fn scim(
        &self,
        caller: &ScimCaller<'_>,
        request: &ScimRequest,
    ) -> Result<ScimAnswer, ScimError> {
        if let [one] = &*request.path
            && one == "Bulk"
        {
            return match request.method {
                ScimMethod::Post => self.scim_bulk(caller, &request.body).await,
                _ => Err(ScimError::method(&request.path)),
            };
        }
        self.scim_operation(caller, request).await
    }

    /// Does one operation. One that is denied is recorded.
    async fn scim_operation(
        &self,
        caller: &ScimCaller<'_>,
        request: &ScimRequest,
    ) -> Result<ScimAnswer, ScimError> {
        let done = self.scim_dispatch(caller, request).await;
        if done.as_ref().is_err_and(|error| error.status == 403) {
            let why = format!("{}: the token does not allow it", request.method.as_str());
            let event = Event::of(AuditKind::AccessDenied).denied(&why);
            self.audit(event.target("Path", &request.as_path()));
        }
        done
    }

    async fn scim_dispatch(
        &self,
        caller: &ScimCaller<'_>,
        request: &ScimRequest,
    ) -> Result<ScimAnswer, ScimError> {
        use ScimMethod::{Delete, Get, Patch, Post, Put};
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        match (&*path, request.method) {
            (["Users"], Get) | (["Users", ".search"], Post) => {
                self.scim_list_users(caller, request).await
            }
            (["Users"], Post) => self.scim_create_user(caller, request).await,
            (["Users", id], Get) => self.scim_user(caller, request, id).await,
            (["Users", id], Put) => self.scim_replace_user(caller, request, id).await,
            (["Users", id], Patch) => self.scim_patch_user(caller, request, id).await,
            (["Users", id], Delete) => self.scim_delete_user(caller, request, id).await,
            (["Groups"], Get) | (["Groups", ".search"], Post) => {
                self.scim_list_groups(caller, request).await
            }
            (["Groups"], Post) => self.scim_create_group(caller, request).await,
            (["Groups", id], Get) => self.scim_group(caller, request, id).await,
            (["Groups", id], Put) => self.scim_replace_group(caller, request, id).await,
            (["Groups", id], Patch) => self.scim_patch_group(caller, request, id).await,
            (["Groups", id], Delete) => self.scim_delete_group(caller, request, id).await,
            ([], Get) | ([".search"], Post) => self.scim_list_all(caller, request).await,
            (["Me", ..], _) => {
                let text = "/Me is not supported; use /Users/ with the id of the person";
                Err(ScimError::new(501, text))
            }
            (
                ["ServiceProviderConfig" | "ResourceTypes" | "Schemas"]
                | ["ResourceTypes" | "Schemas", _],
                _,
            ) => self.scim_service(caller, request),
            _ => Err(ScimError::method(&request.path)),
        }
    }

    /// Where the API is.
    fn scim_base(&self) -> String {
        format!("{}{BASE}", self.address().issuer)
    }
}

impl ScimMethod {
    /// The method of HTTP.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// The one that is called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete];
        all.into_iter().find(|one| one.as_str().eq_ignore_ascii_case(name))
    }
}
