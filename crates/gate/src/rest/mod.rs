//! Who may pass to an API of any protocol over HTTP: methods and paths, mapped to the scopes that
//! they require.
//!
//! In the order of a request: `path` and [`RestMap`] say which operation it means, `judge` decides,
//! `forward` sends it on and passes the response back, both without holding them.

mod body;
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
mod template;
#[cfg(test)]
mod tests;

pub use body::RequestBody;
pub use gate::{Presented, RestGate, RestGated, RestSettings, present};
pub use headers::strip_rest_request_headers;
pub use lock::{RestLock, RestLockError, parse_rest_lock};
pub use map::{MapError, Operation, RestMap};
pub use openapi::{OpenApiError, ReadOpenApi, read_openapi};
pub use path::AmbiguousPath;
pub use refusal::{RequestStopped, RestRefusal};
pub use template::{Template, TemplateError};
