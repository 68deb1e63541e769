//! What an app of `/oauth` may say (`docs/contracts/decidim.md` §8.1).

use castellan_proto::{RedirectUri, scope::Scope};

use super::{AskedGrants, ClientDocument, ClientType};
use crate::{
    records::{GrantName, Rotation, TokenProfile},
    resources::Problem,
};

impl ClientDocument {
    /// Whether it follows the rules of its dialect.
    pub(super) fn check_dialect(
        &self,
        profile: TokenProfile,
        (asked, redirect_uris): (&AskedGrants, &[RedirectUri]),
    ) -> Result<(), Problem> {
        if profile == TokenProfile::Decidim {
            self.check_decidim(asked, redirect_uris)
        } else {
            Ok(())
        }
    }

    /// The rules of `docs/contracts/decidim.md` §8.1.
    fn check_decidim(
        &self,
        asked: &AskedGrants,
        redirect_uris: &[RedirectUri],
    ) -> Result<(), Problem> {
        let wrong = |text: String| Err(Problem::Text(text));
        let Some(kind) = self.kind else {
            return wrong("type: must be public or confidential".to_owned());
        };
        let others = asked.is_aidbox() || asked.has_basic();
        if others || !asked.are_only(&GrantName::AUTHORIZATION_CODE) {
            return wrong(
                "grant_types: an app of /oauth must have authorization_code and may have refresh_token"
                    .to_owned(),
            );
        }
        if let Some(problem) = self.against_decidim(kind) {
            return wrong(problem.to_owned());
        }
        for uri in redirect_uris {
            let (good, rule) = match kind {
                ClientType::Public => (uri.scheme() != "http", "must not be http"),
                ClientType::Confidential => (uri.scheme() == "https", "must be https"),
            };
            if !good && !uri.is_local() {
                let uri = uri.as_str();
                return wrong(format!(
                    "redirect_uris: {uri:?} {rule}, except for loopback addresses"
                ));
            }
        }
        Ok(())
    }

    /// What an app of `/oauth` may not say.
    fn against_decidim(&self, kind: ClientType) -> Option<&'static str> {
        let code = self.auth.code();
        let code = code.as_ref();
        let keep = Some(Rotation::Keep);
        let keeps = self.refresh_token_rotation == keep
            || code.is_some_and(|code| code.refresh_token_rotation == keep);
        let hides = code.is_some_and(|code| code.secret_required == Some(false));
        if kind == ClientType::Confidential && hides {
            Some("secret_required: must be true for a confidential app of /oauth")
        } else if keeps {
            Some("refresh_token_rotation: a refresh token of /oauth can be used only once")
        } else if code.is_some_and(|code| code.token_format.is_some()) {
            Some(
                "token_format: cannot be set for an app of /oauth; the format follows from the \
                  scopes",
            )
        } else if kind == ClientType::Public && self.first_party {
            Some("first_party: a public app of /oauth always needs consent")
        } else if self.scope.iter().any(|scope| !is_decidim_scope(scope)) {
            Some("scope: an app of /oauth can have profile, user, api:read and api:write only")
        } else {
            None
        }
    }
}

/// The scopes of `docs/contracts/decidim.md` §8.1.
fn is_decidim_scope(scope: &Scope) -> bool {
    matches!(scope, Scope::Named(name)
        if ["profile", "user", "api:read", "api:write"].contains(&&**name))
}
