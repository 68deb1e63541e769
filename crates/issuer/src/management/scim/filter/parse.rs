//! The grammar of filters and paths (RFC 7644 §§3.4.2.2 and 3.5.2). Texts are bounded in length and
//! depth before anything else is made of them.

use super::{Filter, Operand, Operator, Path, moment::moment};
use crate::management::scim::{
    error::ScimError,
    schema::{Attribute, Kind, Named, Type, find},
};

/// Bytes of a filter at most.
const LONGEST: usize = 4_096;
/// How deep parentheses and `not` can stand.
const DEEPEST: usize = 16;
/// Comparisons of a filter at most.
const MOST: usize = 64;

/// What the names in a filter are of.
#[derive(Clone, Copy)]
enum Scope {
    Resource(&'static Type),
    /// The values of a complex attribute.
    Values(&'static Attribute),
}

struct Parser<'a> {
    rest: &'a str,
    scope: Scope,
    depth: usize,
    comparisons: usize,
}

/// The filter `text` of resources of `kind`.
pub(in super::super) fn filter(kind: &'static Type, text: &str) -> Result<Filter, ScimError> {
    let mut parser = Parser::of(kind, text)?;
    let filter = parser.or()?;
    parser.skip();
    if parser.rest.is_empty() { Ok(filter) } else { Err(parser.unexpected()) }
}

/// The path `text` of a change to a resource of `kind`.
pub(in super::super) fn path(kind: &'static Type, text: &str) -> Result<Path, ScimError> {
    let in_path = |error: ScimError| ScimError::path(error.detail);
    let mut parser = Parser::of(kind, text.trim()).map_err(in_path)?;
    let named = parser.name().map_err(in_path)?;
    let filter = if parser.eat('[') { Some(parser.within(&named)?) } else { None };
    let mut sub = named.sub;
    if filter.is_some() && parser.eat('.') {
        let name = parser.word();
        let attribute = named.attribute.and_then(|attribute| find(attribute.sub, name));
        sub = Some(attribute.ok_or_else(|| ScimError::path(format!("{name:?}: no such part")))?);
    }
    if !parser.rest.is_empty() {
        return Err(ScimError::path(parser.unexpected().detail));
    }
    Ok(Path { named: Named { sub: None, ..named }, filter, sub })
}

impl<'a> Parser<'a> {
    fn of(kind: &'static Type, text: &'a str) -> Result<Self, ScimError> {
        if text.len() > LONGEST {
            let text = format!("a filter must not have more than {LONGEST} bytes");
            return Err(ScimError::filter(text));
        }
        Ok(Self { rest: text, scope: Scope::Resource(kind), depth: 0, comparisons: 0 })
    }

    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn unexpected(&self) -> ScimError {
        let rest: String = self.rest.chars().take(32).collect();
        let what =
            if rest.is_empty() { "it ends too early".to_owned() } else { format!("{rest:?}") };
        ScimError::filter(format!("the filter cannot be understood: {what}"))
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.rest.strip_prefix(wanted);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    /// The next word, such as a name or an operator; empty if there is none.
    fn word(&mut self) -> &'a str {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "$-_.:".contains(c);
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// The word `wanted`, in any letter case, if it comes next.
    fn keyword(&mut self, wanted: &str) -> bool {
        let before = self.rest;
        self.skip();
        if self.word().eq_ignore_ascii_case(wanted) {
            return true;
        }
        self.rest = before;
        false
    }

    fn deeper<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, ScimError>,
    ) -> Result<T, ScimError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            let text = format!("a filter must not be deeper than {DEEPEST} levels");
            return Err(ScimError::filter(text));
        }
        let parsed = parse(self)?;
        self.depth -= 1;
        Ok(parsed)
    }

    fn or(&mut self) -> Result<Filter, ScimError> {
        let mut filter = self.and()?;
        while self.keyword("or") {
            filter = Filter::Or(Box::new(filter), Box::new(self.and()?));
        }
        Ok(filter)
    }

    fn and(&mut self) -> Result<Filter, ScimError> {
        let mut filter = self.term()?;
        while self.keyword("and") {
            filter = Filter::And(Box::new(filter), Box::new(self.term()?));
        }
        Ok(filter)
    }

    fn term(&mut self) -> Result<Filter, ScimError> {
        self.skip();
        let before = self.rest;
        if self.keyword("not") {
            self.skip();
            if self.rest.starts_with('(') {
                let inner = self.deeper(Self::parentheses)?;
                return Ok(Filter::Not(Box::new(inner)));
            }
            self.rest = before;
        }
        if self.rest.starts_with('(') {
            return self.deeper(Self::parentheses);
        }
        self.comparison()
    }

    fn parentheses(&mut self) -> Result<Filter, ScimError> {
        self.eat('(');
        let inner = self.or()?;
        self.skip();
        if self.eat(')') { Ok(inner) } else { Err(self.unexpected()) }
    }

    fn name(&mut self) -> Result<Named, ScimError> {
        let word = self.word();
        if word.is_empty() {
            return Err(self.unexpected());
        }
        match self.scope {
            Scope::Resource(kind) => {
                kind.expect(word).map_err(|error| ScimError::filter(error.detail))
            }
            Scope::Values(attribute) => {
                let sub = find(attribute.sub, word).ok_or_else(|| {
                    ScimError::filter(format!("{}: has no part {word:?}", attribute.name))
                })?;
                // Within values, their parts are the attributes.
                Ok(Named { extension: None, attribute: Some(sub), sub: None })
            }
        }
    }

    /// What stands in brackets after `named`.
    fn within(&mut self, named: &Named) -> Result<Filter, ScimError> {
        let attribute = named
            .attribute
            .filter(|one| one.kind == Kind::Complex && one.many && named.sub.is_none());
        let Some(attribute) = attribute else {
            let text = "brackets stand after attributes with several values";
            return Err(ScimError::filter(text));
        };
        let outer = std::mem::replace(&mut self.scope, Scope::Values(attribute));
        let filter = self.deeper(Self::or)?;
        self.scope = outer;
        self.skip();
        if self.eat(']') { Ok(filter) } else { Err(self.unexpected()) }
    }

    fn comparison(&mut self) -> Result<Filter, ScimError> {
        self.comparisons += 1;
        if self.comparisons > MOST {
            let text = format!("a filter must not have more than {MOST} comparisons");
            return Err(ScimError::filter(text));
        }
        let named = self.name()?;
        if self.eat('[') {
            let filter = self.within(&named)?;
            return Ok(Filter::Within(named, Box::new(filter)));
        }
        self.skip();
        let word = self.word();
        if word.eq_ignore_ascii_case("pr") {
            return Ok(Filter::Present(named));
        }
        let operator = Operator::read(word);
        let operator = operator.ok_or_else(|| {
            ScimError::filter(format!(
                "{word:?} is not an operator: eq, ne, co, sw, ew, gt, ge, lt, le or pr"
            ))
        })?;
        self.skip();
        let operand = self.operand()?;
        check(&named, operator, &operand)?;
        Ok(Filter::Compare(named, operator, operand))
    }

    fn operand(&mut self) -> Result<Operand, ScimError> {
        if self.rest.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<String>();
            let Some(Ok(text)) = values.next() else { return Err(self.unexpected()) };
            self.rest = &self.rest[values.byte_offset()..];
            return Ok(Operand::Text(text));
        }
        let before = self.rest;
        match self.word() {
            word if word.eq_ignore_ascii_case("true") => Ok(Operand::Boolean(true)),
            word if word.eq_ignore_ascii_case("false") => Ok(Operand::Boolean(false)),
            word if word.eq_ignore_ascii_case("null") => Ok(Operand::Null),
            _ => {
                self.rest = before;
                Err(self.unexpected())
            }
        }
    }
}

