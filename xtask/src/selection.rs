//! A part of the tests: `cargo xtask test issuer`, `server::dpop`, `--engine postgres`.

use std::process::Command;

use crate::{
    servers::Servers,
    steps::{FEATURES, Outcome, Report, run},
};

/// The crates that can be named, without what they have in common.
const CRATES: [&str; 7] = ["bench", "gate", "issuer", "proto", "server", "stores", "xtask"];

/// The selected tests.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// A crate; all of them without one.
    package: Option<String>,
    /// What the name of a test contains.
    filter: Option<String>,
    /// The one database server to start. Without it, no test that needs a server is run.
    engine: Option<String>,
}

impl Selection {
    /// Reads `arguments`; `None` if nothing is selected.
    ///
    /// # Errors
    /// What is wrong, in a line.
    pub fn read(arguments: &[String]) -> Result<Option<Self>, String> {
        let mut selection = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if argument == "--engine" {
                let name = arguments.next().ok_or("--engine needs a name")?;
                Servers::known(name)?;
                selection.engine = Some(name.clone());
            } else if argument.starts_with('-') {
                return Err(format!("{argument} is not an option of `cargo xtask test`"));
            } else if selection.package.is_some() || selection.filter.is_some() {
                return Err(format!("{argument}: one crate or test at a time"));
            } else {
                let (first, rest) = argument.split_once("::").unwrap_or((argument, ""));
                if !CRATES.contains(&first) {
                    let crates = CRATES.join(", ");
                    return Err(format!("{first} is not a crate of this repository: {crates}"));
                }
                let package = match first {
                    "xtask" => first.to_owned(),
                    _ => format!("castellan-{first}"),
                };
                selection.package = Some(package);
                selection.filter = Some(rest.to_owned()).filter(|rest| !rest.is_empty());
            }
        }
        Ok(Some(selection).filter(|selection| *selection != Self::default()))
    }

    /// Runs the selected tests.
    pub fn run(&self) -> Report {
        let mut report = Report::default();
        let servers = match &self.engine {
            Some(engine) => Servers::start_one(engine),
            None => Servers::none(),
        };
        let is_asked = |(name, _): &&(&str, String)| self.engine.as_deref() == Some(*name);
        if let Some((name, why)) = servers.missing.iter().find(is_asked) {
            report.run(&format!("tests on {name}"), || Outcome::NotRun(why.clone()));
            return report;
        }
        report.run("tests", || {
            let mut tests = Command::new("cargo");
            tests.arg("test").args(["--features", FEATURES]);
            match &self.package {
                Some(package) => tests.args(["--package", package]),
                None => tests.arg("--workspace"),
            };
            tests.arg("--");
            // libtest joins filters with "or", so there is one: the engine's name is in the name
            // of each of its tests.
            tests.args(
                self.filter.iter().chain(self.engine.iter().filter(|_| self.filter.is_none())),
            );
            servers.describe(&mut tests);
            run(&mut tests)
        });
        for (name, why) in &servers.missing {
            report.run(&format!("tests on {name}"), || Outcome::NotRun(why.clone()));
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Option<Selection>, String> {
        Selection::read(&arguments.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_crate_a_test_and_an_engine_are_told_apart() {
        let some = |package: Option<&str>, filter: Option<&str>, engine: Option<&str>| {
            let owned = |it: Option<&str>| it.map(ToOwned::to_owned);
            Ok(Some(Selection {
                package: owned(package),
                filter: owned(filter),
                engine: owned(engine),
            }))
        };
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["issuer"]), some(Some("castellan-issuer"), None, None));
        assert_eq!(read(&["server::dpop"]), some(Some("castellan-server"), Some("dpop"), None));
        assert_eq!(read(&["--engine", "postgres"]), some(None, None, Some("postgres")));
        for wrong in [&["nobody"][..], &["--engine"], &["--engine", "oracle"], &["--fast"]] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
