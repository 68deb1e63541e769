//! Checks every page in every state.

use std::{fs, path::PathBuf, sync::Arc};

use super::{
    AccountPage, CONTINUE, ConsentPage, DevicePage, Effect, ForgotPage, FormPostPage, Frame,
    HOSTILE, LoginPage, LogoutPage, MARK, MessagePage, NewPasskeyPage, PASSKEY, Page, ResetPage,
    SHOW_PASSWORD, SIGNED_OUT, STYLESHEET, SecondFactorPage, SetupPage, SignedOutPage, WelcomePage,
    WithheldPage,
};
use crate::texts::Texts;

#[test]
fn every_state_is_drawn() {
    for (name, html) in album() {
        let language = name.split('/').next().unwrap_or_default();
        let start = format!("<!doctype html>\n<html lang=\"{language}\">");
        assert!(html.starts_with(&start), "{name}");
        assert!(html.trim_end().ends_with("</html>"), "{name}");
        assert!(html.contains("name=\"viewport\""), "{name}");
        assert!(html.contains("/assets/castellan.css"), "{name}");
    }
}

#[test]
fn there_is_one_heading_and_one_main() {
    for (name, html) in album() {
        assert_eq!(html.matches("<h1").count(), 1, "{name}");
        assert_eq!(html.matches("<main").count(), 1, "{name}");
        assert_eq!(html.matches("<header").count(), 1, "{name}");
    }
}

#[test]
fn nothing_needs_more_than_the_strictest_policy_allows() {
    for (name, html) in album() {
        let html = html.to_ascii_lowercase();
        let (_, page) = name.split_once('/').unwrap_or_default();
        let script = match page.split('_').next() {
            Some("form") => "continue.js\"",
            Some("signed") => "farewell.js\"",
            Some("login" | "setup" | "reset" | "account") => "show-password.js\" defer",
            _ => "none",
        };
        let html = html.replace(&format!("<script src=\"/assets/{script}></script>"), "");
        let html = html.replace("<script src=\"/assets/passkey.js\" defer></script>", "");
        assert!(!html.contains("<script"), "{name}");
        assert!(!html.contains("<style"), "{name}");
        for tag in tags(&html) {
            for word in ["style", "onclick", "onload", "onerror", "onsubmit", "formaction"] {
                assert!(attribute(tag, word).is_none(), "{name}: {tag}");
            }
            if let Some(source) = attribute(tag, "src") {
                assert!(source.starts_with("/assets/"), "{name}: {tag}");
            }
        }
    }
    assert!(!STYLESHEET.contains("url(") && !STYLESHEET.contains("@import"));
    assert!(!MARK.contains("<style") && !MARK.contains("style=") && !MARK.contains("<script"));
}

#[test]
fn hostile_words_stay_words() {
    for (name, html) in album() {
        assert!(!html.contains("<archive>"), "{name}");
        assert!(!html.contains("\"&'"), "{name}");
        if name.ends_with("_hostile") {
            assert!(html.contains("Choir &#60;archive&#62; &#34;&#38;&#39;"), "{name}");
        }
    }
}

#[test]
fn every_page_has_a_hostile_state() {
    let hostile = album().iter().filter(|(name, _)| name.ends_with("_hostile")).count();
    assert_eq!(hostile, PAGES_WITH_STRANGE_WORDS * Texts::ALL.len());
    assert!(HOSTILE.contains(['<', '"', '&', '\'']));
}

#[test]
fn every_input_has_a_label() {
    for (name, html) in album() {
        for tag in tags(&html).filter(|tag| tag.starts_with("input ")) {
            // What nobody sees: for the server, or for whatever keeps passwords.
            if attribute(tag, "type") == Some("hidden") || tag.ends_with(" hidden") {
                continue;
            }
            let Some(id) = attribute(tag, "id") else { panic!("{name}: no id in {tag}") };
            assert!(html.contains(&format!("<label for=\"{id}\">")), "{name}: {tag}");
        }
    }
}

#[test]
fn what_is_referred_to_is_there_once() {
    for (name, html) in album() {
        for tag in tags(&html) {
            for refers in ["for", "aria-describedby", "aria-labelledby"] {
                for id in attribute(tag, refers).unwrap_or_default().split(' ') {
                    let times = tags(&html).filter(|tag| attribute(tag, "id") == Some(id)).count();
                    assert!(id.is_empty() || times == 1, "{name}: {times} times {id}");
                }
            }
        }
    }
}

