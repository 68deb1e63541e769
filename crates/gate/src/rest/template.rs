//! Path templates, such as `/orders/{id}/cancel`: whole segments, fixed or a parameter.

use std::fmt;

use super::path::{decoded, encoded};

/// The path of an operation below its guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    pub(super) segments: Vec<Segment>,
}

/// One segment of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// This text, decoded.
    Fixed(String),
    /// Any text but none, under this name.
    Parameter(String),
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It does not begin with a slash.
    #[error("must begin with a slash")]
    Slash,
    /// A segment is neither a text nor a parameter.
    #[error(
        "segment {0:?} is neither a text, as it may stand in a URL, nor one whole parameter in \
         braces"
    )]
    Segment(String),
    /// Two parameters have one name.
    #[error("has two parameters {0:?}")]
    Twice(String),
    /// The name stands for something else.
    #[error(
        "has a parameter \"query\", as which policies see the parameters of the URL; rename it"
    )]
    Reserved,
}

/// The name under which policies see the parameters of the URL, beside those of the path.
pub(super) const QUERY: &str = "query";
/// Segments at most.
const MOST: usize = 64;

impl Template {
    /// Reads `text`.
    ///
    /// # Errors
    /// [`TemplateError`] if it is none.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let rest = text.strip_prefix('/').ok_or(TemplateError::Slash)?;
        let mut segments = Vec::new();
        let mut raw = rest.split('/').peekable();
        while let Some(one) = raw.next().filter(|_| !rest.is_empty()) {
            let wrong = || TemplateError::Segment(one.to_owned());
            let is_inner = raw.peek().is_some();
            if (one.is_empty() && is_inner) || segments.len() == MOST {
                return Err(wrong());
            }
            let name = one.strip_prefix('{').and_then(|one| one.strip_suffix('}'));
            let segment = match name {
                Some(name) if is_name(name) => Segment::Parameter(name.to_owned()),
                Some(_) => return Err(wrong()),
                None => Segment::Fixed(decoded(one).map_err(|_| wrong())?.into_owned()),
            };
            if let Segment::Parameter(name) = &segment
                && segments.contains(&segment)
            {
                return Err(TemplateError::Twice(name.clone()));
            }
            if segment == Segment::Parameter(QUERY.to_owned()) {
                return Err(TemplateError::Reserved);
            }
            segments.push(segment);
        }
        Ok(Self { text: text.to_owned(), segments })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same for every template that fits the same paths, whatever its parameters are called.
    pub(super) fn shape(&self) -> String {
        if self.segments.is_empty() {
            return "/".to_owned();
        }
        let part = |segment: &Segment| match segment {
            Segment::Fixed(text) => format!("/{}", encoded(text)),
            Segment::Parameter(_) => "/{}".to_owned(),
        };
        self.segments.iter().map(part).collect()
    }

    /// The names of its parameters, in their order.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Parameter(name) => Some(&**name),
            Segment::Fixed(_) => None,
        })
    }

    /// Whether there is a path that fits both equally well: each has a text where the other one has
    /// a parameter.
    pub(super) fn rivals(&self, other: &Self) -> bool {
        if self.segments.len() != other.segments.len() {
            return false;
        }
        let (mut here, mut there) = (false, false);
        for pair in self.segments.iter().zip(&other.segments) {
            match pair {
                (Segment::Fixed(one), Segment::Fixed(two)) if one != two => return false,
                // A parameter is never empty.
                (Segment::Fixed(text), Segment::Parameter(_))
                | (Segment::Parameter(_), Segment::Fixed(text))
                    if text.is_empty() =>
                {
                    return false;
                }
                (Segment::Fixed(_), Segment::Parameter(_)) => here = true,
                (Segment::Parameter(_), Segment::Fixed(_)) => there = true,
                _ => {}
            }
        }
        here && there
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    !name.is_empty() && name.bytes().all(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_whole_segments() {
        for bad in [
            "",
            "orders",
            "/{}",
            "/{a}.json",
            "/{a}{b}",
            "/a//b",
            "/{a b}",
            "/..",
            "/{a}/{a}",
            "/a;b",
            "/{query}",
        ] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
        for (good, shape) in [
            ("/", "/"),
            ("/orders/{id}", "/orders/{}"),
            ("/orders/", "/orders/"),
            ("/%6frders/{a}/{b}", "/orders/{}/{}"),
        ] {
            assert_eq!(Template::parse(good).unwrap().shape(), shape, "{good}");
        }
    }

    #[test]
    fn rivals_fit_one_path_equally_well() {
        let rivals = |one: &str, other: &str| {
            Template::parse(one).unwrap().rivals(&Template::parse(other).unwrap())
        };
        assert!(rivals("/{a}/x", "/y/{b}"));
        assert!(rivals("/{a}/x/{c}", "/y/{b}/{c}"));
        for (one, other) in [
            ("/{a}/x", "/y/x"),
            ("/{a}/x", "/{b}/{c}"),
            ("/{a}/x", "/y/z"),
            ("/{a}/x", "/y"),
            ("/{a}/x", "/{b}/x"),
            ("/{a}/", "/y/{b}"),
        ] {
            assert!(!rivals(one, other) && !rivals(other, one), "{one} {other}");
        }
    }
}
