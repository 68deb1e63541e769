//! Checks the walls between the modules of a crate, which the compiler does not see. For the
//! `tests/walls.rs` of every crate:
//!
//! ```text
//! #[path = "../../../tests/support/walls.rs"]
//! mod walls;
//! ```
//!
//! - [`loops`]: import loops between modules.
//! - [`folder_loops`]: import loops between folders, on every level: stricter.
//! - [`breaches`]: imports against an order of the modules below `lib.rs`.
//! - [`mentions`]: names that may not be used in a folder.
//!
//! Each answers with what is wrong, one line for each; none is right. Imports between a `mod.rs`
//! and what stands below its folder count for nothing, in either direction, and `lib.rs` is no
//! module here: what it re-exports counts as its module's own.

mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use source::Source;

/// The path of a module within its crate; of `lib.rs` an empty one.
type Module = Vec<String>;
/// Which module uses which.
type Graph = BTreeMap<Module, BTreeSet<Module>>;

/// Import loops between the modules of the crate at `src`.
pub fn loops(src: &Path) -> Vec<String> {
    Modules::read(src).loops()
}

/// Import loops between folders and the files beside them, on every level: each folder is taken as
/// one, with all that is in it.
pub fn folder_loops(src: &Path) -> Vec<String> {
    Modules::read(src).folder_loops()
}

/// Imports that go up in `order`, which names the folders and files below `lib.rs` from top to
/// bottom: each may use those that stand after it. One that is not named, or that does not exist,
/// is a breach too.
pub fn breaches(src: &Path, order: &[&str]) -> Vec<String> {
    Modules::read(src).breaches(order)
}

/// Where the files below `folder` use a path that begins with one of `forbidden`.
pub fn mentions(folder: &Path, forbidden: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in rust_files(folder) {
        for used in Source::of(&read(&file)).paths() {
            let path = used.path.join("::");
            if let Some(name) = forbidden.iter().find(|name| begins_with(&path, name)) {
                let at = file.strip_prefix(folder).unwrap_or(&file).display();
                found.push(format!("{at}:{}: {name}", used.line));
            }
        }
    }
    found
}

