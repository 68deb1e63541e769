//! What a management API is: a schema, and a function for each of its root fields.

use std::{future::Future, pin::Pin};

use castellan_issuer::{
    Settings,
    managers::{Allowed, Managers, Operation},
    records::{Account, login_name},
    tokens::verified::Live,
};
use serde_json::{Map, Value};

use super::{error::Failure, selection::Selection};
use crate::{app::App, config::ManagementConfig, management_schemas::ApiSchema};

/// One management API.
pub(crate) struct Api {
    /// Where it is.
    pub(crate) path: &'static str,
    /// Its schema, with its name in settings and commands.
    pub(crate) schema: ApiSchema,
    /// Every field of `Query` and `Mutation`.
    pub(crate) roots: &'static [Root],
    /// Whether a site with these settings has it.
    pub(crate) is_served: fn(&Settings) -> bool,
    /// Its managers in the configuration.
    pub(crate) managers: fn(&ManagementConfig) -> Managers,
}

/// A field of `Query` or `Mutation`.
pub(crate) struct Root {
    pub(crate) name: &'static str,
    /// The operations that the token must allow, all of them.
    pub(crate) needs: &'static [Operation],
    /// Whether the schema has it under these settings.
    pub(crate) exists: fn(&ManagementConfig) -> bool,
    /// Which account it touches.
    pub(crate) about: Target,
    /// The argument whose members are attributes that it writes, and the path that these begin with.
    pub(crate) writes: Option<(&'static str, &'static str)>,
    /// The attributes by which it finds or sorts with these arguments: what may not be read tells
    /// nothing by the order, or by what is found, either.
    pub(crate) finds_by: FindsBy,
    pub(crate) resolve: Resolver,
}

/// What [`Root::finds_by`] is.
pub(crate) type FindsBy = fn(&Map<String, Value>) -> Vec<&'static str>;

/// Which account a field touches, by an argument such as `input.accountId`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// Any number of them.
    Any,
    /// None: everybody is shown the same, so that it counts as one's own.
    Nobody,
    /// The one with this id.
    AccountId(&'static str),
    /// The one with this user name.
    UserName(&'static str),
    /// The one with this e-mail address.
    Email(&'static str),
    /// The one with this telephone number.
    PhoneNumber(&'static str),
    /// The one with this id, or with this user name.
    IdOrUserName(&'static str, &'static str),
}

/// Answers one field: with a JSON document in the shape of the field's type. Objects of interfaces and
/// unions name their type as `__typename`; members that are not selected may be left out, and ones
/// that the type does not have are not shown.
pub(crate) type Resolver = for<'a> fn(&'a Call<'a>) -> Resolving<'a>;

/// What a [`Resolver`] returns.
pub(crate) type Resolving<'a> = Pin<Box<dyn Future<Output = Result<Value, Failure>> + Send + 'a>>;

/// One root field of a request that is to be answered.
pub(crate) struct Call<'a> {
    pub(crate) app: &'a App,
    /// Whose token it is.
    pub(crate) caller: &'a Live,
    /// How the field is allowed.
    pub(crate) allowed: Allowed<'a>,
    /// The token may read what is anybody's, so that the answer may tell what there is.
    pub(crate) reads_all: bool,
    /// Languages for texts that people read, the preferred one first.
    pub(crate) languages: &'a [String],
    /// Arguments as the schema declares them: coerced, with defaults, within their constraints.
    pub(crate) arguments: &'a Map<String, Value>,
    /// What is selected below the field.
    pub(crate) selected: &'a Selection,
}

impl Root {
    /// A field that every schema of the API has.
    pub(crate) const fn new(
        name: &'static str,
        needs: &'static [Operation],
        resolve: Resolver,
    ) -> Self {
        let (exists, finds_by): (fn(&ManagementConfig) -> bool, FindsBy) =
            (|_| true, |_| Vec::new());
        Self { name, needs, exists, about: Target::Any, writes: None, finds_by, resolve }
    }

    /// A field that finds or sorts by what `finds_by` names.
    pub(crate) const fn finds_by(self, finds_by: FindsBy) -> Self {
        Self { finds_by, ..self }
    }

    /// A field that touches one account.
    pub(crate) const fn about(self, about: Target) -> Self {
        Self { about, ..self }
    }

    /// A field that writes the members of the argument `way` as attributes below `path`.
    pub(crate) const fn writes(self, way: &'static str, path: &'static str) -> Self {
        Self { writes: Some((way, path)), ..self }
    }

    /// A field that the schema has under settings for which `exists` is true.
    pub(crate) const fn only_if(self, exists: fn(&ManagementConfig) -> bool) -> Self {
        Self { exists, ..self }
    }
}

impl Target {
    /// The id of the account that `arguments` name, as far as `caller` can tell: that of others is
    /// known by id alone.
    pub(super) fn owner(self, arguments: &Map<String, Value>, caller: &Live) -> Option<String> {
        let text = |way: &str| at(arguments, way).and_then(Value::as_str);
        let own = |is_theirs: &dyn Fn(&Account) -> bool| {
            let (id, account) = caller.account.as_ref()?;
            is_theirs(account).then(|| id.clone())
        };
        let named = |name: &str| own(&|account| login_name(&account.user_name) == login_name(name));
        match self {
            Self::Any => None,
            Self::Nobody => caller.account.as_ref().map(|(id, _)| id.clone()),
            Self::AccountId(way) => text(way).map(ToOwned::to_owned),
            Self::UserName(way) => text(way).and_then(named),
            Self::Email(way) => {
                let email = login_name(text(way)?);
                own(&|account| account.emails.iter().any(|own| login_name(own) == email))
            }
            Self::PhoneNumber(way) => {
                let number = text(way)?;
                own(&|account| account.details.phone_number.as_deref() == Some(number))
            }
            Self::IdOrUserName(id, name) => match (text(id), text(name)) {
                (Some(id), None) => Some(id.to_owned()),
                (None, Some(name)) => named(name),
                _ => None,
            },
        }
    }
}

/// The value at `way` below `arguments`, such as `input.fields`.
pub(super) fn at<'a>(arguments: &'a Map<String, Value>, way: &str) -> Option<&'a Value> {
    let mut steps = way.split('.');
    let first = arguments.get(steps.next()?)?;
    steps.try_fold(first, |value, step| value.get(step))
}

impl Call<'_> {
    /// The argument `name`; null if it is absent.
    pub(crate) fn argument(&self, name: &str) -> &Value {
        self.arguments.get(name).unwrap_or(&Value::Null)
    }

    /// The text of the argument `name`.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.argument(name).as_str()
    }
}
