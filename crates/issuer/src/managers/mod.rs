//! Authorization managers of the management APIs (`docs/contracts/curity.md` §§3.3 to 3.6): which
//! operations a token allows. They are values that the configuration makes, and are asked through
//! [`rights`](crate::rights) alone.

mod attributes;
mod groups;
mod scopes;
mod self_service;

use serde::Deserialize;

use crate::tokens::verified::Live;

pub use attributes::{AttributeRule, AttributesManager, RuleList};
pub use groups::GroupsManager;
pub use scopes::ScopesManager;
pub use self_service::{DEVICE_CATEGORIES, MutationThrottle, Mutations, SelfServiceManager};

/// What an operation of a management API does (`docs/contracts/curity.md` §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// It makes something new.
    Create,
    /// It reads.
    Read,
    /// It changes something.
    Update,
    /// It removes something.
    Delete,
}

/// The managers of one API. Without any, every request is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Managers {
    /// Decides by the groups in the token.
    pub groups: Option<GroupsManager>,
    /// Decides by the scopes of the token.
    pub scopes: Option<ScopesManager>,
    /// Narrows what `groups` and `scopes` allow, or decides alone.
    pub attributes: Option<AttributesManager>,
    /// Decides what people may do with what is their own.
    pub self_service: Option<SelfServiceManager>,
}

/// What a token allows at one API: what any of its parts allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// What it allows with what is anybody's.
    operations: Vec<Operation>,
    /// Which attributes that concerns.
    rules: Option<RuleList>,
    /// What it allows with what is the person's own, and whose id that is.
    own: Option<(SelfServiceManager, String)>,
    /// The person, if there is one.
    subject: Option<String>,
}

/// A root field that is to be answered.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Its name.
    pub field: &'a str,
    /// The operations that it needs.
    pub needs: &'a [Operation],
    /// The id of the account that it touches, if it touches one alone.
    pub owner: Option<&'a str>,
    /// The attributes that it writes.
    pub written: &'a [String],
}

/// How a root field is allowed.
#[derive(Clone, Copy, Debug)]
pub struct Allowed<'a> {
    rules: Option<&'a RuleList>,
    own: Option<&'a SelfServiceManager>,
}

/// Why a token allows nothing at an API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A scope is missing that every request needs.
    #[error("the access token lacks the scope {0}")]
    Scope(String),
    /// No manager is configured, or none of its rules allows anything.
    #[error("no rule allows it")]
    NoRule,
}

impl Managers {
    /// What the managers allow `caller`.
    ///
    /// # Errors
    /// [`Refused`] if that is nothing at all.
    pub(crate) fn decide(&self, caller: &Live) -> Result<Permissions, Refused> {
        let subject = caller.account.as_ref().map(|(id, _)| id.clone());
        let mut permissions = Permissions { subject: subject.clone(), ..Permissions::default() };
        let by_operation = self.by_operation(caller);
        let mut refused = by_operation.as_ref().err().cloned();
        if let Ok(operations) = by_operation {
            let rules = self.attributes.as_ref().map(|attributes| attributes.select(caller));
            match rules {
                // No list of rules is for this token.
                Some(None) => {}
                Some(Some(rules)) => {
                    permissions.operations = operations;
                    permissions.rules = Some(rules.clone());
                }
                None => permissions.operations = operations,
            }
        }
        if let Some((own, subject)) = self.self_service.as_ref().zip(subject) {
            if caller.may(&own.required_scope) {
                permissions.own = Some((own.clone(), subject));
            } else {
                refused = refused
                    .filter(|refused| *refused != Refused::NoRule)
                    .or_else(|| Some(Refused::Scope(own.required_scope.clone())));
            }
        }
        if permissions.operations.is_empty() && permissions.own.is_none() {
            let lacking = self.attributes.as_ref().and_then(|manager| manager.lacking(caller));
            let lacking = lacking.map(|scope| Refused::Scope(scope.to_owned()));
            return Err(refused.or(lacking).unwrap_or(Refused::NoRule));
        }
        Ok(permissions)
    }

    /// A scope that `caller` lacks and that `question`, which is denied, needs.
    #[must_use]
    pub fn missing_scope(&self, caller: &Live, question: &Question<'_>) -> Option<&str> {
        let by_operation = self.scopes.as_ref().and_then(|it| it.lacking(caller, question.needs));
        let by_attributes = || self.attributes.as_ref().and_then(|it| it.lacking(caller));
        let by_self_service = || {
            let own = self.self_service.as_ref()?;
            let is_theirs =
                caller.account.as_ref().is_some_and(|(id, _)| question.owner == Some(id));
            let lists = own.listed(question.needs).contains(question.field);
            let lacks = is_theirs && lists && !caller.may(&own.required_scope);
            lacks.then_some(&*own.required_scope)
        };
        by_operation.or_else(by_attributes).or_else(by_self_service)
    }

