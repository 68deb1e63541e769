//! The socket of a connection, which notes what it does, and which lingers at its end.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{activity::Activity, socket::Socket};

/// Bytes that are read on after the answer at most.
const LINGER_BYTES: usize = 64 * 1024 * 1024;
/// Bytes that are read on at a time.
const PIECE: usize = 16 * 1024;

/// A socket whose reads and writes are noted.
pub(crate) struct Stream {
    socket: Socket,
    activity: Arc<Activity>,
    broken: Broken,
    end: End,
}

/// Whether the answer broke off, so that nobody may take what came of it for whole.
#[derive(Clone, Default)]
pub(crate) struct Broken(Arc<AtomicBool>);

impl Broken {
    /// It did.
    pub(crate) fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_noted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How far its end has come.
enum End {
    Open,
    /// Our half is closed, and so many bytes were read since.
    Lingering(usize),
}

impl Stream {
    pub(crate) fn new(socket: Socket, activity: Arc<Activity>) -> Self {
        Self { socket, activity, broken: Broken::default(), end: End::Open }
    }

    /// Where it is noted that the answer broke off.
    pub(crate) fn broken(&self) -> Broken {
        self.broken.clone()
    }

    fn note_write<T>(&self, written: &Poll<io::Result<T>>) {
        self.activity.note_write(written.is_pending());
    }
}

impl Drop for Stream {
    /// Resets the connection of an answer that broke off.
    fn drop(&mut self) {
        if self.broken.is_noted() {
            self.socket.reset();
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        if let Some(bytes) = buffer.filled().get(before..).filter(|bytes| !bytes.is_empty()) {
            self.activity.note_read(bytes);
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.note_write(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.note_write(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(context);
        // A socket has nothing to flush; TLS holds records back that the client does not take.
        if self.socket.holds_back() {
            self.note_write(&flushed);
        }
        flushed
    }

    /// Closes our half. If the client may still be sending, what comes is read and dropped for a
    /// while: a socket that is closed with unread bytes in it is reset, and then the client may
    /// never see the answer that it was sent (RFC 9112 §9.6). How long that may take is for
    /// [`Activity`] to say.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.broken.is_noted() {
            return Poll::Ready(Ok(()));
        }
        if matches!(self.end, End::Open) {
            ready!(Pin::new(&mut self.socket).poll_shutdown(context))?;
            if !self.activity.is_unread() {
                return Poll::Ready(Ok(()));
            }
            self.activity.linger();
            self.end = End::Lingering(0);
        }
        let mut piece = [MaybeUninit::uninit(); PIECE];
        while let End::Lingering(before) = self.end {
            let mut buffer = ReadBuf::uninit(&mut piece);
            let read = ready!(Pin::new(&mut self.socket).poll_read(context, &mut buffer));
            let count = buffer.filled().len();
            if read.is_err() || count == 0 || before + count > LINGER_BYTES {
                break;
            }
            self.activity.note_read(&[]);
            self.end = End::Lingering(before + count);
        }
        Poll::Ready(Ok(()))
    }
}
