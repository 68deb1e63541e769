//! OAuth 2 and OpenID Connect.

pub(crate) mod auth_style_probing;
pub(crate) mod authorization_parameters;
pub(crate) mod authorization_response;
pub(crate) mod bad_input;
pub(crate) mod device;
pub(crate) mod dpop;
pub(crate) mod guess_limits;
pub(crate) mod introspection;
pub(crate) mod limits_on_strangers;
pub(crate) mod logout_notifications;
pub(crate) mod password_grant;
mod private_key_jwt;
pub(crate) mod pushed_requests;
pub(crate) mod refused_requests;
pub(crate) mod registration;
pub(crate) mod relying_party;
pub(crate) mod revocation;
pub(crate) mod revocation_across_nodes;
pub(crate) mod rotated_secrets;
pub(crate) mod rp_initiated_logout;
pub(crate) mod signing_keys;
pub(crate) mod userinfo;
