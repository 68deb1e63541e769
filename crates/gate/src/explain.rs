//! Why a request was decided as it was, and the least that would change it.

mod grant;
mod step;

use castellan_proto::scope::{RequiredScope, RoleScopes, Scopes};
use serde::{Deserialize, Serialize};

use crate::{
    Ask, Caller, DocumentError, Identity, NamedBy, Person, PersonTerm, PolicySaid, PolicyTerm,
    Question, Reason, Root, Rules, Verdict, decide::Want, question::Judge,
    schema::required_scope::is_by_name_only,
};

use grant::smallest_grant;
pub use step::Step;
use step::{absent, missing, policy};

/// A denial as it is kept, so that it can be explained later.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct Denial {
    /// The id of the decision.
    pub id: String,
    /// `Query`, `Mutation` or `Subscription`.
    pub operation: String,
    /// Who asked; nothing of the credential itself.
    pub caller: CallerSummary,
    /// SHA-256 of the document.
    pub document: String,
    /// The version of the schema and required scopes that it was decided by.
    pub rules: String,
    /// What was denied, in document order.
    pub fields: Vec<DeniedField>,
    /// Why the caller is not known, where that alone was enough; not kept.
    #[serde(skip)]
    pub unknown: Option<Reason>,
    /// Denied fields after those, which would have made the record too large.
    #[serde(skip_serializing_if = "is_none", default)]
    pub omitted: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde wants")]
const fn is_none(count: &usize) -> bool {
    *count == 0
}

/// A field that was denied.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct DeniedField {
    /// The response keys that lead to it, joined by dots.
    pub path: String,
    /// The field's name, with its root type before it.
    pub field: String,
    /// The scope it requires.
    #[serde(rename = "demand")]
    pub required: Option<RequiredScope>,
    /// Why it was denied.
    pub reason: Reason,
    /// What policies said, if they denied it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub policies: Vec<PolicySaid>,
}

/// Who a caller is, without what proves it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct CallerSummary {
    /// The kind of credential that was used; `anonymous` if none was valid.
    pub kind: String,
    /// The person, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub person: Option<String>,
    /// The app, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client: Option<String>,
    /// The API key or machine user.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub credential: Option<String>,
    /// What the token was granted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub scope: Option<String>,
    /// The scopes that the app or key is limited to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_scope: Option<String>,
    /// The roles of the person; absent if there is no person.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub roles: Option<Vec<RoleSummary>>,
    /// There were more scopes than are kept here.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub shortened: bool,
}

/// A role of a person, as it is kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct RoleSummary {
    /// The role's id.
    pub role: String,
    /// What it allows.
    pub scope: String,
}

/// The whole chain of one request.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Explanation {
    /// The caller who was denied.
    pub caller: CallerSummary,
    /// Each field of a root type, in document order.
    pub fields: Vec<FieldExplanation>,
    /// Denied fields after those, which are not kept.
    #[serde(skip_serializing_if = "is_none")]
    pub omitted: usize,
}

/// The chain of one field: credential → client → person → scope → pattern → field.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct FieldExplanation {
    /// The response keys that lead to it, joined by dots.
    pub path: String,
    /// The field's name, with its root type before it.
    pub field: String,
    /// The scope it requires.
    #[serde(rename = "demand")]
    pub required: Option<String>,
    /// Where the required scope comes from.
    pub named_by: Option<&'static str>,
    /// Why no pattern with a `*` covers it, if only the required scope itself does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact_only: Option<&'static str>,
    /// Whether it is allowed.
    pub allowed: bool,
    /// Why not, if it is not.
    pub reason: Option<Reason>,
    /// Each term that was considered.
    pub steps: Vec<Step>,
    /// The policies that were asked, and what each said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<PolicySaid>,
    /// The smallest grant that would allow it, for somebody with the right to give it.
    pub smallest_grant: Option<String>,
}

impl From<&Caller> for CallerSummary {
    fn from(caller: &Caller) -> Self {
        let Some(identity) = caller.identity() else {
            let kind = match caller {
                Caller::Anonymous(Some(_)) => "anonymous, with an invalid credential",
                _ => ANONYMOUS,
            };
            return Self { kind: kind.to_owned(), ..Self::default() };
        };
        Self {
            kind: identity.kind.to_owned(),
            person: identity.person.as_ref().map(|person| person.id.clone()),
            client: identity.client_id.clone(),
            credential: identity.credential_id.clone(),
            scope: Some(identity.token_scopes.to_string()),
            client_scope: identity.client_scopes.as_ref().map(Scopes::to_string),
            roles: match &identity.person_term {
                PersonTerm::Roles(roles) => Some(roles.iter().map(RoleSummary::from).collect()),
                PersonTerm::Unknown | PersonTerm::NoPerson => None,
            },
            shortened: false,
        }
    }
}

impl From<&RoleScopes> for RoleSummary {
    fn from(role: &RoleScopes) -> Self {
        Self { role: role.role.clone(), scope: role.scopes.to_string() }
    }
}

