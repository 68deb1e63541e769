//! What resources of a kind are searched by (`docs/contracts/aidbox.md` §§1.2 and 2): parameters
//! that a kind defines, and what a value must be for a resource to be found.

use castellan_proto::Timestamp;
use serde_json::Value;

use crate::records::login_name;

/// A search parameter that a kind of resource defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in the query.
    pub name: &'static str,
    /// Where it looks in the document as it is shown: members and those in them, separated by dots.
    /// A list is looked at element by element.
    pub paths: &'static [&'static str],
    /// How a value there is compared.
    pub how: How,
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The whole of it, in any letter case.
    Token,
    /// Its beginning, or that of a word in it, in any letter case.
    Text,
    /// A reference: the id alone, or `Kind/id`.
    Reference,
    /// `true` or `false`; a member that is not there is `false`.
    Boolean,
    /// The same, where a member that is not there is `true`.
    BooleanOrTrue,
    /// The opposite of [`How::Boolean`].
    Opposite,
    /// The whole of it, letter by letter: `_id`, and what a dot expression names.
    Exact,
    /// A time, after one of the prefixes of FHIR or none (FHIR R4 §3.1.1.5.6): `eq`, `ne`, `gt`, `ge`,
    /// `lt` and `le`.
    Date,
}

/// Where the resource that a value names is found without looking at all of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// It has this id.
    Id(String),
    /// Its record has this unique name.
    Name(String),
    /// The ids of all that may be meant begin so.
    Prefix(String),
}

/// One parameter of a search with its values, any of which is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// As it is written in the query.
    pub(crate) name: String,
    paths: Vec<String>,
    how: How,
    pub(crate) values: Vec<String>,
}

/// The values of one parameter at most.
const MOST_VALUES: usize = 100;

impl Condition {
    /// The condition that `name` has one of the values of `text`, which are separated by commas.
    ///
    /// # Errors
    /// What is wrong with it, naming the parameter.
    pub(crate) fn read(name: &str, paths: &[&str], how: How, text: &str) -> Result<Self, String> {
        let values = split(text);
        if values.iter().any(String::is_empty) {
            return Err(format!("{name}: a value is missing"));
        }
        if values.len() > MOST_VALUES {
            return Err(format!("{name}: at most {MOST_VALUES} values are allowed"));
        }
        let is_boolean = |value: &String| matches!(&**value, "true" | "false");
        let wants_boolean = matches!(how, How::Boolean | How::BooleanOrTrue | How::Opposite);
        if wants_boolean && !values.iter().all(is_boolean) {
            return Err(format!("{name}: must be true or false"));
        }
        if how == How::Date && !values.iter().all(|value| Moments::read(value).is_some()) {
            return Err(format!(
                "{name}: must be a time in UTC, such as ge2027-01-15 or lt2027-01-15T08:00:00Z"
            ));
        }
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        Ok(Self { name: name.to_owned(), paths, how, values })
    }

    /// Whether `document`, as it is shown, has one of the values.
    pub(crate) fn admits(&self, document: &Value) -> bool {
        let has = |test: &dyn Fn(&Value) -> bool| {
            self.paths.iter().any(|path| any_at(document, path, test))
        };
        let is_set = |absent: bool| {
            if has(&Value::is_boolean) { has(&|value| value == &Value::Bool(true)) } else { absent }
        };
        self.values.iter().any(|wanted| match self.how {
            How::Token => {
                let wanted = login_name(wanted);
                has(&|value| scalar(value).is_some_and(|text| login_name(&text) == wanted))
            }
            How::Text => {
                let wanted = login_name(wanted);
                has(&|value| scalar(value).is_some_and(|text| begins(&login_name(&text), &wanted)))
            }
            How::Reference => has(&|value| refers(value, wanted)),
            How::Boolean => is_set(false) == (wanted == "true"),
            How::BooleanOrTrue => is_set(true) == (wanted == "true"),
            How::Opposite => is_set(false) != (wanted == "true"),
            How::Exact => has(&|value| scalar(value).is_some_and(|text| text == *wanted)),
            How::Date => has(&|value| {
                let at = value.as_str().and_then(Timestamp::span);
                let moments = Moments::read(wanted);
                moments.zip(at).is_some_and(|(moments, (at, _))| moments.has(at))
            }),
        })
    }

