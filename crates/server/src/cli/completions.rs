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
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "castellan", &mut script);
    print!("{}", String::from_utf8_lossy(&script));
    ExitCode::SUCCESS
}
