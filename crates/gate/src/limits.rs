//! How large a request may be. A limit counts operations and fields, not requests
//! (`docs/security-cases.md` row 10).

/// Limits of a guard. A request that exceeds one of them is refused before anything is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Size of a request body, in bytes. Default 131072.
    pub body_bytes: usize,
    /// Size, in bytes, of a response that has to be buffered because a field was denied or answered
    /// locally. Default 8 MiB.
    pub answer_bytes: usize,
    /// Lexical tokens of a document. Default 8000.
    pub tokens: usize,
    /// Nesting of selections, fragments expanded. Default 24.
    pub depth: usize,
    /// Aliases in a document, each fragment counted once. Default 64.
    pub aliases: usize,
    /// Root fields that an operation selects, fragments expanded. Default 64.
    pub root_fields: usize,
    /// Length of an alias, in bytes. Default 256.
    pub alias_bytes: usize,
    /// Length of the paths of all selected fields of root types together, in bytes, fragments
    /// expanded. Default 16 KiB.
    pub path_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 128 * 1024,
            answer_bytes: 8 * 1024 * 1024,
            tokens: 8_000,
            depth: 24,
            aliases: 64,
            root_fields: 64,
            alias_bytes: 256,
            path_bytes: 16 * 1024,
        }
    }
}
