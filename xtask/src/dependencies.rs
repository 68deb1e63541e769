//! Licences, bans and sources of every dependency, from what Cargo itself resolves.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use crate::steps::{FEATURES, Outcome};

/// Licences that are compatible with Castellan's.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates whose manifest names a licence file instead of a licence, and the licence in that file.
const READ_BY_US: &[(&str, &str)] = &[("jsonpath-rust", "MIT")];

/// Crates that never get in, and why.
const BANNED: &[(&str, &str)] = &[
    ("openssl-sys", "one provider of cryptography: aws-lc-rs"),
    ("native-tls", "one provider of cryptography: aws-lc-rs"),
    ("ring", "one provider of cryptography: aws-lc-rs"),
    ("serde_yaml", "unmaintained; serde-saphyr reads YAML"),
    ("serde_yml", "an unsafe fork; serde-saphyr reads YAML"),
];

/// Crates that tests may use and what is shipped may not, and why.
const IN_TESTS_ALONE: &[(&str, &str)] = &[
    ("rsa", "what it does with private keys shows in its time (RUSTSEC-2023-0071)"),
    ("openidconnect", "it brings cryptography of its own, rsa among it"),
];

/// Crates that only one crate of the workspace may depend on.
const WRAPPERS: &[(&str, &str)] = &[
    ("rusqlite", "castellan-stores"),
    ("sqlx", "castellan-stores"),
    ("mongodb", "castellan-stores"),
    ("aws-sdk-dynamodb", "castellan-stores"),
    ("cedar-policy", "castellan-issuer"),
];

/// Which crates of the workspace may never depend on which others, whatever the manifests say.
const WALLS: &[(&str, &[&str])] = &[
    (
        "castellan-proto",
        &["tokio", "http", "axum", "castellan-gate", "castellan-issuer", "castellan-stores"],
    ),
    ("castellan-gate", &["axum", "rusqlite", "castellan-issuer", "castellan-stores"]),
    ("castellan-issuer", &["axum", "http", "rusqlite", "castellan-gate", "castellan-stores"]),
    ("castellan-stores", &["axum", "castellan-gate", "castellan-server"]),
    // What is measured is what comes over the wire.
    (
        "castellan-bench",
        &["castellan-gate", "castellan-issuer", "castellan-stores", "castellan-server"],
    ),
];

/// Checks all of these.
pub fn check() -> Outcome {
    let Some(metadata) = metadata() else {
        return Outcome::Failed("`cargo metadata` gave no answer".to_owned());
    };
    let mut faults = Vec::new();
    let packages = list(&metadata, "packages");
    for package in &packages {
        faults.extend(package_faults(package));
    }
    for (ours, forbidden) in WALLS {
        for package in packages.iter().filter(|package| text(package, "name") == *ours) {
            let direct = list(package, "dependencies");
            let normal = direct.iter().filter(|one| one["kind"].is_null());
            for name in normal.map(|one| text(one, "name")).filter(|name| forbidden.contains(name))
            {
                faults.push(format!("{ours} must not know {name}"));
            }
        }
    }
    let Some(shipped) = shipped() else {
        return Outcome::Failed("`cargo tree` gave no answer".to_owned());
    };
    for (name, why) in IN_TESTS_ALONE {
        if shipped.iter().any(|(other, _)| other == name) {
            faults.push(format!("{name} is for tests alone: {why}"));
        }
    }
    println!("{} packages, {} of them shipped", packages.len(), shipped.len());
    if faults.is_empty() { Outcome::Passed } else { Outcome::Failed(faults.join("; ")) }
}

fn package_faults(package: &Value) -> Vec<String> {
    let (name, version) = (text(package, "name"), text(package, "version"));
    let mut faults = Vec::new();
    if let Some((_, why)) = BANNED.iter().find(|(banned, _)| *banned == name) {
        faults.push(format!("{name} is banned: {why}"));
    }
    let ours = package["source"].is_null();
    if !ours && !text(package, "source").starts_with("registry+") {
        faults.push(format!("{name} {version} does not come from the registry"));
    }
    let read = READ_BY_US.iter().find(|(known, _)| *known == name).map(|(_, licence)| *licence);
    let licence = read.unwrap_or_else(|| text(package, "license"));
    if !is_licensed(licence) {
        faults.push(format!("{name} {version} has the licence {licence:?}"));
    }
    if ours {
        // A test may look at a file that a driver wrote; the product may not.
        let normal = list(package, "dependencies").into_iter().filter(|one| one["kind"].is_null());
        for dependency in normal {
            let on = text(&dependency, "name").to_owned();
            if let Some((_, only)) = WRAPPERS.iter().find(|(driver, _)| *driver == on)
                && *only != name
            {
                faults.push(format!("{name} depends on {on}, which only {only} may"));
            }
        }
    }
    faults
}

/// Whether an SPDX expression can be met with [`LICENCES`]: one side of each `OR`, both of `AND`.
fn is_licensed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let known = |one: &str| LICENCES.contains(&one.trim().trim_matches(['(', ')']));
    let mut depth = 0;
    // Only the outermost operators divide; what is in brackets is judged by itself.
    for operator in [" AND ", " OR "] {
        for (at, c) in expression.char_indices() {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 && expression[at..].starts_with(operator) {
                let left = is_licensed(&expression[..at]);
                let right = is_licensed(&expression[at + operator.len()..]);
                return if operator == " AND " { left && right } else { left || right };
            }
        }
    }
    let inner = expression.trim();
    match inner.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(inside) => is_licensed(inside),
        None => known(inner),
    }
}

fn metadata() -> Option<Value> {
    let output = Command::new("cargo")
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--all-features",
            "--filter-platform",
        ])
        .arg("x86_64-unknown-linux-gnu")
        .output()
        .ok()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).ok()?;
    resolved_only(metadata)
}

/// Leaves out packages that are locked and never built: `cargo tree` knows which features are on.
fn resolved_only(mut metadata: Value) -> Option<Value> {
    let built = tree(&["--workspace", "--features", FEATURES, "--edges", "normal,build,dev"])?;
    let packages = metadata["packages"].as_array_mut()?;
    packages.retain(|package| {
        built.contains(&(text(package, "name").to_owned(), text(package, "version").to_owned()))
    });
    Some(metadata)
}

/// What a released binary is built from.
fn shipped() -> Option<BTreeSet<(String, String)>> {
    tree(&["--package", "castellan-server", "--features", "full", "--edges", "normal,build"])
}

/// Names and versions of the packages that `cargo tree` shows with `arguments`.
fn tree(arguments: &[&str]) -> Option<BTreeSet<(String, String)>> {
    let output = Command::new("cargo")
        .args(["tree", "--locked", "--prefix", "none", "--format", "{p}"])
        .args(["--target", "x86_64-unknown-linux-gnu"])
        .args(arguments)
        .output()
        .ok()?;
    let tree = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    let package = |line: &str| {
        let mut words = line.split(' ');
        Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
    };
    Some(tree.lines().filter_map(package).collect())
}

fn text<'a>(of: &'a Value, member: &str) -> &'a str {
    of[member].as_str().unwrap_or_default()
}

fn list(of: &Value, member: &str) -> Vec<Value> {
    of[member].as_array().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::is_licensed;

    #[test]
    fn an_expression_is_met_by_one_side_of_or_and_both_of_and() {
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "ISC AND (Apache-2.0 OR ISC)",
            "(MIT OR GPL-3.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(is_licensed(good), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "MPL-2.0", "(GPL-3.0 OR MPL-2.0) AND MIT"] {
            assert!(!is_licensed(bad), "{bad}");
        }
    }
}
