//! The command line.

#[macro_use]
mod output;

mod apply;
mod audit;
mod auth_key;
mod client;
mod completions;
mod config_check;
mod credential;
mod demo;
mod doctor;
mod example;
mod explain;
mod explain_refusal;
mod feature_off;
mod key;
mod migrate;
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
mod tls;
mod token_problem;
mod trial;
mod user;

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, IsTerminal as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use castellan_issuer::{Issuer, resources::ResourceKind};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use output::counted;

use crate::{
    background::{
        audit::{Audit, AuditLines},
        logout_delivery::LogoutDelivery,
    },
    config::{Config, Loaded, Rosters, environment},
    logging,
    startup::{assemble, data_source},
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
    /// Manage people: add, set a password, deactivate, list.
    #[command(subcommand)]
    User(user::Command),
    /// Manage apps: add, set a new secret, list.
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

/// What a command does where its database is not there yet.
#[derive(Clone, Copy)]
enum Absence {
    /// It makes one.
    Mended,
    /// It refuses: an empty one is not what was meant.
    Refused,
    /// It needs none.
    Unasked,
}

impl Command {
    const fn absence(&self) -> Absence {
        match self {
            Self::Migrate(arguments) if arguments.is_copy() => Absence::Unasked,
            Self::Migrate(_)
            | Self::Serve(_)
            | Self::Import(_)
            | Self::Apply(_)
            | Self::User(user::Command::Add { .. }) => Absence::Mended,
            Self::Get(_)
            | Self::Delete(_)
            | Self::User(_)
            | Self::Client(_)
            | Self::Credential(_)
            | Self::AuthKey(_)
            | Self::Explain(_)
            | Self::Audit(_)
            | Self::Scopes(scopes::Command::Usage(_))
            | Self::Export(_)
            | Self::Doctor(_) => Absence::Refused,
            Self::Key(command) if !matches!(command, key::Command::NewMaster) => Absence::Refused,
            Self::Key(_)
            | Self::Reload
            | Self::Demo(_)
            // `lint` looks when it knows what it is asked, and ends with a code of its own.
            | Self::Scopes(_)
            | Self::Policy(_)
            | Self::Tls(_)
            | Self::Config(_)
            | Self::Schema(_)
            | Self::Completions(_)
            | Self::Archive(_) => Absence::Unasked,
        }
    }
}

impl Absence {
    /// Whether the command goes on with the data source of `loaded`, read from `config`.
    ///
    /// # Errors
    /// What to do, if it is not there and is not to be made.
    fn check(self, loaded: &Loaded, config: Option<&Path>) -> Result<(), Failure> {
        let is_there = data_source::database(loaded).is_none_or(|path| path.exists());
        if is_there || matches!(self, Self::Unasked) {
            return Ok(());
        }
        if config.is_none() && Path::new("castellan.toml").exists() {
            return Err("castellan.toml is in this folder but was not given; add --config \
                        castellan.toml"
                .into());
        }
        let remedy = match (self, config) {
            (Self::Mended | Self::Unasked, _) => return Ok(()),
            (Self::Refused, None) => "give --config FILE, or start with `castellan serve`",
            (Self::Refused, Some(_)) => "start with `castellan serve`, or run `castellan migrate`",
        };
        Err(format!("no database at {}; {remedy}", loaded.config.data.url).into())
    }
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
    // Not `mut_arg`, which moves the argument behind the others.
    let set = |command: clap::Command| {
        command.mut_args(|argument| match argument.get_id().as_str() {
            "kind" => argument.help(format!("Kind of the resource: {kinds}")),
            _ => argument,
        })
    };
    let writable: Vec<_> =
        roster.iter().filter(|kind| kind.is_writable()).map(ResourceKind::as_str).collect();
    let documents = format!("The `resourceType` of a document is {}.", one_of(&writable));
    // Not `mut_subcommand`, which moves the command behind the others.
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
    let (path, absence) = (config.clone(), command.absence());
    let load = move || {
        let loaded = load(path.as_deref(), site.as_deref())?;
        absence.check(&loaded, path.as_deref())?;
        Ok(loaded)
    };
    match command {
        Command::Serve(arguments) => Box::pin(serve::run(load, arguments)).await,
        Command::Reload => reload::ask(config.as_deref()).await,
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Apply(arguments) if arguments.is_remote() => apply::run_remotely(arguments).await,
        Command::Apply(arguments) => {
            recorded(&load()?, async |issuer| apply::run(issuer, arguments).await).await
        }
        Command::Get(arguments) => resources::get(&open(&load()?).await?, arguments).await,
        Command::Delete(arguments) => {
            recorded(&load()?, async |issuer| resources::delete(issuer, arguments).await).await
        }
        Command::User(command) => {
            recorded(&load()?, async |issuer| user::run(issuer, command).await).await
        }
        Command::Client(command) => {
            let loaded = load()?;
            let dialects = &loaded.rosters.dialects;
            recorded(&loaded, async |issuer| client::run(issuer, dialects, command).await).await
        }
        Command::Credential(command) => {
            let loaded = load()?;
            recorded(&loaded, async |issuer| credential::run(&loaded, issuer, command).await).await
        }
        Command::AuthKey(command) => {
            let loaded = load()?;
            recorded(&loaded, async |issuer| auth_key::run(&loaded, issuer, command).await).await
        }
        Command::Key(command) => key::run(&load()?, command).await,
        Command::Explain(arguments) => {
            let loaded = load()?;
            explain::run(&loaded, &open(&loaded).await?, arguments).await
        }
        Command::Audit(arguments) => audit::run(&open(&load()?).await?, arguments).await,
        Command::Scopes(command) => {
            let is_there = |loaded: &Loaded| Absence::Refused.check(loaded, config.as_deref());
            scopes::run(load()?, is_there, command).await
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

/// Does `work`, which may change what there is and end sessions: records that, and tells apps, before
/// the process ends.
async fn recorded(
    loaded: &Loaded,
    work: impl AsyncFnOnce(&Issuer) -> Result<ExitCode, Failure>,
) -> Result<ExitCode, Failure> {
    let issuer = open(loaded).await?;
    // Standard output is the command's own.
    let plan = assemble::audit_plan(loaded, AuditLines::stderr)?;
    let work = async {
        let done = work(&issuer).await;
        LogoutDelivery::finish(issuer.clone()).await;
        done
    };
    Box::pin(Audit::of_command(&issuer, &plan, work)).await
}

async fn open(loaded: &Loaded) -> Result<Issuer, Failure> {
    Ok(assemble::open_issuer(loaded).await?)
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
