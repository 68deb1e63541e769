//! What can go wrong behind the port. Goes to the log and nowhere else.

use aws_sdk_dynamodb::{error::SdkError, operation::transact_write_items::TransactWriteItemsError};
use castellan_issuer::store::StoreError;

use crate::OpenError;

/// Why the engine did not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum DriverError {
    /// DynamoDB refused, or did not respond.
    #[error("{0}")]
    Service(Box<dyn std::error::Error + Send + Sync>),
    /// An item does not read, so something else than Castellan wrote it.
    #[error("an item is corrupt: its {0}")]
    Damaged(&'static str),
    /// There were conflicts with other writers at every attempt.
    #[error("too much write contention")]
    Contended,
}

impl From<DriverError> for StoreError {
    fn from(fault: DriverError) -> Self {
        Self::new(fault)
    }
}

impl<E, R> From<SdkError<E, R>> for DriverError
where
    E: std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    fn from(error: SdkError<E, R>) -> Self {
        Self::Service(Box::new(Told(chain(&error))))
    }
}

/// The service does not respond, or refuses us.
#[expect(clippy::needless_pass_by_value, reason = "what `map_err` hands over")]
pub(super) fn unreachable<E, R>(error: SdkError<E, R>) -> OpenError
where
    E: std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let (problem, remedy) = match &error {
        SdkError::ServiceError(_) => {
            ("refuses", "give this identity the rights that docs/data-sources.md lists")
        }
        SdkError::ConstructionFailure(_) => {
            ("cannot be called", "check that credentials are configured")
        }
        _ => ("does not respond", "check region, endpoint and credentials"),
    };
    OpenError::server("dynamodb", problem, remedy).because(chain(&error))
}

/// What an error and its causes say, without the request and the answer.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(cause) = source {
        text.extend([": ", &cause.to_string()]);
        source = cause.source();
    }
    text
}

/// An error of the service, with all that it says.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Told(String);

/// Why one part of a transaction failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// It was not the cause.
    Fine,
    /// Its condition is not met.
    Refused,
    /// Another transaction was at it.
    Busy,
}

/// What each part of a transaction that was undone says; none if it failed otherwise.
pub(super) fn parts<R>(error: &SdkError<TransactWriteItemsError, R>) -> Option<Vec<Part>> {
    let service = error.as_service_error()?;
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = service else {
        return match service {
            TransactWriteItemsError::TransactionInProgressException(_) => Some(vec![Part::Busy]),
            _ => None,
        };
    };
    let part = |code: Option<&str>| match code {
        None | Some("None") => Some(Part::Fine),
        Some("ConditionalCheckFailed") => Some(Part::Refused),
        Some("TransactionConflict") => Some(Part::Busy),
        Some(_) => None,
    };
    cancelled.cancellation_reasons().iter().map(|reason| part(reason.code())).collect()
}
