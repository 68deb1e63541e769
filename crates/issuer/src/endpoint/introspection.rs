//! What token introspection says (RFC 7662 §2.2).

use std::sync::Arc;

use serde::{Serialize, Serializer, ser::SerializeMap as _};

use crate::{
    records::Family,
    request::resource::Audience,
    tokens::{
        claims::{Confirmation, token_type},
        verified::Live,
    },
};

/// The answer about a token (RFC 7662 §2.2), to be serialised. About a token that is not valid,
/// nothing else is revealed.
#[derive(Debug)]
pub enum Introspection {
    /// The token is not valid.
    Inactive,
    /// An access token, by the issuer of this name.
    Access(String, Arc<Live>),
    /// The newest refresh token of a family, by the issuer of this name.
    Refresh(String, Box<Family>),
}

impl Serialize for Introspection {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut answer = to.serialize_map(None)?;
        answer.serialize_entry("active", &!matches!(self, Self::Inactive))?;
        match self {
            Self::Inactive => {}
            Self::Access(iss, live) => {
                let sub = live.account.as_ref().map_or(&live.client_id, |(id, _)| id);
                answer.serialize_entry("iss", iss)?;
                answer.serialize_entry("sub", sub)?;
                answer.serialize_entry("client_id", &live.client_id)?;
                answer.serialize_entry("scope", &live.scope.to_string())?;
                answer.serialize_entry("aud", &Audience::from(live.audience.clone()))?;
                answer.serialize_entry("iat", &live.issued)?;
                answer.serialize_entry("exp", &live.expires)?;
                answer.serialize_entry("jti", &live.jti)?;
                answer.serialize_entry("token_type", token_type(live.jkt.as_deref()))?;
                if let Some(jkt) = &live.jkt {
                    answer.serialize_entry("cnf", &Confirmation { jkt: jkt.clone() })?;
                }
                if let Some((_, account)) = &live.account {
                    answer.serialize_entry("username", &account.user_name)?;
                }
            }
            Self::Refresh(iss, family) => {
                answer.serialize_entry("client_id", &family.client)?;
                answer.serialize_entry("sub", &family.account)?;
                answer.serialize_entry("scope", &family.scope.to_string())?;
                answer.serialize_entry("iss", iss)?;
            }
        }
        answer.end()
    }
}
