//! What the cases of a file are decided by: an issuer over an empty data source with the documents of a file, and the
//! guards of the configuration. The decisions are those of the code that serves.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use castellan_gate::{
    Caller as GateCaller, Credential, GuardSchema, PolicySaid, Says, Source,
    rest::{NotDecided, RestMap, explain_operation},
};
use castellan_issuer::{
    Issuer,
    records::{Account, Client},
    resources::Mode,
    rights::NotAuthorized,
    tokens::verified::Live,
};
use castellan_proto::scope::Scopes;
use http::{HeaderName, HeaderValue, request::Parts};
use serde_json::json;
use tempfile::TempDir;

use super::{
    cases::{ALLOW, Caller, Case, FORBIDDEN, File, NO_OPERATION, Request, Verdict},
    untouched::{Needs, Touched},
};
use crate::{
    cli::{
        Failure, apply,
        explain::{Asked, find_guard, graphql, graphql_parts, http_guard},
    },
    config::{GuardConfig, Loaded},
    guards::{self, Credentials, Denials, GuardParts, Upstreams, Usage},
    http::{Reading, decide_reading},
    observers::Observers,
    startup::assemble::{self, Access},
};

/// What was decided about one field, or about a resource.
pub(super) struct Decided {
    /// The response keys that lead to the field; the path of a resource.
    pub(super) path: String,
    /// `allow`, or the reason why not.
    pub(super) verdict: String,
    /// The policies that were asked.
    pub(super) said: Vec<PolicySaid>,
}

/// What the cases of one file are decided by.
pub(super) struct Setup<'a> {
    loaded: Loaded,
    file: &'a File,
    issuer: Issuer,
    schemas: BTreeMap<String, Arc<GuardSchema>>,
    /// Of guards of APIs over HTTP.
    maps: BTreeMap<String, Arc<RestMap>>,
    /// Where the data source is, until this is dropped.
    _folder: TempDir,
}

