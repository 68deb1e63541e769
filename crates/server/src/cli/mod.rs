//! The command line.

#[macro_use]
mod output;

mod absence;
mod apply;
mod audit;
mod auth_key;
mod client;
mod completions;
mod config_check;
mod credential;
mod demo;
mod doctor;
mod doctor_checks;
mod example;
mod explain;
mod explain_refusal;
mod feature_off;
mod key;
mod migrate;
mod opened;
mod policy;
#[cfg(test)]
mod reference;
mod reload;
mod resources;
mod sample_app;
mod schema;
mod scopes;
mod serve;
mod served;
mod table;
mod tls;
mod trial;
mod user;

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, IsTerminal as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use castellan_issuer::resources::ResourceKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use opened::{open, recorded};
use output::counted;

use crate::{
    config::{Config, Loaded, Rosters, environment},
    logging,
    startup::data_source::Access,
};

/// An error, in words for the person at the terminal.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Signs people and machines in, and decides what each request to an API may do.
#[derive(Parser)]
#[command(
    name = "castellan",
    version,
    about,
    after_help = "Start with `castellan demo`: a server with a sample API, sample people and \
                  apps, and commands to try.",
    arg_required_else_help = true
)]
struct Arguments {
    /// Configuration file. Without one: SQLite in this folder, at <http://localhost:8080>.
    #[arg(long, global = true, env = "CASTELLAN_CONFIG", value_name = "FILE", value_parser = file)]
    config: Option<PathBuf>,
    /// Site to act on (default: the first). `serve` always serves all sites.
    #[arg(long, global = true, env = "CASTELLAN_SITE", value_name = "NAME", value_parser = text)]
    site: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::Arguments),
    /// Make the running server re-read its configuration and the schemas of its guards.
    ///
    /// Prints what was applied, what needs a restart, and which guards have problems. SIGHUP does
    /// the same and writes to the log.
    Reload,
    /// Run a server with a sample API, sample people and apps; prints what to try.
    Demo(demo::Arguments),
    /// Create or update resources from YAML or JSON documents.
    Apply(apply::Arguments),
    /// Read resources.
    Get(resources::GetArguments),
    /// Delete a resource. Its sessions and tokens become invalid everywhere.
    Delete(resources::DeleteArguments),
    /// Manage people: add, set a password or groups, deactivate, activate, list.
    #[command(subcommand)]
    User(user::Command),
    /// Manage apps: add, set a new secret, delete, list.
    #[command(subcommand)]
    Client(client::Command),
    /// Manage machine users: add, set a new secret, list.
    #[command(subcommand)]
    Credential(credential::Command),
    /// Manage API keys for `/jwt`: add, set a new secret, list.
    #[command(subcommand)]
    AuthKey(auth_key::Command),
    /// Manage signing keys and the master key that seals them.
    #[command(subcommand)]
    Key(key::Command),
    /// Explain why a request was allowed or denied, and what would change the decision.
    Explain(explain::Arguments),
    /// Read audit records, the latest first, or verify them.
    Audit(audit::Arguments),
    /// List the scopes of a schema, or check what clients and keys have against them.
    #[command(subcommand)]
    Scopes(scopes::Command),
    /// Test policies, roles and scopes by cases.
    #[command(subcommand)]
    Policy(policy::Command),
    /// Make certificates for a first try of TLS.
    #[command(subcommand)]
    Tls(tls::Command),
    /// Check the configuration file.
    #[command(subcommand)]
    Config(config_check::Command),
    /// Create and upgrade tables, or copy all records from one data source to another.
    Migrate(migrate::Arguments),
    /// Export all records to a file, one per line.
    Export(migrate::ExportArguments),
    /// Import records that `export` wrote.
    Import(migrate::ImportArguments),
    /// Check that everything configured works, and show what the data source supports.
    Doctor(doctor::Arguments),
    /// Print the GraphQL schema of a management API, or list these.
    Schema(schema::Arguments),
    /// Print shell completions.
    Completions(completions::Arguments),
    /// Run only the sample API, without a guard.
    Archive(serve::ArchiveArguments),
}

