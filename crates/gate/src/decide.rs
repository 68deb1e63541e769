//! The decision: pure, without I/O and without a clock (`docs/rules.md` rules 2 to 4).

use castellan_proto::scope::{RequiredScope, Scope, Scopes};

use crate::{
    Caller, CredentialProblem, Identity, Introspection, PersonTerm, PolicyTerm, Root, Rules,
};

/// One thing that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask<'a> {
    /// `__typename`: a name, no data.
    Typename,
    /// A token for a name and a password: whoever asks for it has nothing else to show yet.
    CreateToken,
    /// `__schema` or `__type` at the root of a query.
    Introspection,
    /// `__schema` or `__type` below the root, where we do not answer it ourselves.
    NestedIntrospection,
    /// A field of a root operation type.
    Field {
        /// Of which root type.
        root: Root,
        /// The scope it requires.
        required: &'a RequiredScope,
        /// It reaches past the types of the schema, so that only a pattern that spells it out
        /// opens it: `_entities`, `_service`, `node`, `nodes`.
        by_name_only: bool,
        /// Castellan answers it itself.
        local: bool,
    },
}

/// The decision about one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be sent on.
    Allow,
    /// Castellan may answer it itself.
    Local,
    /// It is denied.
    Deny(Reason),
}

/// Why a field is denied. Machine-readable; the text of each is stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is not public and no credential was sent.
    NoCredential,
    /// The credential sent has expired.
    CredentialExpired,
    /// The credential sent is not valid.
    CredentialInvalid,
    /// No scope of the token covers the scope that the field requires.
    TokenScope,
    /// The token's scope would do, and the app or key behind it may not have it.
    ClientScope,
    /// The guard requires that the person may use the field, and no role of theirs covers it.
    PersonScope,
    /// A named scope that this guard requires is missing.
    RequiredScope,
    /// The guard requires that a policy allows the field, and none does, or one forbids it.
    Policy,
    /// The schema is not shown.
    IntrospectionClosed,
    /// The host of the gate refused the request before it: nothing shows that its sender meant it.
    NotMeant,
    /// The same: it is meant for another person than its sender.
    OtherUser,
    /// The same: its sender may not sign in there.
    LoginNotPermitted,
}

impl Reason {
    /// Every reason, each at the place that its number says.
    pub const ALL: [Self; 12] = [
        Self::NoCredential,
        Self::CredentialExpired,
        Self::CredentialInvalid,
        Self::TokenScope,
        Self::ClientScope,
        Self::PersonScope,
        Self::RequiredScope,
        Self::Policy,
        Self::IntrospectionClosed,
        Self::NotMeant,
        Self::OtherUser,
        Self::LoginNotPermitted,
    ];

    /// As it appears in `extensions.reason` and in `explain`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoCredential => "no_credential",
            Self::CredentialExpired => "credential_expired",
            Self::CredentialInvalid => "credential_invalid",
            Self::TokenScope => "token_scope",
            Self::ClientScope => "client_scope",
            Self::PersonScope => "person_scope",
            Self::RequiredScope => "required_scope",
            Self::Policy => "policy",
            Self::IntrospectionClosed => "introspection_closed",
            Self::NotMeant => "not_meant",
            Self::OtherUser => "other_user",
            Self::LoginNotPermitted => "login_not_permitted",
        }
    }
}

/// Decides one thing: what is public, then token scopes ∩ the client's scopes ∩, where the guard
/// requires it, what the person may do.
///
/// A term that does not apply (a key without a list of its own, an app that acts for itself) is left
/// out; a term that applies and covers nothing denies. Policies see more than what is asked here, so
/// that where a guard requires them nothing but what is public passes; [`crate::explain()`] asks them.
#[must_use]
pub fn decide(ask: Ask<'_>, caller: &Caller, rules: &Rules) -> Verdict {
    match by_scopes(ask, caller, rules) {
        ByScopes::Decided(verdict) => verdict,
        ByScopes::UpToPolicies { .. } => Verdict::Deny(Reason::Policy),
    }
}

/// What is decided without policies.
pub(crate) enum ByScopes<'a> {
    /// All of it.
    Decided(Verdict),
    /// All terms but the policies' allow it.
    UpToPolicies {
        /// The verdict if they do as well.
        passed: Verdict,
        /// What they say.
        term: &'a PolicyTerm,
        /// The scope that the field requires.
        required: &'a RequiredScope,
    },
}

/// The decision as far as it can be made without looking at arguments.
pub(crate) fn by_scopes<'a>(ask: Ask<'a>, caller: &'a Caller, rules: &Rules) -> ByScopes<'a> {
    if rules.known_callers_only
        && let Some(reason) = unknown(caller)
    {
        return ByScopes::Decided(Verdict::Deny(reason));
    }
    let (root, required, by_name_only, local) = match ask {
        Ask::Typename | Ask::CreateToken => return ByScopes::Decided(Verdict::Local),
        Ask::NestedIntrospection => {
            return ByScopes::Decided(Verdict::Deny(Reason::IntrospectionClosed));
        }
        Ask::Introspection => return ByScopes::Decided(introspection(caller, rules)),
        Ask::Field { root, required, by_name_only, local } => (root, required, by_name_only, local),
    };
    let passed = if local { Verdict::Local } else { Verdict::Allow };
    match of_field(root, Want { required, by_name_only }, caller, rules) {
        Ok(Passage::Known(identity)) if rules.terms.policy => {
            ByScopes::UpToPolicies { passed, term: &identity.policy_term, required }
        }
        Ok(Passage::Public | Passage::Known(_)) => ByScopes::Decided(passed),
        Err(reason) => ByScopes::Decided(Verdict::Deny(reason)),
    }
}

