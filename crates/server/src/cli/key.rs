//! `castellan key`.

use std::process::ExitCode;

use castellan_issuer::Issuer;

use super::Failure;

/// Signing keys.
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
}

pub(super) async fn run(issuer: &Issuer, command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::List => {}
        Command::Rotate => issuer.rotate_keys().await?,
        Command::Retire { kid } => issuer.retire_key(&kid).await?,
    }
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
    Ok(ExitCode::SUCCESS)
}
