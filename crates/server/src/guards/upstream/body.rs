//! The body of an API's answer. Its place is free again once it is over.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, Sleep, sleep_until},
};

use super::{BoxError, PATIENCE, breaker::Attempt};

/// What comes of an API, as it comes. Trailers are left out, unless somebody looks at them.
pub(crate) struct Streamed {
    body: Incoming,
    /// When all of it must have come.
    limit: Limit,
    /// Runs while the next part is waited for; without it one that never comes would hold the place.
    idle: Option<Idle>,
    /// How long the API was waited for, over all parts.
    waited: Duration,
    /// Until it is known what becomes of it.
    attempt: Option<Attempt>,
    trailers: bool,
    _place: OwnedSemaphorePermit,
}

/// How long a whole answer may take.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    pub(super) began: Instant,
    pub(super) longest: Duration,
}

/// A wait for the next part.
struct Idle {
    since: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Streamed {
    pub(super) fn new(
        body: Incoming,
        limit: Limit,
        attempt: Attempt,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let (idle, waited, attempt) = (None, Duration::ZERO, Some(attempt));
        let trailers = false;
        let mut streamed = Self { body, limit, idle, waited, attempt, trailers, _place: place };
        streamed.note_end();
        streamed
    }

    /// The same with its trailers.
    pub(super) fn with_trailers(mut self) -> Self {
        self.trailers = true;
        self
    }

    /// All of it has come, if it has: only then the API has answered.
    fn note_end(&mut self) {
        if self.body.is_end_stream()
            && let Some(attempt) = self.attempt.take()
        {
            attempt.succeeded();
        }
    }

    fn fail(&mut self, error: BoxError) -> BoxError {
        if let Some(attempt) = self.attempt.take() {
            attempt.failed();
        }
        error
    }

    /// It took too long. That is the API's fault if it was the API that was waited for.
    fn late(&mut self) -> BoxError {
        let error = "the response of the API took longer than upstream_timeout".into();
        if self.waited >= self.limit.longest / 2 {
            return self.fail(error);
        }
        if let Some(attempt) = self.attempt.take() {
            attempt.gave_way();
        }
        error
    }

    fn deadline(&self) -> Instant {
        self.limit.began + self.limit.longest
    }
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            if let Some(idle) = self.idle.take() {
                self.waited += idle.since.elapsed();
            }
            return Poll::Ready(match frame {
                Some(Ok(frame)) if frame.is_data() && self.deadline() <= Instant::now() => {
                    Some(Err(self.late()))
                }
                Some(Ok(frame)) if frame.is_data() => {
                    self.note_end();
                    Some(Ok(frame))
                }
                Some(Err(error)) => Some(Err(self.fail(error.into()))),
                // Trailers come last.
                frame @ (Some(Ok(_)) | None) => {
                    if let Some(attempt) = self.attempt.take() {
                        attempt.succeeded();
                    }
                    frame.filter(|_| self.trailers).map(|frame| frame.map_err(Into::into))
                }
            });
        }
        let deadline = self.deadline();
        let idle = self.idle.get_or_insert_with(|| {
            let since = Instant::now();
            let timer = Box::pin(sleep_until(deadline.min(since + PATIENCE)));
            Idle { since, timer }
        });
        if idle.timer.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        let waited = idle.since.elapsed();
        self.waited += waited;
        self.idle = None;
        Poll::Ready(Some(Err(if waited >= PATIENCE {
            self.fail("the API stopped in the middle of its response".into())
        } else {
            self.late()
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        let Some(attempt) = self.attempt.take() else { return };
        // Whoever leaves while the API is waited for has waited in vain; whoever leaves what has
        // come says nothing about the API.
        let mut context = Context::from_waker(Waker::noop());
        let waits =
            self.idle.is_some() && Pin::new(&mut self.body).poll_frame(&mut context).is_pending();
        match &self.idle {
            Some(idle) if waits => attempt.left_after(idle.since.elapsed()),
            _ => attempt.gave_way(),
        }
    }
}
