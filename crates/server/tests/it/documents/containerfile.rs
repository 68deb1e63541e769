//! `packaging/Containerfile`: what it says of this repository. hadolint, the linter of such files, is
//! run by `tests/documents`; no image is built by a test.

use std::{fs, path::Path};

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(path)).unwrap()
}

/// The instructions, continued lines as one.
fn instructions() -> Vec<(String, String)> {
    let text = read("packaging/Containerfile").replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let split =
        |line: &str| line.split_once(' ').map(|(name, rest)| (name.to_owned(), rest.to_owned()));
    lines.map(|line| split(line).unwrap()).collect()
}

#[test]
fn the_image_is_built_by_the_compiler_of_this_repository() {
    let wanted = read("rust-toolchain.toml");
    let channel = wanted.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap();
    let base =
        format!("docker.io/library/rust:{}-slim-bookworm AS build", channel.trim_matches('"'));
    assert_eq!(instructions()[0], ("FROM".to_owned(), base));
}

#[test]
fn the_image_runs_the_server_as_nobody_with_what_a_release_has() {
    let all = instructions();
    let of = |name: &str| -> Vec<&str> {
        all.iter().filter(|(one, _)| one == name).map(|(_, rest)| rest.as_str()).collect()
    };
    let bases = of("FROM");
    assert!(bases.iter().all(|base| base.contains(':') && !base.contains("latest")), "{bases:?}");
    let run = of("RUN").join(" ");
    assert!(run.contains("--locked") && run.contains("--features full"), "{run}");
    assert!(!run.contains("test-clock"), "{run}");
    let (user, group) = of("USER").last().unwrap().split_once(':').unwrap();
    assert!(user.parse::<u32>().unwrap() > 0 && group.parse::<u32>().unwrap() > 0);
    assert!(
        run.contains(&format!("--owner={user} --group={group} /image/var/lib/castellan")),
        "{run}"
    );
    assert_eq!(of("ENTRYPOINT"), ["[\"/usr/local/bin/castellan\"]"]);
    assert_eq!(of("CMD"), ["[\"serve\"]"]);
    // Nothing is fetched while it is built but by Cargo, by its digest, and no secret is baked in.
    assert!(of("ADD").is_empty() && of("ARG").is_empty());
    assert!(!of("ENV").join(" ").contains("KEY"));
}

#[test]
fn what_the_image_is_built_from_is_all_members_of_the_workspace_and_no_secret() {
    let listed = read(".dockerignore");
    let lines: Vec<&str> = listed.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines[0], "*");
    for needed in
        ["Cargo.lock", "Cargo.toml", ".cargo", "crates", "docs", "bench", "examples", "xtask"]
    {
        assert!(lines.contains(&format!("!{needed}").as_str()), "{needed}");
    }
    // The last that fits counts.
    let included = lines.iter().rposition(|line| line.starts_with('!')).unwrap();
    for left_out in ["**/*.key", "**/*.db*", "**/target"] {
        assert!(lines.iter().position(|line| *line == left_out).unwrap() > included, "{left_out}");
    }
}
