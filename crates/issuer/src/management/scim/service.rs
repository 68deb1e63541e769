//! What the API can do (RFC 7643 §5, RFC 7644 §4).

use serde_json::{Value, json};

use super::{
    MOST_BYTES, MOST_OPERATIONS, ScimAnswer, ScimCaller, ScimMethod, ScimRequest,
    error::ScimError,
    list::list_response,
    query::MOST_COUNT,
    schema::{resource_types, schemas},
};
use crate::Issuer;

impl Issuer {
    /// `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas`.
    pub(super) fn scim_service(
        &self,
        caller: &ScimCaller<'_>,
        request: &ScimRequest,
    ) -> Result<ScimAnswer, ScimError> {
        if request.method != ScimMethod::Get {
            return Err(ScimError::method(&request.path));
        }
        // What is filtered here would be taken for all there is (RFC 7644 §4).
        if request.parameters.iter().any(|(name, _)| name.eq_ignore_ascii_case("filter")) {
            return Err(ScimError::new(403, "Discovery endpoints cannot be filtered"));
        }
        let base = self.scim_base();
        let all = match &*request.path[0] {
            "ResourceTypes" => resource_types(&base),
            "Schemas" => schemas(&base, caller.renames),
            _ => return Ok(ScimAnswer::ok(self.scim_config(&base))),
        };
        match request.path.get(1) {
            None => {
                let total = all.len();
                Ok(ScimAnswer::ok(list_response(Some(total as u64), 1, all)))
            }
            Some(id) => {
                let found = all.into_iter().find(|one| one["id"] == **id);
                found.map(ScimAnswer::ok).ok_or_else(ScimError::not_found)
            }
        }
    }

    fn scim_config(&self, base: &str) -> Value {
        let sorts = self.repository().store().abilities().sorts;
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
            "patch": {"supported": true},
            "bulk": {
                "supported": true,
                "maxOperations": MOST_OPERATIONS,
                "maxPayloadSize": MOST_BYTES,
            },
            "filter": {"supported": true, "maxResults": MOST_COUNT},
            "changePassword": {"supported": true},
            "sort": {"supported": sorts},
            "etag": {"supported": true},
            "pagination": {
                "cursor": true,
                "index": true,
                "defaultPaginationMethod": "index",
                "defaultPageSize": super::query::COUNT,
                "maxPageSize": MOST_COUNT,
            },
            "authenticationSchemes": [{
                "type": "oauthbearertoken",
                "name": "OAuth 2.0 Bearer Token",
                "description": "An access token of this site (RFC 6750).",
                "specUri": "https://www.rfc-editor.org/info/rfc6750",
                "primary": true,
            }],
            "meta": {
                "resourceType": "ServiceProviderConfig",
                "location": format!("{base}/ServiceProviderConfig"),
            },
        })
    }
}
