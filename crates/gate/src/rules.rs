//! What a guard lets through, and in which words it refuses.

use std::collections::BTreeMap;

use castellan_proto::scope::{Aliases, ScopePattern};

use crate::{Caller, Limits, Root};

/// The rules of one guard.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What everybody may use, without a token.
    pub public: Vec<ScopePattern>,
    /// The patterns that a named scope represents at this guard. Expanded at decision time.
    pub aliases: Aliases,
    /// Named scopes that a caller must hold, all of them, in addition to the scope that the field
    /// requires.
    pub requires: BTreeMap<Root, Vec<String>>,
    /// Terms that must be present and satisfied; others are left out where they do not apply.
    pub terms: Terms,
    /// What happens to a mutation with denied fields.
    pub on_deny: OnDeny,
    /// An unknown caller is refused as a whole, with 401, and does not even reach what is public.
    pub known_callers_only: bool,
    /// Who may read the schema.
    pub introspection: Introspection,
    /// A request may also be a form (`application/x-www-form-urlencoded`), and its `variables` a JSON
    /// text, as forms have them (`docs/contracts/decidim.md` §5).
    pub forms: bool,
    /// How a token's scopes and what is public go together, and how a refusal looks.
    pub manner: Manner,
    /// The words of a refusal.
    pub wording: Wording,
    /// How large a request may be.
    pub limits: Limits,
}

/// Terms of a decision, besides the token's scopes, that a guard requires. A required term without
/// rules denies (`docs/rules.md` rule 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The app or key behind a token must have a list of what it may do at all.
    pub client: bool,
    /// The person behind a token must have a role that covers the field. Callers without a person
    /// are decided by the other terms.
    pub person: bool,
    /// Policies about the caller must allow the field ([`crate::Policies`]). Where nobody says what
    /// they say, it is denied.
    pub policy: bool,
}

/// What happens to a mutation with denied fields. Queries always run the permitted fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum OnDeny {
    /// No part of it runs.
    Reject,
    /// The permitted fields run in their order; a denied one is `null`, with an error.
    Null,
}

/// Who may read the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Introspection {
    /// Everybody may read the schema.
    Public,
    /// Callers with a valid credential.
    SignedIn,
    /// The schema is not shown to anybody.
    Closed,
}

/// Where the contracts differ in manner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// A known caller's scopes replace what is public (`docs/contracts/decidim.md` §5.2).
    pub scopes_replace_public: bool,
    /// A query with a denied field answers `{"data":null}` and nothing else
    /// (`docs/contracts/decidim.md` §5.1).
    pub denied_query_is_null: bool,
    /// A denied field is distinguished from one that does not exist, even for a caller who may not
    /// see the schema; the wording of a contract needs it.
    pub tells_denials: bool,
}

/// How a denied field is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorText {
    /// The `message` of the error.
    pub message: &'static str,
    /// Its `extensions.code`.
    pub code: &'static str,
}

impl ErrorText {
    /// A message with its code.
    #[must_use]
    pub const fn new(message: &'static str, code: &'static str) -> Self {
        Self { message, code }
    }
}

/// Messages of a refusal, one for each reason that a client can distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wording {
    /// No credential was sent.
    pub no_credential: ErrorText,
    /// The credential has expired.
    pub expired: ErrorText,
    /// The credential is not valid.
    pub invalid: ErrorText,
    /// The credential is valid but not sufficient.
    pub insufficient: ErrorText,
    /// The credential is sufficient, and no role of the person allows it.
    pub no_role: ErrorText,
    /// The credential is sufficient, and policies do not allow it.
    pub no_policy: ErrorText,
    /// The whole body of a 401 to an unknown caller, if a contract has one of its own.
    pub refused: Option<&'static str>,
}

impl Default for Wording {
    /// Castellan's own.
    fn default() -> Self {
        Self {
            no_credential: ErrorText::new("Sign in to use this field.", "UNAUTHENTICATED"),
            expired: ErrorText::new("The access token has expired.", "UNAUTHENTICATED"),
            invalid: ErrorText::new("The access token is not valid here.", "UNAUTHENTICATED"),
            insufficient: ErrorText::new("This token may not use this field.", "FORBIDDEN"),
            no_role: ErrorText::new("None of the user's roles allows this field.", "FORBIDDEN"),
            no_policy: ErrorText::new(
                "No policy allows this field with these arguments.",
                "FORBIDDEN",
            ),
            refused: None,
        }
    }
}

impl Default for Rules {
    /// Nothing is public, mutations are all or nothing, the schema is open.
    fn default() -> Self {
        Self {
            public: Vec::new(),
            aliases: BTreeMap::new(),
            requires: BTreeMap::new(),
            terms: Terms::default(),
            on_deny: OnDeny::Reject,
            known_callers_only: false,
            introspection: Introspection::Public,
            forms: false,
            manner: Manner::default(),
            wording: Wording::default(),
            limits: Limits::default(),
        }
    }
}

impl Rules {
    /// Whether `caller` must not learn which fields there are: then a hidden field and a missing
    /// one are one answer.
    pub(crate) fn hides_schema_from(&self, caller: &Caller) -> bool {
        let shown = match self.introspection {
            Introspection::Public => true,
            Introspection::SignedIn => caller.identity().is_some(),
            Introspection::Closed => false,
        };
        !shown && !self.manner.tells_denials
    }
}
