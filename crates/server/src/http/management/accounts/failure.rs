//! Why an operation on accounts failed, in the classes of the contract
//! (`docs/contracts/curity.md` §4.1).

use castellan_issuer::{management::accounts::AccountError, resources::search::ListError};
use serde_json::{Value, json};

use crate::http::management::{
    connection::wrong_cursor,
    error::{Classification, Failure},
};

/// The failure that `error` is.
pub(in crate::http::management) fn of(error: AccountError) -> Failure {
    use Classification as Class;
    let text = error.to_string();
    match error {
        AccountError::NotFound(_) => Failure::new(Class::NotFound, text),
        AccountError::Denied(None) => Failure::access_denied(),
        AccountError::Denied(Some(field)) => Failure::access_denied().with("field", field),
        AccountError::Conflict(field, _) => {
            Failure::new(Class::ConstraintViolation, text).with("field", field)
        }
        AccountError::Invalid(why) => invalid(&why),
        AccountError::Rejected(why) => {
            let details: Vec<Value> = why.iter().map(|why| json!({"message": why})).collect();
            Failure::new(Class::CredentialUpdateRejected, text).with("details", details)
        }
        AccountError::WrongPassword | AccountError::Localized(_) => {
            Failure::new(Class::LocalizedValidationError, text)
        }
        AccountError::Throttled(_) | AccountError::Busy(_) => {
            Failure::new(Class::TooManyAttempts, text)
        }
        AccountError::LastFactor => Failure::invalid_argument(text),
        AccountError::NotConfigured(_)
        | AccountError::UnknownState
        | AccountError::UnknownCode
        | AccountError::Passkey(_)
        | AccountError::Contention => Failure::of_operation(text),
        AccountError::NotSent(_) => Failure::new(Class::DataFetchingException, text),
        AccountError::Store(error) => error.into(),
    }
}

/// An argument that cannot be; `why` begins with the name of its field.
fn invalid(why: &str) -> Failure {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    let field: String = why.chars().take_while(|c| is_name(*c)).collect();
    Failure::invalid_argument(why).with("field", field)
}

/// Why there is no page.
pub(super) fn of_list(error: ListError) -> Failure {
    match error {
        ListError::Unsupported(cause) => Failure::not_supported(cause),
        ListError::Cursor => wrong_cursor(),
        ListError::Store(error) => error.into(),
        other => Failure::invalid_argument(other.to_string()),
    }
}