/// Explains every root field that `question` asks for, for `caller`.
///
/// # Errors
/// [`DocumentError`] if policies have to be asked and it is more than they may be shown.
pub fn explain(
    question: &Question<'_>,
    caller: &Caller,
    rules: &Rules,
) -> Result<Explanation, DocumentError> {
    let schema = question.schema();
    let mut judge = Judge::new(question, caller, rules);
    let mut fields = Vec::new();
    for (at, selected) in question.document().selected().iter().enumerate() {
        let Some(ask) = selected.ask(schema) else { continue };
        let reason = match judge.decide(at)? {
            Verdict::Deny(reason) => Some(reason),
            _ => None,
        };
        let said = judge.answered(at).map(|answer| answer.said.clone());
        let want = match ask {
            Ask::Field { required, by_name_only, .. } => Some(Want { required, by_name_only }),
            _ => None,
        };
        let named_by =
            schema.entry(selected.root, &selected.field).map(|entry| match entry.named_by {
                NamedBy::Override => "an override of this guard",
                NamedBy::Directive => "@castellan in the schema",
                NamedBy::Rule => "the naming rule",
                NamedBy::Lock => "the lock file",
                NamedBy::Nothing => "no rule",
            });
        let decided = Decided {
            path: selected.path.join("."),
            field: format!("{}.{}", selected.root.as_str(), selected.field),
            named_by,
            root: selected.root,
            want,
            reason,
            said,
        };
        fields.push(decided.explained(caller, rules));
    }
    Ok(Explanation { caller: caller.into(), fields, omitted: 0 })
}

/// What was decided about one thing, to be explained.
pub(crate) struct Decided<'a> {
    pub(crate) path: String,
    pub(crate) field: String,
    /// Where the required scope comes from.
    pub(crate) named_by: Option<&'static str>,
    pub(crate) root: Root,
    /// What it requires, if that is a scope.
    pub(crate) want: Option<Want<'a>>,
    /// Why it is denied, if it is.
    pub(crate) reason: Option<Reason>,
    /// What policies said, if they were asked.
    pub(crate) said: Option<Vec<PolicySaid>>,
}

impl Decided<'_> {
    pub(crate) fn explained(self, caller: &Caller, rules: &Rules) -> FieldExplanation {
        let Self { path, field, named_by, root, want, reason, said } = self;
        let steps = want.map(|want| {
            let mut steps = chain(want, caller, rules);
            steps.extend(required(root, caller, rules));
            steps.extend(policy(reason, said.as_deref(), caller, rules));
            steps
        });
        let said = said.unwrap_or_default();
        let grant = || smallest_grant((reason?, &said), want?.required, (caller, rules), root);
        FieldExplanation {
            path,
            field,
            required: want.map(|want| want.required.to_string()),
            named_by,
            exact_only: want.and_then(exact_only),
            allowed: reason.is_none(),
            reason,
            steps: steps.unwrap_or_default(),
            smallest_grant: grant(),
            policies: said,
        }
    }
}

/// Explains a denial that was kept, by the rules as they are now. The reason is that of then.
#[must_use]
pub fn explain_denial(denial: &Denial, rules: &Rules) -> Explanation {
    let caller = denial.caller.to_caller();
    let root = [Root::Query, Root::Mutation, Root::Subscription];
    let fields = denial.fields.iter().map(|denied| {
        let (of, field) = denied.field.split_once('.').unwrap_or_default();
        // An operation over HTTP has a method and a path in the place of a root type and a field.
        let of = if denied.field.contains(' ') { &*denial.operation } else { of };
        let root = root.into_iter().find(|root| root.as_str() == of).unwrap_or(Root::Query);
        let by_name_only = is_by_name_only(field);
        let steps = denied.required.as_ref().map(|scope| {
            let want = Want { required: scope, by_name_only };
            let mut steps = chain(want, &caller, rules);
            steps.extend(required(root, &caller, rules));
            steps.extend(policy(Some(denied.reason), Some(&denied.policies), &caller, rules));
            steps
        });
        let why = (denied.reason, &*denied.policies);
        let grant = || smallest_grant(why, denied.required.as_ref()?, (&caller, rules), root);
        FieldExplanation {
            path: denied.path.clone(),
            field: denied.field.clone(),
            required: denied.required.as_ref().map(ToString::to_string),
            named_by: None,
            exact_only: by_name_only.then_some(EXACT_ONLY).filter(|_| denied.required.is_some()),
            allowed: false,
            reason: Some(denied.reason),
            steps: steps.unwrap_or_default(),
            smallest_grant: grant(),
            policies: denied.policies.clone(),
        }
    });
    let (caller, omitted) = (denial.caller.clone(), denial.omitted);
    Explanation { caller, fields: fields.collect(), omitted }
}

