//! How the pages of a site look: its name, its logo, its colour and its texts.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    language::Language,
    palette::{Colour, darker},
    records::{AuthConfig, PageLink, SignInWords},
    secrets::policy::has_invisible,
};

/// How the pages look.
#[derive(Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(super) struct Theme {
    /// What pages call the site. Default: the title of the site.
    brand: Option<String>,
    /// The heading of the sign-in page. Default: `Sign in`, in the language of the page.
    title: Option<String>,
    /// A paragraph below that heading.
    text: Option<String>,
    /// `title` and `text` in the languages of the site, by their tags, such as `de`.
    languages: BTreeMap<String, SignInWords>,
    /// The colour of buttons and links: `#rrggbb`, with a contrast of at least 4.5:1 on white (WCAG
    /// 2.2). In dark mode, it is made lighter. Default: `#17594f`.
    accent_color: Option<String>,
    /// A logo in place of Castellan's: a `data:` URL of an SVG, PNG, JPEG or WebP image, in base64, of
    /// at most 64 KiB.
    logo: Option<String>,
    /// Links at the foot of every page, such as to a privacy policy.
    links: Vec<PageLink>,
    /// Refused: pages take styles from Castellan alone.
    style_url: Option<String>,
    /// Where the sign-in page leads people who forgot their password: an `https` URL, or a path of
    /// the site. Default: `/auth/forgot-password` where mail is configured, otherwise no link.
    forgot_password_url: Option<String>,
}

/// Characters of a brand, a title or a link at most.
const MOST_TITLE: usize = 100;
/// Characters of a text at most.
const MOST_TEXT: usize = 1_000;
/// Bytes of a URL at most.
const MOST_URL: usize = 2_048;
/// Bytes of a logo at most.
const MOST_LOGO: usize = 64 * 1024;
/// Links at most.
const MOST_LINKS: usize = 10;

impl Theme {
    /// The record's part of it, or what is wrong with it.
    pub(super) fn read(self, languages: &[Language]) -> Result<AuthConfig, String> {
        if self.style_url.is_some() {
            return Err(
                "theme.styleUrl is not supported: a style sheet of another server could read \
                        what people type on the pages; use theme.accentColor and theme.logo"
                    .to_owned(),
            );
        }
        check("theme.brand", self.brand.as_deref(), MOST_TITLE)?;
        check("theme.title", self.title.as_deref(), MOST_TITLE)?;
        check("theme.text", self.text.as_deref(), MOST_TEXT)?;
        for (tag, words) in &self.languages {
            check_language("theme.languages", tag, languages)?;
            check(&format!("theme.languages.{tag}.title"), words.title.as_deref(), MOST_TITLE)?;
            check(&format!("theme.languages.{tag}.text"), words.text.as_deref(), MOST_TEXT)?;
        }
        let accent_color = self.accent_color.as_deref().map(read_accent).transpose()?;
        if self.logo.as_deref().is_some_and(|logo| image(logo).is_none()) {
            return Err(format!(
                "theme.logo must be a data: URL in base64 of an image/svg+xml, image/png, image/jpeg \
                 or image/webp of at most {} KiB",
                MOST_LOGO / 1024
            ));
        }
        check_links(&self.links, languages)?;
        if self.forgot_password_url.as_deref().is_some_and(|url| !is_link(url)) {
            return Err(not_a_link("theme.forgotPasswordUrl"));
        }
        Ok(AuthConfig {
            brand: self.brand,
            title: self.title,
            text: self.text,
            languages: self.languages,
            accent_color,
            logo: self.logo,
            links: self.links,
            forgot_password_url: self.forgot_password_url,
            ..AuthConfig::default()
        })
    }
}

/// The same as a document.
pub(super) fn show(record: &AuthConfig) -> Value {
    let mut shown = json!({});
    for (name, text) in [
        ("brand", &record.brand),
        ("title", &record.title),
        ("text", &record.text),
        ("accentColor", &record.accent_color),
        ("logo", &record.logo),
        ("forgotPasswordUrl", &record.forgot_password_url),
    ] {
        if let Some(text) = text {
            shown[name] = json!(text);
        }
    }
    if !record.languages.is_empty() {
        shown["languages"] = json!(record.languages);
    }
    if !record.links.is_empty() {
        shown["links"] = json!(record.links);
    }
    shown
}

/// The media type and the bytes of a logo; `None` if it is not one.
#[must_use]
pub fn image(url: &str) -> Option<(&'static str, Vec<u8>)> {
    let (media_type, text) = url.strip_prefix("data:")?.split_once(";base64,")?;
    if text.len() > MOST_LOGO.div_ceil(3) * 4 {
        return None;
    }
    let bytes = STANDARD.decode(text).ok()?;
    let (media_type, is_one) = match media_type {
        "image/svg+xml" => ("image/svg+xml", is_svg(&bytes)),
        "image/png" => ("image/png", bytes.starts_with(b"\x89PNG\r\n\x1a\n")),
        "image/jpeg" => ("image/jpeg", bytes.starts_with(b"\xff\xd8\xff")),
        "image/webp" => {
            ("image/webp", bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"))
        }
        _ => return None,
    };
    (is_one && bytes.len() <= MOST_LOGO).then_some((media_type, bytes))
}

fn is_svg(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| text.contains("<svg"))
}

