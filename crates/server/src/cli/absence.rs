//! What each command does with the data source, and whether it is there.

use std::path::Path;

use super::{Command, Failure, auth_key, client, credential, doctor, key, scopes, user};
use crate::{
    config::Loaded,
    startup::data_source::{self, Access},
};

impl Command {
    /// What it does with the data source; none if it needs none, or opens those that it is told.
    pub(super) const fn access(&self) -> Option<Access> {
        match self {
            Self::Migrate(arguments) if arguments.is_copy() => None,
            Self::Migrate(_)
            | Self::Serve(_)
            | Self::Import(_)
            | Self::Apply(_)
            | Self::User(user::Command::Add { .. }) => Some(Access::Begin),
            Self::Get(_)
            | Self::User(user::Command::List(_))
            | Self::Client(client::Command::List(_))
            | Self::Credential(credential::Command::List(_))
            | Self::AuthKey(auth_key::Command::List(_))
            | Self::Key(key::Command::List(_))
            | Self::Explain(_)
            | Self::Audit(_)
            | Self::Scopes(scopes::Command::Usage(_))
            | Self::Export(_) => Some(Access::Look),
            Self::Doctor(arguments) => Some(doctor::access(arguments)),
            Self::Key(key::Command::NewMaster)
            | Self::Reload
            | Self::Demo(_)
            // `lint` looks when it knows what it is asked, and ends with a code of its own.
            | Self::Scopes(_)
            | Self::Policy(_)
            | Self::Tls(_)
            // `check` says what is missing among other things.
            | Self::Config(_)
            | Self::Schema(_)
            | Self::Completions(_)
            | Self::Archive(_) => None,
            Self::Delete(_)
            | Self::User(_)
            | Self::Client(_)
            | Self::Credential(_)
            | Self::AuthKey(_)
            | Self::Key(_) => Some(Access::Change),
        }
    }
}

/// Whether a command goes on that does `access` with the data source of `loaded`, read from `config`;
/// one that needs none does.
///
/// # Errors
/// What to do, if it is not there and is not to be made.
pub(super) fn check(
    access: Option<Access>,
    loaded: &Loaded,
    config: Option<&Path>,
) -> Result<(), Failure> {
    let Some(access) = access else { return Ok(()) };
    if data_source::database(loaded).is_none_or(|path| path.exists()) {
        return Ok(());
    }
    if config.is_none() && Path::new("castellan.toml").exists() {
        return Err("castellan.toml is in this folder but was not given; add --config \
                    castellan.toml"
            .into());
    }
    let remedy = match (access, config) {
        // What begins is refused when it opens, if `data.create` says so; `migrate` is not.
        (Access::Begin | Access::Scratch, _) => return Ok(()),
        (Access::Look | Access::Change, None) => {
            "give --config FILE, or start with `castellan serve`"
        }
        (Access::Look | Access::Change, Some(_)) => {
            "start with `castellan serve`, or run `castellan migrate`"
        }
    };
    Err(format!("no database at {}; {remedy}", loaded.config.data.url).into())
}
