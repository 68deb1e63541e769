//! The body of an API's answer. Its place is free again once it is over.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Sleep, sleep},
};

use super::{BoxError, PATIENCE};

/// What comes of an API, as it comes.
pub(crate) struct Streamed {
    body: Incoming,
    /// Runs while the next part is waited for; without it one that never comes would hold the place.
    idle: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
}

impl Streamed {
    pub(super) const fn new(body: Incoming, place: OwnedSemaphorePermit) -> Self {
        Self { body, idle: None, _place: place }
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
            self.idle = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let idle = self.idle.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        match idle.as_mut().poll(context) {
            Poll::Ready(()) => {
                Poll::Ready(Some(Err("the API stopped in the middle of its response".into())))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
