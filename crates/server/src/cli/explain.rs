//! `castellan explain`: why a request was decided as it was.

use std::{net::IpAddr, path::Path, process::ExitCode, sync::Arc};

use castellan_gate::{
    Caller, Credential, Denial, Document, DocumentError, Envelope, Explanation, GuardSchema,
    PolicySaid, Question, Reason, Rules, Source, Verifier as _, rest::explain_operation,
};
use castellan_issuer::{Issuer, records::DecisionRecord};
use http::{Request, request::Parts};
use serde_json::{Value, json};

use super::{Failure, explain_refusal};
use crate::{
    config::{GuardConfig, Loaded},
    guards::{
        self, Credentials, Denials, GuardParts, Surface, Upstreams, Usage,
        token_problem::{self, TokenProblem},
    },
    observers::Observers,
    startup::assemble::foreign_tokens,
};

/// Explain why a request was allowed or denied, and what would change the decision.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Id of a denial, from the header Castellan-Decision or extensions.decision of an error. Denials
    /// are kept for 24 hours; of requests that were allowed, nothing is kept.
    #[arg(required_unless_present_any = ["query", "request"])]
    decision: Option<String>,
    /// GraphQL document to evaluate instead; `@FILE` reads it from a file.
    #[arg(long, conflicts_with_all = ["decision", "request"])]
    query: Option<String>,
    /// Request to an API over HTTP to evaluate instead, by its method and target: `GET /shop/orders`.
    #[arg(long, conflicts_with = "decision", value_name = "METHOD TARGET")]
    request: Option<String>,
    /// Values of its variables, as a JSON object; `@FILE` reads it from a file.
    #[arg(long, requires = "query", value_name = "JSON")]
    variables: Option<String>,
    /// Name of the operation in the document.
    #[arg(long, requires = "query")]
    operation: Option<String>,
    /// Token to evaluate the document or request with (default: anonymous).
    #[arg(long, conflicts_with = "decision")]
    token: Option<String>,
    /// Audience that the caller sends in X-Jwt-Aud.
    #[arg(long, requires = "token")]
    audience: Option<String>,
    /// IP address of the caller, for policies, and for machine users that are limited to certain
    /// addresses.
    #[arg(long, conflicts_with = "decision", value_name = "ADDRESS")]
    from: Option<IpAddr>,
    /// Guard to evaluate the document at (default: the first one with an upstream), or the request
    /// (default: the one at its path).
    #[arg(long, conflicts_with = "decision")]
    guard: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    loaded: &Loaded,
    issuer: &Issuer,
    arguments: Arguments,
) -> Result<ExitCode, Failure> {
    match (&arguments.decision, &arguments.query, &arguments.request) {
        (Some(id), ..) => by_id(loaded, issuer, id, arguments.json).await,
        (None, Some(query), _) => by_query(loaded, issuer, query, &arguments).await,
        (None, None, Some(request)) => by_request(loaded, issuer, request, &arguments).await,
        (None, None, None) => Err("give the id of a decision, --query or --request".into()),
    }
}

