//! The command line.

mod apply;
mod auth_key;
mod client;
mod completions;
mod config_check;
mod credential;
mod demo;
mod doctor;
mod example;
mod explain;
mod key;
mod migrate;
mod resources;
mod sample_app;
mod scopes;
mod serve;
mod user;

use std::{path::PathBuf, process::ExitCode};

use castellan_issuer::Issuer;
use clap::{Parser, Subcommand};

use crate::{
    app,
    config::{Config, Loaded},
};

/// Whatever went wrong, in words for the person at the terminal.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Signs people and machines in, and decides what each request to an API may do.
#[derive(Parser)]
#[command(
    name = "castellan",
    version,
    about,
    after_help = "Begin with `castellan demo`: a server with a sample API behind its gate, sample people and \
                  apps, and commands to try.",
    arg_required_else_help = true
)]
struct Arguments {
    /// The configuration file; without one, SQLite in this folder and <http://localhost:8080>.
    #[arg(long, global = true, env = "CASTELLAN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Which `[[site]]` to work on; the first one without it. `serve` serves all of them.
    #[arg(long, global = true, env = "CASTELLAN_SITE", value_name = "NAME")]
    site: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::Arguments),
    /// Run a server with a sample API behind its gate, sample people and apps; prints what to try.
    Demo(demo::Arguments),
    /// Create or update resources from YAML or JSON documents.
    Apply(apply::Arguments),
    /// Read resources.
    Get(resources::GetArguments),
    /// Delete a resource; what rests on it is over everywhere.
    Delete(resources::DeleteArguments),
    /// People: add one, set a password, list them.
    #[command(subcommand)]
    User(user::Command),
    /// Apps: add one, give it a new secret, list them.
    #[command(subcommand)]
    Client(client::Command),
    /// Machine users: add one, give it a new secret, list them.
    #[command(subcommand)]
    Credential(credential::Command),
    /// API keys for `/jwt`: add one, give it a new secret, list them.
    #[command(subcommand)]
    AuthKey(auth_key::Command),
    /// Signing keys, and the master key that seals them.
    #[command(subcommand)]
    Key(key::Command),
    /// Why was a request allowed or denied, and what would change it?
    Explain(explain::Arguments),
    /// The scopes of a schema: list them, or lint grants against them.
    #[command(subcommand)]
    Scopes(scopes::Command),
    /// The configuration file.
    #[command(subcommand)]
    Config(config_check::Command),
    /// Make and upgrade tables, or move everything from one data source to another.
    Migrate(migrate::Arguments),
    /// Write everything to a file, one record a line.
    Export(migrate::ExportArguments),
    /// Read what `export` wrote.
    Import(migrate::ImportArguments),
    /// Does what is configured work, and what can its data source do?
    Doctor,
    /// Shell completions.
    Completions(completions::Arguments),
    /// Run the sample API alone, without a gate.
    Archive(serve::ArchiveArguments),
}

/// Parses the arguments and runs the command.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    // The first random number of a process takes some 40 ms: the library measures how the processor's
    // timing wavers, as a source besides the system's. Begun now, it is there when it is needed.
    std::thread::spawn(castellan_proto::random::<1>);
    // Two providers of cryptography may be linked by accident; this one is ours.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let filter = tracing_subscriber::EnvFilter::try_from_env("CASTELLAN_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let done = runtime.block_on(dispatch(arguments));
    // Threads that still hash or write must not hold up the exit.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    match done {
        Ok(code) => code,
        Err(error) => fail(&*error),
    }
}

async fn dispatch(Arguments { config, site, command }: Arguments) -> Result<ExitCode, Failure> {
    let load = || load(config.as_deref(), site.as_deref());
    match command {
        Command::Serve(arguments) => serve::run(load()?, arguments).await,
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Apply(arguments) if arguments.is_remote() => apply::run_remotely(arguments).await,
        Command::Apply(arguments) => apply::run(&open(&load()?).await?, arguments).await,
        Command::Get(arguments) => resources::get(&open(&load()?).await?, arguments).await,
        Command::Delete(arguments) => resources::delete(&open(&load()?).await?, arguments).await,
        Command::User(command) => user::run(&open(&load()?).await?, command).await,
        Command::Client(command) => client::run(&open(&load()?).await?, command).await,
        Command::Credential(command) => {
            let loaded = load()?;
            credential::run(&loaded, &open(&loaded).await?, command).await
        }
        Command::AuthKey(command) => auth_key::run(&open(&load()?).await?, command).await,
        Command::Key(command) => key::run(&load()?, command).await,
        Command::Explain(arguments) => {
            let loaded = load()?;
            explain::run(&loaded, &open(&loaded).await?, arguments).await
        }
        Command::Scopes(command) => scopes::run(load()?, command).await,
        Command::Config(command) => config_check::run(load(), &command).await,
        Command::Migrate(arguments) => migrate::run(&load()?, arguments).await,
        Command::Export(arguments) => migrate::export(&load()?, arguments).await,
        Command::Import(arguments) => migrate::import(&load()?, arguments).await,
        Command::Doctor => doctor::run(&load()?).await,
        Command::Completions(arguments) => Ok(completions::run(&arguments)),
        Command::Archive(arguments) => serve::archive(arguments).await,
    }
}

fn load(path: Option<&std::path::Path>, site: Option<&str>) -> Result<Loaded, Failure> {
    // Values that are no text are none of ours.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let loaded = Config::load(path, environment)?;
    Ok(match site {
        Some(site) => loaded.at_site(site)?,
        None => loaded,
    })
}

async fn open(loaded: &Loaded) -> Result<Issuer, Failure> {
    Ok(app::open_issuer(loaded).await?)
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
