//! Memory for answers that are held as a whole: to be merged, and then until the caller has taken
//! them.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::context::{BoxError, ReplyBody};

/// How many bytes of answers may be held at a time. Whoever serves the gate puts one into the
/// extensions of a request; without it there is no limit but that of each answer. Cheap to clone.
///
/// A single answer fits in any case, however large the guard lets it be.
#[derive(Clone, Debug)]
pub struct AnswerMemory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    used: AtomicUsize,
    most: usize,
    /// What this is a part of.
    whole: Option<AnswerMemory>,
}

impl AnswerMemory {
    /// Memory of `most` bytes.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Inner { used: AtomicUsize::new(0), most, whole: None }))
    }

    /// A part of this, of `most` bytes.
    #[must_use]
    pub fn part(&self, most: usize) -> Self {
        let whole = Some(self.clone());
        Self(Arc::new(Inner { used: AtomicUsize::new(0), most, whole }))
    }

    /// Whether no further answer should be begun.
    pub(crate) fn is_full(&self) -> bool {
        let is_full = self.0.used.load(Ordering::Relaxed) >= self.0.most;
        is_full || self.0.whole.as_ref().is_some_and(Self::is_full)
    }

    /// This and what it is a part of.
    fn all(&self) -> impl Iterator<Item = &Inner> {
        std::iter::successors(Some(&*self.0), |inner| inner.whole.as_ref().map(|whole| &*whole.0))
    }
}

/// What one answer takes, until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct HeldAnswer {
    memory: Option<AnswerMemory>,
    bytes: usize,
}

impl HeldAnswer {
    /// Of an answer of which nothing has come.
    pub(crate) const fn new(memory: Option<AnswerMemory>) -> Self {
        Self { memory, bytes: 0 }
    }

    /// Takes `more` bytes; whether they fit.
    pub(crate) fn grow(&mut self, more: usize) -> bool {
        let Some(memory) = &self.memory else { return true };
        let mine = self.bytes;
        self.bytes += more;
        let mut fits = true;
        for inner in memory.all() {
            let before = inner.used.fetch_add(more, Ordering::Relaxed);
            fits &= before == mine || before.saturating_add(more) <= inner.most;
        }
        fits
    }
}

impl Drop for HeldAnswer {
    fn drop(&mut self) {
        for inner in self.memory.iter().flat_map(AnswerMemory::all) {
            inner.used.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

/// The body of an answer that takes memory until it is dropped.
pub(crate) struct HeldBody {
    pub(crate) body: ReplyBody,
    pub(crate) _held: HeldAnswer,
}

impl Body for HeldBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_share_a_memory_and_a_single_one_always_fits() {
        let whole = AnswerMemory::new(100);
        let (one, other) = (whole.part(50), whole.part(50));
        let mut large = HeldAnswer::new(Some(one.clone()));
        assert!(large.grow(70), "it is alone");
        assert!(one.is_full() && !other.is_full());
        let mut second = HeldAnswer::new(Some(one.clone()));
        assert!(!second.grow(1), "its part is full");
        drop(second);
        let mut elsewhere = HeldAnswer::new(Some(other.clone()));
        assert!(elsewhere.grow(30));
        assert!(!elsewhere.grow(10), "the whole is full");
        drop((large, elsewhere));
        assert!(!one.is_full() && HeldAnswer::new(Some(other)).grow(50));
        assert_eq!(whole.0.used.load(Ordering::Relaxed), 0);
    }
}