/// By what a field passes.
enum Passage<'a> {
    /// It is public.
    Public,
    /// By the scopes of this caller.
    Known(&'a Identity),
}

/// Whether a field passes, as far as scopes go.
fn of_field<'a>(
    root: Root,
    want: Want<'_>,
    caller: &'a Caller,
    rules: &Rules,
) -> Result<Passage<'a>, Reason> {
    if rules.is_public(want, caller) {
        return Ok(Passage::Public);
    }
    let identity = match (caller, unknown(caller)) {
        (Caller::Known(identity), _) => &**identity,
        (_, reason) => return Err(reason.unwrap_or(Reason::CredentialInvalid)),
    };
    if !want.is_met_by(&identity.token_scopes, rules) {
        return Err(Reason::TokenScope);
    }
    let client = identity.client_scopes.as_ref().map(|scopes| want.is_met_by(scopes, rules));
    if !client.unwrap_or(!rules.terms.client) {
        return Err(Reason::ClientScope);
    }
    if rules.terms.person && want.is_met_by_person(&identity.person_term, rules) == Some(false) {
        return Err(Reason::PersonScope);
    }
    let required = rules.requires.get(&root).map_or(&[][..], Vec::as_slice);
    let holds = |name: &String| {
        identity.token_scopes.has_name(name)
            && identity.client_scopes.as_ref().is_none_or(|scopes| scopes.has_name(name))
    };
    if !required.iter().all(holds) {
        return Err(Reason::RequiredScope);
    }
    Ok(Passage::Known(identity))
}

/// Why the caller is unknown; `None` if the caller is known.
pub(crate) const fn unknown(caller: &Caller) -> Option<Reason> {
    match caller {
        Caller::Anonymous(None) => Some(Reason::NoCredential),
        Caller::Anonymous(Some(CredentialProblem::Expired)) => Some(Reason::CredentialExpired),
        Caller::Anonymous(Some(_)) => Some(Reason::CredentialInvalid),
        Caller::Known(_) => None,
    }
}

impl Rules {
    /// Whether what is wanted is public, also for `caller`, whose scopes may replace what is
    /// public.
    pub(crate) fn is_public(&self, want: Want<'_>, caller: &Caller) -> bool {
        let replaced = self.manner.scopes_replace_public && caller.identity().is_some();
        !replaced && self.public.iter().any(|pattern| want.is_met_by_pattern(pattern))
    }

    /// Whether `scopes` cover `required` at this guard, where named scopes represent patterns.
    #[must_use]
    pub fn covers(&self, scopes: &Scopes, required: &RequiredScope) -> bool {
        Want { required, by_name_only: false }.is_met_by(scopes, self)
    }
}

fn introspection(caller: &Caller, rules: &Rules) -> Verdict {
    match (rules.introspection, caller) {
        (Introspection::Public, _) | (Introspection::SignedIn, Caller::Known(_)) => Verdict::Local,
        _ => Verdict::Deny(Reason::IntrospectionClosed),
    }
}

/// What one field wants, matched against scopes at a guard.
#[derive(Clone, Copy)]
pub(crate) struct Want<'a> {
    pub(crate) required: &'a RequiredScope,
    pub(crate) by_name_only: bool,
}

impl Want<'_> {
    pub(crate) fn is_met_by(self, scopes: &Scopes, rules: &Rules) -> bool {
        scopes.iter().any(|scope| self.is_met_by_scope(scope, rules))
    }

    /// Whether a role of the person covers it; `None` if no person is involved.
    pub(crate) fn is_met_by_person(self, term: &PersonTerm, rules: &Rules) -> Option<bool> {
        match term {
            PersonTerm::Unknown => Some(false),
            PersonTerm::NoPerson => None,
            PersonTerm::Roles(theirs) => {
                Some(theirs.iter().any(|role| self.is_met_by(&role.scopes, rules)))
            }
        }
    }

    pub(crate) fn is_met_by_scope(self, scope: &Scope, rules: &Rules) -> bool {
        match scope {
            Scope::Pattern(pattern) => self.is_met_by_pattern(pattern),
            Scope::Named(name) => rules
                .aliases
                .get(name)
                .is_some_and(|patterns| patterns.iter().any(|one| self.is_met_by_pattern(one))),
        }
    }

    pub(crate) fn is_met_by_pattern(self, pattern: &castellan_proto::scope::ScopePattern) -> bool {
        if self.by_name_only {
            pattern.names(self.required)
        } else {
            pattern.matches(self.required)
        }
    }
}