impl<'a> Setup<'a> {
    /// Applies the documents of `file` to an empty data source, and notes what is in them.
    pub(super) async fn of(
        loaded: &Loaded,
        file: &'a File,
        touched: &mut Touched,
    ) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("castellan-policy-").tempdir()?;
        let mut loaded = loaded.clone();
        loaded.config.data.url = format!("sqlite://{}/castellan.db", folder.path().display());
        // Beside the new data source one is made.
        loaded.config.data.master_key = None;
        loaded.config.data.previous_master_key = None;
        let issuer = assemble::open_issuer(&loaded, Access::Scratch).await?;
        let paths: Vec<_> = file.documents.iter().map(|path| file.folder.join(path)).collect();
        for apply::Read { place, document } in apply::read(&paths)? {
            let applied = issuer.apply(document, Mode::Write).await;
            let applied = applied.map_err(|error| format!("{place}: {error}"))?;
            for warning in &applied.warnings {
                eprintln!("warning: {}: {warning}", applied.resource);
            }
            touched.expect(&applied.resource, &applied.after);
        }
        for caller in file.all_callers() {
            let Some(groups) = &caller.groups else { continue };
            let user = caller.user.as_ref().ok_or("groups needs user")?;
            let known = issuer.repository().get::<Account>(user, issuer.now()).await?;
            if known.is_some_and(|known| known.body.groups != *groups) {
                let text = format!(
                    "groups of user {user:?} differ from those of the documents or of another caller"
                );
                return Err(text.into());
            }
            let groups: Vec<_> = groups.iter().map(|group| json!({"value": group})).collect();
            let document =
                json!({"resourceType": "User", "id": user, "userName": user, "groups": groups});
            issuer.apply(document, Mode::Write).await?;
        }
        let (schemas, maps) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { loaded, file, issuer, schemas, maps, _folder: folder })
    }

    /// Decides the request of `case`.
    pub(super) async fn decide(
        &mut self,
        case: &Case,
        touched: &mut Touched,
    ) -> Result<Vec<Decided>, Failure> {
        let caller = match self.file.caller(case)? {
            Some(caller) => Some(self.live(caller).await?),
            None => None,
        };
        let Request { query, path, method, get, .. } = &case.request;
        if method.is_some() && path.is_none() {
            return Err("request: method goes with path only".into());
        }
        match (query, path, get) {
            (Some(query), None, None) => self.at_guard(case, query, caller, touched).await,
            (None, Some(path), None) => self.at_http_guard(case, path, caller, touched).await,
            (None, None, Some(target)) => self.at_resource(case, target, caller, touched).await,
            _ => Err("request needs one of query, path and get".into()),
        }
    }

    async fn at_guard(
        &mut self,
        case: &Case,
        query: &str,
        caller: Option<Live>,
        touched: &mut Touched,
    ) -> Result<Vec<Decided>, Failure> {
        let name = case.guard.as_deref().or(self.file.guard.as_deref());
        let guard = find_guard(&self.loaded, name)?;
        let schema = self.schema(&guard).await?;
        let rules = guards::rules(&guard);
        let gate_caller = match &caller {
            Some(live) => self.gate_caller(&guard, live).await?,
            None => GateCaller::NOBODY,
        };
        let mut parts = graphql_parts(&guard, case.request.from)?;
        add_headers(&case.request, &mut parts)?;
        let asked = Asked {
            query: query.to_owned(),
            operation: case.request.operation.clone(),
            variables: case.request.variables.to_string(),
            parts,
        };
        let explained = asked.explain(&schema, &gate_caller, &rules)?;
        let mut all = Vec::new();
        // Names of types and the schema itself require no scope.
        for field in explained.fields.into_iter().filter(|field| field.required.is_some()) {
            touched.note(&Needs {
                caller: &gate_caller,
                required: field.required.as_deref().unwrap_or_default(),
                said: &field.policies,
                rules: &rules,
            });
            let verdict = field.reason.map_or(ALLOW, castellan_gate::Reason::as_str).to_owned();
            all.push(Decided { path: field.path, verdict, said: field.policies });
        }
        Ok(all)
    }

    async fn at_http_guard(
        &mut self,
        case: &Case,
        target: &str,
        caller: Option<Live>,
        touched: &mut Touched,
    ) -> Result<Vec<Decided>, Failure> {
        let Request { operation, variables, method, from, .. } = &case.request;
        if operation.is_some() || !variables.is_null() {
            return Err("request: operation and variables go with query only".into());
        }
        let method = method.as_deref().unwrap_or("GET");
        let (mut parts, ()) =
            http::Request::builder().method(method).uri(target).body(())?.into_parts();
        if let Some(from) = from {
            parts.extensions.insert(Source(*from));
        }
        add_headers(&case.request, &mut parts)?;
        let name = case.guard.as_deref().or(self.file.guard.as_deref());
        let (guard, path) = http_guard(&self.loaded, name, parts.uri.path())?;
        let map = self.operations(&guard).await?;
        let rules = guards::rules(&guard);
        let gate_caller = match &caller {
            Some(live) => self.gate_caller(&guard, live).await?,
            None => GateCaller::NOBODY,
        };
        let explained = match explain_operation(&map, &parts, &path, &gate_caller, &rules) {
            Ok(explained) => explained,
            Err(NotDecided::NoPath | NotDecided::OtherMethods(_)) => {
                let (path, verdict) = (format!("{method} {path}"), NO_OPERATION.to_owned());
                return Ok(vec![Decided { path, verdict, said: Vec::new() }]);
            }
            Err(error) => return Err(error.into()),
        };
        let decided = explained.fields.into_iter().map(|field| {
            touched.note(&Needs {
                caller: &gate_caller,
                required: field.required.as_deref().unwrap_or_default(),
                said: &field.policies,
                rules: &rules,
            });
            let verdict = field.reason.map_or(ALLOW, castellan_gate::Reason::as_str).to_owned();
            Decided { path: field.path, verdict, said: field.policies }
        });
        Ok(decided.collect())
    }

    async fn operations(&mut self, guard: &GuardConfig) -> Result<Arc<RestMap>, Failure> {
        if let Some(map) = self.maps.get(&guard.name) {
            return Ok(Arc::clone(map));
        }
        let built = guards::build_schema(guard, &self.loaded.folder, &self.loaded.roots).await?;
        let map = built.surface.http().ok_or("the guard has no operations")?;
        self.maps.insert(guard.name.clone(), Arc::clone(map));
        Ok(Arc::clone(map))
    }

    async fn at_resource(
        &self,
        case: &Case,
        target: &str,
        caller: Option<Live>,
        touched: &mut Touched,
    ) -> Result<Vec<Decided>, Failure> {
        let (mut parts, ()) = http::Request::get(target).body(())?.into_parts();
        if let Some(from) = case.request.from {
            parts.extensions.insert(castellan_gate::Source(from));
        }
        add_headers(&case.request, &mut parts)?;
        let path = parts.uri.path();
        let rest = path.strip_prefix("/fhir").unwrap_or(path);
        let (kind, id) = match rest.strip_prefix('/').map(|rest| rest.split_once('/')) {
            Some(Some((kind, id))) => (kind, Some(id)),
            _ => (rest.trim_start_matches('/'), None),
        };
        let kinds = self.issuer.resources();
        let kind = kinds.named(kind).filter(|known| known.as_str() == kind);
        let kind = kind.ok_or_else(|| format!("get: {target:?} is no path of a resource"))?;
        if id.is_some_and(|id| id.contains("_history") || id.contains('%')) {
            return Err("get: earlier versions, and ids with %, are not supported here".into());
        }
        let path = path.to_owned();
        let Some(live) = caller else {
            let verdict = castellan_gate::Reason::NoCredential.as_str().to_owned();
            return Ok(vec![Decided { path, verdict, said: Vec::new() }]);
        };
        let Reading { decided, said } =
            decide_reading(&self.issuer, &live, kind, id, &parts).await?;
        let said: Vec<_> = said.into_iter().map(guards::as_said).collect();
        let right = format!("Castellan:{}:Read", kind.as_str());
        touched.note_resource(&live, &right, &said);
        let verdict = match decided {
            Ok(()) => ALLOW,
            Err(NotAuthorized::Audience | NotAuthorized::Forbidden | NotAuthorized::Person) => {
                FORBIDDEN
            }
        };
        Ok(vec![Decided { path, verdict: verdict.to_owned(), said }])
    }

    async fn schema(&mut self, guard: &GuardConfig) -> Result<Arc<GuardSchema>, Failure> {
        if let Some(schema) = self.schemas.get(&guard.name) {
            return Ok(Arc::clone(schema));
        }
        let built = guards::build_schema(guard, &self.loaded.folder, &self.loaded.roots).await?;
        let schema = Arc::clone(graphql(guard, &built.surface)?);
        self.schemas.insert(guard.name.clone(), Arc::clone(&schema));
        Ok(schema)
    }

    /// What the holder of a token is to `guard`.
    async fn gate_caller(&self, guard: &GuardConfig, live: &Live) -> Result<GateCaller, Failure> {
        let parts = GuardParts {
            issuer: self.issuer.clone(),
            keys: None,
            machines: None,
            foreign: assemble::foreign_tokens(&self.loaded, vec![self.issuer.clone()]),
            denials: Denials::start(self.issuer.clone()),
            usage: Usage::start(self.issuer.clone()),
            upstreams: Upstreams::verified_by(self.loaded.roots.clone()),
            folder: Path::new("").to_owned(),
            site_accesses: Arc::default(),
            observers: Observers::default(),
        };
        let credential =
            Credential { bearer: "", possession: None, audience: None, source: None, again: false };
        Ok(Credentials::holder(guard, &parts, live, &credential).await?)
    }

    /// The token that `caller` has, as if it had been issued a moment ago.
    async fn live(&self, caller: &Caller) -> Result<Live, Failure> {
        let (repository, now) = (self.issuer.repository(), self.issuer.now());
        let missing = |kind, id: &str| format!("{kind}/{id} is in none of the documents");
        let client = repository.get::<Client>(&caller.client, now).await?;
        let client = client.ok_or_else(|| missing("Client", &caller.client))?.body;
        if !client.active {
            return Err(format!("Client/{} is not active and gets no token", caller.client).into());
        }
        let account = match &caller.user {
            None => None,
            Some(id) => {
                let account = repository.get::<Account>(id, now).await?;
                let account = account.ok_or_else(|| missing("User", id))?.body;
                if !account.active {
                    return Err(format!("User/{id} is not active and gets no token").into());
                }
                Some((id.clone(), Arc::new(account)))
            }
        };
        let scope = match &caller.scope {
            Some(text) => Scopes::parse(text)?,
            None => client.scope.clone(),
        };
        let issuer = &self.issuer.address().issuer;
        Ok(Live {
            family_id: "policy-test".to_owned(),
            jti: "policy-test".to_owned(),
            client_id: caller.client.clone(),
            named_audience: None,
            profile: client.profile,
            client: Arc::new(client),
            account,
            scope,
            claims: Vec::new(),
            groups: None,
            // One for every guard, and for the resources.
            audience: vec![issuer.clone()],
            jkt: None,
            issued: now,
            expires: now + std::time::Duration::from_mins(1),
        })
    }
}

fn add_headers(request: &Request, parts: &mut Parts) -> Result<(), Failure> {
    for (name, value) in &request.headers {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("headers: {name:?} is not a valid name"))?;
        let value = HeaderValue::from_str(value)
            .map_err(|_| format!("headers: the value of {name} is not valid"))?;
        parts.headers.append(name, value);
    }
    Ok(())
}

impl Decided {
    /// What differs from `expected`.
    pub(super) fn difference(&self, expected: &Verdict) -> Option<String> {
        let Self { path, verdict, said } = self;
        if verdict != expected.word() {
            return Some(format!("{path}: {verdict}, expected {}", expected.word()));
        }
        let policy = expected.policy()?;
        let wanted = if verdict == ALLOW { Says::Allows } else { Says::Forbids };
        let decides = said.iter().find(|one| one.says == wanted).map(|one| &*one.policy);
        if decides == Some(policy) {
            return None;
        }
        let by = decides.unwrap_or("none");
        Some(format!("{path}: {verdict} by policy {by}, expected {policy}"))
    }
}
