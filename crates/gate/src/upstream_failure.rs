//! What is told of an API that did not answer as it should.

use std::error::Error;

use http::{HeaderMap, StatusCode, header};

use crate::DecisionId;

/// Characters of a media type that are told.
const MEDIA_TYPE: usize = 64;

/// An API did not answer, or what it answered is not passed on.
#[derive(Clone, Debug)]
pub struct UpstreamFailure<'a> {
    /// The decision on the request that was sent.
    pub decision: &'a DecisionId,
    /// What is wrong.
    pub problem: &'static str,
    /// The status of its answer.
    pub status: Option<StatusCode>,
    /// The media type of its answer, as far as that is one.
    pub media_type: Option<&'a str>,
    /// Why there is no answer.
    pub error: Option<&'a (dyn Error + 'static)>,
}

impl<'a> UpstreamFailure<'a> {
    /// There is no answer, because of `error`.
    pub(crate) fn without_answer(
        decision: &'a DecisionId,
        error: &'a (dyn Error + 'static),
    ) -> Self {
        let problem = "no response from upstream";
        Self { decision, problem, status: None, media_type: None, error: Some(error) }
    }

    /// The answer with this `status` and these `headers` is not passed on, because of `problem`.
    pub(crate) fn of_answer(
        decision: &'a DecisionId,
        status: StatusCode,
        headers: &'a HeaderMap,
        problem: &'static str,
    ) -> Self {
        let (status, media_type) = (Some(status), media_type(headers));
        Self { decision, problem, status, media_type, error: None }
    }

    pub(crate) fn log(&self) {
        tracing::warn!(
            decision = self.decision.as_str(),
            status = self.status.map(|status| status.as_u16()),
            media_type = self.media_type,
            error = self.error,
            "{}",
            self.problem
        );
    }
}

/// The media type of a response, without its parameters: what follows may be anything.
fn media_type(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let text = text.split(';').next().unwrap_or_default().trim();
    let is_one = |one: u8| one.is_ascii_alphanumeric() || b"/+-._*".contains(&one);
    (text.len() <= MEDIA_TYPE && !text.is_empty() && text.bytes().all(is_one)).then_some(text)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_media_type_is_told_without_what_follows_it() {
        let of = |text: &'static str| {
            let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(text))];
            media_type(&headers.into_iter().collect()).map(ToOwned::to_owned)
        };
        assert_eq!(of("text/html; charset=utf-8").as_deref(), Some("text/html"));
        assert_eq!(of("application/problem+json").as_deref(), Some("application/problem+json"));
        for text in ["", "; a=b", "a b", "text/html user=root"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
