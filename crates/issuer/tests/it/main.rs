//! The rules of the protocol, attacked: one test per rule, crashes and faults after every verb of
//! the store, and races of real threads.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

mod costs;
mod crash;
mod ends;
mod faults;
mod faulty_store;
mod harness;
mod lists;
mod once;
mod races;
mod registering;
mod rotation;
mod rules;
mod stories;
mod verifying;
