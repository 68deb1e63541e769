//! What a request has shown its caller by, kept to be looked at again while it is under way.

use std::{future::Future, pin::Pin, sync::Arc};

use http::{Extensions, HeaderName, HeaderValue, Method, header, request::Parts};

/// Is ready once a request may go on no longer.
pub type Ended = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a body fails with whose caller's credential has ended. Nobody may take what came of it for the
/// whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the credential of the caller has ended")]
pub struct CredentialEnded;

/// In the extensions of a request: what a credential was shown with is looked at again, after it was
/// verified once. Proofs of possession, which count once, are not asked for.
#[derive(Clone, Copy, Debug)]
pub struct ShownAgain;

/// In the extensions of a request whose caller the host of the gate has found: what
/// [`Verifier::moment`](crate::Verifier::moment) was before.
#[derive(Clone, Copy, Debug)]
pub struct FoundAt(pub u64);

/// Headers that show a caller.
const NAMES: usize = 4;
const SHOWN: [HeaderName; NAMES] = [
    header::AUTHORIZATION,
    header::COOKIE,
    HeaderName::from_static("x-client-auth"),
    HeaderName::from_static("x-jwt-aud"),
];

/// What a request has shown its caller by, to be looked at again.
#[derive(Debug)]
pub struct Shown {
    since: u64,
    values: [Option<HeaderValue>; NAMES],
    method: Method,
    rest: Rest,
}

#[derive(Debug)]
enum Rest {
    Own(Extensions),
    Shared(Arc<Extensions>),
}

impl Shown {
    /// Takes it out of `parts`, which keep the headers. The caller was found after `since`.
    pub(crate) fn take(parts: &mut Parts, since: u64) -> Self {
        let value = |name: &HeaderName| {
            let mut values = parts.headers.get_all(name).iter();
            let first = values.next()?;
            let rest: Vec<&[u8]> = values.map(HeaderValue::as_bytes).collect();
            if rest.is_empty() {
                return Some(first.clone());
            }
            // Of cookies alone there may be several lines (RFC 9113 §8.2.3).
            let all = [&[first.as_bytes()], &*rest].concat().join(&b"; "[..]);
            HeaderValue::from_bytes(&all).ok()
        };
        let values = SHOWN.each_ref().map(value);
        let rest = Rest::Own(std::mem::take(&mut parts.extensions));
        Self { since, values, method: parts.method.clone(), rest }
    }

    /// The same twice: for the body of the request and that of the response.
    pub(crate) fn for_both(self) -> (Self, Self) {
        let Self { since, values, method, rest } = self;
        let shared = match rest {
            Rest::Own(extensions) => Arc::new(extensions),
            Rest::Shared(shared) => shared,
        };
        let one = |rest| Self { since, values: values.clone(), method: method.clone(), rest };
        (one(Rest::Shared(Arc::clone(&shared))), one(Rest::Shared(shared)))
    }

    /// What [`Verifier::moment`](crate::Verifier::moment) was before the caller was found.
    #[must_use]
    pub fn since(&self) -> u64 {
        self.since
    }

    /// The head of a request that shows the same, with [`ShownAgain`] among its extensions.
    #[must_use]
    pub fn into_parts(self) -> Parts {
        let mut request = http::Request::new(());
        *request.method_mut() = self.method;
        for (name, value) in SHOWN.into_iter().zip(self.values) {
            request.headers_mut().extend(value.map(|value| (name, value)));
        }
        *request.extensions_mut() = match self.rest {
            Rest::Own(extensions) => extensions,
            Rest::Shared(shared) => (*shared).clone(),
        };
        request.extensions_mut().insert(ShownAgain);
        request.into_parts().0
    }
}
