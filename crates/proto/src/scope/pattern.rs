//! Patterns over required scopes, and containment between them (`docs/rules.md` rules 21 to 23).

use super::RequiredScope;

/// Pattern of scopes `Operation:Type:Action`: `*` any characters, also colons; `?` one character;
/// `{a,b}` alternatives. Case-sensitive; matches the whole scope.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct ScopePattern {
    text: String,
    /// What the braces expand to, each in its shortest form; never empty.
    alternatives: Vec<Glob>,
}

/// Why a text is not a [`ScopePattern`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// Outside 1..=256 characters.
    #[error("a scope pattern must have 1 to 256 characters")]
    Length,
    /// A character outside `A-Z a-z 0-9 _ : * ? { , }`.
    #[error("{0:?} contains a character other than letters, digits, _ : * ? and {{a,b}}")]
    Character(String),
    /// Braces that are nested, not closed, or contain fewer than two alternatives.
    #[error("the braces in {0:?} do not have the form {{a,b}}")]
    Braces(String),
    /// More than 64 alternatives.
    #[error("{0:?} expands to more than 64 alternatives")]
    TooMany(String),
}

/// One alternative. Each run of `*` and `?` is all of its `?`, then at most one `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Glob(Vec<u8>);

/// Castellan's own rights live here; no wildcard reaches them unless the pattern begins so.
const OWN: &[u8] = b"Castellan:";
const MOST_ALTERNATIVES: usize = 64;

impl ScopePattern {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Bytes of memory that it takes: up to fifty times its text.
    #[must_use]
    pub fn memory(&self) -> usize {
        let alternatives = self.alternatives.iter().map(|glob| size_of::<Glob>() + glob.0.len());
        size_of::<Self>() + self.text.len() + alternatives.sum::<usize>()
    }

    /// Whether the required scope `required` matches this pattern.
    #[must_use]
    pub fn matches(&self, required: &RequiredScope) -> bool {
        self.absorbs(required.as_str().as_bytes())
    }

    /// Whether the required scope `required` is written out in this pattern, without any wildcard.
    #[must_use]
    pub fn names(&self, required: &RequiredScope) -> bool {
        let required = required.as_str().as_bytes();
        self.may_reach(required) && self.alternatives.iter().any(|glob| glob.0 == required)
    }

    /// Whether one of its alternatives is about Castellan's own rights, which begin with
    /// `Castellan:` (`docs/rules.md` rule 23).
    #[must_use]
    pub fn reaches_own_rights(&self) -> bool {
        self.alternatives.iter().any(|glob| glob.0.starts_with(OWN))
    }

    /// Whether everything that `asked` can match is matched by this pattern.
    ///
    /// Sound: it never wrongly returns true. Without `?` it never wrongly returns false either, as
    /// long as each requested alternative lies within a single one of this pattern.
    #[must_use]
    pub fn contains(&self, asked: &Self) -> bool {
        asked.alternatives.iter().all(|theirs| self.absorbs(&theirs.0))
    }

    fn absorbs(&self, subject: &[u8]) -> bool {
        self.may_reach(subject) && self.alternatives.iter().any(|glob| glob.absorbs(subject))
    }

    /// Castellan's own rights need a pattern that begins so as it is written: what is searched for
    /// them is found.
    fn may_reach(&self, subject: &[u8]) -> bool {
        !subject.starts_with(OWN) || self.text.as_bytes().starts_with(OWN)
    }
}

impl Glob {
    fn new(text: &str) -> Self {
        let mut out = Vec::with_capacity(text.len());
        let mut pending_star = false;
        for byte in text.bytes() {
            if byte == b'*' {
                pending_star = true;
                continue;
            }
            if byte != b'?' && pending_star {
                out.push(b'*');
                pending_star = false;
            }
            out.push(byte);
        }
        if pending_star {
            out.push(b'*');
        }
        Self(out)
    }

    /// Matches `subject` symbol by symbol: our `*` takes any symbols, wildcards included; our `?`
    /// takes one ordinary character or a `?`; a literal takes itself.
    fn absorbs(&self, subject: &[u8]) -> bool {
        if subject.starts_with(OWN) && !self.0.starts_with(OWN) {
            return false;
        }
        let (mut at, mut key) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        while at < subject.len() {
            match self.0.get(key) {
                Some(b'*') => {
                    retry = Some((key, at));
                    key += 1;
                }
                Some(b'?') if subject[at] != b'*' => {
                    at += 1;
                    key += 1;
                }
                Some(&literal) if literal != b'?' && literal == subject[at] => {
                    at += 1;
                    key += 1;
                }
                _ => {
                    let Some((star, from)) = retry else { return false };
                    retry = Some((star, from + 1));
                    at = from + 1;
                    key = star + 1;
                }
            }
        }
        self.0[key..].iter().all(|&symbol| symbol == b'*')
    }
}

impl TryFrom<String> for ScopePattern {
    type Error = InvalidPattern;

    fn try_from(text: String) -> Result<Self, InvalidPattern> {
        if text.is_empty() || text.len() > 256 {
            return Err(InvalidPattern::Length);
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_:*?{,}".contains(&b);
        if !text.bytes().all(allowed) {
            return Err(InvalidPattern::Character(text));
        }
        let alternatives = expand(&text)?.iter().map(|one| Glob::new(one)).collect();
        Ok(Self { text, alternatives })
    }
}

impl From<ScopePattern> for String {
    fn from(pattern: ScopePattern) -> Self {
        pattern.text
    }
}

impl PartialEq for ScopePattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for ScopePattern {}

impl std::hash::Hash for ScopePattern {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

/// The texts that the braces of `text` expand to.
fn expand(text: &str) -> Result<Vec<String>, InvalidPattern> {
    let braces = || InvalidPattern::Braces(text.to_owned());
    let mut out = vec![String::new()];
    let mut rest = text;
    while let Some(open) = rest.find(['{', '}', ',']) {
        if !rest[open..].starts_with('{') {
            return Err(braces());
        }
        let close = open + rest[open..].find('}').ok_or_else(braces)?;
        let inside = &rest[open + 1..close];
        if inside.contains('{') || !inside.contains(',') {
            return Err(braces());
        }
        let choices = inside.split(',').collect::<Vec<_>>();
        if out.len() * choices.len() > MOST_ALTERNATIVES {
            return Err(InvalidPattern::TooMany(text.to_owned()));
        }
        let before = &rest[..open];
        out = out
            .iter()
            .flat_map(|head| choices.iter().map(move |choice| format!("{head}{before}{choice}")))
            .collect();
        rest = &rest[close + 1..];
    }
    Ok(out.into_iter().map(|head| head + rest).collect())
}