fn check(place: &str, text: Option<&str>, most: usize) -> Result<(), String> {
    let Some(text) = text else { return Ok(()) };
    if text.trim().is_empty() || text.chars().count() > most || has_invisible(text) {
        return Err(format!(
            "{place} must have 1 to {most} characters, none of which is a control character or cannot \
             be seen"
        ));
    }
    Ok(())
}

/// A text in a language in which no page is would never be read.
fn check_language(place: &str, tag: &str, languages: &[Language]) -> Result<(), String> {
    if languages.iter().any(|language| language.tag() == tag) {
        return Ok(());
    }
    let tags: Vec<_> = languages.iter().map(|language| language.tag()).collect();
    Err(format!("{place}: the pages of this site are in {}, not in {tag:?}", tags.join(", ")))
}

fn read_accent(text: &str) -> Result<String, String> {
    let colour: Colour = text
        .parse()
        .map_err(|()| "theme.accentColor must be a colour such as \"#17594f\"".to_owned())?;
    match darker(colour) {
        None => Ok(colour.to_string()),
        Some(darker) => Err(format!(
            "theme.accentColor: text in {colour} cannot be read on the pages, whose contrast must be \
             4.5:1 (WCAG 2.2); {darker} can"
        )),
    }
}

fn check_links(links: &[PageLink], languages: &[Language]) -> Result<(), String> {
    if links.len() > MOST_LINKS {
        return Err(format!("theme.links must have at most {MOST_LINKS} entries"));
    }
    for (at, link) in links.iter().enumerate() {
        let place = format!("theme.links[{at}]");
        check(&format!("{place}.title"), Some(&link.title), MOST_TITLE)?;
        if !is_link(&link.url) {
            return Err(not_a_link(&format!("{place}.url")));
        }
        for (tag, title) in &link.languages {
            check_language(&format!("{place}.languages"), tag, languages)?;
            check(&format!("{place}.languages.{tag}"), Some(title), MOST_TITLE)?;
        }
    }
    Ok(())
}

fn not_a_link(place: &str) -> String {
    format!(
        "{place} must be an https URL, or a path of this site such as /help, in ASCII and without a \
         user name"
    )
}

/// Whether a browser that follows `url` goes to a page by https, or stays on the site. No character
/// is in it that browsers drop or read as another one.
fn is_link(url: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_graphic() && !b"\\\"'<>`{|}^".contains(&b);
    if url.len() > MOST_URL || !url.bytes().all(is_plain) {
        return false;
    }
    if let Some(path) = url.strip_prefix('/') {
        // Two slashes begin the name of another server.
        return !path.starts_with('/');
    }
    let Some(rest) = url.strip_prefix("https://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_host = |b: u8| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b);
    host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[') && host.bytes().all(is_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_https_or_stays_here() {
        for good in ["/help", "/", "/help?x=1#a", "https://help.test/a?b", "https://[::1]:8/x"] {
            assert!(is_link(good), "{good}");
        }
        for bad in [
            "",
            "help",
            "//evil.test",
            "/\\evil.test",
            "http://help.test/",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "https:help.test",
            "https:///help.test",
            "https://",
            "https://user@help.test/",
            "https://help.test\\@evil.test/",
            "/he lp",
            "/h\u{e9}lp",
            "/he\tlp",
            "\u{1}https://help.test/",
            "data:text/html,x",
            "https://?x",
        ] {
            assert!(!is_link(bad), "{bad}");
        }
    }

    #[test]
    fn a_logo_is_an_image_and_says_which() {
        let url = |media_type: &str, bytes: &[u8]| {
            format!("data:{media_type};base64,{}", STANDARD.encode(bytes))
        };
        let svg = b"<svg xmlns='http://www.w3.org/2000/svg'/>";
        assert_eq!(image(&url("image/svg+xml", svg)), Some(("image/svg+xml", svg.to_vec())));
        assert!(image(&url("image/png", b"\x89PNG\r\n\x1a\n....")).is_some());
        assert!(image(&url("image/webp", b"RIFF....WEBPVP8 ")).is_some());
        assert!(image(&url("image/jpeg", b"\xff\xd8\xff\xe0")).is_some());
        let mut large = svg.to_vec();
        large.resize(MOST_LOGO, b' ');
        assert!(image(&url("image/svg+xml", &large)).is_some());
        large.push(b' ');
        for bad in [
            url("image/svg+xml", &large),
            url("image/svg+xml", b"<html>"),
            url("image/svg+xml", b"\xff<svg"),
            url("image/png", svg),
            url("text/html", svg),
            url("image/svg+xml; charset=utf-8", svg),
            format!("data:image/svg+xml,{}", String::from_utf8_lossy(svg)),
            "https://cdn.test/logo.svg".to_owned(),
            "data:image/svg+xml;base64,!".to_owned(),
        ] {
            assert_eq!(image(&bad), None, "{}", &bad[..bad.len().min(60)]);
        }
    }
}