    /// Whether the accounts that it admits are just those that are active, or just the others;
    /// `None` if it is about something else.
    pub(crate) fn active(&self) -> Option<bool> {
        let ([path], [value]) = (&*self.paths, &*self.values) else { return None };
        let is_true = value == "true";
        match (self.how, &**path) {
            (How::Boolean, "active") | (How::Opposite, "inactive") => Some(is_true),
            (How::Boolean, "inactive") => Some(!is_true),
            _ => None,
        }
    }

    /// The times that it admits, from the first and before the second, as far as that is one range;
    /// all of them if it is about something else.
    pub(crate) fn times(&self) -> (Timestamp, Timestamp) {
        let all = (Timestamp(0), Timestamp(u64::MAX));
        match (self.how, &*self.values) {
            (How::Date, [one]) => Moments::read(one).map_or(all, |moments| moments.range()),
            _ => all,
        }
    }
}

/// What a value of [`How::Date`] means.
struct Moments<'a> {
    prefix: &'a str,
    /// The time that it names, which lasts from the first and until before the second.
    from: Timestamp,
    until: Timestamp,
}

impl<'a> Moments<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let digit = text.find(|letter: char| letter.is_ascii_digit())?;
        let (prefix, time) = text.split_at(digit);
        let is_known = ["", "eq", "ne", "gt", "ge", "lt", "le"].contains(&prefix);
        let (from, until) = Timestamp::span(time).filter(|_| is_known)?;
        Some(Self { prefix, from, until })
    }

    /// From the first and before the second; all for `ne`, which is no range.
    const fn range(&self) -> (Timestamp, Timestamp) {
        let (first, last) = (Timestamp(0), Timestamp(u64::MAX));
        match self.prefix.as_bytes() {
            b"gt" => (self.until, last),
            b"ge" => (self.from, last),
            b"lt" => (first, self.from),
            b"le" => (first, self.until),
            b"ne" => (first, last),
            _ => (self.from, self.until),
        }
    }

    fn has(&self, at: Timestamp) -> bool {
        let (from, until) = self.range();
        let is_in = |from, until| from <= at && at < until;
        is_in(from, until) && (self.prefix != "ne" || !is_in(self.from, self.until))
    }
}

/// The values of `text`: a comma separates, and `\,` and `\\` stand for what follows the backslash.
fn split(text: &str) -> Vec<String> {
    let mut values = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let literal = match character {
            ',' => {
                values.push(String::new());
                continue;
            }
            '\\' => characters.next().unwrap_or('\\'),
            other => other,
        };
        if let Some(value) = values.last_mut() {
            value.push(literal);
        }
    }
    values
}

/// Whether `test` holds for something at `path` in `value`.
fn any_at(value: &Value, path: &str, test: &dyn Fn(&Value) -> bool) -> bool {
    if let Value::Array(elements) = value {
        if let Some((at, rest)) = position(path)
            && let Some(element) = elements.get(at)
        {
            return rest.map_or_else(|| each(element, test), |rest| any_at(element, rest, test));
        }
        return elements.iter().any(|element| any_at(element, path, test));
    }
    let (member, rest) = path.split_once('.').map_or((path, None), |(one, rest)| (one, Some(rest)));
    let Some(found) = value.get(member) else { return false };
    rest.map_or_else(|| each(found, test), |rest| any_at(found, rest, test))
}

/// The position in a list with which `path` begins, and what follows it.
fn position(path: &str) -> Option<(usize, Option<&str>)> {
    let (at, rest) = path.split_once('.').map_or((path, None), |(one, rest)| (one, Some(rest)));
    at.parse().ok().map(|at| (at, rest))
}