#[test]
fn forms_are_posted_home() {
    for (name, html) in album() {
        for tag in tags(&html).filter(|tag| tag.starts_with("form")) {
            assert_eq!(attribute(tag, "method"), Some("post"), "{name}: {tag}");
            let action = attribute(tag, "action").unwrap_or_default();
            let known = [
                "/auth/device/code",
                "/auth/login",
                "/auth/second-factor",
                "/auth/consent",
                "/auth/setup",
                "/auth/reset-password",
                "/auth/forgot-password",
                "/auth/logout",
                "/account/revoke",
                "/account/passkeys",
                "/account/passkeys/new",
                "/account/passkeys/remove",
                "/account/password",
                "/account/sessions/end",
            ];
            let path = action.split('?').next().unwrap_or_default();
            // But for those that carry an answer to an app.
            let leaves = name.contains("/form_post") || name.contains("/withheld_form");
            assert!(leaves || known.contains(&path), "{name}: {tag}");
        }
    }
}

/// Each page leads on: by a link or by a button.
#[test]
fn no_page_is_a_dead_end() {
    for (name, html) in album() {
        let leads = tags(&html).any(|tag| tag.starts_with("a ") || tag.starts_with("button"));
        assert!(leads, "{name}");
    }
}

#[test]
fn a_problem_is_announced_and_tied_to_its_fields() {
    for (name, html) in album() {
        let has_alert = html.contains("id=\"problem\" role=\"alert\"");
        assert_eq!(has_alert, html.contains("aria-describedby=\"problem"), "{name}");
    }
}

#[test]
fn what_apps_load_is_out_of_sight_and_leads_nowhere() {
    let frames = [HOSTILE.to_owned(), "https://choir.example/out?iss=a&sid=b".to_owned()];
    let html = SignedOutPage { frame: frame(), frames: &frames, onward: None }.html();
    assert!(html.contains("src=\"https://choir.example/out?iss=a&#38;sid=b\""), "{html}");
    assert!(!html.contains("<archive>") && !html.contains("<script"), "{html}");
    let frames: Vec<_> = tags(&html).filter(|tag| tag.starts_with("iframe ")).collect();
    assert_eq!(frames.len(), 2);
    for frame in frames {
        assert!(frame.ends_with(" hidden"), "{frame}");
        let may = attribute(frame, "sandbox").unwrap_or("everything");
        assert_eq!(may, "allow-scripts allow-same-origin", "and not the window around it");
    }
}

#[test]
fn an_app_cannot_choose_a_dangerous_link() {
    let page = |client_uri| {
        let (_, page) = ConsentPage::samples(&frame()).remove(0);
        ConsentPage { client_uri: Some(client_uri), ..page }.html()
    };
    for uri in [
        "",
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "data:text/html,x",
        "//elsewhere.example",
        "https://",
        "https://choir.example@elsewhere.example/",
        "https://choir.example\\@elsewhere.example/",
        "https://Verified by Casa Aurora",
    ] {
        assert!(!page(uri).contains("<a "), "{uri}");
    }
    let html = page("https://choir.example:8443/about?verified");
    assert!(html.contains("<a href=\"https://choir.example:8443/about?verified\""));
    assert!(html.contains(">choir.example:8443<"));
}

#[test]
fn reading_changing_and_administering_stand_apart() {
    for (state, page) in ConsentPage::samples(&frame()) {
        let html = page.html();
        for (effect, heading) in [
            (Effect::Reads, "It will be able to read"),
            (Effect::Changes, "It will be able to change"),
            (Effect::Administers, "It will be able to administer this server"),
        ] {
            let asked = page.abilities.iter().any(|ability| ability.effect == effect);
            assert_eq!(asked, html.contains(heading), "{state}: {heading}");
        }
        let warns = html.contains("only if you trust the app as much as another administrator");
        assert_eq!(
            warns,
            page.abilities.iter().any(|ability| ability.effect == Effect::Administers),
            "{state}"
        );
        assert_eq!(page.abilities.is_empty(), html.contains("only sees who you are"), "{state}");
    }
}

/// Scopes are for developers: whoever wants to see them opens what they are folded into.
#[test]
fn scopes_are_folded_away() {
    for (state, page) in ConsentPage::samples(&frame()) {
        let html = page.html();
        let (before, folded) = html.split_once("<details").unwrap_or((&html, ""));
        let codes = page.abilities.len();
        assert!(!before.contains("<code>") || state == "device" || state == "hostile", "{state}");
        assert!(!folded.starts_with(" open"), "{state}");
        assert_eq!(folded.matches("<code>").count(), codes, "{state}");
    }
}

