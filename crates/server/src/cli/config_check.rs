//! `castellan config check`.

use std::process::ExitCode;

use super::Failure;
use crate::{app, config::Loaded, guards};

/// The configuration file.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Read the configuration and every schema, and say what would be served. Starts nothing.
    Check,
}

pub(super) async fn run(
    loaded: Result<Loaded, Failure>,
    command: &Command,
) -> Result<ExitCode, Failure> {
    let Command::Check = command;
    let loaded = loaded?;
    println!("issuer   {}", loaded.config.issuer.as_str());
    println!("listens  {}", loaded.config.server.listen);
    let engine = loaded.config.data.url.split("://").next().unwrap_or_default();
    println!("records  {engine}");
    loaded.key_tokens()?;
    loaded.machine_tokens()?;
    let mut good = true;
    for guard in app::guards(&loaded) {
        let rules = guards::rules(&guard);
        let public: Vec<_> =
            rules.public.iter().map(castellan_proto::scope::ScopePattern::as_str).collect();
        let behind =
            guard.upstream.as_ref().map_or("nothing behind it".to_owned(), ToString::to_string);
        println!("guard    {} at {} → {behind}", guard.name, guard.path);
        println!(
            "         public: {}",
            if public.is_empty() { "nothing".to_owned() } else { public.join(" ") }
        );
        match guards::build_schema(&guard, &loaded.folder).await {
            Ok(schema) => println!("         {} root fields", schema.entries().count()),
            Err(problem) => {
                good = false;
                println!("         PROBLEM: {problem}");
            }
        }
    }
    println!("{}", if good { "All is well." } else { "Not ready; see above." });
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
