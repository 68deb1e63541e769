//! `castellan key`.

use std::process::ExitCode;

use castellan_issuer::{Issuer, keys::MasterKey};

use super::Failure;
use crate::{app, config::Loaded};

/// Signing keys, and the master key that seals them.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// List the signing keys and when they sign.
    List,
    /// Make new keys. They are published at once and sign once every reader must know them.
    Rotate,
    /// Take a key out at once, because somebody else may have it. Nothing that it signed holds any
    /// more; where it was the only one of its kind, a new one signs in its place.
    Retire {
        /// Which one, as `list` shows it.
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
    /// Print a new master key. Nothing is changed by it: name it in `data.master_key`, the one of
    /// before in `data.previous_master_key`, start every node anew, then `key reseal`.
    NewMaster,
    /// Seal the signing keys of every site under `data.master_key`. The one before opens nothing
    /// from then on.
    Reseal,
}

pub(super) async fn run(loaded: &Loaded, command: Command) -> Result<ExitCode, Failure> {
    let open = || app::open_issuer(loaded);
    match command {
        Command::List => list(&open().await?),
        Command::Rotate => {
            let issuer = open().await?;
            if !issuer.rotate_keys().await? {
                println!("New keys are on their way already; nothing was made.");
            }
            list(&issuer);
        }
        Command::Retire { kid } => {
            let issuer = open().await?;
            issuer.retire_key(&kid).await?;
            list(&issuer);
        }
        Command::NewMaster => println!("{}", &*MasterKey::generate().text()),
        Command::Reseal => {
            for issuer in app::open_issuers(loaded).await? {
                issuer.reseal_keys().await?;
                println!("{}: sealed under the present master key", issuer.repository().site());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(issuer: &Issuer) {
    let now = issuer.now();
    println!("{:<45} {:<9} {:<6} state", "kid", "use", "alg");
    for key in issuer.keyring().keys().iter() {
        let usage = format!("{:?}", key.usage).to_lowercase();
        let state = match (key.sign_from <= now, key.sign_until) {
            (false, _) => format!("signs in {} s", key.sign_from.since(now).as_secs()),
            (true, Some(until)) if until <= now => "only checks".to_owned(),
            (true, Some(until)) => format!("signs, for {} s more", until.since(now).as_secs()),
            (true, None) => "signs".to_owned(),
        };
        let (kid, alg) = (key.signing.kid(), key.signing.algorithm().as_str());
        println!("{kid:<45} {usage:<9} {alg:<6} {state}");
    }
}