/// Whether `named` can be compared so: what would never be true is refused rather than answered.
fn check(named: &Named, operator: Operator, operand: &Operand) -> Result<(), ScimError> {
    let name = || named.path();
    let Some(attribute) = named.last() else {
        return Err(ScimError::filter(format!("{}: an extension has no value", name())));
    };
    // What is never shown is not found by either.
    if attribute.returned == crate::management::scim::schema::Returned::Never {
        return Err(ScimError::filter(format!("{}: nothing is found by it", name())));
    }
    let compared = match attribute.kind {
        Kind::Complex => attribute.sub.iter().find(|sub| sub.name == "value").ok_or_else(|| {
            ScimError::filter(format!("{}: has no value of its own; name a part of it", name()))
        })?,
        _ => attribute,
    };
    let is_equality = matches!(operator, Operator::Eq | Operator::Ne);
    match (compared.kind, operand) {
        (_, Operand::Null) | (Kind::Boolean, Operand::Boolean(_)) if is_equality => Ok(()),
        // Some clients send them as texts.
        (Kind::Boolean, _) => Err(ScimError::filter(format!(
            "{}: is compared by eq and ne with true or false",
            name()
        ))),
        (_, Operand::Boolean(_) | Operand::Null) => {
            Err(ScimError::filter(format!("{}: is compared with a string in quotes", name())))
        }
        (Kind::DateTime, Operand::Text(text)) if moment(text).is_none() => Err(ScimError::filter(
            format!("{}: is compared with a time, such as \"2027-01-15T08:00:00Z\"", name()),
        )),
        (Kind::DateTime, _) if matches!(operator, Operator::Co | Operator::Sw | Operator::Ew) => {
            Err(ScimError::filter(format!("{}: is compared by eq, ne, gt, ge, lt and le", name())))
        }
        (Kind::Binary, _) if !is_equality => {
            Err(ScimError::filter(format!("{}: is compared by eq and ne", name())))
        }
        _ => Ok(()),
    }
}
