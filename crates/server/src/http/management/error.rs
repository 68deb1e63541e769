//! Every error of the management APIs (`docs/contracts/curity.md` §4): the values of
//! `extensions.classification`, and which messages callers read.

use castellan_issuer::{resources::search::Cause, store::StoreError};
use serde_json::{Map, Value, json};

/// What callers read where `detailed_errors` is off and the reason is not meant for them.
const GENERIC: &str = "The operation could not be completed.";

/// A value of `extensions.classification`. The table of `docs/management.md` is made from this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Classification {
    /// A write would violate a rule of the data, such as a unique name.
    ConstraintViolation,
    /// The data source cannot do what the query asks.
    OperationNotSupported,
    /// A new password does not meet the rules.
    CredentialUpdateRejected,
    /// The input is refused with words for the person who made it.
    LocalizedValidationError,
    /// Too many attempts.
    TooManyAttempts,
    /// The operation failed for a reason of its own.
    DataFetchingException,
    /// The document does not fit the schema, or an argument its constraints.
    ValidationError,
    /// The document cannot be parsed.
    InvalidSyntax,
    /// No valid access token was sent.
    Unauthenticated,
    /// The token does not allow it.
    AccessDenied,
    /// What is to be changed does not exist.
    NotFound,
    /// An argument has a value that it cannot have, or the request cannot be read.
    InvalidArgument,
    /// The server failed.
    InternalError,
}

impl Classification {
    #[cfg(test)]
    const ALL: [Self; 13] = [
        Self::ConstraintViolation,
        Self::OperationNotSupported,
        Self::CredentialUpdateRejected,
        Self::LocalizedValidationError,
        Self::TooManyAttempts,
        Self::DataFetchingException,
        Self::ValidationError,
        Self::InvalidSyntax,
        Self::Unauthenticated,
        Self::AccessDenied,
        Self::NotFound,
        Self::InvalidArgument,
        Self::InternalError,
    ];

    /// Its value on the wire.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ConstraintViolation => "constraint-violation",
            Self::OperationNotSupported => "operation-not-supported",
            Self::CredentialUpdateRejected => "credential-update-rejected",
            Self::LocalizedValidationError => "localized-validation-error",
            Self::TooManyAttempts => "too-many-attempts-error",
            Self::DataFetchingException => "DataFetchingException",
            Self::ValidationError => "ValidationError",
            Self::InvalidSyntax => "InvalidSyntax",
            Self::Unauthenticated => "unauthenticated",
            Self::AccessDenied => "access-denied",
            Self::NotFound => "not-found",
            Self::InvalidArgument => "invalid-argument",
            Self::InternalError => "internal-error",
        }
    }

    /// When it is answered, and with which other members of `extensions`, in the words of the
    /// documentation.
    #[cfg(test)]
    const fn explained(self) -> (&'static str, &'static str) {
        match self {
            Self::ConstraintViolation => {
                ("A write would violate a rule of the data, such as a unique name.", "`field`")
            }
            Self::OperationNotSupported => {
                ("The data source cannot do what the query asks.", "`not-supported-cause`")
            }
            Self::CredentialUpdateRejected => {
                ("A new password does not meet the rules.", "`details`: a list of `{message}`")
            }
            Self::LocalizedValidationError => {
                ("The input is refused, in words for the person who made it.", "")
            }
            Self::TooManyAttempts => ("Too many attempts; try again later.", ""),
            Self::DataFetchingException => {
                ("The operation failed; where the server is why, `detailed_errors` shows it.", "")
            }
            Self::ValidationError => (
                "The document does not fit the schema, or an argument not its constraints.",
                "with constraints: `validatedPath`, `constraint`",
            ),
            Self::InvalidSyntax => ("The document cannot be parsed.", ""),
            Self::Unauthenticated => ("No valid access token was sent.", ""),
            Self::AccessDenied => ("The access token does not allow it.", ""),
            Self::NotFound => ("What is to be changed does not exist.", ""),
            Self::InvalidArgument => {
                ("An argument has a value that it cannot have, or the request cannot be read.", "")
            }
            Self::InternalError => ("The server failed; its log shows why.", ""),
        }
    }

    /// Whether its messages are for callers whatever is set, unless a failure says otherwise.
    const fn is_for_callers(self) -> bool {
        !matches!(self, Self::DataFetchingException | Self::InternalError)
    }
}

