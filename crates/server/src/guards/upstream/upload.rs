//! The body of a request on its way to an API: whole, or as it comes from the client.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use castellan_gate::rest::RequestBody;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use tokio::time::{Instant, sleep_until};

use super::{BoxError, PATIENCE};

/// A body of either kind.
pub(super) enum Outgoing {
    Whole(Full<Bytes>),
    Streamed(Upload),
}

/// A body that comes from a client.
pub(super) struct Upload {
    body: RequestBody,
    progress: Arc<Progress>,
}

/// How far such a body has come.
pub(super) struct Progress(Mutex<(Phase, Instant)>);

/// Who is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The API, which takes what there is, or answers.
    Api,
    /// The client, who sends the next part.
    Client,
    /// Nobody: the client went away in the middle.
    Gone,
}

impl Upload {
    pub(super) fn new(body: RequestBody) -> (Self, Arc<Progress>) {
        let progress = Arc::new(Progress(Mutex::new((Phase::Api, Instant::now()))));
        (Self { body, progress: Arc::clone(&progress) }, progress)
    }
}

impl Progress {
    fn get(&self) -> (Phase, Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, phase: Phase, moved: bool) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if moved || state.0 != phase {
            *state = (phase, Instant::now());
        }
    }

    /// Who is waited for at the moment.
    pub(super) fn phase(&self) -> Phase {
        self.get().0
    }

    /// How long the API has been waited for.
    pub(super) fn waited_for_api(&self) -> Duration {
        match self.get() {
            (Phase::Api, since) => since.elapsed(),
            (Phase::Client | Phase::Gone, _) => Duration::ZERO,
        }
    }

    /// Waits until somebody has been waited for too long, and says who.
    pub(super) async fn stopped(&self) -> Phase {
        loop {
            let (phase, since) = self.get();
            let until = since + PATIENCE;
            if until <= Instant::now() {
                return phase;
            }
            sleep_until(until).await;
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let upload = match &mut *self {
            Self::Whole(body) => {
                let frame = Pin::new(body).poll_frame(context);
                return frame.map(|frame| frame.map(|frame| frame.map_err(never)));
            }
            Self::Streamed(upload) => upload,
        };
        let frame = Pin::new(&mut upload.body).poll_frame(context);
        match &frame {
            Poll::Pending => upload.progress.note(Phase::Client, false),
            Poll::Ready(Some(Err(_))) => upload.progress.note(Phase::Gone, true),
            Poll::Ready(_) => upload.progress.note(Phase::Api, true),
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Streamed(upload) => upload.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Streamed(upload) => upload.body.size_hint(),
        }
    }
}

fn never(never: Infallible) -> BoxError {
    match never {}
}
