//! Files of test cases, as people write them.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
};

use castellan_proto::strict_json;
use serde::Deserialize;
use serde_json::Value;

use crate::{cli::Failure, yaml};

/// One file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Files with resources as `castellan apply` takes them, from where this file is.
    pub(super) documents: Vec<PathBuf>,
    /// The guard to which requests go, unless their case names another. One to an API over HTTP goes to
    /// the guard at its path without either.
    pub(super) guard: Option<String>,
    /// Callers by name.
    #[serde(default)]
    pub(super) callers: BTreeMap<String, Caller>,
    pub(super) cases: Vec<Case>,
    /// Where the file is.
    #[serde(skip)]
    pub(super) folder: PathBuf,
}

/// A known caller: a client with a token that it got for itself or for a person.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Caller {
    pub(super) client: String,
    /// The id of the person.
    pub(super) user: Option<String>,
    /// The groups of a person who is in none of the documents.
    pub(super) groups: Option<Vec<String>>,
    /// What the token was granted: all that the client may have, without it.
    pub(super) scope: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) guard: Option<String>,
    pub(super) caller: CallerName,
    pub(super) request: Request,
    pub(super) expect: Expected,
}

/// A caller by name, [`ANONYMOUS`] among them, or written out.
#[derive(Deserialize)]
#[serde(untagged, expecting = "must be the name of a caller, \"anonymous\", or {client, user, …}")]
pub(super) enum CallerName {
    Named(String),
    Written(Caller),
}

/// Who shows no credential.
pub(super) const ANONYMOUS: &str = "anonymous";

/// A GraphQL request (`query`), one to an API over HTTP (`path`), or one to a resource (`get`).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    pub(super) query: Option<String>,
    pub(super) operation: Option<String>,
    #[serde(default)]
    pub(super) variables: Value,
    /// Path and query, as clients send them to a guard with `protocol = "http"`.
    pub(super) path: Option<String>,
    /// Its method; GET without it.
    pub(super) method: Option<String>,
    /// Path and parameters of a resource, or of a search.
    pub(super) get: Option<String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    /// The address from which it comes.
    pub(super) from: Option<IpAddr>,
}

/// What is expected: of all fields alike, or of each by its response keys, joined by dots.
#[derive(Deserialize)]
#[serde(untagged, expecting = "must be a verdict, or a verdict for each field")]
pub(super) enum Expected {
    All(Verdict),
    Fields(BTreeMap<String, Verdict>),
}

/// `allow` or the reason of a denial, and perhaps the policy that decides it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "must be \"allow\", a reason, or {verdict, policy}")]
pub(super) enum Verdict {
    Word(String),
    By(ByPolicy),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ByPolicy {
    pub(super) verdict: String,
    pub(super) policy: String,
}

impl File {
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let name = path.display();
        let bytes = std::fs::read(path).map_err(|error| format!("{name}: {error}"))?;
        let text = strict_json::text(bytes).map_err(|problem| format!("{name}: {problem}"))?;
        let mut documents = yaml::read(&text).map_err(|problem| format!("{name}: {problem}"))?;
        let (Some(document), true) = (documents.pop(), documents.is_empty()) else {
            return Err(format!("{name}: must be one document").into());
        };
        let read = strict_json::parse::<Self>(document);
        let mut file = read.map_err(|problem| format!("{name}: {problem}"))?;
        path.parent().unwrap_or(Path::new("")).clone_into(&mut file.folder);
        if file.cases.is_empty() {
            return Err(format!("{name}: cases must not be empty").into());
        }
        for verdict in file.cases.iter().flat_map(|case| case.expect.verdicts()) {
            verdict.check().map_err(|problem| format!("{name}: {problem}"))?;
        }
        if file.callers.contains_key(ANONYMOUS) {
            return Err(format!("{name}: callers: {ANONYMOUS} is reserved").into());
        }
        Ok(file)
    }

    /// The caller of `case`; none if it shows no credential.
    pub(super) fn caller<'a>(&'a self, case: &'a Case) -> Result<Option<&'a Caller>, Failure> {
        match &case.caller {
            CallerName::Written(caller) => Ok(Some(caller)),
            CallerName::Named(name) if name == ANONYMOUS => Ok(None),
            CallerName::Named(name) => match self.callers.get(name) {
                Some(caller) => Ok(Some(caller)),
                None => Err(format!("callers has no {name:?}").into()),
            },
        }
    }

    /// Every caller that is written anywhere.
    pub(super) fn all_callers(&self) -> impl Iterator<Item = &Caller> {
        let written = self.cases.iter().filter_map(|case| match &case.caller {
            CallerName::Written(caller) => Some(caller),
            CallerName::Named(_) => None,
        });
        self.callers.values().chain(written)
    }
}

impl Expected {
    fn verdicts(&self) -> Vec<&Verdict> {
        match self {
            Self::All(verdict) => vec![verdict],
            Self::Fields(fields) => fields.values().collect(),
        }
    }
}

/// The verdict on what is allowed.
pub(super) const ALLOW: &str = "allow";
/// The verdict on a method and a path that no operation of the guard has, so that nobody may use them.
pub(super) const NO_OPERATION: &str = "no_operation";
/// The verdict on a resource that somebody may not read.
pub(super) const FORBIDDEN: &str = "forbidden";

impl Verdict {
    pub(super) fn word(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::By(by) => &by.verdict,
        }
    }

    pub(super) fn policy(&self) -> Option<&str> {
        match self {
            Self::Word(_) => None,
            Self::By(by) => Some(&by.policy),
        }
    }

    fn check(&self) -> Result<(), String> {
        let word = self.word();
        let is_reason = serde_json::from_value::<castellan_gate::Reason>(word.into()).is_ok();
        if is_reason || [ALLOW, FORBIDDEN, NO_OPERATION].contains(&word) {
            return Ok(());
        }
        Err(format!(
            "expect: {word:?} is neither {ALLOW:?} nor a reason such as \"policy\", \
             \"token_scope\" or \"no_credential\""
        ))
    }
}
