//! The secret before, which stays good for a while after it was replaced: `previous_secret_until` of
//! apps and machine users.

use castellan_proto::Timestamp;

use super::Problem;
use crate::records::Previous;

/// What a document and what is stored say of the secret before.
pub(crate) struct AskedPrevious<'a> {
    /// `previous_secret_until`, if it is written.
    pub(crate) until: Option<Timestamp>,
    /// The secret before, as it is stored.
    pub(crate) kept: Option<&'a Previous>,
    /// The stored form of the secret that the document replaces, if it does.
    pub(crate) replaced: Option<&'a str>,
}

impl AskedPrevious<'_> {
    /// The secret before from now on. A secret that is replaced ends at once, unless the document says
    /// until when it stays good. Where none is replaced, the one before stays as it is, unless the
    /// document says otherwise: a time that has passed ends it at once.
    ///
    /// # Errors
    /// [`Problem`] if there is none that could stay good.
    pub(crate) fn read(self, now: Timestamp) -> Result<Option<Previous>, Problem> {
        let kept = self.kept.filter(|kept| now < kept.until);
        match (self.until, self.replaced, kept) {
            (Some(until), ..) if until <= now => Ok(None),
            (Some(until), Some(secret), _) => {
                Ok(Some(Previous { secret: secret.to_owned(), until }))
            }
            (None, Some(_), _) => Ok(None),
            (Some(until), None, Some(kept)) => Ok(Some(Previous { until, ..kept.clone() })),
            (None, None, kept) => Ok(kept.cloned()),
            (Some(_), None, None) => {
                let text = "previous_secret_until: no earlier secret is valid any more; set a new \
                            secret together with it, or leave it out";
                Err(Problem::Text(text.to_owned()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000);

    fn read(
        until: Option<u64>,
        kept: Option<u64>,
        replaced: bool,
    ) -> Result<Option<(String, u64)>, ()> {
        let kept = kept.map(|until| Previous { secret: "a".to_owned(), until: Timestamp(until) });
        let asked = AskedPrevious {
            until: until.map(Timestamp),
            kept: kept.as_ref(),
            replaced: replaced.then_some("b"),
        };
        let read = asked.read(NOW).map_err(drop)?;
        Ok(read.map(|previous| (previous.secret, previous.until.0)))
    }

    #[test]
    fn a_replaced_secret_ends_at_once_unless_the_document_says_until_when() {
        assert_eq!(read(None, Some(2_000), true), Ok(None));
        let replaced = Ok(Some(("b".to_owned(), 3_000)));
        assert_eq!(read(Some(3_000), Some(2_000), true), replaced);
        assert_eq!(read(Some(1_000), None, true), Ok(None));
    }

    #[test]
    fn the_one_before_stays_until_it_ends_or_is_ended() {
        let kept = |until| Ok(Some(("a".to_owned(), until)));
        assert_eq!(read(None, Some(2_000), false), kept(2_000));
        assert_eq!(read(Some(1_500), Some(2_000), false), kept(1_500));
        assert_eq!(read(Some(0), Some(2_000), false), Ok(None));
        assert_eq!(read(None, Some(1_000), false), Ok(None), "over");
        assert_eq!(read(Some(2_000), Some(1_000), false), Err(()), "nothing can stay good");
        assert_eq!(read(None, None, false), Ok(None));
    }
}
