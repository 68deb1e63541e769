//! From an operation to the scope that it requires (`docs/rules.md` rule 25a).

use castellan_proto::scope::RequiredScope;
use http::Method;

use super::template::{Segment, Template};

/// The scope of `method` on `template`, whose first tag is `tag`; `None` if that is no name.
///
/// The tag or the first fixed segment, in the singular, is the type; a version such as `v1` before it
/// is none. A fixed segment after a parameter is the action. What stands between is part of the
/// action, so that a scope for one thing never opens what belongs to it: `DELETE
/// /orders/{id}/items/{item}` is `Mutation:Order:DeleteItem`.
pub(super) fn name(
    method: &Method,
    template: &Template,
    tag: Option<&str>,
) -> Option<RequiredScope> {
    let segments: Vec<&Segment> =
        template.segments.iter().skip_while(|one| is_version(one)).collect();
    let fixed = segments.iter().filter_map(|segment| match segment {
        Segment::Fixed(text) if !text.is_empty() => Some(&**text),
        _ => None,
    });
    let mut fixed: Vec<&str> = fixed.collect();
    let of = singular(&camel(match tag {
        Some(tag) => tag,
        None => fixed.first()?,
    })?);
    if fixed.first().and_then(|first| camel(first)).is_some_and(|first| singular(&first) == of)
        || tag.is_none()
    {
        fixed.remove(0);
    }
    let mut parts = Vec::new();
    for text in &fixed {
        parts.push(camel(text)?);
    }
    let is_parameter = |at: usize| {
        let segment = segments.len().checked_sub(at).and_then(|at| segments.get(at));
        matches!(segment, Some(Segment::Parameter(_)))
    };
    let action = if is_parameter(1) {
        item_verb(method)? + &parts.iter().map(|part| singular(part)).collect::<String>()
    } else if is_parameter(2) && !parts.is_empty() {
        let last = parts.pop()?;
        let between: String = parts.iter().map(|part| singular(part)).collect();
        match *method {
            Method::GET | Method::HEAD | Method::POST => last + &between,
            _ => item_verb(method)? + &last + &between,
        }
    } else {
        collection_verb(method)? + &parts.concat()
    };
    let root = if matches!(*method, Method::GET | Method::HEAD) { "Query" } else { "Mutation" };
    RequiredScope::try_from(format!("{root}:{of}:{action}")).ok()
}

fn is_version(segment: &Segment) -> bool {
    let Segment::Fixed(text) = segment else { return false };
    text.strip_prefix('v').is_some_and(|digits| {
        digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    })
}

fn item_verb(method: &Method) -> Option<String> {
    Some(match *method {
        Method::GET | Method::HEAD => "Get".to_owned(),
        Method::PUT | Method::PATCH => "Update".to_owned(),
        Method::DELETE => "Delete".to_owned(),
        _ => camel(&method.as_str().to_ascii_lowercase())?,
    })
}

fn collection_verb(method: &Method) -> Option<String> {
    match *method {
        Method::GET | Method::HEAD => Some("List".to_owned()),
        Method::POST => Some("Create".to_owned()),
        _ => item_verb(method),
    }
}

/// A text in upper camel case; `None` if it has other letters than a scope may have.
fn camel(text: &str) -> Option<String> {
    let mut out = String::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if !word.is_ascii() {
            return None;
        }
        let (first, rest) = word.split_at(1);
        out.extend([&*first.to_ascii_uppercase(), rest]);
    }
    (!out.is_empty()).then_some(out)
}

/// An English plural in the singular, by the rules that have few exceptions; anything else as it is.
fn singular(word: &str) -> String {
    let cut = |bytes: usize, end: &str| {
        word.get(..word.len() - bytes)
            .filter(|stem| stem.len() > 1)
            .map(|stem| format!("{stem}{end}"))
    };
    let lower = word.to_ascii_lowercase();
    let ends = |ends: &[&str]| ends.iter().any(|end| lower.ends_with(end));
    let found = if ends(&["ies"]) {
        cut(3, "y")
    } else if ends(&["sses", "shes", "ches", "xes", "zes"]) {
        cut(2, "")
    } else if ends(&["s"]) && !ends(&["ss", "us", "is"]) {
        cut(1, "")
    } else {
        None
    };
    found.unwrap_or_else(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_the_grain_of_fields() {
        for (method, path, tag, expected) in [
            ("GET", "/orders", None, "Query:Order:List"),
            ("HEAD", "/orders", None, "Query:Order:List"),
            ("GET", "/orders/{id}", None, "Query:Order:Get"),
            ("POST", "/orders", None, "Mutation:Order:Create"),
            ("PUT", "/orders/{id}", None, "Mutation:Order:Update"),
            ("PATCH", "/orders/{id}", None, "Mutation:Order:Update"),
            ("DELETE", "/orders/{id}", None, "Mutation:Order:Delete"),
            ("POST", "/orders/{id}/cancel", None, "Mutation:Order:Cancel"),
            ("GET", "/orders/{id}/items", None, "Query:Order:Items"),
            ("DELETE", "/orders/{id}/items", None, "Mutation:Order:DeleteItems"),
            ("GET", "/orders/{id}/items/{item}", None, "Query:Order:GetItem"),
            ("DELETE", "/orders/{id}/items/{item}", None, "Mutation:Order:DeleteItem"),
            ("POST", "/orders/{id}/items/{item}/approve", None, "Mutation:Order:ApproveItem"),
            ("COPY", "/orders/{id}", None, "Mutation:Order:Copy"),
            ("GET", "/v1/orders", None, "Query:Order:List"),
            ("GET", "/v2.1/orders/{id}", None, "Query:Order:Get"),
            ("GET", "/shop/orders", None, "Query:Shop:ListOrders"),
            ("GET", "/shop/orders", Some("Orders"), "Query:Order:ListShopOrders"),
            ("GET", "/orders", Some("orders"), "Query:Order:List"),
            ("GET", "/order-items/{id}", None, "Query:OrderItem:Get"),
            ("GET", "/categories", None, "Query:Category:List"),
            ("GET", "/boxes", None, "Query:Box:List"),
            ("GET", "/status", None, "Query:Status:List"),
            ("GET", "/addresses/{id}", None, "Query:Address:Get"),
            ("GET", "/{tenant}/orders", None, "Query:Order:List"),
            ("GET", "/", Some("Home"), "Query:Home:List"),
        ] {
            let template = Template::parse(path).unwrap();
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let named = name(&method, &template, tag).map(String::from);
            assert_eq!(named.as_deref(), Some(expected), "{method} {path}");
        }
        for (path, tag) in [("/", None), ("/{a}", None), ("/a", Some("été")), ("/%c3%a9", None)] {
            let template = Template::parse(path).unwrap();
            assert_eq!(name(&Method::GET, &template, tag), None, "{path}");
        }
    }
}
