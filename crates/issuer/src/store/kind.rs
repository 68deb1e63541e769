//! What records there are.

/// What a record is. Kinds never mix: a key of one kind says nothing about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An account.
    Account,
    /// An OAuth client.
    Client,
    /// An API key or machine user.
    Credential,
    /// A browser session.
    Session,
    /// What a person agreed to, per client.
    Consent,
    /// A token family: everything issued from one authorization.
    Family,
    /// An authorization code.
    Code,
    /// A sign-in or consent in progress.
    Flow,
    /// A one-time set-up link.
    Setup,
    /// The signing keys, one record.
    Keyring,
    /// A denial that can be explained.
    Decision,
    /// A token that a machine user signed in for.
    MachineToken,
    /// A JWT that a person got for their password.
    PersonToken,
    /// Guesses at passwords, and browsers that are known.
    Guesses,
    /// What an app or a key used of what it may.
    Usage,
    /// An authorization request that its app handed over itself.
    Pushed,
    /// A client's assertion that was used.
    Assertion,
    /// A device that waits for a person's answer.
    Device,
    /// What a node writes to know that it can.
    Heartbeat,
    /// A policy about people.
    AccessPolicy,
    /// What a resource was.
    History,
    /// What people may do.
    Role,
    /// What the consent page says about a scope.
    ScopeText,
    /// What happened, for those who audit.
    Audit,
    /// How tokens of another issuer are verified.
    TokenIntrospector,
    /// How people sign in.
    AuthConfig,
    /// What is kept about a person for one purpose.
    Bucket,
    /// A verification under way.
    Verification,
    /// A group of people.
    Group,
    /// What was done to all records of a site once.
    Upkeep,
}

impl Kind {
    /// Every kind, for tables and tests.
    pub const ALL: [Self; 30] = [
        Self::Account,
        Self::Client,
        Self::Credential,
        Self::Session,
        Self::Consent,
        Self::Family,
        Self::Code,
        Self::Flow,
        Self::Setup,
        Self::Keyring,
        Self::Decision,
        Self::MachineToken,
        Self::PersonToken,
        Self::Guesses,
        Self::Usage,
        Self::Pushed,
        Self::Assertion,
        Self::Device,
        Self::Heartbeat,
        Self::AccessPolicy,
        Self::History,
        Self::Role,
        Self::ScopeText,
        Self::Audit,
        Self::TokenIntrospector,
        Self::AuthConfig,
        Self::Bucket,
        Self::Verification,
        Self::Group,
        Self::Upkeep,
    ];

    /// The kinds of which a site has few, and of which all records are read at once.
    const WHOLE: [Self; 5] = [
        Self::AccessPolicy,
        Self::Role,
        Self::ScopeText,
        Self::TokenIntrospector,
        Self::AuthConfig,
    ];

    /// Its name in the store. Never change one: it is on disk.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Client => "client",
            Self::Credential => "credential",
            Self::Session => "session",
            Self::Consent => "grant",
            Self::Family => "family",
            Self::Code => "code",
            Self::Flow => "flow",
            Self::Setup => "setup",
            Self::Keyring => "keyring",
            Self::Decision => "decision",
            Self::MachineToken => "machine_token",
            Self::PersonToken => "person_token",
            Self::Guesses => "guesses",
            Self::Usage => "usage",
            Self::Pushed => "pushed",
            Self::Assertion => "assertion",
            Self::Device => "device",
            Self::Heartbeat => "heartbeat",
            Self::AccessPolicy => "access_policy",
            Self::History => "history",
            Self::Role => "role",
            Self::ScopeText => "scope_text",
            Self::Audit => "audit",
            Self::TokenIntrospector => "token_introspector",
            Self::AuthConfig => "auth_config",
            Self::Bucket => "bucket",
            Self::Verification => "verification",
            Self::Group => "group",
            Self::Upkeep => "upkeep",
        }
    }

    /// Whether all records of it are read at once, so that even a new one changes decisions.
    #[must_use]
    pub fn is_read_whole(self) -> bool {
        Self::WHOLE.contains(&self)
    }
}

/// What stands for all records of the kind to which the record of `subject` belongs, if that kind is
/// read as a whole: `subject` without the record's id.
pub(crate) fn whole_subject(subject: &str) -> Option<&str> {
    let (site, rest) = subject.split_once('/')?;
    let (kind, _) = rest.split_once('/')?;
    let is_whole = Kind::WHOLE.iter().any(|whole| whole.as_str() == kind);
    is_whole.then(|| &subject[..site.len() + 1 + kind.len()])
}
