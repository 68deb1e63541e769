//! Documents, applied to a store in memory.
