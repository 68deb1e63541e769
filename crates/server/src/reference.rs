//! Documents that are made from the code, committed, and compared in tests.

/// Compares `made` with what stands in the file `name` in `docs` between the comments
/// `<!-- part -->` and `<!-- /part -->`, or writes it if `UPDATE_REFERENCE` is set.
///
/// # Panics
/// If they differ, or the comments are not there.
pub(crate) fn check_part(name: &str, part: &str, made: &str) {
    let path = format!("{}/../../docs/{name}", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read_to_string(path).unwrap();
    let (opens, closes) = (format!("<!-- {part} -->\n"), format!("<!-- /{part} -->"));
    let (before, rest) = file.split_once(&opens).unwrap();
    let (_, after) = rest.split_once(&closes).unwrap();
    check(name, &format!("{before}{opens}{made}{closes}{after}"));
}

/// Compares `made` with the file `name` in `docs`, or writes it if `UPDATE_REFERENCE` is set.
///
/// # Panics
/// If they differ.
pub(crate) fn check(name: &str, made: &str) {
    let path = format!("{}/../../docs/{name}", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read_to_string(&path).unwrap_or_default();
    if made != file && std::env::var_os("UPDATE_REFERENCE").is_some() {
        return std::fs::write(path, made).unwrap();
    }
    assert!(
        made == file,
        "docs/{name} is out of date: run `UPDATE_REFERENCE=1 cargo t is_up_to_date`, and read the \
         difference"
    );
}
