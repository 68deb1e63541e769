//! `castellan key`.

use std::process::ExitCode;

use castellan_issuer::{Issuer, keys::MasterKey};
use serde_json::json;

use super::{
    Failure,
    resources::{Format, Output},
};
use crate::{
    config::Loaded,
    startup::assemble::{self, Access},
    yaml,
};

/// Manage signing keys and the master key that seals them.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// List the signing keys and when each of them signs.
    List(Output),
    /// Create new keys. They are published immediately, and sign once verifiers have had time to
    /// fetch them.
    Rotate,
    /// Remove a key immediately, for example because it may have leaked. Everything it signed
    /// becomes invalid; if it was the only key of its kind, a new one replaces it.
    Retire {
        /// Key id, as shown by `list`.
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
    /// Print a new master key. This changes nothing: set it as `data.master_key` and the current
    /// one as `data.previous_master_key`, restart all nodes, then run `castellan key reseal`.
    NewMaster,
    /// Seal the signing keys of all sites with `data.master_key`. The previous master key is not
    /// needed afterwards.
    Reseal,
}

pub(super) async fn run(loaded: &Loaded, command: Command) -> Result<ExitCode, Failure> {
    let open = |access| assemble::open_issuer(loaded, access);
    match command {
        Command::List(output) => list(&open(Access::Look).await?, output.of_list())?,
        Command::Rotate => {
            let issuer = open(Access::Change).await?;
            if !issuer.rotate_keys().await? {
                println!(
                    "New keys are already published and not yet in use; no keys were created."
                );
            }
            list(&issuer, Format::Table)?;
        }
        Command::Retire { kid } => {
            let issuer = open(Access::Change).await?;
            issuer.retire_key(&kid).await?;
            list(&issuer, Format::Table)?;
        }
        Command::NewMaster => println!("{}", &*MasterKey::generate().text()),
        Command::Reseal => {
            for issuer in assemble::open_issuers(loaded, Access::Change).await? {
                issuer.reseal_keys().await?;
                println!("{}: sealed under the current master key", issuer.repository().site());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the signing keys; times of JSON and YAML are in seconds since 1970.
fn list(issuer: &Issuer, format: Format) -> Result<(), Failure> {
    let (now, ring) = (issuer.now(), issuer.keyring().keys());
    if format == Format::Table {
        println!("{:<45} {:<9} {:<6} state", "kid", "use", "alg");
    }
    let mut shown = Vec::new();
    for key in ring.iter() {
        let usage = format!("{:?}", key.usage).to_lowercase();
        let state = match (key.sign_from <= now, key.sign_until) {
            (false, _) => format!("signs in {} s", key.sign_from.since(now).as_secs()),
            (true, Some(until)) if until <= now => "verifies only".to_owned(),
            (true, Some(until)) => format!("signs for {} more s", until.since(now).as_secs()),
            (true, None) => "signs".to_owned(),
        };
        let (kid, alg) = (key.signing.kid(), key.signing.algorithm().as_str());
        if format == Format::Table {
            println!("{kid:<45} {usage:<9} {alg:<6} {state}");
        }
        shown.push(json!({
            "kid": kid, "use": usage, "alg": alg, "state": state,
            "signs_from": key.sign_from, "signs_until": key.sign_until,
        }));
    }
    match format {
        Format::Table => {}
        Format::Yaml => print!("{}", yaml::write(&json!(shown))?),
        Format::Json => shown.iter().for_each(|key| println!("{key}")),
    }
    Ok(())
}