/// The table of classifications for the documentation.
#[cfg(test)]
fn table() -> String {
    let rows = Classification::ALL.map(|one| {
        let (when, members) = one.explained();
        format!("| `{}` | {when} | {members} |\n", one.as_str())
    });
    format!(
        "| `extensions.classification` | When | Further members |\n|---|---|---|\n{}",
        rows.concat()
    )
}

/// Why a field has no value.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(super) classification: Classification,
    message: String,
    is_for_callers: bool,
    extensions: Map<String, Value>,
}

impl Failure {
    /// A failure whose `message` is a sentence for developers.
    pub(crate) fn new(classification: Classification, message: impl Into<String>) -> Self {
        Self {
            classification,
            message: message.into(),
            is_for_callers: classification.is_for_callers(),
            extensions: Map::new(),
        }
    }

    /// An operation failed because of what its caller sent, or because something is not configured:
    /// the reason is no internal of the server (`docs/contracts/curity.md` §2.2).
    pub(crate) fn of_operation(message: impl Into<String>) -> Self {
        Self { is_for_callers: true, ..Self::new(Classification::DataFetchingException, message) }
    }

    /// The same with a further member of `extensions`.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extensions.insert(name.to_owned(), value.into());
        self
    }

    /// An argument has a value that it cannot have.
    pub(crate) fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new(Classification::InvalidArgument, message)
    }

    /// The input does not fit the schema in a way that GraphQL itself cannot express.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new(Classification::ValidationError, message)
    }

    /// The token does not allow it.
    pub(crate) fn access_denied() -> Self {
        Self::new(Classification::AccessDenied, "Access denied")
    }

    /// The data source cannot do that.
    pub(crate) fn not_supported(cause: Cause) -> Self {
        Self::new(Classification::OperationNotSupported, cause.to_string())
            .with("not-supported-cause", cause.as_str())
    }

    /// The server failed; `error` goes to the log.
    pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "a management operation failed");
        Self::new(Classification::InternalError, error.to_string())
    }

    /// The error as it goes out, for the field at `path`.
    pub(super) fn to_json(&self, path: Option<&[Value]>, detailed: bool) -> Value {
        let way = || {
            let path = path.unwrap_or_default();
            let step = |step: &Value| match step {
                Value::String(key) => format!("/{key}"),
                other => format!("[{other}]"),
            };
            path.iter().map(step).collect::<String>()
        };
        let message = match self.classification {
            Classification::DataFetchingException if detailed => {
                format!("Exception while fetching data ({}) : {}", way(), self.message)
            }
            _ if self.is_for_callers || detailed => self.message.clone(),
            _ => GENERIC.to_owned(),
        };
        let mut extensions = self.extensions.clone();
        extensions.insert("classification".to_owned(), json!(self.classification.as_str()));
        let mut error = json!({"message": message, "locations": [], "extensions": extensions});
        if let Some(path) = path {
            error["path"] = json!(path);
        }
        error
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::internal(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_classifications_is_up_to_date() {
        crate::reference::check_part("management.md", "classifications", &table());
    }

    #[test]
    fn internals_are_shown_where_that_is_set_alone() {
        let path = [json!("a"), json!(1)];
        for (classification, plain, detailed) in [
            (
                Classification::DataFetchingException,
                GENERIC,
                "Exception while fetching data (/a[1]) : why",
            ),
            (Classification::InternalError, GENERIC, "why"),
            (Classification::CredentialUpdateRejected, "why", "why"),
            (Classification::TooManyAttempts, "why", "why"),
            (Classification::LocalizedValidationError, "why", "why"),
        ] {
            let failure = Failure::new(classification, "why");
            for (is_detailed, message) in [(false, plain), (true, detailed)] {
                let error = failure.to_json(Some(&path), is_detailed);
                assert_eq!(error["message"], message);
                assert_eq!(error["path"], json!(["a", 1]));
                assert_eq!(error["extensions"]["classification"], classification.as_str());
            }
        }
        let failure = Failure::of_operation("unknown code");
        assert_eq!(failure.to_json(Some(&path), false)["message"], "unknown code");
        let detailed = failure.to_json(Some(&path), true);
        assert_eq!(detailed["message"], "Exception while fetching data (/a[1]) : unknown code");
    }
}