async fn by_id(
    loaded: &Loaded,
    issuer: &Issuer,
    id: &str,
    json: bool,
) -> Result<ExitCode, Failure> {
    let found = issuer.repository().get::<DecisionRecord>(id, issuer.now()).await?;
    let DecisionRecord { at, guard, denial } = found
        .ok_or_else(|| {
            format!(
                "no denial with id {id:?}: no guard denied that request in the last 24 hours; \
                 `castellan audit --decision {id}` says what else it did"
            )
        })?
        .body;
    let read: Denial = serde_json::from_value(denial.clone())?;
    let guard = find_guard(loaded, Some(&guard))?;
    let explained = castellan_gate::explain_denial(&read, &guards::rules(&guard));
    let invalid = explained.fields.iter().find_map(|field| match field.reason {
        Some(Reason::CredentialExpired) => Some("the token had expired"),
        Some(Reason::CredentialInvalid) => Some(
            "the credential was not valid; `castellan explain --token TOKEN`, with the `--query` or \
             `--request` that was sent, says why of a token",
        ),
        _ => None,
    });
    if json {
        let mut all = to_json(&guard, &explained, None)?;
        if let Some(invalid) = invalid {
            all["credential_problem"] = json!(invalid);
        }
        all["decision"] = json!(id);
        all["at"] = json!(at);
        all["denial"] = denial;
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!("decision   {id}");
    print(&guard, &explained, invalid);
    Ok(ExitCode::SUCCESS)
}

async fn by_query(
    loaded: &Loaded,
    issuer: &Issuer,
    query: &str,
    arguments: &Arguments,
) -> Result<ExitCode, Failure> {
    let variables = arguments.variables.as_deref().map(text_or_file).transpose()?;
    let variables = variables.unwrap_or_else(|| "null".to_owned());
    let guard = find_guard(loaded, arguments.guard.as_deref())?;
    let built = guards::build_schema(&guard, &loaded.folder, &loaded.roots).await?;
    let schema = graphql(&guard, &built.surface)?;
    let asked = Asked {
        query: text_or_file(query)?,
        operation: arguments.operation.clone(),
        variables,
        parts: graphql_parts(&guard, arguments.from)?,
    };
    let (caller, invalid) = caller(loaded, issuer, &guard, arguments).await?;
    let explained = asked.explain(schema, &caller, &guards::rules(&guard))?;
    show(&guard, &explained, invalid.as_ref(), arguments.json)
}

async fn by_request(
    loaded: &Loaded,
    issuer: &Issuer,
    request: &str,
    arguments: &Arguments,
) -> Result<ExitCode, Failure> {
    let wrong = || "--request is a method and a target, such as \"GET /shop/orders\"";
    let (method, target) = request.split_once(' ').ok_or_else(wrong)?;
    let mut head = Request::builder().method(method).uri(target).body(())?;
    if let Some(from) = arguments.from {
        head.extensions_mut().insert(Source(from));
    }
    let (parts, ()) = head.into_parts();
    let (guard, path) = http_guard(loaded, arguments.guard.as_deref(), parts.uri.path())?;
    let built = guards::build_schema(&guard, &loaded.folder, &loaded.roots).await?;
    let map = built.surface.http().ok_or("the guard has no operations")?;
    let (caller, invalid) = caller(loaded, issuer, &guard, arguments).await?;
    let rules = guards::rules(&guard);
    let explained = explain_operation(map, &parts, &path, &caller, &rules)?;
    show(&guard, &explained, invalid.as_ref(), arguments.json)
}

/// The guard of an API over HTTP that is called `name`, or that is at `path`, and what comes after
/// its own path.
pub(super) fn http_guard(
    loaded: &Loaded,
    name: Option<&str>,
    path: &str,
) -> Result<(GuardConfig, String), Failure> {
    let guards = loaded.guards(&loaded.site).into_iter().filter(GuardConfig::is_http);
    let fitting = guards.filter_map(|guard| {
        let rest = path.strip_prefix(&*guard.path)?.to_owned();
        let is_it = name.is_none_or(|name| guard.name == name);
        (is_it && (rest.is_empty() || rest.starts_with('/'))).then_some((guard, rest))
    });
    let fitting: Vec<_> = fitting.collect();
    let longest = fitting.iter().map(|(guard, _)| guard.path.len()).max();
    let mut found = fitting.into_iter().filter(|(guard, _)| Some(guard.path.len()) == longest);
    match (found.next(), found.next()) {
        (None, _) => Err(format!("no guard with protocol = \"http\" is at {path:?}").into()),
        (Some(found), None) => Ok(found),
        (Some((one, _)), Some((other, _))) => Err(format!(
            "guards {} and {} are both at {}; name one of them",
            one.name, other.name, one.path
        )
        .into()),
    }
}

/// Who `arguments` say calls at `guard`, and what is wrong with the token.
async fn caller(
    loaded: &Loaded,
    issuer: &Issuer,
    guard: &GuardConfig,
    arguments: &Arguments,
) -> Result<(Caller, Option<TokenProblem>), Failure> {
    let Some(token) = &arguments.token else { return Ok((Caller::NOBODY, None)) };
    let parts = GuardParts {
        issuer: issuer.clone(),
        keys: loaded.key_tokens(&loaded.site)?,
        machines: loaded.machine_tokens(&loaded.site)?,
        foreign: foreign_tokens(loaded, vec![issuer.clone()]),
        denials: Denials::start(issuer.clone()),
        usage: Usage::start(issuer.clone()),
        upstreams: Upstreams::verified_by(loaded.roots.clone()),
        folder: Path::new("").to_owned(),
        site_accesses: Arc::default(),
        observers: Observers::default(),
    };
    let credential = Credential {
        bearer: token,
        // Whoever explains a token need not hold its key.
        possession: None,
        again: false,
        audience: arguments.audience.as_deref(),
        source: arguments.from,
    };
    let caller = Credentials::of(guard, &parts).verify(&credential).await?;
    let invalid = match caller {
        Caller::Anonymous(Some(problem)) => {
            Some(token_problem::of(problem, guard, &parts, &credential).await)
        }
        _ => None,
    };
    Ok((caller, invalid))
}

/// A GraphQL request to be explained.
pub(super) struct Asked {
    pub(super) query: String,
    pub(super) operation: Option<String>,
    /// As JSON, with every digit.
    pub(super) variables: String,
    pub(super) parts: Parts,
}

impl Asked {
    /// What the gate decides about it and why, read as the gate reads it.
    pub(super) fn explain(
        &self,
        schema: &GuardSchema,
        caller: &Caller,
        rules: &Rules,
    ) -> Result<Explanation, Failure> {
        let Self { query, operation, variables, parts } = self;
        let (query, operation) = (json!(query), json!(operation));
        let body = format!(
            "{{\"query\":{query},\"operationName\":{operation},\"variables\":{variables}}}"
        );
        let envelope = Envelope::from_json(body.as_bytes())
            .map_err(|error| format!("the request with these variables: {error}"))?;
        let name = envelope.operation_name.as_deref();
        let document =
            Document::read(schema, &envelope.query, name, &rules.limits).map_err(text_of)?;
        let question = Question::new(schema, &document, &envelope.variables, parts);
        Ok(castellan_gate::explain(&question.map_err(text_of)?, caller, rules).map_err(text_of)?)
    }
}

/// The schema of `guard`, if it is one of GraphQL.
pub(super) fn graphql<'a>(
    guard: &GuardConfig,
    surface: &'a Surface,
) -> Result<&'a Arc<GuardSchema>, Failure> {
    let not = || format!("guard {:?} guards no GraphQL API", guard.name);
    surface.graphql().ok_or_else(|| not().into())
}