/// Parses the arguments and runs the command.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = arguments();
    // The first random number of a process takes some 40 ms: the library measures how the
    // processor's timing wavers, as a source besides the system's. Begun now, it is there when it
    // is needed.
    std::thread::spawn(castellan_proto::random::<1>);
    // Two providers of cryptography may be linked by accident; this one is ours.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    if let Err(error) = logging::start() {
        return fail(&*Failure::from(error));
    }
    let is_server = matches!(arguments.command, Command::Serve(_));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let done = runtime.block_on(dispatch(arguments));
    // Threads that still hash or write must not hold up the exit.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    logging::finish();
    match (done, output::failure()) {
        (Ok(_), Some(error)) => fail(&Unprinted(error)),
        (Ok(code), None) => code,
        (Err(error), _) if is_server && logging::is_json() => {
            tracing::error!(error = &*error as &dyn std::error::Error, "the server does not run");
            ExitCode::FAILURE
        }
        (Err(error), _) => fail(&*error),
    }
}

/// Not all of what a command had to say could be printed.
#[derive(Debug, thiserror::Error)]
#[error("could not write to standard output: {0}")]
struct Unprinted(&'static std::io::Error);

/// The command line as `--help` and completions show it, for what is in `rosters`.
#[must_use]
pub fn command(rosters: &Rosters) -> clap::Command {
    let (roster, dialects) = (&rosters.resources, rosters.dialects.client_names());
    let kinds = one_of(&roster.names());
    // Neither `mut_arg` nor `mut_subcommand`, which move theirs behind the others.
    let set = |command: clap::Command| {
        command.mut_args(|argument| match argument.get_id().as_str() {
            "kind" => argument.help(format!("Kind of the resource: {kinds}; plurals are accepted")),
            _ => argument,
        })
    };
    let writable: Vec<_> =
        roster.iter().filter(|kind| kind.is_writable()).map(ResourceKind::as_str).collect();
    let documents = format!("The `resourceType` of a document is {}.", one_of(&writable));
    Arguments::command().mut_subcommands(|command| match command.get_name() {
        "get" | "delete" => set(command),
        "apply" => command.after_help(documents.clone()),
        "client" => command.mut_subcommands(|command| match command.get_name() {
            "add" => client::with_dialects(command, &dialects),
            _ => command,
        }),
        _ => command,
    })
}

/// `names` as a choice: "A, B or C".
fn one_of(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [name] => (*name).to_owned(),
        [others @ .., last] => format!("{} or {last}", others.join(", ")),
    }
}

/// The arguments; a variable that is empty stands for none.
fn arguments() -> Arguments {
    let mut command = without_empty_variables(command(&Rosters::default()));
    let read = Arguments::from_arg_matches(&command.get_matches_mut());
    read.unwrap_or_else(|error| error.format(&mut command).exit())
}

fn without_empty_variables(command: clap::Command) -> clap::Command {
    let set = |argument: clap::Arg| {
        let value = argument.get_env().and_then(std::env::var_os);
        let is_empty = value.is_some_and(|value| {
            value.to_str().is_some_and(|one| environment::text(one).is_none())
        });
        if is_empty { argument.env(None) } else { argument }
    };
    command.mut_args(set).mut_subcommands(without_empty_variables)
}

/// A text without the newline that a variable may end in.
fn text(value: &str) -> Result<String, &'static str> {
    environment::text(value).map(ToOwned::to_owned).ok_or("must not be empty")
}

fn file(value: &str) -> Result<PathBuf, &'static str> {
    text(value).map(PathBuf::from)
}

