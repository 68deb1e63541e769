//! Black-box tests over HTTP against the real binary, filed by what they hold on to.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]

mod castellan;
mod smoke;
mod upstream;
mod wire;
