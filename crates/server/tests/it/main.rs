//! Black-box tests over HTTP against the real binary, filed by what they hold on to.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]

mod blank_secrets;
mod browser;
mod clocks;
mod dialects;
mod enforced;
mod growing;
mod guards;
mod oauth;
mod operations;
mod reload;
mod security_cases;
mod smoke;
mod snapshots;
mod strangers;
mod support;
mod switches;
mod upstream_status;
mod upstreams;
mod writable;
