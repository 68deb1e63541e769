//! Bodies under way end with what let their request pass (`docs/rules.md` rule 29).
//!
//! What is complete at once costs nothing: the caller is watched from when a body has to be waited for.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as _, Frame};

use crate::{
    Caller, CredentialEnded, Ended, Identity, Shown, Verifier,
    context::{BoxError, ReplyBody},
};

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

    /// Is ready once nothing more may be said; `None` if nobody is watched.
    pub(crate) fn into_ended(self) -> Option<Ended> {
        let Before { verifier, shown, identity } = self.before?;
        verifier.watch(shown, identity)
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
