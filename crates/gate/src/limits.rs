//! How large a request may be. A limit counts operations and fields, not requests
//! (`docs/security-cases.md` row 10).

/// Limits of one guard. A request beyond one of them is refused before anything is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a request body. Default 131072.
    pub body_bytes: usize,
    /// Maximum bytes of a response that has to be buffered and merged. Default 8 MiB.
    pub answer_bytes: usize,
    /// Tokens of a document. Default 8000.
    pub tokens: usize,
    /// How deep selections may nest, fragments spread. Default 24.
    pub depth: usize,
    /// How many aliases a document may use, fragments spread once. Default 64.
    pub aliases: usize,
    /// How many root fields an operation may select, fragments spread. Default 64.
    pub root_fields: usize,
    /// Bytes of an alias. Default 256.
    pub alias_bytes: usize,
    /// Bytes of the response keys that lead to root fields, over all of them, fragments spread:
    /// each denial repeats its path. Default 16 KiB.
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
