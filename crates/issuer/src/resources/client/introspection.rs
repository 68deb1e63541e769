//! Which tokens a client may introspect, as its `Client` document says (`docs/rules.md` rule 38a).

use serde_json::{Value, json};

use super::ClientDocument;
use crate::{
    records::{Client, IntrospectionReach},
    resources::Problem,
};

/// Resources of one client at most, and bytes of one.
const MOST: (usize, usize) = (64, 1_024);

/// Refuses what would not be acted upon, and a resource that is everybody's.
pub(crate) fn check(
    document: &ClientDocument,
    has_secret: bool,
    issuer: &str,
) -> Result<(), Problem> {
    let wrong = |text: String| Err(Problem::Text(text));
    if !has_secret && document.introspect == IntrospectionReach::Any {
        return wrong("introspect: a public client cannot introspect tokens".to_owned());
    }
    if !has_secret && !document.resources.is_empty() {
        return wrong(
            "resources: a public client cannot introspect tokens, so it has no use for them"
                .to_owned(),
        );
    }
    if document.resources.len() > MOST.0 {
        return wrong(format!("resources: a client may have at most {}", MOST.0));
    }
    for resource in &document.resources {
        if !is_resource(resource) {
            return wrong(format!(
                "resources: {resource:?} is not an absolute URI without a fragment (RFC 8707)"
            ));
        }
        if resource == issuer {
            return wrong(
                "resources: the issuer stands for every guard; use introspect: any for a client \
                 that is to see all tokens of the site"
                    .to_owned(),
            );
        }
    }
    Ok(())
}

/// An absolute URI without a fragment, as requests name resources (RFC 8707 §2, RFC 3986 §3).
fn is_resource(text: &str) -> bool {
    let visible = text.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    let scheme = text.split_once(':').is_some_and(|(scheme, rest)| {
        let inside = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(inside)
            && !rest.is_empty()
    });
    visible && scheme && text.len() <= MOST.1
}

/// Writes it into the document of `client`.
pub(crate) fn show(client: &Client, shown: &mut Value) {
    if client.introspection_reach != IntrospectionReach::Own {
        shown["introspect"] = json!(client.introspection_reach);
    }
    if !client.own_resources.is_empty() {
        shown["resources"] = json!(client.own_resources);
    }
}
