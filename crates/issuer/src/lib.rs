//! Who gets which token, and why: the rules of the protocol, without HTTP and without SQL.

pub mod store;
