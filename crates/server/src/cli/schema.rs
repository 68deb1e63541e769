//! `castellan schema`.

use std::process::ExitCode;

use super::Failure;
use crate::{config::Loaded, http::management::APIS};

/// Print the GraphQL schema of a management API, as it is under the configuration.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Name of the API; without it, their names and paths are listed
    name: Option<String>,
}

pub(super) fn run(loaded: &Loaded, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Some(name) = &arguments.name else {
        for api in APIS {
            println!("{:<24} {}", api.name(), api.path);
        }
        return Ok(ExitCode::SUCCESS);
    };
    // Paths have dashes where names have underscores.
    let Some(api) = APIS.iter().find(|api| api.name() == name.replace('-', "_")) else {
        let names: Vec<_> = APIS.iter().map(|api| api.name()).collect();
        return Err(format!("no management API {name:?}; there is {}", names.join(", ")).into());
    };
    print!("{}", api.sdl_for(&loaded.config.management)?);
    Ok(ExitCode::SUCCESS)
}
