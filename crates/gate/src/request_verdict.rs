//! What becomes of a request as a whole.

use http::StatusCode;

/// What became of one request as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestVerdict {
    /// Everything that it asks for is allowed, whatever the API behind made of it.
    Allowed,
    /// Some of it is allowed; the rest was left out.
    Partial,
    /// Nothing ran, because something in it is denied.
    Denied,
    /// Nothing was decided: it cannot be read, is too large, or asks for what there is not.
    Refused,
    /// Nothing could be decided at the moment.
    Unavailable,
    /// Its caller was gone, or its time was up, before there was an answer.
    Unanswered,
}

impl RequestVerdict {
    /// Every verdict, each at the place that its number says.
    pub const ALL: [Self; 6] = [
        Self::Allowed,
        Self::Partial,
        Self::Denied,
        Self::Refused,
        Self::Unavailable,
        Self::Unanswered,
    ];

    /// As it appears in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Partial => "partial",
            Self::Denied => "denied",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::Unanswered => "unanswered",
        }
    }

    /// That of a request that was answered with `status` before anything was decided.
    #[must_use]
    pub fn undecided(status: StatusCode) -> Self {
        if status.is_server_error() { Self::Unavailable } else { Self::Refused }
    }
}
