//! What the tests are written with: the server, browsers, APIs, plain HTTP.

pub(crate) mod browser;
pub(crate) mod castellan;
#[cfg(feature = "otel")]
pub(crate) mod collector;
pub(crate) mod fixtures;
pub(crate) mod jose;
pub(crate) mod logs;
pub(crate) mod postgres;
pub(crate) mod smtp;
pub(crate) mod tcp_proxy;
pub(crate) mod totp;
pub(crate) mod upstream;
pub(crate) mod wire;
