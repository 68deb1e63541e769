//! `castellan completions`.

use std::process::ExitCode;

use clap::CommandFactory as _;

/// Print completions for a shell.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Which shell.
    shell: clap_complete::Shell,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let mut command = super::Arguments::command();
    clap_complete::generate(arguments.shell, &mut command, "castellan", &mut std::io::stdout());
    ExitCode::SUCCESS
}
