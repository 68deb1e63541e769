//! One request on its way, for whoever counts them.

use http::StatusCode;

use crate::{Recorder, RequestVerdict};

/// One request, told to the recorder when this is dropped.
pub(crate) struct Tally<'a> {
    recorder: Option<&'a dyn Recorder>,
    decided: Option<RequestVerdict>,
    verdict: RequestVerdict,
}

impl<'a> Tally<'a> {
    /// A request that is not answered yet.
    pub(crate) fn of(recorder: Option<&'a dyn Recorder>) -> Self {
        Self { recorder, decided: None, verdict: RequestVerdict::Unanswered }
    }

    /// It is decided.
    pub(crate) const fn decide(&mut self, verdict: RequestVerdict) {
        self.decided = Some(verdict);
    }

    /// It is answered with `status`.
    pub(crate) fn close(&mut self, status: StatusCode) {
        self.verdict = self.decided.unwrap_or_else(|| RequestVerdict::undecided(status));
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        if let Some(recorder) = self.recorder {
            recorder.answered(self.verdict);
        }
    }
}