    fn by_operation(&self, caller: &Live) -> Result<Vec<Operation>, Refused> {
        match (&self.groups, &self.scopes, &self.attributes) {
            (None, None, None) => Err(Refused::NoRule),
            (None, None, Some(_)) => {
                Ok(vec![Operation::Create, Operation::Read, Operation::Update, Operation::Delete])
            }
            (groups, scopes, _) => {
                let groups = groups.as_ref().map(|manager| manager.decide(caller)).transpose();
                let scopes = scopes.as_ref().map(|manager| manager.decide(caller)).transpose();
                match (groups, scopes) {
                    (Ok(Some(groups)), Ok(Some(scopes))) => {
                        Ok(groups.into_iter().filter(|one| scopes.contains(one)).collect())
                    }
                    (Ok(one), Ok(other)) => Ok(one.or(other).unwrap_or_default()),
                    (Err(refused), _) | (_, Err(refused)) => Err(refused),
                }
            }
        }
    }
}

impl Permissions {
    /// What allows everything.
    #[cfg(test)]
    pub(crate) fn everything() -> Self {
        use Operation::{Create, Delete, Read, Update};
        Self { operations: vec![Create, Read, Update, Delete], ..Self::default() }
    }

    /// Whether the token may read the schema.
    #[must_use]
    pub fn may_read_schema(&self) -> bool {
        self.operations.contains(&Operation::Read) || self.own.is_some()
    }

    /// Whether the token may read what is anybody's, and all of it.
    #[must_use]
    pub fn may_read_all(&self) -> bool {
        let rules = self.rules.as_ref();
        self.operations.contains(&Operation::Read)
            && rules.is_none_or(|rules| !rules.require_subject_match && rules.default_allow_read)
    }

    /// Whether and how the token allows `question`.
    #[must_use]
    pub fn decide(&self, question: &Question<'_>) -> Option<Allowed<'_>> {
        if self.allows_by_operation(question) {
            return Some(Allowed { rules: self.rules.as_ref(), own: None });
        }
        let (own, subject) = self.own.as_ref()?;
        let is_allowed = own.listed(question.needs).contains(question.field)
            && question.owner == Some(subject)
            && question.written.iter().all(|path| own.may_write(path));
        is_allowed.then_some(Allowed { rules: None, own: Some(own) })
    }

    /// Whether the token allows `need` of something, of what belongs to the account `owner` if it touches
    /// that alone; which attributes is another question.
    #[must_use]
    pub fn may(&self, need: Operation, owner: Option<&str>) -> bool {
        let is_own = || owner.is_some() && owner == self.subject.as_deref();
        let matches =
            self.rules.as_ref().is_none_or(|rules| !rules.require_subject_match || is_own());
        self.operations.contains(&need) && matches
    }

    fn allows_by_operation(&self, question: &Question<'_>) -> bool {
        let allows_operations = question.needs.iter().all(|need| self.operations.contains(need));
        let allows_attributes = self.rules.as_ref().is_none_or(|rules| {
            let is_own = || question.owner.is_some() && question.owner == self.subject.as_deref();
            let writes = question.needs != [Operation::Read];
            let may_write = if question.written.is_empty() {
                !writes || rules.default_allow_write
            } else {
                question.written.iter().all(|path| rules.may_write(path))
            };
            (!rules.require_subject_match || is_own()) && may_write
        });
        allows_operations && allows_attributes
    }
}

impl Allowed<'_> {
    /// All of it: no rules say what is read, and no self-service what is deleted.
    pub const ALL: Self = Self { rules: None, own: None };

    /// Whether the attribute at `path` may be read.
    #[must_use]
    pub fn may_read(&self, path: &str) -> bool {
        let bare = path.strip_prefix("group.").unwrap_or(path);
        let tells = bare == "meta.lastModified" || bare == "meta.version";
        if tells && self.writes_unseen() {
            return false;
        }
        self.rules.is_none_or(|rules| rules.may_read(path))
            && self.own.is_none_or(|own| own.may_read(path))
    }

    /// Whether something may be written that may not be read. Whoever does so is not told whether that
    /// changed anything: they would learn what was there.
    pub(crate) fn writes_unseen(&self) -> bool {
        self.rules.is_some_and(RuleList::writes_unseen)
            || self.own.is_some_and(SelfServiceManager::writes_unseen)
    }

    /// Whether devices of `category` are shown, or are deleted; `None` stands for those of none.
    #[must_use]
    pub fn covers_device(&self, category: Option<&str>, is_deletion: bool) -> bool {
        self.own.is_none_or(|own| {
            if is_deletion { own.deletes_device(category) } else { own.shows_device(category) }
        })
    }

    /// The limit on mutations that are allowed because they concern the person's own.
    #[must_use]
    pub fn throttle(&self) -> Option<MutationThrottle> {
        self.own.and_then(|own| own.mutation_throttle)
    }

    /// Whether it is allowed only because it concerns what is the person's own.
    #[must_use]
    pub const fn is_self_service(&self) -> bool {
        self.own.is_some()
    }
}

/// Whether the token and its client have each of `scopes`.
fn require_all(caller: &Live, scopes: &[String]) -> Result<(), Refused> {
    match scopes.iter().find(|scope| !caller.may(scope)) {
        Some(missing) => Err(Refused::Scope(missing.clone())),
        None => Ok(()),
    }
}
