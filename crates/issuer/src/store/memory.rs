//! The contract in its shortest form, for unit tests only.

/// A store that forgets when it is dropped.
#[derive(Default)]
pub struct Memory;
