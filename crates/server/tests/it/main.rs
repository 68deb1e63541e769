//! Black-box tests over HTTP against the real binary, filed by what they hold on to.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]

mod browser;
mod dialects;
mod documents;
mod guards;
mod management;
mod oauth;
mod operations;
mod scim;
mod security_cases;
mod smoke;
mod snapshots;
mod support;
mod tls;
mod whole_answers;
