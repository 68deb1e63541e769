//! Why a case could not be measured.

/// What went wrong. A fault ends its case; no figure of that case is printed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
    /// The server closed the connection before it had answered.
    #[error("the server closed the connection before it had answered")]
    Closed,
    /// The bytes received are not an HTTP/1.1 response.
    #[error("this is no HTTP/1.1 answer: {0}")]
    Malformed(&'static str),
    /// An answer that is not the right one.
    #[error("{asked} was answered wrongly: {status} {body}")]
    Wrong {
        /// What was requested.
        asked: &'static str,
        /// The status that came.
        status: u16,
        /// The beginning of the body that came.
        body: String,
    },
    /// There was no response within the time limit.
    #[error("no answer within {0} seconds")]
    Silent(u64),
    /// A server that did not start, or a command that failed.
    #[error("{0}")]
    Failed(String),
    /// This machine does not have what a peer needs; everything else can continue.
    #[error("{0}")]
    Missing(String),
    /// The run was stopped with Ctrl-C.
    #[error("stopped by a signal")]
    Stopped,
}

impl Fault {
    /// A failure in words.
    pub fn failed(text: impl Into<String>) -> Self {
        Self::Failed(text.into())
    }
}
