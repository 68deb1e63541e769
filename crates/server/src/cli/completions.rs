//! `castellan completions`.

use std::process::ExitCode;

use crate::config::Rosters;

/// Print shell completions.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Shell to generate completions for.
    shell: clap_complete::Shell,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let mut command = super::command(&Rosters::default());
    clap_complete::generate(arguments.shell, &mut command, "castellan", &mut std::io::stdout());
    ExitCode::SUCCESS
}
