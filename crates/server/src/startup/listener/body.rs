//! Bodies that know their connection: what is left of a request's, and when an answer is whole.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body as AnyBody;
use bytes::Bytes;
use http::{HeaderMap, Version, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::{
    activity::{Activity, Open},
    stream::Broken,
};

/// A rest that is no longer is read after the answer, so that the connection can be used again.
const REST: u64 = 64 * 1024;
/// How long that may take.
const REST_TIME: Duration = Duration::from_secs(5);

/// The body of a request over HTTP/1.1; or of any over HTTP/2, whose streams end by themselves.
pub(crate) struct Asked {
    body: Option<Incoming>,
    /// The connection, if it can be used again only after all of the body was read.
    activity: Option<Arc<Activity>>,
    /// The client sends its body only once it is asked for (RFC 9110 §10.1.1).
    waits: bool,
    http2: bool,
}

impl Asked {
    pub(crate) fn new(body: Incoming, headers: &HeaderMap, activity: &Arc<Activity>) -> Self {
        let activity = (!body.is_end_stream()).then(|| Arc::clone(activity));
        let waits = headers.contains_key(header::EXPECT);
        Self { body: Some(body), activity, waits, http2: false }
    }

    /// The same for HTTP/2.
    pub(crate) fn of_stream(body: Incoming, headers: &HeaderMap) -> Self {
        let waits = headers.contains_key(header::EXPECT);
        Self { body: Some(body), activity: None, waits, http2: true }
    }
}

impl Body for Asked {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(context);
        if let Poll::Ready(None | Some(Err(_))) = frame {
            self.activity = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) else { return };
        let is_short = body.size_hint().upper().is_some_and(|left| left <= REST);
        let runtime = tokio::runtime::Handle::try_current().ok();
        let runtime = runtime.filter(|_| is_short && !self.waits);
        match (self.activity.take(), runtime) {
            (Some(activity), Some(runtime)) => {
                runtime.spawn(async move {
                    if read_rest(body).await {
                        activity.note_rest_read();
                    } else {
                        activity.note_unread();
                    }
                });
            }
            (Some(activity), None) => activity.note_unread(),
            // The client would be told to stop sending, which is in order (RFC 9113 §8.1), and which
            // some take for a failure of the whole answer (curl 7).
            (None, Some(runtime)) if self.http2 => drop(runtime.spawn(read_rest(body))),
            (None, _) => {}
        }
    }
}

/// Reads what is left of a body; whether it came to its end.
async fn read_rest(mut body: Incoming) -> bool {
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    let in_time = tokio::time::timeout(REST_TIME, rest).await.is_ok();
    in_time && body.is_end_stream()
}

/// Bytes that a client of HTTP/2 is offered at a time: what it has not taken of them is all that is
/// held for it outside the body itself.
const PIECE: usize = 16 * 1024;
/// Of an end that is longer the last byte is offered by itself: it is taken once there is room for
/// all before it, and until then the request is open.
const SHORT: usize = 1024;

/// The body of an answer. The request is open until it is dropped.
pub(crate) struct Answered {
    body: AnyBody,
    open: Open,
    /// Whether it is offered piece by piece.
    http2: bool,
    /// Where the end of the connection may be its end: nothing else tells of one that breaks off.
    broken: Option<Broken>,
    /// What is left of the part that is being offered.
    left: Bytes,
}

impl Answered {
    pub(crate) fn new(body: AnyBody, open: Open, version: Version, broken: &Broken) -> Self {
        let http2 = version == Version::HTTP_2;
        let broken = (version < Version::HTTP_11).then(|| broken.clone());
        Self { body, open, http2, broken, left: Bytes::new() }
    }

    /// The next piece of what is left.
    fn piece(&mut self) -> Bytes {
        let length = match self.left.len() {
            length if length > PIECE => PIECE,
            length if length > SHORT && self.body.is_end_stream() => length - 1,
            length => length,
        };
        self.open.note_offered();
        self.left.split_to(length)
    }
}

impl Body for Answered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if !self.http2 {
            let frame = Pin::new(&mut self.body).poll_frame(context);
            if let (Poll::Ready(Some(Err(_))), Some(broken)) = (&frame, &self.broken) {
                broken.note();
            }
            return frame;
        }
        if !self.left.is_empty() {
            let piece = self.piece();
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            self.open.note_taken();
            return Poll::Pending;
        };
        Poll::Ready(match frame.map(|frame| frame.map(Frame::into_data)) {
            Some(Ok(Ok(data))) => {
                self.left = data;
                Some(Ok(Frame::data(self.piece())))
            }
            Some(Ok(Err(other))) => Some(Ok(other)),
            Some(Err(error)) => Some(Err(error)),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (mut hint, left) = (self.body.size_hint(), self.left.len() as u64);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(left));
        }
        hint.set_lower(hint.lower().saturating_add(left));
        hint
    }
}
