//! `castellan explain`: why a request was decided as it was.

use std::{net::IpAddr, path::Path, process::ExitCode};

use castellan_gate::{
    Caller, Credential, Denial, Document, DocumentError, Explanation, Reason, Verifier as _,
};
use castellan_issuer::{Issuer, records::DecisionRecord};
use serde_json::{Value, json};

use super::{Failure, token_problem};
use crate::{
    config::{GuardConfig, Loaded},
    guards::{self, Credentials, Denials, GuardParts, Upstreams, Usage},
    startup::assemble::foreign_tokens,
};

/// Explain why a request was allowed or denied, and what would change the decision.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Id of a denial, from the header Castellan-Decision or extensions.decision of an error. Denials
    /// are kept for 24 hours; of requests that were allowed, nothing is kept.
    #[arg(required_unless_present = "query")]
    decision: Option<String>,
    /// GraphQL document to evaluate instead; `@FILE` reads it from a file.
    #[arg(long, conflicts_with = "decision")]
    query: Option<String>,
    /// Name of the operation in the document.
    #[arg(long, requires = "query")]
    operation: Option<String>,
    /// Token to evaluate the document with (default: anonymous).
    #[arg(long, requires = "query")]
    token: Option<String>,
    /// Audience that the caller sends in X-Jwt-Aud.
    #[arg(long, requires = "token")]
    audience: Option<String>,
    /// IP address of the caller, for machine users that are limited to certain addresses.
    #[arg(long, requires = "token", value_name = "ADDRESS")]
    from: Option<IpAddr>,
    /// Guard to evaluate the document at (default: the first one with an upstream).
    #[arg(long, requires = "query")]
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
    match (&arguments.decision, &arguments.query) {
        (Some(id), _) => by_id(loaded, issuer, id, arguments.json).await,
        (None, Some(query)) => by_query(loaded, issuer, query, &arguments).await,
        (None, None) => Err("give the id of a decision, or --query".into()),
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
                "no denial with id {id:?}: the request was allowed, or was denied more than 24 \
                 hours ago"
            )
        })?
        .body;
    let read: Denial = serde_json::from_value(denial.clone())?;
    let guard = find_guard(loaded, Some(&guard))?;
    let explained = castellan_gate::explain_denial(&read, &guards::rules(&guard));
    let invalid = explained.fields.iter().find_map(|field| match field.reason {
        Some(Reason::CredentialExpired) => Some("the token had expired"),
        Some(Reason::CredentialInvalid) => Some(
            "the credential was not valid; `castellan explain --token TOKEN --query QUERY` says why",
        ),
        _ => None,
    });
    if json {
        let mut all = to_json(&guard, &explained, invalid)?;
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
    let query = match query.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?,
        None => query.to_owned(),
    };
    let guard = find_guard(loaded, arguments.guard.as_deref())?;
    let schema = guards::build_schema(&guard, &loaded.folder).await?.schema;
    let rules = guards::rules(&guard);
    let read = Document::read(&schema, &query, arguments.operation.as_deref(), &rules.limits);
    let document = read.map_err(|error| match error {
        DocumentError::Invalid(errors) => {
            errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join("; ")
        }
        DocumentError::TooLarge(message) => message,
    })?;
    let mut invalid = None;
    let caller = match &arguments.token {
        None => Caller::NOBODY,
        Some(token) => {
            let parts = GuardParts {
                issuer: issuer.clone(),
                keys: loaded.key_tokens(&loaded.site)?,
                machines: loaded.machine_tokens(&loaded.site)?,
                foreign: foreign_tokens(loaded, vec![issuer.clone()]),
                denials: Denials::start(issuer.clone()),
                usage: Usage::start(issuer.clone()),
                upstreams: Upstreams::default(),
                folder: Path::new("").to_owned(),
            };
            let credential = Credential {
                bearer: token,
                // Whoever explains a token need not hold its key.
                possession: None,
                audience: arguments.audience.as_deref(),
                source: arguments.from,
            };
            let caller = Credentials::of(&guard, &parts).verify(&credential).await?;
            if let Caller::Anonymous(Some(problem)) = caller {
                invalid = Some(token_problem::of(problem, &guard, &parts, &credential).await);
            }
            caller
        }
    };
    let explained = castellan_gate::explain(&schema, &document, &caller, &rules);
    if arguments.json {
        let all = to_json(&guard, &explained, invalid.as_deref())?;
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        print(&guard, &explained, invalid.as_deref());
    }
    Ok(ExitCode::SUCCESS)
}

fn find_guard(loaded: &Loaded, name: Option<&str>) -> Result<GuardConfig, Failure> {
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

/// What `print` shows. `invalid` is what is wrong with the credential.
fn to_json(
    guard: &GuardConfig,
    explained: &Explanation,
    invalid: Option<&str>,
) -> Result<Value, Failure> {
    let mut all = serde_json::to_value(explained)?;
    all["guard"] = json!(guard.name);
    all["path"] = json!(guard.path);
    if let Some(invalid) = invalid {
        all["credential_problem"] = json!(invalid);
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
        if let Some(demand) = &field.demand {
            let by = field.named_by.map_or_else(String::new, |by| format!(", by {by}"));
            println!("  requires        {demand}{by}");
        }
        for step in &field.steps {
            let mark = match step.holds {
                Some(true) => "yes",
                Some(false) => "no",
                None => "–",
            };
            println!("  {:<10} {mark:<4} {}", step.term, step.detail);
        }
        if let Some(grant) = &field.smallest_grant {
            println!("  smallest grant  {grant}");
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
