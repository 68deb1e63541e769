//! The benchmark: both programs built as they are released, then run.

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
};

use crate::{
    servers::Servers,
    steps::{Outcome, run as run_command},
};

/// Builds Castellan and the driver, and has the driver do what `arguments` say.
pub fn run(arguments: &[String]) -> ExitCode {
    match built_and_run(arguments) {
        Outcome::Passed => ExitCode::SUCCESS,
        Outcome::Failed(why) | Outcome::NotRun(why) => {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }
    }
}

fn built_and_run(arguments: &[String]) -> Outcome {
    let asks_for_help = arguments.iter().any(|one| one == "--help" || one == "-h");
    // Apart, so that neither is built with a feature that only the other one needs.
    let builds: &[&[&str]] =
        &[&["castellan-bench"], &["castellan-server", "--features", "castellan-server/full"]];
    for package in &builds[..if asks_for_help { 1 } else { 2 }] {
        let mut build = Command::new("cargo");
        build.args(["build", "--profile", "dist", "--quiet", "--package"]).args(*package);
        if let Outcome::Failed(why) = run_command(&mut build) {
            return Outcome::Failed(format!("the build of {} {why}", package[0]));
        }
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    let release = target.join("dist");
    let mut driver = Command::new(release.join("castellan-bench"));
    // The other cases start what they need themselves.
    let searches = arguments.iter().any(|one| one == "search");
    let servers = if searches { Servers::start() } else { Servers::none() };
    driver.envs(servers.variables());
    driver.arg("--castellan").arg(release.join("castellan")).args(arguments);
    run_command(&mut driver)
}