/// Every Rust file below `folder`, `target` apart.
pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.unwrap_or_else(|e| panic!("{}: {e}", folder.display())).path();
        if path.is_dir() && !path.ends_with("target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

fn begins_with(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The modules of a crate, and an example of each import between two of them.
struct Modules {
    sources: BTreeMap<Module, Source>,
    imports: BTreeMap<(Module, Module), String>,
}

impl Modules {
    fn read(src: &Path) -> Self {
        Self::from(|file| {
            let file = src.join(file);
            file.exists().then(|| read(&file))
        })
    }

    /// The modules that `lib.rs` declares and those that they do, where `file` gives the text of a
    /// file by its path below `src`.
    fn from(file: impl Fn(&str) -> Option<String>) -> Self {
        let mut sources = BTreeMap::new();
        let mut open: Vec<Module> = vec![Vec::new()];
        while let Some(module) = open.pop() {
            let path = module.join("/");
            let places = if module.is_empty() {
                ["lib.rs".to_owned(), "main.rs".to_owned()]
            } else {
                [format!("{path}.rs"), format!("{path}/mod.rs")]
            };
            let text = places.iter().find_map(|place| file(place));
            let text = text.unwrap_or_else(|| panic!("no file of these: {places:?}"));
            let source = Source::of(&text);
            open.extend(source.modules().into_iter().map(|name| below(&module, &name)));
            sources.insert(module, source);
        }
        let mut modules = Self { sources, imports: BTreeMap::new() };
        modules.imports = modules.find_imports();
        modules
    }

    fn find_imports(&self) -> BTreeMap<(Module, Module), String> {
        let mut imports = BTreeMap::new();
        for (module, source) in &self.sources {
            for used in source.paths() {
                let Some(target) = self.resolve(module, &used.path, 0) else { continue };
                if !module.is_empty() && !related(module, &target) {
                    let example = format!("line {}: {}", used.line, used.path.join("::"));
                    imports.entry((module.clone(), target)).or_insert(example);
                }
            }
        }
        imports
    }

    /// The module that `path`, written in `module`, leads to; `None` for what is not of this crate.
    fn resolve(&self, module: &Module, path: &[String], depth: usize) -> Option<Module> {
        let supers = path.iter().take_while(|word| *word == "super").count();
        let full: Module = match path.first()?.as_str() {
            "crate" => path[1..].to_vec(),
            "self" => [module, &path[1..]].concat(),
            "super" => [module.get(..module.len() - supers)?, &path[supers..]].concat(),
            name if self.sources.contains_key(&below(module, name)) => [module, path].concat(),
            _ => return None,
        };
        let longest =
            (0..=full.len()).rev().find(|end| self.sources.contains_key(&full[..*end]))?;
        match full.first() {
            // No module of this name below `lib.rs`: what `lib.rs` re-exports, or its own.
            Some(name) if longest == 0 && depth < 4 => {
                let root = self.sources.get(&Vec::new())?.paths();
                let export = root.iter().find(|used| used.name.as_ref() == Some(name));
                let target =
                    export.and_then(|used| self.resolve(&Vec::new(), &used.path, depth + 1));
                Some(target.unwrap_or_default())
            }
            _ => Some(full[..longest].to_vec()),
        }
    }

    fn loops(&self) -> Vec<String> {
        let mut graph = Graph::new();
        for (from, to) in self.imports.keys() {
            graph.entry(from.clone()).or_default().insert(to.clone());
        }
        self.describe(&graph)
    }

    fn folder_loops(&self) -> Vec<String> {
        let mut graph = Graph::new();
        for (from, to) in self.imports.keys() {
            let shared = from.iter().zip(to).take_while(|(one, other)| one == other).count();
            graph.entry(from[..=shared].to_vec()).or_default().insert(to[..=shared].to_vec());
        }
        self.describe(&graph)
    }

    /// Each loop of `graph`: its modules, and the imports between them.
    fn describe(&self, graph: &Graph) -> Vec<String> {
        let mut told = Vec::new();
        for members in cycles(graph) {
            let within = |module: &Module| members.iter().find(|one| module.starts_with(one));
            let names: Vec<_> = members.iter().map(|module| module.join("::")).collect();
            let mut lines = vec![format!("loop: {}", names.join(", "))];
            for ((from, to), example) in &self.imports {
                if within(from).zip(within(to)).is_some_and(|(one, other)| one != other) {
                    let (from, to) = (from.join("::"), to.join("::"));
                    lines.push(format!("{from} -> {to} ({example})"));
                }
            }
            told.push(lines.join("\n    "));
        }
        told
    }

    fn breaches(&self, order: &[&str]) -> Vec<String> {
        let place = |name: &str| order.iter().position(|one| *one == name);
        let top: BTreeSet<&str> =
            self.sources.keys().filter_map(|one| Some(&**one.first()?)).collect();
        let unnamed = top.iter().filter(|name| place(name).is_none());
        let unnamed = unnamed.map(|name| format!("{name}: not in the order"));
        let absent = order.iter().filter(|name| !top.contains(*name));
        let absent =
            absent.map(|name| format!("{name}: in the order, and there is no such module"));
        let up = self.imports.iter().filter(|((from, to), _)| {
            let (Some(from), Some(to)) = (from.first(), to.first()) else { return false };
            place(from).zip(place(to)).is_some_and(|(from, to)| from > to)
        });
        let up = up.map(|((from, to), example)| {
            format!("{} may not use {} ({example})", from.join("::"), to.join("::"))
        });
        unnamed.chain(absent).chain(up).collect()
    }
}

fn below(module: &Module, name: &str) -> Module {
    let mut path = module.clone();
    path.push(name.to_owned());
    path
}

/// Whether one stands in the folder of the other; the root has them all.
fn related(one: &Module, other: &Module) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// The sets of modules each of which reaches all others of its set.
fn cycles(graph: &Graph) -> Vec<Vec<Module>> {
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        graph.keys().map(|module| (module, reach(graph, module))).collect();
    let mut found = BTreeSet::new();
    for (module, far) in &reached {
        let back = |other: &&&Module| reached.get(**other).is_some_and(|set| set.contains(module));
        let members: Vec<Module> = far.iter().filter(back).map(|one| (*one).clone()).collect();
        if !members.is_empty() {
            found.insert(members);
        }
    }
    found.into_iter().collect()
}

/// What can be reached from `module`; itself only by a loop.
fn reach<'a>(graph: &'a Graph, module: &Module) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&Module> = graph.get(module).into_iter().flatten().collect();
    while let Some(next) = open.pop() {
        if reached.insert(next) {
            open.extend(graph.get(next).into_iter().flatten());
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{Modules, breaches, folder_loops, loops, mentions};

    fn modules(files: &[(&str, &str)]) -> Modules {
        Modules::from(|path| {
            let (_, text) = files.iter().find(|(name, _)| *name == path)?;
            Some((*text).to_owned())
        })
    }

    #[test]
    fn a_loop_is_found_through_a_third_module() {
        let crate_ = modules(&[
            ("lib.rs", "mod a; mod b; mod c; mod d;"),
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "fn f() { super::c::g() }"),
            ("c/mod.rs", "mod e; use crate::d::D;"),
            ("c/e.rs", "use super::E;"),
            ("d.rs", "use crate::{a::{A, X}};"),
        ]);
        let found = crate_.loops();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("loop: a, b, c, d\n"), "{}", found[0]);
        assert!(found[0].contains("b -> c (line 1: super::c::g)"), "{}", found[0]);
    }

    #[test]
    fn without_a_loop_nothing_is_found() {
        let crate_ = modules(&[
            ("lib.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
            ("a.rs", "use crate::B; #[cfg(test)] mod tests { use super::*; }"),
            ("b.rs", "// use crate::A;\n#[cfg(test)] mod tests { use crate::A; }"),
        ]);
        assert_eq!(crate_.loops(), [""; 0]);
        assert_eq!(crate_.folder_loops(), [""; 0]);
    }

    #[test]
    fn what_lib_re_exports_is_its_modules_own() {
        let crate_ = modules(&[
            ("lib.rs", "mod a; mod b; pub use a::{A as Alpha}; pub use b::B;"),
            ("a.rs", "use crate::B;"),
            ("b.rs", "use crate::Alpha;"),
        ]);
        assert_eq!(crate_.loops().len(), 1);
        let own = modules(&[("lib.rs", "mod a; struct Own;"), ("a.rs", "use crate::Own;")]);
        assert_eq!(own.loops(), [""; 0]);
    }

    #[test]
    fn a_folder_and_its_own_modules_are_one_and_its_modules_are_not() {
        let crate_ = modules(&[
            ("lib.rs", "mod a;"),
            ("a/mod.rs", "mod b; mod c; use b::B;"),
            ("a/b.rs", "use super::{A, c::C};"),
            ("a/c.rs", "use crate::a::b::B;"),
        ]);
        let found = crate_.loops();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("loop: a::b, a::c\n"), "{}", found[0]);
    }

    #[test]
    fn folders_can_loop_where_modules_do_not() {
        let crate_ = modules(&[
            ("lib.rs", "mod a; mod d;"),
            ("a/mod.rs", "mod b; mod c;"),
            ("a/b.rs", "use crate::d::D;"),
            ("a/c.rs", ""),
            ("d.rs", "use crate::a::c::C;"),
        ]);
        assert_eq!(crate_.loops(), [""; 0]);
        let found = crate_.folder_loops();
        assert!(found.len() == 1 && found[0].starts_with("loop: a, d\n"), "{found:?}");
    }

    #[test]
    fn an_order_is_breached_by_use_upwards_and_by_names_too_few_or_many() {
        let crate_ = modules(&[
            ("lib.rs", "mod a; mod b; mod c; pub use a::A;"),
            ("a.rs", "use crate::c::C;"),
            ("b.rs", "use crate::A;"),
            ("c.rs", ""),
        ]);
        assert_eq!(crate_.breaches(&["b", "a", "c"]), [""; 0]);
        assert_eq!(crate_.breaches(&["a", "b", "c"]), ["b may not use a (line 1: crate::A)"]);
        assert_eq!(
            crate_.breaches(&["b", "a", "d"]),
            ["c: not in the order", "d: in the order, and there is no such module"]
        );
    }

    #[test]
    fn files_are_read_from_their_folder() {
        let name = format!("walls-{}", std::process::id());
        let src = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(src.join("a")).unwrap();
        fs::write(src.join("lib.rs"), "mod a; mod b;").unwrap();
        fs::write(src.join("a/mod.rs"), "use crate::b::B;").unwrap();
        fs::write(src.join("b.rs"), "use crate::a;\nfn f() { axum::serve() }").unwrap();
        let found = [loops(&src), folder_loops(&src), breaches(&src, &["a", "b"])];
        let named = mentions(&src, &["axum", "crate::b", "crat"]);
        fs::remove_dir_all(&src).unwrap();
        assert_eq!(found.map(|found| found.len()), [1, 1, 1]);
        assert_eq!(named, ["a/mod.rs:1: crate::b", "b.rs:2: axum"]);
    }
}
