//! `castellan config check`.

use std::process::ExitCode;

use castellan_issuer::policy::CEDAR_SCHEMA;

use super::{Failure, served};
use crate::{
    config::{AuditOutput, GuardConfig, Loaded, Rosters, Site, schema},
    files,
    guards::{self, Trouble},
    http,
    startup::{
        assemble::{self, Access, StartError},
        data_source, file_rights,
        tls_files::TlsFiles,
    },
};

/// Check the configuration file.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Check whether `serve` would start, and print what it would serve.
    ///
    /// Reads the configuration and all schemas, and opens the data source. Starts no server, and
    /// creates and changes nothing unless told to.
    Check {
        /// Write the lock files of guards, and the schemas that their APIs show, as `serve` does: to
        /// keep them with the configuration.
        #[arg(long)]
        write_locks: bool,
    },
    /// Print the JSON schema of the configuration file, for editors that complete and check it.
    Schema,
    /// Print the OpenAPI description of the endpoints that programs call.
    Openapi,
    /// Print the schema that policies of the engine `cedar` are validated against.
    CedarSchema,
}

pub(super) async fn run(
    loaded: Result<Loaded, Failure>,
    command: &Command,
) -> Result<ExitCode, Failure> {
    let mut writes_locks = false;
    let document = match command {
        Command::Check { write_locks } => {
            writes_locks = *write_locks;
            None
        }
        Command::Schema => Some(schema::of(&Rosters::default())),
        Command::Openapi => Some(http::openapi(&Rosters::default())),
        Command::CedarSchema => {
            print!("{CEDAR_SCHEMA}");
            return Ok(ExitCode::SUCCESS);
        }
    };
    if let Some(document) = document {
        println!("{document:#}");
        return Ok(ExitCode::SUCCESS);
    }
    let loaded = loaded?;
    let mut good = check_listeners(&loaded);
    good &= check_data(&loaded).await & check_audit_output(&loaded);
    if let Err(problem) = assemble::check_upstreams(&loaded) {
        println!("guards   PROBLEM: {problem}");
        good = false;
    }
    good &= served::print_messages(&loaded).await & served::print_traces(&loaded).await;
    for site in &loaded.sites {
        good &= check_site(&loaded, site, writes_locks).await?;
    }
    println!("{}", if good { "No problems found." } else { "Problems found; see above." });
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints which data source there is, opened as a server opens it but for what that makes; whether
/// nothing is wrong with it.
async fn check_data(loaded: &Loaded) -> bool {
    // Without a scheme it may be a mistyped secret.
    let engine = loaded.config.data.url.split_once("://").map_or("none", |(scheme, _)| scheme);
    println!("records  {engine}");
    for warning in file_rights::warnings(loaded) {
        println!("         WARNING: {warning}");
    }
    let opened = match data_source::check(loaded) {
        Ok(()) => assemble::open_issuers(loaded, Access::Look).await.map(drop),
        Err(problem) => Err(problem.into()),
    };
    match opened {
        Ok(()) => true,
        // What nobody may make was refused before, if it is a file; a server tells only now.
        Err(StartError::Missing(_)) if Access::Begin.migrate(loaded).creates() => {
            println!("         nothing there yet; `castellan serve` creates it");
            true
        }
        Err(problem) => {
            println!("         PROBLEM: {problem}");
            false
        }
    }
}

/// Prints whether audit records can be written to the file that is to have them; whether they can.
fn check_audit_output(loaded: &Loaded) -> bool {
    let Some(AuditOutput::File(output)) = &loaded.config.audit.output else { return true };
    let path = loaded.folder.join(&output.file);
    println!("audit    {}", path.display());
    if let Err(cause) = files::check_writable(&path) {
        let problem = StartError::Audit { path: path.display().to_string(), cause };
        println!("         PROBLEM: {problem}");
        return false;
    }
    true
}

/// Prints where the server would listen, and what is wrong with files of TLS; whether nothing is.
fn check_listeners(loaded: &Loaded) -> bool {
    let mut good = true;
    for (name, listener) in loaded.config.listeners() {
        let tls = match (&listener.tls, listener.redirect) {
            (Some(_), _) => ", TLS",
            (None, Some(_)) => ", redirects to https",
            (None, None) => "",
        };
        println!("listens  {}{tls}", listener.listen);
        let Some(tls) = &listener.tls else { continue };
        let files = TlsFiles::new(&name, tls, &loaded.folder);
        if let Err(problem) = files.read().and_then(|material| files.server_config(material)) {
            println!("         PROBLEM: {problem}");
            good = false;
        }
        let plain = |site: &&Site| !site.issuer.is_https();
        if let Some(site) = loaded.sites.iter().find(plain).filter(|_| name == "server") {
            println!(
                "         WARNING: the listener speaks TLS, and {} is the public URL of site {}; \
                 set issuer to an https URL",
                site.issuer.as_str(),
                site.name
            );
        }
    }
    good
}

async fn check_site(loaded: &Loaded, site: &Site, writes_locks: bool) -> Result<bool, Failure> {
    loaded.key_tokens(site)?;
    loaded.machine_tokens(site)?;
    let hosts = if site.hosts.is_empty() { "every host".to_owned() } else { site.hosts.join(" ") };
    let own = if site.is_first { "; variables such as JWT_SECRET apply to it" } else { "" };
    println!("site     {} at {}, for {hosts}{own}", site.name, site.issuer.as_str());
    print_site_accesses(loaded, site);
    served::print_apis(loaded, site);
    let mut good = true;
    let all = loaded.guards(site);
    for (at, guard) in all.iter().cloned().enumerate() {
        let rules = guards::rules(&guard);
        let public: Vec<_> =
            rules.public.iter().map(castellan_proto::scope::ScopePattern::as_str).collect();
        let behind = guard.upstream.as_ref().map_or("no upstream".to_owned(), guards::shown_url);
        let root = if guard.is_at_root() { " and /" } else { "" };
        println!("guard    {} at {}{root}{} → {behind}", guard.name, guard.path, limits(&guard));
        for other in all[..at].iter().filter(|other| guard.overlaps(other)) {
            let first = if guard.path.len() > other.path.len() { &guard.name } else { &other.name };
            println!(
                "         overlaps guard {} at {}; where both match, {first} handles the request",
                other.name, other.path
            );
        }
        let public = if public.is_empty() { "nothing".to_owned() } else { public.join(" ") };
        let to = if rules.known_callers_only { ", for authenticated callers only" } else { "" };
        println!("         public: {public}{to}");
        print_kind(&guard);
        assemble::check_path(&loaded.rosters, &guard)?;
        good &= check_schema(loaded, &guard, writes_locks).await;
    }
    Ok(good)
}

/// Prints what a guard of an API over HTTP passes (`docs/rules.md` rule 37), and WebSockets.
fn print_kind(guard: &GuardConfig) {
    if !guard.is_http() {
        return;
    }
    let kind = if guard.own_host {
        "has a host of its own: passes what browsers run, and cookies of the API"
    } else {
        "shares its host with pages: passes nothing that browsers run, and no cookies"
    };
    println!("         {kind}");
    if guard.websocket {
        println!("         WebSockets may be opened");
    }
}

/// What a guard takes of the requests for its path.
fn limits(guard: &GuardConfig) -> String {
    let host = guard.host.as_ref().map(|host| format!(", host {host}"));
    let pattern = guard.pattern.as_ref().map(|pattern| format!(", pattern {pattern}"));
    [host, pattern].into_iter().flatten().collect()
}

/// Prints the SiteAccesses of a site, and whether its hosts are listed where they decide anything.
fn print_site_accesses(loaded: &Loaded, site: &Site) {
    let site_accesses = loaded.site_accesses(site);
    for one in &site_accesses {
        let default = if one.default || site_accesses.len() == 1 { ", the default" } else { "" };
        println!("         SiteAccess {}{default}", one.name);
    }
    let by_host = loaded.guards(site).iter().any(|guard| guard.host.is_some())
        || (!site_accesses.is_empty() && !loaded.config.site_access_match.is_empty());
    if site.hosts.is_empty() && by_host {
        println!(
            "         WARNING: guards or SiteAccesses are selected by host, but the site answers to \
             every host, and clients choose what they send; list its hosts in [[site]]"
        );
    }
}

/// Prints what there is to say about the schema of `guard`; whether it can be decided by.
async fn check_schema(loaded: &Loaded, guard: &GuardConfig, writes_locks: bool) -> bool {
    let built = if writes_locks {
        guards::build_and_write(guard, &loaded.folder, &loaded.roots).await
    } else {
        guards::build_schema(guard, &loaded.folder, &loaded.roots).await
    };
    let built = match built {
        Ok(built) => built,
        Err(problem) => {
            println!("         PROBLEM: {problem}");
            return false;
        }
    };
    let required_scopes = built.surface.required_scopes();
    let (noun, nouns) = built.surface.nouns();
    println!("         {} {nouns}", required_scopes.len());
    for note in &built.notes {
        println!("         NOTE: {note}");
    }
    for pattern in &guard.public {
        if !required_scopes.iter().any(|required| pattern.matches(required)) {
            println!("         WARNING: public: {} matches no {noun}", pattern.as_str());
        }
    }
    for (name, patterns) in guard.scopes.iter().flatten() {
        for pattern in patterns {
            if !required_scopes.iter().any(|required| pattern.matches(required)) {
                println!(
                    "         WARNING: scopes: {name}: {} matches no {noun}",
                    pattern.as_str()
                );
            }
        }
    }
    let Some(trouble) = Trouble::of(&built) else { return true };
    // An API that is down has said enough before; what one does not tell may never be asked for.
    let passes = matches!(trouble.kind, "schema_unavailable" | "schema_incomplete");
    println!("         {}: {}", if passes { "WARNING" } else { "PROBLEM" }, trouble.text);
    passes
}
