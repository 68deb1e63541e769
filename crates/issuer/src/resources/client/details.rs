//! What a `Client` document says that describes the client, and what it says of it that has no
//! effect here (`docs/contracts/curity.md` §§7.3 to 7.5).

use serde_json::{Map, Value, json};

use super::{ClientDocument, LONGEST_ADDRESS, unserved};
use crate::{
    Issuer,
    records::{Client, ClientDetails},
    resources::Problem,
    secrets::policy::has_invisible,
};

/// Characters of a description at most.
const LONGEST_DESCRIPTION: usize = 4_096;
/// Bytes of a logo at most: every list of clients carries it.
const LARGEST_LOGO: usize = 32 * 1024;
/// Tags of one client at most, and characters of one.
const MOST_TAGS: (usize, usize) = (64, 128);
/// Bytes of `properties`, and of `unserved`, at most.
const LARGEST_MAP: usize = 32 * 1024;
/// Characters of the subject of an owner at most.
const LONGEST_OWNER: usize = 255;

/// The kinds of images that a logo can be (`docs/contracts/curity.md` §7.3).
const LOGOS: [&str; 4] = ["gif", "jpeg", "png", "svg+xml"];

/// The details of `document`. The flag says whether a secret among them is another than before.
pub(super) async fn read(
    document: &ClientDocument,
    issuer: &Issuer,
    before: Option<&Client>,
) -> Result<(ClientDetails, bool), Problem> {
    check(document)?;
    let mut unserved = document.unserved.clone();
    unserved::check(&unserved)?;
    let kept = before.map(|before| &before.details.unserved);
    let changed = unserved::keep_secrets(issuer, &mut unserved, kept).await?;
    let details = ClientDetails {
        description: document.description.clone(),
        logo_uri: document.logo_uri.clone(),
        policy_uri: document.policy_uri.clone(),
        tos_uri: document.tos_uri.clone(),
        owner: document.owner.clone(),
        revoked: document.revoked,
        tags: document.tags.clone(),
        properties: document.properties.clone(),
        unserved,
    };
    Ok((details, changed))
}

fn check(document: &ClientDocument) -> Result<(), Problem> {
    let wrong = |text: String| Err(Problem::Text(text));
    if document.revoked && document.active == Some(true) {
        return wrong("revoked: a client that is revoked is not active".to_owned());
    }
    let is_long = |text: &String| text.chars().count() > LONGEST_DESCRIPTION;
    if document.description.as_ref().is_some_and(is_long) {
        return wrong(format!("description: at most {LONGEST_DESCRIPTION} characters"));
    }
    if document.logo_uri.as_deref().is_some_and(|logo| !is_logo(logo)) {
        return wrong(format!(
            "logo_uri: must be a data: URL of type image/gif, image/jpeg, image/png or \
             image/svg+xml and of at most {LARGEST_LOGO} bytes"
        ));
    }
    for (name, uri) in [("policy_uri", &document.policy_uri), ("tos_uri", &document.tos_uri)] {
        if uri.as_deref().is_some_and(|uri| !is_page(uri)) {
            return wrong(format!(
                "{name}: must be an http or https URL without a fragment, of at most \
                 {LONGEST_ADDRESS} bytes"
            ));
        }
    }
    if document.owner.as_deref().is_some_and(|owner| !is_subject(owner)) {
        return wrong(format!("owner: must be a subject of 1 to {LONGEST_OWNER} characters"));
    }
    let (most, longest) = MOST_TAGS;
    let is_tag = |tag: &String| {
        (1..=longest).contains(&tag.chars().count()) && !has_invisible(tag) && tag.trim() == tag
    };
    let tags = &document.tags;
    let repeats = tags.iter().enumerate().any(|(at, tag)| tags[..at].contains(tag));
    if tags.len() > most || repeats || !tags.iter().all(is_tag) {
        return wrong(format!(
            "tags: at most {most}, each once, of 1 to {longest} visible characters"
        ));
    }
    if is_large(&document.properties) {
        return wrong(format!("properties: at most {LARGEST_MAP} bytes"));
    }
    if is_large(&document.unserved) {
        return wrong(format!("unserved: at most {LARGEST_MAP} bytes"));
    }
    Ok(())
}