async fn dispatch(Arguments { config, site, command }: Arguments) -> Result<ExitCode, Failure> {
    let (path, needed) = (config.clone(), command.access());
    let access = needed.unwrap_or(Access::Look);
    let load = move || {
        let loaded = load(path.as_deref(), site.as_deref())?;
        absence::check(needed, &loaded, path.as_deref())?;
        Ok(loaded)
    };
    match command {
        Command::Serve(arguments) => Box::pin(serve::run(load, arguments)).await,
        Command::Reload => reload::ask(config.as_deref()).await,
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Apply(one) if one.is_remote() => apply::run_remotely(config.as_deref(), one).await,
        Command::Apply(arguments) => {
            let loaded = load()?;
            recorded(&loaded, access, async |it| apply::run(&loaded, it, arguments).await).await
        }
        Command::Get(arguments) => resources::get(&open(&load()?, access).await?, arguments).await,
        Command::Delete(arguments) => {
            recorded(&load()?, access, async |it| resources::delete(it, arguments).await).await
        }
        Command::User(command) => {
            recorded(&load()?, access, async |issuer| user::run(issuer, command).await).await
        }
        Command::Client(command) => {
            let loaded = load()?;
            let dialects = &loaded.rosters.dialects;
            recorded(&loaded, access, async |it| client::run(it, dialects, command).await).await
        }
        Command::Credential(command) => {
            let loaded = load()?;
            recorded(&loaded, access, async |it| credential::run(&loaded, it, command).await).await
        }
        Command::AuthKey(command) => {
            let loaded = load()?;
            recorded(&loaded, access, async |it| auth_key::run(&loaded, it, command).await).await
        }
        Command::Key(command) => key::run(&load()?, command).await,
        Command::Explain(arguments) => {
            let loaded = load()?;
            explain::run(&loaded, &open(&loaded, access).await?, arguments).await
        }
        Command::Audit(arguments) => audit::run(&open(&load()?, access).await?, arguments).await,
        Command::Scopes(command) => {
            let is_there =
                |loaded: &Loaded| absence::check(Some(access), loaded, config.as_deref());
            Box::pin(scopes::run(load()?, is_there, command)).await
        }
        Command::Policy(command) => Ok(policy::run(&load()?, command).await),
        Command::Tls(command) => tls::run(command),
        Command::Config(command) => config_check::run(load(), &command).await,
        Command::Migrate(arguments) => migrate::run(&load()?, arguments).await,
        Command::Export(arguments) => migrate::export(&load()?, arguments).await,
        Command::Import(arguments) => migrate::import(&load()?, arguments).await,
        Command::Doctor(arguments) => doctor::run(&load()?, &arguments).await,
        Command::Schema(arguments) => schema::run(&load()?, &arguments),
        Command::Completions(arguments) => Ok(completions::run(&arguments)),
        Command::Archive(arguments) => serve::archive(arguments).await,
    }
}

fn load(path: Option<&Path>, site: Option<&str>) -> Result<Loaded, Failure> {
    let loaded = Config::load(path, variables()?)?;
    logging::begin(&loaded.config.log);
    if let Some(site) = site { Ok(loaded.at_site(site)?) } else { Ok(loaded) }
}

/// The variables of the environment that are texts; one of ours must be.
fn variables() -> Result<Vec<(String, String)>, Failure> {
    let mut texts = Vec::new();
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) => texts.push((name, value)),
            Err(_) if environment::is_setting(&name) => {
                return Err(format!("{name} is not valid UTF-8").into());
            }
            Err(_) => {}
        }
    }
    Ok(texts)
}

/// Says on standard error how far a command is, if somebody looks.
fn progress(text: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("{text}");
    }
}

/// Makes the file at `path`; what is there stays.
fn new_file(path: &Path, options: &mut OpenOptions) -> Result<File, Failure> {
    options.write(true).create_new(true).open(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            format!("{} already exists; choose another name or delete it", path.display()).into()
        }
        _ => format!("{}: {error}", path.display()).into(),
    })
}

fn fail(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    eprintln!("castellan: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        eprintln!("  because: {cause}");
        source = cause.source();
    }
    ExitCode::FAILURE
}
