//! Chores of the repository: `cargo xtask test` does what CI does, and nothing that a developer
//! cannot do.

mod bench;
mod citations;
mod dependencies;
mod links;
mod logs;
mod node;
mod python;
mod selection;
mod servers;
mod steps;
mod tools;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask test      everything: format, lints, dependencies, docs, links, every test
    issuer            the tests of one crate: bench, gate, issuer, proto, server, stores, xtask
    server::dpop      those of its tests whose names contain `dpop`
    --engine NAME     tests on one database server: postgres, mongodb, dynamodb
                      (without it, a selection runs no test that needs a server)
cargo xtask check     the quick part: format, lints, dependencies, links
cargo xtask deps      licences, bans and sources of all dependencies
cargo xtask engines   runs the checks of docs/contracts/curity.md on each data source but SQLite
cargo xtask logs      runs the server's black-box tests with logs on: every line is JSON without secrets
    NAME              only those whose names contain NAME
cargo xtask links     links between the documents, and the documents that code cites
cargo xtask bench     measures Castellan beside its peers; `cargo xtask bench --help` says more
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let report = match arguments.first().map(String::as_str) {
        Some("test") => match selection::Selection::read(&arguments[1..]) {
            Ok(None) => steps::test(),
            Ok(Some(selection)) => selection.run(),
            Err(wrong) => {
                eprintln!("{wrong}\n\n{HELP}");
                return ExitCode::from(2);
            }
        },
        Some("check") => steps::check(),
        Some("deps") => steps::only("dependencies", dependencies::check),
        Some("engines") => steps::engines(),
        Some("logs") => logs::test(arguments.get(1).map(String::as_str)),
        Some("links") => steps::only("links", links::check),
        Some("bench") => return bench::run(&arguments[1..]),
        _ => {
            print!("{HELP}");
            return ExitCode::from(2);
        }
    };
    report.close()
}
