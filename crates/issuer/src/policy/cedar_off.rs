//! The engine `cedar` in a build without it: no policy of it can be read.

use super::{Explained, Request};

/// There is none.
#[derive(Clone, Debug)]
pub enum Cedar {}

/// A request that is asked about.
pub(super) struct Asked<'a>(std::marker::PhantomData<&'a ()>);

impl<'a> Asked<'a> {
    /// About `request`, for no policy.
    pub(super) fn new<'p>(_: &'a Request<'a>, _: impl IntoIterator<Item = &'p Cedar>) -> Self {
        Self(std::marker::PhantomData)
    }
}

impl Cedar {
    /// Reads no policies.
    ///
    /// # Errors
    /// Always: this build cannot enforce them.
    pub(super) fn read(_: &str, _: Option<&serde_json::Value>) -> Result<Self, String> {
        Err("this build of Castellan does not have the engine cedar; build it with the feature \
             \"cedar\""
            .to_owned())
    }

    /// Whether one of them may forbid a request.
    pub(super) const fn may_forbid(&self) -> bool {
        match *self {}
    }

    /// What is valid and seldom meant.
    pub(super) const fn warnings(&self) -> Vec<String> {
        match *self {}
    }

    /// What they say about a request.
    pub(super) const fn evaluate(&self, _: &Asked<'_>) -> Explained {
        match *self {}
    }
}
