//! Members of a `Client` document that nothing would act upon: refused by name, so that nobody believes
//! that they hold.

use super::{AskedGrants, ClientDocument};
use crate::{
    records::{GrantName, Grants, TokenFormat, TokenProfile},
    resources::Problem,
};

/// Refuses the first of them.
pub(crate) fn check(
    document: &ClientDocument,
    asked: &AskedGrants,
    grants: &Grants,
    has_secret: bool,
    profile: TokenProfile,
) -> Result<(), Problem> {
    let wrong = |text: String| Err(Problem::Text(text));
    if let Some(only) = asked.without_people()
        && let Some(member) = of_people(document)
    {
        return wrong(format!(
            "{member}: has no effect, as grant_types names {only} only and nobody signs \
             in; remove it, or add a grant by which people sign in"
        ));
    }
    if document.require_second_factor && grants.has(&GrantName::PASSWORD) {
        return wrong(
            "require_second_factor: the grant password cannot ask for one; remove either"
                .to_owned(),
        );
    }
    let mut formats = grants.names().filter_map(|name| grants.get(name)).map(|set| set.format);
    let are_opaque = formats.all(|format| format == TokenFormat::Opaque);
    if document.access_token_signed_response_alg.is_some()
        && are_opaque
        && !profile.has_format_by_scope()
    {
        return wrong(
            "access_token_signed_response_alg: has no effect, as opaque access tokens are not signed; \
             set token_format: jwt, or remove it"
                .to_owned(),
        );
    }
    if !has_secret && document.introspection_signed_response_alg.is_some() {
        return wrong(
            "introspection_signed_response_alg: a public client cannot introspect tokens; remove it, \
             or set a secret"
                .to_owned(),
        );
    }
    Ok(())
}

/// The first member that is about people who sign in.
fn of_people(document: &ClientDocument) -> Option<&'static str> {
    let members = [
        ("require_pushed_authorization_requests", document.require_pushed_authorization_requests),
        ("redirect_uris", !document.redirect_uris.is_empty()),
        ("post_logout_redirect_uris", !document.post_logout_redirect_uris.is_empty()),
        ("backchannel_logout_uri", document.backchannel_logout_uri.is_some()),
        ("frontchannel_logout_uri", document.frontchannel_logout_uri.is_some()),
        ("id_token_signed_response_alg", document.id_token_signed_response_alg.is_some()),
        ("userinfo_signed_response_alg", document.userinfo_signed_response_alg.is_some()),
        ("default_max_age", document.default_max_age.is_some()),
        ("first_party", document.first_party),
        ("require_second_factor", document.require_second_factor),
    ];
    members.into_iter().find_map(|(member, is_set)| is_set.then_some(member))
}
