//! TLS of our own and of proxies before us, with certificates that each test makes.

mod client_certificates;
mod files;
mod handshakes;
mod headers;
mod proxies;
mod proxy_protocol;
mod roots;
pub(crate) mod support;
