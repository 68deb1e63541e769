//! The body of a request on its way to an API: whole, or as it comes from the client.

use std::{
    convert::Infallible,
    error::Error,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use castellan_gate::{
    CredentialEnded,
    rest::{RequestBody, RequestMalformed, RequestStopped},
};
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
pub(super) struct Progress(Mutex<State>);

#[derive(Clone, Copy)]
struct State {
    phase: Phase,
    /// When that began.
    since: Instant,
    /// How long the client was waited for before.
    waited: Duration,
    /// Bytes that it has sent.
    sent: u64,
}

/// What a client has to send at least in a minute for which it is waited for: each upload takes one of
/// the places of its API.
const LEAST: u64 = 16 * 1024;
const MINUTE: Duration = Duration::from_mins(1);

/// Who is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The API, which takes what there is, or answers.
    Api,
    /// The client, who sends the next part.
    Client,
    /// Nobody: the client went away in the middle.
    Gone,
    /// Nobody: what the client sent is no body.
    Malformed,
    /// Nobody: the client may send no more.
    Ended,
}

impl Phase {
    /// What became of a body that failed with `error`.
    fn after(error: &BoxError) -> Self {
        if error.is::<CredentialEnded>() {
            return Self::Ended;
        }
        let mut source: Option<&(dyn Error + 'static)> = Some(&**error);
        while let Some(one) = source {
            let kind = one.downcast_ref::<io::Error>().map(io::Error::kind);
            if matches!(kind, Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)) {
                return Self::Malformed;
            }
            source = one.source();
        }
        Self::Gone
    }

    /// Why the request comes to nothing, if that is because of its body.
    pub(super) fn problem(self) -> Option<BoxError> {
        match self {
            Self::Api => None,
            Self::Client | Self::Gone => Some(RequestStopped.into()),
            Self::Malformed => Some(RequestMalformed.into()),
            Self::Ended => Some(CredentialEnded.into()),
        }
    }
}

impl Upload {
    pub(super) fn new(body: RequestBody) -> (Self, Arc<Progress>) {
        let state =
            State { phase: Phase::Api, since: Instant::now(), waited: Duration::ZERO, sent: 0 };
        let progress = Arc::new(Progress(Mutex::new(state)));
        (Self { body, progress: Arc::clone(&progress) }, progress)
    }
}

impl State {
    /// When whoever is waited for has been waited for too long.
    fn until(&self) -> Instant {
        let silent = self.since + PATIENCE;
        if self.phase != Phase::Client {
            return silent;
        }
        // A minute is free, and so is one for each so many bytes.
        let minutes = u32::try_from(self.sent / LEAST).unwrap_or(u32::MAX).saturating_add(1);
        let slow = MINUTE.saturating_mul(minutes).saturating_sub(self.waited);
        silent.min(self.since.checked_add(slow).unwrap_or(silent))
    }
}

impl Progress {
    fn get(&self) -> State {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, phase: Phase, moved: bool, sent: usize) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.sent = state.sent.saturating_add(sent as u64);
        if moved || state.phase != phase {
            if state.phase == Phase::Client {
                let waited = state.since.elapsed();
                state.waited += waited;
            }
            (state.phase, state.since) = (phase, Instant::now());
        }
    }

    /// Who is waited for at the moment.
    pub(super) fn phase(&self) -> Phase {
        self.get().phase
    }

    /// How long the API has been waited for.
    pub(super) fn waited_for_api(&self) -> Duration {
        match self.get() {
            State { phase: Phase::Api, since, .. } => since.elapsed(),
            _ => Duration::ZERO,
        }
    }

    /// Waits until somebody has been waited for too long, and says who.
    pub(super) async fn stopped(&self) -> Phase {
        loop {
            let state = self.get();
            let until = state.until();
            if until <= Instant::now() {
                return state.phase;
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
            Poll::Pending => upload.progress.note(Phase::Client, false, 0),
            Poll::Ready(Some(Err(error))) => {
                upload.progress.note(Phase::after(error), true, 0);
            }
            Poll::Ready(Some(Ok(frame))) => {
                upload.progress.note(Phase::Api, true, frame.data_ref().map_or(0, Bytes::len));
            }
            Poll::Ready(None) => upload.progress.note(Phase::Api, true, 0),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_trickles_is_waited_for_no_longer_than_their_bytes_are_worth() {
        let since = Instant::now();
        let until = |phase, waited, sent| {
            let state = State { phase, since, waited: Duration::from_secs(waited), sent };
            state.until() - since
        };
        assert_eq!(until(Phase::Client, 0, 0), PATIENCE);
        assert_eq!(until(Phase::Client, 50, 5), Duration::from_secs(10));
        assert_eq!(until(Phase::Client, 70, 5), Duration::ZERO);
        assert_eq!(until(Phase::Client, 70, LEAST), PATIENCE);
        assert_eq!(until(Phase::Api, 70, 5), PATIENCE, "the API may take its time");
    }
}