#[test]
fn text_can_be_read_on_its_ground() {
    let [light, dark] = schemes();
    for scheme in [light, dark] {
        for (text, ground, least) in [
            ("ink", "sheet", 7.0),
            ("soft", "sheet", 4.5),
            ("soft", "ground", 4.5),
            ("soft", "accent-tint", 4.5),
            ("ink", "accent-tint", 7.0),
            ("ink", "ground", 7.0),
            ("accent", "sheet", 4.5),
            ("accent-strong", "sheet", 4.5),
            ("accent", "accent-tint", 4.5),
            ("on-accent", "accent", 4.5),
            ("on-accent", "accent-strong", 4.5),
            ("alarm", "alarm-tint", 4.5),
            ("accent", "ground", 4.5),
            ("edge", "sheet", 3.0),
            ("edge", "ground", 3.0),
        ] {
            let (a, b) = (luminance(scheme, text), luminance(scheme, ground));
            let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(contrast >= least, "{text} on {ground}: {contrast:.2}");
        }
    }
}

/// In a browser, `tests/pages.test.mjs` looks at what is written here.
#[test]
fn the_album_can_be_looked_at() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("CASTELLAN_ALBUM")
        .map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let write = |name: &str, content: &str| {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    };
    for (name, html) in album() {
        write(&format!("{name}.html"), &html);
    }
    for (name, content) in [
        ("castellan.css", STYLESHEET),
        ("castellan.svg", MARK),
        ("show-password.js", SHOW_PASSWORD),
        ("passkey.js", PASSKEY),
        ("continue.js", CONTINUE),
        ("farewell.js", SIGNED_OUT),
    ] {
        write(&format!("assets/{name}"), content);
    }
}

/// How many pages show words of others.
const PAGES_WITH_STRANGE_WORDS: usize = 15;

/// What is around a page in English.
fn frame() -> Frame {
    Frame { site: "Casa Aurora".into(), texts: Texts::ALL[0], look: Arc::default() }
}

/// Every page in every state in every language, named `language/page_state`.
fn album() -> Vec<(String, String)> {
    let mut album = Vec::new();
    for texts in Texts::ALL {
        let frame = Frame { texts, ..frame() };
        photograph::<LoginPage<'_>>("login", &frame, &mut album);
        photograph::<SecondFactorPage<'_>>("second_factor", &frame, &mut album);
        photograph::<ConsentPage<'_>>("consent", &frame, &mut album);
        photograph::<SetupPage<'_>>("setup", &frame, &mut album);
        photograph::<WelcomePage>("welcome", &frame, &mut album);
        photograph::<ForgotPage<'_>>("forgot", &frame, &mut album);
        photograph::<ResetPage<'_>>("reset", &frame, &mut album);
        photograph::<AccountPage<'_>>("account", &frame, &mut album);
        photograph::<NewPasskeyPage<'_>>("new_passkey", &frame, &mut album);
        photograph::<DevicePage<'_>>("device", &frame, &mut album);
        photograph::<SignedOutPage<'_>>("signed_out", &frame, &mut album);
        photograph::<FormPostPage<'_>>("form_post", &frame, &mut album);
        photograph::<LogoutPage<'_>>("logout", &frame, &mut album);
        photograph::<MessagePage<'_>>("message", &frame, &mut album);
        photograph::<WithheldPage<'_>>("withheld", &frame, &mut album);
    }
    album
}

fn photograph<P: Page>(page: &str, frame: &Frame, album: &mut Vec<(String, String)>) {
    for (state, sample) in P::samples(frame) {
        album.push((format!("{}/{page}_{state}", frame.texts.tag), sample.html()));
    }
}

/// The text between `<` and `>`. Values are escaped, so none contains either.
fn tags(html: &str) -> impl Iterator<Item = &str> {
    html.split('<').skip(1).filter_map(|rest| rest.split('>').next())
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}

/// The light and the dark block of custom properties.
fn schemes() -> [&'static str; 2] {
    let mut blocks = STYLESHEET.split(":root {").skip(1);
    [blocks.next().unwrap_or_default(), blocks.next().unwrap_or_default()]
        .map(|block| block.split('}').next().unwrap_or_default())
}

/// Relative luminance as in WCAG 2.2.
fn luminance(scheme: &str, colour: &str) -> f64 {
    let Some((_, rest)) = scheme.split_once(&format!("--{colour}: #")) else {
        panic!("no colour {colour}")
    };
    let part = |at: usize| {
        let Ok(value) = u8::from_str_radix(&rest[at..at + 2], 16) else { panic!("{colour}") };
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
}
