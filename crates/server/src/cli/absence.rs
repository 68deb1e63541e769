//! What a command does where its database is not there yet.

use std::path::Path;

use super::{Command, Failure, key, scopes, user};
use crate::{config::Loaded, startup::data_source};

/// What a command does where its database is not there yet.
#[derive(Clone, Copy)]
pub(super) enum Absence {
    /// It makes one.
    Mended,
    /// It refuses: an empty one is not what was meant.
    Refused,
    /// It needs none.
    Unasked,
}

impl Command {
    pub(super) const fn absence(&self) -> Absence {
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
    pub(super) fn check(self, loaded: &Loaded, config: Option<&Path>) -> Result<(), Failure> {
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