fn text_of(error: DocumentError) -> String {
    match error {
        DocumentError::Invalid(errors) => {
            errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join("; ")
        }
        DocumentError::TooLarge(message) => message,
    }
}

/// The head of a GraphQL request to `guard` that comes `from` an address.
pub(super) fn graphql_parts(guard: &GuardConfig, from: Option<IpAddr>) -> Result<Parts, Failure> {
    let request = Request::post(&guard.path).header("content-type", "application/json");
    let (mut parts, ()) = request.body(())?.into_parts();
    if let Some(from) = from {
        parts.extensions.insert(Source(from));
    }
    Ok(parts)
}

/// What is written, or the file that it names after an `@`.
fn text_or_file(text: &str) -> Result<String, Failure> {
    Ok(match text.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?,
        None => text.to_owned(),
    })
}

pub(super) fn find_guard(loaded: &Loaded, name: Option<&str>) -> Result<GuardConfig, Failure> {
    let mut guards = loaded.guards(&loaded.site);
    let at = match name {
        Some(name) => guards.iter().position(|guard| guard.name == name),
        None => guards.iter().position(|guard| guard.upstream.is_some()).or(Some(0)),
    };
    let at = at.ok_or_else(|| {
        let known: Vec<_> = guards.iter().map(|guard| &*guard.name).collect();
        format!("no such guard; configured guards: {}", known.join(", "))
    })?;
    Ok(guards.swap_remove(at))
}