fn is_large(map: &Map<String, Value>) -> bool {
    !map.is_empty() && json!(map).to_string().len() > LARGEST_MAP
}

fn is_subject(owner: &str) -> bool {
    (1..=LONGEST_OWNER).contains(&owner.chars().count()) && !has_invisible(owner)
}

/// Whether `uri` is a page that people can be shown.
pub(crate) fn is_page(uri: &str) -> bool {
    let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"));
    let is_plain = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    uri.len() <= LONGEST_ADDRESS && rest.is_some_and(|rest| !rest.is_empty() && is_plain(rest))
}

/// Whether `uri` holds an image itself, so that showing it asks nobody for it.
pub(crate) fn is_logo(uri: &str) -> bool {
    let kind = uri.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("data:"));
    let typed = kind.and_then(|_| uri.get(5..)).and_then(|rest| rest.split_once(','));
    typed.is_some_and(|(kind, data)| {
        let kind = kind.split(';').next().unwrap_or_default().to_ascii_lowercase();
        let is_image = kind.strip_prefix("image/").is_some_and(|kind| LOGOS.contains(&kind));
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        is_image && !data.is_empty() && uri.len() <= LARGEST_LOGO && uri.bytes().all(plain)
    })
}

/// The generation of a client with `details`: another one than `before` if it is revoked now, so that
/// nothing that was issued until then is valid again when it is active again.
pub(super) fn generation(details: &ClientDetails, before: Option<&Client>) -> u32 {
    let Some(before) = before else { return 0 };
    let is_new = details.revoked && !before.details.revoked;
    before.generation.saturating_add(u32::from(is_new))
}

/// Writes `details` into a document.
pub(super) fn show(details: &ClientDetails, shown: &mut Value) {
    for (name, text) in [
        ("description", &details.description),
        ("logo_uri", &details.logo_uri),
        ("policy_uri", &details.policy_uri),
        ("tos_uri", &details.tos_uri),
        ("owner", &details.owner),
    ] {
        if let Some(text) = text {
            shown[name] = json!(text);
        }
    }
    if details.revoked {
        shown["revoked"] = json!(true);
    }
    if !details.tags.is_empty() {
        shown["tags"] = json!(details.tags);
    }
    for (name, map) in [("properties", &details.properties), ("unserved", &details.unserved)] {
        if !map.is_empty() {
            shown[name] = json!(map);
        }
    }
}

/// What the document says that has no effect.
pub(super) fn warnings(details: &ClientDetails) -> Vec<String> {
    let found = unserved::warnings(&details.unserved);
    found.into_iter().map(|(path, text)| format!("unserved.{path}: {text}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_holds_its_image_itself() {
        for (uri, is_good) in [
            ("data:image/png;base64,iVBORw0KGgo=", true),
            ("DATA:image/svg+xml,%3Csvg/%3E", true),
            ("data:image/webp;base64,AA==", false),
            ("data:text/html,x", false),
            ("data:image/png;base64,", false),
            ("data:image/png;base64,AA#x", false),
            ("https://app.example.org/logo.png", false),
            ("javascript:alert(1)", false),
        ] {
            assert_eq!(is_logo(uri), is_good, "{uri}");
        }
        assert!(!is_logo(&format!("data:image/png,{}", "a".repeat(LARGEST_LOGO))));
    }

    #[test]
    fn a_page_is_absolute_and_has_no_fragment() {
        for (uri, is_good) in [
            ("https://app.example.org/terms", true),
            ("http://app.example.org", true),
            ("https://app.example.org/#terms", false),
            ("/terms", false),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("https://", false),
        ] {
            assert_eq!(is_page(uri), is_good, "{uri}");
        }
    }
}