fn each(value: &Value, test: &dyn Fn(&Value) -> bool) -> bool {
    match value {
        Value::Array(elements) => elements.iter().any(test),
        value => test(value),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether `text` or a word in it begins with `wanted`.
fn begins(text: &str, wanted: &str) -> bool {
    let words = text.match_indices(char::is_whitespace);
    text.starts_with(wanted)
        || words.into_iter().any(|(at, space)| text[at + space.len()..].starts_with(wanted))
}

/// Whether the reference `value` is to `wanted`.
fn refers(value: &Value, wanted: &str) -> bool {
    if let Some(reference) = value.get("reference").and_then(Value::as_str) {
        let id = reference.split_once('/').map(|(_, id)| id);
        return reference == wanted || id == Some(wanted);
    }
    let Some(id) = value.get("id").and_then(Value::as_str).or(value.as_str()) else { return false };
    let kind = value.get("resourceType").and_then(Value::as_str);
    id == wanted || kind.is_some_and(|kind| wanted.split_once('/') == Some((kind, id)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn is_found(document: &Value, paths: &[&str], how: How, text: &str) -> bool {
        Condition::read("p", paths, how, text).unwrap().admits(document)
    }

    #[test]
    fn each_way_to_compare() {
        let document = json!({
            "userName": "Zoë", "age": 7, "name": {"formatted": "Zoë van Dam"},
            "emails": [{"value": "a@example.org"}, {"value": "B@example.org"}],
            "user": {"resourceType": "User", "id": "zoe"}, "inactive": true, "scope": ["a", "b"],
        });
        for (paths, how, text, found) in [
            (&["userName"][..], How::Token, "zoË", true),
            (&["userName"], How::Token, "zo", false),
            (&["userName"], How::Token, "x,zoë", true),
            (&["userName"], How::Exact, "zoë", false),
            (&["age"], How::Exact, "7", true),
            (&["nope", "emails.value"], How::Token, "b@example.org", true),
            (&["emails.1.value"], How::Exact, "B@example.org", true),
            (&["emails.0.value"], How::Exact, "B@example.org", false),
            (&["emails.2.value"], How::Exact, "B@example.org", false),
            (&["scope"], How::Exact, "b", true),
            (&["name.formatted"], How::Text, "van", true),
            (&["name.formatted"], How::Text, "DAM", true),
            (&["name.formatted"], How::Text, "an", false),
            (&["name"], How::Text, "zoë", false),
            (&["user"], How::Reference, "zoe", true),
            (&["user"], How::Reference, "User/zoe", true),
            (&["user"], How::Reference, "Client/zoe", false),
            (&["inactive"], How::Boolean, "true", true),
            (&["inactive"], How::Opposite, "true", false),
            (&["inactive"], How::Opposite, "false", true),
            (&["active"], How::Boolean, "false", true),
            (&["active"], How::Opposite, "true", true),
            (&["active"], How::BooleanOrTrue, "true", true),
            (&["inactive"], How::BooleanOrTrue, "false", false),
        ] {
            assert_eq!(is_found(&document, paths, how, text), found, "{paths:?} {how:?} {text}");
        }
        let fhir = json!({"client": {"reference": "Client/x"}});
        assert!(is_found(&fhir, &["client"], How::Reference, "x"));
        assert!(is_found(&fhir, &["client"], How::Reference, "Client/x"));
    }

    #[test]
    fn times_are_compared_as_long_as_they_are_written() {
        let document = json!({"recorded": "2027-01-15T08:00:07Z"});
        for (text, found) in [
            ("2027-01-15", true),
            ("eq2027", true),
            ("2027-01-15T08:00Z", true),
            ("2027-01-15T08:00:08Z", false),
            ("ne2027-01", false),
            ("ne2027-02", true),
            ("gt2027-01-15", false),
            ("gt2027-01-14", true),
            ("ge2027-01-15T08:00:07Z", true),
            ("ge2027-01-15T08:00:08Z", false),
            ("lt2027-01-15T08:00:07Z", false),
            ("lt2027-01-15T08:00:08Z", true),
            ("le2027-01-15", true),
            ("le2027-01-14", false),
            ("2026,2027", true),
        ] {
            assert_eq!(is_found(&document, &["recorded"], How::Date, text), found, "{text}");
        }
        for bad in ["yesterday", "ap2027", "27", "2027-01-15T08:00:00+01:00", "ge", "2027,x"] {
            assert!(Condition::read("p", &["recorded"], How::Date, bad).is_err(), "{bad}");
        }
        let date = |text| Condition::read("p", &["recorded"], How::Date, text).unwrap().times();
        assert_eq!(date("lt1970-01-02"), (Timestamp(0), Timestamp(86_400)));
        assert_eq!(date("gt1970-01-01"), (Timestamp(86_400), Timestamp(u64::MAX)));
        assert_eq!(date("1970,1971"), (Timestamp(0), Timestamp(u64::MAX)));
    }

    #[test]
    fn values_are_separated_by_commas_that_are_not_escaped() {
        assert_eq!(split("a,b"), ["a", "b"]);
        assert_eq!(split(r"a\,b,c\\"), ["a,b", r"c\"]);
        for (how, text) in [(How::Token, ""), (How::Token, "a,,b"), (How::Boolean, "yes")] {
            assert!(Condition::read("p", &["a"], how, text).is_err(), "{text:?}");
        }
    }
}
