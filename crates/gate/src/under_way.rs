//! Bodies under way end with what let their request pass (`docs/rules.md` rule 29).
//!
//! What is complete at once costs nothing: the caller is watched from when a body has to be waited for.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Extensions, HeaderName, HeaderValue, Method, header, request::Parts};

use http_body::{Body as _, Frame};

use crate::{
    Caller, Identity, Verifier,
    context::{BoxError, ReplyBody},
};

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
/// [`Verifier::moment`] was before.
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

    /// What [`Verifier::moment`] was before the caller was found.
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

/// Watches over one body.
pub(crate) struct Watch {
    before: Option<Before>,
    ended: Option<Ended>,
    /// Some of the body has passed already.
    passed: bool,
    is_over: bool,
}

struct Before {
    verifier: Arc<dyn Verifier>,
    shown: Shown,
    identity: Arc<Identity>,
}

impl Watch {
    /// None is needed over what an unknown caller was let pass to: that was public.
    pub(crate) fn new(verifier: &Arc<dyn Verifier>, caller: &Caller, shown: Option<Shown>) -> Self {
        let before = match (caller, shown) {
            (Caller::Known(identity), Some(shown)) => Some(Before {
                verifier: Arc::clone(verifier),
                shown,
                identity: Arc::clone(identity),
            }),
            _ => None,
        };
        Self { before, ended: None, passed: false, is_over: false }
    }

    /// The next part of `body`, as long as it may come.
    pub(crate) fn poll_frame(
        &mut self,
        body: &mut ReplyBody,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.poll_over(context) {
            return Poll::Ready(Some(Err(CredentialEnded.into())));
        }
        let frame = Pin::new(&mut *body).poll_frame(context);
        let begins = self.before.is_some()
            && match &frame {
                Poll::Pending => true,
                // A body of one part is complete before anything could be looked at.
                Poll::Ready(Some(Ok(_))) => {
                    std::mem::replace(&mut self.passed, true) && !body.is_end_stream()
                }
                Poll::Ready(_) => false,
            };
        if begins {
            self.begin();
            if frame.is_pending() && self.poll_over(context) {
                return Poll::Ready(Some(Err(CredentialEnded.into())));
            }
        }
        frame
    }

    /// Whether the body may go on no longer.
    fn poll_over(&mut self, context: &mut Context<'_>) -> bool {
        let ended = self.ended.as_mut();
        if ended.is_some_and(|ended| ended.as_mut().poll(context).is_ready()) {
            (self.ended, self.is_over) = (None, true);
        }
        self.is_over
    }

    fn begin(&mut self) {
        if let Some(Before { verifier, shown, identity }) = self.before.take() {
            self.ended = verifier.watch(shown, identity);
        }
    }
}
