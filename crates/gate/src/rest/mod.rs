//! Who may pass to an API of any protocol over HTTP: methods and paths, mapped to the scopes that
//! they require.
//!
//! In the order of a request: `path` and [`RestMap`] say which operation it means, `judge` decides,
//! `forward` sends it on and passes the response back, both without holding them.

mod body;
mod explain;
mod forward;
mod gate;
mod headers;
mod judge;
mod lock;
mod map;
mod naming;
mod openapi;
mod path;
mod refusal;
mod shared;
mod template;
#[cfg(test)]
mod tests;
mod websocket;

pub use body::RequestBody;
pub use explain::{NotDecided, explain_operation};
pub use gate::{Presented, RestGate, RestGated, present};
pub use headers::strip_rest_request_headers;
pub use lock::{RestLock, RestLockError, parse_rest_lock};
pub use map::{MapError, Operation, RestMap};
pub use openapi::{OpenApiError, ReadOpenApi, read_openapi};
pub use path::AmbiguousPath;
pub use refusal::{RequestMalformed, RequestStopped, RestRefusal};
pub use shared::RestSettings;
pub use template::{Template, TemplateError};
pub use websocket::Opened;