impl CallerSummary {
    /// As much of the caller as was kept.
    fn to_caller(&self) -> Caller {
        let read =
            |text: &Option<String>| text.as_deref().and_then(|text| Scopes::parse(text).ok());
        let Some(token_scopes) = read(&self.scope) else {
            let good = self.kind == ANONYMOUS;
            return if good { Caller::NOBODY } else { Caller::invalid() };
        };
        let person = self.person.as_ref().map(|id| Person { id: id.clone(), ..Person::default() });
        Caller::known(Identity {
            kind: "credential",
            person,
            client_id: self.client.clone(),
            credential_id: self.credential.clone(),
            token_scopes,
            client_scopes: read(&self.client_scope),
            person_term: match &self.roles {
                Some(roles) => PersonTerm::Roles(roles.iter().map(RoleSummary::read).collect()),
                None if self.person.is_some() => PersonTerm::Unknown,
                None => PersonTerm::NoPerson,
            },
            policy_term: PolicyTerm::Unknown,
        })
    }
}

impl RoleSummary {
    /// The role as it was kept; a list that cannot be read allows nothing.
    fn read(&self) -> RoleScopes {
        let scopes = Scopes::parse(&self.scope).unwrap_or_default();
        RoleScopes { role: self.role.clone(), scopes }
    }
}

const ANONYMOUS: &str = "anonymous";

/// Said of fields such as `node` and `_entities`.
const EXACT_ONLY: &str = "only a scope or public pattern that spells the required scope out reaches \
                          this field: it reaches past its own type, to objects of any type, so that \
                          no pattern with a * covers it";

fn exact_only(want: Want<'_>) -> Option<&'static str> {
    want.by_name_only.then_some(EXACT_ONLY)
}

fn chain(want: Want<'_>, caller: &Caller, rules: &Rules) -> Vec<Step> {
    let public = rules.public.iter().find(|pattern| want.is_met_by_pattern(pattern));
    let replaced = rules.manner.scopes_replace_public && caller.identity().is_some();
    let mut steps = vec![Step {
        term: "public",
        holds: (!replaced).then_some(public.is_some()),
        detail: match public {
            _ if replaced => {
                "at this guard, the scopes of the token replace what is public".to_owned()
            }
            Some(pattern) => format!("{} is public", pattern.as_str()),
            None => "no public pattern covers it".to_owned(),
        },
    }];
    if rules.known_callers_only {
        let detail = "this guard accepts authenticated callers only".to_owned();
        steps.insert(0, Step { term: "known", holds: Some(caller.identity().is_some()), detail });
    }
    let Some(identity) = caller.identity() else {
        steps.push(Step {
            term: "credential",
            holds: Some(false),
            detail: CallerSummary::from(caller).kind,
        });
        return steps;
    };
    steps.push(Step { term: "credential", holds: Some(true), detail: identity.kind.to_owned() });
    let covering = |term, scopes: &Scopes| {
        let found = scopes.iter().find(|scope| want.is_met_by_scope(scope, rules));
        Step {
            term,
            holds: Some(found.is_some()),
            detail: found.map_or_else(
                || format!("none of {:?} covers it", scopes.to_string()),
                |scope| format!("{scope} covers it"),
            ),
        }
    };
    steps.push(match &identity.client_scopes {
        Some(scopes) => covering("client", scopes),
        None if rules.terms.client => missing(
            "client",
            "this guard requires that the app or key has a list of scopes, but it has none",
        ),
        None => absent("client", "no app or key with a list of scopes"),
    });
    steps.push(person(want, identity, rules));
    steps.push(covering("token", &identity.token_scopes));
    steps
}

/// The person's term: which role covers what is wanted.
fn person(want: Want<'_>, identity: &Identity, rules: &Rules) -> Step {
    let theirs = match &identity.person_term {
        _ if !rules.terms.person => {
            return absent("person", "this guard does not require that a role allows it");
        }
        PersonTerm::NoPerson => {
            return absent("person", "no person: an app, key or machine user acts for itself");
        }
        PersonTerm::Unknown => return missing("person", "the roles of the person are not known"),
        PersonTerm::Roles(theirs) => theirs,
    };
    if theirs.is_empty() {
        return missing("person", "the person has no role");
    }
    let found = theirs.iter().find_map(|role| {
        let scope = role.scopes.iter().find(|scope| want.is_met_by_scope(scope, rules))?;
        Some(format!("role {} covers it with {scope}", role.role))
    });
    let names = || theirs.iter().map(|role| &*role.role).collect::<Vec<_>>().join(", ");
    Step {
        term: "person",
        holds: Some(found.is_some()),
        detail: found
            .unwrap_or_else(|| format!("none of the person's roles covers it: {}", names())),
    }
}

/// The named scopes that a known caller must hold in addition, if the guard requires any.
fn required(root: Root, caller: &Caller, rules: &Rules) -> Option<Step> {
    let (identity, names) = (caller.identity()?, rules.requires.get(&root)?);
    let missing: Vec<&str> = names
        .iter()
        .filter(|name| !identity.token_scopes.has_name(name))
        .map(String::as_str)
        .collect();
    let detail = if missing.is_empty() {
        format!("the token has {}", names.join(" "))
    } else {
        format!("the token lacks {}", missing.join(" "))
    };
    Some(Step { term: "required", holds: Some(missing.is_empty()), detail })
}