/// Shows `explained`, and what is wrong with the credential, as text or as JSON.
fn show(
    guard: &GuardConfig,
    explained: &Explanation,
    invalid: Option<&TokenProblem>,
    json: bool,
) -> Result<ExitCode, Failure> {
    if json {
        let all = to_json(guard, explained, invalid)?;
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        print(guard, explained, invalid.map(|problem| &*problem.text));
    }
    Ok(ExitCode::SUCCESS)
}

/// What `print` shows. `invalid` is what is wrong with the credential.
fn to_json(
    guard: &GuardConfig,
    explained: &Explanation,
    invalid: Option<&TokenProblem>,
) -> Result<Value, Failure> {
    let mut all = serde_json::to_value(explained)?;
    all["guard"] = json!(guard.name);
    all["path"] = json!(guard.path);
    for (at, field) in explained.fields.iter().enumerate() {
        if let Some(refusal) = explain_refusal::of(field, &explained.caller) {
            all["fields"][at]["cause"] = json!(refusal.cause);
            all["fields"][at]["remedy"] = json!(refusal.remedy);
        }
    }
    if let Some(TokenProblem { kind, text, since }) = invalid {
        all["credential_problem"] = json!(text);
        all["credential_problem_kind"] = json!(kind);
        if let Some(since) = since {
            all["credential_problem_since"] = json!(since);
        }
    }
    Ok(all)
}

fn print(guard: &GuardConfig, explained: &Explanation, invalid: Option<&str>) {
    println!("guard      {} at {}", guard.name, guard.path);
    print_caller(&explained.caller);
    if let Some(invalid) = invalid {
        println!("problem    {invalid}");
    }
    for field in &explained.fields {
        let verdict = match &field.reason {
            None => "ALLOWED".to_owned(),
            Some(reason) => format!("DENIED: {}", reason.as_str()),
        };
        println!("\n{} ({})  {verdict}", field.path, field.field);
        if let Some(required) = &field.required {
            let by = field.named_by.map_or_else(String::new, |by| format!(", by {by}"));
            println!("  requires        {required}{by}");
        }
        if let Some(text) = field.exact_only {
            println!("  exact scope     {text}");
        }
        for step in &field.steps {
            let mark = match step.holds {
                Some(true) => "yes",
                Some(false) => "no",
                None => "–",
            };
            println!("  {:<10} {mark:<4} {}", step.term, step.detail);
        }
        for PolicySaid { policy, says, because } in &field.policies {
            let because = because.as_ref().map_or_else(String::new, |text| format!(": {text}"));
            println!("                  {policy} {}{because}", says.as_str());
        }
        if let Some(grant) = &field.smallest_grant {
            println!("  smallest grant  {grant}");
        }
        if let Some(refusal) = explain_refusal::of(field, &explained.caller) {
            println!("  cause           {}", refusal.cause);
            println!("  remedy          {}", refusal.remedy);
        }
    }
    print_omitted(explained);
}

/// What is said of a record that was too large to be kept whole.
fn print_omitted(explained: &Explanation) {
    if explained.omitted > 0 {
        let fields = if explained.omitted == 1 { "field was" } else { "fields were" };
        println!("\n{} more denied {fields} not stored", explained.omitted);
    }
}

fn print_caller(caller: &castellan_gate::CallerSummary) {
    println!("caller     {}", caller.kind);
    for (name, value) in [
        ("person", &caller.person),
        ("client", &caller.client),
        ("key", &caller.credential),
        ("scope", &caller.scope),
        ("client scope", &caller.client_scope),
    ] {
        if let Some(value) = value {
            println!("{name:<10} {value}");
        }
    }
    for role in caller.roles.iter().flatten() {
        println!("{:<10} {}: {}", "role", role.role, role.scope);
    }
    if caller.shortened {
        println!("           (and more scopes, which were not stored)");
    }
}
