//! What the contract of an app asks of its document, beyond what every document is asked. The rules
//! are values of the profile; here they are only applied.

use castellan_proto::RedirectUri;

use super::{AskedGrants, ClientDocument, ClientType};
use crate::{
    records::{DocumentRules, Rotation, TokenProfile},
    resources::Problem,
};

impl ClientDocument {
    /// Whether it follows the rules of its contract.
    pub(super) fn check_contract(
        &self,
        profile: TokenProfile,
        asked: &AskedGrants,
        redirect_uris: &[RedirectUri],
    ) -> Result<(), Problem> {
        let Some(rules) = profile.document_rules() else { return Ok(()) };
        let DocumentRules { address, grant, .. } = rules;
        let wrong = |text: String| Err(Problem::Text(text));
        let Some(kind) = self.kind else {
            return wrong("type: must be public or confidential".to_owned());
        };
        let others = asked.is_aidbox() || asked.has_basic();
        if others || !asked.are_only(grant) {
            let grant = grant.as_str();
            return wrong(format!(
                "grant_types: an app of {address} must have {grant} and may have refresh_token"
            ));
        }
        if let Some(problem) = self.against(rules, profile, kind) {
            return wrong(problem);
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

    /// The first member that says what `rules` or the profile's tokens exclude.
    fn against(
        &self,
        rules: &DocumentRules,
        profile: TokenProfile,
        kind: ClientType,
    ) -> Option<String> {
        let DocumentRules { address, scopes, .. } = rules;
        let code = self.auth.code();
        let code = code.as_ref();
        let keep = Some(Rotation::Keep);
        let keeps = self.refresh_token_rotation == keep
            || code.is_some_and(|code| code.refresh_token_rotation == keep);
        let hides = code.is_some_and(|code| code.secret_required == Some(false));
        let has_format = code.is_some_and(|code| code.token_format.is_some());
        if kind == ClientType::Confidential && hides {
            Some(format!("secret_required: must be true for a confidential app of {address}"))
        } else if profile.spends_refresh_at_once() && keeps {
            Some(format!(
                "refresh_token_rotation: a refresh token of {address} can be used only once"
            ))
        } else if profile.has_format_by_scope() && has_format {
            Some(format!(
                "token_format: cannot be set for an app of {address}; the format follows from the \
                 scopes"
            ))
        } else if kind == ClientType::Public && self.first_party {
            Some(format!("first_party: a public app of {address} always needs consent"))
        } else if self.scope.iter().any(|scope| !rules.has_scope(scope)) {
            let scopes = listed(scopes);
            Some(format!("scope: an app of {address} can have {scopes} only"))
        } else {
            None
        }
    }
}

/// As in a sentence: `a, b and c`.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}
